//! Results: back along the Transaction Table (wire profile, 7.3 to 7.5).

mod deadlines;

use std::borrow::Cow;

use super::delivery_report::{self, Reporter};
use super::events::{Event, Own};
use super::record::{Origin, Part, Place, Record, State};
use super::request::fingerprint;
use super::rows::Timer;
use super::taken_over::TakenOver;
use super::{Transactions, try_again};
use crate::element::Time;
use crate::imps::primitive::{AnyName, Kind, Name};
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::association::outbox::Item;
use crate::sap::body::Body;
use crate::sap::dialect::{Asked, outbound};
use crate::sap::neighbour::{self, Handed};
use crate::sap::presented_as::PeerId;
use crate::sap::settings::{Peer, Settings};
use crate::sap::watch::Count;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::text::Shown;

pub(super) use deadlines::{overdue, waits_longer};

impl Transactions {
    /// A transaction in mode Response from a peer.
    pub(in crate::sap) fn response_of_peer(
        &mut self,
        peer: &Peer,
        transaction: &Transaction,
        now: Time,
    ) {
        let asked = self.identity_asked(peer, &transaction.id);
        let peer = asked.as_deref().unwrap_or(peer);
        let place = Place::at(&peer.id, &transaction.id.as_str().into());
        let Some(number) = self.rows.table.by_place(&place) else {
            tracing::debug!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "response nobody asked for");
            return self.count(Count::Unasked);
        };
        let Some(record) = self.rows.table.get(number) else {
            return;
        };
        let part = record.part_at(&place);
        let unanswered = part.is_some_and(|part| part.answer.is_none());
        let is_there = |part: &&Part| part.peer() == Some(peer.domain.as_str());
        // Who asks to join or leave is rare; others need no list.
        let there = record.asker.iter().flat_map(|_| &record.parts);
        let there = there.filter(is_there);
        let there: Vec<&Address> = there.flat_map(|part| &part.targets).collect();
        let asked = Asked {
            request: record.name.known(),
            message: record.message.as_deref(),
            asker: record.asker.as_deref(),
            circle: record.circle.as_deref(),
            kept: record.kept.as_deref().filter(|_| unanswered),
            targets: part.map_or(&[], |part| &part.targets[..]),
            there: &there,
        };
        let expires = record.expires;
        let (mut transaction, copies) =
            self.deviations
                .answer_inbound(peer, &asked, transaction, now);
        for copy in copies {
            let copy = Own::Copy(copy.into(), expires);
            self.events.push_back(Event::Own(Box::new(copy)));
        }
        let refused = refused_function(&record, &place, &transaction);
        if let Some((name, domain)) = refused {
            self.services.not_supported(peer.real(), name, &domain, now);
        }
        if transaction.name == Name::GetServiceResponse
            && let Some(record) = self.rows.table.get(number)
        {
            let (origin, handed) = (record.origin.clone(), record.asking.clone());
            let asking = match &origin {
                _ if handed.is_some() => handed.as_deref(),
                Origin::Peer { peer, .. } => Some(peer.as_str()),
                Origin::Element { .. } => None,
            };
            transaction = self.services.discovered_for(peer, asking, transaction, now);
        }
        let answers = match transaction.name.facts() {
            Some(facts) => matches!(facts.kind, Kind::Response | Kind::Notice),
            None => false,
        };
        if !answers {
            // It must not be handed on as an answer: who knows what it does there.
            tracing::warn!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "this is no answer");
            return self.part_failed(number, &place, Code::INTERNAL, now);
        }
        let asked = self.rows.table.get(number).map(|row| row.name.clone());
        if !asked
            .as_ref()
            .is_some_and(|asked| is_answer_to(asked, &transaction.name))
        {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id),
                ssp.primitive = %Shown(&transaction.name), asked = asked.as_ref().map(tracing::field::display), "the answer to another request"
            );
            return self.count(Count::Unasked);
        }
        if let Some(stranger) = self
            .rows
            .table
            .get(number)
            .and_then(|row| about_others(&self.settings, peer, &row, &transaction))
        {
            tracing::warn!(
                ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                user = %Shown(stranger.as_str()), "the peer tells of somebody whom it was not asked about"
            );
            return self.part_failed(number, &place, Code::INTERNAL, now);
        }
        if self.is_given_back(&peer.id, number, &transaction, now) {
            return;
        }
        let Ok(raw) = std::str::from_utf8(&transaction.raw) else {
            return;
        };
        if let Some(record) = self.rows.table.get(number) {
            self.took.note(&peer.id, now.after(record.received));
        }
        // The peer has the request, whatever became of our post's acknowledgement.
        self.answered(number, &place, Body::raw(raw), now);
    }

    /// Whether an answer gives a message back that can be sent again in time; then it
    /// is, under a new id.
    fn is_given_back(
        &mut self,
        peer: &PeerId,
        number: u64,
        transaction: &Transaction,
        now: Time,
    ) -> bool {
        let Some(record) = self.rows.table.open(number) else {
            return false;
        };
        let open = matches!(record.state, State::Pending | State::TakenOver);
        let Some(after) = try_again::try_again(transaction).filter(|_| open) else {
            return false;
        };
        let at = now.plus_seconds(u64::from(after.max(1)));
        if at >= record.expires {
            return false;
        }
        let by = self.rows.answer_by(record).max(now);
        let Some(mut item) = self.rows.unanswered.take(&transaction.id) else {
            return false;
        };
        item.id = self.numbers.id().into();
        let old = Place::at(peer, &transaction.id.as_str().into());
        let new = Place::at(peer, &item.id);
        let write = self.rows.table.move_part(number, &old, new);
        self.write(write);
        tracing::info!(
            ssp.peer = peer.as_str(),
            ssp.transaction = %Shown(&transaction.id),
            wait_s = after,
            "the peer gives a message back for now"
        );
        // It left the books when the peer took it.
        self.count(Count::Accepted);
        let later = Event::EnqueueLater(peer.clone(), item, at);
        self.events.push_back(later);
        // Its requestor hears 202 no later than usual.
        self.rows.deadlines.set(by, Timer::Answer(number));
        true
    }

    /// A part was answered; what else is said of it later is of use to nobody here.
    pub(super) fn part_answered(&mut self, number: u64, place: &Place, answer: Body, now: Time) {
        let Some(record) = self.rows.table.get(number) else {
            return;
        };
        let Some(part) = record.parts.iter().position(|part| part.place == *place) else {
            return;
        };
        if record.parts[part].answer.is_some() {
            return self.count(Count::Unasked);
        }
        let taken_over = record.state == State::TakenOver;
        match record.state {
            State::Answered(_) => return self.count(Count::Unasked),
            State::Pending | State::TakenOver => {}
        }
        let at_peer = record.parts[part].peer();
        if let (true, Some(message), Some(peer)) = (record.is_message(), &record.message, at_peer)
            && self.deviations.minds_ids_of(peer)
            && answer.has_failed()
        {
            self.deviations.was_refused(peer, message, record.content);
        }
        if taken_over {
            let reporter = Reporter {
                domain: &self.settings.domain,
                skew: self.skew,
                now,
            };
            let expires = now.plus(self.settings.default_validity);
            for report in delivery_report::late(&record, number, part, &answer, &reporter) {
                let report = Own::Report(report.into(), expires);
                self.events.push_back(Event::Own(Box::new(report)));
            }
        }
        let is_news = record.is_followed() && !answer.went_well();
        let mut others = record.parts.iter().enumerate();
        if others.all(|(other, it)| other == part || it.answer.is_some()) {
            self.rows.table.answer(number, part, answer);
        } else {
            let write = self
                .rows
                .table
                .update(number, |record| record.parts[part].answer = Some(answer));
            self.write(write);
            if is_news && taken_over {
                TakenOver::of(self, number, now).tell_again();
            }
        }
        self.finish_if_complete(number, now);
    }

    /// Answers a request all of whose parts are answered.
    pub(super) fn finish_if_complete(&mut self, number: u64, now: Time) {
        let Some(record) = self.rows.table.open(number) else {
            return;
        };
        if record.state != State::Pending && record.state != State::TakenOver {
            return;
        }
        if record.parts.iter().any(|part| part.answer.is_none()) {
            return;
        }
        if record.state == State::TakenOver {
            return TakenOver::of(self, number, now).end();
        }
        if let [part] = record.parts.as_slice()
            && let Some(answer) = part.answer.clone()
        {
            return self.finish(number, answer, now);
        }
        let answer = record.known(&Status::new(Code(202)));
        self.finish(number, Body::typed(answer), now);
    }

    /// Ends a request with this answer.
    pub(super) fn finish(&mut self, number: u64, answer: Body, now: Time) {
        let waiting = self
            .rows
            .table
            .open(number)
            .and_then(|row| row.waiting.clone());
        let Some(notice) = waiting else {
            self.send_answer(number, &answer, now);
            return self.close(number, Some(answer), now);
        };
        self.close(number, Some(answer.clone()), now);
        let own = Own::WhoLeft(*notice, answer);
        self.events.push_back(Event::Own(Box::new(own)));
    }

    /// Sends an answer to where the request came from.
    pub(super) fn send_answer(&mut self, number: u64, answer: &Body, now: Time) {
        let Some(record) = self.rows.table.get(number) else {
            return;
        };
        match record.origin.clone() {
            Origin::Element { element, token } => {
                let unread = |_| Cow::Owned(Primitive::status(Code::INTERNAL));
                let primitive = answer.primitive().unwrap_or_else(unread).into_owned();
                let answer = Event::Answer(element, token, Box::new(primitive));
                self.events.push_back(answer);
            }
            Origin::Peer { peer: domain, id } => {
                let (name, message) = (record.name.clone(), record.message.clone());
                let name_in = |raw: &str| {
                    let name_in = raw.trim_start_matches('<').split([' ', '>', '/']).next();
                    name_in.map_or_else(|| name.clone(), AnyName::new)
                };
                let expires = now.plus(self.settings.duplicate_window);
                if let Some(shard) = neighbour::shard_of(&domain) {
                    let handed = Handed::answer(
                        id.to_string(),
                        name_in(answer.xml()),
                        answer.xml().to_owned(),
                        expires,
                    );
                    return self.events.push_back(Event::Hand(shard, handed.into()));
                }
                let Some(peer) = self.settings.peers.get(domain.as_str()) else {
                    return;
                };
                let raw = outbound::answer(peer, answer);
                let answer_name = name_in(&raw);
                let item = Item {
                    mode: Mode::Response,
                    id,
                    name: answer_name,
                    raw,
                    conversation: None,
                    expires,
                    message,
                    via: None,
                };
                self.events.push_back(Event::Enqueue(domain, item));
            }
        }
    }
}

