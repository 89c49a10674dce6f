//! Message ids that a peer has seen, for dialects whose server silently loses
//! the second message with an id that still waits in its queue (wire profile
//! 9.3.1; deployed-server, advice 8).
//!
//! An id that comes again with the same sender, recipients and content is a repetition by
//! somebody who has no answer: the message is on its way, or was there, and is not sent
//! again. Another message under that id gets a suffix that names our transaction:
//! `m1~5f2b4c7d-17`. An id that already looks so gets one as well, so that taking one
//! suffix off always gives the sender's id, without any memory of the change. What is
//! remembered are ids and a hash of each content: of this run, and of the transactions
//! that the Transaction Table still held at the start.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::element::Time;
use crate::ssp::envelope::Transaction;

/// How long an id may wait in a peer's queue (deployed-server, 2).
const WINDOW: Duration = Duration::from_secs(86_400);
/// Ids remembered of one peer; the oldest are forgotten first. Our choice.
const MOST: usize = 100_000;
/// Bytes of them, about. Our choice.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// What an id takes besides its text, twice.
const OVERHEAD: usize = 64;
/// Between an id and the transaction that it was changed for.
const MARK: char = '~';

/// The ids sent to each peer within the last day.
#[derive(Debug, Default)]
pub(in crate::sap) struct MessageIds(HashMap<String, Sent>);

#[derive(Debug, Default)]
struct Sent {
    /// By id: the contents sent under it.
    contents: HashMap<String, Vec<u64>>,
    /// The same, oldest first.
    order: VecDeque<(Time, String, u64)>,
    bytes: usize,
}

/// What a message that is to be sent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sap) enum Use {
    /// The first one under its id.
    Fresh,
    /// Another one under a used id: this one is written instead.
    Changed(String),
    /// One that was sent already.
    Repeated,
}

impl MessageIds {
    /// Notes that a message goes to `peer` under our `transaction`, unless it went already.
    pub(in crate::sap) fn next(
        &mut self,
        peer: &str,
        id: &str,
        content: u64,
        transaction: &str,
        now: Time,
    ) -> Use {
        let before = self.remember(peer, id, content, now);
        match before {
            Before::Same => Use::Repeated,
            Before::None if original(id).is_none() => Use::Fresh,
            _ => Use::Changed(format!("{id}{MARK}{transaction}")),
        }
    }

    /// Notes an id. What was known of it.
    pub(in crate::sap) fn remember(
        &mut self,
        peer: &str,
        id: &str,
        content: u64,
        at: Time,
    ) -> Before {
        let sent = self.0.entry(peer.to_owned()).or_default();
        let cost = 2 * id.len() + OVERHEAD;
        while sent.order.len() >= MOST
            || sent.bytes + cost > MOST_BYTES
            || sent
                .order
                .front()
                .is_some_and(|(then, ..)| at.after(*then) >= WINDOW)
        {
            let Some((_, old, content)) = sent.order.pop_front() else {
                break;
            };
            sent.bytes = sent.bytes.saturating_sub(2 * old.len() + OVERHEAD);
            sent.forget(&old, content);
        }
        let contents = sent.contents.entry(id.to_owned()).or_default();
        if contents.contains(&content) {
            return Before::Same;
        }
        let before = if contents.is_empty() {
            Before::None
        } else {
            Before::Other
        };
        contents.push(content);
        sent.order.push_back((at, id.to_owned(), content));
        sent.bytes += cost;
        before
    }

    /// A message did not stay there: it may come again.
    pub(in crate::sap) fn release(&mut self, peer: &str, id: &str, content: u64) {
        if let Some(sent) = self.0.get_mut(peer)
            && sent.forget(id, content)
        {
            sent.order
                .retain(|(_, of, what)| of != id || *what != content);
            sent.bytes = sent.bytes.saturating_sub(2 * id.len() + OVERHEAD);
        }
    }
}

