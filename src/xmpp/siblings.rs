//! Links of one process to one server.
//!
//! A server may hand a stanza for one component to the connection of another: ejabberd does so by
//! default where several components share a listener. A ping that proves that a server has worked
//! through a stream then comes back by another link, which hands it on here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Whose pings are under way, by the nonce in their ids.
#[derive(Debug, Clone, Default)]
pub struct Siblings(Arc<Mutex<HashMap<String, Sibling>>>);

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

/// Takes a connection out when it is dropped.
pub(super) struct Listed {
    siblings: Siblings,
    nonce: String,
}

impl Siblings {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Sibling>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn list(&self, nonce: &str, sibling: Sibling) -> Listed {
        self.all().insert(nonce.to_owned(), sibling);
        Listed {
            siblings: self.clone(),
            nonce: nonce.to_owned(),
        }
    }

    /// The connection that a ping with this id belongs to, what the ping was for, and its number.
    pub(super) fn find<'i>(&self, id: &'i str) -> Option<(Sibling, &'i str, u64)> {
        let mut parts = id.splitn(3, '-');
        let (what, nonce) = (parts.next()?, parts.next()?);
        let number = parts.next()?.parse().ok()?;
        let sibling = self.all().get(nonce)?.clone();
        Some((sibling, what, number))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.siblings.all().remove(&self.nonce);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_is_found_by_its_nonce_while_its_connection_lives() {
        let siblings = Siblings::default();
        let sibling = Sibling {
            domain: "a.test".to_owned(),
            pinged: "a.test".to_owned(),
            answered: Arc::default(),
            drained: Arc::default(),
        };
        let listed = siblings.list("12ab", sibling);
        let (found, what, number) = siblings.find("mark-12ab-7").unwrap();
        assert_eq!((found.domain.as_str(), what, number), ("a.test", "mark", 7));
        for other in ["mark-12ab", "mark-12ac-7", "mark-12ab-x", "12ab", ""] {
            assert!(siblings.find(other).is_none(), "{other}");
        }
        drop(listed);
        assert!(siblings.find("mark-12ab-7").is_none());
    }
}
