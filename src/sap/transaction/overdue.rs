//! What is due on a request: an answer to its requestor, or its end (wire profile, 7.5).

use super::events::Queues;
use super::record::{Place, State};
use super::rows::Timer;
use super::taken_over::TakenOver;
use super::{Transactions, response};
use crate::element::{Outcome, Time};
use crate::imps::Code;
use crate::imps::primitive::Name;
use crate::sap::association::outbox::Item;
use crate::sap::neighbour::is_shard;
use crate::sap::presented_as::PeerId;
use crate::sap::watch::Count;

/// The Transaction Table, some of whose rows are due.
pub(super) struct Overdue<'t> {
    on: &'t mut Transactions,
    queues: &'t mut dyn Queues,
    now: Time,
}

impl<'t> Overdue<'t> {
    /// In this table, at this time.
    pub(super) fn of(on: &'t mut Transactions, queues: &'t mut dyn Queues, now: Time) -> Self {
        Self { on, queues, now }
    }

    /// No answer in time. The requestor of a message hears 202: it waits here on disk, for a
    /// peer or in a service element (the XMPP server may be away), or the next hop has it,
    /// which is no failure as long as nobody says so. Anything else is taken back, and the
    /// requestor hears 504.
    pub(super) fn answer(&mut self, number: u64) {
        let Some(record) = self.on.rows.table.open(number) else {
            return;
        };
        if record.state != State::Pending {
            return;
        }
        let timeout = self.on.settings.response_timeout;
        if record.is_message() {
            if record.expires <= self.now {
                return self.give_up(number);
            }
            return match response::waits_longer(record, timeout, self.now) {
                Some(until) => self.on.rows.deadlines.set(until, Timer::Answer(number)),
                None => self.take_over(number),
            };
        }
        let (late, next) = response::overdue(record, timeout, self.now);
        for place in late {
            self.time_out_part(number, &place);
        }
        if let Some(next) = next {
            self.on.rows.deadlines.set(next, Timer::Answer(number));
        }
    }

    fn take_over(&mut self, number: u64) {
        TakenOver::of(self.on, number, self.now).begin(self.queues);
    }

    fn time_out_part(&mut self, number: u64, place: &Place) {
        let code = Code::TIMEOUT;
        if let Place::Peer { peer, id } = place {
            tracing::warn!(
                ssp.peer = peer.as_str(),
                ssp.transaction = id.as_str(),
                ssp.primitive = self.on.rows.table.open(number).map(|record| &*record.name),
                "no answer in time"
            );
            if let Some(item) = self.queues.withdraw(peer, id, self.now) {
                return self.withdrawn(peer, &item, code);
            }
        }
        self.on.part_failed(number, place, code, self.now);
    }

    /// The request itself has expired.
    pub(super) fn give_up(&mut self, number: u64) {
        let Some(record) = self.on.rows.table.open(number) else {
            return;
        };
        if matches!(record.state, State::Answered(_)) {
            return;
        }
        let taken_over = record.state == State::TakenOver;
        let open = record.parts.iter().filter(|part| part.answer.is_none());
        let open: Vec<Place> = open.map(|part| part.place.clone()).collect();
        let code = if record.is_message() {
            Code::EXPIRED
        } else {
            Code::TIMEOUT
        };
        // First all that can be taken back: the others may end the request.
        let mut gone = Vec::with_capacity(open.len());
        for place in open {
            if let Place::Peer { peer, id } = &place
                && let Some(item) = self.queues.withdraw(peer, id, self.now)
            {
                self.withdrawn(peer, &item, code);
                continue;
            }
            gone.push(place);
        }
        let (at_peers, here): (Vec<Place>, Vec<Place>) = gone
            .into_iter()
            .partition(|place| place.at_peer().is_some());
        for place in here {
            self.on.part_failed(number, &place, code, self.now);
        }
        if code != Code::EXPIRED {
            for place in at_peers {
                self.on.part_failed(number, &place, code, self.now);
            }
        } else if at_peers.iter().any(|place| self.says_more(number, place)) {
            if !taken_over {
                self.take_over(number);
            }
            let later = self.now.plus(self.on.settings.response_timeout);
            self.on.rows.deadlines.set(later, Timer::GiveUp(number));
        } else if !taken_over {
            for place in at_peers {
                self.on.part_failed(number, &place, Code(202), self.now);
            }
        } else if !at_peers.is_empty() {
            // The next hop has it, and never said more.
            TakenOver::of(self.on, number, self.now).end();
        }
    }

    /// Whether the end of a part of a message that has expired is still to come: its post is under
    /// way, and what becomes of that is the outcome; or another shard says it.
    fn says_more(&self, number: u64, place: &Place) -> bool {
        let Some((peer, id)) = place.at_peer() else {
            return false;
        };
        let is_late = |expires: Time| self.now >= expires.plus(self.on.settings.duplicate_window);
        let record = self.on.rows.table.get(number);
        let is_told = record.is_some_and(|it| it.is_followed() && !is_late(it.expires));
        self.queues.holds(peer, id) || is_shard(peer) && is_told
    }

    /// A request was taken back out of a queue.
    fn withdrawn(&mut self, peer: &PeerId, item: &Item, code: Code) {
        if item.name == Name::SendMessageRequest {
            self.on.count(Count::Ended(match code {
                Code::EXPIRED => Outcome::Expired,
                _ => Outcome::Refused(code.0),
            }));
        }
        self.on.failed(peer, &item.id, code, self.now);
    }
}
