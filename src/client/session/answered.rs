//! The answers to the last messages of a client, for one that asks again because an answer was
//! lost.

use std::collections::VecDeque;

use crate::csp::Transaction;

/// Answers that are remembered; our choice: a client has one message under way, or a few.
const MAX: usize = 8;
/// Bytes of them.
const MAX_BYTES: usize = 32 * 1024;

/// What was answered last.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// By the mark of the message, the oldest first.
    last: VecDeque<(u64, Box<[Transaction]>, usize)>,
    bytes: usize,
}

impl Answered {
    /// What a message with this mark was answered.
    pub(super) fn find(&self, mark: u64) -> Option<&[Transaction]> {
        let found = self.last.iter().find(|(of, ..)| *of == mark);
        found.map(|(_, replies, _)| &**replies)
    }

    /// Notes what a message was answered, in so many bytes.
    pub(super) fn note(&mut self, mark: u64, replies: Vec<Transaction>, bytes: usize) {
        self.last.push_back((mark, replies.into(), bytes));
        self.bytes += bytes;
        while self.last.len() > MAX || self.bytes > MAX_BYTES {
            let Some((.., bytes)) = self.last.pop_front() else {
                break;
            };
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answers_are_remembered_in_number_and_bytes() {
        let mut answered = Answered::default();
        for mark in 0..=MAX as u64 {
            answered.note(mark, Vec::new(), 10);
        }
        assert!(answered.find(0).is_none() && answered.find(1).is_some());
        answered.note(100, Vec::new(), MAX_BYTES);
        assert!(answered.find(8).is_none() && answered.find(100).is_some());
        answered.note(101, Vec::new(), MAX_BYTES + 1);
        assert!(answered.find(101).is_none());
        assert_eq!(answered.bytes, 0);
    }
}
