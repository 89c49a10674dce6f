//! A message that is answered 202 because this node, or the next hop, has it: what is known of it
//! then, and what is told of it later.

use super::Transactions;
use super::events::{Event, Queues};
use super::history::Step;
use super::record::{Origin, Place, Record, State};
use crate::element::Time;
use crate::imps::primitive::AnyName;
use crate::imps::{Code, Primitive, Status};
use crate::sap::body::Body;
use crate::sap::neighbour::{self, Handed};

/// A message that is taken over, by the number of its row.
pub(super) struct TakenOver<'t> {
    on: &'t mut Transactions,
    number: u64,
    now: Time,
}

impl<'t> TakenOver<'t> {
    /// This message, at this time.
    pub(super) fn of(on: &'t mut Transactions, number: u64, now: Time) -> Self {
        Self { on, number, now }
    }

    fn record(&self) -> Option<&Record> {
        self.on.rows.table.open(self.number)
    }

    /// Takes it over, and answers. Those who are known not to get it are named.
    pub(super) fn begin(&mut self, queues: &dyn Queues) {
        let Some(record) = self.record() else {
            return;
        };
        let waits = |place: &Place| match place {
            Place::Peer { peer, id } => queues.holds(peer, id),
            Place::Element { .. } | Place::Here => true,
        };
        let mut open = record.parts.iter().filter(|part| part.answer.is_none());
        let status = Status::new(Code(202)).because(if open.any(|part| waits(&part.place)) {
            "queued"
        } else {
            "passed on, no answer yet"
        });
        let known = record.known(&status);
        let step = Step::taken_over(record, self.now);
        let write = self
            .on
            .rows
            .table
            .update(self.number, |record| record.state = State::TakenOver);
        self.on.write(write);
        self.on.tell(step);
        self.tell(known);
        self.on.linger(self.number, queues, self.now);
    }

    /// Somebody else is known not to get it.
    pub(super) fn tell_again(&mut self) {
        let here = |record: &&Record| matches!(record.origin, Origin::Element { .. });
        if let Some(record) = self.record().filter(here) {
            let known = record.known(&Status::new(Code(202)));
            self.tell(known);
        }
    }

    /// It has come to its end. Who waits for that hears what is known of it.
    pub(super) fn end(&mut self) {
        let followed = self.record().filter(|record| record.is_followed());
        let known = followed.map(|record| record.known(&Status::new(Code(202))));
        if let Some(known) = known {
            let known = Body::typed(known);
            self.on.send_answer(self.number, &known, self.now);
        }
        self.on.close(self.number, None, self.now);
    }

    /// Tells what is known of it. Who hears its end too is told that it was taken over.
    fn tell(&mut self, known: Primitive) {
        let Some(record) = self.record() else {
            return;
        };
        if !record.is_followed() {
            let known = Body::typed(known);
            return self.on.send_answer(self.number, &known, self.now);
        }
        let event = match &record.origin {
            Origin::Element { element, token } => {
                Event::TakenOver(*element, *token, Box::new(known))
            }
            Origin::Peer { peer, id } => {
                let Some(shard) = neighbour::shard_of(peer) else {
                    return;
                };
                let expires = self.now.plus(self.on.settings.duplicate_window);
                let name = AnyName::new(known.name());
                let answer = Handed::answer(id.to_string(), name, known.to_xml(None), expires);
                let handed = Handed {
                    is_followed: true,
                    ..answer
                };
                Event::Hand(shard, handed.into())
            }
        };
        self.on.events.push_back(event);
    }
}
