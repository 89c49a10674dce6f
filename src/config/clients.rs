//! `[clients]`: the access point for phones and other clients of the home domain's users; its
//! presence switches it on.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::clp::{ClpSection, SmsSection};
use super::network::network;
use super::report::Report;
use super::secret::Secret;
use super::units::{self, Duration, Size};

/// Where clients that speak the Client-Server Protocol (CSP) log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientsSection {
    /// IP address and port on which clients are served. Default `0.0.0.0:5282`.
    #[serde(deserialize_with = "units::address")]
    pub listen: SocketAddr,
    /// Certificate chain (PEM) of that port; needs `key`. Default: none, plain HTTP.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key (PEM); needs `certificate`. Default: none.
    pub key: Option<PathBuf>,
    /// How clients reach that port: `https://imps.village.example/`. Clients that are woken by HTTP
    /// ask there. No default: none is woken by HTTP.
    pub url: Option<String>,
    /// IP address and port of the channel by which clients are woken over TCP. No default: none
    /// is.
    #[serde(deserialize_with = "units::optional_address")]
    pub wake_listen: Option<SocketAddr>,
    /// Host by which clients reach that channel. Default: the host of `url`, else the address of
    /// `wake_listen`.
    pub wake_host: Option<String>,
    /// Whether clients are woken by UDP, at the port that they name. Default no.
    pub wake_udp: bool,
    /// Whether a client may send its password as it is: `tls` (over TLS alone), `always` or
    /// `never`. Default `tls`.
    pub plain_login: PlainLogin,
    /// A secret of at least 16 characters with which passwords are encrypted, so that clients can
    /// log in with a digest of them. No default: no client can.
    pub digest_secret: Option<Secret>,
    /// Failed logins of a user after which nobody logs in as them for a while; of one address four
    /// times as many. Default 5.
    pub max_failures: usize,
    /// For how long. Default `5m`.
    pub lock_out: Duration,
    /// Time after which a client that says nothing is logged out, unless it wants a shorter one.
    /// Default `2h`.
    pub keep_alive: Duration,
    /// What clients that are not woken are to wait between looking whether something waits.
    /// Default `30s`.
    pub poll_interval: Duration,
    /// Whether a session is taken only from the address from which it was begun. Phones change
    /// theirs. Default no.
    pub one_address: bool,
    /// Most sessions. Default 10000.
    pub max_sessions: usize,
    /// Most sessions of one user. Default 4.
    pub max_sessions_per_user: usize,
    /// Largest message of a client. Default `256KiB`.
    pub max_message: Size,
    /// Most connections open at once; of the channel that wakes as many again. Default 12000.
    pub max_connections: usize,
    /// Most connections open at once from one address (from one /64 of IPv6). Default 256.
    pub max_connections_per_address: usize,
    /// Name of the HTTP header in which the operator's proxies say from whose number a request
    /// comes, as `MSISDN`. No default: no header is read.
    pub number_header: Option<String>,
    /// Addresses (`192.0.2.7`) or networks (`192.0.2.0/24`) of those proxies. From anywhere else the
    /// header is passed over. Default: none.
    pub number_proxies: Vec<String>,
    /// What is known of the clients of some users. Default: none.
    pub user: Vec<ClientUser>,
    /// Where users talk in lines of text, if they do.
    pub clp: Option<ClpSection>,
    /// Gateways through which users talk by short messages. Default: none.
    pub sms: Vec<SmsSection>,
}

/// What the operator knows of the clients of one user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientUser {
    /// Local part of the user's address.
    pub name: String,
    /// Kind of their clients, whatever those say of themselves: the `name` of a file in
    /// `mappings/clients`. Default: as they say.
    pub kind: Option<String>,
    /// Number of their subscription, in digits with the country first. Whose request a proxy, or an
    /// SMS gateway, says comes from it logs in as this user without password. Default: none.
    pub number: Option<String>,
}

/// When a client may send its password as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlainLogin {
    /// Over TLS.
    #[default]
    Tls,
    /// Over plain HTTP, too.
    Always,
    /// Never.
    Never,
}

