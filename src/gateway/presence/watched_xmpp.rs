//! XMPP users as WV users watch them (xmpp-mapping, 3.2).
//!
//! ```text
//!  SubscribeRequest ─▶ Pending ──subscribed──▶ Active ─▶ notifications
//!                         │                       │
//!                         └───── unsubscribed ────┴─▶ withdrawn, forgotten
//! ```
//!
//! What XMPP shows is kept in memory only: a new link probes for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::super::records::{Pair, pair_of, read};
use super::super::shared::Shared;
use super::super::shares::domain_of;
use super::super::timers::Timers;
use super::due::Due as Timer;
use super::names_of;
use super::nobody::Nobody;
use super::telling::{News, notify, publisher, send_subscribe};
use super::ways::LostWays;
use super::xmpp_watch::{Record, XmppWatch};
use crate::element::Time;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::presence::{SubscribeRequest, UnsubscribeRequest};
use crate::imps::{Address, Code, Status};
use crate::store::Write;
use crate::translate::card::Photo;
use crate::translate::presence::avatar::Told;
use crate::translate::presence::{Seen, withdrawn};
use crate::translate::stanza::{ns, payload};
use crate::translate::{Context, Translator};

/// Subscriptions of WV users to XMPP users.
#[derive(Debug, Default)]
pub(in super::super) struct WatchedXmpp {
    watches: BTreeMap<Pair, XmppWatch>,
    /// Bytes of what is seen of them.
    bytes: usize,
    nobody: Nobody,
    /// Components without a link.
    lost: LostWays,
    /// Pairs of which something was heard.
    heard: VecDeque<Pair>,
    /// Pictures that are to be fetched, and for whom.
    unseen: VecDeque<(Pair, Told)>,
    timers: Timers<Timer>,
}

