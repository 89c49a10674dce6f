//! Nonces that clients are to answer, each once.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::digest::Schema;
use crate::element::Time;

/// Challenges at a time; our choice. The oldest is forgotten for one more.
const MAX: usize = 4096;
/// Within that time a challenge is answered; our choice.
const LIFE: Duration = Duration::from_secs(120);

/// Who was challenged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    /// The local part of the address.
    pub(super) user: String,
    pub(super) client: Option<String>,
    pub(super) cookie: Option<String>,
}

#[derive(Debug)]
struct Challenge {
    number: u64,
    nonce: String,
    schema: Schema,
    until: Time,
}

/// Those that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    of: HashMap<Asker, Challenge>,
    /// In the order of their making.
    order: BTreeMap<u64, Asker>,
    next: u64,
}

impl Challenges {
    /// Challenges somebody; an older challenge of theirs is void.
    pub(super) fn add(&mut self, asker: Asker, nonce: String, schema: Schema, now: Time) {
        let number = self.next;
        self.next += 1;
        let until = now.plus(LIFE);
        let challenge = Challenge {
            number,
            nonce,
            schema,
            until,
        };
        if let Some(old) = self.of.insert(asker.clone(), challenge) {
            self.order.remove(&old.number);
        }
        self.order.insert(number, asker);
        while self.order.len() > MAX {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.of.remove(&oldest);
        }
    }

    /// The challenge that is being answered; it is void after that.
    pub(super) fn take(&mut self, asker: &Asker, now: Time) -> Option<(String, Schema)> {
        let challenge = self.of.remove(asker)?;
        self.order.remove(&challenge.number);
        (challenge.until > now).then_some((challenge.nonce, challenge.schema))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(user: &str) -> Asker {
        Asker {
            user: user.to_owned(),
            client: None,
            cookie: None,
        }
    }

    #[test]
    fn a_challenge_is_answered_once_and_in_time() {
        let mut challenges = Challenges::default();
        let add = |challenges: &mut Challenges, nonce: &str| {
            challenges.add(asker("a"), nonce.to_owned(), Schema::Md5, Time(0));
        };
        add(&mut challenges, "n1");
        add(&mut challenges, "n2");
        assert_eq!(challenges.take(&asker("b"), Time(1)), None);
        let taken = challenges.take(&asker("a"), Time(1));
        assert_eq!(taken, Some(("n2".to_owned(), Schema::Md5)));
        assert_eq!(challenges.take(&asker("a"), Time(1)), None);
        add(&mut challenges, "n3");
        assert_eq!(challenges.take(&asker("a"), Time(0).plus(LIFE)), None);
        assert!(challenges.of.is_empty() && challenges.order.is_empty());
    }

    #[test]
    fn challenges_are_bounded() {
        let mut challenges = Challenges::default();
        for number in 0..=MAX {
            let asker = asker(&number.to_string());
            challenges.add(asker, "n".to_owned(), Schema::Sha, Time(0));
        }
        assert_eq!((challenges.of.len(), challenges.order.len()), (MAX, MAX));
        assert_eq!(challenges.take(&asker("0"), Time(0)), None);
        assert!(challenges.take(&asker("1"), Time(0)).is_some());
    }
}
