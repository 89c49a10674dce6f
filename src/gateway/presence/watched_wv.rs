//! WV users as XMPP users watch them (xmpp-mapping, 3.1).
//!
//! ```text
//!  subscribe ─▶ Pending ──first valid attribute──▶ Active
//!                  ▲                                 │
//!                  └────────── all withdrawn ────────┘
//! ```
//!
//! A WV subscription is always taken; whether anything may be seen shows in the
//! notifications. What they say is kept in memory only: after a restart it is
//! asked for again by the same subscription.

use std::collections::{BTreeSet, VecDeque};

use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::super::records::Pair;
use super::super::shared::{Shared, verdict};
use super::super::shares::domain_of;
use super::super::timers::Timers;
use super::introduction::Introduction;
use super::requests::{Asked, Requests};
use super::subscriptions::Subscriptions;
use super::ways::LostWays;
use super::wv_watch::{Due, WvWatch};
use crate::element::Time;
use crate::imps::Code;
use crate::imps::presence::{Attribute, PresenceSubList};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::presence::PresenceNotification;
use crate::translate::{Context, presence::to_xmpp};

/// What is to be looked after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Watch(Pair),
    Peer(String),
}

/// Subscriptions of XMPP users to WV users.
#[derive(Debug)]
pub(super) struct WatchedWv {
    watches: Subscriptions,
    requests: Requests,
    /// Peer domains without a session.
    lost: LostWays,
    /// Those of which watchers were told.
    told: BTreeSet<String>,
    timers: Timers<Timer>,
    /// What watchers wrote to those whom they want to watch, with its component.
    words: VecDeque<(String, Message)>,
    /// Whether the node stops: then nobody is shown any more.
    is_over: bool,
}

