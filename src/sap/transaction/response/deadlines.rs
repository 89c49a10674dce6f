//! What becomes of a request that is not answered in time (wire profile, 7.5).

use crate::sap::association::outbox::Item;
use crate::sap::element::Time;
use crate::sap::transaction::recipients;
use crate::sap::transaction::{Place, State};
use crate::sap::{Sap, timers};
use crate::ssp::{Code, Status};

impl Sap {
    /// When to look whether a request has been answered. For messages a relay
    /// looks before its own requestor does, so that it can answer 202 in time.
    pub(in crate::sap) fn answer_by(&self, name: &str, received: Time, expires: Time) -> Time {
        let wait = self.settings.response_timeout;
        let wait = if name == "SendMessageRequest" {
            wait / 4 * 3
        } else {
            wait
        };
        received.plus_millis(wait).min(expires)
    }

    /// The peer has our request; from now on it has the time for an answer.
    pub(in crate::sap) fn request_acknowledged(&mut self, domain: &str, id: &str, now: Time) {
        let place = Place::Peer {
            peer: domain.to_owned(),
            id: id.to_owned(),
        };
        let Some(number) = self.table.by_place(&place) else {
            return;
        };
        let timeout = self.settings.response_timeout;
        self.table.acknowledged(number, &place, now);
        self.tell_taken(number, &place, now);
        let Some(record) = self.table.get(number) else {
            return;
        };
        match record.state {
            State::TakenOver => self.linger(number, now),
            // Its requestor hears 202 before that.
            _ if record.name == "SendMessageRequest" => {}
            _ => self
                .timers
                .set(now.plus_millis(timeout), timers::Timer::Answer(number)),
        }
    }

    /// The peer will not get our request.
    pub(in crate::sap) fn request_failed(&mut self, domain: &str, id: &str, code: Code, now: Time) {
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
        let answer = recipients::answer(&record.name, record.message.as_deref(), Status::new(code));
        self.tell_failed(number, &place, code, now);
        self.part_answered(number, &place, answer.to_xml(None), now);
    }

    /// No answer in time. The requestor of a message hears 202: it waits here on disk, for a
    /// peer or in a service element (the XMPP server may be away), or the next hop has it,
    /// which is no failure as long as nobody says so. Anything else is taken back, and the
    /// requestor hears 504.
    pub(in crate::sap) fn answer_due(&mut self, number: u64, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        if record.state != State::Pending {
            return;
        }
        if record.name == "SendMessageRequest" {
            return self.message_due(number, now);
        }
        let timeout = self.settings.response_timeout;
        let (mut late, mut next) = (Vec::new(), None);
        for part in record.parts.iter().filter(|part| part.answer.is_none()) {
            let deadline = part
                .acknowledged
                .unwrap_or(record.received)
                .plus_millis(timeout)
                .min(record.expires);
            if deadline <= now {
                late.push(part.place.clone());
            } else {
                next = Some(next.map_or(deadline, |next: Time| next.min(deadline)));
            }
        }
        for place in late {
            self.time_out_part(number, &place, now);
        }
        if let Some(next) = next {
            self.timers.set(next, timers::Timer::Answer(number));
        }
    }

    fn message_due(&mut self, number: u64, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        if record.expires <= now {
            return self.give_up(number, now);
        }
        let timeout = self.settings.response_timeout;
        // A next hop that took the message at once may be about to answer; one that is a relay
        // does so a little later than this node would.
        let prompt = record.received.plus_millis(timeout / 4);
        let last = record.received.plus_millis(timeout / 8 * 7);
        let answers_soon = |acknowledged: Option<Time>| acknowledged.is_some_and(|at| at <= prompt);
        let mut open = record.parts.iter().filter(|part| part.answer.is_none());
        if now < last && open.all(|part| answers_soon(part.acknowledged)) {
            let next = last.min(record.expires);
            return self.timers.set(next, timers::Timer::Answer(number));
        }
        self.take_over(number, now);
    }

