//! Counters. Those of messages are kept across restarts, so that they add up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::imps::Code;
use crate::sap::{Count, Degraded, Outcome};
use crate::store::Write;

/// All counters, by name with labels as Prometheus writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// As they were when they were last written.
    counters: BTreeMap<String, u64>,
    /// Counted since then: names are made once a batch.
    #[serde(skip)]
    recent: BTreeMap<Count, u64>,
}

/// Counters that are told before anything was counted; besides, refusals with each code that is no
/// success.
const FROM_THE_START: &[Count] = &[
    Count::Accepted,
    Count::Ended(Outcome::Delivered),
    Count::Ended(Outcome::Relayed),
    Count::Ended(Outcome::Expired),
    Count::Ended(Outcome::Degraded(Degraded::PlainText)),
    Count::Ended(Outcome::Degraded(Degraded::Reference)),
    Count::Ended(Outcome::Repeated),
    Count::Ended(Outcome::Untranslatable),
    Count::Received,
    Count::Sent,
    Count::Duplicate,
    Count::Unasked,
    Count::Retried,
    Count::HandshakeDone,
    Count::HandshakeFailed,
    Count::Loop,
    Count::Unreadable,
    Count::TooLarge,
];

/// Key of the kept counters.
pub const KEY: &str = "node/counters";

impl Metrics {
    /// Takes back what was kept.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn restore(value: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(value).map_err(|e| format!("record {KEY} cannot be read: {e}"))
    }

    /// Counts one thing that happened.
    pub fn count(&mut self, count: Count) {
        *self.recent.entry(count).or_default() += 1;
    }

    /// A counter's value.
    pub fn get(&self, wanted: &str) -> u64 {
        let recent = self.recent.iter();
        let recent = recent.filter(|(count, _)| name(**count) == wanted);
        self.counters.get(wanted).copied().unwrap_or(0)
            + recent.map(|(_, times)| times).sum::<u64>()
    }

    /// All counters; those that always exist are there from the start, with zero, so that a rate
    /// can be made of them before anything happens.
    pub fn all(&self) -> BTreeMap<String, u64> {
        let mut all = self.counters.clone();
        let codes = Code::ALL.iter().filter(|code| !code.is_success());
        let refusals = codes.flat_map(|code| {
            [
                Count::Refused(code.0),
                Count::Ended(Outcome::Refused(code.0)),
            ]
        });
        for count in FROM_THE_START.iter().copied().chain(refusals) {
            all.entry(name(count)).or_default();
        }
        for (count, times) in &self.recent {
            *all.entry(name(*count)).or_default() += times;
        }
        all
    }

    /// What to keep, if something changed since it was last asked.
    pub fn take_write(&mut self) -> Option<Write> {
        (!self.recent.is_empty()).then(|| self.write())
    }

    /// What to keep, changed or not.
    pub fn write(&mut self) -> Write {
        for (count, times) in std::mem::take(&mut self.recent) {
            *self.counters.entry(name(count)).or_default() += times;
        }
        Write::put_json(KEY, self)
    }

    /// Messages accepted since the store was made.
    pub fn accepted(&self) -> u64 {
        self.get("wvgate_messages_accepted_total")
    }

    /// Messages that came to an end.
    pub fn ended(&self) -> u64 {
        self.all()
            .into_iter()
            .filter(|(name, _)| name.starts_with("wvgate_messages_ended_total"))
            .map(|(_, value)| value)
            .sum()
    }
}

fn name(count: Count) -> String {
    match count {
        Count::Accepted => "wvgate_messages_accepted_total".to_owned(),
        Count::Ended(outcome) => {
            format!("wvgate_messages_ended_total{{{}}}", outcome_labels(outcome))
        }
        Count::Received => "wvgate_transactions_received_total".to_owned(),
        Count::Sent => "wvgate_transactions_sent_total".to_owned(),
        Count::Duplicate => "wvgate_transactions_duplicate_total".to_owned(),
        Count::Unasked => "wvgate_responses_unasked_total".to_owned(),
        Count::Refused(code) => format!("wvgate_requests_refused_total{{code=\"{code}\"}}"),
        Count::Retried => "wvgate_posts_retried_total".to_owned(),
        Count::HandshakeDone => "wvgate_handshakes_total{result=\"done\"}".to_owned(),
        Count::HandshakeFailed => "wvgate_handshakes_total{result=\"failed\"}".to_owned(),
        Count::Loop => "wvgate_loops_cut_total".to_owned(),
        Count::TooLarge => "wvgate_bodies_too_large_total".to_owned(),
        Count::Unreadable => "wvgate_bodies_unreadable_total".to_owned(),
    }
}

fn outcome_labels(outcome: Outcome) -> String {
    match outcome {
        Outcome::Delivered => "outcome=\"delivered\"".to_owned(),
        Outcome::Relayed => "outcome=\"relayed\"".to_owned(),
        Outcome::Expired => "outcome=\"expired\"".to_owned(),
        Outcome::Refused(code) => format!("outcome=\"refused\",code=\"{code}\""),
        Outcome::Degraded(Degraded::PlainText) => {
            "outcome=\"degraded\",how=\"plain-text\"".to_owned()
        }
        Outcome::Degraded(Degraded::Reference) => {
            "outcome=\"degraded\",how=\"reference\"".to_owned()
        }
        Outcome::Repeated => "outcome=\"repeated\"".to_owned(),
        Outcome::Untranslatable => "outcome=\"untranslatable\"".to_owned(),
    }
}
