//! XMPP users who watch WV users (xmpp-mapping, 3.1).
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

use std::collections::BTreeMap;

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Type};

use super::records::{Pair, WatchWvRecord};
use super::shares::{Most, domain_of};
use super::{Asked, Gateway, Timer, verdict};
use crate::sap::{Act, Time};
use crate::ssp::Code;
use crate::ssp::common::{AttributeList, MetaInfo, PresenceValue, UserId, VerUserId};
use crate::ssp::presence::{Attribute, AttributeName, Item, PresenceSubList};
use crate::ssp::primitive::Primitive;
use crate::ssp::primitive::presence::{
    GetPresenceRequest, PresenceNotification, SubscribeRequest, UnsubscribeRequest,
};
use crate::store::Write;
use crate::text::cut;
use crate::translate::Context;

/// What is known is asked for again when it is older, milliseconds.
const FRESH_MILLIS: u64 = 300_000;
/// First and longest pause before a subscription is tried again, milliseconds.
const RETRY_MILLIS: (u64, u64) = (30_000, 600_000);
/// A subscription that cannot be placed is given up after this, milliseconds.
const GIVE_UP_MILLIS: u64 = 3_600_000;
/// Clients of one user that are shown at the same time.
pub(super) const MAX_SHOWN: usize = 16;
/// Bytes of one value of a presence attribute; one with parts has four times that.
pub(super) const MAX_VALUE: usize = 2048;
/// Values of one presence attribute.
const MAX_VALUES: usize = 32;

#[derive(Debug)]
pub(super) struct WatchWv {
    pub(super) record: WatchWvRecord,
    /// All that is known of the publisher.
    pub(super) values: PresenceSubList,
    /// Bytes of it; what is shown of it takes as much again.
    bytes: usize,
    pub(super) known_at: Option<Time>,
    /// When to try again, and how often it was tried.
    pub(super) retry: Option<Time>,
    pub(super) tries: u32,
    pub(super) shown_at: Option<Time>,
    pub(super) changed: bool,
    /// The presence last sent, by sender's full JID.
    pub(super) shown: BTreeMap<String, Presence>,
    /// The PEP events last sent, by node.
    pub(super) events: BTreeMap<String, Message>,
}

impl WatchWv {
    fn new(now: Time) -> Self {
        Self::restored(WatchWvRecord {
            active: false,
            told: false,
            since: now,
        })
    }

    pub(super) fn restored(record: WatchWvRecord) -> Self {
        Self {
            record,
            values: PresenceSubList::default(),
            bytes: 0,
            known_at: None,
            retry: None,
            tries: 0,
            shown_at: None,
            changed: false,
            shown: BTreeMap::new(),
            events: BTreeMap::new(),
        }
    }

    pub(super) fn since(&self) -> Time {
        self.record.since
    }

    /// The watcher is to be shown everything again.
    pub(super) fn forget_shown(&mut self) {
        self.shown.clear();
        self.events.clear();
    }

    /// Takes over the attributes of a notification; what it does not mention stays.
    fn merge(&mut self, list: &PresenceSubList) {
        let names = || list.attributes.iter().map(|a| (&a.name, a.client()));
        self.values.attributes.retain(|old| {
            !names().any(|(name, client)| {
                *name == old.name
                    && (client == old.client() || old.client().is_none() || client.is_none())
            })
        });
        self.values
            .attributes
            .extend(list.attributes.iter().map(shortened));
        self.values.sort();
        self.values.attributes.truncate(18 * MAX_SHOWN);
        self.bytes = self.values.attributes.iter().map(Attribute::bytes).sum();
    }

    /// Forgets all but whether the publisher is there.
    fn forget_texts(&mut self) {
        self.values.attributes.retain(|attribute| {
            matches!(
                attribute.name,
                AttributeName::OnlineStatus | AttributeName::UserAvailability
            ) && attribute.bytes() <= MAX_VALUE
        });
        self.values.attributes.truncate(2 * MAX_SHOWN);
        self.bytes = self.values.attributes.iter().map(Attribute::bytes).sum();
    }
}

