//! From the outbox to the wire: handshake steps and batches, and what becomes of
//! them.

use crate::sap::association::handshake::Role;
use crate::sap::association::handshake::Step;
use crate::sap::association::outbox::{Item, Loaded, Pace, Setback, Why};
use crate::sap::element::{Outcome, Time};
use crate::sap::presented_as::domain_of;
use crate::sap::{Count, Dialect, Direction, Effect, Post, Posted, Sap, Trace};
use crate::ssp::envelope::TRANSACTION_OVERHEAD;
use crate::ssp::xml::Writer;
use crate::ssp::{Code, Mode, Primitive};
use crate::text::{IdShown, Shown};

/// A post under way.
#[derive(Debug, Clone)]
pub(in crate::sap) enum Flight {
    /// A step of a handshake.
    Step(PendingStep),
    /// Transactions of a session.
    Batch {
        peer: String,
        /// Our id of the session used.
        session: String,
    },
    /// Our `LogoutRequest`.
    Goodbye { peer: String, session: String },
    /// A connection that was only tried, to this peer.
    Reach(String),
    /// Something whose fate is of no interest.
    Once,
}

/// A handshake step with its place in the handshake.
#[derive(Debug, Clone)]
pub(in crate::sap) struct PendingStep {
    pub(in crate::sap) peer: String,
    pub(in crate::sap) role: Role,
    pub(in crate::sap) step: Step,
    pub(in crate::sap) attempt: usize,
}

/// So long after the store could not be read it is tried again: milliseconds; our choice.
const READ_AGAIN: u64 = 1_000;
/// And the same body of all of them: others go on meanwhile.
const SAME_AGAIN: u64 = 10_000;

/// A peer that answers 403 in each new session is logged in to after so much more each time, and
/// after so much at most: milliseconds; as after failed handshakes (wire profile, 6.6).
const FORBIDDEN_STEP: u64 = 10_000;
const LONGEST_FORBIDDEN: u64 = 600_000;