    /// Answers 202 for a message: this node, or the next hop, has it.
    fn take_over(&mut self, number: u64, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let waits = |place: &Place| match place {
            Place::Peer { peer, id } => self.outbox_holds(peer, id),
            Place::Element { .. } | Place::Here => true,
        };
        let mut open = record.parts.iter().filter(|part| part.answer.is_none());
        let status = Status::new(Code(202)).because(if open.any(|part| waits(&part.place)) {
            "queued"
        } else {
            "passed on, no answer yet"
        });
        let answer =
            recipients::answer(&record.name, record.message.as_deref(), status).to_xml(None);
        let write = self
            .table
            .update(number, |record| record.state = State::TakenOver);
        self.write(write);
        self.tell_taken_over(number, now);
        self.send_answer(number, &answer, now);
        self.linger(number, now);
    }

    fn time_out_part(&mut self, number: u64, place: &Place, now: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let code = Code::TIMEOUT;
        let answer = recipients::answer(&record.name, record.message.as_deref(), Status::new(code));
        if let Place::Peer { peer, id } = place {
            tracing::warn!(
                ssp.peer = peer,
                ssp.transaction = id,
                ssp.primitive = record.name,
                "no answer in time"
            );
            if let Some(item) = self.withdraw(peer, id, now) {
                return self.item_lost(&peer.clone(), &item, code, now);
            }
        }
        self.tell_failed(number, place, code, now);
        self.part_answered(number, place, answer.to_xml(None), now);
    }

    /// The request itself has expired.
    pub(in crate::sap) fn give_up(&mut self, number: u64, now: Time) {
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
        // First all that can be taken back: the others may end the request.
        let mut gone = Vec::with_capacity(open.len());
        for place in open {
            if let Place::Peer { peer, id } = &place
                && let Some(item) = self.withdraw(peer, id, now)
            {
                self.item_lost(peer, &item, code, now);
                continue;
            }
            gone.push(place);
        }
        for place in gone {
            let Place::Peer { peer, id } = &place else {
                self.part_failed(number, &place, code, now);
                continue;
            };
            if code != Code::EXPIRED {
                self.part_failed(number, &place, code, now);
            } else if self.outbox_holds(peer, id) {
                // Its post is under way: what becomes of that is the outcome.
                if !taken_over {
                    self.take_over(number, now);
                }
                let later = now.plus_millis(self.settings.response_timeout);
                return self.timers.set(later, timers::Timer::GiveUp(number));
            } else if taken_over {
                // The next hop has it, and never said more.
                return self.close(number, None, now);
            } else {
                self.part_failed(number, &place, Code(202), now);
            }
        }
    }

    pub(in crate::sap) fn part_failed(
        &mut self,
        number: u64,
        place: &Place,
        code: Code,
        now: Time,
    ) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let answer = recipients::answer(&record.name, record.message.as_deref(), Status::new(code));
        self.tell_failed(number, place, code, now);
        self.part_answered(number, place, answer.to_xml(None), now);
    }

    pub(in crate::sap) fn outbox_holds(&self, peer: &str, id: &str) -> bool {
        let association = self.associations.get(peer);
        association.is_some_and(|it| it.outbox().holds(id))
    }

    /// Takes back a request that a peer has not been posted yet.
    fn withdraw(&mut self, peer: &str, id: &str, now: Time) -> Option<Item> {
        self.with(peer, now, |association| association.withdraw(id, now))?
    }

    /// Requests that a peer has not answered, or not even got, are answered 503.
    /// Messages are not: those that wait here go on waiting, and the peer answers for
    /// those that it has taken.
    pub(in crate::sap) fn end_open(&mut self, domain: &str, now: Time) {
        let rows = self.table.iter().filter(|(_, record)| {
            record.state == State::Pending && record.name != "SendMessageRequest"
        });
        let mut open: Vec<(u64, Place)> = rows
            .flat_map(|(number, record)| {
                let parts = record.parts.iter().filter(|part| part.answer.is_none());
                parts.map(move |part| (number, part.place.clone()))
            })
            .filter(|(_, place)| matches!(place, Place::Peer { peer, .. } if peer == domain))
            .collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (number, place) in open {
            if let Place::Peer { id, .. } = &place {
                self.with(domain, now, |association| association.forsake(id));
            }
            self.part_failed(number, &place, Code::UNAVAILABLE, now);
        }
    }
}
