//! Takes a peer's message: whose is it, and what is the HTTP answer (wire
//! profile, 2.2 and 7.1)?

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::sap::association::logout::AWAY;
use crate::sap::association::rate_limit::LATER;
use crate::sap::element::Time;
use crate::sap::verdict::{Facts, Verdict};
use crate::sap::{Count, Direction, Effect, Peer, Sap, Trace};
use crate::ssp::envelope::{Session, Transaction};
use crate::ssp::{Code, Message, Mode};
use crate::text::IdShown;

/// Recipients told in a trace, at most.
const TRACED: usize = 8;

/// Milliseconds after which a peer may come again when there is no room for its requests.
const CROWDED: u64 = 1_000;

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
                let peer = about.find_map(|from| self.settings.peer_of(from.domain()));
                let peer = peer.map(|peer| peer.domain.clone());
                // What strangers send does not displace what peers sent.
                if peer.is_some() {
                    let what = "received in setup";
                    self.trace_in(peer.as_deref(), None, transaction, what, now);
                }
                self.setup(transaction, facts, now)
            }
            Message::Session(session) => self.session_message(session, facts, now),
        }
    }

    fn session_message(&mut self, message: &Session, facts: &Facts, now: Time) -> Verdict {
        let (peer, own_id) = match self.session_owner(&message.session, facts.remote, now) {
            Ok(owner) => owner,
            Err(verdict) => return verdict,
        };
        if peer
            .client_name
            .as_ref()
            .is_some_and(|name| !facts.client_names.contains(name))
        {
            if let Some(left_out) = self.due_of(&peer.domain, "certificate", now) {
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
        let renamed: Result<Vec<_>, _> = message
            .transactions
            .iter()
            .map(|transaction| transaction.renamed(&peer.dialect.accept))
            .collect();
        let renamed = match renamed {
            Ok(renamed) => renamed,
            Err(fault) => {
                tracing::warn!(ssp.peer = peer.domain, "message cannot be read: {fault}");
                self.count(Count::Unreadable);
                return Verdict::Malformed;
            }
        };
        if self.is_too_late(&message.transactions) {
            return Verdict::Busy(Some(AWAY));
        }
        if self.is_too_much(&message.transactions) {
            tracing::debug!(ssp.peer = peer.domain, "no room for the peer's requests");
            self.count_refusal(Code::UNAVAILABLE.0);
            return Verdict::Busy(Some(CROWDED));
        }
        let requests = message
            .transactions
            .iter()
            .filter(|t| t.mode == Mode::Request)
            .count();
        if self.owes_too_much(&peer.domain, requests) {
            self.count_refusal(Code::UNAVAILABLE.0);
            let state = self.peers.get_mut(&peer.domain);
            // One line each time it begins.
            if state.is_some_and(|state| !std::mem::replace(&mut state.owes, true)) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    "too many unanswered requests of the peer, or answers that it does not take"
                );
            }
            return Verdict::Busy(Some(5_000));
        }
        if self.is_too_fast(&peer, requests, now) {
            return Verdict::Busy(Some(LATER));
        }
        self.heard_from(&peer.domain, now);
        let mut moved = None;
        if let Some(state) = self.peers.get_mut(&peer.domain) {
            state.troubles.message_came(now);
            state.seen.note(facts.remote);
            state.owes &= requests == 0;
            if let Some(session) = state.session_mut(&own_id) {
                let record = &mut session.record;
                record.last_in = now;
                // Written once; where it comes from later is of use for this run only.
                let unknown = record.from.is_none();
                record.from = facts.remote.or(record.from);
                moved = (unknown && record.from.is_some()).then(|| record.put());
            }
            if state.outbox.heard(now) {
                self.to_pump.entry(peer.domain.clone()).or_insert(now);
                self.schedule_peer(&peer.domain, now);
            }
        }
        self.write(moved);
        for (transaction, renamed) in message.transactions.iter().zip(&renamed) {
            let transaction = renamed.as_ref().unwrap_or(transaction);
            self.count(Count::Received);
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
            match transaction.mode {
                Mode::Request => self.peer_request(&peer, &own_id, transaction, now),
                Mode::Response => self.peer_response(&peer, transaction, now),
            }
        }
        Verdict::Accepted
    }

    /// A setup message in the profile's names: whose it is stands inside, so the names
    /// of each peer that has its own are tried.
    pub(in crate::sap) fn setup_in_our_names<'t>(
        &self,
        transaction: &'t Transaction,
    ) -> Cow<'t, Transaction> {
        let mut others = self.settings.peers.values();
        let renamed = others.find_map(|peer| {
            let renamed = transaction.renamed(&peer.dialect.accept).ok()??;
            let service = renamed.peek.about.as_ref();
            let fits = service.is_none_or(|service| peer.is(service.domain()));
            fits.then_some(renamed)
        });
        renamed.map_or(Cow::Borrowed(transaction), Cow::Owned)
    }

    /// Which peer, and which session of ours with it. The peer's id is found byte
    /// for byte (wire profile, 5.3). From where the peer does not speak, it is nobody's.
    fn session_owner(
        &mut self,
        id: &str,
        from: Option<IpAddr>,
        now: Time,
    ) -> Result<(Arc<Peer>, String), Verdict> {
        let domain = id
            .split_once('@')
            .map_or("", |(_, domain)| domain)
            .to_ascii_lowercase();
        let by_domain = self
            .settings
            .peer_of(&domain)
            .map(|peer| peer.domain.clone());
        let known = |sap: &Self, domain: &str| {
            let state = sap.peers.get(domain)?;
            let session = state
                .sessions
                .iter()
                .find(|session| session.record.peer_id == id)?;
            Some(session.record.own_id.clone())
        };
        let found = match &by_domain {
            Some(domain) => self.settings.identities_of(domain).find_map(|peer| {
                let own = known(self, &peer.domain)?;
                Some((peer.domain.clone(), own))
            }),
            None => self
                .peers
                .keys()
                .find_map(|domain| known(self, domain).map(|own| (domain.clone(), own))),
        };
        let whose = found
            .as_ref()
            .map(|(domain, _)| domain)
            .or(by_domain.as_ref());
        if let Some(peer) = whose.and_then(|domain| self.peer_settings(domain))
            && !peer.is_from(from)
        {
            if let Some(left_out) = self.due_of(&peer.domain, "elsewhere", now) {
                tracing::warn!(
                    ssp.peer = peer.domain, ssp.session = %IdShown(id), remote = from.map(tracing::field::display), left_out,
                    "session of a peer from an address that is none of its own"
                );
            }
            return Err(Verdict::Forbidden);
        }
        if let Some((domain, own_id)) = found {
            // The peer uses the session: whatever became of our last step's
            // acknowledgement, it has our id.
            self.session_is_used(&domain, &own_id, now);
            return self
                .peer_settings(&domain)
                .map(|peer| (peer, own_id))
                .ok_or(Verdict::Forbidden);
        }
        let Some(peer) = by_domain.and_then(|domain| self.peer_settings(&domain)) else {
            if let Some(left_out) = self.quiet.due("unknown session", now) {
                tracing::warn!(ssp.session = %IdShown(id), left_out, "unknown session");
            }
            return Err(Verdict::Forbidden);
        };
        let awaits = |peer: &Arc<Peer>| self.awaits_last_step(&peer.domain, now);
        if self.settings.identities_of(&peer.domain).any(awaits) {
            // Step 6 may have been overtaken (6.6, I3).
            return Err(Verdict::Busy(Some(1_000)));
        }
        let state = self.peers.get(&peer.domain);
        let known = state.is_some_and(|state| state.is_known_from(&peer, from));
        let lost = state.is_some_and(|state| state.may_have_lost(&peer, from));
        if peer.adopt_unknown_session && known {
            let session = state.and_then(|state| state.ready_session());
            if let Some(own_id) = session.map(|session| session.record.own_id.clone()) {
                tracing::info!(
                    ssp.peer = peer.domain,
                    ssp.session = %IdShown(id),
                    "unknown session taken as the peer's"
                );
                return Ok((peer, own_id));
            }
        }
        if let Some(left_out) = self.due_of(&peer.domain, "unknown session", now) {
            tracing::warn!(
                ssp.peer = peer.domain,
                ssp.session = %IdShown(id),
                left_out,
                "unknown session of the peer"
            );
        }
        if peer.dialect.reset_lost_session && lost {
            self.reset_lost_session(&peer.domain, id, now);
        }
        Err(Verdict::Forbidden)
    }

    fn session_is_used(&mut self, domain: &str, own_id: &str, now: Time) {
        let Some(state) = self.peers.get_mut(domain) else {
            return;
        };
        let was_up = state.ready_session().is_some();
        let session = state.session_mut(own_id);
        if let Some(session) = session.filter(|session| !session.ready) {
            session.ready = true;
            self.session_ready(domain, was_up, now);
        }
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
        let trace = Trace {
            time: now,
            direction: Direction::In,
            peer: peer.map(str::to_owned),
            session: session.map(|id| IdShown(id).to_string()),
            transaction: Some(transaction.id.clone()),
            primitive: transaction.name.clone(),
            message: peek.message_id.clone(),
            user: peek.user.as_ref().map(ToString::to_string),
            to: to.take(TRACED).map(ToString::to_string).collect(),
            what: what.into(),
        };
        self.effect(Effect::Trace(Box::new(trace)));
    }
}