impl Sap {
    /// Posts one transaction in exactly this session, past the outbox; never repeated.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are what a post consists of"
    )]
    pub(in crate::sap) fn post_in_session(
        &mut self,
        peer: &crate::sap::Peer,
        session: &str,
        mode: Mode,
        id: &str,
        primitive: &Primitive,
        flight: Flight,
        now: Time,
    ) {
        let item = Item {
            mode,
            id: id.to_owned(),
            name: primitive.name().to_owned(),
            raw: primitive.to_xml(Some(peer.dialect.style())),
            conversation: None,
            expires: now,
            message: None,
            via: None,
        };
        let body = print_batch(&peer.dialect, session, &[&item]);
        let state = self.peers.get_mut(&peer.domain);
        let known = state.and_then(|state| state.session_mut(session));
        let url = known.and_then(|known| known.record.address(now).map(str::to_owned));
        let number = self.numbers.next();
        self.flights.insert(number, flight);
        let trace = sent(&peer.domain, session, &item, now);
        self.effect(Effect::Trace(Box::new(trace)));
        self.effect(Effect::Post(Post {
            peer: peer.real().to_owned(),
            number,
            body: body.into(),
            session: Some(session.to_owned()),
            transaction: (mode == Mode::Request).then(|| id.to_owned()),
            url,
            transactions: 1,
        }));
    }

    /// As [`Sap::enqueue`], to be posted not before `at`.
    pub(in crate::sap) fn enqueue_later(&mut self, domain: &str, item: Item, at: Time, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let expires = item.expires;
        let (number, write) = state.outbox.push(item);
        state.outbox.delay(number, at);
        state.next_expiry = Some(state.next_expiry.map_or(expires, |next| next.min(expires)));
        self.effect(Effect::Write(write));
        self.schedule_peer(domain, now);
    }

    /// Adds a transaction to a peer's outbox and starts what can start.
    pub(in crate::sap) fn enqueue(&mut self, domain: &str, item: Item, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let expires = item.expires;
        let (_, write) = state.outbox.push(item);
        state.next_expiry = Some(state.next_expiry.map_or(expires, |next| next.min(expires)));
        let first = state.outbox.len() == 1;
        self.effect(Effect::Write(write));
        if !self.to_pump.contains_key(domain) {
            self.to_pump.insert(domain.to_owned(), now);
        }
        if first {
            self.schedule_peer(domain, now);
        }
    }

    /// Posts what may be posted; logs in if there is no session.
    pub(in crate::sap) fn pump(&mut self, domain: &str, now: Time) {
        if self.held {
            self.to_pump.insert(domain.to_owned(), now);
            return;
        }
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        // What has expired is not posted.
        self.expire_queue(domain, now);
        let leaving = self.peers.get_mut(domain).and_then(|p| p.leaving.as_mut());
        let flushed = leaving.map(|leaving| std::mem::replace(&mut leaving.flushed, true));
        if flushed != Some(true) {
            self.post_batches(&peer, domain, now);
        }
        if flushed.is_some() {
            self.say_goodbye(domain, now);
        }
    }

    fn post_batches(&mut self, peer: &crate::sap::Peer, domain: &str, now: Time) {
        loop {
            let Some(state) = self.peers.get_mut(domain) else {
                return;
            };
            if state.outbox.is_empty() {
                if state.wanted {
                    self.connect(domain, now);
                }
                return;
            }
            let session = state.ready_session().map(|session| {
                let url = session.record.address(now).map(str::to_owned);
                (session.record.own_id.clone(), url)
            });
            let Some((session, url)) = session else {
                return self.connect(domain, now);
            };
            let (count, bytes) = (self.settings.batch_count, self.settings.batch_bytes);
            let mut numbers = state.outbox.next_post(&peer.dialect, count, bytes, now);
            if numbers.is_empty() {
                return;
            }
            let number = self.numbers.next();
            // What follows is read while this is under way.
            let load = state.outbox.load(&numbers, number);
            state.outbox.keep_readable(&mut numbers);
            if numbers.is_empty() {
                return self.effects.extend(load.map(Effect::Load));
            }
            let items = state.outbox.get(&numbers);
            let body = print_batch(&peer.dialect, &session, &items);
            let (transactions, first) = (
                items.len(),
                items.first().map(|item| (item.mode, item.id.clone())),
            );
            let traces: Vec<Trace> = items
                .iter()
                .map(|item| sent(domain, &session, item, now))
                .collect();
            state.outbox.fly(number, numbers, now);
            if let Some(session) = state.session_mut(&session) {
                session.record.last_out = now;
            }
            let transaction = first
                .filter(|(mode, _)| *mode == Mode::Request)
                .map(|(_, id)| id);
            self.flights.insert(
                number,
                Flight::Batch {
                    peer: domain.to_owned(),
                    session: session.clone(),
                },
            );
            self.effects.extend(load.map(Effect::Load));
            for trace in traces {
                self.effect(Effect::Trace(Box::new(trace)));
            }
            self.effect(Effect::Post(Post {
                peer: peer.real().to_owned(),
                number,
                body: body.into(),
                session: Some(session),
                transaction,
                url,
                transactions,
            }));
        }
    }

    /// The fate of a post.
    pub fn posted(&mut self, number: u64, outcome: &Posted, now: Time) {
        match self.flights.remove(&number) {
            Some(Flight::Step(pending)) => self.step_posted(pending, outcome, now),
            Some(Flight::Batch { peer, session }) => {
                match outcome {
                    Posted::Failed(why) => self.not_reached(&peer, why, now),
                    Posted::Closed | Posted::TimedOut => {}
                    Posted::Acknowledged | Posted::Refused { .. } => self.heard_from(&peer, now),
                }
                self.batch_posted(&peer, &session, number, outcome, now);
                // What came back may have expired meanwhile.
                if let Some(state) = self.peers.get_mut(&peer) {
                    state.next_expiry = state.outbox.next_expiry();
                }
                self.pump(&peer, now);
                self.schedule_peer(&peer, now);
            }
            Some(Flight::Goodbye { peer, session }) => {
                let taken = *outcome == Posted::Acknowledged;
                self.goodbye_posted(&peer, &session, taken, now);
            }
            Some(Flight::Reach(peer)) => self.reach_tried(&peer, outcome, now),
            Some(Flight::Once) | None => {}
        }
    }

    fn batch_posted(
        &mut self,
        domain: &str,
        session: &str,
        number: u64,
        outcome: &Posted,
        now: Time,
    ) {
        let peer = self.peer_settings(domain);
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let Some(peer) = peer else {
            // It was taken out of the configuration meanwhile; its queue stays.
            let writes = state.outbox.returned(number);
            return self.write(writes);
        };
        if matches!(outcome, Posted::Acknowledged | Posted::Refused { .. }) {
            state.closed = 0;
        }
        match outcome {
            Posted::Acknowledged => {
                let (items, writes) = state.outbox.acknowledged(number);
                state.last_error = None;
                state.forbidden = 0;
                self.write(writes);
                for item in items {
                    self.item_acknowledged(domain, item, now);
                }
            }
            Posted::Refused { status: 403, .. } => {
                // The peer does not know our session any more.
                let writes = state.outbox.returned(number);
                state.outbox.forgive();
                // Once may happen; a peer that knows none of the sessions it grants must not be
                // asked for ever new ones without a pause.
                if state.session_mut(session).is_some() {
                    let wait = u64::from(state.forbidden) * FORBIDDEN_STEP;
                    state.login_not_before = now.plus_millis(wait.min(LONGEST_FORBIDDEN));
                    state.forbidden = state.forbidden.saturating_add(1);
                }
                self.write(writes);
                tracing::warn!(
                    ssp.peer = domain,
                    ssp.session = %IdShown(session),
                    "the peer does not know the session; logging in anew"
                );
                self.drop_session(domain, session);
            }
            Posted::Refused {
                status: status @ (400 | 413 | 415),
                ..
            } => {
                let (items, writes) = state.outbox.refused(number);
                state.last_error = Some(format!("a message was refused with HTTP {status}"));
                self.write(writes);
                for item in items {
                    tracing::warn!(
                        ssp.peer = domain,
                        ssp.transaction = item.id,
                        ssp.primitive = item.name,
                        status,
                        "the peer refuses the message for its form"
                    );
                    self.item_lost(domain, &item, Code::BAD_REQUEST, now);
                }
            }
            Posted::Refused {
                status: 503,
                retry_after,
            } => {
                let why = Why::Busy(*retry_after);
                self.try_again(domain, number, &peer, why, "HTTP 503", now);
            }
            Posted::Refused { status, .. } => {
                let what = format!("HTTP {status}");
                self.try_again(domain, number, &peer, Why::Refused, &what, now);
            }
            Posted::Closed => {
                let what = "connection closed without an answer";
                self.try_again(domain, number, &peer, Why::Closed, what, now);
                self.perhaps_lost(&peer, session);
            }
            Posted::TimedOut => {
                self.try_again(domain, number, &peer, Why::Silent, "no answer in time", now);
            }
            Posted::Failed(what) => self.try_again(domain, number, &peer, Why::Away, what, now),
        }
    }

    /// Some servers close what comes in a session that they have forgotten.
    fn perhaps_lost(&mut self, peer: &crate::sap::Peer, session: &str) {
        let domain = &peer.domain;
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let limit = peer.dialect.closed_means_lost;
        if limit > 0 && state.closed >= limit {
            state.closed = 0;
            tracing::warn!(
                ssp.peer = domain,
                ssp.session = %IdShown(session),
                "closed without an answer again and again; logging in anew"
            );
            self.drop_session(domain, session);
        }
    }

    fn try_again(
        &mut self,
        domain: &str,
        number: u64,
        peer: &crate::sap::Peer,
        why: Why,
        what: &str,
        now: Time,
    ) {
        let pace = Pace {
            step: peer.dialect.retry_step,
            jitter: u8::try_from(self.random.below(256)).unwrap_or(0),
        };
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let (setback, writes) = state.outbox.failed(number, why, pace, now);
        let failures = state.outbox.failures();
        state.last_error = Some(what.to_owned());
        if why == Why::Closed && matches!(setback, Setback::Peer(_) | Setback::Item { .. }) {
            state.closed += 1;
        }
        self.write(writes);
        match setback {
            Setback::Peer(wait) if failures == 1 => tracing::warn!(
                ssp.peer = domain,
                wait_ms = wait,
                "post failed, trying again: {what}"
            ),
            Setback::Peer(wait) => tracing::debug!(
                ssp.peer = domain,
                wait_ms = wait,
                "post failed again: {what}"
            ),
            Setback::Known => {}
            Setback::Item { id, wait } => tracing::debug!(
                ssp.peer = domain,
                ssp.transaction = %Shown(&id),
                wait_ms = wait,
                "failed again while others pass, waits alone: {what}"
            ),
            Setback::Ended(item) => {
                tracing::warn!(
                    ssp.peer = domain,
                    ssp.transaction = %Shown(&item.id),
                    ssp.primitive = item.name,
                    message = %Shown(item.message.as_deref().unwrap_or_default()),
                    "refused again and again while others pass, given up: {what}"
                );
                return self.item_lost(domain, &item, Code::INTERNAL, now);
            }
        }
        self.count(Count::Retried);
    }

    /// Bodies came from the store. What can't be read any more has ended; the others go on.
    pub fn loaded(&mut self, loaded: Loaded, now: Time) {
        let domain = loaded.peer.clone();
        let Some(state) = self.peers.get_mut(&domain) else {
            return;
        };
        let Some(filled) = state.outbox.loaded(loaded) else {
            return;
        };
        if let Some((number, why)) = &filled.later {
            if let Some(left_out) = state.quiet.due("unread", now) {
                tracing::warn!(
                    ssp.peer = domain,
                    left_out,
                    "what waits cannot be read now: {why}"
                );
            }
            state.outbox.delay(*number, now.plus_millis(SAME_AGAIN));
            if !filled.any {
                state.outbox.pause(now.plus_millis(READ_AGAIN));
            }
        }
        self.write(filled.writes);
        for (item, why) in filled.damaged {
            tracing::error!(
                ssp.peer = domain,
                ssp.transaction = %Shown(&item.id),
                ssp.primitive = item.name,
                message = %Shown(item.message.as_deref().unwrap_or_default()),
                "what waited for the peer is damaged in the store, given up: {why}"
            );
            self.item_lost(&domain, &item, Code::INTERNAL, now);
        }
        self.pump(&domain, now);
        self.schedule_peer(&domain, now);
    }

    /// The peer has taken an item over.
    fn item_acknowledged(&mut self, domain: &str, item: Item, now: Time) {
        self.count(Count::Sent);
        if item.name == "SendMessageRequest" {
            self.count(Count::Ended(Outcome::Relayed));
        }
        if item.mode == Mode::Request {
            self.request_acknowledged(domain, &item.id, now);
        }
        self.keep_until_answered(domain, item);
    }

    /// An item will never reach the peer.
    pub(in crate::sap) fn item_lost(&mut self, domain: &str, item: &Item, code: Code, now: Time) {
        if item.name == "SendMessageRequest" {
            let outcome = if code == Code::EXPIRED {
                Outcome::Expired
            } else {
                Outcome::Refused(code.0)
            };
            self.count(Count::Ended(outcome));
        }
        // What waited behind it may go.
        self.to_pump.entry(domain.to_owned()).or_insert(now);
        if item.mode == Mode::Request {
            self.request_failed(domain, &item.id, code, now);
        }
    }
}

