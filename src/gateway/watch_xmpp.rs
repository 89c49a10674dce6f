//! WV users who watch XMPP users (xmpp-mapping, 3.2).
//!
//! ```text
//!  SubscribeRequest ─▶ Pending ──subscribed──▶ Active ─▶ notifications
//!                         │                       │
//!                         └───── unsubscribed ────┴─▶ withdrawn, forgotten
//! ```
//!
//! What XMPP shows is kept in memory only: a new link probes for it.

use std::collections::BTreeMap;

use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::records::{Pair, WatchXmppRecord};
use super::{Gateway, Timer, link_name};
use crate::sap::{Act, Time};
use crate::ssp::common::{AttributeList, MetaInfo, PresenceValue, User};
use crate::ssp::presence::{Attribute, AttributeName, PresenceSubList};
use crate::ssp::primitive::presence::{PresenceNotification, SubscribeRequest, UnsubscribeRequest};
use crate::ssp::{Address, Code, Status};
use crate::store::Write;
use crate::translate::Context;
use crate::translate::presence::Seen;
use crate::translate::stanza::{ns, payload, text_element};

/// Changes within this are told together, milliseconds (presence-attributes, 5).
const MERGE_MILLIS: u64 = 2_000;
/// How long an approved watcher waits for presence before it is asked for, and
/// then for the answer, milliseconds.
const PROBE_MILLIS: (u64, u64) = (2_000, 5_000);
/// How long it is remembered that a JID is nobody's, seconds.
const NOBODY_SECONDS: u64 = 3_600;
/// At most so many of them.
pub(super) const MAX_NOBODY: usize = 10_000;

#[derive(Debug)]
pub(super) struct WatchXmpp {
    record: WatchXmppRecord,
    pub(super) seen: Seen,
    /// What was told last.
    told: Option<PresenceSubList>,
    told_at: Option<Time>,
    changed: bool,
    /// When to ask for presence.
    probe: Option<Time>,
    /// When to take silence for absence.
    silence: Option<Time>,
}

impl WatchXmpp {
    pub(super) fn restored(record: WatchXmppRecord) -> Self {
        Self {
            record,
            seen: Seen::default(),
            told: None,
            told_at: None,
            changed: false,
            probe: None,
            silence: None,
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.record.active
    }

    fn requested(&self) -> Vec<AttributeName> {
        let names = self.record.requested.iter();
        names.map(|name| AttributeName::from_name(name)).collect()
    }
}

/// What is told, and to whom.
type News = (PresenceSubList, Vec<Address>);

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

impl Gateway {
    pub(super) fn subscribe_xmpp(
        &mut self,
        request: &SubscribeRequest,
        watcher: &Address,
        now: Time,
        out: &mut Vec<Act>,
    ) -> Status {
        let Some(component) = self.translator.component_of(watcher).map(str::to_owned) else {
            return Status::new(Code::DOMAIN_NOT_SUPPORTED);
        };
        let names = names_of(request.attributes.as_ref());
        let requested: Vec<String> = names.iter().map(|n| n.as_str().to_owned()).collect();
        let nick = request.meta.as_ref().and_then(MetaInfo::user);
        let nick = nick.and_then(|user| user.friendly_name.clone());
        let mut failures = Vec::new();
        for user in &request.users {
            let publisher = &user.user;
            let pair = match self.watchable(publisher, watcher) {
                Ok(pair) => pair,
                Err(code) => {
                    failures.push((code, publisher.clone()));
                    continue;
                }
            };
            let is_known = self.watch_xmpp.contains_key(&pair);
            let full = !is_known && self.watch_xmpp.len() >= self.settings.max_watches;
            if full || self.outbox.len() >= self.settings.max_queue {
                failures.push((Code::UNAVAILABLE, publisher.clone()));
                continue;
            }
            let active = self.watch_xmpp.get(&pair).is_some_and(|w| w.record.active);
            let mut watch = WatchXmpp::restored(WatchXmppRecord {
                active,
                requested: requested.clone(),
            });
            if let Some(old) = self.watch_xmpp.remove(&pair) {
                watch.seen = old.seen;
            }
            out.push(Act::Write(Write::put_json(pair.xmpp_key(), &watch.record)));
            self.watch_xmpp.insert(pair.clone(), watch);
            self.send_subscribe(&component, &pair, nick.as_deref(), now, out);
            if active {
                self.notify_or_probe(&pair, now, out);
            }
        }
        if request.users.is_empty() {
            return Status::new(Code::BAD_REQUEST);
        }
        Status::of_users(request.users.len(), failures)
    }

