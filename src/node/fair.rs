//! No peer may crowd out the others: each has a share of the owner's inbox, and within
//! a batch the peers take turns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::sap::Settings;
use crate::ssp::Message;

/// Who a message is of, for fairness only: the domain that its session id claims, if
/// that is a peer's. All others together are one.
pub(super) fn whose<'s>(message: &Message, settings: &'s Settings) -> &'s str {
    let Message::Session(session) = message else {
        return "";
    };
    let domain = domain(&session.session).to_ascii_lowercase();
    let peer = settings.peer_of(&domain);
    peer.map_or("", |peer| peer.domain.as_str())
}

/// The domain in a session id.
pub(super) fn domain(session: &str) -> &str {
    session.split_once('@').map_or("", |(_, domain)| domain)
}

/// Puts items in an order in which their owners take turns; each owner's items stay in
/// order.
pub(super) fn take_turns<T>(items: &mut Vec<T>, owner: impl Fn(&T) -> Option<&str>) {
    if items.len() < 2 {
        return;
    }
    let mut counts: HashMap<Option<&str>, usize> = HashMap::new();
    let turns: Vec<usize> = items
        .iter()
        .map(|item| {
            let count = counts.entry(owner(item)).or_default();
            *count += 1;
            *count
        })
        .collect();
    if counts.len() < 2 {
        return;
    }
    let mut order: Vec<(usize, T)> = turns.into_iter().zip(items.drain(..)).collect();
    order.sort_by_key(|(turn, _)| *turn);
    items.extend(order.into_iter().map(|(_, item)| item));
}

/// How many messages of each peer wait for the owner. Held for a few instructions at a
/// time, never across an await.
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<HashMap<String, usize>>);

impl Shares {
    /// A place for one more message; `None` if `of` has `most` already.
    pub(super) fn take(self: &Arc<Self>, of: &str, most: usize) -> Option<Share> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(of) {
            Some(count) if *count >= most => return None,
            Some(count) => *count += 1,
            None => {
                held.insert(of.to_owned(), 1);
            }
        }
        Some(Share {
            shares: self.clone(),
            of: of.to_owned(),
        })
    }
}

/// A place that is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    of: String,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_does_not_come_before_the_others() {
        let mut items = vec!["a1", "a2", "a3", "a4", "b1", "a5", "c1", "b2"];
        take_turns(&mut items, |item| Some(&item[..1]));
        assert_eq!(items, ["a1", "b1", "c1", "a2", "b2", "a3", "a4", "a5"]);
    }

    #[test]
    fn what_is_nobodys_keeps_its_order_and_takes_turns_too() {
        let mut items = vec!["-1", "a1", "a2", "-2"];
        take_turns(&mut items, |item| Some(&item[..1]).filter(|o| *o != "-"));
        assert_eq!(items, ["-1", "a1", "a2", "-2"]);
        let mut items = vec!["a1", "a2", "-1"];
        take_turns(&mut items, |item| Some(&item[..1]).filter(|o| *o != "-"));
        assert_eq!(items, ["a1", "-1", "a2"]);
    }

    #[test]
    fn a_share_is_bounded_and_comes_back() {
        let shares = Arc::new(Shares::default());
        let first = shares.take("a", 2);
        let second = shares.take("a", 2);
        assert!(first.is_some() && second.is_some());
        assert!(shares.take("a", 2).is_none());
        assert!(shares.take("b", 2).is_some(), "others have their own");
        drop(first);
        assert!(shares.take("a", 2).is_some());
    }
}
