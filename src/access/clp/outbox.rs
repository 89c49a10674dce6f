//! What is on its way to a phone by short messages: one after the other, each until the gateway has
//! taken it.

use std::collections::VecDeque;
use std::time::Duration;

use super::pieces;
use crate::element::Time;

/// Texts that may wait; our choice. Nothing more is heard until the gateway takes some.
const MAX: usize = 32;
/// The first wait after the gateway has not taken a message, and the longest; each is twice as long
/// as the one before. Our choice.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
/// How often a text that nobody acknowledges is tried; our choice. Others are as long as the session
/// lasts.
const TIMES: u32 = 8;

#[derive(Debug)]
struct Item {
    /// Messages that the gateway has not taken, the first of them next.
    pieces: VecDeque<String>,
    /// To be acknowledged when it has all of them.
    number: Option<u64>,
    /// The id of the message that the text is.
    message: Option<String>,
}

/// A text that no gateway takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// To be acknowledged, when its sender was told.
    pub(super) number: Option<u64>,
    /// The id of the message that it was.
    pub(super) message: Option<String>,
}

/// The texts for one phone.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    items: VecDeque<Item>,
    failures: u32,
    /// Nothing is tried before.
    not_before: Option<Time>,
}

impl Outbox {
    /// Whether one more text may wait.
    pub(super) fn has_room(&self) -> bool {
        self.items.len() < MAX
    }

    /// Whether the text of this number waits.
    pub(super) fn has(&self, number: u64) -> bool {
        self.items.iter().any(|item| item.number == Some(number))
    }

    /// A text that is worth nothing later.
    pub(super) fn push(&mut self, text: &str) {
        self.push_numbered(text, None, None);
    }

    /// A text to be acknowledged, which may be a message.
    pub(super) fn push_numbered(
        &mut self,
        text: &str,
        number: Option<u64>,
        message: Option<String>,
    ) {
        let pieces = pieces::of(text).into();
        self.items.push_back(Item {
            pieces,
            number,
            message,
        });
    }

    /// The message that is to be sent next, if it is time.
    pub(super) fn next(&self, now: Time) -> Option<&str> {
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.items.front()?.pieces.front().map(String::as_str)
    }

    /// When the next message is due that was not taken.
    pub(super) fn due(&self) -> Option<Time> {
        self.not_before.filter(|_| !self.items.is_empty())
    }

    /// The gateway has the message: what is to be acknowledged with that.
    pub(super) fn taken(&mut self) -> Option<u64> {
        self.failures = 0;
        self.not_before = None;
        let item = self.items.front_mut()?;
        item.pieces.pop_front();
        if !item.pieces.is_empty() {
            return None;
        }
        self.items.pop_front()?.number
    }

    /// It will never take it: the text is given up.
    pub(super) fn refused(&mut self) -> Option<Dropped> {
        self.failures = 0;
        self.not_before = None;
        let Item {
            number, message, ..
        } = self.items.pop_front()?;
        Some(Dropped { number, message })
    }

    /// It has not.
    pub(super) fn failed(&mut self, now: Time) {
        self.failures += 1;
        let factor = 1 << (self.failures - 1).min(16);
        self.not_before = Some(now.plus(FIRST.saturating_mul(factor).min(LONGEST)));
        let is_over = |item: &Item| item.number.is_none();
        if self.failures >= TIMES && self.items.front().is_some_and(is_over) {
            self.items.pop_front();
            self.failures = 0;
        }
    }

    /// The session is over: what has a number waits for the next one. `is_sent`: the next message is
    /// on its way, so its text is told to the end.
    pub(super) fn forget_numbered(&mut self, is_sent: bool) {
        if is_sent && let Some(first) = self.items.front_mut() {
            first.number = None;
        }
        self.items.retain(|item| item.number.is_none());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_acknowledged_when_all_its_messages_were_taken() {
        let mut outbox = Outbox::default();
        outbox.push_numbered(&"x".repeat(200), Some(7), None);
        outbox.push("answer");
        assert!(outbox.next(Time(0)).unwrap().starts_with("(1/2) "));
        assert_eq!(outbox.taken(), None);
        assert!(outbox.next(Time(0)).unwrap().starts_with("(2/2) "));
        assert_eq!(outbox.taken(), Some(7));
        assert_eq!(outbox.next(Time(0)), Some("answer"));
        assert_eq!((outbox.taken(), outbox.next(Time(0))), (None, None));
    }

    #[test]
    fn what_is_not_taken_is_tried_again_ever_later() {
        let mut outbox = Outbox::default();
        outbox.push_numbered("one", Some(1), None);
        outbox.failed(Time(0));
        assert_eq!(outbox.due(), Some(Time(2000)));
        assert_eq!(
            (outbox.next(Time(1999)), outbox.next(Time(2000))),
            (None, Some("one"))
        );
        outbox.failed(Time(2000));
        assert_eq!(outbox.due(), Some(Time(6000)));
        for _ in 0..100 {
            outbox.failed(Time(0));
        }
        // A message is not given up.
        assert_eq!(outbox.due(), Some(Time(0).plus(LONGEST)));
        assert_eq!(outbox.next(Time(0).plus(LONGEST)), Some("one"));
        assert_eq!((outbox.taken(), outbox.due()), (Some(1), None));
    }

    #[test]
    fn a_text_that_is_refused_for_good_is_given_up_alone() {
        let mut outbox = Outbox::default();
        outbox.push_numbered(&"x".repeat(200), Some(7), Some("m1".to_owned()));
        outbox.push_numbered("next", Some(8), None);
        outbox.failed(Time(0));
        assert!(outbox.has(7));
        let dropped = Dropped {
            number: Some(7),
            message: Some("m1".to_owned()),
        };
        assert_eq!(outbox.refused(), Some(dropped));
        assert!(!outbox.has(7) && outbox.has(8));
        assert_eq!(outbox.next(Time(0)), Some("next"));
        assert_eq!(outbox.taken(), Some(8));
        assert_eq!(outbox.refused(), None);
    }

    #[test]
    fn an_answer_is_given_up_and_what_waits_is_bounded() {
        let mut outbox = Outbox::default();
        outbox.push("answer");
        outbox.push_numbered("message", Some(1), None);
        for _ in 0..TIMES {
            outbox.failed(Time(0));
        }
        assert_eq!(outbox.next(Time(u64::MAX)), Some("message"));
        outbox.push_numbered("next", Some(2), None);
        outbox.forget_numbered(true);
        assert_eq!(outbox.next(Time(u64::MAX)), Some("message"));
        assert_eq!((outbox.taken(), outbox.next(Time(0))), (None, None));
        outbox.push_numbered("message", Some(1), None);
        outbox.forget_numbered(false);
        assert_eq!(outbox.next(Time(u64::MAX)), None);
        for number in 0..MAX as u64 {
            assert!(outbox.has_room());
            outbox.push_numbered("x", Some(number), None);
        }
        assert!(!outbox.has_room());
    }
}