    /// The pair of a watcher and a publisher who may exist.
    fn watchable(&self, publisher: &Address, watcher: &Address) -> Result<Pair, Code> {
        if !self.translator.is_xmpp(publisher) {
            return Err(Code::DOMAIN_NOT_SUPPORTED);
        }
        let jid = self
            .translator
            .jid(publisher)
            .map_err(|error| error.code())?;
        if jid.node().is_none() {
            return Err(Code::UNKNOWN_USER);
        }
        let xmpp = jid.to_string();
        if self.nobody.contains_key(&xmpp) {
            return Err(Code::UNKNOWN_USER);
        }
        Ok(Pair {
            xmpp,
            wv: watcher.clone(),
        })
    }

    fn send_subscribe(
        &mut self,
        component: &str,
        pair: &Pair,
        nick: Option<&str>,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        if let (Ok(from), Ok(to)) = (self.translator.jid(&pair.wv), Jid::new(&pair.xmpp)) {
            let mut presence = Presence::subscribe().with_from(Jid::from(from)).with_to(to);
            let nick = nick.filter(|nick| !nick.trim().is_empty());
            presence
                .payloads
                .extend(nick.map(|nick| text_element("nick", ns::NICK, nick.trim())));
            self.send(component, presence, now, out);
        }
    }

    pub(super) fn unsubscribe_xmpp(
        &mut self,
        request: &UnsubscribeRequest,
        watcher: &Address,
        now: Time,
        out: &mut Vec<Act>,
    ) -> Status {
        if self.translator.component_of(watcher).is_none() {
            return Status::new(Code::DOMAIN_NOT_SUPPORTED);
        }
        let mut failures = Vec::new();
        for user in &request.users {
            let publisher = &user.user;
            match self.watchable(publisher, watcher) {
                Ok(pair) => {
                    self.send_presence(Type::Unsubscribe, &pair, now, out);
                    self.forget_xmpp(&pair, out);
                }
                Err(code) => failures.push((code, publisher.clone())),
            }
        }
        Status::of_users(request.users.len(), failures)
    }

    fn forget_xmpp(&mut self, pair: &Pair, out: &mut Vec<Act>) {
        if let Some(watch) = self.watch_xmpp.remove(pair) {
            self.seen_bytes = self.seen_bytes.saturating_sub(watch.seen.bytes());
            out.push(Act::Write(Write::delete(pair.xmpp_key())));
        }
    }

    /// Presence of an XMPP user that is no question: availability, approval,
    /// denial, error.
    pub(super) fn presence_of_xmpp(
        &mut self,
        pair: &Pair,
        presence: &Presence,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(watch) = self.watch_xmpp.get_mut(pair) else {
            return;
        };
        match presence.type_ {
            Type::Subscribed => {
                if !watch.record.active {
                    watch.record.active = true;
                    let record = watch.record.clone();
                    out.push(Act::Write(Write::put_json(pair.xmpp_key(), &record)));
                }
                if watch.seen.known {
                    self.notify_later(pair, now, out);
                } else {
                    // Their server sends presence by itself, as a rule.
                    let at = now.plus_millis(PROBE_MILLIS.0);
                    watch.probe = Some(at);
                    self.timers.by(at, Timer::WatchXmpp(pair.clone()));
                }
            }
            Type::Unsubscribed => self.denied(pair, now, out),
            Type::Error => {
                let error = payload(&presence.payloads, "error", ns::DEFAULT_NS);
                let table = &self.translator.mappings.status;
                let code = error.map_or(Code::INTERNAL, |e| table.code(e, Context::Presence));
                if code == Code::UNKNOWN_USER {
                    self.remember_nobody(&pair.xmpp, now);
                    self.denied(pair, now, out);
                } else if watch.record.active {
                    self.seen_bytes = self.seen_bytes.saturating_sub(watch.seen.bytes());
                    watch.seen = Seen::default();
                    self.notify_later(pair, now, out);
                }
                self.answer_queries(pair, now, out);
            }
            _ => {
                let before = watch.seen.bytes();
                if watch.seen.presence(presence, now.0) {
                    watch.probe = None;
                    watch.silence = None;
                    self.seen_changed(pair, before, now);
                    self.notify_later(pair, now, out);
                    self.answer_queries(pair, now, out);
                }
            }
        }
    }

