//! What a family of commands is: a file of its own beside this one, and a line in the table of
//! families.

use super::memory::Memory;
use crate::imps::{Address, Code, Primitive, Status};

use super::super::screen;

/// A family of commands, and of what is heard.
pub(super) struct Family {
    /// Its part of `/help`: a line for each command.
    pub(super) help: &'static str,
    /// What a command means; `None` if it is not of this family.
    pub(super) understand: fn(&mut Memory, &Command<'_>) -> Option<Meaning>,
    /// What a primitive tells the user; `None` if it is not of this family.
    pub(super) hear: fn(&mut Memory, &Primitive) -> Option<Heard>,
}

/// A line with a slash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command<'a> {
    pub(super) name: &'a str,
    /// What follows the name, without blanks around it.
    pub(super) rest: &'a str,
}

/// What to do with a command.
pub(super) enum Meaning {
    /// Ask, and tell what the answers say when all are there.
    Ask(Vec<Primitive>, Tell),
    /// Ask, and do what the answers mean when all are there.
    Then(Vec<Primitive>, Next),
    /// Upload a file, and tell somebody where it is.
    Share {
        file: String,
        to: Address,
        note: String,
    },
    Show(String),
}

/// Says what the answers to the requests of one line tell together, in their order.
pub(super) type Tell = Box<dyn FnOnce(&mut Memory, &[Primitive]) -> String + Send + Sync>;

/// What the answers to the requests of one line mean, in their order.
pub(super) type Next = Box<dyn FnOnce(&mut Memory, Vec<Primitive>) -> Meaning + Send + Sync>;

/// What a primitive tells; `None` if it is nothing new.
pub(super) type Heard = Option<String>;

impl<'a> Command<'a> {
    /// What stands behind the slash.
    pub(super) fn read(text: &'a str) -> Self {
        let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        Self { name, rest }
    }

    /// The first word of what follows the name, and the rest.
    pub(super) fn split(&self) -> (&'a str, &'a str) {
        let (first, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        (first, rest.trim())
    }

    /// Said if there is no address.
    pub(super) fn needs_address(&self) -> Meaning {
        Meaning::Show(format!("/{} needs an address", self.name))
    }
}

impl Meaning {
    /// Asks, and tells what the answers say.
    pub(super) fn ask(
        requests: Vec<Primitive>,
        tell: impl FnOnce(&mut Memory, &[Primitive]) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::Ask(requests, Box::new(tell))
    }

    /// Asks, and does what the answers mean.
    pub(super) fn then(
        requests: Vec<Primitive>,
        next: impl FnOnce(&mut Memory, Vec<Primitive>) -> Meaning + Send + Sync + 'static,
    ) -> Self {
        Self::Then(requests, Box::new(next))
    }

    /// Asks for one thing, and says whether it was done.
    pub(super) fn done(what: &'static str, about: Option<Address>, request: Primitive) -> Self {
        Self::ask(vec![request], move |_, answers| {
            screen::done(what, about.as_ref(), &verdict(answers))
        })
    }
}

/// A family that hears nothing.
pub(super) fn hears_nothing(_: &mut Memory, _: &Primitive) -> Option<Heard> {
    None
}

/// The verdict of the first answer that has one.
pub(super) fn verdict(answers: &[Primitive]) -> Status {
    let verdict = answers.iter().find_map(|answer| answer.verdict().cloned());
    verdict.unwrap_or_else(|| Status::new(Code::INTERNAL))
}

/// The verdict of the first answer that says no. Whoever has no list of contacts has none.
pub(super) fn failure(answers: &[Primitive]) -> Option<&Status> {
    let mut verdicts = answers.iter().filter_map(Primitive::verdict);
    verdicts.find(|status| !status.code.is_success() && status.code != Code::NO_CONTACT_LIST)
}

/// A text, unless it is empty.
pub(super) fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
