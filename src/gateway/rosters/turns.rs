//! Requests of one user go one after another: each begins with what the one before has left.

use std::collections::{BTreeMap, VecDeque};

/// By user, as bare JID: the numbers of those that have come; the first is under way.
#[derive(Debug, Default)]
pub(super) struct Turns {
    of: BTreeMap<String, VecDeque<u64>>,
}

impl Turns {
    /// One comes; whether it is under way at once.
    pub(super) fn come(&mut self, owner: &str, number: u64) -> bool {
        let line = self.of.entry(owner.to_owned()).or_default();
        line.push_back(number);
        line.len() == 1
    }

    /// One goes, wherever it stands; the one that is under way after it, if it was that before.
    pub(super) fn go(&mut self, owner: &str, number: u64) -> Option<u64> {
        let line = self.of.get_mut(owner)?;
        let was_first = line.front() == Some(&number);
        line.retain(|other| *other != number);
        let next = line.front().copied().filter(|_| was_first);
        if line.is_empty() {
            self.of.remove(owner);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_one_user_go_one_after_another() {
        let mut turns = Turns::default();
        assert!(turns.come("a", 1));
        assert!(!turns.come("a", 2));
        assert!(!turns.come("a", 3));
        assert!(turns.come("b", 4));
        assert_eq!(turns.go("a", 2), None);
        assert_eq!(turns.go("a", 1), Some(3));
        assert_eq!(turns.go("a", 3), None);
        assert_eq!(turns.go("a", 3), None);
        assert!(turns.come("a", 5));
    }
}
