//! What XMPP users can make grow is bounded in number and in bytes; no foreign domain's users can
//! take all of it, nor can those of many.

use std::collections::BTreeMap;

use crate::translate::address::to_ssp_domain;

/// A foreign domain gets at most one in so many of the places and bytes, and as many are left to
/// the own one.
const SHARE: usize = 4;

/// How much a table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Most {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

/// What a table holds, and for the users of which domain.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// The domain in front of which the gateway stands, as SSP writes it.
    own: String,
    all: Held,
    foreign: Held,
    of: BTreeMap<String, Held>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Held {
    items: usize,
    bytes: usize,
}

impl Held {
    fn has_room(self, bytes: usize, most: Most) -> bool {
        self.items < most.items.max(1) && self.bytes.saturating_add(bytes) <= most.bytes
    }

    fn add(&mut self, bytes: usize) {
        self.items += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Shares {
    /// An empty table; `own` is the own domain as SSP writes it.
    pub(super) fn new(own: String) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    /// Whether there is room for one of `bytes` more for users of `domain`; the own domain may have
    /// all of it.
    pub(super) fn have_room(&self, domain: &str, bytes: usize, most: Most) -> bool {
        let share = Most {
            items: most.items / SHARE,
            bytes: most.bytes / SHARE,
        };
        let left = Most {
            items: most.items - share.items,
            bytes: most.bytes - share.bytes,
        };
        let of = self.of.get(domain).copied().unwrap_or_default();
        self.all.has_room(bytes, most)
            && (self.is_own(domain)
                || self.foreign.has_room(bytes, left) && of.has_room(bytes, share))
    }

    fn is_own(&self, domain: &str) -> bool {
        to_ssp_domain(domain) == self.own
    }

    pub(super) fn add(&mut self, domain: &str, bytes: usize) {
        self.all.add(bytes);
        if !self.is_own(domain) {
            self.foreign.add(bytes);
        }
        self.of.entry(domain.to_owned()).or_default().add(bytes);
    }

    pub(super) fn remove(&mut self, domain: &str, bytes: usize) {
        self.all.remove(bytes);
        if !self.is_own(domain) {
            self.foreign.remove(bytes);
        }
        if let Some(of) = self.of.get_mut(domain) {
            of.remove(bytes);
            if of.items == 0 {
                self.of.remove(domain);
            }
        }
    }
}

/// The domain of a JID in text form.
pub(super) fn domain_of(jid: &str) -> &str {
    let bare = jid.split('/').next().unwrap_or_default();
    bare.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most {
        items: 8,
        bytes: 800,
    };

    #[test]
    fn a_foreign_domain_gets_a_share_in_number_and_in_bytes() {
        let mut shares = Shares::new("home.test".to_owned());
        for _ in 0..2 {
            assert!(shares.have_room("evil.test", 1, MOST));
            shares.add("evil.test", 1);
        }
        assert!(!shares.have_room("evil.test", 1, MOST));
        assert!(shares.have_room("other.test", 200, MOST));
        assert!(!shares.have_room("other.test", 201, MOST));
        assert!(shares.have_room("home.test", 798, MOST));
        assert!(!shares.have_room("home.test", 799, MOST));
        shares.remove("evil.test", 1);
        assert!(shares.have_room("evil.test", 1, MOST));
        for _ in 0..7 {
            shares.add("home.test", 1);
        }
        assert!(!shares.have_room("home.test", 1, MOST));
    }

    #[test]
    fn many_foreign_domains_leave_a_share_to_the_own_one() {
        for bytes in [1, 100] {
            let mut shares = Shares::new("home.test".to_owned());
            let taken = (0..100).filter(|n| {
                let domain = format!("d{n}.evil.test");
                let room = shares.have_room(&domain, bytes, MOST);
                if room {
                    shares.add(&domain, bytes);
                }
                room
            });
            assert_eq!(taken.count(), 6, "{bytes}");
            assert!(shares.have_room("home.test", bytes, MOST));
            for n in 0..6 {
                shares.remove(&format!("d{n}.evil.test"), bytes);
            }
            assert_eq!((shares.all, shares.foreign), Default::default());
            assert!(shares.of.is_empty());
        }
    }

    #[test]
    fn the_domain_of_a_jid_is_found() {
        for jid in ["a.test", "u@a.test", "u@a.test/r@x/y", "a.test/r@x"] {
            assert_eq!(domain_of(jid), "a.test", "{jid}");
        }
    }
}
