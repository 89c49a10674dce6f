//! Takes a peer's message: whose is it, and what is the HTTP answer (wire
//! profile, 2.2 and 7.1)?

use std::borrow::Cow;
use std::time::Duration;

use crate::element::Time;
use crate::imps::{Address, Code};
use crate::sap::association::logout::AWAY;
use crate::sap::association::rate_limit::LATER;
use crate::sap::verdict::{Facts, Verdict};
use crate::sap::{About, Count, Direction, Effect, Note, Sap};
use crate::ssp::envelope::{Session, Transaction};
use crate::ssp::{Message, Mode};
use crate::text::IdShown;

/// Recipients told in a trace, at most.
const TRACED: usize = 8;

/// After that a peer may come again when there is no room for its requests.
const CROWDED: Duration = Duration::from_secs(1);
/// Bytes of one peer's unanswered requests. Our choice.
const PENDING_BYTES: usize = 64 * 1024 * 1024;

impl Sap {
    /// Takes a message. The verdict may be given only after the effects that it
    /// left have been committed.
    pub fn receive(&mut self, message: &Message, facts: &Facts, now: Time) -> Verdict {
        if self.is_for_the_real_node(message) {
            self.turned_away += 1;
            return Verdict::Busy(Some(AWAY));
        }
        match message {
            Message::Setup(transaction) => {
                let transaction = &*self.setup_in_our_names(transaction);
                let about = transaction.peek.service.iter();
                let mut about = about.chain(&transaction.peek.about);
                let peer = about.find_map(|from| self.settings().peer_of(from.domain()));
                let peer = peer.map(|peer| peer.domain.clone());
                // What strangers send does not displace what peers sent.
                if peer.is_some() {
                    let what = "received in setup";
                    self.trace_in(peer.as_deref(), None, transaction, what, now);
                }
                self.engine.associate(now, |associations| {
                    associations.setup(transaction, facts, now)
                })
            }
            Message::Session(session) => self.session_message(session, facts, now),
        }
    }

