//! Messages that a client sends once more under another id, because the answer to the first was
//! lost.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use crate::csp::Primitive;
use crate::element::Time;

/// A message is known again for so long; our choice: clients repeat within a few seconds at first.
const SPAN: Duration = Duration::from_secs(60);
/// Messages of one client that are remembered, and repetitions of one that wait; our choice.
const MAX: usize = 16;

/// Where an answer goes: the post and the place in it, and the id of the transaction.
pub(super) type Place = ((u64, usize), String);

#[derive(Debug)]
struct Sent {
    mark: u64,
    at: Time,
    /// Once it is known that the message was taken.
    answer: Option<Primitive>,
    waiting: Vec<Place>,
}

/// What was sent last.
#[derive(Debug, Default)]
pub(super) struct Repeats(VecDeque<Sent>);

/// What a message is.
#[derive(Debug, PartialEq)]
pub(super) enum Repeat {
    /// It was not sent before.
    New,
    /// It is under way, and answered together with that.
    UnderWay,
    /// It was taken, and this was the answer.
    Answered(Primitive),
}

/// The same for messages with the same recipients and content; absent for all other requests.
pub(super) fn mark(request: &Primitive) -> Option<u64> {
    let Primitive::SendMessageRequest(request) = request else {
        return None;
    };
    let mut mark = DefaultHasher::new();
    format!("{:?}", request.info.message.recipients).hash(&mut mark);
    let content = request.content.as_ref();
    content.map(|content| &content.0).hash(&mut mark);
    Some(mark.finish())
}

impl Repeats {
    /// A message has come, and its answer goes there.
    pub(super) fn come(&mut self, mark: u64, place: Place, now: Time) -> Repeat {
        self.0.retain(|sent| now < sent.at.plus(SPAN));
        if let Some(sent) = self.0.iter_mut().find(|sent| sent.mark == mark) {
            if let Some(answer) = &sent.answer {
                return Repeat::Answered(answer.clone());
            }
            if sent.waiting.len() < MAX {
                sent.waiting.push(place);
                return Repeat::UnderWay;
            }
            return Repeat::New;
        }
        self.0.push_back(Sent {
            mark,
            at: now,
            answer: None,
            waiting: Vec::new(),
        });
        if self.0.len() > MAX {
            self.0.pop_front();
        }
        Repeat::New
    }

    /// A message was answered; `is_taken`: with success. Where else that answer goes. One that was
    /// not taken may be sent again.
    pub(super) fn answered(&mut self, mark: u64, answer: &Primitive, is_taken: bool) -> Vec<Place> {
        let Some(at) = self.0.iter().position(|sent| sent.mark == mark) else {
            return Vec::new();
        };
        let Some(sent) = self.0.get_mut(at) else {
            return Vec::new();
        };
        let waiting = std::mem::take(&mut sent.waiting);
        if is_taken {
            sent.answer = Some(answer.clone());
        } else {
            self.0.remove(at);
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::Status;

    #[test]
    fn what_is_remembered_is_bounded_in_number_and_time() {
        let mut repeats = Repeats::default();
        let place = |post: u64| ((post, 0), post.to_string());
        let come = |repeats: &mut Repeats, mark, seconds: u64| {
            repeats.come(mark, place(mark), Time(seconds * 1000))
        };
        for mark in 0..=MAX as u64 {
            assert_eq!(come(&mut repeats, mark, 0), Repeat::New);
        }
        // The oldest was forgotten, and is new again; with that the next oldest is.
        assert_eq!(come(&mut repeats, 0, 1), Repeat::New);
        assert_eq!(come(&mut repeats, 2, 1), Repeat::UnderWay);
        let answer = Primitive::status(Status::ok());
        assert_eq!(repeats.answered(2, &answer, true), [place(2)]);
        assert_eq!(come(&mut repeats, 2, 59), Repeat::Answered(answer.clone()));
        assert_eq!(come(&mut repeats, 2, 60), Repeat::New);
        for _ in 0..MAX {
            assert_eq!(come(&mut repeats, 2, 60), Repeat::UnderWay);
        }
        assert_eq!(come(&mut repeats, 2, 60), Repeat::New);
        assert_eq!(repeats.answered(2, &answer, false).len(), MAX);
        assert_eq!(come(&mut repeats, 2, 60), Repeat::New);
    }
}
