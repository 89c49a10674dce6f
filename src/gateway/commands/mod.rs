//! Commands at the gateway's own address, as XEP-0050 has them and as words in a chat (XEP-0100).
//!
//! | command | whose | in a chat |
//! |---|---|---|
//! | `whoami`, `address`, `preferences` | everybody's | `whoami`, `address NAME`, `preferences`, `hints on`, `files off` |
//! | `peers`, `reload`, `announce`, `drain` | operators' | the same; `announce TEXT` |
//!
//! Operators are those whose addresses the configuration names. What only the process can do is a
//! wish, and answered when it has been granted.

mod order;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Lang, Message, MessageType};
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::records::bare;
use super::shared::Shared;
use super::timers::Timers;
use crate::element::{Act, Time};
use crate::translate::command::{Said, answer, asked, given, info, list, words};
use crate::translate::stanza::ns;
use order::{Asker, Does, Order};

/// How long the process has to grant a wish; our choice.
const WAIT: Duration = Duration::from_secs(60);
/// Wishes that may be open; our choice.
const MAX_OPEN: usize = 16;
/// Users who get one announcement; our choice.
const MAX_TOLD: usize = 10_000;

/// Whom an answer is for.
#[derive(Debug)]
struct Asked {
    component: String,
    from: Jid,
    to: Jid,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Command {
        id: String,
        node: String,
        session: String,
    },
    Chat,
}

/// Something that is to be told to all.
#[derive(Debug)]
pub(super) struct Announcement {
    /// The domain that tells it.
    pub(super) component: String,
    text: String,
    asked: Asked,
}

impl Announcement {
    /// Tells it to these users.
    pub(super) fn tell(&self, users: &BTreeSet<String>, now: Time, shared: &mut Shared) {
        let component = self.component.as_str();
        let mut told = 0;
        for user in users.iter().take(MAX_TOLD) {
            let Ok(to) = Jid::new(user) else { continue };
            let mut message = Message::new_with_type(MessageType::Headline, to);
            message.from = Jid::new(component).ok();
            message.id = Some(xmpp_parsers::message::Id(shared.id()));
            message.bodies.insert(Lang::new(), self.text.clone());
            shared.send(component, message, now);
            told += 1;
        }
        let line = format!("It goes to {told} of {} users.", users.len());
        self.asked.tell(&Said::Done(vec![line]), shared);
    }
}

/// Commands, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Commands {
    open: BTreeMap<u64, Asked>,
    timers: Timers<u64>,
    announcements: VecDeque<Announcement>,
}

impl Commands {
    /// A question that may be about commands; gives it back if it is not.
    pub(super) fn iq(
        &mut self,
        component: &str,
        iq: Iq,
        now: Time,
        shared: &mut Shared,
    ) -> Option<Iq> {
        let (Iq::Get {
            from: Some(from),
            to: Some(to),
            id,
            payload,
        }
        | Iq::Set {
            from: Some(from),
            to: Some(to),
            id,
            payload,
        }) = &iq
        else {
            return Some(iq);
        };
        if to.node().is_some() {
            return Some(iq);
        }
        let asker = Asker::of(from, to, shared);
        if matches!(iq, Iq::Get { .. }) {
            let told = match asked(payload) {
                Some((ns::COMMANDS, true)) => list(to.as_str(), &asker.commands()),
                Some((ns::COMMANDS, false)) => info(ns::COMMANDS, "Commands"),
                Some((node, false)) => match asker.order(node) {
                    Ok(order) => info(node, order.label()),
                    Err(_) => return Some(iq),
                },
                _ => return Some(iq),
            };
            let result = Iq::Result {
                from: Some(to.clone()),
                to: Some(from.clone()),
                id: id.clone(),
                payload: Some(told),
            };
            shared.hand(component, result);
            return None;
        }
        let Some(given) = given(payload) else {
            return Some(iq);
        };
        let session = given.session.clone().unwrap_or_else(|| shared.id());
        let asked = Asked {
            component: component.to_owned(),
            from: from.clone(),
            to: to.clone(),
            way: Way::Command {
                id: id.clone(),
                node: given.node.clone(),
                session,
            },
        };
        match asker.command(&given, shared) {
            Ok(does) => self.carry_out(does, asked, now, shared),
            Err(condition) => {
                let kind = match condition {
                    DefinedCondition::Forbidden => ErrorType::Auth,
                    _ => ErrorType::Cancel,
                };
                let mut error = StanzaError::new(kind, condition, "en", "");
                error.texts.clear();
                shared.refuse_iq(component, iq, error);
            }
        }
        None
    }

