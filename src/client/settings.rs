//! What the operator decides of clients.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::meaning::ClientKind;
use super::wake::Offer;

/// How clients are treated.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The home domain.
    pub domain: String,
    /// When a password may come as it is.
    pub plain_login: PlainLogin,
    /// Whether digests of passwords can be checked.
    pub digest_login: bool,
    /// Failed logins of a user after which nobody logs in as them for a while.
    pub max_failures: usize,
    /// For how long.
    pub lock_out: Duration,
    /// The longest time for which a client may say nothing.
    pub keep_alive: Duration,
    /// What clients are to wait between polls.
    pub poll_interval: Duration,
    /// Whether a session is taken only from the address from which it was begun.
    pub one_address: bool,
    /// Sessions of all users, and of one.
    pub max_sessions: usize,
    /// Sessions of one user.
    pub max_sessions_per_user: usize,
    /// Ways to wake clients.
    pub offer: Offer,
    /// Kinds of clients for which something is done otherwise.
    pub kinds: Vec<ClientKind>,
    /// By the local part of a user's address, the name of the kind of their clients, whatever those
    /// say of themselves.
    pub kind_of: BTreeMap<String, String>,
    /// By the same, the numbers of subscriptions, in digits.
    pub numbers: BTreeMap<String, String>,
}

impl Settings {
    /// The users who have numbers of subscriptions, by number.
    pub fn users_by_number(&self) -> HashMap<String, String> {
        let numbers = self.numbers.iter();
        numbers
            .map(|(user, number)| (number.clone(), user.clone()))
            .collect()
    }

    /// The kind that the configuration names for the clients of a user.
    pub fn kind_of(&self, user: &str) -> Option<&str> {
        self.kind_of.get(user).map(String::as_str)
    }
}

/// When a password may come as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainLogin {
    /// Over TLS.
    Tls,
    /// Over plain HTTP, too.
    Always,
    /// Never.
    Never,
}

impl PlainLogin {
    /// Whether it may come over such a connection.
    pub fn allows(self, tls: bool) -> bool {
        match self {
            Self::Tls => tls,
            Self::Always => true,
            Self::Never => false,
        }
    }
}
