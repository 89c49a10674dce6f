//! The certificates of peers, as far as a metric tells of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;

use super::tls;

/// When the certificate ends that each peer has shown last, when this node connected to it. Not kept
/// over a restart.
#[derive(Debug, Default)]
pub struct ShownCertificates {
    ends: Mutex<BTreeMap<String, SystemTime>>,
}

impl ShownCertificates {
    /// A peer has shown a certificate. One that cannot be read changes nothing.
    pub(crate) fn note(&self, peer: &str, certificate: &CertificateDer<'_>) {
        if let Some(facts) = tls::shown_certificate_facts(certificate) {
            self.ends().insert(peer.to_owned(), facts.not_after);
        }
    }

    /// Forgets those that are no peers any more.
    pub fn retain(&self, is_peer: impl Fn(&str) -> bool) {
        self.ends().retain(|peer, _| is_peer(peer));
    }

    /// When they end, by peer.
    pub fn all(&self) -> BTreeMap<String, SystemTime> {
        self.ends().clone()
    }

    fn ends(&self) -> MutexGuard<'_, BTreeMap<String, SystemTime>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
