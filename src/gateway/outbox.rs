//! Stanzas on their way to the XMPP server.
//!
//! What was accepted from the SSP side is written down before it is sent, and
//! forgotten when the server has confirmed it; a new link gets everything that is
//! unconfirmed again, in order and with the same ids. Presence and answers are
//! worth nothing later: they go out while the link is up, else not at all.

use std::collections::BTreeMap;

use tokio_xmpp::Stanza;

use super::records::{Entry, out_key};
use crate::sap::{Act, Time};
use crate::store::Write;
use crate::translate::stanza;

/// A stanza to hand to the link of `component`.
#[derive(Debug, PartialEq)]
pub struct OutStanza {
    /// Whose link.
    pub component: String,
    /// The stanza, complete.
    pub stanza: Stanza,
    /// To be confirmed by [`Gateway::confirmed`](super::Gateway::confirmed) when
    /// the server has processed it; larger than all marks before it on the link.
    pub mark: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: BTreeMap<u64, Entry>,
    up: BTreeMap<String, bool>,
    ready: Vec<OutStanza>,
}

impl Outbox {
    pub(super) fn new(components: &[String]) -> Self {
        Self {
            up: components.iter().map(|c| (c.clone(), false)).collect(),
            ..Self::default()
        }
    }

    pub(super) fn restore(&mut self, number: u64, entry: Entry) {
        self.entries.insert(number, entry);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn holds(&self, number: u64) -> bool {
        self.entries.contains_key(&number)
    }

    pub(super) fn is_up(&self, component: &str) -> bool {
        self.up.get(component).copied().unwrap_or(false)
    }

    /// Hands out a stanza that need not survive.
    pub(super) fn volatile(&mut self, component: &str, stanza: impl Into<Stanza>) {
        if self.is_up(component) {
            self.ready.push(OutStanza {
                component: component.to_owned(),
                stanza: stanza.into(),
                mark: None,
            });
        }
    }

    /// Writes a stanza down and hands it out, now or when the link is up.
    pub(super) fn durable(
        &mut self,
        number: u64,
        component: &str,
        stanza: Stanza,
        message: Option<u64>,
        until: Time,
        out: &mut Vec<Act>,
    ) {
        let entry = Entry {
            component: component.to_owned(),
            stanza: stanza::print(&stanza),
            message,
            until,
        };
        out.push(Act::Write(Write::put_json(out_key(number), &entry)));
        self.entries.insert(number, entry);
        if self.is_up(component) {
            self.ready.push(OutStanza {
                component: component.to_owned(),
                stanza,
                mark: Some(number),
            });
        }
    }

    /// Whether a link is there for refusals, before anything else goes over it.
    pub(super) fn set_up(&mut self, component: &str, up: bool) {
        self.up.insert(component.to_owned(), up);
    }

    /// Everything unconfirmed goes out again.
    pub(super) fn link_up(&mut self, component: &str) {
        self.up.insert(component.to_owned(), true);
        self.ready.retain(|ready| ready.component != component);
        for (number, entry) in &self.entries {
            if entry.component != component {
                continue;
            }
            match stanza::parse(&entry.stanza) {
                Ok(stanza) => self.ready.push(OutStanza {
                    component: component.to_owned(),
                    stanza,
                    mark: Some(*number),
                }),
                Err(error) => tracing::error!(number, error, "a queued stanza cannot be read"),
            }
        }
    }

    pub(super) fn link_down(&mut self, component: &str) {
        self.up.insert(component.to_owned(), false);
        self.ready.retain(|ready| ready.component != component);
    }

    /// Forgets what the server has; returns the messages it was about.
    pub(super) fn confirmed(
        &mut self,
        component: &str,
        mark: u64,
        out: &mut Vec<Act>,
    ) -> Vec<(u64, Option<u64>)> {
        let done: Vec<(u64, Option<u64>)> = self
            .entries
            .range(..=mark)
            .filter(|(_, entry)| entry.component == component)
            .map(|(number, entry)| (*number, entry.message))
            .collect();
        for (number, _) in &done {
            self.remove(*number, out);
        }
        done
    }

    pub(super) fn remove(&mut self, number: u64, out: &mut Vec<Act>) {
        if self.entries.remove(&number).is_some() {
            self.ready.retain(|ready| ready.mark != Some(number));
            out.push(Act::Write(Write::delete(out_key(number))));
        }
    }

    /// Entries that belong to no message and are too old to be of use.
    pub(super) fn expire(&mut self, now: Time, out: &mut Vec<Act>) {
        let old: Vec<u64> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.message.is_none() && entry.until <= now)
            .map(|(number, _)| *number)
            .collect();
        for number in old {
            self.remove(number, out);
        }
    }

    /// When [`Outbox::expire`] has something to do for `number`.
    pub(super) fn take(&mut self) -> Vec<OutStanza> {
        std::mem::take(&mut self.ready)
    }
}
