//! Lines that are typed to requests, and what is heard to lines.
//!
//! Each family of commands has a file of its own. What it remembers between lines is in [`Memory`];
//! what its answers tell, it says when it asks.

mod access;
mod contact;
mod directory;
mod family;
mod group;
mod inbox;
mod invitation;
mod list;
mod memory;
mod message;
mod presence;
mod profile;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::screen;
use crate::home::{FromClient, ToClient};
use crate::imps::{Address, Primitive};
use family::{Command, Family, Meaning, Next, Tell};
use memory::Memory;

/// In the order of the help.
const FAMILIES: &[Family] = &[
    message::FAMILY,
    inbox::FAMILY,
    contact::FAMILY,
    list::FAMILY,
    presence::FAMILY,
    group::FAMILY,
    invitation::FAMILY,
    access::FAMILY,
    directory::FAMILY,
    profile::FAMILY,
];

/// What to do with a line.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Requests for the node.
    Say(Vec<FromClient>),
    /// A file for the node, of which somebody is told then.
    Share {
        file: String,
        to: Address,
        note: String,
    },
    /// A line for the user.
    Show(String),
    /// End the session.
    Quit,
}

/// What is typed and heard in one session.
pub(crate) struct Codec {
    memory: Memory,
    /// How many lines became requests.
    asked: u64,
    questions: BTreeMap<u64, Question>,
    /// What follows from answers and was not handed over yet.
    further: Vec<FromClient>,
}

/// What becomes of the answers to a line.
enum Aim {
    Tell(Tell),
    Next(Next),
}

/// A line that became requests.
struct Question {
    aim: Aim,
    /// An answer for each request, as far as they have come.
    answers: Vec<Option<Primitive>>,
}

impl Codec {
    /// For the user of an open session.
    pub(crate) fn new(user: Address, waiting: usize, watched: Option<&Primitive>) -> Self {
        let mut memory = Memory::of(user, waiting);
        if let Some(Primitive::PresenceNotification(notification)) = watched {
            memory.see(notification);
        }
        Self {
            memory,
            asked: 0,
            questions: BTreeMap::new(),
            further: Vec::new(),
        }
    }

    /// The session was lost and is open again. Answers under way do not come; all else is
    /// remembered.
    pub(crate) fn again(&mut self, waiting: usize, watched: Option<&Primitive>) {
        self.questions.clear();
        self.further.clear();
        self.memory.waited = waiting;
        if let Some(Primitive::PresenceNotification(notification)) = watched {
            self.memory.see(notification);
        }
    }

    /// Whom a line without slash goes to, and whether that is a contact list.
    pub(crate) fn partner(&self) -> Option<(&Address, bool)> {
        let partner = self.memory.partner.as_ref()?;
        Some((partner, self.memory.to_list))
    }

    /// A line without slash goes to them from now on.
    pub(crate) fn choose(&mut self, partner: Address, is_list: bool) {
        self.memory.choose(partner, is_list);
    }

    /// The request that ends a message which cannot be brought to the user.
    pub(crate) fn reject(&self, message: String) -> Primitive {
        self.memory.requests.reject(message)
    }

    /// What a line means.
    pub(crate) fn understand(&mut self, line: &str) -> Action {
        let line = sayable(line);
        let line = line.trim_end();
        let Some(command) = line.strip_prefix('/') else {
            let meaning = message::send(&mut self.memory, line);
            return self.act(meaning);
        };
        let command = Command::read(command);
        // Phones begin a word with a capital letter.
        let name = command.name.to_ascii_lowercase();
        let command = Command {
            name: &name,
            ..command
        };
        match command.name {
            "help" | "?" => return Action::Show(help()),
            "quit" | "exit" | "logout" => return Action::Quit,
            _ => {}
        }
        let memory = &mut self.memory;
        let mut meanings = FAMILIES.iter();
        match meanings.find_map(|family| (family.understand)(memory, &command)) {
            Some(meaning) => self.act(meaning),
            None => {
                let name = command.name;
                Action::Show(format!("there is no command /{name}; /help lists them"))
            }
        }
    }

