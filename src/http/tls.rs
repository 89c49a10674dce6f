//! TLS material: from PEM files to rustls configurations, and what a certificate says.
//!
//! The *ring* provider is named explicitly everywhere, so nothing depends on a process-wide
//! default. rustls speaks TLS 1.2 and 1.3; a peer with something older needs a plain port behind
//! a TLS terminator.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tracing::warn;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::trust::{Trust, signs_for_others};

/// Whether the listening side wants certificates from its callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Never asked for.
    #[default]
    None,
    /// Asked for, not needed. One that is presented must be good. Deployed servers present none.
    Request,
    /// A connection without one is refused.
    Require,
}

/// Files of the listening side.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// PEM: our certificate, then the intermediates.
    pub certificate: PathBuf,
    /// PEM: the private key of the first certificate.
    pub key: PathBuf,
    /// PEM: authorities that may vouch for callers, or callers' own certificates; needed unless `client_certificates` is `None`.
    pub client_ca: Option<PathBuf>,
    /// Whether callers are asked for a certificate.
    pub client_certificates: ClientCertificates,
}

/// Files and choices of the calling side, for one peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientTls {
    /// PEM: authorities that may vouch for the peer, or the peer's own certificate; `None` means
    /// the system's.
    pub ca: Option<PathBuf>,
    /// PEM: the certificate that we present, when the peer asks for one.
    pub certificate: Option<PathBuf>,
    /// PEM: its private key.
    pub key: Option<PathBuf>,
    /// `false` accepts any certificate: protected from eavesdroppers, not from impostors. For
    /// deployed servers with self-signed certificates; their authority file in `ca` is better.
    pub verify: bool,
}

impl Default for ClientTls {
    fn default() -> Self {
        ClientTls {
            ca: None,
            certificate: None,
            key: None,
            verify: true,
        }
    }
}

/// What is wrong with the TLS material, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}; check the path and that this user may read it", path = path.display())]
    Unreadable {
        /// The file, as the configuration names it.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A file is not PEM.
    #[error("{path} is not a PEM file: {reason}", path = path.display())]
    NotPem {
        /// The file, as the configuration names it.
        path: PathBuf,
        /// The parser's words.
        reason: String,
    },
    /// No certificate in a file.
    #[error("{path} has no certificate; it needs a -----BEGIN CERTIFICATE----- block", path = path.display())]
    NoCertificate {
        /// The file, as the configuration names it.
        path: PathBuf,
    },
    /// No usable key in a file.
    #[error("{path} has no private key that can be used without a password; it needs an unencrypted PEM block (PKCS #8, PKCS #1 or SEC 1)", path = path.display())]
    NoKey {
        /// The file, as the configuration names it.
        path: PathBuf,
    },
    /// Certificate and key do not fit together, or the key is of an unknown kind.
    #[error("certificate {certificate} and key {key} do not work together: {reason}", certificate = certificate.display(), key = key.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The file of the private key.
        key: PathBuf,
        /// Why, in the words of rustls.
        reason: String,
    },
    /// An authority file that cannot be used.
    #[error("the authorities in {path} cannot be used: {reason}", path = path.display())]
    BadAuthority {
        /// The file, as the configuration names it.
        path: PathBuf,
        /// Why, in the words of rustls.
        reason: String,
    },
    /// Caller certificates wanted without an authority to check them.
    #[error("client certificates are asked for, but no file of client authorities is configured")]
    NoClientAuthority,
    /// Only one of certificate and key.
    #[error("a client certificate needs both its certificate file and its key file")]
    HalfPair,
    /// The system has no authorities.
    #[error(
        "this system has no certificate authorities ({reason}); install ca-certificates or configure an authority file for the peer"
    )]
    NoNativeRoots {
        /// What went wrong in the search for them.
        reason: String,
    },
    /// A certificate that cannot be read.
    #[error("the certificate in {path} cannot be read: {reason}", path = path.display())]
    BadCertificate {
        /// The file, as the configuration names it.
        path: PathBuf,
        /// The parser's words.
        reason: String,
    },
    /// Something in rustls that no file explains.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The listening side's configuration.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn server_config(files: &ServerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = if files.client_certificates == ClientCertificates::None {
        builder.with_no_client_auth()
    } else {
        let path = files
            .client_ca
            .as_deref()
            .ok_or(TlsError::NoClientAuthority)?;
        let optional = files.client_certificates == ClientCertificates::Request;
        builder.with_client_cert_verifier(Trust::read(path)?.of_clients(optional))
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|error| mismatch(&files.certificate, &files.key, &error))?;
    Ok(Arc::new(config))
}

