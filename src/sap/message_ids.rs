//! Message ids that a peer has seen, for dialects whose server silently loses
//! the second message with an id that still waits in its queue (wire profile
//! 9.3.1; deployed-server, section 9, advice 8).
//!
//! A repeated id gets a suffix that names our transaction: `m1~5f2b4c7d-17`. An
//! id that already looks so gets one as well, so that taking one suffix off
//! always gives the sender's id, without any memory of the change. What is
//! remembered are the ids alone: of this run, and of the transactions that the
//! Transaction Table still held at the start.

use std::collections::{HashMap, HashSet, VecDeque};

use super::element::Time;

/// How long an id may wait in a peer's queue: milliseconds (deployed-server,
/// section 2).
const WINDOW: u64 = 86_400_000;
/// Ids remembered of one peer; the oldest are forgotten first. Our choice.
const MOST: usize = 100_000;
/// Between an id and the transaction that it was changed for.
const MARK: char = '~';

/// The ids sent to each peer within the last day.
#[derive(Debug, Default)]
pub(super) struct MessageIds(HashMap<String, Sent>);

#[derive(Debug, Default)]
struct Sent {
    ids: HashSet<String>,
    /// The same ids, oldest first.
    order: VecDeque<(Time, String)>,
}

impl MessageIds {
    /// Notes that a message goes to `peer` under our `transaction`. The id to be
    /// written instead, if this one cannot be used.
    pub(super) fn next(
        &mut self,
        peer: &str,
        id: &str,
        transaction: &str,
        now: Time,
    ) -> Option<String> {
        let fresh = self.remember(peer, id, now);
        (!fresh || original(id).is_some()).then(|| format!("{id}{MARK}{transaction}"))
    }

    /// Notes an id; false if it was there already.
    pub(super) fn remember(&mut self, peer: &str, id: &str, at: Time) -> bool {
        let sent = self.0.entry(peer.to_owned()).or_default();
        while sent.order.len() >= MOST
            || sent
                .order
                .front()
                .is_some_and(|(then, _)| at.since(*then) >= WINDOW)
        {
            let Some((_, old)) = sent.order.pop_front() else {
                break;
            };
            sent.ids.remove(&old);
        }
        let fresh = sent.ids.insert(id.to_owned());
        if fresh {
            sent.order.push_back((at, id.to_owned()));
        }
        fresh
    }
}

/// The sender's id, if this is one that was changed.
pub(super) fn original(id: &str) -> Option<&str> {
    let (original, transaction) = id.rsplit_once(MARK)?;
    let (run, number) = transaction.split_once('-')?;
    let hex = |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (hex(run) && digits).then_some(original)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_use_of_an_id_is_changed_and_can_be_undone() {
        let mut ids = MessageIds::default();
        assert_eq!(ids.next("p", "m1", "00112233-1", Time(0)), None);
        assert_eq!(ids.next("q", "m1", "00112233-2", Time(0)), None);
        let changed = ids.next("p", "m1", "00112233-3", Time(1));
        assert_eq!(changed.as_deref(), Some("m1~00112233-3"));
        assert_eq!(changed.as_deref().and_then(original), Some("m1"));
    }

    #[test]
    fn an_id_that_looks_changed_is_changed_so_that_undoing_is_never_wrong() {
        let mut ids = MessageIds::default();
        let odd = "m1~00112233-3";
        let changed = ids.next("p", odd, "00112233-9", Time(0));
        assert_eq!(changed.as_deref().and_then(original), Some(odd));
        assert_eq!(original("m1~2"), None);
        assert_eq!(original("m1"), None);
    }

    #[test]
    fn ids_are_forgotten_after_a_day_and_never_more_than_the_bound_are_kept() {
        let mut ids = MessageIds::default();
        assert_eq!(ids.next("p", "m1", "00112233-1", Time(0)), None);
        assert_eq!(ids.next("p", "m1", "00112233-2", Time(WINDOW)), None);
        for n in 0..MOST + 10 {
            ids.remember("p", &n.to_string(), Time(WINDOW + 1));
        }
        assert_eq!(ids.0["p"].order.len(), MOST);
        assert_eq!(ids.0["p"].ids.len(), MOST);
    }
}
