//! `[xmpp.files]`: where the files of messages to XMPP are put, and what of links in messages from
//! there is fetched.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::domain;
use super::report::Report;
use super::units::{Duration, Size};

/// Files that messages bring, in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmppFiles {
    /// The upload service (XEP-0363) of the XMPP server. Default: the one that the server of
    /// `xmpp.domain` names. Where it has none, files go to `[content]`.
    pub service: Option<String>,
    /// Certificate authorities (PEM) of its HTTPS. Default: the system's.
    pub ca: Option<PathBuf>,
    /// Types of files that are fetched for SSP users where a message from XMPP is a link and no
    /// more; `image/*` is all images. Default: none, links are told as text.
    pub fetch: Vec<String>,
    /// Largest file that is fetched. Default `300KiB`.
    pub fetch_max_size: Size,
    /// Time to fetch one. Default `15s`.
    pub fetch_timeout: Duration,
    /// Hosts of upload services in private networks that are asked all the same: nothing else
    /// there is. Default: none.
    pub fetch_inside: Vec<String>,
}

impl Default for XmppFiles {
    fn default() -> Self {
        Self {
            service: None,
            ca: None,
            fetch: Vec::new(),
            fetch_max_size: Size::kib(300),
            fetch_timeout: Duration::from_secs(15),
            fetch_inside: Vec::new(),
        }
    }
}

impl XmppFiles {
    pub(super) fn check(&self, report: &mut Report<'_>) {
        if let Some(service) = &self.service {
            report.domain("xmpp.files.service", service);
        }
        for (index, kind) in self.fetch.iter().enumerate() {
            if !is_type(kind) {
                let message = format!("\"{kind}\" is no media type");
                let fix = "write it like \"image/png\" or \"image/*\"";
                report.error(&format!("xmpp.files.fetch.{index}"), message, fix);
            }
        }
        let least = [("fetch_max_size", self.fetch_max_size, Size::kib(1))];
        report.size_at_least("xmpp.files", &least);
        report.not_zero("xmpp.files", &[("fetch_timeout", self.fetch_timeout)]);
        for (index, host) in self.fetch_inside.iter().enumerate() {
            let is_host = host.parse::<std::net::IpAddr>().is_ok()
                || host == "localhost"
                || domain::is_domain(host);
            if !is_host {
                let message = format!("\"{host}\" is no host");
                let fix = "write it like \"upload.xmpp.example\", without a port";
                report.error(&format!("xmpp.files.fetch_inside.{index}"), message, fix);
            }
        }
    }
}

/// Whether it is a media type, or all of a family, in lower case.
pub(super) fn is_type(kind: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "/;*".contains(c))
    };
    let parts = kind.split_once('/');
    let is_pattern = parts.is_some_and(|(first, rest)| word(first) && (rest == "*" || word(rest)));
    is_pattern && kind == kind.to_ascii_lowercase()
}
