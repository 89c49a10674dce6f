//! Requests and answers on their way: the Transaction Table ([`table`]), what comes in and
//! where it goes ([`request`]), and what is answered ([`response`]).
//!
//! ```text
//!  request ─▶ repeated? ─▶ may it? ─▶ for this SAP? ─▶ known here? ─▶ route ─▶ row, queue or element
//!  answer  ─▶ row ─▶ all parts? ─▶ queue or element it came from
//! ```
//!
//! [`Transactions`] knows no sessions and no posts: it is told what became of what it has
//! queued, and says by its events what is to be done.

mod bounds;
mod delivery_report;
mod events;
pub mod history;
mod index;
mod names;
mod overdue;
mod own;
mod permission;
pub mod recipients;
mod record;
mod remembered;
mod request;
mod response;
mod row;
mod rows;
mod sent;
mod shapes;
mod table;
mod taken_over;
mod took;
mod try_again;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::association::outbox::Item;
use super::body::Body;
use super::dialect::{Deviations, memberships};
use super::neighbour::{self, Handed};
use super::numbers::Numbers;
use super::presented_as::PeerId;
use super::profile::{self, Profiles};
use super::random::Random;
use super::service::{self, Services};
use super::settings::{Peer, Settings};
use super::transaction_id::TransactionId;
use super::watch::Count;
use crate::element::{Element, Outcome, RequestId, Skew, Time};
use crate::imps::primitive::Name;
use crate::imps::{Code, Primitive, Status};
use crate::ssp::Mode;
use crate::store::Write;

pub use record::{Origin, Part, Place, Record, State};
pub use sent::SentTo;
pub use table::{PREFIX, Sum, Table};

pub(super) use events::{Event, Queues, ToThisSap};
pub(super) use response::report_as_request;

use history::Step;
use overdue::Overdue;
use request::Incoming;
use rows::{Rows, Timer};
use taken_over::TakenOver;
use took::Took;

/// The Transaction Table, and all that decides on what passes through it.
#[derive(Debug)]
pub struct Transactions {
    settings: Arc<Settings>,
    numbers: Arc<Numbers>,
    skew: Skew,
    pub(super) services: Services,
    profiles: Profiles,
    deviations: Deviations,
    rows: Rows,
    took: Took,
    /// The message that is being taken over from another shard was counted there.
    counted: bool,
    events: VecDeque<Event>,
}

impl Transactions {
    pub(super) fn new(settings: Arc<Settings>, numbers: Arc<Numbers>, random: Random) -> Self {
        Self {
            services: Services::new(settings.clone(), numbers.clone(), random),
            profiles: Profiles::new(settings.clone()),
            deviations: Deviations::new(settings.clone()),
            rows: Rows::new(settings.clone()),
            took: Took::default(),
            settings,
            numbers,
            skew: Skew::default(),
            counted: false,
            events: VecDeque::new(),
        }
    }

