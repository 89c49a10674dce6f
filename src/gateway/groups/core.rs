//! What all visits share.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use xmpp_parsers::jid::Jid;

use super::asking::Question;
use super::visit::Key;
use crate::element::Time;
use crate::gateway::shared::{Ask, Shared};
use crate::gateway::timers::Timers;
use crate::imps::{Address, Code};
use crate::translate::Translator;

/// Until it is asked again whether the room still has a user.
pub(super) const LOOK: Duration = Duration::from_secs(1800);
/// Until what did not work is tried again.
pub(super) const AGAIN: Duration = Duration::from_secs(60);
/// How long a room has for its answers; our choice.
const WAIT: Duration = Duration::from_secs(30);

/// What is to be looked after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Visit(Key),
    Question(u64),
}

/// What all visits share.
#[derive(Debug, Default)]
pub(super) struct Core {
    pub(super) timers: Timers<Due>,
    /// Bytes of all names that users see.
    pub(super) name_bytes: usize,
    /// Questions to rooms, by number.
    pub(super) questions: BTreeMap<u64, Question>,
    /// What was asked on the wire: by id, the question and who alone may answer.
    asked: BTreeMap<String, (u64, String)>,
    /// Who is asked whether they are still there, by the id of it.
    pub(super) pings: BTreeMap<String, Key>,
    /// Users of XMPP who have come into a room: which, who, and under which name.
    pub(super) came: VecDeque<(Address, Address, String)>,
    /// Messages of rooms on their way to users, by token.
    pub(super) told: BTreeMap<u64, String>,
}

impl Core {
    /// Opens a question, and asks what is first.
    pub(super) fn open(&mut self, question: Question, now: Time, shared: &mut Shared) {
        let number = self.keep(question, now, shared);
        self.proceed(number, shared);
    }

    /// Opens a question that goes on when the stanza of that id is answered.
    pub(super) fn open_after(
        &mut self,
        question: Question,
        id: &str,
        now: Time,
        shared: &mut Shared,
    ) {
        let number = self.keep(question, now, shared);
        self.wait_for(id, number);
    }

    fn keep(&mut self, question: Question, now: Time, shared: &mut Shared) -> u64 {
        let number = shared.number();
        let until = question.until.min(now.plus(WAIT));
        self.timers.by(until, Due::Question(number));
        self.questions.insert(number, question);
        number
    }

    /// Asks what is next in a question.
    pub(super) fn proceed(&mut self, number: u64, shared: &mut Shared) {
        let Some(question) = self.questions.get_mut(&number) else {
            return;
        };
        let Some((payload, is_set)) = question.steps.pop_front() else {
            return;
        };
        let ends = (question.from.clone(), Jid::from(question.room.clone()));
        let component = question.component.clone();
        // What does not go out is not answered, and ends with its time.
        if let Some(id) = shared.ask(&component, ends, Ask::new(payload, is_set)) {
            self.wait_for(&id, number);
        }
    }

    /// The answer under that id is one to this question, if it is from its room.
    fn wait_for(&mut self, id: &str, number: u64) {
        if let Some(question) = self.questions.get(&number) {
            let room = question.room.to_string();
            self.asked.insert(id.to_owned(), (number, room));
        }
    }

    /// Whether an answer is awaited under that id, from whom it comes.
    pub(super) fn awaits(&self, id: &str, from: &Jid, translator: &Translator) -> bool {
        let room = from.to_bare();
        if let Some(key) = self.pings.get(id) {
            return translator.jid(&key.group).is_ok_and(|jid| jid == room);
        }
        let asked = self.asked.get(id);
        asked.is_some_and(|(_, of)| room.as_str() == of)
    }

    /// The question to which that is an answer; it is not awaited any more.
    pub(super) fn answered(&mut self, id: &str, from: &Jid) -> Option<u64> {
        let (_, room) = self.asked.get(id)?;
        if from.to_bare().as_str() != room {
            return None;
        }
        self.asked.remove(id).map(|(number, _)| number)
    }

    /// Takes a question out.
    pub(super) fn close(&mut self, number: u64) -> Option<Question> {
        self.asked.retain(|_, (of, _)| *of != number);
        self.questions.remove(&number)
    }
}

/// Whether it may be otherwise in a while.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(
        code.0,
        408 | 500 | 503 | 504 | 507 | 516 | 521 | 522 | 535 | 600..=604 | 817
    )
}
