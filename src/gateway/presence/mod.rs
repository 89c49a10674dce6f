//! Presence, in both directions (xmpp-mapping, 3).

mod due;
mod introduction;
mod nobody;
mod requests;
mod subscriptions;
mod telling;
mod watched_wv;
mod watched_xmpp;
mod ways;
mod wv_watch;
mod xmpp_watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::records::{Pair, bare};
use super::shared::Shared;
use crate::element::Time;
use crate::imps::common::AttributeList;
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::presence::{
    PresenceNotification, SubscribeRequest, UnsubscribeRequest,
};
use crate::imps::{Address, Code, Status};
use crate::translate::card::Photo;
use crate::translate::presence::Seen;
use crate::translate::presence::avatar::Told;
use crate::translate::stanza::{ns, payload};
use watched_wv::WatchedWv;
pub(super) use watched_xmpp::WatchedXmpp;
pub(super) use xmpp_watch::within;
#[cfg(test)]
pub(super) use {nobody::MAX_NOBODY, wv_watch::MAX_VALUE};

/// The kind of presence that nobody wants to hear of.
const NOBODYS: &str = "presence for nobody";

/// Who watches whom across the border.
#[derive(Debug)]
pub(super) struct Watches {
    wv: WatchedWv,
    xmpp: WatchedXmpp,
}

