//! Components as which another process is connected too, as links notice it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::element::Time;
use crate::text::Seldom;

/// So long after its last sign it is told that there is another one; our choice: a dozen pings of a
/// link that suspects it.
const TOLD: Duration = Duration::from_secs(60);

/// For so long a process that has ended may have pings under way; our choice.
pub(crate) const BEHIND: Duration = Duration::from_secs(1);

/// Signs of other processes, by component.
#[derive(Debug, Default)]
pub struct Twins {
    of: BTreeMap<String, Signs>,
    seldom: Seldom,
}

/// What shows that another process has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signs {
    /// The first one since there was none for a while.
    first: Time,
    last: Time,
    /// Whether the server says so, which lets one alone have it.
    is_said: bool,
}

impl Signs {
    fn begin(now: Time) -> Self {
        Self {
            first: now,
            last: now,
            is_said: false,
        }
    }

    /// Whether the other process is there still, and not just gone.
    fn is_sure(&self, now: Time) -> bool {
        let lasts = self.last.after(self.first) >= BEHIND;
        (self.is_said || lasts) && now.after(self.last) < TOLD
    }
}

impl Twins {
    /// A ping of this component went to another process, or one of that process came here: the
    /// server has both under this name, or had until a moment ago.
    pub fn stray(&mut self, component: &str, now: Time) {
        let signs = self.of.get(component).copied();
        let signs = signs.filter(|signs| now.after(signs.last) < TOLD);
        let signs = Signs {
            last: now,
            ..signs.unwrap_or(Signs::begin(now))
        };
        self.of.insert(component.to_owned(), signs);
        if signs.is_sure(now)
            && let Some(more) = self.seldom.may("twin", now.0)
        {
            tracing::warn!(
                component,
                more,
                "another process is connected to the XMPP server as {component} too: the server shares \
                 the traffic between the two, and answers go astray; stop one of them, or give it a \
                 component of its own"
            );
        }
    }

    /// The server does not let this process in as the component, for it has another one.
    pub fn taken(&mut self, component: &str, now: Time) {
        let signs = Signs {
            is_said: true,
            ..Signs::begin(now)
        };
        self.of.insert(component.to_owned(), signs);
    }

    /// The server has let this process in: one that was in the way is gone.
    pub fn let_in(&mut self, component: &str) {
        let said = self.of.get(component).is_some_and(|signs| signs.is_said);
        if said {
            self.of.remove(component);
        }
    }

    /// The components of which another process is there too.
    pub fn lately(&self, now: Time) -> BTreeSet<String> {
        let sure = self.of.iter().filter(|(_, signs)| signs.is_sure(now));
        sure.map(|(component, _)| component.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "a.test";
    const START: Time = Time(5_000);

    fn at(millis: u64) -> Time {
        START.plus_millis(millis)
    }

    #[test]
    fn one_that_has_just_ended_is_no_other_process_and_one_that_is_there_still_is() {
        let mut twins = Twins::default();
        for millis in [0, 500, 999] {
            twins.stray(A, at(millis));
            assert!(twins.lately(at(millis)).is_empty(), "{millis}");
        }
        // Nothing more comes of it.
        assert!(twins.lately(at(30_000)).is_empty());
        twins.stray(A, at(30_000));
        assert_eq!(twins.lately(at(30_000)), [A.to_owned()].into());
        assert_eq!(twins.lately(at(89_999)).len(), 1);
        assert!(twins.lately(at(90_000)).is_empty());
        // Signs of another day are none of this one.
        twins.stray(A, at(90_000));
        assert!(twins.lately(at(90_000)).is_empty());
    }

    #[test]
    fn what_the_server_says_holds_until_it_lets_this_process_in() {
        let mut twins = Twins::default();
        twins.taken(A, START);
        assert_eq!(twins.lately(START).len(), 1);
        twins.let_in(A);
        assert!(twins.lately(START).is_empty());
        // To be let in is nothing against another one that is let in too.
        twins.stray(A, START);
        twins.stray(A, at(1_000));
        twins.let_in(A);
        assert_eq!(twins.lately(at(1_000)).len(), 1);
    }
}