/// The attribute with its long texts cut, and without its long parts.
fn shortened(attribute: &Attribute) -> Attribute {
    let fields = attribute.fields.iter().take(MAX_VALUES);
    let fields = fields.filter_map(|item| {
        if item.children.is_empty() && item.attributes.is_empty() {
            return Some(Item::text(&item.name, cut(&item.text, MAX_VALUE)));
        }
        (item.bytes() <= 4 * MAX_VALUE).then(|| item.clone())
    });
    Attribute {
        name: attribute.name.clone(),
        qualifier: attribute.qualifier,
        fields: fields.collect(),
    }
}

impl Gateway {
    pub(super) fn subscribe_wv(
        &mut self,
        component: &str,
        pair: &Pair,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        if !self.watch_wv.contains_key(pair) {
            let domain = domain_of(&pair.xmpp);
            let most = Most {
                items: self.settings.max_watches,
                bytes: self.settings.max_watch_bytes,
            };
            if !self.watch_wv_shares.have_room(domain, pair.bytes(), most) {
                let refused = self.presence_of_wv(pair, Type::Subscribe);
                if let Some(mut stanza) = refused {
                    std::mem::swap(&mut stanza.from, &mut stanza.to);
                    self.refuse(component, Stanza::Presence(stanza), Code::UNAVAILABLE);
                }
                return;
            }
            self.keep_wv(pair.clone(), WatchWv::new(now));
            self.put_wv(pair, out);
        }
        let Some(watch) = self.watch_wv.get_mut(pair) else {
            return;
        };
        if watch.record.active {
            // They ask again: they have lost what they knew.
            watch.forget_shown();
            self.send_presence(Type::Subscribed, pair, now, out);
            self.show_wv(pair, now, out);
        }
        self.request_subscription(pair, now, out);
    }

    pub(super) fn keep_wv(&mut self, pair: Pair, watch: WatchWv) {
        self.watch_wv_shares
            .add(domain_of(&pair.xmpp), pair.bytes());
        self.watch_wv.insert(pair, watch);
    }

    /// Whether there was a subscription to forget.
    fn forget_wv(&mut self, pair: &Pair, out: &mut Vec<Act>) -> bool {
        let Some(watch) = self.watch_wv.remove(pair) else {
            return false;
        };
        self.shown_bytes = self.shown_bytes.saturating_sub(watch.bytes);
        let domain = domain_of(&pair.xmpp);
        self.watch_wv_shares.remove(domain, pair.bytes());
        out.push(Act::Write(Write::delete(pair.wv_key())));
        true
    }

    /// Places the subscription at the publisher, anew if need be: it is answered
    /// with a notification of everything.
    fn request_subscription(&mut self, pair: &Pair, now: Time, out: &mut Vec<Act>) {
        let Some(meta) = self.meta_of(pair) else {
            return;
        };
        if let Some(watch) = self.watch_wv.get_mut(pair) {
            watch.retry = None;
        }
        let attributes = self.translator.mappings.presence.subscribed();
        let request = SubscribeRequest {
            meta: Some(meta),
            users: vec![UserId {
                user: pair.wv.clone(),
            }],
            attributes: Some(AttributeList {
                presence: Some(attributes),
            }),
        };
        self.ask(Asked::Subscribe(pair.clone()), request.into(), now, out);
    }

    fn meta_of(&self, pair: &Pair) -> Option<MetaInfo> {
        let watcher = self.translator.address(&Jid::new(&pair.xmpp).ok()?).ok()?;
        Some(MetaInfo::of_user(watcher.domain(), watcher.clone()))
    }

    pub(super) fn subscribed_wv(
        &mut self,
        pair: &Pair,
        answer: &Primitive,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let Some(watch) = self.watch_wv.get_mut(pair) else {
            return;
        };
        let code = verdict(answer);
        if code.is_success() {
            watch.tries = 0;
            if self.settings.auto_subscribed && !watch.record.told {
                watch.record.told = true;
                self.put_wv(pair, out);
                self.send_presence(Type::Subscribed, pair, now, out);
            }
            return;
        }
        let may_pass = code.is_transient() || matches!(code.0, 600 | 604);
        if may_pass && (watch.record.active || now.since(watch.record.since) < GIVE_UP_MILLIS) {
            self.retry_wv(pair, now);
            return;
        }
        let code = if may_pass { Code::TIMEOUT } else { code };
        self.end_wv(pair, code, now, out);
    }

