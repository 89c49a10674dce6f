//! What is sent to publishers and watchers.

use xmpp_parsers::jid::Jid;
use xmpp_parsers::presence::Type;

use super::super::records::Pair;
use super::super::shared::Shared;
use crate::element::Time;
use crate::imps::Address;
use crate::imps::common::{MetaInfo, PresenceValue, User};
use crate::imps::presence::PresenceSubList;
use crate::imps::primitive::presence::PresenceNotification;
use crate::translate::Translator;
use crate::translate::stanza::{ns, text_element};

/// Asks an XMPP user whether they may be watched.
pub(super) fn send_subscribe(
    component: &str,
    pair: &Pair,
    nick: Option<&str>,
    now: Time,
    shared: &mut Shared,
) {
    if let Some(mut presence) = shared.presence_of(pair, Type::Subscribe) {
        let nick = nick.filter(|nick| !nick.trim().is_empty());
        let nick = nick.map(|nick| text_element("nick", ns::NICK, nick.trim()));
        presence.payloads.extend(nick);
        shared.send(component, presence, now);
    }
}

/// The address of whom a JID names.
pub(super) fn publisher(jid: &str, translator: &Translator) -> Option<Address> {
    translator.address(&Jid::new(jid).ok()?).ok()
}

/// Tells watchers of one domain what they see of an XMPP user.
pub(super) fn notify(
    xmpp: &str,
    list: PresenceSubList,
    watchers: Vec<Address>,
    now: Time,
    shared: &mut Shared,
) {
    let Some(publisher) = publisher(xmpp, &shared.translator) else {
        return;
    };
    let notice = PresenceNotification {
        meta: Some(MetaInfo::of_server(publisher.domain())),
        watchers: watchers.into_iter().map(User::new).collect(),
        values: vec![PresenceValue {
            user: publisher,
            presence: Some(list),
        }],
    };
    shared.tell(notice, now);
}
