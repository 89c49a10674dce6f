//! What the tests of the parts share.

use std::collections::BTreeMap;
use std::time::Duration;

use super::settings::{PlainLogin, Settings};
use super::wake::Offer;

/// Settings with every way open.
pub(super) fn settings() -> Settings {
    Settings {
        domain: "village.test".to_owned(),
        plain_login: PlainLogin::Always,
        digest_login: true,
        max_failures: 3,
        lock_out: Duration::from_secs(60),
        keep_alive: Duration::from_secs(3600),
        poll_interval: Duration::from_secs(30),
        one_address: false,
        max_sessions: 100,
        max_sessions_per_user: 4,
        offer: Offer {
            tcp: Some(("wv.test".to_owned(), 3171)),
            udp: true,
            http: Some("http://wv.test/".to_owned()),
        },
        kinds: Vec::new(),
        kind_of: BTreeMap::new(),
        numbers: BTreeMap::new(),
    }
}