    /// Places the subscription again, later each time.
    pub(super) fn retry_wv(&mut self, pair: &Pair, now: Time) {
        let Some(watch) = self.watch_wv.get_mut(pair) else {
            return;
        };
        let pause = RETRY_MILLIS.0.saturating_mul(1 << watch.tries.min(8));
        let at = now.plus_millis(pause.min(RETRY_MILLIS.1));
        watch.tries += 1;
        watch.retry = Some(at);
        self.timers.by(at, Timer::WatchWv(pair.clone()));
    }

    /// The publisher cannot be watched; the watcher is told as the code wants it.
    fn end_wv(&mut self, pair: &Pair, code: Code, now: Time, out: &mut Vec<Act>) {
        self.hide_wv(pair);
        self.forget_wv(pair, out);
        let is_denial = matches!(code.0, 403 | 532 | 534);
        let is_gone = matches!(code.0, 427 | 531 | 901);
        if !is_denial {
            // An address that is wrong names nobody.
            let code = if is_gone { Code::UNKNOWN_USER } else { code };
            let table = &self.translator.mappings.status;
            let error = table.error(code, Context::Presence, None);
            if let (Some(error), Some(mut presence)) =
                (error, self.presence_of_wv(pair, Type::Error))
                && let Some(component) = self.component_of(pair)
            {
                presence.payloads.push(error.into());
                self.send(&component, presence, now, out);
            }
        }
        if code != Code::TIMEOUT {
            self.send_presence(Type::Unsubscribed, pair, now, out);
        }
    }

    pub(super) fn unsubscribe_wv(
        &mut self,
        component: &str,
        pair: &Pair,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        if let Some(meta) = self.meta_of(pair) {
            let request = UnsubscribeRequest {
                meta: Some(meta),
                users: vec![UserId {
                    user: pair.wv.clone(),
                }],
            };
            self.ask(Asked::Nothing, request.into(), now, out);
        }
        self.send_presence(Type::Unsubscribed, pair, now, out);
        let shown = self
            .watch_wv
            .get(pair)
            .is_some_and(|watch| !watch.shown.is_empty());
        if shown {
            self.hide_wv(pair);
        } else if let Some(presence) = self.presence_of_wv(pair, Type::Unavailable) {
            self.outbox.volatile(component, presence);
        }
        self.forget_wv(pair, out);
    }

    pub(super) fn probe_wv(
        &mut self,
        component: &str,
        from: &Jid,
        pair: Pair,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        if let Some(watch) = self.watch_wv.get_mut(&pair)
            && watch.record.active
        {
            let fresh = watch
                .known_at
                .is_some_and(|at| now.since(at) < FRESH_MILLIS);
            watch.forget_shown();
            self.show_wv(&pair, now, out);
            if fresh {
                return;
            }
        }
        if self.settings.get_presence {
            self.request_presence(pair, from, now, out);
        } else if self.watch_wv.contains_key(&pair) {
            self.request_subscription(&pair, now, out);
        } else {
            // Their server believes that they are subscribed; now they are.
            self.subscribe_wv(component, &pair, now, out);
        }
    }

    fn request_presence(&mut self, pair: Pair, from: &Jid, now: Time, out: &mut Vec<Act>) {
        let Some(meta) = self.meta_of(&pair) else {
            return;
        };
        let attributes = self.translator.mappings.presence.subscribed();
        let request = GetPresenceRequest {
            meta: Some(meta),
            users: vec![VerUserId {
                user: pair.wv.clone(),
                version: None,
            }],
            attributes: Some(AttributeList {
                presence: Some(attributes),
            }),
        };
        let asked = Asked::Presence(pair, from.to_string());
        self.ask(asked, request.into(), now, out);
    }