    fn act(&mut self, meaning: Meaning) -> Action {
        let (requests, aim) = match meaning {
            Meaning::Ask(requests, tell) => (requests, Aim::Tell(tell)),
            Meaning::Then(requests, next) => (requests, Aim::Next(next)),
            Meaning::Show(text) => return Action::Show(text),
            Meaning::Share { file, to, note } => return Action::Share { file, to, note },
        };
        self.asked += 1;
        let question = Question {
            aim,
            answers: vec![None; requests.len()],
        };
        self.questions.insert(self.asked, question);
        let requests = requests.into_iter().enumerate();
        let requests = requests.map(|(part, primitive)| FromClient::Request {
            id: format!("{}.{part}", self.asked),
            primitive: Box::new(primitive),
        });
        Action::Say(requests.collect())
    }

    /// What follows when a file was uploaded.
    pub(crate) fn uploaded(&mut self, to: Address, url: String, note: &str) -> Action {
        let meaning = invitation::uploaded(&mut self.memory, to, url, note);
        self.act(meaning)
    }

    /// What is heard, for the user; `None` if it is nothing new to them.
    pub(crate) fn hear(&mut self, told: &ToClient) -> Option<String> {
        match told {
            ToClient::Opened { user, waiting, .. } => Some(screen::opened(user, *waiting)),
            ToClient::Answer { id, primitive, .. } => self.answered(id, primitive),
            ToClient::Take { primitive, .. } | ToClient::Now { primitive } => self.told(primitive),
            ToClient::Over { why } => Some(screen::failed("session", None, &why.status())),
        }
    }

    fn told(&mut self, primitive: &Primitive) -> Option<String> {
        let memory = &mut self.memory;
        let mut heard = FAMILIES.iter();
        let heard = heard.find_map(|family| (family.hear)(memory, primitive));
        heard.unwrap_or_else(|| Some(format!("* {}", primitive.name())))
    }

    /// Takes an answer. Says what they tell together when the last has come.
    fn answered(&mut self, id: &str, answer: &Primitive) -> Option<String> {
        let numbers = id.split_once('.');
        let numbers = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let (number, part): (u64, usize) = numbers?;
        let question = self.questions.get_mut(&number)?;
        *question.answers.get_mut(part)? = Some(answer.clone());
        if question.answers.iter().any(Option::is_none) {
            return None;
        }
        let Question { aim, answers } = self.questions.remove(&number)?;
        let answers: Vec<Primitive> = answers.into_iter().flatten().collect();
        let meaning = match aim {
            Aim::Tell(tell) => return Some(tell(&mut self.memory, &answers)),
            Aim::Next(next) => next(&mut self.memory, answers),
        };
        match self.act(meaning) {
            Action::Say(requests) => self.further.extend(requests),
            Action::Show(text) => return Some(text),
            Action::Share { .. } | Action::Quit => {}
        }
        None
    }

    /// How many lines wait for answers.
    pub(crate) fn under_way(&self) -> usize {
        self.questions.len()
    }

    /// Requests that follow from what was heard.
    pub(crate) fn further(&mut self) -> Vec<FromClient> {
        std::mem::take(&mut self.further)
    }
}

/// What is typed, with blanks for what no message can say: control characters and what is no
/// character of XML.
fn sayable(line: &str) -> String {
    let is_no_text = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    line.replace(
        |c| is_no_text(c) || matches!(c, '\u{fffe}' | '\u{ffff}'),
        " ",
    )
}

const QUIT: &str = "/quit                   end the session; so does /logout";

/// All commands, a line each.
fn help() -> String {
    let parts = FAMILIES.iter().map(|family| family.help);
    let parts = parts.filter(|part| !part.is_empty()).chain([QUIT]);
    parts.collect::<Vec<&str>>().join("\n")
}

/// The names of all commands, and how to hear more of one.
pub(crate) fn commands() -> String {
    let help = help();
    let mut names: Vec<&str> = Vec::new();
    for name in help.lines().flat_map(commands_of) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    format!("/{} - /help NAME tells more of one", names.join(" /"))
}

/// What commands of this name do; nothing if there is none.
pub(crate) fn help_on(name: &str) -> Option<String> {
    let name = name.trim_start_matches('/').to_ascii_lowercase();
    let help = help();
    let lines = help
        .lines()
        .filter(|line| commands_of(line).any(|one| one == name));
    let lines = lines.map(|line| line.split_whitespace().collect::<Vec<&str>>().join(" "));
    let lines = lines.collect::<Vec<String>>().join("\n");
    Some(lines).filter(|lines| !lines.is_empty())
}

/// The names of the commands of which a line of the help tells.
fn commands_of(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split_whitespace();
    let commands = words.filter_map(|word| word.strip_prefix('/'));
    commands.map(|name| name.trim_end_matches([',', ';', ':', '.']))
}