/// Prints a batch; as `print_session`, with the trace of hops.
fn print_batch(dialect: &Dialect, session: &str, items: &[&Item]) -> String {
    let mut writer = Writer::styled_document(dialect.style());
    let sizes = items
        .iter()
        .map(|item| item.raw.len() + TRANSACTION_OVERHEAD);
    writer.reserve(sizes.sum());
    writer.element("WV-SSP-Message", |out| {
        out.attribute("WV-SSP-Message", "xmlns", &dialect.namespace);
        out.element("Session", |out| {
            out.attribute("Session", "sessionID", session);
            for item in items {
                out.element("Transaction", |out| {
                    out.attribute("Transaction", "mode", item.mode.as_str());
                    out.attribute("Transaction", "transactionID", &item.id);
                    if let Some(via) = &item.via {
                        out.attribute("Transaction", "via", via);
                    }
                    out.raw(&item.raw);
                });
            }
        });
    });
    writer.finish()
}

fn sent(domain: &str, session: &str, item: &Item, now: Time) -> Trace {
    let parties = item.conversation.as_deref();
    let parties = parties.and_then(|parties| parties.split_once(' '));
    Trace {
        time: now,
        direction: Direction::Out,
        peer: Some(domain_of(domain).to_owned()),
        session: Some(IdShown(session).to_string()),
        transaction: Some(item.id.clone()),
        primitive: item.name.clone().into(),
        message: item.message.clone(),
        user: parties.map(|(from, _)| from.to_owned()),
        to: parties.map(|(_, to)| to.to_owned()).into_iter().collect(),
        what: match item.mode {
            Mode::Request => "posted as Request",
            Mode::Response => "posted as Response",
        }
        .into(),
    }
}