/// The calling side's configuration towards `peer`, whose name is only used in a warning.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn client_config(files: &ClientTls, peer: &str) -> Result<Arc<ClientConfig>, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = if files.verify {
        match &files.ca {
            Some(path) => {
                let verifier = Trust::read(path)?.of_servers();
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
            }
            None => builder.with_root_certificates(native_roots()?),
        }
    } else {
        warn!(
            ssp.peer = peer,
            "the peer's certificate is not verified: anyone in between can pose as this peer"
        );
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
    };
    let config = match (&files.certificate, &files.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| mismatch(certificate, key, &error))?,
        _ => return Err(TlsError::HalfPair),
    };
    Ok(Arc::new(config))
}

/// The calling side's configuration towards anybody for whom the system's authorities vouch. They
/// are read once.
///
/// # Errors
/// [`TlsError`], if the system has none.
pub fn public_client_config() -> Result<Arc<ClientConfig>, TlsError> {
    static READ: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = READ.get() {
        return Ok(Arc::clone(config));
    }
    let config = client_config(&ClientTls::default(), "")?;
    Ok(Arc::clone(READ.get_or_init(|| config)))
}

/// What an operator wants to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// First moment of validity.
    pub not_before: SystemTime,
    /// Last moment of validity.
    pub not_after: SystemTime,
    /// DNS names and IP addresses it is good for, lower case.
    pub dns_names: Vec<String>,
    /// Subject, as `CN=...`.
    pub subject: String,
    /// Who has signed it, as `CN=...`.
    pub issuer: String,
}

/// Where `now` lies in a certificate's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Not valid yet; for how much longer.
    NotYet(Duration),
    /// Valid; for how much longer.
    Valid(Duration),
    /// Expired; since when.
    Expired(Duration),
}

impl CertificateFacts {
    /// Whether the certificate is valid at `now`.
    pub fn validity(&self, now: SystemTime) -> Validity {
        if let Ok(wait) = self.not_before.duration_since(now)
            && !wait.is_zero()
        {
            return Validity::NotYet(wait);
        }
        match self.not_after.duration_since(now) {
            Ok(left) => Validity::Valid(left),
            Err(error) => Validity::Expired(error.duration()),
        }
    }
}

/// Reads the first certificate of a PEM file.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn certificate_facts(path: &Path) -> Result<CertificateFacts, TlsError> {
    let chain = certificates(path)?;
    let first = chain.first().ok_or_else(|| TlsError::NoCertificate {
        path: path.to_owned(),
    })?;
    facts(first).map_err(|reason| TlsError::BadCertificate {
        path: path.to_owned(),
        reason,
    })
}

/// What there is to know of a certificate that the other side has shown; `None` if it
/// cannot be read.
pub fn shown_certificate_facts(certificate: &CertificateDer<'_>) -> Option<CertificateFacts> {
    facts(certificate).ok()
}

/// Whether a certificate can sign others; not, if it cannot be read.
pub(super) fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| signs_for_others(&parsed))
}

fn facts(certificate: &CertificateDer<'_>) -> Result<CertificateFacts, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    Ok(CertificateFacts {
        not_before: moment(parsed.validity().not_before.timestamp()),
        not_after: moment(parsed.validity().not_after.timestamp()),
        dns_names: names(&parsed, true),
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
    })
}

/// The DNS names of a certificate, lower case; none when it cannot be read.
pub(crate) fn certificate_dns_names(certificate: &CertificateDer<'_>) -> Vec<String> {
    X509Certificate::from_der(certificate)
        .map(|(_, parsed)| names(&parsed, false))
        .unwrap_or_default()
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn names(certificate: &X509Certificate<'_>, with_addresses: bool) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |general: &GeneralName<'_>| match general {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) if with_addresses => {
            let four = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let sixteen = <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from);
            four.or(sixteen).ok().map(|address| address.to_string())
        }
        _ => None,
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(name)
        .collect()
}

fn moment(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    if seconds >= 0 {
        SystemTime::UNIX_EPOCH + distance
    } else {
        SystemTime::UNIX_EPOCH
            .checked_sub(distance)
            .unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::NotPem {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| TlsError::NoKey {
        path: path.to_owned(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn native_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found
            .errors
            .first()
            .map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsError::NoNativeRoots { reason });
    }
    Ok(roots)
}

fn mismatch(certificate: &Path, key: &Path, error: &rustls::Error) -> TlsError {
    TlsError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        reason: error.to_string(),
    }
}

/// Accepts any certificate, but insists that the other side holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
