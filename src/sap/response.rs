//! Results: back along the Transaction Table (wire profile, 7.3 to 7.5).

use super::element::{Element, RequestId, Time};
use super::outbox::Item;
use super::report::is_reported_on;
use super::request::fingerprint;
use super::transaction::{Origin, Part, Place, State};
use super::{Count, Effect, Peer, Sap, express, split, timers};
use crate::ssp::common::{MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::ssp::datetime::DateTime;
use crate::ssp::envelope::{Transaction, decode_fragment};
use crate::ssp::primitive::message::{DeliveryResult, DeliveryStatusReport};
use crate::ssp::primitive::session::KeepAliveRequest;
use crate::ssp::primitive::{self, Kind};
use crate::ssp::{Address, Code, Mode, Primitive, Status};

/// Answered requests remembered at most, whatever the duplicate window: bounds the
/// memory of a busy relay to some hundred megabytes. Our choice.
const MAX_REMEMBERED: usize = 250_000;

impl Sap {
    /// A transaction in mode Response from a peer.
    pub(super) fn peer_response(&mut self, peer: &Peer, transaction: &Transaction, now: Time) {
        let place = Place::Peer {
            peer: peer.domain.clone(),
            id: transaction.id.clone(),
        };
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
        if self.service_answer(peer, transaction, now) {
            return;
        }
        let Some(number) = self.table.by_place(&place) else {
            tracing::debug!(ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name, "response nobody asked for");
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
            transaction = self.discovered_for(peer, &origin, transaction, now);
        }
        let answers = match primitive::facts(&transaction.name) {
            Some(facts) => matches!(facts.kind, Kind::Response | Kind::Notice),
            None => false,
        };
        if !answers {
            // It must not be handed on as an answer: who knows what it does there.
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = transaction.id, ssp.primitive = %transaction.name, "this is no answer");
            return self.request_failed(&peer.domain, &transaction.id, Code::INTERNAL, now);
        }
        let Ok(raw) = std::str::from_utf8(&transaction.raw) else {
            return;
        };
        // The peer has the request, whatever became of our post's acknowledgement.
        self.part_answered(number, &place, raw.to_owned(), now);
    }

    /// A 405 tells something about the domain that was addressed.
    fn note_refusal(&mut self, peer: &Peer, number: u64, transaction: &Transaction, now: Time) {
        let may_be = matches!(transaction.name.as_ref(), "Status" | "SendMessageResponse")
            && memchr::memmem::find(&transaction.raw, b"405").is_some();
        if !may_be {
            return;
        }
        let status = transaction.primitive().ok();
        let status = status.as_ref().and_then(split::status_of);
        if status.is_none_or(|status| status.code != Code::NOT_SUPPORTED) {
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
            self.not_supported(&peer.domain, &name, &domain, now);
        }
    }

    /// The answer of a service element.
    pub fn respond(&mut self, element: Element, to: RequestId, primitive: &Primitive, now: Time) {
        let place = Place::Element {
            element,
            request: to,
        };
        match self.table.by_place(&place) {
            Some(number) => self.part_answered(number, &place, primitive.to_xml(None), now),
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
        if taken_over {
            self.report_late(number, &raw, now);
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
    pub(super) fn finish_if_complete(&mut self, number: u64, now: Time) {
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
        let answer = split::join(&record.name, record.message.as_deref(), &parts);
        self.finish(number, &answer, now);
    }

    pub(super) fn finish(&mut self, number: u64, answer: &Primitive, now: Time) {
        self.finish_raw(number, &answer.to_xml(None), now);
    }

    fn finish_raw(&mut self, number: u64, answer: &str, now: Time) {
        self.close(number, Some(answer.to_owned()), now);
        self.send_answer(number, answer, now);
    }

    /// Ends a request and keeps it for the duplicate window.
    fn close(&mut self, number: u64, answer: Option<String>, now: Time) {
        self.profile_answered(number, answer.as_deref(), now);
        if let Some(record) = self.table.get(number) {
            let (by, expires) = (
                self.answer_by(&record.name, record.received, record.expires),
                record.expires,
            );
            self.timers.cancel(by, timers::Timer::Answer(number));
            self.timers.cancel(expires, timers::Timer::GiveUp(number));
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
    pub(super) fn send_answer(&mut self, number: u64, answer: &str, now: Time) {
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
                    express::raw(&peer, answer.as_bytes()).unwrap_or_else(|_| answer.to_owned());
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

    /// When to look whether a request has been answered. For messages a relay
    /// looks before its own requestor does, so that it can answer 202 in time.
    pub(super) fn answer_by(&self, name: &str, received: Time, expires: Time) -> Time {
        let wait = self.settings.response_timeout;
        let wait = if name == "SendMessageRequest" {
            wait / 4 * 3
        } else {
            wait
        };
        received.plus_millis(wait).min(expires)
    }

    /// The peer has our request; from now on it has the time for an answer.
    pub(super) fn request_acknowledged(&mut self, domain: &str, id: &str, now: Time) {
        let place = Place::Peer {
            peer: domain.to_owned(),
            id: id.to_owned(),
        };
        let Some(number) = self.table.by_place(&place) else {
            return;
        };
        let timeout = self.settings.response_timeout;
        self.table.acknowledged(number, &place, now);
        self.timers
            .set(now.plus_millis(timeout), timers::Timer::Answer(number));
    }

    /// The peer will not get our request.
    pub(super) fn request_failed(&mut self, domain: &str, id: &str, code: Code, now: Time) {
        let place = Place::Peer {
            peer: domain.to_owned(),
            id: id.to_owned(),
        };
        let Some(number) = self.table.by_place(&place) else {
            return;
        };
        let Some(record) = self.table.get(number) else {
            return;
        };
        let answer = split::answer(&record.name, record.message.as_deref(), Status::new(code));
        self.part_answered(number, &place, answer.to_xml(None), now);
    }

    /// No answer in time. A message that still waits here, for a peer or in a
    /// service element (the XMPP server may be away), or that reached the next
    /// hop only just now, is answered 202: this node has it on disk and answers
    /// for it. Anything else waiting is taken back, and the requestor hears 504.
    pub(super) fn answer_due(&mut self, number: u64, now: Time) {
        let timeout = self.settings.response_timeout;
        let Some(record) = self.table.get(number) else {
            return;
        };
        if record.state != State::Pending {
            return;
        }
        let prompt = record.received.plus_millis(timeout / 4);
        let (mut late, mut next, mut take_over) = (Vec::new(), None, false);
        for part in record.parts.iter().filter(|part| part.answer.is_none()) {
            let deadline = part
                .acknowledged
                .unwrap_or(record.received)
                .plus_millis(timeout)
                .min(record.expires);
            let waiting = match &part.place {
                Place::Peer { peer, id } => self.outbox_holds(peer, id),
                // An element that has not answered keeps the message until it can.
                Place::Element { .. } => true,
                Place::Here => false,
            };
            take_over |= waiting
                || part
                    .acknowledged
                    .is_some_and(|at| at > prompt && deadline > now);
            if deadline <= now {
                late.push(part.place.clone());
            } else {
                next = Some(next.map_or(deadline, |next: Time| next.min(deadline)));
            }
        }
        if record.name == "SendMessageRequest" && take_over && record.expires > now {
            let status = Status::new(Code(202)).because("queued");
            let answer =
                split::answer(&record.name, record.message.as_deref(), status).to_xml(None);
            let write = self
                .table
                .update(number, |record| record.state = State::TakenOver);
            self.write(write);
            return self.send_answer(number, &answer, now);
        }
        for place in late {
            self.time_out_part(number, &place, now);
        }
        if let Some(next) = next {
            self.timers.set(next, timers::Timer::Answer(number));
        }
    }

    fn time_out_part(&mut self, number: u64, place: &Place, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let answer = split::answer(
            &record.name,
            record.message.as_deref(),
            Status::new(Code::TIMEOUT),
        );
        if let Place::Peer { peer, id } = place {
            tracing::warn!(
                ssp.peer = peer,
                ssp.transaction = id,
                ssp.primitive = record.name,
                "no answer in time"
            );
            if let Some((item, write)) = self
                .peers
                .get_mut(peer)
                .and_then(|state| state.outbox.withdraw(id))
            {
                self.effect(Effect::Write(write));
                return self.item_lost(&peer.clone(), &item, Code::TIMEOUT, now);
            }
        }
        self.part_answered(number, place, answer.to_xml(None), now);
    }

    /// The request itself has expired.
    pub(super) fn give_up(&mut self, number: u64, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        if matches!(record.state, State::Answered(_)) {
            return;
        }
        let taken_over = record.state == State::TakenOver;
        let open: Vec<Place> = record
            .parts
            .iter()
            .filter(|part| part.answer.is_none())
            .map(|part| part.place.clone())
            .collect();
        let code = if record.name == "SendMessageRequest" {
            Code::EXPIRED
        } else {
            Code::TIMEOUT
        };
        for place in open {
            if let Place::Peer { peer, id } = &place {
                let withdrawn = self
                    .peers
                    .get_mut(peer)
                    .and_then(|state| state.outbox.withdraw(id));
                if let Some((item, write)) = withdrawn {
                    self.effect(Effect::Write(write));
                    self.item_lost(&peer.clone(), &item, code, now);
                    continue;
                }
                if taken_over {
                    // The next hop has it, and never said more.
                    return self.close(number, None, now);
                }
            }
            self.part_failed(number, &place, code, now);
        }
    }

    fn part_failed(&mut self, number: u64, place: &Place, code: Code, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let answer = split::answer(&record.name, record.message.as_deref(), Status::new(code));
        self.part_answered(number, place, answer.to_xml(None), now);
    }

    fn outbox_holds(&self, peer: &str, id: &str) -> bool {
        self.peers
            .get(peer)
            .is_some_and(|state| state.outbox.holds(id))
    }

    /// The result of a message whose requestor was told 202 already: a failure
    /// becomes a delivery report, if one was asked for. That somebody further on has
    /// no answer is none: he may have delivered it, and then there is a report of that.
    fn report_late(&mut self, number: u64, raw: &str, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let Ok(answer) = decode_fragment(raw.as_bytes()) else {
            return;
        };
        let Some(status) = split::status_of(&answer)
            .filter(|status| ![Code::OK, Code(202), Code::TIMEOUT].contains(&status.code))
        else {
            return;
        };
        tracing::info!(
            ssp.transaction = number,
            code = status.code.0,
            "a message taken over earlier has failed"
        );
        let (Some(sender), Some(message)) = (&record.report_to, &record.message) else {
            return;
        };
        let Some(recipient) = record
            .parts
            .iter()
            .flat_map(|part| &part.targets)
            .next()
            .cloned()
        else {
            return;
        };
        let info = MessageInfo {
            message_id: Some(message.clone()),
            uri: None,
            content_type: None,
            content_name: None,
            content_size: None,
            validity: None,
            recipients: vec![Recipient::User(User::new(sender.clone()))],
            recipient_display: None,
            sender: Some(Sender::user(User::new(recipient))),
            date_time: Some(DateTime::from_millis(record.received.0)),
        };
        let report = DeliveryStatusReport {
            meta: Some(MetaInfo::of_server(&self.settings.domain)),
            result: DeliveryResult {
                status: status.clone(),
            },
            time: Some(DateTime::from_millis(now.0)),
            info,
        };
        let expires = now.plus_millis(self.settings.default_validity);
        // The element named does not matter: a notice is not answered.
        self.request(Element::Home, super::Token(0), &report.into(), expires, now);
    }

    pub(super) fn forget_later(&mut self, number: u64, from: Time) {
        self.answered.push_back(number);
        if self.answered.len() > MAX_REMEMBERED
            && let Some(oldest) = self.answered.pop_front()
        {
            let write = self.forget(oldest);
            self.write(write);
        }
        let window = match self.table.get(number) {
            // A report may still have to find the peer's transaction id.
            Some(record)
                if is_reported_on(record) && self.wants_reports_as_response(&record.origin) =>
            {
                self.settings.default_validity
            }
            _ => self.settings.duplicate_window,
        };
        self.timers
            .set(from.plus_millis(window), timers::Timer::Forget(number));
    }

    pub(super) fn forget(&mut self, number: u64) -> Option<crate::store::Write> {
        while self
            .answered
            .front()
            .is_some_and(|oldest| self.table.get(*oldest).is_none() || *oldest == number)
        {
            self.answered.pop_front();
        }
        let record = self.table.get(number)?;
        if let (Origin::Peer { peer, .. }, Some(message)) = (&record.origin, &record.message) {
            let key = (peer.clone(), message.clone());
            self.reports.remove(&key);
        }
        self.table.remove(number)
    }

    fn wants_reports_as_response(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::Peer { peer, .. }
            if self.settings.peers.get(peer).is_some_and(|peer| peer.dialect.reports_as_response))
    }

    /// Keeps idle sessions alive (wire profile, 11.1).
    pub(super) fn keep_alive(&mut self, domain: &str, now: Time) {
        let Some(peer) = self.peer_settings(domain) else {
            return;
        };
        if !peer.dialect.keep_alive {
            return;
        }
        let due = self.peers.get(domain).and_then(|state| {
            let session = state.ready_session()?;
            (session.keep_alive_at() <= now && session.ends_at() > now).then_some(())
        });
        if due.is_none() {
            return;
        }
        let request = KeepAliveRequest {
            time_to_live: None,
            meta: Some(MetaInfo::of_server(&self.settings.domain)),
        };
        self.last += 1;
        let item = Item {
            mode: Mode::Request,
            id: format!("{}-{}", self.run, self.last),
            name: "KeepAliveRequest".to_owned(),
            raw: Primitive::from(request).to_xml(Some(peer.dialect.style())),
            conversation: None,
            expires: now.plus_millis(self.settings.response_timeout),
            message: None,
            via: None,
        };
        if let Some(session) = self
            .peers
            .get_mut(domain)
            .and_then(|state| state.sessions.last_mut())
        {
            session.record.last_out = now;
        }
        self.enqueue(domain, item, now);
    }
}
