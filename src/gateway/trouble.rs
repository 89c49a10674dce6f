//! What goes wrong between this node and its XMPP server: stanzas that the link
//! cannot take, and stanzas that it should not have brought.

use tokio_xmpp::Stanza;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::MessageType;
use xmpp_parsers::presence::Type;

use super::Gateway;
use super::outbox::GivenUp;
use super::records::TargetState;
use crate::sap::{Act, Time};
use crate::ssp::Code;
use crate::text::Shown;
use crate::translate::stanza::ends;
use crate::xmpp::link::Blame;

impl Gateway {
    /// The link of `component` is lost: watchers are told if it does not come back.
    /// `blame` says whether a stanza may be why; one at which the link ends again
    /// and again is given up, its sender told.
    pub fn link_down(&mut self, component: &str, blame: Blame, now: Time, out: &mut Vec<Act>) {
        let given_up = self.outbox.link_down(component, blame, out);
        self.give_up(given_up, now, out);
        self.lost_links.entry(component.to_owned()).or_insert(now);
        let at = now.plus_millis(self.settings.link_grace_millis);
        self.timers.by(at, super::Timer::Link(component.to_owned()));
    }

    /// The server of `component` says that it takes stanzas of at most `bytes`.
    pub fn limit(&mut self, component: &str, bytes: usize, now: Time, out: &mut Vec<Act>) {
        let given_up = self.outbox.limit(component, bytes, out);
        self.give_up(given_up, now, out);
    }

    /// A stanza that its link cannot write: if it was a message, that has failed.
    pub fn unsent(&mut self, stanza: &Stanza, now: Time, out: &mut Vec<Act>) {
        match stanza {
            Stanza::Message(_) => self.came_back(stanza, Code::UNDELIVERABLE, now, out),
            Stanza::Iq(iq) => {
                if let Some(to) = iq.to().cloned() {
                    self.verified(iq.id(), &to, Code::UNAVAILABLE, out);
                }
            }
            Stanza::Presence(_) => {}
        }
    }

    /// A stanza for a domain that is not ours: the server's routes are wrong. What
    /// is our own has come back; others are told that it cannot be delivered.
    pub(super) fn misrouted(
        &mut self,
        component: &str,
        stanza: Stanza,
        now: Time,
        out: &mut Vec<Act>,
    ) {
        let (from, to) = match ends(&stanza) {
            (Some(from), Some(to)) => (from.clone(), to.clone()),
            _ => return,
        };
        if let Some(more) = self.seldom.may("misrouted", now.0) {
            tracing::warn!(
                component,
                from = %Shown(from.as_str()),
                to = %Shown(to.as_str()),
                more,
                "the XMPP server hands stanzas for {} to this component: it needs routes of its own for \
                 each domain; in ejabberd set global_routes: false for the listener, and list in its \
                 hosts the components of this node alone",
                Shown(to.domain().as_str())
            );
        }
        if self
            .translator
            .component_named(from.domain().as_str())
            .is_some()
        {
            self.came_back(&stanza, Code::DOMAIN_NOT_SUPPORTED, now, out);
            return;
        }
        // Only an address of our own can be an answer's.
        let Ok(own) = Jid::new(component) else { return };
        let mut stanza = stanza;
        match &mut stanza {
            Stanza::Message(message) => message.to = Some(own),
            Stanza::Presence(presence) if presence.type_ == Type::Subscribe => {
                presence.to = Some(own);
            }
            Stanza::Presence(_) => return,
            Stanza::Iq(iq) => *iq.to_mut() = Some(own),
        }
        self.refuse(component, stanza, Code::DOMAIN_NOT_SUPPORTED);
    }

    /// A stanza of ours has not reached the server's users.
    fn came_back(&mut self, stanza: &Stanza, code: Code, now: Time, out: &mut Vec<Act>) {
        let Stanza::Message(message) = stanza else {
            return;
        };
        if message.type_ == MessageType::Error {
            return;
        }
        let (Some(id), Some(from), Some(to)) = (&message.id, &message.from, &message.to) else {
            return;
        };
        if let Some(found) = self.find_sent(&id.0, to, from) {
            self.sent_became(found, TargetState::Failed(code.0), now, out);
        }
    }

    /// The messages of stanzas that were given up have failed.
    pub(super) fn give_up(&mut self, given_up: Vec<GivenUp>, now: Time, out: &mut Vec<Act>) {
        for stanza in given_up {
            let sent = stanza.message.and_then(|number| self.sent.get(&number));
            let target = sent.and_then(|sent| {
                let mut targets = sent.targets.iter();
                targets.position(|target| target.out == stanza.number)
            });
            let message = sent.map_or("", |sent| sent.message_id.as_str());
            tracing::warn!(
                component = stanza.component,
                message_id = %Shown(message),
                stanza = stanza.number,
                bytes = stanza.bytes,
                "a stanza was given up: {}; if it is for its size, set max_stanza of the component",
                stanza.why
            );
            if let (Some(number), Some(target)) = (stanza.message, target) {
                let failed = TargetState::Failed(Code::UNDELIVERABLE.0);
                self.sent_became((number, target), failed, now, out);
            }
        }
    }
}
