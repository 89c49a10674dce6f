//! What this node asks or tells by itself: reports of late failures, copies of messages for
//! members of groups, and questions who has left a group.

use std::borrow::Cow;

use super::Transactions;
use super::events::{Own, Queues};
use super::record::{Origin, Record, State};
use crate::element::{Element, Time, Token};
use crate::imps::{Code, Primitive};
use crate::sap::dialect::unnamed_leave::Next;
use crate::sap::watch::Count;
use crate::text::Shown;

/// The name under which this SAP keeps what it asks itself. No element knows of such a request.
const OWN: Element = Element::named("Home");

impl Transactions {
    /// Does what follows from an answer.
    pub(in crate::sap) fn own(&mut self, own: Own, queues: &dyn Queues, now: Time) {
        // It comes before what was queued after it.
        let later = std::mem::take(&mut self.events);
        match own {
            Own::Report(report, expires) => {
                self.request(OWN, (Token(0), expires), None, &report, queues, now);
            }
            Own::Copy(message, expires) => {
                let token = Token(self.rows.table.next_number(now));
                self.request(OWN, (token, expires), None, &message, queues, now);
            }
            Own::WhoLeft(waiting, answer) => {
                let answer = answer.primitive();
                let answer = answer.unwrap_or(Cow::Owned(Primitive::status(Code::INTERNAL)));
                let status = answer.verdict();
                let code = status.map_or(Code::INTERNAL, |status| status.code);
                let next = self.deviations.who_left_answered(waiting, &answer, code);
                self.unnamed_leave(next, queues, now);
            }
        }
        self.events.extend(later);
    }

    /// What comes next with a notice that does not say who has left a group.
    pub(super) fn unnamed_leave(&mut self, next: Next, queues: &dyn Queues, now: Time) {
        match next {
            Next::Ask(waiting, request) => {
                let expires = now.plus(self.settings.response_timeout);
                let (element, token) = (OWN, Token(self.rows.table.next_number(now)));
                self.request(
                    element,
                    (token, expires),
                    None,
                    &request.into(),
                    queues,
                    now,
                );
                let number = self
                    .rows
                    .table
                    .by_origin(&Origin::Element { element, token });
                let pending = |record: &Record| record.state == State::Pending;
                let open =
                    number.filter(|number| self.rows.table.open(*number).is_some_and(pending));
                let Some(number) = open else {
                    // It was refused here and now, and so will the others be.
                    return self.unnamed_leave(waiting.tell(), queues, now);
                };
                self.deviations.who_left_asked(&waiting, number);
                let write = self
                    .rows
                    .table
                    .update(number, |record| record.waiting = Some(Box::new(waiting)));
                self.write(write);
            }
            Next::Follow(number, notice) => {
                let write = self.rows.table.update(number, |record| {
                    if let Some(before) = &mut record.waiting {
                        before.follow(notice);
                    }
                });
                self.write(write);
            }
            Next::Tell(waiting, gone) => {
                let (peer, id) = (waiting.peer().to_owned(), waiting.id().to_owned());
                let (told, next) = self.deviations.who_left_told(waiting, gone, now);
                let peer_settings = self.settings.peers.get(&peer).cloned();
                match (told, peer_settings) {
                    (Some(told), Some(peer)) => {
                        self.request_of_peer(&peer, None, &told, queues, now);
                    }
                    _ => self.nobody_knows(&peer, &id),
                }
                // Only now: who was told is a member no more.
                if let Some(next) = next {
                    let next = self.deviations.ask_who_left(next);
                    self.unnamed_leave(next, queues, now);
                }
            }
            Next::Drop(waiting) => self.nobody_knows(waiting.peer(), waiting.id()),
        }
    }

    fn nobody_knows(&mut self, peer: &str, id: &str) {
        tracing::warn!(
            ssp.peer = peer,
            ssp.transaction = %Shown(id),
            ssp.primitive = "LeaveGroupIndication",
            "nobody knows for whom this is; dropped"
        );
        self.count(Count::Refused(Code::BAD_PARAMETER.0));
    }
}
