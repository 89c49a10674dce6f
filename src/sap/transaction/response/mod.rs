//! Results: back along the Transaction Table (wire profile, 7.3 to 7.5); what
//! happens without one is in [`deadlines`].

mod deadlines;

use std::sync::Arc;

use crate::sap::association::outbox::Item;
use crate::sap::dialect::outbound;
use crate::sap::element::{Element, RequestId, Time};
use crate::sap::transaction::delivery_report::is_reported_on;
use crate::sap::transaction::recipients;
use crate::sap::transaction::request::fingerprint;
use crate::sap::transaction::{Origin, Part, Place, State};
use crate::sap::{Count, Effect, Peer, Sap, timers};
use crate::ssp::envelope::{Transaction, decode_fragment};
use crate::ssp::primitive::{self, Kind};
use crate::ssp::{Address, Code, Mode, Primitive};
use crate::text::Shown;

impl Sap {
    /// A transaction in mode Response from a peer.
    pub(in crate::sap) fn peer_response(
        &mut self,
        peer: &Peer,
        transaction: &Transaction,
        now: Time,
    ) {
        // Some peers send reports under the id of the message they are about.
        if matches!(
            transaction.name.as_ref(),
            "DeliveryStatusReport" | "InviteResponse"
        ) {
            // Several may come under one id; the same one comes again if our
            // acknowledgement was lost.
            let mut report = transaction.clone();
            report.mode = Mode::Request;
            report.id = format!("{}/{:016x}", transaction.id, fingerprint(transaction));
            return self.peer_request(peer, "", &report, now);
        }
        if self.answers_services(peer, transaction, now)
            || self.session_answer(peer, transaction, now)
        {
            return;
        }
        let asked = self.identity_asked(peer, &transaction.id);
        let peer = asked.as_deref().unwrap_or(peer);
        let place = Place::Peer {
            peer: peer.domain.clone(),
            id: transaction.id.clone(),
        };
        let Some(number) = self.table.by_place(&place) else {
            tracing::debug!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "response nobody asked for");
            return self.count(Count::Unasked);
        };
        let transaction = self.understood(peer, transaction, now);
        let mut transaction = self.answer_understood(peer, number, transaction);
        self.learn_standing(peer, number, &transaction);
        self.hand_to_members(peer, number, &transaction, now);
        self.note_refusal(peer, number, &transaction, now);
        if transaction.name == "GetServiceResponse"
            && let Some(origin) = self.table.get(number).map(|record| record.origin.clone())
        {
            let asking = match &origin {
                Origin::Peer { peer, .. } => Some(peer.as_str()),
                Origin::Element { .. } => None,
            };
            transaction = self.services.discovered_for(peer, asking, transaction, now);
        }
        let answers = match primitive::facts(&transaction.name) {
            Some(facts) => matches!(facts.kind, Kind::Response | Kind::Notice),
            None => false,
        };
        if !answers {
            // It must not be handed on as an answer: who knows what it does there.
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "this is no answer");
            return self.request_failed(&peer.domain, &transaction.id, Code::INTERNAL, now);
        }
        let asked = self.table.get(number).map_or("", |row| row.name.as_str());
        if !is_answer_to(asked, &transaction.name) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id),
                ssp.primitive = %Shown(&transaction.name), asked, "the answer to another request"
            );
            return self.count(Count::Unasked);
        }
        if let Some(stranger) = self.is_about_others(peer, number, &transaction) {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                user = %Shown(stranger.as_str()), "the peer tells of somebody whom it was not asked about"
            );
            return self.request_failed(&peer.domain, &transaction.id, Code::INTERNAL, now);
        }
        if self.is_given_back(&peer.domain, number, &transaction, now) {
            return;
        }
        let Ok(raw) = std::str::from_utf8(&transaction.raw) else {
            return;
        };
        self.tell_answered(number, &place, raw.as_bytes(), false, now);
        // The peer has the request, whatever became of our post's acknowledgement.
        self.part_answered(number, &place, raw.to_owned(), now);
    }

    /// Whose presence an answer tells though neither were they asked about, nor may the peer tell
    /// it unasked.
    fn is_about_others<'t>(
        &self,
        peer: &Peer,
        number: u64,
        answer: &'t Transaction,
    ) -> Option<&'t Address> {
        if answer.name != "GetPresenceResponse" {
            return None;
        }
        let parts = &self.table.get(number)?.parts;
        let targets: Vec<&Address> = parts.iter().flat_map(|part| &part.targets).collect();
        // Members of a list may be of any domain.
        if targets
            .iter()
            .all(|target| target.resource_part().is_some())
        {
            return None;
        }
        let asked = |user: &Address| {
            let user = user.clone().or_domain(peer.real());
            targets.contains(&&user) || self.settings.may_speak(peer, user.domain())
        };
        answer.peek.publishers.iter().find(|user| !asked(user))
    }

    /// A 405 or 501 tells something about the domain that was addressed.
    fn note_refusal(&mut self, peer: &Peer, number: u64, transaction: &Transaction, now: Time) {
        let may_be = matches!(transaction.name.as_ref(), "Status" | "SendMessageResponse")
            && ["405", "501"]
                .iter()
                .any(|code| memchr::memmem::find(&transaction.raw, code.as_bytes()).is_some());
        if !may_be {
            return;
        }
        let status = transaction.primitive().ok();
        let status = status.as_ref().and_then(recipients::status_of);
        let without = [Code::NOT_SUPPORTED, Code::NOT_IMPLEMENTED];
        if status.is_none_or(|status| !without.contains(&status.code)) {
            return;
        }
        let Some(record) = self.table.get(number) else {
            return;
        };
        let place = |part: &&Part| {
            matches!(&part.place, Place::Peer { peer: to, id }
                if *to == peer.domain && *id == transaction.id)
        };
        let target = record.parts.iter().find(place).and_then(|part| {
            let target = part.targets.first()?;
            Some(target.domain().to_owned())
        });
        let name = record.name.clone();
        if let Some(domain) = target {
            self.services
                .not_supported(peer.real(), &name, &domain, now);
            self.drive_services(now);
        }
    }

    /// The answer of a service element.
    pub fn respond(&mut self, element: Element, to: RequestId, primitive: &Primitive, now: Time) {
        let place = Place::Element {
            element,
            request: to,
        };
        match self.table.by_place(&place) {
            Some(number) => {
                let raw = primitive.to_xml(None);
                self.tell_answered(number, &place, raw.as_bytes(), false, now);
                self.part_answered(number, &place, raw, now);
            }
            None => self.count(Count::Unasked),
        }
    }

    fn part_answered(&mut self, number: u64, place: &Place, raw: String, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let Some(part) = record.parts.iter().position(|part| part.place == *place) else {
            return;
        };
        if record.parts[part].answer.is_some() {
            // A second answer: further results are not of use to anybody here.
            return self.count(Count::Unasked);
        }
        let taken_over = record.state == State::TakenOver;
        match record.state {
            State::Answered(_) => return self.count(Count::Unasked),
            State::Pending | State::TakenOver => {}
        }
        self.release_message_id(number, part, &raw);
        if taken_over {
            self.report_late(number, part, &raw, now);
        }
        // An answer that completes its request is written with it.
        let write = self
            .table
            .update(number, |record| record.parts[part].answer = Some(raw));
        let complete = self
            .table
            .get(number)
            .is_some_and(|record| record.parts.iter().all(|part| part.answer.is_some()));
        if !complete {
            self.write(write);
        }
        self.finish_if_complete(number, now);
    }

    /// Answers a request all of whose parts are answered.
    pub(in crate::sap) fn finish_if_complete(&mut self, number: u64, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        if record.state != State::Pending && record.state != State::TakenOver {
            return;
        }
        let mut answers = Vec::with_capacity(record.parts.len());
        for part in &record.parts {
            let Some(answer) = &part.answer else { return };
            answers.push((part.targets.clone(), answer.clone()));
        }
        if record.state == State::TakenOver {
            return self.close(number, None, now);
        }
        if let [(_, answer)] = answers.as_slice() {
            let answer = answer.clone();
            return self.finish_raw(number, &answer, now);
        }
        let parts: Vec<(Vec<Address>, Primitive)> = answers
            .into_iter()
            .map(|(targets, raw)| {
                let answer =
                    decode_fragment(raw.as_bytes()).unwrap_or(Primitive::status(Code::INTERNAL));
                (targets, answer)
            })
            .collect();
        let answer = recipients::join(&record.name, record.message.as_deref(), &parts);
        self.finish(number, &answer, now);
    }

    pub(in crate::sap) fn finish(&mut self, number: u64, answer: &Primitive, now: Time) {
        self.finish_raw(number, &answer.to_xml(None), now);
    }

    fn finish_raw(&mut self, number: u64, answer: &str, now: Time) {
        let waiting = self.table.get(number).and_then(|row| row.waiting.clone());
        self.close(number, Some(answer.to_owned()), now);
        match waiting {
            Some(notice) => self.told_who_is_joined(notice, answer, now),
            None => self.send_answer(number, answer, now),
        }
    }

    /// Ends a request and keeps it for the duplicate window.
    pub(in crate::sap) fn close(&mut self, number: u64, answer: Option<String>, now: Time) {
        if let Some(record) = self.table.get(number) {
            self.forgettable.gone(record.origin.name(), number);
        }
        self.profiles.answered(number, answer.as_deref(), now);
        if let Some(record) = self.table.get(number) {
            let (by, expires) = (
                self.answer_by(&record.name, record.received, record.expires),
                record.expires,
            );
            self.timers.cancel(by, timers::Timer::Answer(number));
            self.timers.cancel(expires, timers::Timer::GiveUp(number));
        }
        for part in self.table.get(number).iter().flat_map(|row| &row.parts) {
            if let Place::Peer { id, .. } = &part.place {
                self.kept.take(id);
            }
        }
        let settings = self.settings.clone();
        let write = self.table.close(number, answer, |place| match place {
            // Which message ids were used there must be known after a restart.
            Place::Peer { peer, .. } => {
                let peer = settings.peers.get(peer);
                peer.is_some_and(|peer| peer.dialect.unique_message_ids)
            }
            _ => false,
        });
        self.write(write);
        self.forget_later(number, now);
    }

    /// Sends an answer to where the request came from.
    pub(in crate::sap) fn send_answer(&mut self, number: u64, answer: &str, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        match record.origin.clone() {
            Origin::Element { element, token } => {
                if let Ok(primitive) = decode_fragment(answer.as_bytes()) {
                    self.effect(Effect::Answer(element, token, primitive));
                }
            }
            Origin::Peer { peer: domain, id } => {
                let (name, message) = (record.name.clone(), record.message.clone());
                let Some(peer) = self.peer_settings(&domain) else {
                    return;
                };
                let raw =
                    outbound::raw(&peer, answer.as_bytes()).unwrap_or_else(|_| answer.to_owned());
                let answer_name = raw
                    .trim_start_matches('<')
                    .split([' ', '>', '/'])
                    .next()
                    .unwrap_or(&name)
                    .to_owned();
                let item = Item {
                    mode: Mode::Response,
                    id,
                    name: answer_name,
                    raw,
                    conversation: None,
                    expires: now.plus_millis(self.settings.duplicate_window),
                    message,
                    via: None,
                };
                self.enqueue(&domain, item, now);
            }
        }
    }

    pub(in crate::sap) fn forget_later(&mut self, number: u64, from: Time) {
        let window = match self.table.get(number) {
            // A report may still have to find the peer's transaction id.
            Some(record)
                if is_reported_on(record) && self.wants_reports_as_response(&record.origin) =>
            {
                self.settings.default_validity
            }
            _ => self.settings.duplicate_window,
        };
        self.remember_until(number, from.plus_millis(window));
    }

    pub(in crate::sap) fn forget(&mut self, number: u64) -> Option<crate::store::Write> {
        self.keep_asked(number);
        let record = self.table.get(number)?;
        self.forgettable.gone(record.origin.name(), number);
        if let (Origin::Peer { peer, id }, Some(message)) = (&record.origin, &record.message) {
            let key = (peer.clone(), message.clone());
            // A newer message of that id may have taken its place.
            if self.reports.get(&key) == Some(id) {
                self.reports.remove(&key);
            }
        }
        self.table.remove(number)
    }

    fn wants_reports_as_response(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::Peer { peer, .. }
            if self.settings.peers.get(peer).is_some_and(|peer| peer.dialect.reports_as_response))
    }

    /// The identity in which a peer was asked what it answers now: it may answer in any
    /// session.
    fn identity_asked(&self, peer: &Peer, id: &str) -> Option<Arc<Peer>> {
        if !peer.has_identities() {
            return None;
        }
        let asked = |identity: &&Arc<Peer>| {
            let place = Place::Peer {
                peer: identity.domain.clone(),
                id: id.to_owned(),
            };
            self.table.by_place(&place).is_some()
        };
        let mut identities = self.settings.identities_of(&peer.domain);
        identities.find(asked).cloned()
    }
}

/// Whether a response of this name can answer a request of that name: a bare status
/// always can (wire profile, 7.3).
fn is_answer_to(request: &str, response: &str) -> bool {
    let leaf = |name| primitive::facts(name).map(|facts| facts.leaf);
    response == "Status" || leaf(request) == leaf(response)
}
