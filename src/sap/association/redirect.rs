//! Redirects (wire profile, 6.8): which addresses of a list may be followed, in which
//! order, and how long they count.

use std::collections::VecDeque;
use std::time::Duration;

use crate::element::Time;
use crate::imps::primitive::session::RedirectAddress;
use crate::sap::association::record::SessionRecord;
use crate::sap::settings::Peer;
use crate::text::Shown;

/// Redirects followed in a row.
const MAX_REDIRECTS: u32 = 3;
/// What follows the last redirect so soon is in a row with it; our choice.
const IN_A_ROW: Duration = Duration::from_secs(60);
/// Addresses of one list that are tried, at most. Our choice.
const MAX_ADDRESSES: usize = 8;

/// An address to which a peer has sent us.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Redirect {
    url: String,
    /// After this time the usual address counts again; `None`: with the session that
    /// comes about there.
    until: Option<Time>,
}

impl Redirect {
    fn counts(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Where the next handshake with a peer goes.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    current: Option<Redirect>,
    /// Further addresses of the list.
    further: VecDeque<Redirect>,
    /// Followed in a row, and the last one.
    in_a_row: u32,
    last: Time,
}

impl Redirects {
    /// Takes a list of addresses for the next login; false if none may be followed.
    pub(super) fn follow(&mut self, peer: &Peer, list: &[RedirectAddress], now: Time) -> bool {
        let mut addresses = followed(peer, list, now);
        if addresses.is_empty() {
            if !list.is_empty() {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    "the peer redirects to addresses that are not its own; not followed"
                );
            }
            return false;
        }
        if now.after(self.last) >= IN_A_ROW {
            self.in_a_row = 0;
        }
        if self.in_a_row >= MAX_REDIRECTS {
            tracing::warn!(ssp.peer = peer.domain, "too many redirects in a row");
            return false;
        }
        self.in_a_row += 1;
        self.last = now;
        let first = addresses.remove(0);
        tracing::info!(ssp.peer = peer.domain, url = %Shown(&first.url), "redirected");
        self.current = Some(first);
        self.further = addresses.into();
        true
    }

    /// Goes on to the next address of the list after one that did not answer.
    pub(super) fn next(&mut self) -> bool {
        match self.further.pop_front() {
            Some(next) if self.current.is_some() => {
                self.current = Some(next);
                true
            }
            _ => false,
        }
    }

    /// The usual address counts again.
    pub(super) fn clear(&mut self) {
        self.current = None;
        self.further.clear();
    }

    /// A handshake begins.
    pub(super) fn begun(&mut self, now: Time) {
        self.current = self.current.take().filter(|to| to.counts(now));
    }

    /// Where the steps of a handshake of ours go, if not to the peer's usual address.
    pub(super) fn url(&self, now: Time) -> Option<&str> {
        let current = self.current.as_ref().filter(|to| to.counts(now));
        current.map(|to| to.url.as_str())
    }

    /// A handshake of ours has led to a session, which stays at the address.
    pub(super) fn arrived(&mut self, record: &mut SessionRecord) {
        self.further.clear();
        if let Some(redirect) = &self.current {
            record.url = Some(redirect.url.clone());
            record.url_until = redirect.until;
        }
        self.current = self.current.take().filter(|to| to.until.is_some());
    }
}

/// The addresses that may be followed, in order: https before http, then by priority.
fn followed(peer: &Peer, list: &[RedirectAddress], now: Time) -> Vec<Redirect> {
    let mut allowed: Vec<(bool, u32, Redirect)> = list
        .iter()
        .filter_map(|address| {
            let (tls, host) = host(&address.url)?;
            may_lead_to(peer, &host).then(|| {
                let until = address
                    .time_to_live
                    .map(|seconds| now.plus_seconds(u64::from(seconds)));
                let url = address.url.trim().to_owned();
                let priority = address.priority.unwrap_or(u32::MAX);
                (!tls, priority, Redirect { url, until })
            })
        })
        .collect();
    allowed.sort_by_key(|(plain, priority, _)| (*plain, *priority));
    allowed.truncate(MAX_ADDRESSES);
    allowed
        .into_iter()
        .map(|(_, _, redirect)| redirect)
        .collect()
}

/// Hosts of the peer's configured addresses and those its record allows. Where the
/// addresses come from SRV records the link compares, which can ask for them.
fn may_lead_to(peer: &Peer, to: &str) -> bool {
    peer.found_by_srv
        || peer.redirects.iter().any(|known| match host(known) {
            Some((_, known)) => known == to,
            None => known.eq_ignore_ascii_case(to),
        })
}

/// Whether a URL is https, and its host in lower case; `None` if it is neither http
/// nor https or has anything unusual before its path.
fn host(url: &str) -> Option<(bool, String)> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let usual = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if !authority.chars().all(usual) {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(ip6) => ip6.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then(|| (tls, host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sap::settings::dialect::Dialect;

    fn address(url: &str, priority: Option<u32>, time_to_live: Option<u32>) -> RedirectAddress {
        RedirectAddress {
            url: url.to_owned(),
            priority,
            time_to_live,
        }
    }

    fn urls(peer: &Peer, list: &[RedirectAddress]) -> Vec<String> {
        let followed = followed(peer, list, Time(0)).into_iter();
        followed.map(|redirect| redirect.url).collect()
    }

    fn peer() -> Peer {
        let mut peer = Peer::new("a.test", Arc::new(Dialect::default()));
        peer.redirects = vec![
            "https://ssp1.a.test:5280/".to_owned(),
            "ssp2.a.test".to_owned(),
        ];
        peer
    }

    #[test]
    fn https_comes_first_then_the_lower_priority() {
        let list = [
            address("http://ssp1.a.test/", Some(1), None),
            address("https://ssp2.a.test:5281/x", None, None),
            address("https://ssp1.a.test/", Some(20), None),
            address("https://SSP2.a.test/", Some(10), None),
        ];
        assert_eq!(
            urls(&peer(), &list),
            [
                "https://SSP2.a.test/",
                "https://ssp1.a.test/",
                "https://ssp2.a.test:5281/x",
                "http://ssp1.a.test/",
            ]
        );
    }

    #[test]
    fn other_hosts_and_odd_urls_are_left_out() {
        for url in [
            "https://evil.test/",
            "https://ssp1.a.test@evil.test/",
            "https://evil.test\\@ssp1.a.test/",
            "https://evil.test#.ssp1.a.test",
            "ftp://ssp1.a.test/",
            "ssp1.a.test",
            "https://",
        ] {
            assert!(
                urls(&peer(), &[address(url, None, None)]).is_empty(),
                "{url}"
            );
        }
    }

    #[test]
    fn an_address_counts_for_its_time_to_live() {
        let list = [address("https://ssp1.a.test/", None, Some(60))];
        let redirect = followed(&peer(), &list, Time(1_000)).remove(0);
        assert!(redirect.counts(Time(60_999)));
        assert!(!redirect.counts(Time(61_000)));
    }
}