/// Some peers send reports as responses, under the id of the message they are about: the
/// report as the request that it is.
pub(in crate::sap) fn report_as_request(transaction: &Transaction) -> Option<Transaction> {
    if !matches!(
        transaction.name.known(),
        Some(Name::DeliveryStatusReport | Name::InviteResponse)
    ) {
        return None;
    }
    // Several may come under one id; the same one comes again if our acknowledgement was
    // lost.
    let mut report = transaction.clone();
    report.mode = Mode::Request;
    report.id = format!("{}/{:016x}", transaction.id, fingerprint(transaction));
    Some(report)
}

/// Whose presence an answer tells though neither were they asked about, nor may the peer tell
/// it unasked.
fn about_others<'t>(
    settings: &Settings,
    peer: &Peer,
    record: &Record,
    answer: &'t Transaction,
) -> Option<&'t Address> {
    if answer.name != Name::GetPresenceResponse {
        return None;
    }
    let parts = &record.parts;
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
        targets.contains(&&user) || settings.may_speak(peer, user.domain())
    };
    answer.peek.publishers.iter().find(|user| !asked(user))
}

/// A 405 or 501 tells something about the domain that was addressed: the request's name,
/// and that domain.
fn refused_function(
    record: &Record,
    place: &Place,
    answer: &Transaction,
) -> Option<(Option<Name>, String)> {
    let may_be = (answer.name == Name::Status || answer.name == Name::SendMessageResponse)
        && ["405", "501"]
            .iter()
            .any(|code| memchr::memmem::find(&answer.raw, code.as_bytes()).is_some());
    if !may_be {
        return None;
    }
    let answer = answer.primitive().ok()?;
    let status = answer.verdict()?;
    if ![Code::NOT_SUPPORTED, Code::NOT_IMPLEMENTED].contains(&status.code) {
        return None;
    }
    let target = record.part_at(place)?.targets.first()?;
    Some((record.name.known(), target.domain().to_owned()))
}

/// Whether a response of this name can answer a request of that name: a bare status
/// always can (wire profile, 7.3).
fn is_answer_to(request: &AnyName, response: &AnyName) -> bool {
    let leaf = |name: &AnyName| name.facts().map(|facts| facts.leaf);
    *response == Name::Status || leaf(request) == leaf(response)
}