    /// Takes back a record, if it is one of these rooms.
    pub(super) fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let bad = |e: serde_json::Error| format!("record {key} cannot be read: {e}");
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| format!("record {key} has no number"))
        };
        if let Some(rest) = key.strip_prefix(service::table::PREFIX) {
            let agreement = serde_json::from_slice(value).map_err(bad)?;
            self.services.restore(rest, agreement)?;
        } else if let Some(user) = key.strip_prefix(profile::cache::PREFIX) {
            let told = serde_json::from_slice(value).map_err(bad)?;
            self.profiles.restore(user, told);
        } else if key.starts_with(memberships::PREFIX) {
            let named = serde_json::from_slice(value).map_err(bad)?;
            self.deviations.restore(named);
        } else if let Some(rest) = key.strip_prefix(sent::PREFIX) {
            let kept = serde_json::from_slice(value).map_err(bad)?;
            self.rows.sent.restore(number(rest)?, kept);
        } else if key == sent::SINCE {
            let since = serde_json::from_slice(value).map_err(bad)?;
            self.rows.sent.restore_since(since);
        } else if let Some(rest) = key.strip_prefix(PREFIX) {
            let record = row::read(value);
            let record = record.map_err(|why| format!("record {key} cannot be read: {why}"))?;
            self.restore_row(number(rest)?, record, value.len());
        }
        Ok(())
    }

    fn restore_row(&mut self, number: u64, record: Record, bytes: usize) {
        if record.is_message()
            && !record.has_failed()
            && let Some(message) = &record.message
        {
            for (peer, _) in record.at_peers() {
                let (content, at) = (record.content, record.received);
                self.deviations.was_sent(peer, message, content, at);
            }
        }
        if record.state == State::Pending
            && let Some(waiting) = &record.waiting
        {
            self.deviations.who_left_asked(waiting, number);
        }
        self.rows.restore(number, record, bytes);
    }

    /// Goes to work after all records are back.
    pub(super) fn start(&mut self, queues: &dyn Queues, now: Time) {
        let (open, writes) = self.rows.start(now);
        self.write(writes);
        for number in open {
            self.linger(number, queues, now);
        }
        self.profiles.timeout(now);
    }

    pub(super) fn configure(&mut self, settings: &Arc<Settings>) {
        self.services.configure(settings.clone());
        self.profiles.configure(settings.clone());
        self.deviations.configure(settings.clone());
        self.rows.configure(settings.clone());
        self.settings = settings.clone();
    }

    pub(super) fn set_skew(&mut self, skew: Skew) {
        self.services.set_skew(skew);
        self.profiles.set_skew(skew);
        self.deviations.set_skew(skew);
        self.skew = skew;
    }

    pub(super) fn next_event(&mut self) -> Option<Event> {
        if let Some(event) = self.services.next_event() {
            return Some(match event {
                service::Event::Ask(peer, item) => Event::Enqueue(PeerId::new(&peer), *item),
                service::Event::Write(write) => Event::Write(write),
                service::Event::Count(count) => Event::Count(count),
                service::Event::Known(peer, known) => Event::Known(peer, known),
            });
        }
        let write = self.profiles.next_event();
        let write = write.or_else(|| self.deviations.next_event());
        write.map(Event::Write).or_else(|| self.events.pop_front())
    }

    /// When [`Transactions::timeout`] wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.rows.next_timeout()
    }

    /// Does one thing that is due.
    pub(super) fn timeout(&mut self, queues: &mut dyn Queues, now: Time) {
        match self.rows.due(now) {
            Some(Timer::Answer(number)) => Overdue::of(self, queues, now).answer(number),
            Some(Timer::GiveUp(number)) => Overdue::of(self, queues, now).give_up(number),
            Some(Timer::Forget(number)) => {
                let forgotten = self.rows.forget_due(number, now);
                self.write(forgotten);
            }
            None => {}
        }
    }

    /// When a told profile ends.
    pub(super) fn next_profile_timeout(&self) -> Option<Time> {
        self.profiles.next_timeout()
    }

    pub(super) fn profiles_due(&mut self, now: Time) {
        self.profiles.timeout(now);
    }

    /// The Transaction Table, for looking in.
    pub fn table(&self) -> &Table {
        &self.rows.table
    }

    /// How long peers take to answer.
    pub(in crate::sap) fn took(&self) -> &Took {
        &self.took
    }

    /// Whether a peer owes an answer to a request of ours.
    pub(super) fn is_awaited(&self, peer: &PeerId, id: &str) -> bool {
        let place = Place::at(peer, &id.into());
        self.rows.table.by_place(&place).is_some()
    }

    /// Requests that a peer has not answered, or not even got, are answered 503.
    /// Messages are not: those that wait here go on waiting, and the peer answers for
    /// those that it has taken.
    pub(super) fn will_not_answer(&mut self, peer: &PeerId, queues: &mut dyn Queues, now: Time) {
        let rows = self.rows.table.all_open();
        let rows = rows.filter(|(_, row)| row.state == State::Pending && !row.is_message());
        let mut open: Vec<(u64, TransactionId)> = rows
            .flat_map(|(number, row)| row.at_peers_open().map(move |at| (number, at)))
            .filter(|(_, (at, _))| *at == peer)
            .map(|(number, (_, id))| (number, id.clone()))
            .collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (number, id) in open {
            queues.forsake(peer, &id);
            self.part_failed(number, &Place::at(peer, &id), Code::UNAVAILABLE, now);
        }
    }

    /// The identity in which a peer was asked what it answers now: it may answer in any
    /// session.
    fn identity_asked(&self, peer: &Peer, id: &str) -> Option<Arc<Peer>> {
        if !peer.has_identities() {
            return None;
        }
        let id = TransactionId::from(id);
        let asked = |identity: &&Arc<Peer>| {
            let place = Place::at(&identity.id, &id);
            self.rows.table.by_place(&place).is_some()
        };
        self.settings
            .identities_of(&peer.domain)
            .find(asked)
            .cloned()
    }

    /// The answer of a service element.
    pub(super) fn respond(
        &mut self,
        element: Element,
        request: RequestId,
        answer: Primitive,
        now: Time,
    ) {
        let place = Place::Element { element, request };
        let Some(number) = self.rows.table.by_place(&place) else {
            return self.count(Count::Unasked);
        };
        self.answered(number, &place, Body::typed(answer), now);
    }

    /// A part was answered by who has it.
    pub(super) fn answered(&mut self, number: u64, place: &Place, answer: Body, now: Time) {
        let record = self.rows.table.get(number);
        let step = record.and_then(|record| Step::answered(&record, place, &answer, now));
        self.tell(step);
        self.part_answered(number, place, answer, now);
    }

    /// A peer has taken an item over; from now on it has the time for an answer, if it
    /// owes one.
    pub(super) fn acknowledged(
        &mut self,
        peer: &PeerId,
        item: Item,
        queues: &dyn Queues,
        now: Time,
    ) {
        if item.mode != Mode::Request {
            return;
        }
        let place = Place::at(peer, &item.id);
        let Some(number) = self.rows.table.by_place(&place) else {
            return;
        };
        self.rows.table.acknowledged(number, &place, now);
        let Some(record) = self.rows.table.get(number) else {
            return;
        };
        let step = Step::taken(&record, &place, now);
        let (state, is_message) = (record.state.clone_kind(), record.is_message());
        self.tell(step);
        match state {
            State::TakenOver => self.linger(number, queues, now),
            // Its requestor hears 202 before that.
            _ if is_message => {}
            _ => {
                let late = now.plus(self.settings.response_timeout);
                self.rows.deadlines.set(late, Timer::Answer(number));
            }
        }
        if item.name == Name::SendMessageRequest && self.rows.table.by_place(&place).is_some() {
            self.rows.unanswered.keep(item);
        }
    }

    /// Another shard hands something over: a request to be passed on from here, or an answer.
    pub(super) fn take_handed(
        &mut self,
        from: u16,
        handed: &Handed,
        queues: &dyn Queues,
        now: Time,
    ) {
        let (peer, transaction) = (neighbour::name(from), &handed.transaction);
        let id = TransactionId::from(transaction.id.as_str());
        if !handed.is_request() {
            let place = Place::Peer { peer, id };
            let number = self.rows.table.by_place(&place);
            let row = number.and_then(|number| self.rows.table.open(number));
            let part = row.and_then(|row| row.part_at(&place));
            // Nobody waits for one that was given up here.
            let open = part.is_some_and(|part| part.answer.is_none());
            if let (Some(number), true, Ok(raw)) =
                (number, open, std::str::from_utf8(&transaction.raw))
            {
                if !handed.is_followed {
                    self.part_answered(number, &place, Body::raw(raw), now);
                } else if row.is_some_and(|row| row.state == State::Pending) {
                    // With a part of it the whole is taken over.
                    TakenOver::of(self, number, now).begin(queues);
                }
            }
            return;
        }
        let Some(facts) = transaction.name.facts() else {
            return;
        };
        let incoming = Incoming {
            origin: Origin::Peer { peer, id },
            from_domain: handed.from_domain.clone(),
            transaction: Cow::Borrowed(transaction),
            fingerprint: request::fingerprint(transaction),
            typed: None,
            kind: facts.kind,
            routing: facts.routing,
            expires: handed.expires,
            to: None,
            handed: Some(handed),
        };
        self.counted = handed.is_message();
        self.accept(&incoming, queues, now);
        // It was here before, under another transaction id.
        if std::mem::take(&mut self.counted) {
            self.count(Count::Ended(Outcome::Repeated));
        }
    }

    /// Another shard has taken a request over.
    pub(super) fn handed(&mut self, to: u16, handed: &Handed, queues: &dyn Queues, now: Time) {
        let place = Place::Peer {
            peer: neighbour::name(to),
            id: handed.transaction.id.as_str().into(),
        };
        if let Some(number) = self.rows.table.by_place(&place) {
            self.rows.table.acknowledged(number, &place, now);
            self.linger(number, queues, now);
        }
    }

    /// A message, or a part of it, counts as accepted, unless it stands for one that was counted in
    /// another shard.
    fn accepted(&mut self) {
        if !std::mem::take(&mut self.counted) {
            self.count(Count::Accepted);
        }
    }

    /// A peer will not get our request.
    pub(super) fn failed(&mut self, peer: &PeerId, id: &TransactionId, code: Code, now: Time) {
        let place = Place::at(peer, id);
        if let Some(number) = self.rows.table.by_place(&place) {
            self.part_failed(number, &place, code, now);
        }
    }

    fn part_failed(&mut self, number: u64, place: &Place, code: Code, now: Time) {
        let Some(record) = self.rows.table.get(number) else {
            return;
        };
        let status = Status::new(code);
        let answer = recipients::answer(record.name.known(), record.message.as_deref(), status);
        let step = Step::failed(&record, place, code, now);
        self.tell(step);
        self.part_answered(number, place, Body::typed(answer), now);
    }

    /// Ends a request and keeps it for the duplicate window.
    fn close(&mut self, number: u64, answer: Option<Body>, now: Time) {
        self.profiles.answered(number, answer.as_ref(), now);
        let deviations = &self.deviations;
        // Which message ids were used there must be known after a restart.
        let keep = |place: &Place| matches!(place, Place::Peer { peer, .. } if deviations.minds_ids_of(peer));
        let writes = self.rows.close(number, answer, keep, now);
        self.write(writes);
    }

    /// A row was taken over: others that were, and that the next hop has, may have to go.
    fn linger(&mut self, number: u64, queues: &dyn Queues, now: Time) {
        if self.rows.lingers(number, queues) {
            while let Some(oldest) = self.rows.lingers_too_long() {
                TakenOver::of(self, oldest, now).end();
            }
        }
    }

    fn write(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.events.extend(writes.into_iter().map(Event::Write));
    }

    fn count(&mut self, count: Count) {
        self.events.push_back(Event::Count(count));
    }

    fn tell(&mut self, step: Option<Step>) {
        let step = step.map(|step| Event::Step(Box::new(step)));
        self.events.extend(step);
    }
}
