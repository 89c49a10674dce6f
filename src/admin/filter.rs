//! Which traces a client wants to see.

use std::collections::{HashSet, VecDeque};

use crate::imps::Address;
use crate::sap::Trace;

/// Messages and transactions that are followed, at most; our choice.
const FOLLOWED: usize = 1000;

/// Conditions that must all hold. What belongs to a message or transaction that was let
/// through once is let through too: answers and ends do not say whose they are.
#[derive(Debug, Default)]
pub(super) struct Filter {
    peer: Option<String>,
    user: Option<String>,
    transaction: Option<String>,
    followed: HashSet<String>,
    order: VecDeque<String>,
}

impl Filter {
    /// A filter for traces; `None` for what they are not filtered by.
    pub(super) fn new(
        peer: Option<String>,
        user: Option<&str>,
        transaction: Option<String>,
    ) -> Self {
        Self {
            peer: peer.map(|peer| peer.to_ascii_lowercase()),
            user: user.map(plain),
            transaction,
            ..Self::default()
        }
    }

    /// Whether this one is wanted.
    pub(super) fn lets(&mut self, trace: &Trace) -> bool {
        let at_peer = self.peer.is_none() || self.peer == trace.peer;
        if self.user.is_none() && self.transaction.is_none() {
            return at_peer;
        }
        let keys = keys(trace);
        let by_itself = self.by_user(trace) && self.by_id(trace);
        if !by_itself && !keys.iter().any(|key| self.followed.contains(key)) {
            return false;
        }
        // Whatever the peer: it may go on to the wanted one.
        for key in keys {
            self.follow(key);
        }
        at_peer
    }

    fn by_user(&self, trace: &Trace) -> bool {
        let Some(wanted) = &self.user else {
            return true;
        };
        let mut involved = trace.user.iter().chain(&trace.to);
        involved.any(|user| plain(user) == *wanted)
    }

    fn by_id(&self, trace: &Trace) -> bool {
        let is = |field: &Option<String>| *field == self.transaction;
        self.transaction.is_none() || is(&trace.transaction) || is(&trace.message)
    }

    fn follow(&mut self, key: String) {
        if !self.followed.insert(key.clone()) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > FOLLOWED
            && let Some(oldest) = self.order.pop_front()
        {
            self.followed.remove(&oldest);
        }
    }
}

/// An SSP address or a JID in one way of writing, without the resource of a JID.
fn plain(user: &str) -> String {
    let text = Address::new(user).as_str().to_owned();
    let text = text.trim_start_matches("wv:");
    let (bare, at) = (text.split_once('/'), text.find('@'));
    match bare {
        // In SSP a slash before the @ is a part of the name.
        Some((bare, _)) if at.is_some_and(|at| at < bare.len()) => bare.to_owned(),
        _ => text.to_owned(),
    }
}

fn keys(trace: &Trace) -> Vec<String> {
    let peer = trace.peer.as_deref().unwrap_or_default();
    let transaction = trace.transaction.as_ref();
    let transaction = transaction.map(|id| format!("transaction {peer} {id}"));
    let message = trace.message.as_ref().map(|id| format!("message {id}"));
    transaction.into_iter().chain(message).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sap::{Direction, Time};

    fn trace(peer: &str, user: Option<&str>, to: &[&str], id: &str, message: &str) -> Trace {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Trace {
            time: Time(0),
            direction: Direction::In,
            peer: some(peer),
            session: None,
            transaction: some(id),
            primitive: "".into(),
            message: some(message),
            user: user.map(str::to_owned),
            to: to.iter().map(ToString::to_string).collect(),
            what: "".into(),
        }
    }

    #[test]
    fn a_user_is_known_however_he_is_written_as_sender_and_recipient() {
        for wanted in [
            "alice@a.test",
            "wv:alice@a.test",
            "WV:Alice@A.test",
            "alice@a.test/phone",
        ] {
            let mut filter = Filter::new(None, Some(wanted), None);
            for (user, to) in [
                (Some("wv:alice@a.test"), &[][..]),
                (Some("alice@a.test/x"), &[]),
                (None, &["wv:bob@b.test", "wv:alice@a.test"]),
            ] {
                assert!(
                    filter.lets(&trace("b", user, to, "", "")),
                    "{wanted} {user:?}"
                );
            }
            assert!(!filter.lets(&trace("b", Some("wv:malice@a.test"), &[], "", "")));
            assert!(!filter.lets(&trace("b", None, &[], "", "")));
        }
    }

    #[test]
    fn the_answer_to_a_users_request_comes_along_and_others_do_not() {
        let mut filter = Filter::new(None, Some("alice@a.test"), None);
        assert!(!filter.lets(&trace("b", None, &[], "7", "")));
        assert!(filter.lets(&trace("b", Some("wv:alice@a.test"), &[], "7", "m")));
        assert!(filter.lets(&trace("b", None, &[], "7", "")));
        assert!(!filter.lets(&trace("c", None, &[], "7", "")));
        assert!(filter.lets(&trace("", None, &[], "", "m")));
    }

    #[test]
    fn conditions_hold_together() {
        let mut filter = Filter::new(Some("B".to_owned()), None, Some("m".to_owned()));
        assert!(!filter.lets(&trace("a", None, &[], "1", "m")));
        assert!(filter.lets(&trace("b", None, &[], "2", "m")));
        assert!(filter.lets(&trace("b", None, &[], "2", "")));
        assert!(!filter.lets(&trace("b", None, &[], "3", "other")));
        let mut filter = Filter::new(Some("xmpp".to_owned()), None, None);
        assert!(filter.lets(&trace("xmpp", None, &[], "", "")));
        assert!(!filter.lets(&trace("", None, &[], "", "")));
    }

    #[test]
    fn what_is_followed_is_bounded() {
        let mut filter = Filter::new(None, Some("a@b"), None);
        for number in 0..3000 {
            filter.lets(&trace("b", Some("wv:a@b"), &[], &number.to_string(), ""));
        }
        assert!(filter.followed.len() <= FOLLOWED && filter.order.len() <= FOLLOWED);
    }
}
