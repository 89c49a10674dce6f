//! What XMPP users can make grow is bounded in number and in bytes, and no foreign
//! domain's users can take all of it.

use std::collections::BTreeMap;

/// A foreign domain gets at most one in so many of the places and bytes.
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
    items: usize,
    bytes: usize,
    of: BTreeMap<String, (usize, usize)>,
}

impl Shares {
    /// Whether there is room for one of `bytes` more for users of `domain`; the own
    /// domain may have all of it.
    pub(super) fn have_room(&self, domain: &str, is_own: bool, bytes: usize, most: Most) -> bool {
        let (items, of_bytes) = self.of.get(domain).copied().unwrap_or_default();
        let fits = |items: usize, held: usize, share: usize| {
            items < (most.items / share).max(1) && held.saturating_add(bytes) <= most.bytes / share
        };
        fits(self.items, self.bytes, 1) && (is_own || fits(items, of_bytes, SHARE))
    }

    pub(super) fn add(&mut self, domain: &str, bytes: usize) {
        self.items += 1;
        self.bytes += bytes;
        let of = self.of.entry(domain.to_owned()).or_default();
        of.0 += 1;
        of.1 += bytes;
    }

    pub(super) fn remove(&mut self, domain: &str, bytes: usize) {
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(of) = self.of.get_mut(domain) {
            of.0 = of.0.saturating_sub(1);
            of.1 = of.1.saturating_sub(bytes);
            if of.0 == 0 {
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
        let mut shares = Shares::default();
        for _ in 0..2 {
            assert!(shares.have_room("evil.test", false, 1, MOST));
            shares.add("evil.test", 1);
        }
        assert!(!shares.have_room("evil.test", false, 1, MOST));
        assert!(shares.have_room("other.test", false, 200, MOST));
        assert!(!shares.have_room("other.test", false, 201, MOST));
        assert!(shares.have_room("home.test", true, 798, MOST));
        assert!(!shares.have_room("home.test", true, 799, MOST));
        shares.remove("evil.test", 1);
        assert!(shares.have_room("evil.test", false, 1, MOST));
        for _ in 0..7 {
            shares.add("home.test", 1);
        }
        assert!(!shares.have_room("home.test", true, 1, MOST));
    }

    #[test]
    fn the_domain_of_a_jid_is_found() {
        for jid in ["a.test", "u@a.test", "u@a.test/r@x/y", "a.test/r@x"] {
            assert_eq!(domain_of(jid), "a.test", "{jid}");
        }
    }
}