fn is_header(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= 64 && name.bytes().all(is_part)
}

/// Whether this is the number of a subscription, as E.164 has it.
fn is_number(text: &str) -> bool {
    (4..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Default for ClientsSection {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, 5282).into(),
            certificate: None,
            key: None,
            url: None,
            wake_listen: None,
            wake_host: None,
            wake_udp: false,
            plain_login: PlainLogin::Tls,
            digest_secret: None,
            max_failures: 5,
            lock_out: Duration::from_secs(300),
            keep_alive: Duration::from_secs(7200),
            poll_interval: Duration::from_secs(30),
            one_address: false,
            max_sessions: 10_000,
            max_sessions_per_user: 4,
            max_message: Size::kib(256),
            max_connections: 12_000,
            max_connections_per_address: 256,
            number_header: None,
            number_proxies: Vec::new(),
            user: Vec::new(),
            clp: None,
            sms: Vec::new(),
        }
    }
}

impl ClientsSection {
    /// The URL under which clients ask, with a slash at the end.
    pub fn base(&self) -> Option<String> {
        let mut text = Url::parse(self.url.as_deref()?.trim()).ok()?.to_string();
        if !text.ends_with('/') {
            text.push('/');
        }
        Some(text)
    }

    /// The host and the port of the channel that wakes, as clients are told them.
    pub fn wake_at(&self) -> Option<(String, u16)> {
        let listen = self.wake_listen?;
        let of_url = || {
            Url::parse(self.url.as_deref()?.trim())
                .ok()?
                .host_str()
                .map(str::to_owned)
        };
        let host = self.wake_host.clone().or_else(of_url);
        Some((
            host.unwrap_or_else(|| listen.ip().to_string()),
            listen.port(),
        ))
    }

    /// `has_home`: whether there are users who could log in.
    pub(super) fn check(&self, has_home: bool, report: &mut Report<'_>) {
        if !has_home {
            let message = "nobody can log in: this node has no users";
            report.error("clients", message, "add [home], or remove [clients]");
        }
        report.both_or_none(
            "clients",
            ("certificate", self.certificate.is_some()),
            ("key", self.key.is_some()),
        );
        let counts = [
            ("max_failures", self.max_failures, 1),
            ("max_sessions", self.max_sessions, 1),
            ("max_sessions_per_user", self.max_sessions_per_user, 1),
            ("max_connections", self.max_connections, 1),
            (
                "max_connections_per_address",
                self.max_connections_per_address,
                1,
            ),
        ];
        report.at_least("clients", &counts);
        report.size_at_least(
            "clients",
            &[("max_message", self.max_message, Size::kib(4))],
        );
        let spans = [
            ("lock_out", self.lock_out),
            ("keep_alive", self.keep_alive),
            ("poll_interval", self.poll_interval),
        ];
        report.not_zero("clients", &spans);
        self.check_addresses(report);
        self.check_logins(report);
        self.check_numbers(report);
        self.check_users(report);
        match &self.clp {
            Some(_) if self.plain_login == PlainLogin::Never => {
                let message = "nobody can log in: passwords are not taken";
                let fix = "write plain_login = \"tls\" in [clients], or remove it";
                report.error("clients.clp", message, fix);
            }
            Some(clp) => {
                let may_be_plain = self.plain_login == PlainLogin::Always;
                clp.check(may_be_plain, self.certificate.is_some(), report);
            }
            None => {}
        }
        for (index, sms) in self.sms.iter().enumerate() {
            sms.check(index, &self.sms, report);
            let is_plain = self.certificate.is_none() && !self.listen.ip().is_loopback();
            if is_plain && sms.is_elsewhere() {
                let message = "its secret and what users write come unencrypted over the network";
                let fix =
                    "add certificate and key to [clients], or put the gateway on this machine";
                report.warn(&format!("clients.sms.{index}.from"), message, fix);
            }
        }
    }

