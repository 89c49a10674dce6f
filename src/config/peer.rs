//! `[[peer]]`: a domain with which this node speaks SSP directly.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::domain;
use super::network::network;
use super::report::Report;
use super::secret::Secret;
use super::units::Duration;

/// One peer: how to reach it, how to know it, what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeerSection {
    /// The peer's SSP domain, in lower-case ASCII. Required.
    pub domain: String,
    /// Where to post to: `https://host:port/path` or `http://...`. Default: found by the
    /// domain's SRV records.
    pub url: Option<String>,
    /// Further addresses, tried in this order after `url`. Default: none.
    pub urls: Vec<String>,
    /// Name of the file in `mappings/dialects` that describes this kind of peer.
    /// Default `wvgate`.
    pub dialect: String,
    /// Password both sides mix into the login digest, where the dialect does so.
    /// Default: none.
    pub password: Option<Secret>,
    /// The CA certificates (PEM) one of which must have signed the peer's certificate, or that
    /// certificate itself. Default: the system's.
    pub ca: Option<PathBuf>,
    /// Check the peer's certificate. Default `true`.
    pub verify: bool,
    /// Certificate chain (PEM) we show to the peer; needs `client_key`. Default: none.
    pub client_certificate: Option<PathBuf>,
    /// The private key (PEM) of `client_certificate`. Default: none.
    pub client_key: Option<PathBuf>,
    /// Name the peer's certificate must carry. Default: the host of its `url`; where DNS says
    /// where it is, its domain.
    pub server_name: Option<String>,
    /// Allow plain HTTP to and from this peer. Default `false`.
    pub allow_plain: bool,
    /// Further domains under which the peer itself is known. Default: none.
    pub aliases: Vec<String>,
    /// Further home domains for whose users the peer may relay; `*` for every domain but
    /// our own. Default: only itself and its aliases.
    pub speaks_for: Vec<String>,
    /// Home domains behind us that are presented to this peer as services of their own, each
    /// with sessions of its own: for peers that take only users of the session's domain.
    /// Default: none.
    pub fronts: Vec<String>,
    /// When to log in: `on-demand` or `always`. Default `on-demand`.
    pub connect: Connect,
    /// `strict`: what is accepted from this peer is on disk before it is acknowledged;
    /// `relaxed`: with the operating system. Default `strict`.
    pub durability: Durability,
    /// DNS name that the peer's client certificate must carry. Default: not asked for.
    pub client_name: Option<String>,
    /// Addresses from which the peer speaks, as `192.0.2.7` or `2001:db8::/32`: it is not
    /// heard from others, whatever session it names. Default: any.
    pub from: Vec<String>,
    /// Take over the session id of an authenticated peer whose session we do not know (it
    /// kept it over a loss of ours) instead of refusing it, if it comes from an address in
    /// `from`, or without that from one from which the peer used a session since the start.
    /// Default `false`.
    pub adopt_unknown_session: bool,
    /// Most requests taken from this peer in one second. Default: no limit.
    pub max_rate: Option<u32>,
    /// A peer that exceeds `max_rate` for so long, and does not heed that it is told to come
    /// later, is disconnected and may log in again after a minute. Default: never.
    pub max_flood: Option<Duration>,
    /// Further hosts to which the peer may redirect us, besides those of its addresses or
    /// SRV records. Default: none.
    pub redirects: Vec<String>,
    /// What the peer may use here, in names of the service tree (features, function groups,
    /// functions); `*` for everything. A service agreement may say less. Default `*`.
    pub offers: Vec<String>,
    /// What we want to use at the peer: a service agreement on it is negotiated when a
    /// session comes up. Default: nothing, no negotiation.
    pub wants: Vec<String>,
    /// What the peer, and the domains named in its `speaks_for`, may do with profiles of
    /// users who are not theirs: `none`, `read` or `write` (which includes `read`). A home
    /// domain may always read and change its own users' profiles, a provider named in a
    /// `[[service]]` read those of the users it serves. Default `none`.
    pub profiles: Profiles,
}

/// What a peer may do with other domains' user profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profiles {
    /// Nothing: it is answered 403.
    #[default]
    None,
    /// The peer may read them.
    Read,
    /// The peer may read and change them.
    Write,
}

/// When the node logs in to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connect {
    /// When there is something to send.
    #[default]
    OnDemand,
    /// At start, and again whenever the session is lost.
    Always,
}

/// When a peer's request is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// After it is on disk.
    #[default]
    Strict,
    /// At once; a crash may lose the last moments.
    Relaxed,
}

impl Default for PeerSection {
    fn default() -> Self {
        Self {
            domain: String::new(),
            url: None,
            urls: Vec::new(),
            dialect: "wvgate".to_string(),
            password: None,
            ca: None,
            verify: true,
            client_certificate: None,
            client_key: None,
            server_name: None,
            allow_plain: false,
            aliases: Vec::new(),
            speaks_for: Vec::new(),
            fronts: Vec::new(),
            connect: Connect::OnDemand,
            durability: Durability::Strict,
            client_name: None,
            from: Vec::new(),
            adopt_unknown_session: false,
            max_rate: None,
            max_flood: None,
            redirects: Vec::new(),
            offers: vec!["*".to_string()],
            wants: Vec::new(),
            profiles: Profiles::None,
        }
    }
}