impl WatchedXmpp {
    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        let watch = XmppWatch::restored(read(value)?);
        self.watches.insert(pair_of(rest)?, watch);
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.watches.len()
    }

    /// How many are remembered to be nobody.
    #[cfg(test)]
    pub(super) fn nobody(&self) -> usize {
        self.nobody.len()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.watches.keys()
    }

    /// A pair of which something was heard: whoever waits for that can be answered.
    pub(super) fn next_heard(&mut self) -> Option<Pair> {
        self.heard.pop_front()
    }

    pub(super) fn next_unseen(&mut self) -> Option<(Pair, Told)> {
        self.unseen.pop_front()
    }

    pub(super) fn subscribe(
        &mut self,
        request: &SubscribeRequest,
        watcher: &Address,
        now: Time,
        shared: &mut Shared,
    ) -> Status {
        let Some(component) = shared.translator.component_of(watcher).map(str::to_owned) else {
            return Status::new(Code::DOMAIN_NOT_SUPPORTED);
        };
        let names = names_of(request.attributes.as_ref());
        let requested: Vec<String> = names.iter().map(|n| n.as_str().to_owned()).collect();
        let nick = request.meta.as_ref().and_then(MetaInfo::user);
        let nick = nick.and_then(|user| user.friendly_name.clone());
        let mut failures = Vec::new();
        for user in &request.users {
            let publisher = &user.user;
            let pair = match self.watchable(publisher, watcher, &shared.translator) {
                Ok(pair) => pair,
                Err(code) => {
                    failures.push((code, publisher.clone()));
                    continue;
                }
            };
            if !shared.gate.may_see(domain_of(&pair.xmpp)) {
                failures.push((Code::FORBIDDEN, publisher.clone()));
                continue;
            }
            let is_known = self.watches.contains_key(&pair);
            let full = !is_known && self.watches.len() >= shared.settings.max_watches;
            if full || shared.links.len() >= shared.settings.max_queue {
                failures.push((Code::UNAVAILABLE, publisher.clone()));
                continue;
            }
            let old = self.watches.remove(&pair);
            let active = old.as_ref().is_some_and(|watch| watch.record.active);
            let mut watch = XmppWatch::restored(Record {
                active,
                requested: requested.clone(),
            });
            if let Some(old) = old {
                watch.seen = old.seen;
            }
            shared.write(Write::put_json(pair.xmpp_key(), &watch.record));
            self.watches.insert(pair.clone(), watch);
            send_subscribe(&component, &pair, nick.as_deref(), now, shared);
            if active {
                self.notify_or_probe(&pair, now, shared);
            }
        }
        if request.users.is_empty() {
            return Status::new(Code::BAD_REQUEST);
        }
        Status::of_users(request.users.len(), failures)
    }

    pub(super) fn unsubscribe(
        &mut self,
        request: &UnsubscribeRequest,
        watcher: &Address,
        now: Time,
        shared: &mut Shared,
    ) -> Status {
        if shared.translator.component_of(watcher).is_none() {
            return Status::new(Code::DOMAIN_NOT_SUPPORTED);
        }
        let mut failures = Vec::new();
        for user in &request.users {
            let publisher = &user.user;
            match self.watchable(publisher, watcher, &shared.translator) {
                Ok(pair) => {
                    shared.send_presence(Type::Unsubscribe, &pair, now);
                    self.forget(&pair, shared);
                }
                Err(code) => failures.push((code, publisher.clone())),
            }
        }
        Status::of_users(request.users.len(), failures)
    }

    /// The pair of a watcher and a publisher who may exist.
    fn watchable(
        &self,
        publisher: &Address,
        watcher: &Address,
        translator: &Translator,
    ) -> Result<Pair, Code> {
        let pair = self.pair(publisher, watcher, translator)?;
        let is_user = pair.xmpp.contains('@');
        is_user.then_some(pair).ok_or(Code::UNKNOWN_USER)
    }

    /// The pair of a watcher and an XMPP user, unless that is known to be nobody.
    pub(in super::super) fn pair(
        &self,
        publisher: &Address,
        watcher: &Address,
        translator: &Translator,
    ) -> Result<Pair, Code> {
        if !translator.is_xmpp(publisher) {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        let jid = translator.jid(publisher).map_err(|error| error.code())?;
        let xmpp = jid.to_string();
        if self.nobody.has(&xmpp) {
            return Err(Code::UNKNOWN_USER);
        }
        Ok(Pair {
            xmpp,
            wv: watcher.clone(),
        })
    }

    /// What may be seen of the XMPP user, if anything may.
    pub(in super::super) fn seen(&self, pair: &Pair) -> Option<&Seen> {
        let watch = self.watches.get(pair)?;
        watch.record.active.then_some(&watch.seen)
    }

    /// Asks for presence that may be seen.
    pub(in super::super) fn probe(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        if let Some(watch) = self.watches.get_mut(pair)
            && let Some(at) = watch.probe(pair, now, shared)
        {
            self.timers.by(at, Timer::Watch(pair.clone()));
        }
    }

    fn forget(&mut self, pair: &Pair, shared: &mut Shared) {
        if let Some(watch) = self.watches.remove(pair) {
            self.bytes = self.bytes.saturating_sub(watch.seen.bytes());
            shared.write(Write::delete(pair.xmpp_key()));
        }
    }

    /// Presence of an XMPP user that is no question: availability, approval,
    /// denial, error.
    pub(super) fn presence(
        &mut self,
        pair: &Pair,
        presence: &Presence,
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(watch) = self.watches.get_mut(pair) else {
            shared.dropped.count(super::NOBODYS);
            return;
        };
        match presence.type_ {
            Type::Subscribed => {
                if !watch.record.active {
                    watch.record.active = true;
                    shared.write(Write::put_json(pair.xmpp_key(), &watch.record));
                }
                if watch.seen.known {
                    self.notify_later(pair, now, shared);
                } else {
                    let at = watch.probe_at(now);
                    self.timers.by(at, Timer::Watch(pair.clone()));
                }
            }
            Type::Unsubscribed => self.denied(pair, now, shared),
            Type::Error => {
                let error = payload(&presence.payloads, "error", ns::DEFAULT_NS);
                let table = &shared.translator.mappings.status;
                let code = error.map_or(Code::INTERNAL, |e| table.code(e, Context::Presence));
                if code == Code::UNKNOWN_USER {
                    let until = self.nobody.remember(&pair.xmpp, now);
                    self.timers.by_any(until, Timer::Nobody);
                    self.denied(pair, now, shared);
                } else if watch.record.active {
                    self.bytes = self.bytes.saturating_sub(watch.seen.bytes());
                    watch.seen = Seen::default();
                    self.notify_later(pair, now, shared);
                }
                self.heard.push_back(pair.clone());
            }
            _ => {
                let before = watch.seen.bytes();
                if watch.take(presence, now) {
                    self.unseen.extend(watch.picture(pair));
                    self.weigh(pair, before, now, shared);
                    self.heard.push_back(pair.clone());
                }
            }
        }
    }

    /// A PEP event of an XMPP user.
    pub(super) fn event(&mut self, pair: &Pair, message: &Message, now: Time, shared: &mut Shared) {
        let Some(watch) = self.watches.get_mut(pair) else {
            return;
        };
        let before = watch.seen.bytes();
        if watch.seen.event(message) {
            self.unseen.extend(watch.picture(pair));
            self.weigh(pair, before, now, shared);
        }
    }

    /// A picture has come, which a watcher may be waiting for.
    pub(super) fn picture(
        &mut self,
        pair: &Pair,
        (told, picture): (&Told, &Arc<Photo>),
        now: Time,
        shared: &mut Shared,
    ) {
        let Some(watch) = self.watches.get_mut(pair) else {
            return;
        };
        let before = watch.seen.bytes();
        if watch.seen.take_picture(told, picture) {
            self.weigh(pair, before, now, shared);
        }
    }

    /// Accounts for what is seen of a user, and forgets texts of that user if all together
    /// are too many; then the watcher is told.
    fn weigh(&mut self, pair: &Pair, before: usize, now: Time, shared: &mut Shared) {
        let Some(watch) = self.watches.get_mut(pair) else {
            return;
        };
        let others = self.bytes.saturating_sub(before);
        if others + watch.seen.bytes() > shared.settings.max_seen_bytes {
            watch.seen.forget_picture();
        }
        if others + watch.seen.bytes() > shared.settings.max_seen_bytes {
            watch.seen.forget_texts();
            if let Some(more) = shared.seldom.may("seen", now.0) {
                tracing::warn!(
                    more,
                    "texts of presence are left out: too many are kept already"
                );
            }
        }
        self.bytes = others + watch.seen.bytes();
        self.notify_later(pair, now, shared);
    }

    /// The watcher learns that it sees nothing (any more).
    pub(super) fn denied(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        if let Some(watch) = self.watches.get(pair) {
            let table = &shared.translator.mappings.presence;
            let list = withdrawn(table, &watch.requested());
            notify(&pair.xmpp, list, vec![pair.wv.clone()], now, shared);
            self.forget(pair, shared);
            self.heard.push_back(pair.clone());
        }
    }

    fn notify_or_probe(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        let watch = self.watches.get(pair);
        if watch.is_some_and(|watch| watch.seen.known) {
            self.check(std::slice::from_ref(pair), now, shared);
        } else {
            self.probe(pair, now, shared);
        }
    }

    /// Tells the watcher now, or together with what follows soon.
    fn notify_later(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        match self.watches.get(pair).map(|watch| watch.later(now)) {
            Some(Some(at)) => self.timers.by(at, Timer::Watch(pair.clone())),
            Some(None) => self.check(std::slice::from_ref(pair), now, shared),
            None => {}
        }
    }

    /// Tells watchers what has changed; those of one publisher and domain who see
    /// the same are told together.
    fn check(&mut self, pairs: &[Pair], now: Time, shared: &mut Shared) {
        let mut all = News::default();
        for pair in pairs {
            let Some(watch) = self.watches.get_mut(pair) else {
                continue;
            };
            if watch.is_to_probe(now) {
                self.probe(pair, now, shared);
                continue;
            }
            watch.hear_silence(now);
            let Some(publisher) = publisher(&pair.xmpp, &shared.translator) else {
                continue;
            };
            let visible = shared.accounts.visible(pair);
            let Some(list) = watch.news(&publisher, &shared.translator, visible, now) else {
                continue;
            };
            all.add(pair, list);
        }
        all.tell(now, shared);
    }

    /// Those who watch an XMPP user may see something else now.
    pub(super) fn again(&mut self, xmpp: &str, now: Time, shared: &mut Shared) {
        let pairs = self.watches.range(Pair::first_of(xmpp)..);
        let pairs = pairs.map(|(pair, _)| pair.clone());
        let pairs: Vec<Pair> = pairs.take_while(|pair| pair.xmpp == xmpp).collect();
        self.check(&pairs, now, shared);
    }

    /// A new link: what was seen before may be wrong.
    pub(super) fn link_up(&mut self, component: &str, now: Time, shared: &mut Shared) {
        self.lost.found(component);
        for pair in self.pairs_of(component, shared) {
            if let Some(watch) = self.watches.get_mut(&pair)
                && watch.record.active
            {
                self.bytes = self.bytes.saturating_sub(watch.seen.bytes());
                watch.seen.resources.clear();
                self.bytes += watch.seen.bytes();
                self.probe(&pair, now, shared);
            }
        }
    }

    /// The link is lost: watchers are told if it does not come back.
    pub(super) fn link_down(&mut self, component: &str, now: Time, shared: &Shared) {
        self.lost.lose(component, now);
        let at = now.plus(shared.settings.link_grace);
        self.timers.by(at, Timer::Link(component.to_owned()));
    }

    /// No link came back in time: nothing is known of XMPP users.
    fn link_lost(&mut self, component: &str, now: Time, shared: &mut Shared) {
        if !self
            .lost
            .has_lost(component, shared.settings.link_grace, now)
        {
            return;
        }
        for pair in self.pairs_of(component, shared) {
            self.lose(&pair, now, shared);
        }
    }

    /// Nothing is known of an XMPP user any more.
    fn lose(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        let Some(watch) = self.watches.get_mut(pair) else {
            return;
        };
        let bytes = watch.seen.bytes();
        if let Some(list) = watch.lose(now) {
            self.bytes = self.bytes.saturating_sub(bytes);
            notify(&pair.xmpp, list, vec![pair.wv.clone()], now, shared);
        }
    }

    /// Of domains that may not be seen any more nothing is known. Those that could not be before are
    /// asked for presence, or again whether they may be watched.
    pub(super) fn policies_changed(
        &mut self,
        could_see: &dyn Fn(&str) -> bool,
        now: Time,
        shared: &mut Shared,
    ) {
        for pair in self.watches.keys().cloned().collect::<Vec<_>>() {
            let domain = domain_of(&pair.xmpp);
            let is_new = !could_see(domain);
            if !shared.gate.may_see(domain) {
                self.lose(&pair, now, shared);
            } else if is_new && self.seen(&pair).is_some() {
                self.probe(&pair, now, shared);
            } else if is_new && let Some(component) = shared.component_of(&pair) {
                send_subscribe(&component, &pair, None, now, shared);
            }
        }
    }

    fn pairs_of(&self, component: &str, shared: &Shared) -> Vec<Pair> {
        let of = |pair: &&Pair| shared.translator.component_of(&pair.wv) == Some(component);
        self.watches.keys().filter(of).cloned().collect()
    }

    /// A new session: its watchers are told everything again.
    pub(super) fn peer_up(&mut self, domain: &str, now: Time, shared: &mut Shared) {
        let mut pairs = Vec::new();
        for (pair, watch) in &mut self.watches {
            if pair.wv.domain() == domain && watch.record.active {
                watch.forget_told();
                pairs.push(pair.clone());
            }
        }
        self.check(&pairs, now, shared);
        for pair in &pairs {
            self.notify_or_probe(pair, now, shared);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        let mut due = Vec::new();
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Watch(pair) => due.push(pair),
                Timer::Link(component) => self.link_lost(&component, now, shared),
                Timer::Nobody => self.timers.by_any(self.nobody.forget(now), Timer::Nobody),
            }
        }
        self.check(&due, now, shared);
    }
}
