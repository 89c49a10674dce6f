//! What each command does, whichever way it came.

use std::collections::BTreeMap;

use xmpp_parsers::jid::Jid;
use xmpp_parsers::stanza_error::DefinedCondition;

use super::super::preferences::Preference;
use super::super::records::bare;
use super::super::shared::Shared;
use crate::element::Wish;
use crate::translate::command::{Action, Field, Given, Said, Value, is_on};

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Whoami,
    Address,
    Preferences,
    Peers,
    Reload,
    Announce,
    Drain,
}

/// All commands: their nodes, their names to people, and whether they are operators' alone.
const ALL: &[(Order, &str, &str, bool)] = &[
    (Order::Whoami, "whoami", "Who am I over there?", false),
    (
        Order::Address,
        "address",
        "Address of somebody over there",
        false,
    ),
    (Order::Preferences, "preferences", "Preferences", false),
    (Order::Peers, "peers", "Peers of the node", true),
    (
        Order::Reload,
        "reload",
        "Read the configuration again",
        true,
    ),
    (
        Order::Announce,
        "announce",
        "Tell something to all users",
        true,
    ),
    (
        Order::Drain,
        "drain",
        "Deliver what can be delivered, and end",
        true,
    ),
];

/// What follows from a command.
#[derive(Debug)]
pub(super) enum Does {
    Say(Said),
    Choose(Preference),
    Wish(Wish),
    Announce(String),
}

/// Who gives a command, and where.
pub(super) struct Asker<'a> {
    from: &'a Jid,
    to: &'a Jid,
    is_operator: bool,
}

fn line(text: impl Into<String>) -> Does {
    Does::Say(Said::Done(vec![text.into()]))
}

impl<'a> Asker<'a> {
    pub(super) fn of(from: &'a Jid, to: &'a Jid, shared: &Shared) -> Self {
        let own = bare(from);
        let operators = &shared.settings.operators;
        Self {
            from,
            to,
            is_operator: operators.contains(&own),
        }
    }

    /// The commands that they may give: nodes and names.
    pub(super) fn commands(&self) -> Vec<(&'static str, &'static str)> {
        let theirs = ALL
            .iter()
            .filter(|(.., is_operators)| self.is_operator || !is_operators);
        theirs.map(|(_, node, label, _)| (*node, *label)).collect()
    }

    /// The command of that node.
    ///
    /// # Errors
    /// There is none, or it is not theirs.
    pub(super) fn order(&self, node: &str) -> Result<Order, DefinedCondition> {
        let found = ALL.iter().find(|(_, name, ..)| *name == node);
        match found {
            None => Err(DefinedCondition::ItemNotFound),
            Some((.., true)) if !self.is_operator => Err(DefinedCondition::Forbidden),
            Some((order, ..)) => Ok(*order),
        }
    }

    /// What follows from a command of theirs.
    ///
    /// # Errors
    /// There is no such command, or it is not theirs.
    pub(super) fn command(&self, given: &Given, shared: &Shared) -> Result<Does, DefinedCondition> {
        let order = self.order(&given.node)?;
        if given.action == Action::Cancel {
            return Ok(Does::Say(Said::Left));
        }
        Ok(order.by_form(self, given.fields.as_ref(), shared))
    }

    fn help(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "{} is a gateway to Wireless Village. Users there have addresses below it; add them as \
                 contacts or write to them.",
                self.to.domain()
            ),
            "whoami - who you are over there".to_owned(),
            "address NAME@DOMAIN - the address of somebody over there".to_owned(),
            "preferences - what you have chosen".to_owned(),
            "hints on|off - notices about encrypted messages".to_owned(),
            "files on|off - links of yours may be sent as what is there".to_owned(),
        ];
        if self.is_operator {
            lines.push("For operators: peers, reload, announce TEXT, drain".to_owned());
        }
        lines
    }
}

