//! `[clients.clp]` and `[[clients.sms]]`: text sessions, over connections and by short messages.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::network::network;
use super::report::Report;
use super::secret::Secret;
use super::units::{self, Duration};

/// Where users talk in lines of text, as in `wvgate chat`; its presence switches it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClpSection {
    /// IP address and port. Default `0.0.0.0:5283`.
    #[serde(deserialize_with = "units::address")]
    pub listen: SocketAddr,
    /// Certificate chain (PEM) of that port; needs `key`. Default: that of `[clients]`. With
    /// neither the port is plain, which `clients.plain_login` must allow.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key (PEM); needs `certificate`. Default: that of `[clients]`.
    pub key: Option<PathBuf>,
    /// Most connections open at once. Default 1000.
    pub max_connections: usize,
    /// Most connections open at once from one address (from one /64 of IPv6). Default 16.
    pub max_connections_per_address: usize,
}

/// A gateway through which users talk by short messages, from the numbers in `[[clients.user]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsSection {
    /// How it is called in the log. Required; another one for each.
    pub name: String,
    /// Addresses (`192.0.2.7`) or networks (`192.0.2.0/24`) from which it hands over messages, at
    /// the path `/sms` of `clients.listen`. Required.
    pub from: Vec<String>,
    /// What it shows there as `secret`, at least 16 characters. Required.
    pub secret: Option<Secret>,
    /// Where it takes messages, as Kannel's `sendsms`. Required.
    pub url: String,
    /// Authorities (PEM) that may vouch for an `https` URL. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// User name for that. Required.
    pub username: String,
    /// Password for that. Required.
    pub password: Option<Secret>,
    /// The number from which the messages are. Required.
    pub sender: String,
    /// Time after which a user who writes nothing is logged out. Default `24h`.
    pub keep: Duration,
}

impl Default for ClpSection {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, 5283).into(),
            certificate: None,
            key: None,
            max_connections: 1000,
            max_connections_per_address: 16,
        }
    }
}

impl Default for SmsSection {
    fn default() -> Self {
        Self {
            name: String::new(),
            from: Vec::new(),
            secret: None,
            url: String::new(),
            ca: None,
            username: String::new(),
            password: None,
            sender: String::new(),
            keep: Duration::from_secs(86_400),
        }
    }
}

impl ClpSection {
    /// `may_be_plain`: whether passwords may go over plain connections; `has_tls`: whether
    /// `[clients]` has a certificate.
    pub(super) fn check(&self, may_be_plain: bool, has_tls: bool, report: &mut Report<'_>) {
        report.both_or_none(
            "clients.clp",
            ("certificate", self.certificate.is_some()),
            ("key", self.key.is_some()),
        );
        let counts = [
            ("max_connections", self.max_connections, 1),
            (
                "max_connections_per_address",
                self.max_connections_per_address,
                1,
            ),
        ];
        report.at_least("clients.clp", &counts);
        if !may_be_plain && !has_tls && self.certificate.is_none() {
            let message = "nobody can log in: passwords are not taken over plain connections";
            let fix = "add certificate and key, or plain_login = \"always\" to [clients]";
            report.error("clients.clp", message, fix);
        }
        let is_plain = !has_tls && self.certificate.is_none();
        if may_be_plain && is_plain && !self.listen.ip().is_loopback() {
            let message = "passwords and messages go unencrypted over the network";
            let fix = "add certificate and key, or listen on 127.0.0.1";
            report.warn("clients.clp.listen", message, fix);
        }
    }
}

impl SmsSection {
    /// `index`: which of them it is.
    pub(super) fn check(&self, index: usize, others: &[Self], report: &mut Report<'_>) {
        let key = |key: &str| format!("clients.sms.{index}.{key}");
        let texts = [
            ("name", &self.name),
            ("url", &self.url),
            ("username", &self.username),
            ("sender", &self.sender),
        ];
        for (name, text) in texts {
            if text.is_empty() {
                report.error(&key(name), "missing", format!("add {name} = \"...\""));
            }
        }
        if others
            .iter()
            .take(index)
            .any(|other| other.name == self.name)
        {
            let message = format!("\"{}\" is listed twice", self.name);
            report.error(&key("name"), message, "give one of them another name");
        }
        if self.from.is_empty() {
            let fix = "add from = [\"127.0.0.1\"], or where the gateway is";
            report.error(&key("from"), "missing", fix);
        }
        for from in self.from.iter().filter(|from| network(from).is_none()) {
            let message = format!("\"{from}\" is no address or network");
            let fix = "write it like \"192.0.2.7\" or \"192.0.2.0/24\"";
            report.error(&key("from"), message, fix);
        }
        self.check_url(&key, report);
        match &self.secret {
            None => report.error(&key("secret"), "missing", "add secret = { file = \"...\" }"),
            Some(secret) => report.long_secret(&key("secret"), secret),
        }
        if self.password.is_none() {
            let fix = "add password = { file = \"...\" }";
            report.error(&key("password"), "missing", fix);
        }
        report.not_zero(&format!("clients.sms.{index}"), &[("keep", self.keep)]);
    }

    fn check_url(&self, key: &dyn Fn(&str) -> String, report: &mut Report<'_>) {
        if self.url.is_empty() {
            return;
        }
        let is_plain = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.fragment().is_none()
                && url.username().is_empty()
        };
        let Some(url) = Url::parse(&self.url).ok().filter(is_plain) else {
            let message = format!("\"{}\" is no URL of a gateway", self.url);
            let fix = "write it like \"http://127.0.0.1:13013/cgi-bin/sendsms\"";
            return report.error(&key("url"), message, fix);
        };
        let is_http = url.scheme() == "http";
        if is_http && self.ca.is_some() {
            let message = "is not needed: url is http";
            report.warn(&key("ca"), message, "write https in url, or remove it");
        }
        if is_http && !is_here(&url) {
            let message = "the password and what users read go unencrypted over the network";
            report.warn(&key("url"), message, "write https, if the gateway has it");
        }
    }

    /// Whether it hands over messages from another machine.
    pub(super) fn is_elsewhere(&self) -> bool {
        let mut networks = self.from.iter().filter_map(|from| network(from));
        networks.any(|(address, _)| !address.is_loopback())
    }
}

/// Whether a URL leads to this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