    pub(super) fn got_presence(
        &mut self,
        pair: &Pair,
        to: &str,
        answer: &Primitive,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let code = verdict(answer);
        if !code.is_success() {
            if matches!(code.0, 427 | 531 | 901) {
                self.forget_wv(pair, out);
                self.send_presence(Type::Unsubscribed, pair, now, out);
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
        if self.watch_wv.contains_key(pair) {
            self.take_values(pair, list, now, out);
        } else if list.attributes.iter().any(Attribute::is_valid)
            && let (Ok(to), Some(component)) = (Jid::new(to), self.component_of(pair))
            && let Ok(shown) = self.translator.presence_to_xmpp(&pair.wv, list, &to)
        {
            for presence in shown.presences {
                self.outbox.volatile(&component, presence);
            }
        }
    }

    /// Presence of WV users, for XMPP users.
    pub(super) fn notified(
        &mut self,
        notice: &PresenceNotification,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        for value in &notice.values {
            for pair in self.watchers_of(notice, value) {
                if let Some(list) = &value.presence {
                    self.take_values(&pair, list, now, out);
                } else {
                    tracing::debug!("nothing is authorized");
                }
            }
        }
    }

    fn watchers_of(&self, notice: &PresenceNotification, value: &PresenceValue) -> Vec<Pair> {
        if notice.watchers.is_empty() {
            // Quirk B-6: everybody who is known to watch.
            let all = self.watch_wv.keys().filter(|pair| pair.wv == value.user);
            return all.cloned().collect();
        }
        let pairs = notice.watchers.iter().filter_map(|watcher| {
            let domain = self.translator.own_ssp_domain();
            let address = watcher.user.clone().or_domain(&domain);
            let pair = Pair {
                xmpp: self.translator.jid(&address).ok()?.to_string(),
                wv: value.user.clone(),
            };
            // Notifications that nobody asked for are dropped (E-11).
            self.watch_wv.contains_key(&pair).then_some(pair)
        });
        pairs.collect()
    }

    fn take_values(&mut self, pair: &Pair, list: &PresenceSubList, now: Time, out: &mut Vec<Act>) {
        let Some(watch) = self.watch_wv.get_mut(pair) else {
            return;
        };
        let others = self.shown_bytes.saturating_sub(watch.bytes);
        watch.merge(list);
        watch.known_at = Some(now);
        let authorized = watch.values.attributes.iter().any(Attribute::is_valid);
        if others + watch.bytes > self.settings.max_seen_bytes {
            watch.forget_texts();
            if let Some(more) = self.seldom.may("shown", now.0) {
                tracing::warn!(
                    more,
                    "texts of presence are not shown: too many are kept already"
                );
            }
        }
        self.shown_bytes = others + watch.bytes;
        match (watch.record.active, authorized) {
            (false, true) => {
                watch.record.active = true;
                let told = std::mem::replace(&mut watch.record.told, true);
                self.put_wv(pair, out);
                if !told {
                    self.send_presence(Type::Subscribed, pair, now, out);
                }
                self.show_wv(pair, now, out);
            }
            (true, true) => self.show_later(pair, now, out),
            (true, false) => {
                // It may come back: no `unsubscribed`.
                watch.record.active = false;
                self.put_wv(pair, out);
                self.hide_wv(pair);
            }
            (false, false) => {}
        }
    }

    /// Retries and merged changes that are due.
    pub(super) fn check_wv(&mut self, pair: &Pair, now: Time, out: &mut Vec<Act>) {
        let Some(watch) = self.watch_wv.get(pair) else {
            return;
        };
        if watch.retry.is_some_and(|at| at <= now) {
            self.request_subscription(pair, now, out);
        } else if watch.changed {
            self.show_wv(pair, now, out);
        } else if watch.known_at.is_none() && watch.tries == 0 && watch.retry.is_none() {
            // After a restart nothing is known.
            self.request_subscription(pair, now, out);
        }
    }

    /// A new session: subscriptions are placed anew, since changes may be lost.
    pub(super) fn subscribe_all_wv(&mut self, domain: &str, now: Time, out: &mut Vec<Act>) {
        let pairs = self.watch_wv.keys();
        let pairs: Vec<Pair> = pairs
            .filter(|pair| pair.wv.domain() == domain)
            .cloned()
            .collect();
        for pair in pairs {
            self.request_subscription(&pair, now, out);
            self.show_wv(&pair, now, out);
        }
    }

    fn put_wv(&self, pair: &Pair, out: &mut Vec<Act>) {
        if let Some(watch) = self.watch_wv.get(pair) {
            out.push(Act::Write(Write::put_json(pair.wv_key(), &watch.record)));
        }
    }

    pub(super) fn component_of(&self, pair: &Pair) -> Option<String> {
        self.translator.component_of(&pair.wv).map(str::to_owned)
    }

    /// Presence from the publisher's bare JID to the watcher.
    fn presence_of_wv(&self, pair: &Pair, kind: Type) -> Option<Presence> {
        let from = Jid::from(self.translator.jid(&pair.wv).ok()?);
        let to = Jid::new(&pair.xmpp).ok()?;
        Some(Presence::new(kind).with_from(from).with_to(to))
    }
}
