//! What an operator decides about groups.

use std::collections::BTreeSet;
use std::time::Duration;

/// Settings of the groups of a home domain. Every number bounds a table or a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// The domain whose groups these are, in lower case.
    pub domain: String,
    /// How long a message or notice waits at most for who it is for.
    pub validity: Duration,
    /// After so long a question is given up.
    pub request_validity: Duration,
    /// Whether users may make groups. Those of the provider exist all the same.
    pub private: bool,
    /// Other home domains whose groups are provided here; their users may make groups too.
    pub homes: BTreeSet<String>,
    /// Groups of the domain.
    pub max_groups: usize,
    /// Groups that one user owns.
    pub max_owned: usize,
    /// Groups that one user is joined to at a time.
    pub max_joined: usize,
    /// Members of one group; also users joined to one.
    pub max_members: usize,
    /// Users of one other domain who are joined to one group, besides its members.
    pub max_of_domain: usize,
    /// Users on the reject list of one group.
    pub max_rejected: usize,
    /// Users whom one group has to let in because they are invited.
    pub max_invited: usize,
    /// Bytes of a name or topic.
    pub max_text: usize,
    /// Bytes of a welcome note with its type.
    pub max_welcome: usize,
    /// Messages that one group keeps for those who join later.
    pub max_history: usize,
    /// Bytes of the messages that one group keeps.
    pub max_history_bytes: usize,
    /// Messages of which one group remembers that it took them, to recognise duplicates.
    pub max_remembered: usize,
    /// What one group has still to hand on to its users: messages, and notices.
    pub max_outgoing: usize,
    /// Bytes of it, of all groups.
    pub max_outgoing_bytes: usize,
    /// Questions of all groups together whether a user exists, that wait for an answer; beyond that
    /// nobody asks.
    pub max_asked: usize,
    /// Recipients of one message that a group hands on, and of one turn.
    pub max_recipients: usize,
    /// After so long users of a domain that is not reached have left.
    pub away: Duration,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            domain: String::new(),
            validity: Duration::from_secs(7 * 86_400),
            request_validity: Duration::from_secs(120),
            private: true,
            homes: BTreeSet::new(),
            max_groups: 10_000,
            max_owned: 100,
            max_joined: 1000,
            max_members: 10_000,
            max_of_domain: 5000,
            max_rejected: 1000,
            max_invited: 1000,
            max_text: 256,
            max_welcome: 8 * 1024,
            max_history: 50,
            max_history_bytes: 256 * 1024,
            max_remembered: 1000,
            max_outgoing: 64,
            max_outgoing_bytes: 64 * 1024 * 1024,
            max_asked: 100_000,
            max_recipients: 500,
            away: Duration::from_secs(7 * 86_400),
        }
    }
}
