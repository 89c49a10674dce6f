//! A chain of certificates as others see it: who vouches for it, and what each is known by.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::tls::{self, CertificateFacts, TlsError};
use super::trust::Trust;

/// Bytes of a line in PEM: 64 characters.
const LINE: usize = 48;

/// One certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// What it says; `None` if it cannot be read.
    pub fn facts(&self) -> Option<CertificateFacts> {
        tls::shown_certificate_facts(&self.0)
    }

    /// Whether it can sign others.
    pub fn is_authority(&self) -> bool {
        tls::is_authority(&self.0)
    }

    /// SHA-256 of it, in capital hexadecimal digits with colons, as `openssl x509 -fingerprint
    /// -sha256` writes it.
    pub fn fingerprint(&self) -> String {
        let sum = digest(&SHA256, &self.0);
        let bytes = sum.as_ref().iter().map(|byte| format!("{byte:02X}"));
        bytes.collect::<Vec<_>>().join(":")
    }

    /// Itself in PEM, with an end of line.
    pub fn pem(&self) -> String {
        let lines = self.0.chunks(LINE).map(|line| STANDARD.encode(line) + "\n");
        let lines: String = lines.collect();
        format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    }
}

/// Certificates in the order in which they stand: in that of a server its own comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(Vec<Certificate>);

impl Chain {
    /// Those of a PEM file, at least one. What else stands there is passed over.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let found = tls::certificates(path)?;
        Ok(Self(found.into_iter().map(Certificate).collect()))
    }

    /// Those of a PEM text, at least one; `None` if it is not PEM.
    pub fn parse(pem: &str) -> Option<Self> {
        let found = CertificateDer::pem_slice_iter(pem.as_bytes());
        let found = found.map(|certificate| certificate.map(Certificate).ok());
        let found: Vec<Certificate> = found.collect::<Option<_>>()?;
        (!found.is_empty()).then_some(Self(found))
    }

    /// The certificates.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }

    /// Whether a caller who knows only `by`, or without it the authorities of this system, takes
    /// this chain for that of the host `name` at `now`.
    pub fn is_vouched_for(&self, by: Option<&Certificate>, name: &str, now: SystemTime) -> bool {
        let Some((first, others)) = self.0.split_first() else {
            return false;
        };
        let (Ok(name), Ok(since)) = (
            ServerName::try_from(name.to_owned()),
            now.duration_since(UNIX_EPOCH),
        ) else {
            return false;
        };
        let others: Vec<_> = others.iter().map(|other| other.0.clone()).collect();
        let now = UnixTime::since_unix_epoch(since);
        verifier(by).is_some_and(|verifier| {
            let verified = verifier.verify_server_cert(&first.0, &others, &name, &[], now);
            verified.is_ok()
        })
    }
}

/// What checks the certificates of servers by one authority, or by those of this system.
fn verifier(by: Option<&Certificate>) -> Option<Arc<dyn ServerCertVerifier>> {
    if let Some(by) = by {
        return Some(Trust::of(vec![by.0.clone()]).ok()?.of_servers());
    }
    let roots = Arc::new(tls::native_roots().ok()?);
    let builder = WebPkiServerVerifier::builder_with_provider(roots, tls::provider());
    let verifier: Arc<dyn ServerCertVerifier> = builder.build().ok()?;
    Some(verifier)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    /// A certificate of these names by an authority, and that.
    fn signed(names: &[&str]) -> (Chain, Certificate) {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = authority.self_signed(&key).unwrap();
        let issuer = Issuer::new(authority, key);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let own = CertificateParams::new(names).unwrap();
        let own = own.signed_by(&KeyPair::generate().unwrap(), &issuer);
        let of = |der: &CertificateDer<'static>| Certificate(der.clone());
        (Chain(vec![of(own.unwrap().der())]), of(root.der()))
    }

    #[test]
    fn a_chain_is_vouched_for_by_its_authority_under_its_names_and_in_its_time() {
        let (chain, root) = signed(&["a.test", "192.0.2.7"]);
        let (_, stranger) = signed(&["a.test"]);
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let own = &chain.certificates()[0];
        assert!(root.is_authority() && !own.is_authority());
        for name in ["a.test", "192.0.2.7"] {
            assert!(chain.is_vouched_for(Some(&root), name, now), "{name}");
        }
        // Who has named exactly this certificate asks for no name.
        assert!(chain.is_vouched_for(Some(own), "b.test", now));
        for (by, name, at) in [
            (Some(&root), "b.test", now),
            (Some(&root), "*.test", now),
            (Some(&root), "a.test", UNIX_EPOCH),
            (Some(&stranger), "a.test", now),
            (None, "a.test", now),
        ] {
            assert!(!chain.is_vouched_for(by, name, at), "{name}");
        }
    }

    #[test]
    fn what_is_written_in_pem_is_read_again_and_nothing_else_is() {
        let (chain, root) = signed(&["a.test"]);
        let both = chain.certificates()[0].pem() + &root.pem();
        let read = Chain::parse(&both).unwrap();
        assert_eq!(read.certificates(), [chain.0[0].clone(), root.clone()]);
        assert!(both.lines().all(|line| line.len() <= 64));
        let print = root.fingerprint();
        assert_eq!((print.len(), print.matches(':').count()), (95, 31));
        let cut = both.replace("-----END CERTIFICATE-----\n", "");
        for text in ["", "hello", cut.as_str()] {
            assert_eq!(Chain::parse(text), None, "{text}");
        }
    }
}
