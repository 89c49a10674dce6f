//! The last things that happened, for `wvgate explain` and `wvgate trace`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sap::Trace;

/// A bounded memory of traces.
#[derive(Debug)]
pub struct TraceLog {
    ring: VecDeque<Arc<Trace>>,
    bound: usize,
}

impl TraceLog {
    /// A memory of the last `bound` traces.
    pub fn new(bound: usize) -> Self {
        Self {
            ring: VecDeque::new(),
            bound,
        }
    }

    /// Adds a trace, forgetting the oldest one if there are too many.
    pub fn push(&mut self, trace: Arc<Trace>) {
        if self.ring.len() >= self.bound {
            self.ring.pop_front();
        }
        self.ring.push_back(trace);
    }

    /// All traces that concern `id`: a message id or a transaction id. The
    /// transactions of a message bring their own traces along.
    pub fn explain(&self, id: &str) -> Vec<Arc<Trace>> {
        let is = |field: &Option<String>, wanted: &str| field.as_deref() == Some(wanted);
        let transactions: Vec<(&Option<String>, &str)> = self
            .ring
            .iter()
            .filter(|trace| is(&trace.message, id))
            .filter_map(|trace| Some((&trace.peer, trace.transaction.as_deref()?)))
            .collect();
        let concerns = |trace: &Trace| {
            is(&trace.message, id)
                || is(&trace.transaction, id)
                || transactions.iter().any(|(peer, transaction)| {
                    **peer == trace.peer && is(&trace.transaction, transaction)
                })
        };
        self.ring
            .iter()
            .filter(|trace| concerns(trace))
            .cloned()
            .collect()
    }

    /// The last traces.
    pub fn last(&self, count: usize) -> Vec<Arc<Trace>> {
        self.ring
            .iter()
            .skip(self.ring.len().saturating_sub(count))
            .cloned()
            .collect()
    }
}
