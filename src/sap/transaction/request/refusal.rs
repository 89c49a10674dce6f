//! What is answered here and now.

use crate::sap::element::{Outcome, Time};
use crate::sap::transaction::recipients;
use crate::sap::transaction::request::Incoming;
use crate::sap::transaction::{Origin, Record, State};
use crate::sap::{Count, Peer, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::primitive::{self, Kind};
use crate::ssp::{Code, Primitive, Status};
use crate::text::Shown;

impl Sap {
    pub(super) fn refused_part(&mut self, incoming: &Incoming<'_>, code: Code) {
        if incoming.transaction.name == "SendMessageRequest" {
            self.count(Count::Accepted);
            self.count(Count::Ended(Outcome::Refused(code.0)));
        }
        self.count_refusal(code.0);
    }

    /// Answers a request that goes nowhere, and remembers the answer.
    pub(in crate::sap) fn refuse(
        &mut self,
        origin: Origin,
        transaction: &Transaction,
        status: Status,
        now: Time,
    ) {
        self.count_refusal(status.code.0);
        self.trace_refused(&origin, transaction, &status, now);
        let kind = primitive::facts(&transaction.name).map(|facts| facts.kind);
        if kind == Some(Kind::Notice) {
            return;
        }
        if transaction.name == "SendMessageRequest" {
            self.count(Count::Accepted);
            self.count(Count::Ended(Outcome::Refused(status.code.0)));
            self.tell_refused(&origin, transaction, &status, now);
        }
        let answer = recipients::answer(
            &transaction.name,
            transaction.peek.message_id.as_deref(),
            status,
        );
        self.answer_at_once(origin, transaction, &answer, now);
    }

    pub(in crate::sap) fn answer_at_once(
        &mut self,
        origin: Origin,
        transaction: &Transaction,
        answer: &Primitive,
        now: Time,
    ) {
        let number = self.table.next_number(now);
        let record = Record {
            origin,
            name: transaction.name.clone().into_owned(),
            received: now,
            expires: now.plus_millis(self.settings.response_timeout),
            parts: Vec::new(),
            state: State::Pending,
            message: transaction.peek.message_id.clone(),
            report_to: None,
            asker: None,
            kept: None,
            circle: None,
            sent: Vec::new(),
            waiting: None,
            fingerprint: 0,
            content: 0,
        };
        let _ = self.table.insert(number, record);
        self.finish(number, answer, now);
    }

    /// The peer asks again: same answer, no second effect.
    pub(super) fn repeat_answer(
        &mut self,
        peer: &Peer,
        number: u64,
        transaction: &Transaction,
        now: Time,
    ) {
        self.count(Count::Duplicate);
        tracing::debug!(ssp.peer = peer.domain, ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), "repeated transaction");
        let Some(record) = self.table.get(number) else {
            return;
        };
        if let State::Answered(Some(answer)) = &record.state {
            let answer = answer.clone();
            self.send_answer(number, &answer, now);
        }
    }
}