    /// A PEP event of an XMPP user.
    pub(super) fn event_of_xmpp(
        &mut self,
        pair: &Pair,
        message: &Message,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(watch) = self.watch_xmpp.get_mut(pair) else {
            return;
        };
        let before = watch.seen.bytes();
        if watch.seen.event(message) {
            self.seen_changed(pair, before, now);
            self.notify_later(pair, now, out);
        }
    }

    /// Accounts for what is seen of a user, and forgets their texts if all together
    /// are too many.
    fn seen_changed(&mut self, pair: &Pair, before: usize, now: Time) {
        let Some(watch) = self.watch_xmpp.get_mut(pair) else {
            return;
        };
        let others = self.seen_bytes.saturating_sub(before);
        if others + watch.seen.bytes() > self.settings.max_seen_bytes {
            watch.seen.forget_texts();
            if let Some(more) = self.seldom.may("seen", now.0) {
                tracing::warn!(
                    more,
                    "texts of presence are left out: too many are kept already"
                );
            }
        }
        self.seen_bytes = others + watch.seen.bytes();
    }

    fn remember_nobody(&mut self, jid: &str, now: Time) {
        if self.nobody.len() < MAX_NOBODY {
            let until = now.plus_seconds(NOBODY_SECONDS);
            self.nobody.insert(jid.to_owned(), until);
            self.timers.by(until, Timer::Forget);
        }
    }

    /// The watcher learns that they see nothing (any more).
    fn denied(&mut self, pair: &Pair, now: Time, out: &mut Vec<Act>) {
        if let Some(watch) = self.watch_xmpp.get(pair) {
            let list = self.translator.presence_withdrawn(&watch.requested());
            self.notify(&pair.xmpp, list, vec![pair.wv.clone()], now, out);
            self.forget_xmpp(pair, out);
            self.answer_queries(pair, now, out);
        }
    }

    fn notify_or_probe(&mut self, pair: &Pair, now: Time, out: &mut Vec<Act>) {
        if self
            .watch_xmpp
            .get(pair)
            .is_some_and(|watch| watch.seen.known)
        {
            self.check_xmpp(std::slice::from_ref(pair), now, out);
        } else {
            self.probe_xmpp(pair, now);
        }
    }

    /// Tells the watcher now, or together with what follows soon.
    fn notify_later(&mut self, pair: &Pair, now: Time, out: &mut Vec<Act>) {
        let Some(watch) = self.watch_xmpp.get_mut(pair) else {
            return;
        };
        watch.changed = true;
        match watch.told_at.map(|at| at.plus_millis(MERGE_MILLIS)) {
            Some(at) if at > now => self.timers.by(at, Timer::WatchXmpp(pair.clone())),
            _ => self.check_xmpp(std::slice::from_ref(pair), now, out),
        }
    }

    /// Probes for presence; its answer comes as presence.
    pub(super) fn probe_xmpp(&mut self, pair: &Pair, now: Time) {
        let component = self.translator.component_of(&pair.wv).map(str::to_owned);
        let (Some(component), Some(watch)) = (component, self.watch_xmpp.get_mut(pair)) else {
            return;
        };
        watch.probe = None;
        if !self.outbox.is_up(&component) {
            return;
        }
        let at = now.plus_millis(PROBE_MILLIS.1);
        watch.silence = Some(at);
        self.timers.by(at, Timer::WatchXmpp(pair.clone()));
        if let (Ok(from), Ok(to)) = (self.translator.jid(&pair.wv), Jid::new(&pair.xmpp)) {
            let probe = Presence::probe().with_from(Jid::from(from)).with_to(to);
            self.outbox.volatile(&component, probe);
        }
    }

