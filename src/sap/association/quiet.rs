//! Log lines that would repeat themselves: one per kind and while.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::Time;

/// A kind is told again after so long; our choice.
const WHILE: Duration = Duration::from_secs(60);

/// What of one peer, or of those who are none, was told when. Its size is that of the list of kinds, which stand in the code.
#[derive(Debug, Default)]
pub(in crate::sap) struct Quiet(BTreeMap<&'static str, (Time, u64)>);

impl Quiet {
    /// Whether a line of this kind is due; then with how many were left out since the last one.
    pub(in crate::sap) fn due(&mut self, kind: &'static str, now: Time) -> Option<u64> {
        match self.0.get_mut(kind) {
            Some((last, left_out)) if now.after(*last) < WHILE => {
                *left_out += 1;
                None
            }
            _ => {
                let before = self.0.insert(kind, (now, 0));
                Some(before.map_or(0, |(_, left_out)| left_out))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_once_a_minute_with_how_often_it_was_not() {
        let mut quiet = Quiet::default();
        assert_eq!(quiet.due("a", Time(0)), Some(0));
        assert_eq!(quiet.due("a", Time(1)), None);
        assert_eq!(quiet.due("a", Time(59_999)), None);
        assert_eq!(quiet.due("b", Time(59_999)), Some(0));
        assert_eq!(quiet.due("a", Time(60_000)), Some(2));
        assert_eq!(quiet.due("a", Time(120_000)), Some(0));
    }
}
