//! `[ssp]`: the listener for peers, and the limits and times of the protocol.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::units::{self, Duration, Size};

/// The SSP listener, its limits and its times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SspSection {
    /// IP address and port on which peers reach this node. Default `0.0.0.0:5280`.
    #[serde(deserialize_with = "units::address")]
    pub listen: SocketAddr,
    /// Serve plain HTTP on that port too, beside TLS; alone where no certificate is given.
    /// Default `false`.
    pub plain: bool,
    /// The node's certificate chain (PEM), its own certificate first; needs `key`.
    /// Default: none, no TLS.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key (PEM); needs `certificate`. Default: none.
    pub key: Option<PathBuf>,
    /// The CA certificates (PEM) that must have signed client certificates. Default: none.
    pub client_ca: Option<PathBuf>,
    /// Whether peers must show a certificate: `none`, `request` (check it if there is one)
    /// or `require`. Default `none`.
    pub client_certificates: ClientCertificates,
    /// DNS servers (IP address and port) that are asked for the SRV records of peers without
    /// `url`. Default `[]`: those of `/etc/resolv.conf`.
    #[serde(deserialize_with = "units::addresses")]
    pub dns_servers: Vec<SocketAddr>,
    /// Largest HTTP body taken, in bytes; larger ones are answered 413. Default `1MiB`.
    pub max_message: Size,
    /// Deepest nesting of XML elements taken. Default 32.
    pub max_depth: usize,
    /// Most transactions taken in one message. Default 256.
    pub max_transactions: usize,
    /// Most elements directly in another one, as the members of a list; more are answered 400.
    /// Default 10000.
    pub max_entries: usize,
    /// Longest text of an element in bytes, as a reason, note, description or status text; longer
    /// ones are answered 400. Contents (of messages, welcome notes, pictures) end with
    /// `max_message`. Default `8KiB`.
    pub max_text: Size,
    /// Most connections open at once, from all peers; addresses from which no peer has spoken
    /// yet have at most three quarters of them. Default 1024.
    pub max_connections: usize,
    /// Most connections open at once from one address (from one /64 of IPv6); an address of a
    /// peer has at least a quarter of `max_connections`. Raise it where peers come through a
    /// proxy. Default 64.
    pub max_connections_per_address: usize,
    /// Most bytes of HTTP bodies held at once, from all peers; addresses from which no peer has
    /// spoken yet have at most half of them. At least twice `max_message`. Default `64MiB`.
    pub max_bodies: Size,
    /// Time a connection has for the TLS handshake and the head of a request. Default `10s`.
    pub header_timeout: Duration,
    /// Time a request has for its body. Default `30s`.
    pub body_timeout: Duration,
    /// What a body must bring each second, after its first five; `0B`: any pace.
    /// Default `1KiB`.
    pub body_pace: Size,
    /// Time after which a connection without requests is closed. Default `60s`.
    pub idle_timeout: Duration,
    /// Time a forwarded request waits for its answer before the requestor is told 504.
    /// Default `20s`.
    pub response_timeout: Duration,
    /// A peer with users who are watched, of whom nothing was heard for so long, is tried; one that
    /// is not reached for half of it is away. Default `10s`.
    pub peer_silence: Duration,
    /// Time after which the users of a peer that is away are shown as unknown. Default `60s`.
    pub peer_grace: Duration,
    /// Time for which transaction ids are remembered, so that a repeated request is not
    /// carried out twice. Default `10m`.
    pub duplicate_window: Duration,
    /// Life of a session without traffic, as announced at login (`timeToLive`, whole
    /// seconds). Default `1d`.
    pub session_ttl: Duration,
    /// Most sessions with one peer; a further one ends that which was out of use longest.
    /// Default 8.
    pub max_sessions: usize,
    /// Time a begun SSP login has until it must be complete. Default `30s`.
    pub handshake_timeout: Duration,
    /// Time for which a secret token we issued is accepted at login. Default `60s`.
    pub token_lifetime: Duration,
    /// Life of a message whose sender named none. Default `1d`.
    pub default_validity: Duration,
    /// Life of a service agreement: asked for, and granted at most. Default `7d`.
    pub agreement_ttl: Duration,
    /// Time for which a user profile that passed by answers further requests for it; `0s`:
    /// each is passed on. Default `5m`.
    pub profile_cache: Duration,
    /// Most outgoing transactions kept for one peer; more are refused. Default 100000.
    pub max_queue: usize,
    /// Most bytes of outgoing transactions kept for one peer; more are refused. Default `256MiB`.
    pub max_queue_bytes: Size,
    /// Most bytes of outgoing transactions kept for all peers together. Half of it is for peers
    /// for whom less than an equal share is kept. Default `1GiB`.
    pub max_queue_total: Size,
    /// Most transactions sent in one message (a dialect may allow fewer). Default 64.
    pub batch_count: usize,
    /// Size at which a message takes no further transaction, in bytes. Default `256KiB`.
    pub batch_bytes: Size,
}

