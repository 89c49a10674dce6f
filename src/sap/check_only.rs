//! A node for a moment, which tries one peer and keeps nothing. So it takes nothing that
//! would have to be kept, and ends nobody's session: everything that is not about the
//! visit is told to come again later.

use crate::imps::primitive::{Name, Routing};
use crate::sap::{Peer, Sap};
use crate::ssp::envelope::Transaction;
use crate::ssp::{Message, Mode};

impl Sap {
    /// Messages that were told to come again because this node is there for a visit only.
    pub fn turned_away(&self) -> u64 {
        self.turned_away
    }

    /// Whether a message must wait for the node that keeps its records.
    pub(in crate::sap) fn is_for_the_real_node(&self, message: &Message) -> bool {
        let Some(visited) = &self.settings().visiting else {
            return false;
        };
        let Some(peer) = self.settings().peers.get(visited) else {
            return true;
        };
        match message {
            Message::Setup(transaction) => {
                let transaction = self.setup_in_our_names(transaction);
                // Later steps name nobody; they belong to a handshake, or are refused.
                let mut about = transaction.peek.about.iter();
                about.any(|from| !peer.is(from.domain()))
            }
            Message::Session(session) => {
                let association = self.engine.associations.get(&peer.domain);
                let own_id = association.and_then(|it| it.sessions().own_id_of(&session.session));
                let is_ours = own_id.is_some();
                let mut transactions = session.transactions.iter();
                !is_ours || transactions.any(|t| !self.is_of_the_visit(peer, t))
            }
        }
    }

    /// Whether a transaction answers something that was asked during the visit, is the
    /// echo, or is about the session and the services of this node.
    fn is_of_the_visit(&self, peer: &Peer, transaction: &Transaction) -> bool {
        let renamed = peer.dialect.in_our_names(transaction).ok().flatten();
        let transaction = renamed.as_ref().unwrap_or(transaction);
        let peek = &transaction.peek;
        if transaction.mode == Mode::Response {
            return self
                .engine
                .transactions
                .services
                .has_asked(&peer.domain, &transaction.id)
                || self.has_asked_in_session(peer, &transaction.id)
                || self
                    .engine
                    .transactions
                    .is_awaited(&peer.id, &transaction.id);
        }
        match transaction.name.facts().map(|facts| facts.routing) {
            Some(Routing::Hop) => true,
            Some(Routing::Service) => {
                let about = peek.about.as_ref().map_or("", |about| about.domain());
                about.is_empty() || about == self.settings().domain
            }
            Some(_) if transaction.name == Name::SendMessageRequest => {
                let (from, to) = (peek.sender.as_ref(), &peek.recipients[..]);
                matches!((from, to), (Some(from), [to]) if self.engine.transactions.services.awaits_echo(from, to))
            }
            _ => false,
        }
    }

    fn has_asked_in_session(&self, peer: &Peer, id: &str) -> bool {
        let association = self.engine.associations.get(&peer.domain);
        association.is_some_and(|it| it.sessions().have_asked(id))
    }
}
