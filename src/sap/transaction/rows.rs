//! The rows of the Transaction Table in time: when each is looked at, and how long it is kept.

use std::sync::Arc;

use super::bounds::Forgettable;
use super::delivery_report::{self, Reports};
use super::events::Queues;
use super::record::{Place, Record, State};
use super::sent::SentMessages;
use super::table::{Sum, Table};
use super::try_again::Unanswered;
use crate::element::Time;
use crate::sap::body::Body;
use crate::sap::deadlines::Deadlines;
use crate::sap::settings::Settings;
use crate::store::Write;

/// What a deadline is about, by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A request should have been answered.
    Answer(u64),
    /// A request is given up.
    GiveUp(u64),
    /// An answered request may be forgotten.
    Forget(u64),
}

/// The rows of the table, and what is remembered beside them.
#[derive(Debug)]
pub(super) struct Rows {
    settings: Arc<Settings>,
    pub(super) table: Table,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) reports: Reports,
    pub(super) sent: SentMessages,
    /// Messages that peers have taken and not yet answered.
    pub(super) unanswered: Unanswered,
    forgettable: Forgettable,
}

impl Rows {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            table: Table::new(settings.shards),
            unanswered: Unanswered::new(settings.shards),
            settings,
            deadlines: Deadlines::default(),
            reports: Reports::default(),
            sent: SentMessages::default(),
            forgettable: Forgettable::default(),
        }
    }

    pub(super) fn configure(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// Takes back a record written before a restart, of so many bytes of JSON.
    pub(super) fn restore(&mut self, number: u64, record: Record, bytes: usize) {
        self.reports.remember(&self.settings, &record);
        self.sent.restore_row(number, &record);
        self.table.restore(number, record, bytes);
    }

    /// Goes to work after all records are back. Rows that wait for an answer, the oldest first,
    /// and what is to be written.
    pub(super) fn start(&mut self, now: Time) -> (Vec<u64>, Vec<Write>) {
        self.table.set_right(now);
        let mut rows: Vec<_> = self
            .table
            .iter()
            .map(|(number, record)| {
                let answered = matches!(record.state, State::Answered(_));
                let by = self.answer_by(record);
                (number, answered, by, record.received, record.expires)
            })
            .collect();
        self.sent.start(!rows.is_empty());
        for (number, until) in self.sent.ends() {
            self.deadlines.set(until, Timer::Forget(number));
        }
        rows.sort_unstable_by_key(|(number, ..)| *number);
        let mut open = Vec::new();
        for (number, answered, by, received, expires) in rows {
            if answered {
                self.keep_answered(number, received);
            } else {
                self.deadlines.set(by.max(now), Timer::Answer(number));
                self.deadlines.set(expires.max(now), Timer::GiveUp(number));
                open.push(number);
            }
        }
        (open, self.make_room())
    }

    /// When to look whether a request has been answered. For messages a relay
    /// looks before its own requestor does, so that it can answer 202 in time.
    pub(super) fn answer_by(&self, record: &Record) -> Time {
        let wait = self.settings.response_timeout;
        let wait = if record.is_message() {
            wait / 4 * 3
        } else {
            wait
        };
        record.received.plus(wait).min(record.expires)
    }

    /// Adds a row, with its deadlines if it waits for an answer.
    pub(super) fn insert(&mut self, number: u64, record: Record, now: Time) -> Vec<Write> {
        self.reports.remember(&self.settings, &record);
        let begun = self.sent.note(number, &record, now);
        if record.state == State::Pending {
            let by = self.answer_by(&record);
            self.deadlines.set(by, Timer::Answer(number));
            self.deadlines.set(record.expires, Timer::GiveUp(number));
        }
        let row = self.table.insert(number, record);
        begun.into_iter().chain([row]).collect()
    }

    /// Ends a request and keeps it for the duplicate window, if anybody may ask for it again. Its
    /// parts are forgotten, but for those for which `keep` says that somebody asks later where they
    /// went.
    pub(super) fn close(
        &mut self,
        number: u64,
        answer: Option<Body>,
        keep: impl Fn(&Place) -> bool,
        now: Time,
    ) -> Vec<Write> {
        if let Some(record) = self.table.get(number) {
            self.forgettable.gone(record.origin.name(), number);
            let by = self.answer_by(record);
            self.deadlines.cancel(by, Timer::Answer(number));
            self.deadlines.cancel(record.expires, Timer::GiveUp(number));
            for (_, id) in record.at_peers() {
                self.unanswered.take(id);
            }
        }
        let record = self.table.get(number);
        // What failed stays, for an operator who looks.
        let went_well = answer.as_ref().is_none_or(Body::went_well_here);
        if went_well && record.is_some_and(|record| record.is_forgotten_at_once(&keep)) {
            return self.forget(number);
        }
        let write = self.table.close(number, answer, keep);
        write
            .into_iter()
            .chain(self.forget_later(number, now))
            .collect()
    }

    /// A row was answered and is remembered for a while; others may have to go for it.
    pub(super) fn forget_later(&mut self, number: u64, from: Time) -> Vec<Write> {
        self.keep_answered(number, from);
        self.make_room()
    }

    fn make_room(&mut self) -> Vec<Write> {
        let mut writes = Vec::new();
        while let Some((oldest, until)) =
            self.forgettable.too_old(&self.table, self.settings.shards)
        {
            self.deadlines.cancel(until, Timer::Forget(oldest));
            writes.extend(self.forget(oldest));
        }
        writes
    }

    fn keep_answered(&mut self, number: u64, from: Time) {
        let Some(record) = self.table.get(number) else {
            return;
        };
        let settings = &self.settings;
        // A report may still have to find the peer's transaction id.
        let window = if delivery_report::is_reported_on(record)
            && delivery_report::wants_reports_as_response(settings, &record.origin)
        {
            settings.default_validity
        } else {
            settings.duplicate_window
        };
        let until = from.plus(window);
        self.forgettable
            .answered(record.origin.name(), number, until);
        self.deadlines.set(until, Timer::Forget(number));
    }

    /// The time has come to forget a row, or what was remembered of it when it went.
    pub(super) fn forget_due(&mut self, number: u64, now: Time) -> Vec<Write> {
        match self.table.get(number) {
            Some(_) => self.forget(number),
            None => self.sent.forget_over(number, now).into_iter().collect(),
        }
    }

    fn forget(&mut self, number: u64) -> Vec<Write> {
        let Some(record) = self.table.get(number) else {
            return Vec::new();
        };
        let mut writes = Vec::new();
        if let Some((until, kept)) = self.sent.keep(number, record) {
            self.deadlines.set(until, Timer::Forget(number));
            writes = kept;
        }
        self.forgettable.gone(record.origin.name(), number);
        self.reports.forget(record);
        writes.extend(self.table.remove(number));
        writes
    }

    /// A row was taken over, and perhaps the next hop has it: what it may still say is
    /// worth less than room. Whether that is so.
    pub(super) fn lingers(&mut self, number: u64, queues: &dyn Queues) -> bool {
        let lingers = self.table.get(number).is_some_and(|record| {
            let mut open = record.at_peers_open();
            record.state == State::TakenOver && !open.any(|(peer, id)| queues.holds(peer, id))
        });
        if lingers {
            let bytes = self.table.size_of(number);
            self.forgettable.lingers(number, bytes);
        }
        lingers
    }

    /// The oldest row that lingers, if it has to go for others.
    pub(super) fn lingers_too_long(&self) -> Option<u64> {
        self.forgettable.lingers_too_long(Sum {
            number: self.settings.max_lingering,
            bytes: self.settings.max_lingering_bytes,
        })
    }
}
