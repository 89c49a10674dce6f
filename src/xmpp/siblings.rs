//! Links of one process to one server, and those of another process under the same name.
//!
//! A server may hand a stanza for one component to the connection of another: ejabberd does so by
//! default where several components share a listener. A ping that proves that a server has worked
//! through a stream then comes back by another link, which hands it on here.
//!
//! A server may also have connections of two processes under one name, and share the traffic
//! between them: ejabberd does so without a word. Then a ping of the one comes to the other, a
//! [`Stray`]. That sends it on, so that it finds home, a few times at most.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How often a ping of another process is sent on; our choice: of two that share a name, it misses
/// its own so often in a row once in 500 times.
const HOPS: u8 = 8;

/// Length of a name of a process or connection, characters.
const NAME: usize = 16;

/// Whose pings are under way, by the nonce in their ids.
#[derive(Debug, Clone)]
pub struct Siblings {
    /// Begins the nonces of all links of the process, so that it knows its own.
    process: String,
    all: Arc<Mutex<HashMap<String, Sibling>>>,
}

/// A connection that sends pings.
#[derive(Debug, Clone)]
pub(super) struct Sibling {
    /// The component's domain.
    pub(super) domain: String,
    /// Who alone may answer its pings.
    pub(super) pinged: String,
    /// To be told that the ping behind a mark has come back.
    pub(super) answered: Arc<Notify>,
    /// To be told that the ping before the end of the stream has come back.
    pub(super) drained: Arc<Notify>,
}

/// A ping that has come back.
pub(super) struct Pong<'i> {
    pub(super) sibling: Sibling,
    /// What it was for.
    pub(super) what: &'i str,
    pub(super) number: u64,
    /// Whether another process had it first.
    pub(super) strayed: bool,
}

/// A ping of another process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stray {
    /// Whether it comes from that process itself; one that was sent on may have been so from here.
    pub(super) is_fresh: bool,
    /// The id with which it is sent on, if it is.
    pub(super) onward: Option<String>,
}

/// Takes a connection out when it is dropped.
pub(super) struct Listed {
    siblings: Siblings,
    nonce: String,
}

impl Default for Siblings {
    fn default() -> Self {
        Self {
            process: name(),
            all: Arc::default(),
        }
    }
}

impl Siblings {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Sibling>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of the same process at another server: neither has the pings of the other.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        Self {
            process: self.process.clone(),
            all: Arc::default(),
        }
    }

    /// For the ids of the pings of a connection, so that nobody else can answer them.
    pub(super) fn nonce(&self) -> String {
        format!("{}{}", self.process, name())
    }

    pub(super) fn list(&self, nonce: &str, sibling: Sibling) -> Listed {
        self.all().insert(nonce.to_owned(), sibling);
        Listed {
            siblings: self.clone(),
            nonce: nonce.to_owned(),
        }
    }

    /// The ping of this process that has this id.
    pub(super) fn find<'i>(&self, id: &'i str) -> Option<Pong<'i>> {
        let ping = Ping::read(id)?;
        let sibling = self.all().get(ping.nonce)?.clone();
        Some(Pong {
            sibling,
            what: ping.what,
            number: ping.number,
            strayed: ping.hops > 0,
        })
    }

    /// The ping of another process that has this id.
    pub(super) fn stray(&self, id: &str) -> Option<Stray> {
        let ping = Ping::read(id)?;
        let process = ping.nonce.get(..NAME)?;
        let is_name = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let is_ping = ["mark", "alive", "last"].contains(&ping.what)
            && ping.nonce.len() == 2 * NAME
            && ping.nonce.chars().all(is_name);
        if !is_ping || process == self.process {
            return None;
        }
        let Ping {
            what,
            nonce,
            number,
            hops,
        } = ping;
        let onward = (hops < HOPS).then(|| format!("{what}-{nonce}-{number}-{}", hops + 1));
        Some(Stray {
            is_fresh: hops == 0,
            onward,
        })
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.siblings.all().remove(&self.nonce);
    }
}

/// The id of a ping: what it is for, whose it is, its number, and how often others sent it on.
struct Ping<'i> {
    what: &'i str,
    nonce: &'i str,
    number: u64,
    hops: u8,
}

impl<'i> Ping<'i> {
    fn read(id: &'i str) -> Option<Self> {
        let mut parts = id.split('-');
        let ping = Self {
            what: parts.next()?,
            nonce: parts.next()?,
            number: parts.next()?.parse().ok()?,
            hops: parts.next().map_or(Ok(0), str::parse).ok()?,
        };
        parts.next().is_none().then_some(ping)
    }
}

fn name() -> String {
    format!("{:016x}", getrandom::u64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling() -> Sibling {
        Sibling {
            domain: "a.test".to_owned(),
            pinged: "a.test".to_owned(),
            answered: Arc::default(),
            drained: Arc::default(),
        }
    }

    #[test]
    fn a_ping_is_found_by_its_nonce_while_its_connection_lives() {
        let siblings = Siblings::default();
        let listed = siblings.list("12ab", sibling());
        let found = siblings.find("mark-12ab-7").unwrap();
        let seen = (found.sibling.domain.as_str(), found.what, found.number);
        assert_eq!(seen, ("a.test", "mark", 7));
        assert!(!found.strayed);
        assert!(siblings.find("mark-12ab-7-1").unwrap().strayed);
        for other in [
            "mark-12ab",
            "mark-12ac-7",
            "mark-12ab-x",
            "mark-12ab-7-x",
            "mark-12ab-7-1-1",
            "12ab",
            "",
        ] {
            assert!(siblings.find(other).is_none(), "{other}");
        }
        drop(listed);
        assert!(siblings.find("mark-12ab-7").is_none());
    }

    #[test]
    fn a_ping_to_one_server_is_nothing_that_another_can_bring_back() {
        let one = Siblings::default();
        let other = one.elsewhere();
        let nonce = one.nonce();
        let _listed = one.list(&nonce, sibling());
        let id = format!("mark-{nonce}-7");
        assert!(one.find(&id).is_some());
        assert!(other.find(&id).is_none());
        // Nor is there another process.
        assert_eq!(other.stray(&id), None);
    }

    #[test]
    fn a_ping_of_another_process_is_told_from_those_of_this_one_and_sent_on_a_few_times() {
        let (one, other) = (Siblings::default(), Siblings::default());
        let nonce = one.nonce();
        let listed = one.list(&nonce, sibling());
        let mut id = format!("mark-{nonce}-7");
        for hops in 0..HOPS {
            // Not one's own, also when its connection has gone.
            assert_eq!(one.stray(&id), None);
            let stray = other.stray(&id).unwrap();
            assert_eq!(stray.is_fresh, hops == 0);
            id = stray.onward.unwrap();
            assert!(one.find(&id).unwrap().strayed);
        }
        assert_eq!(other.stray(&id).unwrap().onward, None);
        drop(listed);
        assert_eq!(one.stray(&id), None);
        let strange = "x".repeat(32);
        for id in [
            format!("ask-{nonce}-7"),
            format!("mark-{strange}-7"),
            format!("mark-{nonce}0-7"),
            format!("mark-é{}-7", &nonce[2..]),
            "mark-12ab-7".to_owned(),
        ] {
            assert_eq!(other.stray(&id), None, "{id}");
        }
    }
}
