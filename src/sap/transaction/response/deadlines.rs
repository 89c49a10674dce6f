//! How long an answer is waited for (wire profile, 7.5).

use std::time::Duration;

use crate::element::Time;
use crate::sap::transaction::record::{Place, Record};

/// Which parts of a request should have been answered by now, and when the next one
/// should be.
pub(in crate::sap::transaction) fn overdue(
    record: &Record,
    timeout: Duration,
    now: Time,
) -> (Vec<Place>, Option<Time>) {
    let (mut late, mut next) = (Vec::new(), None);
    for part in record.parts.iter().filter(|part| part.answer.is_none()) {
        let deadline = part
            .acknowledged
            .unwrap_or(record.received)
            .plus(timeout)
            .min(record.expires);
        if deadline <= now {
            late.push(part.place.clone());
        } else {
            next = Some(next.map_or(deadline, |next: Time| next.min(deadline)));
        }
    }
    (late, next)
}

/// Until when the answer to a message is waited for because it may be about to come.
///
/// A next hop that took the message at once may be about to answer; one that is a relay
/// does so a little later than this node would.
pub(in crate::sap::transaction) fn waits_longer(
    record: &Record,
    timeout: Duration,
    now: Time,
) -> Option<Time> {
    let prompt = record.received.plus(timeout / 4);
    let last = record.received.plus(timeout / 8 * 7);
    let answers_soon = |acknowledged: Option<Time>| acknowledged.is_some_and(|at| at <= prompt);
    let mut open = record.parts.iter().filter(|part| part.answer.is_none());
    let soon = now < last && open.all(|part| answers_soon(part.acknowledged));
    soon.then(|| last.min(record.expires))
}
