//! What waits for a peer, and what it waits for, as an operator is told.

use serde::{Deserialize, Serialize};

use super::Sap;
use super::association::PeerState;
use super::association::outbox::Item;
use super::element::Time;
use super::presented_as::domain_of;

/// What everything in a peer's outbox waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The peer's domain.
    pub peer: String,
    /// Whether there is a session to send over.
    pub session: bool,
    /// Whether a login is under way.
    pub logging_in: bool,
    /// When it is tried again, if not now: milliseconds since the epoch.
    pub next_try: Option<Time>,
    /// The last thing that went wrong, if nothing went well since.
    pub because: Option<String>,
    /// Transactions in the outbox.
    pub queued: usize,
}

/// A message in a peer's outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The item without its content.
    pub item: Item,
    /// Whether it is being posted.
    pub posting: bool,
    /// What it waits for.
    pub wait: Wait,
}

impl Sap {
    /// What a peer's outbox waits for; `None` if there is no such peer.
    pub fn wait_of(&self, domain: &str, now: Time) -> Option<Wait> {
        self.peers.get(domain).map(|state| wait(domain, state, now))
    }

    /// The messages in outboxes that are wanted, at most `most`.
    pub fn queued_messages(
        &self,
        wanted: impl Fn(&Item) -> bool,
        most: usize,
        now: Time,
    ) -> Vec<Queued> {
        let mut found = Vec::new();
        for (domain, state) in &self.peers {
            for (item, posting) in state.outbox.iter() {
                if found.len() >= most {
                    return found;
                }
                if item.name == "SendMessageRequest" && wanted(item) {
                    found.push(Queued {
                        item: item.without_body(),
                        posting,
                        wait: wait(domain, state, now),
                    });
                }
            }
        }
        found
    }
}

fn wait(domain: &str, state: &PeerState, now: Time) -> Wait {
    let session = state.ready_session().is_some();
    let next = if session {
        state.outbox.not_before()
    } else {
        state.login_not_before
    };
    Wait {
        peer: domain_of(domain).to_owned(),
        session,
        logging_in: state.initiator.is_some() || !state.responders.is_empty(),
        next_try: (next > now).then_some(next),
        because: state.last_error.clone(),
        queued: state.outbox.len(),
    }
}
