//! What links bring to the gateway besides stanzas for it, and stanzas that they bring by mistake.

use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::presence::Type;

use super::Gateway;
use crate::element::{FromXmpp, Time};
use crate::imps::Code;
use crate::text::Shown;

impl Gateway {
    /// A stanza for a domain that is not ours: the server's routes are wrong. What
    /// is our own has come back; others are told that it cannot be delivered.
    pub(super) fn misrouted(
        &mut self,
        component: &str,
        stanza: Stanza,
        (from, to): (&Jid, &Jid),
        now: Time,
    ) {
        let shared = &mut self.shared;
        if let Some(more) = shared.seldom.may("misrouted", now.0) {
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
        let own = shared.translator.component_named(from.domain().as_str());
        if own.is_some() {
            if let Stanza::Message(message) = &stanza {
                let code = Code::DOMAIN_NOT_SUPPORTED;
                self.messages.came_back(message, code, now, shared);
            }
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
        shared.refuse(component, stanza, Code::DOMAIN_NOT_SUPPORTED);
    }

    /// What the link of `component` brings.
    pub(super) fn take_xmpp(&mut self, component: &str, from: FromXmpp, now: Time) {
        let shared = &mut self.shared;
        match from {
            FromXmpp::Stanza(stanza) => self.stanza(component, stanza, now),
            FromXmpp::Refuse(stanza) => self.refuse_for_now(component, stanza),
            FromXmpp::MayRefuse(up) => shared.links.may_refuse(component, up),
            FromXmpp::Up => {
                // They may have been denied since the start before.
                shared.give_up_denied();
                shared.links.up(component);
                self.files.link_up(component, now, shared);
                self.watches.link_up(component, now, shared);
                self.rooms.link_up(component, shared);
                self.groups.link_up(component, now, shared);
                self.rosters.link_up(component, now);
            }
            FromXmpp::Down(blame) => {
                shared.links.down(component, blame);
                self.files.link_down(component);
                self.watches.link_down(component, now, shared);
                self.rosters.link_down(component);
            }
            FromXmpp::Confirmed(mark) => shared.links.confirmed(component, mark),
            FromXmpp::Unsent(stanza) => self.unsent(component, &stanza, now),
            FromXmpp::Limit(bytes) => shared.links.limit(component, bytes),
        }
    }

    /// A stanza that its link cannot write: if it was a message, that has failed.
    pub(super) fn unsent(&mut self, component: &str, stanza: &Stanza, now: Time) {
        let shared = &mut self.shared;
        match stanza {
            Stanza::Message(message) => {
                let code = Code::UNDELIVERABLE;
                self.messages.came_back(message, code, now, shared);
            }
            Stanza::Iq(iq) => {
                if let Some(to) = iq.to() {
                    let watches = &self.watches;
                    self.searches.unsent(iq.id(), to, watches, now, shared);
                    self.cards.unsent(iq.id(), to, watches, now, shared);
                    self.rosters.unsent(component, (iq.id(), to), now, shared);
                    self.queries.unsent(iq.id(), to, shared);
                }
            }
            Stanza::Presence(_) => {}
        }
    }

    /// Answers a stanza that the node cannot keep now, as far as it wants an answer.
    pub(super) fn refuse_for_now(&mut self, component: &str, stanza: Stanza) {
        // A refused `unavailable` or probe would only confuse.
        let wants_answer = match &stanza {
            Stanza::Presence(presence) => presence.type_ == Type::Subscribe,
            Stanza::Iq(iq) => matches!(iq, Iq::Get { .. } | Iq::Set { .. }),
            Stanza::Message(_) => true,
        };
        if wants_answer {
            self.shared.refuse(component, stanza, Code::QUEUE_FULL);
        }
    }
}
