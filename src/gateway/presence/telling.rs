//! What is sent to publishers and watchers.

use std::collections::BTreeMap;

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

/// What is told of XMPP users, and to whom: those of one domain who see the same of somebody are told
/// together.
#[derive(Debug, Default)]
pub(super) struct News<'a>(BTreeMap<Watched<'a>, Vec<(PresenceSubList, Vec<Address>)>>);

/// An XMPP user, and a domain of those who watch them.
type Watched<'a> = (&'a str, &'a str);

impl<'a> News<'a> {
    /// The watcher of a pair is told this of the other.
    pub(super) fn add(&mut self, pair: &'a Pair, list: PresenceSubList) {
        let of = (pair.xmpp.as_str(), pair.wv.domain());
        let told = self.0.entry(of).or_default();
        match told.iter_mut().find(|(known, _)| *known == list) {
            Some((_, watchers)) => watchers.push(pair.wv.clone()),
            None => told.push((list, vec![pair.wv.clone()])),
        }
    }

    /// Tells all of it.
    pub(super) fn tell(self, now: Time, shared: &mut Shared) {
        for ((xmpp, _), told) in self.0 {
            for (list, watchers) in told {
                notify(xmpp, list, watchers, now, shared);
            }
        }
    }
}