/// What was known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sap) enum Before {
    None,
    Other,
    Same,
}

impl Sent {
    fn forget(&mut self, id: &str, content: u64) -> bool {
        let Some(contents) = self.contents.get_mut(id) else {
            return false;
        };
        let before = contents.len();
        contents.retain(|known| *known != content);
        let found = contents.len() < before;
        if contents.is_empty() {
            self.contents.remove(id);
        }
        found
    }
}

/// Of sender, recipients and content: what makes two messages of one id the same.
pub(in crate::sap) fn content_of(transaction: &Transaction) -> u64 {
    let raw = transaction.raw.as_ref();
    let element = |name: &str| {
        let begin = memchr::memmem::find(raw, format!("<{name}").as_bytes())?;
        let end = memchr::memmem::rfind(raw, format!("</{name}>").as_bytes())?;
        raw.get(begin..end)
    };
    let mut hasher = DefaultHasher::new();
    transaction.peek.user.hash(&mut hasher);
    for name in ["Sender", "Recipient"] {
        element(name).hash(&mut hasher);
    }
    element("ContentData").unwrap_or(raw).hash(&mut hasher);
    // Not what stands for "not known" in a record.
    hasher.finish() | 1
}

/// The sender's id, if this is one that was changed.
pub(in crate::sap) fn original(id: &str) -> Option<&str> {
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
    fn another_message_under_a_used_id_is_changed_and_can_be_undone() {
        let mut ids = MessageIds::default();
        assert_eq!(ids.next("p", "m1", 1, "00112233-1", Time(0)), Use::Fresh);
        assert_eq!(ids.next("q", "m1", 1, "00112233-2", Time(0)), Use::Fresh);
        let changed = ids.next("p", "m1", 3, "00112233-3", Time(1));
        assert_eq!(changed, Use::Changed("m1~00112233-3".to_owned()));
        assert_eq!(original("m1~00112233-3"), Some("m1"));
    }

    #[test]
    fn the_same_message_is_a_repetition_until_it_was_refused() {
        let mut ids = MessageIds::default();
        assert_eq!(ids.next("p", "m1", 1, "00112233-1", Time(0)), Use::Fresh);
        assert_eq!(ids.next("p", "m1", 1, "00112233-2", Time(5)), Use::Repeated);
        ids.release("p", "m1", 1);
        assert_eq!(ids.next("p", "m1", 1, "00112233-3", Time(9)), Use::Fresh);
    }

    #[test]
    fn an_id_that_looks_changed_is_changed_so_that_undoing_is_never_wrong() {
        let mut ids = MessageIds::default();
        let odd = "m1~00112233-3";
        let Use::Changed(changed) = ids.next("p", odd, 1, "00112233-9", Time(0)) else {
            panic!("it is not changed");
        };
        assert_eq!(original(&changed), Some(odd));
        assert_eq!(original("m1~2"), None);
        assert_eq!(original("m1"), None);
    }

    #[test]
    fn ids_are_forgotten_after_a_day_and_never_more_than_the_bounds_are_kept() {
        let mut ids = MessageIds::default();
        assert_eq!(ids.next("p", "m1", 1, "00112233-1", Time(0)), Use::Fresh);
        let later = Time(0).plus(WINDOW);
        assert_eq!(ids.next("p", "m1", 1, "00112233-2", later), Use::Fresh);
        for n in 0..MOST + 10 {
            ids.remember("p", &n.to_string(), 1, later.plus_millis(1));
        }
        assert_eq!(ids.0["p"].order.len(), MOST);
        assert_eq!(ids.0["p"].contents.len(), MOST);
        for n in 0..100 {
            let long = format!("{n}{}", "x".repeat(1024 * 1024));
            ids.remember("p", &long, 1, later.plus_millis(1));
            assert!(ids.0["p"].bytes <= MOST_BYTES);
        }
        assert!(ids.0["p"].contents.len() < 20);
    }
}