    /// Words to the gateway itself; whether they were a command. Nothing else is answered: two that
    /// answer everything would never end.
    pub(super) fn words(
        &mut self,
        component: &str,
        message: &Message,
        now: Time,
        shared: &mut Shared,
    ) -> bool {
        let (Some(from), Some(to)) = (&message.from, &message.to) else {
            return false;
        };
        let is_talk = matches!(message.type_, MessageType::Chat | MessageType::Normal);
        let body = message.bodies.values().next();
        let Some(body) = body.filter(|_| is_talk && to.node().is_none()) else {
            return false;
        };
        let (word, rest) = words(body);
        let asker = Asker::of(from, to, shared);
        let Some(does) = Order::by_words(&word, rest, &asker, shared) else {
            return false;
        };
        let asked = Asked {
            component: component.to_owned(),
            from: from.clone(),
            to: to.clone(),
            way: Way::Chat,
        };
        self.carry_out(does, asked, now, shared);
        true
    }

    fn carry_out(&mut self, does: Does, asked: Asked, now: Time, shared: &mut Shared) {
        match does {
            Does::Say(said) => asked.tell(&said, shared),
            Does::Choose(preference) => {
                let written = shared.preferences.set(&bare(&asked.from), preference);
                let line = if written.is_some() {
                    "Your choice is kept."
                } else {
                    "There is no room for your choice now."
                };
                if let Some(write) = written {
                    shared.write(write);
                }
                asked.tell(&Said::Done(vec![line.to_owned()]), shared);
            }
            Does::Wish(wish) if self.open.len() < MAX_OPEN => {
                tracing::info!(operator = %bare(&asked.from), ?wish, "a command of an operator");
                let number = shared.number();
                self.timers.by(now.plus(WAIT), number);
                self.open.insert(number, asked);
                shared.act(Act::Wish(number, wish));
            }
            Does::Wish(_) => {
                let line = "Too many commands wait; try again later.".to_owned();
                asked.tell(&Said::Done(vec![line]), shared);
            }
            Does::Announce(text) => {
                tracing::info!(operator = %bare(&asked.from), "an announcement of an operator");
                self.announcements.push_back(Announcement {
                    component: asked.component.clone(),
                    text,
                    asked,
                });
            }
        }
    }

    /// What is to be told to all who are known.
    pub(super) fn next_announcement(&mut self) -> Option<Announcement> {
        self.announcements.pop_front()
    }

    /// What came of a wish.
    pub(super) fn granted(&mut self, number: u64, lines: Vec<String>, shared: &mut Shared) {
        let Some(asked) = self.open.remove(&number) else {
            return;
        };
        let lines = if lines.is_empty() {
            vec!["Nobody was there to do it.".to_owned()]
        } else {
            lines
        };
        asked.tell(&Said::Done(lines), shared);
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time, shared: &mut Shared) {
        while let Some(number) = self.timers.pop(now) {
            self.granted(number, Vec::new(), shared);
        }
    }
}

impl Asked {
    fn tell(&self, said: &Said, shared: &mut Shared) {
        match &self.way {
            Way::Command { id, node, session } => {
                let result = Iq::Result {
                    from: Some(self.to.clone()),
                    to: Some(self.from.clone()),
                    id: id.clone(),
                    payload: Some(answer(node, session, said)),
                };
                shared.hand(&self.component, result);
            }
            Way::Chat => {
                let Said::Done(lines) = said else { return };
                let mut message = Message::new_with_type(MessageType::Chat, self.from.clone());
                message.from = Some(Jid::from(self.to.to_bare()));
                message.bodies.insert(Lang::from("en"), lines.join("\n"));
                shared.hand(&self.component, message);
            }
        }
    }
}