impl Watches {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            wv: WatchedWv::new(own),
            xmpp: WatchedXmpp::default(),
        }
    }

    /// Takes back a subscription of an XMPP user.
    pub(super) fn restore_wv(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        self.wv.restore(rest, value)
    }

    /// Takes back a subscription of a WV user.
    pub(super) fn restore_xmpp(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        self.xmpp.restore(rest, value)
    }

    /// Subscriptions kept: of XMPP users, and of WV users.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        (self.wv.len(), self.xmpp.len())
    }

    /// Bytes of what watchers are shown, and XMPP addresses that are known to be nobody's.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.wv.bytes(), self.xmpp.nobody())
    }

    /// Domains of the WV users in them.
    pub(super) fn domains(&self) -> BTreeSet<String> {
        let pairs = self.wv.pairs().chain(self.xmpp.pairs());
        pairs.map(|pair| pair.wv.domain().to_owned()).collect()
    }

    /// XMPP users who watch users of a component, or are watched by them, as bare JIDs.
    pub(super) fn people(&self, component: &str, shared: &Shared) -> BTreeSet<String> {
        let translator = &shared.translator;
        let pairs = self.wv.pairs().chain(self.xmpp.pairs());
        let here = pairs.filter(|pair| translator.component_of(&pair.wv) == Some(component));
        here.map(|pair| pair.xmpp.clone()).collect()
    }

    /// What an XMPP user knows of a WV user.
    pub(super) fn known(&self, from: &Jid, to: &Jid, shared: &Shared) -> Option<&PresenceSubList> {
        let pair = Pair {
            xmpp: bare(from),
            wv: shared.translator.address(to).ok()?,
        };
        self.wv.known(&pair)
    }

    /// The language a WV user prefers, as far as one who watches knows.
    pub(super) fn language_of(&self, watcher: &Jid, to: &Jid, shared: &Shared) -> Option<String> {
        let values = self.known(watcher, to, shared)?;
        let code = values
            .get(&AttributeName::PreferredLanguage)
            .and_then(Attribute::simple)?;
        let table = &shared.translator.mappings.presence;
        Some(table.language_to_xmpp(code).to_owned())
    }

    /// Whether an XMPP user is there, as far as a WV user may know.
    pub(super) fn is_online(
        &self,
        user: &Address,
        watcher: &Address,
        shared: &Shared,
    ) -> Option<bool> {
        let seen = self.seen(user, watcher, &AttributeName::OnlineStatus, shared)?;
        seen.known.then_some(!seen.resources.is_empty())
    }

    /// The clients of an XMPP user, as far as a WV user may know.
    pub(super) fn clients(
        &self,
        user: &Address,
        watcher: &Address,
        shared: &Shared,
    ) -> Vec<String> {
        let seen = self.seen(user, watcher, &AttributeName::ClientInfo, shared);
        let clients = seen.into_iter().flat_map(|seen| seen.resources.keys());
        clients.cloned().collect()
    }

    /// What a WV user sees of an XMPP user, if this attribute may be seen.
    fn seen(
        &self,
        user: &Address,
        watcher: &Address,
        attribute: &AttributeName,
        shared: &Shared,
    ) -> Option<&Seen> {
        let pair = self.xmpp.pair(user, watcher, &shared.translator).ok()?;
        let visible = shared.accounts.visible(&pair);
        let may = visible.is_none_or(|visible| visible.contains(attribute));
        self.xmpp.seen(&pair).filter(|_| may)
    }

    /// An XMPP user lets a WV user see nothing any more; if they are no contact any more, they do not
    /// watch that user either.
    pub(super) fn ended(&mut self, pair: &Pair, is_removed: bool, now: Time, shared: &mut Shared) {
        self.xmpp.denied(pair, now, shared);
        let component = shared.component_of(pair).filter(|_| is_removed);
        if let Some(component) = component.filter(|_| self.wv.known(pair).is_some()) {
            self.wv.unsubscribe(&component, pair, now, shared);
        }
    }

    /// XMPP users as WV users watch them.
    pub(super) fn of_xmpp(&mut self) -> &mut WatchedXmpp {
        &mut self.xmpp
    }

    /// A pair of which something was heard: whoever waits for that can be answered.
    pub(super) fn next_heard(&mut self) -> Option<Pair> {
        self.xmpp.next_heard()
    }

    /// A picture of an XMPP user that is to be fetched for a watcher.
    pub(super) fn next_unseen(&mut self) -> Option<(Pair, Told)> {
        self.xmpp.next_unseen()
    }

    /// Those who watch an XMPP user may see something else now.
    pub(super) fn again(&mut self, xmpp: &str, now: Time, shared: &mut Shared) {
        self.xmpp.again(xmpp, now, shared);
    }

    /// A picture has come, which a watcher may be waiting for.
    pub(super) fn picture(
        &mut self,
        pair: &Pair,
        picture: (&Told, &Arc<Photo>),
        now: Time,
        shared: &mut Shared,
    ) {
        self.xmpp.picture(pair, picture, now, shared);
    }

    /// What an XMPP user wrote to one whom they want to watch.
    pub(super) fn next_words(&mut self) -> Option<(String, Message)> {
        self.wv.next_words()
    }

    /// Whoever is shown to XMPP users is away from now on: the node stops.
    pub(super) fn farewell(&mut self, shared: &mut Shared) {
        self.wv.farewell(shared);
    }

    /// Other domains than those that could before may see presence.
    pub(super) fn policies_changed(
        &mut self,
        could_see: &dyn Fn(&str) -> bool,
        now: Time,
        shared: &mut Shared,
    ) {
        self.wv.policies_changed(could_see, now, shared);
        self.xmpp.policies_changed(could_see, now, shared);
    }

    /// A presence stanza of an XMPP user.
    pub(super) fn stanza(
        &mut self,
        component: &str,
        (from, to): (&Jid, &Jid),
        presence: Presence,
        now: Time,
        shared: &mut Shared,
    ) {
        let is_broadcast = matches!(presence.type_, Type::None | Type::Unavailable);
        let pair = match shared.translator.address(to) {
            // A broadcast goes to whoever is in a roster: an error would be no answer to anything.
            Err(_) if is_broadcast => {
                shared.dropped.count(NOBODYS);
                return;
            }
            Ok(wv) if to.node().is_some() => Pair {
                xmpp: bare(from),
                wv,
            },
            // Nobody can watch the gateway itself.
            Ok(_) if presence.type_ != Type::Subscribe => {
                shared.dropped.count(NOBODYS);
                return;
            }
            Ok(_) => {
                shared.refuse(component, presence, Code::UNKNOWN_USER);
                return;
            }
            Err(error) => {
                shared.refuse(component, presence, error.code());
                return;
            }
        };
        match presence.type_ {
            Type::Subscribe => self.wv.subscribe(component, &pair, &presence, now, shared),
            Type::Unsubscribe => self.wv.unsubscribe(component, &pair, now, shared),
            Type::Probe => self.wv.probe(from, pair, now, shared),
            _ => self.xmpp.presence(&pair, &presence, now, shared),
        }
    }

    /// A message stanza of an XMPP user that may be a PEP event.
    pub(super) fn event(&mut self, message: &Message, now: Time, shared: &mut Shared) {
        if let (Some(from), Some(to)) = (&message.from, &message.to)
            && payload(&message.payloads, "event", ns::PUBSUB_EVENT).is_some()
            && shared.gate.may_see(from.domain().as_str())
            && let Ok(wv) = shared.translator.address(to)
        {
            let pair = Pair {
                xmpp: bare(from),
                wv,
            };
            self.xmpp.event(&pair, message, now, shared);
        }
    }

    /// A WV user wants to watch XMPP users.
    pub(super) fn subscribe(
        &mut self,
        request: &SubscribeRequest,
        watcher: &Address,
        now: Time,
        shared: &mut Shared,
    ) -> Status {
        self.xmpp.subscribe(request, watcher, now, shared)
    }

    /// A WV user does not want to watch XMPP users any more.
    pub(super) fn unsubscribe(
        &mut self,
        request: &UnsubscribeRequest,
        watcher: &Address,
        now: Time,
        shared: &mut Shared,
    ) -> Status {
        self.xmpp.unsubscribe(request, watcher, now, shared)
    }

    /// Presence of WV users, for XMPP users.
    pub(super) fn notified(
        &mut self,
        notice: &PresenceNotification,
        now: Time,
        shared: &mut Shared,
    ) {
        self.wv.notified(notice, now, shared);
    }

    /// The answer to a request of this room, if the token is of one.
    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        now: Time,
        shared: &mut Shared,
    ) {
        self.wv.answered(token, answer, now, shared);
    }

    /// The link of `component` is there: presence is shown and asked for anew.
    pub(super) fn link_up(&mut self, component: &str, now: Time, shared: &mut Shared) {
        self.wv.link_up(component, now, shared);
        self.xmpp.link_up(component, now, shared);
    }

    /// The link of `component` is lost.
    pub(super) fn link_down(&mut self, component: &str, now: Time, shared: &Shared) {
        self.xmpp.link_down(component, now, shared);
    }

    /// A session with `domain` was made or made anew.
    pub(super) fn peer_up(&mut self, domain: &str, now: Time, shared: &mut Shared) {
        self.wv.peer_up(domain, now, shared);
        self.xmpp.peer_up(domain, now, shared);
    }

    /// The last session with `domain` was lost.
    pub(super) fn peer_down(&mut self, domain: &str, now: Time, shared: &Shared) {
        self.wv.peer_down(domain, now, shared);
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let times = [self.wv.next_timeout(), self.xmpp.next_timeout()];
        times.into_iter().flatten().min()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        self.wv.timeout(now, shared);
        self.xmpp.timeout(now, shared);
    }
}

/// The names in an attribute list; none for all.
pub(super) fn names_of(list: Option<&AttributeList>) -> Vec<AttributeName> {
    let presence = list.and_then(|list| list.presence.as_ref());
    let mut names: Vec<AttributeName> = Vec::new();
    for attribute in presence.into_iter().flat_map(|list| &list.attributes) {
        let known = !matches!(attribute.name, AttributeName::Other(_));
        if known && !names.contains(&attribute.name) {
            names.push(attribute.name.clone());
        }
    }
    names
}