    fn check_numbers(&self, report: &mut Report<'_>) {
        if self.number_header.is_none() && !self.number_proxies.is_empty() {
            let message = "no header is read from them";
            let fix = "add number_header, or remove it";
            report.error("clients.number_proxies", message, fix);
        }
        if self.number_header.is_some() && self.number_proxies.is_empty() {
            let message = "nobody is believed in it";
            let fix = "add number_proxies, or remove it";
            report.warn("clients.number_header", message, fix);
        }
        if let Some(name) = &self.number_header
            && !is_header(name)
        {
            let message = format!("\"{name}\" is no name of a header");
            report.error("clients.number_header", message, "write it like \"MSISDN\"");
        }
        for from in &self.number_proxies {
            if network(from).is_none() {
                let message = format!("\"{from}\" is no address or network");
                let fix = "write it like \"192.0.2.7\" or \"192.0.2.0/24\"";
                report.error("clients.number_proxies", message, fix);
            }
        }
    }

    fn check_users(&self, report: &mut Report<'_>) {
        let mut names = BTreeSet::new();
        let mut numbers = BTreeSet::new();
        for (index, user) in self.user.iter().enumerate() {
            let key = |key: &str| format!("clients.user.{index}.{key}");
            if user.name.is_empty() {
                report.error(&key("name"), "missing", "add name = \"...\"");
            } else if !names.insert(&user.name) {
                let message = format!("\"{}\" is listed twice", user.name);
                report.error(&key("name"), message, "remove one of them");
            }
            let Some(number) = &user.number else { continue };
            if !is_number(number) {
                let message = format!("\"{number}\" is no number");
                let fix = "write 4 to 15 digits, with the country first";
                report.error(&key("number"), message, fix);
            } else if !numbers.insert(number) {
                let message = format!("\"{number}\" is that of two users");
                report.error(&key("number"), message, "remove one of them");
            } else if self.number_header.is_none() && self.sms.is_empty() {
                let message = "nobody says from whose number a request comes";
                let fix = "add number_header and number_proxies, or [[clients.sms]], or remove it";
                report.error(&key("number"), message, fix);
            }
        }
    }

    fn check_addresses(&self, report: &mut Report<'_>) {
        if let Some(url) = &self.url {
            let parsed = Url::parse(url.trim()).ok();
            let is_plain = |url: &Url| {
                matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.query().is_none()
                    && url.fragment().is_none()
                    && url.username().is_empty()
            };
            if !parsed.as_ref().is_some_and(is_plain) {
                let message = format!("\"{url}\" is no URL with a host and a path alone");
                let fix = "write it like \"https://imps.village.example/\"";
                report.error("clients.url", message, fix);
            }
        }
        match self.wake_at() {
            None if self.wake_host.is_some() => {
                let message = "there is no channel at that host";
                report.error(
                    "clients.wake_host",
                    message,
                    "add wake_listen, or remove it",
                );
            }
            Some((host, _)) if host == Ipv4Addr::UNSPECIFIED.to_string() || host == "::" => {
                let message = "clients are not told by which host they reach the channel";
                report.error("clients.wake_listen", message, "add wake_host or url");
            }
            _ => {}
        }
    }

    fn check_logins(&self, report: &mut Report<'_>) {
        if let Some(secret) = &self.digest_secret {
            report.long_secret("clients.digest_secret", secret);
        }
        let is_local = self.listen.ip().is_loopback();
        let plain = match self.plain_login {
            PlainLogin::Always => true,
            PlainLogin::Tls => self.certificate.is_some(),
            PlainLogin::Never => false,
        };
        if !plain && self.digest_secret.is_none() {
            let message = "no client can log in: neither with its password nor with a digest of it";
            let fix = "add certificate and key, or digest_secret, or plain_login = \"always\"";
            report.error("clients.plain_login", message, fix);
        } else if self.plain_login == PlainLogin::Always && !is_local {
            let message = "passwords may go unencrypted over the network";
            report.warn("clients.plain_login", message, "write \"tls\" or \"never\"");
        }
    }
}
