//! The gateway as the joint drives it.

use std::collections::BTreeSet;

use crate::element::{Act, Edge, Element, Input, ServiceElement, Skew, Time, Token};

use super::numbers::Numbers;
use super::shared::verdict;
use super::{ELEMENT, Gateway, SERVES, records, rooms};

impl ServiceElement for Gateway {
    fn name(&self) -> Element {
        ELEMENT
    }

    fn serves(&self) -> &'static [&'static str] {
        SERVES
    }

    fn is_at(&self, edge: Edge) -> bool {
        edge == Edge::Xmpp
    }

    fn prefix(&self) -> &'static str {
        records::PREFIX
    }

    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        if key == Numbers::KEY {
            return self.shared.restore_numbers(value);
        }
        if let Some(rest) = key.strip_prefix(records::OUT) {
            self.shared.links.restore(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::SENT) {
            self.messages.restore_sent(rest, value, &self.shared)
        } else if let Some(rest) = key.strip_prefix(records::RECEIVED) {
            self.messages.restore_received(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::FILE) {
            self.files.restore_sent(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::FETCH) {
            self.files.restore_received(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::PREFERENCE) {
            self.shared.preferences.restore(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::LIST) {
            self.rosters.restore(rest, value, &self.shared)
        } else if let Some(rest) = key.strip_prefix(records::ACCOUNT) {
            self.shared.accounts.restore(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::INVITATION) {
            self.invitations.restore(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::VISIT) {
            self.groups.restore(rest, value)
        } else if key.starts_with(rooms::records::PREFIX) {
            self.rooms.restore(key, value, &self.shared)
        } else if let Some(rest) = key.strip_prefix(records::WATCH_WV) {
            self.watches.restore_wv(rest, value)
        } else if let Some(rest) = key.strip_prefix(records::WATCH_XMPP) {
            self.watches.restore_xmpp(rest, value)
        } else {
            Err(format!("{key} is no record of the gateway"))
        }
    }

    fn take(&mut self, input: Input, now: Time) {
        let shared = &mut self.shared;
        shared.at(now);
        match input {
            Input::Deliver(delivered) => self.deliver(delivered, now),
            Input::Answer(Token(token), answer) if self.messages.asked(token) => {
                let instead = self.messages.answered(token, &answer, now, shared);
                if let Some((component, message)) = instead {
                    self.words(component, message, now);
                }
            }
            Input::Answer(Token(token), answer) if self.rooms.asked(token) => {
                self.rooms.answers(shared, now).take(token, answer);
            }
            Input::Answer(Token(token), answer) if self.groups.asked(token) => {
                self.groups.answered(token, verdict(&answer), shared);
            }
            Input::Answer(Token(token), answer) if self.invitations.asked(token) => {
                self.invitations.answered(token, &answer, now, shared);
            }
            Input::Answer(Token(token), answer) if self.searches.asked(token) => {
                self.searches.answered(token, &answer, now, shared);
            }
            Input::Answer(Token(token), answer) if self.cards.asked(token) => {
                let watches = &self.watches;
                self.cards.answered(token, &answer, watches, now, shared);
            }
            Input::Answer(Token(token), answer) if self.rosters.relays(token) => {
                self.rosters.answered(token, answer, shared);
            }
            Input::Answer(Token(token), answer) => {
                self.watches.answered(token, &answer, now, shared);
            }
            Input::TakenOver(Token(token), known) => {
                self.rooms.answers(shared, now).taken_over(token, &known);
            }
            Input::Reached(domains) => {
                for domain in domains {
                    self.watches.peer_up(&domain, now, shared);
                    self.rooms.peer_up(&domain, now);
                }
            }
            Input::Lost(domains) => {
                for domain in domains {
                    self.watches.peer_down(&domain, now, shared);
                }
            }
            Input::Xmpp(component, from) => self.take_xmpp(&component, from, now),
            Input::Carried(number, carried) => self.files.carried(number, carried, now, shared),
            Input::Granted(number, lines) => self.commands.granted(number, lines, shared),
            Input::Client(..) | Input::Loaded(_) => {}
        }
        self.settle(now);
    }

    fn timeout(&mut self, now: Time) {
        let shared = &mut self.shared;
        shared.at(now);
        self.messages.timeout(now, shared);
        self.files.timeout(now, shared);
        self.commands.timeout(now, shared);
        self.queries.timeout(self.watches.of_xmpp(), now, shared);
        self.watches.timeout(now, shared);
        self.rooms.timeout(now, shared);
        self.invitations.timeout(now, shared);
        self.groups.timeout(now, shared);
        self.searches.timeout(now, shared);
        self.cards.timeout(&self.watches, now, shared);
        self.pictures.timeout(now);
        self.rosters.timeout(now, shared);
        shared.links.timeout(now);
        self.settle(now);
    }

    fn next_timeout(&self) -> Option<Time> {
        let times = [
            self.messages.next_timeout(),
            self.files.next_timeout(),
            self.commands.next_timeout(),
            self.watches.next_timeout(),
            self.queries.next_timeout(),
            self.rooms.next_timeout(),
            self.invitations.next_timeout(),
            self.groups.next_timeout(),
            self.searches.next_timeout(),
            self.cards.next_timeout(),
            self.pictures.next_timeout(),
            self.rosters.next_timeout(),
            self.shared.links.next_timeout(),
        ];
        times.into_iter().flatten().min()
    }

    fn next_act(&mut self) -> Option<Act> {
        self.shared.next_act()
    }

    fn set_skew(&mut self, skew: Skew) {
        self.shared.skew = skew;
    }

    fn concerned(&self) -> BTreeSet<String> {
        let mut domains = self.watches.domains();
        domains.extend(self.rooms.domains());
        domains.extend(self.groups.domains());
        domains
    }

    fn messages_open(&self) -> u64 {
        self.messages.open() + self.files.open() + self.rosters.messages_open()
    }
}