/// Whether peers show a certificate when they connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; one that is shown is checked.
    Request,
    /// Without a valid one there is no connection.
    Require,
}

impl Default for SspSection {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5280)),
            plain: false,
            certificate: None,
            key: None,
            client_ca: None,
            client_certificates: ClientCertificates::None,
            dns_servers: Vec::new(),
            max_message: Size::kib(1024),
            max_depth: 32,
            max_transactions: 256,
            max_entries: 10_000,
            max_text: Size::kib(8),
            max_connections: 1024,
            max_connections_per_address: 64,
            max_bodies: Size::kib(64 << 10),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            body_pace: Size::kib(1),
            idle_timeout: Duration::from_secs(60),
            response_timeout: Duration::from_secs(20),
            peer_silence: Duration::from_secs(10),
            peer_grace: Duration::from_secs(60),
            duplicate_window: Duration::from_secs(600),
            session_ttl: Duration::from_secs(86_400),
            max_sessions: 8,
            handshake_timeout: Duration::from_secs(30),
            token_lifetime: Duration::from_secs(60),
            default_validity: Duration::from_secs(86_400),
            agreement_ttl: Duration::from_secs(7 * 86_400),
            profile_cache: Duration::from_secs(300),
            max_queue: 100_000,
            max_queue_bytes: Size::kib(256 * 1024),
            max_queue_total: Size::kib(1024 * 1024),
            batch_count: 64,
            batch_bytes: Size::kib(256),
        }
    }
}

impl SspSection {
    pub(super) fn check(&self, report: &mut Report<'_>) {
        let certificate = ("certificate", self.certificate.is_some());
        report.both_or_none("ssp", certificate, ("key", self.key.is_some()));
        if self.certificate.is_none() && self.key.is_none() && !self.plain {
            report.error(
                "ssp.certificate",
                "missing, and plain HTTP is off: nothing could be served",
                "add certificate and key, or plain = true",
            );
        }
        self.check_client_certificates(report);
        self.check_limits(report);
    }

    fn check_client_certificates(&self, report: &mut Report<'_>) {
        let key = "ssp.client_certificates";
        if self.client_certificates == ClientCertificates::None {
            if self.client_ca.is_some() {
                let fix = "add client_certificates = \"request\" or \"require\"";
                report.error(
                    "ssp.client_ca",
                    "is never used: peers are not asked for certificates",
                    fix,
                );
            }
            return;
        }
        if self.client_ca.is_none() {
            let fix = "add client_ca = \"...\", the CA that signed them";
            report.error(key, "needs client_ca to check certificates by", fix);
        }
        if self.certificate.is_none() && self.key.is_none() {
            report.error(key, "needs TLS", "add certificate and key");
        }
        if self.client_certificates == ClientCertificates::Require && self.plain {
            let fix = "remove plain, or write client_certificates = \"request\"";
            report.error(
                "ssp.plain",
                "lets peers in without the certificate that client_certificates requires",
                fix,
            );
        }
    }

    fn check_limits(&self, report: &mut Report<'_>) {
        report.not_zero(
            "ssp",
            &[
                ("header_timeout", self.header_timeout),
                ("body_timeout", self.body_timeout),
                ("idle_timeout", self.idle_timeout),
                ("response_timeout", self.response_timeout),
                ("peer_silence", self.peer_silence),
                ("duplicate_window", self.duplicate_window),
                ("session_ttl", self.session_ttl),
                ("handshake_timeout", self.handshake_timeout),
                ("token_lifetime", self.token_lifetime),
                ("default_validity", self.default_validity),
                ("agreement_ttl", self.agreement_ttl),
            ],
        );
        if !self.session_ttl.is_zero() && self.session_ttl.as_secs() == 0 {
            report.error(
                "ssp.session_ttl",
                "is announced in whole seconds",
                "write \"1s\" or more",
            );
        }
        report.at_least(
            "ssp",
            &[
                ("max_depth", self.max_depth, 12),
                ("max_transactions", self.max_transactions, 1),
                ("max_entries", self.max_entries, 256),
                ("max_connections", self.max_connections, 1),
                (
                    "max_connections_per_address",
                    self.max_connections_per_address,
                    1,
                ),
                ("max_queue", self.max_queue, 1),
                ("max_sessions", self.max_sessions, 2),
                ("batch_count", self.batch_count, 1),
            ],
        );
        let least = Size::kib(4);
        let sizes = [
            ("max_message", self.max_message, least),
            ("max_text", self.max_text, Size::kib(1)),
            ("batch_bytes", self.batch_bytes, least),
            (
                "max_bodies",
                self.max_bodies,
                Size(self.max_message.bytes().saturating_mul(2)),
            ),
        ];
        report.size_at_least("ssp", &sizes);
    }
}