    fn session_message(&mut self, message: &Session, facts: &Facts, now: Time) -> Verdict {
        let owner = self.engine.associate(now, |associations| {
            associations.session_owner(&message.session, facts.remote, now)
        });
        let (peer, own_id) = match owner {
            Ok(owner) => owner,
            Err(verdict) => return verdict,
        };
        if peer
            .client_name
            .as_ref()
            .is_some_and(|name| !facts.client_names.contains(name))
        {
            if let Some(left_out) =
                self.engine
                    .associations
                    .due_line(&peer.domain, "certificate", now)
            {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    ssp.session = %IdShown(&message.session),
                    left_out,
                    "message without the peer's client certificate"
                );
            }
            return Verdict::Forbidden;
        }
        if let Some(repair) = facts
            .repairs
            .iter()
            .find(|repair| !peer.dialect.repairs.contains(*repair))
        {
            tracing::warn!(
                ssp.peer = peer.domain,
                repair,
                "message needs a repair that the peer's dialect does not allow"
            );
            return Verdict::Malformed;
        }
        // Nearly all peers have the names of the profile.
        let to_rename = if peer.dialect.has_own_names() {
            message.transactions.as_slice()
        } else {
            &[]
        };
        let renamed: Result<Vec<_>, _> = to_rename
            .iter()
            .map(|transaction| peer.dialect.in_our_names(transaction))
            .collect();
        let renamed = match renamed {
            Ok(renamed) => renamed,
            Err(fault) => {
                tracing::warn!(ssp.peer = peer.domain, "message cannot be read: {fault}");
                self.engine.count(Count::Unreadable);
                return Verdict::Malformed;
            }
        };
        if self.admission.is_too_late(&message.transactions) {
            return Verdict::Busy(Some(AWAY));
        }
        if self.admission.is_too_much(&message.transactions) {
            tracing::debug!(ssp.peer = peer.domain, "no room for the peer's requests");
            self.engine.count(Count::Refused(Code::UNAVAILABLE.0));
            return Verdict::Busy(Some(CROWDED));
        }
        let requests = message
            .transactions
            .iter()
            .filter(|t| t.mode == Mode::Request)
            .count();
        if self.owes_too_much(&peer.domain, requests) {
            self.engine.count(Count::Refused(Code::UNAVAILABLE.0));
            // One line each time it begins.
            if self.engine.with(&peer.domain, now, |it| it.conduct.owes()) == Some(true) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    "too many unanswered requests of the peer, or answers that it does not take"
                );
            }
            return Verdict::Busy(Some(Duration::from_secs(5)));
        }
        let too_fast = self.engine.associate(now, |associations| {
            associations.is_too_fast(&peer, requests, now)
        });
        if too_fast {
            return Verdict::Busy(Some(LATER));
        }
        self.engine.with(&peer.domain, now, |association| {
            let traffic = association.conduct.traffic_mut();
            traffic.received(message.transactions.len(), facts.bytes);
            association.message_came(&own_id, facts.remote, requests > 0, now);
        });
        for (at, transaction) in message.transactions.iter().enumerate() {
            let renamed = renamed.get(at).and_then(Option::as_ref);
            let transaction = renamed.unwrap_or(transaction);
            self.engine.count(Count::Received);
            let what = match transaction.mode {
                Mode::Request => "received as Request",
                Mode::Response => "received as Response",
            };
            self.trace_in(
                Some(peer.real()),
                Some(&message.session),
                transaction,
                what,
                now,
            );
            self.engine
                .transaction_of_peer(&peer, &own_id, transaction, now);
        }
        Verdict::Accepted
    }

    /// Bytes that wait for all peers, and how much of their bodies is in memory.
    pub fn queued_bytes(&self) -> (usize, usize) {
        let totals = self.engine.associations.totals();
        (totals.queued(), totals.held())
    }

    /// Whether a peer leaves too much unanswered, or does not take its answers.
    pub(in crate::sap) fn owes_too_much(&self, domain: &str, requests: usize) -> bool {
        let settings = self.settings();
        let pending = self.engine.transactions.table().pending(domain);
        let association = self.engine.associations.get(domain);
        let answers = association.map(|it| it.outbox().answers());
        let (answers, bytes) = answers.unwrap_or_default();
        requests > 0
            && (pending.number + requests > settings.max_pending
                || pending.bytes > PENDING_BYTES
                || answers + requests > settings.max_queue
                || bytes > settings.max_queue_bytes)
    }

    /// A setup message in the profile's names: whose it is stands inside, so the names
    /// of each peer that has its own are tried.
    pub(in crate::sap) fn setup_in_our_names<'t>(
        &self,
        transaction: &'t Transaction,
    ) -> Cow<'t, Transaction> {
        let mut others = self.settings().peers.values();
        let renamed = others.find_map(|peer| {
            let renamed = peer.dialect.in_our_names(transaction).ok()??;
            let service = renamed.peek.about.as_ref();
            let fits = service.is_none_or(|service| peer.is(service.domain()));
            fits.then_some(renamed)
        });
        renamed.map_or(Cow::Borrowed(transaction), Cow::Owned)
    }

    fn trace_in(
        &mut self,
        peer: Option<&str>,
        session: Option<&str>,
        transaction: &Transaction,
        what: &'static str,
        now: Time,
    ) {
        let peek = &transaction.peek;
        let to = peek.recipients.iter().chain(&peek.users);
        let about = About {
            peer,
            session,
            transaction: Some(&transaction.id),
            message: peek.message_id.as_deref(),
            user: peek.user.as_ref().map(Address::as_str),
        };
        let (at, to) = ((now, Direction::In), to.take(TRACED).map(Address::as_str));
        let note = Note::new(at, transaction.name.clone(), what, about, to);
        self.engine.effect(Effect::Note(note));
    }
}
