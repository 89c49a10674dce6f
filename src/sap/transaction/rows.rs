//! The rows of the Transaction Table in time: when each is looked at, and how long it is kept.

use std::sync::Arc;
use std::time::Duration;

use super::bounds::Forgettable;
use super::delivery_report::{self, Reports};
use super::events::Queues;
use super::record::{Origin, Place, Record, State};
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
        let open = self.table.all_open();
        let mut open: Vec<_> = open
            .map(|(number, record)| (number, self.answer_by(record), record.expires))
            .collect();
        let answered = self.table.all_answered();
        let mut answered: Vec<_> = answered
            .map(|(number, record)| {
                let is_longer = self.is_kept_longer(&record);
                let origin = match record.origin {
                    Origin::Peer { peer, .. } => Some(peer),
                    Origin::Element { .. } => None,
                };
                (record.received, number, origin, is_longer)
            })
            .collect();
        self.sent.start(!open.is_empty() || !answered.is_empty());
        for (number, until) in self.sent.ends() {
            self.deadlines.set(until, Timer::Forget(number));
        }
        answered.sort_unstable_by_key(|(received, number, ..)| (*received, *number));
        for (received, number, origin, is_longer) in answered {
            let until = received.plus(self.window(is_longer));
            let origin = origin.as_deref().unwrap_or_default();
            self.forgettable.answered(origin, number, until, is_longer);
        }
        open.sort_unstable_by_key(|(number, ..)| *number);
        for (number, by, expires) in &open {
            self.deadlines.set(*by.max(&now), Timer::Answer(*number));
            self.deadlines
                .set(*expires.max(&now), Timer::GiveUp(*number));
        }
        let open = open.into_iter().map(|(number, ..)| number).collect();
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
        let record = self.table.open(number);
        if let Some(record) = record {
            self.forgettable.gone(number);
            let by = self.answer_by(record);
            self.deadlines.cancel(by, Timer::Answer(number));
            self.deadlines.cancel(record.expires, Timer::GiveUp(number));
            for (_, id) in record.at_peers() {
                self.unanswered.take(id);
            }
        }
        let Some(record) = record else {
            return Vec::new();
        };
        // What failed stays, for an operator who looks.
        let went_well = answer.as_ref().is_none_or(Body::went_well_here);
        if went_well && record.is_forgotten_at_once(&keep) {
            return self.forget(number);
        }
        let is_longer = self.is_kept_longer(record);
        let until = now.plus(self.window(is_longer));
        self.forgettable
            .answered(record.origin.name(), number, until, is_longer);
        let write = self.table.close(number, answer, keep);
        write.into_iter().chain(self.make_room()).collect()
    }

    /// A row that needs no answer is remembered for a while; others may have to go for it.
    pub(super) fn forget_later(&mut self, number: u64, now: Time) -> Vec<Write> {
        if let Some(record) = self.table.get(number) {
            let is_longer = self.is_kept_longer(&record);
            let until = now.plus(self.window(is_longer));
            self.forgettable
                .answered(record.origin.name(), number, until, is_longer);
        }
        self.make_room()
    }

    /// When [`Rows::due`] has something.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        let timers = [self.deadlines.next(), self.forgettable.next()];
        timers.into_iter().flatten().min()
    }

    /// Takes one thing that is due.
    pub(super) fn due(&mut self, now: Time) -> Option<Timer> {
        let is_first = match (self.deadlines.next(), self.forgettable.next()) {
            (Some(deadline), Some(forgotten)) => forgotten < deadline,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if is_first {
            return self.forgettable.due(now).map(Timer::Forget);
        }
        self.deadlines.due(now)
    }

    fn make_room(&mut self) -> Vec<Write> {
        let mut writes = Vec::new();
        while let Some(oldest) = self.forgettable.too_old(&self.table, self.settings.shards) {
            writes.extend(self.forget(oldest));
        }
        writes
    }

    /// Whether a report may still have to find the peer's transaction id.
    fn is_kept_longer(&self, record: &Record) -> bool {
        delivery_report::is_reported_on(record)
            && delivery_report::wants_reports_as_response(&self.settings, &record.origin)
    }

    /// How long an answered row is remembered.
    fn window(&self, is_longer: bool) -> Duration {
        if is_longer {
            self.settings.default_validity
        } else {
            self.settings.duplicate_window
        }
    }

    /// The time has come to forget a row, or what was remembered of it when it went.
    pub(super) fn forget_due(&mut self, number: u64, now: Time) -> Vec<Write> {
        if self.table.contains(number) {
            return self.forget(number);
        }
        let forgotten = self.sent.forget_over(number, now);
        forgotten.into_iter().collect()
    }

    fn forget(&mut self, number: u64) -> Vec<Write> {
        let Some((record, deleted)) = self.table.remove(number) else {
            return Vec::new();
        };
        let mut writes = Vec::new();
        if let Some((until, kept)) = self.sent.keep(number, &record) {
            self.deadlines.set(until, Timer::Forget(number));
            writes = kept;
        }
        self.forgettable.gone(number);
        self.reports.forget(&record);
        writes.push(deleted);
        writes
    }

    /// A row was taken over, and perhaps the next hop has it: what it may still say is
    /// worth less than room. Whether that is so.
    pub(super) fn lingers(&mut self, number: u64, queues: &dyn Queues) -> bool {
        let lingers = self.table.open(number).is_some_and(|record| {
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