impl WatchedWv {
    /// `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            watches: Subscriptions::new(own),
            requests: Requests::default(),
            lost: LostWays::default(),
            told: BTreeSet::new(),
            timers: Timers::default(),
            words: VecDeque::new(),
            is_over: false,
        }
    }

    /// Takes back a record; `rest` is what follows the prefix of its key.
    pub(super) fn restore(&mut self, rest: &str, value: &[u8]) -> Result<(), String> {
        let pair = self.watches.restore(rest, value)?;
        if let Some(watch) = self.watches.get(&pair) {
            self.timers.by(watch.record.since, Timer::Watch(pair));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.watches.len()
    }

    /// Bytes of what watchers are shown.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.watches.bytes()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.watches.pairs()
    }

    /// What is known of a WV user to one who watches.
    pub(super) fn known(&self, pair: &Pair) -> Option<&PresenceSubList> {
        Some(self.watches.get(pair)?.values())
    }

    /// An XMPP user wants to watch.
    pub(super) fn subscribe(
        &mut self,
        component: &str,
        pair: &Pair,
        presence: &Presence,
        now: Time,
        shared: &mut Shared,
    ) {
        if !self.watches.contains(pair) {
            let watch = WvWatch::new(Introduction::of(presence), now);
            if !self.watches.add(pair, watch, shared) {
                if let Some(mut stanza) = shared.presence_of(pair, Type::Subscribe) {
                    std::mem::swap(&mut stanza.from, &mut stanza.to);
                    shared.refuse(component, stanza, Code::UNAVAILABLE);
                }
                return;
            }
        }
        if let Some(watch) = self.watches.get_mut(pair)
            && std::mem::take(&mut watch.record.denied)
        {
            // A new question.
            self.watches.put(pair, shared);
        }
        if let Some(watch) = self.watches.get_mut(pair)
            && watch.record.active
        {
            // It asks again: it has lost what it knew.
            watch.forget_shown();
            shared.send_presence(Type::Subscribed, pair, now);
            self.show(pair, now, shared);
        }
        self.place(pair, now, shared);
    }

    /// Places the subscription at the publisher, anew if need be: it is answered
    /// with a notification of everything.
    /// That waits while the watcher may see nobody.
    fn place(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        if !shared.gate.may_see(domain_of(&pair.xmpp)) {
            return;
        }
        let watch = self.watches.get_mut(pair);
        let nick = watch.and_then(|watch| {
            watch.placing();
            watch.record.introduction.nick.clone()
        });
        if !self.requests.subscribe(pair, nick.as_deref(), now, shared) {
            self.retry(pair, now);
        }
    }

    /// The answer to a request of this room.
    pub(super) fn answered(
        &mut self,
        token: u64,
        answer: &Primitive,
        now: Time,
        shared: &mut Shared,
    ) {
        match self.requests.answered(token) {
            Some(Asked::Subscribe(pair)) => self.subscribed(&pair, answer, now, shared),
            Some(Asked::Presence(pair, to)) => self.got(&pair, &to, answer, now, shared),
            Some(Asked::Nothing) | None => {}
        }
    }

    fn subscribed(&mut self, pair: &Pair, answer: &Primitive, now: Time, shared: &mut Shared) {
        let Some(watch) = self.watches.get_mut(pair) else {
            return;
        };
        let code = verdict(answer);
        if code.is_success() {
            watch.placed();
            let words = watch.record.introduction.tell(pair, &shared.translator);
            if let (Some(words), Some(component)) = (words, shared.component_of(pair)) {
                self.watches.put(pair, shared);
                self.words.push_back((component, words));
            }
            if shared.grants(domain_of(&pair.xmpp)) {
                self.grant(pair, now, shared);
            }
            return;
        }
        let may_pass = code.is_transient() || matches!(code.0, 600 | 604);
        if may_pass && watch.may_try_again(now) {
            self.retry(pair, now);
            return;
        }
        let code = if may_pass { Code::TIMEOUT } else { code };
        self.end(pair, code, now, shared);
    }

    /// Tells the watcher that they may watch, if they have not heard it and may see anybody.
    fn grant(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        if shared.gate.may_see(domain_of(&pair.xmpp))
            && let Some(watch) = self.watches.get_mut(pair)
            && !std::mem::replace(&mut watch.record.told, true)
        {
            self.watches.put(pair, shared);
            shared.send_presence(Type::Subscribed, pair, now);
        }
    }

    /// Places the subscription again, later each time.
    fn retry(&mut self, pair: &Pair, now: Time) {
        if let Some(watch) = self.watches.get_mut(pair) {
            let at = watch.retry_at(now);
            self.timers.by(at, Timer::Watch(pair.clone()));
        }
    }

    /// The publisher cannot be watched; the watcher is told as the code wants it.
    fn end(&mut self, pair: &Pair, code: Code, now: Time, shared: &mut Shared) {
        self.hide(pair, shared);
        self.watches.forget(pair, shared);
        let is_gone = matches!(code.0, 427 | 531 | 901);
        if !matches!(code.0, 403 | 532 | 534) {
            // An address that is wrong names nobody.
            let code = if is_gone { Code::UNKNOWN_USER } else { code };
            let table = &shared.translator.mappings.status;
            let error = table.error(code, Context::Presence, None);
            if let (Some(error), Some(mut presence)) =
                (error, shared.presence_of(pair, Type::Error))
                && let Some(component) = shared.component_of(pair)
            {
                presence.payloads.push(error.into());
                shared.send(&component, presence, now);
            }
        }
        if code != Code::TIMEOUT {
            shared.send_presence(Type::Unsubscribed, pair, now);
        }
    }

    /// An XMPP user does not want to watch any more.
    pub(super) fn unsubscribe(
        &mut self,
        component: &str,
        pair: &Pair,
        now: Time,
        shared: &mut Shared,
    ) {
        self.requests.unsubscribe(pair, now, shared);
        shared.send_presence(Type::Unsubscribed, pair, now);
        if self.watches.get(pair).is_some_and(WvWatch::is_shown) {
            self.hide(pair, shared);
        } else if let Some(presence) = shared.presence_of(pair, Type::Unavailable) {
            shared.hand(component, presence);
        }
        self.watches.forget(pair, shared);
    }

    /// An XMPP user wants to know now.
    pub(super) fn probe(&mut self, from: &Jid, pair: Pair, now: Time, shared: &mut Shared) {
        let is_known = self.watches.contains(&pair);
        if let Some(watch) = self.watches.get_mut(&pair)
            && watch.record.active
        {
            let is_fresh = watch.is_fresh(now);
            watch.forget_shown();
            self.show(&pair, now, shared);
            if is_fresh {
                return;
            }
        }
        // Whoever has no subscription must not make the publisher be asked for one.
        if shared.settings.get_presence || !is_known {
            self.requests.presence(pair, from, now, shared);
        } else {
            self.place(&pair, now, shared);
        }
    }

    fn got(&mut self, pair: &Pair, to: &str, answer: &Primitive, now: Time, shared: &mut Shared) {
        let code = verdict(answer);
        if !code.is_success() {
            // Their server believes in a subscription that there is not, and cannot be found again
            // where presence must not be asked for.
            let is_lost = code == Code::NOT_SUPPORTED && !self.watches.contains(pair);
            if is_lost || matches!(code.0, 427 | 531 | 901) {
                self.watches.forget(pair, shared);
                shared.send_presence(Type::Unsubscribed, pair, now);
            }
            return;
        }
        let Primitive::GetPresenceResponse(response) = answer else {
            return;
        };
        let value = response.values.iter().find(|value| value.user == pair.wv);
        let Some(list) = value.and_then(|value| value.presence.as_ref()) else {
            return;
        };
        if self.watches.contains(pair) {
            self.take(pair, list, now, shared);
        } else if list.attributes.iter().any(Attribute::is_valid) {
            // They are authorized: the subscription was lost, and is placed anew.
            let mut watch = WvWatch::new(Introduction::default(), now);
            watch.record.told = true;
            if self.watches.add(pair, watch, shared) {
                self.take(pair, list, now, shared);
                self.place(pair, now, shared);
            } else if let (Ok(to), Some(component)) = (Jid::new(to), shared.component_of(pair))
                && let Ok(shown) = to_xmpp(&shared.translator, &pair.wv, list, &to)
            {
                for presence in shown.presences {
                    shared.hand(&component, presence);
                }
            }
        }
    }

    /// What watchers wrote to those whom they want to watch.
    pub(super) fn next_words(&mut self) -> Option<(String, Message)> {
        self.words.pop_front()
    }

    /// Everybody is away from now on.
    pub(super) fn farewell(&mut self, shared: &mut Shared) {
        self.is_over = true;
        for (pair, watch) in self.watches.iter_mut() {
            watch.hide(pair, shared);
        }
    }

    /// Presence of WV users, for XMPP users.
    pub(super) fn notified(
        &mut self,
        notice: &PresenceNotification,
        now: Time,
        shared: &mut Shared,
    ) {
        for value in &notice.values {
            for pair in self.watches.watchers_of(notice, value, &shared.translator) {
                if let Some(list) = &value.presence {
                    self.take(&pair, list, now, shared);
                } else {
                    tracing::debug!("nothing is authorized");
                }
            }
        }
    }

    fn take(&mut self, pair: &Pair, list: &PresenceSubList, now: Time, shared: &mut Shared) {
        let Some(watch) = self.watches.get_mut(pair) else {
            return;
        };
        let before = watch.bytes();
        watch.merge(list, now);
        let authorized = watch.is_authorized();
        let denies = watch.is_denied_by(list, &shared.translator);
        if !self.watches.weigh(pair, before, shared)
            && let Some(more) = shared.seldom.may("shown", now.0)
        {
            tracing::warn!(
                more,
                "texts of presence are not shown: too many are kept already"
            );
        }
        let Some(watch) = self.watches.get_mut(pair) else {
            return;
        };
        match (watch.record.active, authorized) {
            (false, true) => {
                watch.record.active = true;
                self.watches.put(pair, shared);
                self.show(pair, now, shared);
            }
            (true, true) => match watch.note_change(now) {
                Some(at) => self.timers.by(at, Timer::Watch(pair.clone())),
                None => self.show(pair, now, shared),
            },
            (true, false) => {
                // It may come back: no `unsubscribed`.
                watch.record.active = false;
                self.watches.put(pair, shared);
                self.hide(pair, shared);
            }
            (false, false) => {
                if denies {
                    watch.record.denied = true;
                    self.watches.put(pair, shared);
                    shared.send_presence(Type::Unsubscribed, pair, now);
                }
            }
        }
    }

    /// Shows the watcher what was not shown yet, unless the publisher's domain is lost.
    fn show(&mut self, pair: &Pair, now: Time, shared: &mut Shared) {
        if self.watches.get(pair).is_some_and(|w| w.record.active) {
            self.grant(pair, now, shared);
        }
        let is_lost = self.is_over
            || self.told.contains(pair.wv.domain())
            || !shared.gate.may_see(domain_of(&pair.xmpp));
        match self.watches.get_mut(pair) {
            Some(watch) if is_lost => watch.skip_change(),
            Some(watch) => watch.show(pair, now, shared),
            None => {}
        }
    }

    fn hide(&mut self, pair: &Pair, shared: &mut Shared) {
        if let Some(watch) = self.watches.get_mut(pair) {
            watch.hide(pair, shared);
        }
    }

    /// Domains that may not see anything any more are shown nobody, others what they have not seen.
    pub(super) fn policies_changed(
        &mut self,
        could_see: &dyn Fn(&str) -> bool,
        now: Time,
        shared: &mut Shared,
    ) {
        for pair in self.watches.pairs().cloned().collect::<Vec<_>>() {
            let domain = domain_of(&pair.xmpp);
            if shared.gate.may_see(domain) {
                if !could_see(domain) {
                    self.place(&pair, now, shared);
                }
                self.show(&pair, now, shared);
            } else {
                self.hide(&pair, shared);
            }
        }
    }

    /// A new link: its watchers may have lost what they saw.
    pub(super) fn link_up(&mut self, component: &str, now: Time, shared: &mut Shared) {
        let of = |pair: &&Pair| shared.translator.component_of(&pair.wv) == Some(component);
        let pairs: Vec<Pair> = self.watches.pairs().filter(of).cloned().collect();
        for pair in pairs {
            if let Some(watch) = self.watches.get_mut(&pair) {
                watch.forget_shown();
            }
            self.show(&pair, now, shared);
        }
    }

    /// A new session: subscriptions are placed anew, since changes may be lost.
    pub(super) fn peer_up(&mut self, domain: &str, now: Time, shared: &mut Shared) {
        self.lost.found(domain);
        self.told.remove(domain);
        for pair in self.pairs_at(domain) {
            self.place(&pair, now, shared);
            self.show(&pair, now, shared);
        }
    }

    /// The last session was lost: watchers are told if it does not come back.
    pub(super) fn peer_down(&mut self, domain: &str, now: Time, shared: &Shared) {
        self.lost.lose(domain, now);
        let at = now.plus(shared.settings.peer_grace);
        self.timers.by(at, Timer::Peer(domain.to_owned()));
    }

    /// No session came back in time.
    fn peer_lost(&mut self, domain: &str, now: Time, shared: &mut Shared) {
        if !self.lost.has_lost(domain, shared.settings.peer_grace, now) {
            return;
        }
        self.told.insert(domain.to_owned());
        for pair in self.pairs_at(domain) {
            self.hide(&pair, shared);
        }
    }

    fn pairs_at(&self, domain: &str) -> Vec<Pair> {
        let at = |pair: &&Pair| pair.wv.domain() == domain;
        self.watches.pairs().filter(at).cloned().collect()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Watch(pair) => match self.watches.get(&pair).map(|watch| watch.due(now)) {
                    Some(Due::Place) => self.place(&pair, now, shared),
                    Some(Due::Show) => self.show(&pair, now, shared),
                    Some(Due::Nothing) | None => {}
                },
                Timer::Peer(domain) => self.peer_lost(&domain, now, shared),
            }
        }
    }
}