impl PeerSection {
    /// All configured addresses, in the order in which to try them; empty means SRV.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.url.iter().chain(&self.urls).map(String::as_str)
    }

    /// The peer's domain and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.domain)
            .chain(&self.aliases)
            .map(String::as_str)
    }

    /// What can be told of this peer alone; `path` is its own, such as `peer.0`.
    pub(super) fn check(&self, path: &str, report: &mut Report<'_>) {
        let key = |key: &str| format!("{path}.{key}");
        report.domain(&key("domain"), &self.domain);
        for (list, domains) in [
            ("aliases", &self.aliases),
            ("speaks_for", &self.speaks_for),
            ("fronts", &self.fronts),
        ] {
            for (index, name) in domains.iter().enumerate() {
                if list != "speaks_for" || name != "*" {
                    report.domain(&format!("{path}.{list}.{index}"), name);
                }
            }
        }
        for (index, host) in self.redirects.iter().enumerate() {
            report.domain(&format!("{path}.redirects.{index}"), host);
        }
        for (index, from) in self.from.iter().enumerate() {
            if network(from).is_none() {
                report.error(
                    &format!("{path}.from.{index}"),
                    format!("\"{from}\" is not an address or network"),
                    "write it like \"192.0.2.7\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
                );
            }
        }
        for (name, value) in [
            ("server_name", &self.server_name),
            ("client_name", &self.client_name),
        ] {
            if let Some(value) = value {
                report.domain(&key(name), value);
            }
        }
        if !is_file_name(&self.dialect) {
            let fix = "write the name of a file in mappings/dialects without its ending";
            report.error(
                &key("dialect"),
                format!("\"{}\" is not a dialect's name", self.dialect),
                fix,
            );
        }
        if self.max_rate == Some(0) {
            report.error(
                &key("max_rate"),
                "0 would refuse every request",
                "write 1 or more, or remove it",
            );
        }
        if self.max_flood.is_some() && self.max_rate.is_none() {
            report.warn(
                &key("max_flood"),
                "means nothing without max_rate",
                "say how many requests a second are too many",
            );
        }
        if self
            .password
            .as_ref()
            .is_some_and(|p| p.file().is_none() && p.expose().is_empty())
        {
            report.error(
                &key("password"),
                "is empty",
                "write the password, or remove the key",
            );
        }
        let certificate = ("client_certificate", self.client_certificate.is_some());
        report.both_or_none(path, certificate, ("client_key", self.client_key.is_some()));
        self.check_addresses(path, report);
    }

    fn check_addresses(&self, path: &str, report: &mut Report<'_>) {
        let first = self.url.iter().map(|url| (format!("{path}.url"), url));
        let further = self.urls.iter().enumerate();
        let further = further.map(|(index, url)| (format!("{path}.urls.{index}"), url));
        for (key, url) in first.chain(further) {
            match scheme(url) {
                // The password is not shown.
                None if has_user(url) => {
                    let fix = format!(
                        "write \"{}\"; what proves who we are is password or client_certificate",
                        without_user(url)
                    );
                    let message = "holds a user, and perhaps a password, which SSP has no use for";
                    report.error(&key, message, fix);
                }
                None => {
                    let fix = format!("write it like \"https://{}:5280/\"", host_meant(url));
                    report.error(
                        &key,
                        format!("\"{url}\" is not an http or https address"),
                        fix,
                    );
                }
                Some("http") if !self.allow_plain => {
                    let fix = "write https://, or add allow_plain = true";
                    report.error(&key, "is plain HTTP, which this peer is not allowed", fix);
                }
                Some(_) => {}
            }
        }
        let insecure = "anyone on the way can pose as this peer";
        if !self.verify {
            let message = format!("its certificate is not checked: {insecure}");
            report.warn(
                &format!("{path}.verify"),
                message,
                "name its CA by ca = \"...\" instead",
            );
        }
    }

    /// Whether an address of this peer is, or may turn out to be, plain HTTP.
    pub(super) fn may_be_plain(&self) -> bool {
        let mut addresses = self.addresses().peekable();
        addresses.peek().is_none() || addresses.any(|url| scheme(url) == Some("http"))
    }
}

fn is_file_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    !text.is_empty() && !text.starts_with('.') && text.chars().all(plain)
}

/// `http` or `https` if this is such an address: with a host, a port in range, no spaces.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let ip6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_is_good = match ip6 {
        Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
        None => domain::is_domain(&host.to_lowercase()),
    };
    let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let good = matches!(scheme, "http" | "https")
        && host_is_good
        && port_is_good
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control());
    good.then_some(scheme)
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

/// Whether there is a user before the host.
fn has_user(url: &str) -> bool {
    authority(url).contains('@')
}

fn without_user(url: &str) -> String {
    let authority = authority(url);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
    let at = url.find(authority).unwrap_or_default() + authority.len();
    format!("{scheme}://{host}{}", url.get(at..).unwrap_or_default())
}

fn host_meant(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split([':', '/']).next().unwrap_or_default();
    if domain::is_domain(host) {
        host
    } else {
        "peer.test"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_http_with_a_host() {
        for url in [
            "http://127.0.0.1:5280/",
            "https://relay.test",
            "https://relay.test:443/ssp?x=1",
            "https://[::1]:5280/",
            "https://[::1]/",
        ] {
            assert!(scheme(url).is_some(), "{url}");
        }
        for url in [
            "relay.test:5280",
            "ftp://a",
            "https://",
            "https://a b/",
            "http://a:0/",
            "http://a:x/",
        ] {
            assert!(scheme(url).is_none(), "{url}");
        }
    }
}