impl Order {
    /// Its name to people.
    pub(super) fn label(self) -> &'static str {
        let found = ALL.iter().find(|(order, ..)| *order == self);
        found.map_or("", |(_, _, label, _)| *label)
    }

    /// What it does with what was filled in; without that it may want something.
    pub(super) fn by_form(
        self,
        asker: &Asker<'_>,
        fields: Option<&BTreeMap<String, String>>,
        shared: &Shared,
    ) -> Does {
        let form = |instructions: &'static str, fields: Vec<Field>| {
            Does::Say(Said::Form {
                title: self.label(),
                instructions,
                fields,
            })
        };
        let text = |name: &str| {
            fields
                .and_then(|fields| fields.get(name))
                .map(String::as_str)
        };
        match self {
            Self::Address => match text("address") {
                Some(text) => address(text, shared),
                None => form(
                    "Enter the address of somebody over there.",
                    vec![Field {
                        name: "address",
                        label: "name@domain",
                        value: Value::Line(String::new()),
                    }],
                ),
            },
            Self::Preferences => {
                let now = shared.preferences.of(&bare(asker.from));
                if fields.is_none() {
                    let switch = |name, label, value| Field {
                        name,
                        label,
                        value: Value::Switch(value),
                    };
                    return form(
                        "They hold for your address.",
                        vec![
                            switch("hints", "Notices about encrypted messages", now.hints),
                            switch(
                                "files",
                                "Links of yours may be sent as what is there",
                                now.files,
                            ),
                        ],
                    );
                }
                Does::Choose(Preference {
                    hints: text("hints").map_or(now.hints, is_on),
                    files: text("files").map_or(now.files, is_on),
                })
            }
            Self::Announce => match text("text").map(str::trim).filter(|text| !text.is_empty()) {
                Some(text) => Does::Announce(text.to_owned()),
                None => form(
                    "It goes to all XMPP users who watch somebody over there or are watched.",
                    vec![Field {
                        name: "text",
                        label: "Text",
                        value: Value::Text(String::new()),
                    }],
                ),
            },
            Self::Whoami => whoami(asker, shared),
            Self::Peers => Does::Wish(Wish::Peers),
            Self::Reload => Does::Wish(Wish::Reload),
            Self::Drain => Does::Wish(Wish::Drain),
        }
    }

    /// What words in a chat want; `None` if they are no command, or not theirs.
    pub(super) fn by_words(
        word: &str,
        rest: &str,
        asker: &Asker<'_>,
        shared: &Shared,
    ) -> Option<Does> {
        let choice = shared.preferences.of(&bare(asker.from));
        let switch = match rest.to_lowercase().as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        match (word, switch) {
            ("help" | "?", _) if rest.is_empty() => {
                return Some(Does::Say(Said::Done(asker.help())));
            }
            ("hints", Some(hints)) => return Some(Does::Choose(Preference { hints, ..choice })),
            ("files", Some(files)) => return Some(Does::Choose(Preference { files, ..choice })),
            _ => {}
        }
        let order = asker.order(word).ok()?;
        Some(match order {
            Self::Address if !rest.is_empty() => address(rest, shared),
            Self::Announce if !rest.is_empty() => Does::Announce(rest.to_owned()),
            _ if !rest.is_empty() => return None,
            Self::Address => line("Write: address NAME@DOMAIN"),
            Self::Announce => line("Write: announce TEXT"),
            Self::Preferences => {
                let said = |is_on| if is_on { "on" } else { "off" };
                Does::Say(Said::Done(vec![
                    format!("hints {}", said(choice.hints)),
                    format!("files {}", said(choice.files)),
                ]))
            }
            other => other.by_form(asker, None, shared),
        })
    }
}

fn whoami(asker: &Asker<'_>, shared: &Shared) -> Does {
    match shared.translator.address(asker.from) {
        Ok(address) => line(format!("Over there you are {address}.")),
        Err(_) => line("Over there your address cannot be written."),
    }
}

fn address(text: &str, shared: &Shared) -> Does {
    match shared.translator.typed(text) {
        Some(jid) => line(jid.to_string()),
        None => line("This is no address of the network behind this gateway."),
    }
}
