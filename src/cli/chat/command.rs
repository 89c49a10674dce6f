//! What is typed in a chat, understood.

use crate::home::client::Availability;
use crate::home::{Command, Event};
use crate::imps::Address;

/// What to do with a line.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    /// A command for the node.
    Say(Command),
    /// A line for the user.
    Show(String),
    /// End the chat.
    Quit,
}

/// What is remembered between lines.
#[derive(Debug, Default)]
pub(super) struct Typist {
    partner: Option<Address>,
    report: bool,
}

const HELP: &str = "\
a line without slash    send it to the current partner
/to ADDRESS [TEXT]      choose the partner; carol, or carol@other.domain
/who                    contacts and their presence
/add ADDRESS [NAME]     add a contact, who may then see your presence
/remove ADDRESS         remove a contact
/subscribe ADDRESS      watch somebody's presence; /unsubscribe ends it
/presence ADDRESS       ask for somebody's presence once
/allow ADDRESS          let somebody see your presence; /deny forbids it
/watchers               who watches you
/away [TEXT]  /busy [TEXT]  /back    your availability
/status TEXT  /mood WORD  /alias NAME   what others see of you
/block ADDRESS          take no messages from somebody; /unblock ends it
/verify ADDRESS         does this user exist?
/report on|off          ask for delivery reports
/quit";

impl Typist {
    /// Who writes first becomes the partner.
    pub(super) fn hear(&mut self, event: &Event) {
        if let (Event::Message { from, .. }, None) = (event, &self.partner) {
            self.partner = Some(from.clone());
        }
    }

    /// What a line means.
    pub(super) fn understand(&mut self, line: &str) -> Action {
        let line = line.trim_end();
        let Some(command) = line.strip_prefix('/') else {
            return self.message(line);
        };
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        let about = |make: fn(Address) -> Command| {
            if rest.is_empty() {
                Action::Show(format!("/{name} needs an address"))
            } else {
                Action::Say(make(Address::new(rest)))
            }
        };
        match name {
            "to" => self.choose(rest),
            "who" => Action::Say(Command::Contacts),
            "add" => {
                let (user, name) = rest.split_once(' ').unwrap_or((rest, ""));
                let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
                match user {
                    "" => Action::Show("/add needs an address".to_owned()),
                    user => Action::Say(Command::AddContact {
                        user: Address::new(user),
                        name,
                    }),
                }
            }
            "remove" => about(|user| Command::RemoveContact { user }),
            "subscribe" => about(|user| Command::Subscribe { user }),
            "unsubscribe" => about(|user| Command::Unsubscribe { user }),
            "presence" => about(|user| Command::GetPresence { user }),
            "allow" => about(|user| Command::Authorize { user, accept: true }),
            "deny" => about(|user| Command::Authorize {
                user,
                accept: false,
            }),
            "watchers" => Action::Say(Command::Watchers),
            "away" => available(Availability::NotAvailable, rest),
            "busy" => available(Availability::Discreet, rest),
            "back" => available(Availability::Available, rest),
            "status" => own(Some(rest), None, None),
            "mood" => own(None, Some(rest), None),
            "alias" => own(None, None, Some(rest)),
            "block" => about(|user| Command::Block { user }),
            "unblock" => about(|user| Command::Unblock { user }),
            "verify" => about(|user| Command::Verify { user }),
            "report" => self.reports(rest),
            "help" | "?" => Action::Show(HELP.to_owned()),
            "quit" | "exit" => Action::Quit,
            _ => Action::Show(format!("there is no command /{name}; /help lists them")),
        }
    }

    fn message(&self, text: &str) -> Action {
        match &self.partner {
            Some(partner) => Action::Say(Command::Message {
                to: partner.clone(),
                text: text.to_owned(),
                report: self.report,
                id: None,
            }),
            None => Action::Show("to whom? choose with /to ADDRESS".to_owned()),
        }
    }

    fn choose(&mut self, rest: &str) -> Action {
        let (to, text) = rest.split_once(' ').unwrap_or((rest, ""));
        if to.is_empty() {
            return Action::Show(match &self.partner {
                Some(partner) => format!("you write to {}", partner.bare()),
                None => "/to needs an address".to_owned(),
            });
        }
        self.partner = Some(Address::new(to));
        match text.trim() {
            "" => Action::Show(format!("you write to {to}")),
            text => self.message(text),
        }
    }

    fn reports(&mut self, rest: &str) -> Action {
        self.report = match rest {
            "on" => true,
            "off" => false,
            _ => return Action::Show("write /report on or /report off".to_owned()),
        };
        Action::Show(format!("delivery reports are {rest}"))
    }
}

fn available(availability: Availability, text: &str) -> Action {
    Action::Say(Command::Presence {
        availability: Some(availability),
        text: Some(text.to_owned()).filter(|text| !text.is_empty()),
        mood: None,
        alias: None,
    })
}

fn own(text: Option<&str>, mood: Option<&str>, alias: Option<&str>) -> Action {
    Action::Say(Command::Presence {
        availability: None,
        text: text.map(str::to_owned),
        mood: mood.map(str::to_owned),
        alias: alias.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn a_plain_line_goes_to_the_partner() {
        let mut typist = Typist::default();
        assert!(matches!(typist.understand("hi"), Action::Show(_)));
        assert!(matches!(typist.understand("/to carol"), Action::Show(_)));
        typist.understand("/report on");
        assert_eq!(
            typist.understand("hi there"),
            Action::Say(Command::Message {
                to: Address::new("carol"),
                text: "hi there".to_owned(),
                report: true,
                id: None,
            })
        );
    }

    #[test]
    fn the_partner_may_be_chosen_and_written_to_in_one_line() {
        let mut typist = Typist::default();
        assert!(matches!(
            typist.understand("/to bob@b.test hello you"),
            Action::Say(Command::Message { text, .. }) if text == "hello you"
        ));
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        let words = HELP.split_whitespace();
        for command in words.filter(|word| word.len() > 1 && word.starts_with('/')) {
            let command = command.trim_end_matches(';');
            let action = Typist::default().understand(&format!("{command} x@y.test"));
            assert!(
                !matches!(&action, Action::Show(text) if text.contains("there is no command")),
                "{command}"
            );
        }
    }
}
