//! Whom a file of certificates vouches for: everybody whom an authority among them has signed for,
//! and each of them itself.
//!
//! What `openssl req -x509` makes is an authority that signs itself, and a server shows it as its
//! own certificate; older tools make certificates of X.509 version 1. A check of a chain takes
//! neither. When exactly this certificate stands in the file, the operator has said whose it is,
//! so it is taken for what it is: then its time must be right, its names say nothing. It vouches
//! for nobody else: a caller whose own certificate stands in the file must not be able to sign
//! itself the names of another.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::tls::{TlsError, certificates, provider};

/// The certificates of a file.
#[derive(Debug)]
pub(super) struct Trust {
    authorities: Arc<RootCertStore>,
    pinned: Arc<[CertificateDer<'static>]>,
}

impl Trust {
    /// # Errors
    /// [`TlsError`], naming the file.
    pub(super) fn read(path: &Path) -> Result<Self, TlsError> {
        Self::of(certificates(path)?).map_err(|reason| TlsError::BadAuthority {
            path: path.to_owned(),
            reason,
        })
    }

    /// # Errors
    /// Why one of them cannot be read.
    pub(super) fn of(pinned: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let mut authorities = RootCertStore::empty();
        for certificate in &pinned {
            let parsed = X509Certificate::from_der(certificate);
            let (_, parsed) = parsed.map_err(|error| error.to_string())?;
            // What is no authority can still be known by itself.
            if signs_for_others(&parsed) {
                let _ = authorities.add(certificate.clone());
            }
        }
        Ok(Self {
            authorities: Arc::new(authorities),
            pinned: pinned.into(),
        })
    }

    /// The verifier of the calling side.
    pub(super) fn of_servers(self) -> Arc<dyn ServerCertVerifier> {
        let authorities = Arc::clone(&self.authorities);
        Arc::new(Verifier {
            by_chain: WebPkiServerVerifier::builder_with_provider(authorities, provider())
                .build()
                .ok(),
            pinned: self.pinned,
            provider: provider(),
        })
    }

    /// Of the listening side; `optional`: who shows no certificate is let in too.
    pub(super) fn of_clients(self, optional: bool) -> Arc<dyn ClientCertVerifier> {
        let authorities = Arc::clone(&self.authorities);
        let mut builder = WebPkiClientVerifier::builder_with_provider(authorities, provider());
        if optional {
            builder = builder.allow_unauthenticated();
        }
        Arc::new(ClientVerifier {
            mandatory: !optional,
            inner: Verifier {
                by_chain: builder.build().ok(),
                pinned: self.pinned,
                provider: provider(),
            },
        })
    }
}

/// Whether a certificate is an authority's. One of version 1 cannot say so; where it signs itself it
/// is taken for one (RFC 5280, 6.1.4 k).
pub(super) fn signs_for_others(certificate: &X509Certificate<'_>) -> bool {
    if certificate.version() == X509Version::V3 {
        certificate.is_ca()
    } else {
        certificate.subject() == certificate.issuer()
    }
}

/// `by_chain` is `None` where no certificate of the file is an authority.
#[derive(Debug)]
struct Verifier<V> {
    by_chain: Option<V>,
    pinned: Arc<[CertificateDer<'static>]>,
    provider: Arc<CryptoProvider>,
}

impl<V> Verifier<V> {
    /// Whether exactly this certificate stands in the file; an error if its time is not now.
    fn is_pinned(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<bool, Error> {
        if !self.has(certificate) {
            return Ok(false);
        }
        let (_, parsed) = X509Certificate::from_der(certificate)
            .map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let validity = parsed.validity();
        if now < validity.not_before.timestamp() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > validity.not_after.timestamp() {
            return Err(CertificateError::Expired.into());
        }
        Ok(true)
    }

    fn has(&self, certificate: &CertificateDer<'_>) -> bool {
        self.pinned.iter().any(|pinned| pinned == certificate)
    }

    fn tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        if self.has(certificate) {
            return self.by_key(message, certificate, signed);
        }
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        if self.has(certificate) {
            let key = key_of(certificate)?;
            return rustls::crypto::verify_tls13_signature_with_raw_key(
                message, &key, signed, algorithms,
            );
        }
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    /// By the key alone: certificates of version 1 are read by nobody else.
    fn by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = key_of(certificate)?;
        let key = webpki::RawPublicKeyEntity::try_from(&key)
            .map_err(|_| Error::from(CertificateError::BadEncoding))?;
        let mapping = self.provider.signature_verification_algorithms.mapping;
        let of_scheme = mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let mut algorithms = of_scheme
            .into_iter()
            .flat_map(|(_, algorithms)| *algorithms);
        algorithms
            .any(|algorithm| {
                key.verify_signature(*algorithm, message, signed.signature())
                    .is_ok()
            })
            .then(HandshakeSignatureValid::assertion)
            .ok_or_else(|| CertificateError::BadSignature.into())
    }
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|_| Error::from(CertificateError::BadEncoding))?;
    Ok(parsed.public_key().raw.to_vec().into())
}

/// What the traits of both sides want of signatures, by a [`Verifier`].
macro_rules! signatures {
    ($self:ident, $verifier:expr) => {
        fn verify_tls12_signature(
            &$self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            $verifier.tls12(message, certificate, signed)
        }

        fn verify_tls13_signature(
            &$self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            $verifier.tls13(message, certificate, signed)
        }

        fn supported_verify_schemes(&$self) -> Vec<SignatureScheme> {
            let algorithms = &$verifier.provider.signature_verification_algorithms;
            algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Verifier<Arc<WebPkiServerVerifier>> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_pinned(end_entity, now)? {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.by_chain {
            Some(chain) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    signatures!(self, self);
}

#[derive(Debug)]
struct ClientVerifier {
    mandatory: bool,
    inner: Verifier<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        let chain = self.inner.by_chain.as_ref();
        chain.map_or(&[], |chain| chain.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.inner.is_pinned(end_entity, now)? {
            return Ok(ClientCertVerified::assertion());
        }
        match &self.inner.by_chain {
            Some(chain) => chain.verify_client_cert(end_entity, intermediates, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    signatures!(self, self.inner);
}