    /// Tells watchers what has changed; those of one publisher and domain who see
    /// the same are told together.
    pub(super) fn check_xmpp(&mut self, pairs: &[Pair], now: Time, out: &mut Vec<Act>) {
        let mut groups: BTreeMap<(String, String), Vec<News>> = BTreeMap::new();
        for pair in pairs {
            let Some(watch) = self.watch_xmpp.get_mut(pair) else {
                continue;
            };
            if watch.probe.is_some_and(|at| at <= now) && !watch.seen.known {
                self.probe_xmpp(pair, now);
                continue;
            }
            if watch.silence.is_some_and(|at| at <= now) {
                // A server with nobody online need not answer.
                watch.silence = None;
                watch.seen.known = true;
            }
            watch.changed = false;
            let Some(list) = self.news_for(pair) else {
                continue;
            };
            if let Some(watch) = self.watch_xmpp.get_mut(pair) {
                watch.told = Some(list.clone());
                watch.told_at = Some(now);
            }
            let key = (pair.xmpp.clone(), pair.wv.domain().to_owned());
            let groups = groups.entry(key).or_default();
            match groups.iter_mut().find(|(known, _)| *known == list) {
                Some((_, watchers)) => watchers.push(pair.wv.clone()),
                None => groups.push((list, vec![pair.wv.clone()])),
            }
        }
        for ((publisher, _), groups) in groups {
            for (list, watchers) in groups {
                self.notify(&publisher, list, watchers, now, out);
            }
        }
    }

    /// What the watcher sees, unless they were told just that.
    fn news_for(&self, pair: &Pair) -> Option<PresenceSubList> {
        let watch = self.watch_xmpp.get(pair)?;
        if !watch.record.active || !watch.seen.known && watch.told.is_none() {
            return None;
        }
        let publisher = self.publisher(&pair.xmpp)?;
        let requested = watch.requested();
        let list = if watch.seen.known {
            self.translator
                .presence_to_ssp(&publisher, &watch.seen, &requested, None)
        } else {
            self.translator.presence_withdrawn(&requested)
        };
        (watch.told.as_ref() != Some(&list)).then_some(list)
    }

    pub(super) fn publisher(&self, jid: &str) -> Option<Address> {
        self.translator.address(&Jid::new(jid).ok()?).ok()
    }

    fn notify(
        &mut self,
        publisher: &str,
        list: PresenceSubList,
        watchers: Vec<Address>,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(publisher) = self.publisher(publisher) else {
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
        self.tell(notice.into(), now, out);
    }

    /// A new link: what was seen before may be wrong.
    pub(super) fn probe_all_xmpp(&mut self, component: &str, now: Time) {
        let of = |pair: &&Pair| self.translator.component_of(&pair.wv) == Some(component);
        let pairs: Vec<Pair> = self.watch_xmpp.keys().filter(of).cloned().collect();
        for pair in pairs {
            if let Some(watch) = self.watch_xmpp.get_mut(&pair)
                && watch.record.active
            {
                self.seen_bytes = self.seen_bytes.saturating_sub(watch.seen.bytes());
                watch.seen.resources.clear();
                self.seen_bytes += watch.seen.bytes();
                self.probe_xmpp(&pair, now);
            }
        }
    }

    /// A new session: its watchers are told everything again.
    pub(super) fn notify_all_xmpp(&mut self, domain: &str, now: Time, out: &mut Vec<Act>) {
        let pairs: Vec<Pair> = self
            .watch_xmpp
            .iter()
            .filter(|(pair, watch)| pair.wv.domain() == domain && watch.record.active)
            .map(|(pair, _)| pair.clone())
            .collect();
        for pair in &pairs {
            if let Some(watch) = self.watch_xmpp.get_mut(pair) {
                watch.told = None;
            }
        }
        self.check_xmpp(&pairs, now, out);
        for pair in &pairs {
            self.notify_or_probe(pair, now, out);
        }
    }

    /// No link came back in time: nothing is known of XMPP users.
    pub(super) fn link_lost(&mut self, component: &str, now: Time, out: &mut Vec<Act>) {
        let grace = self.settings.link_grace_millis;
        let down = self.lost_links.get(component).copied();
        if down.is_none_or(|since| now < since.plus_millis(grace)) {
            return;
        }
        self.told.insert(link_name(component));
        let of = |pair: &&Pair| self.translator.component_of(&pair.wv) == Some(component);
        let pairs: Vec<Pair> = self.watch_xmpp.keys().filter(of).cloned().collect();
        for pair in pairs {
            let Some(watch) = self.watch_xmpp.get_mut(&pair) else {
                continue;
            };
            if !watch.record.active || !watch.seen.known {
                continue;
            }
            self.seen_bytes = self.seen_bytes.saturating_sub(watch.seen.bytes());
            watch.seen = Seen::default();
            let list = PresenceSubList {
                attributes: vec![Attribute::unknown(AttributeName::OnlineStatus)],
            };
            watch.told = Some(list.clone());
            watch.told_at = Some(now);
            self.notify(&pair.xmpp, list, vec![pair.wv.clone()], now, out);
        }
    }
}
