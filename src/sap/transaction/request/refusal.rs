//! What is answered here and now.

use crate::element::{Outcome, Time};
use crate::imps::address::{self, Address};
use crate::imps::primitive::{Kind, Name};
use crate::imps::{Code, Primitive, Status};
use crate::sap::body::Body;
use crate::sap::transaction::events::Event;
use crate::sap::transaction::history::{Step, refusal_noted};
use crate::sap::transaction::record::{Origin, Record};
use crate::sap::transaction::{Transactions, recipients};
use crate::sap::watch::Count;
use crate::ssp::envelope::Transaction;

impl Transactions {
    /// Answers a request that goes nowhere, and remembers the answer.
    pub(in crate::sap) fn refuse(
        &mut self,
        origin: Origin,
        transaction: &Transaction,
        status: Status,
        now: Time,
    ) {
        self.count(Count::Refused(status.code.0));
        let note = refusal_noted(&origin, transaction, &status, now);
        self.events.push_back(Event::Note(note));
        let kind = transaction.name.facts().map(|facts| facts.kind);
        if kind == Some(Kind::Notice) {
            return;
        }
        if transaction.name == Name::SendMessageRequest {
            self.accepted();
            self.count(Count::Ended(Outcome::Refused(status.code.0)));
            self.tell(Some(Step::refused(&origin, transaction, &status, now)));
        }
        let answer = recipients::answer(
            transaction.name.known(),
            transaction.peek.message_id.as_deref(),
            status,
        );
        self.answer_at_once(origin, transaction, answer, now);
    }

    pub(in crate::sap) fn answer_at_once(
        &mut self,
        origin: Origin,
        transaction: &Transaction,
        answer: Primitive,
        now: Time,
    ) {
        let number = self.rows.table.next_number(now);
        let times = (now, now.plus(self.settings.response_timeout));
        let record = Record {
            message: transaction.peek.message_id.clone(),
            ..Record::waiting(origin, transaction.name.clone(), times)
        };
        let _ = self.rows.table.insert(number, record);
        self.finish(number, Body::typed(answer), now);
    }
}

/// Why no way leads to these targets.
pub(super) fn nowhere(transaction: &Transaction, targets: &[Address]) -> Status {
    let are_domains = || {
        targets
            .iter()
            .all(|target| target.kind() == address::Kind::Service)
    };
    match targets.iter().find_map(Address::fault_in_context) {
        Some(why) => Status::new(Code::ADDRESS).because(why),
        // That it is one is what was asked.
        None if transaction.name == Name::VerifyIDRequest && are_domains() => {
            Status::new(Code::NOT_FOUND)
        }
        None => Status::new(Code::DOMAIN_NOT_SUPPORTED),
    }
}
