//! `[content]`: the store for files that local users share; `url` switches it on.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::report::Report;
use super::units::{self, Duration, Size};
use super::xmpp_files::is_type;

/// What users of the home domain share: they upload a file, and send its URL. Files of messages to
/// XMPP are put here where the XMPP server has no place for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentSection {
    /// How the URLs of files begin, as others reach them: `https://files.village.example/`. No
    /// default: nothing is shared without it.
    pub url: Option<String>,
    /// IP address and port on which files are served. Default `0.0.0.0:5281`.
    #[serde(deserialize_with = "units::address")]
    pub listen: SocketAddr,
    /// Certificate chain (PEM) of that port; needs `key`. Default: none, plain HTTP, for a proxy
    /// that speaks TLS.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key (PEM); needs `certificate`. Default: none.
    pub key: Option<PathBuf>,
    /// Largest file. Default `16MiB`.
    pub max_size: Size,
    /// Most files of one user. Default 100.
    pub max_files: usize,
    /// Most bytes of one user's files. Default `64MiB`.
    pub max_user_bytes: Size,
    /// Most bytes of all files. Default `1GiB`.
    pub max_bytes: Size,
    /// Time for which a file is kept. Default `7d`.
    pub keep: Duration,
    /// Types of files that are taken; `image/*` is all images. Types that a browser would carry
    /// out are never taken.
    pub types: Vec<String>,
    /// Most connections open at once. Default 256.
    pub max_connections: usize,
    /// Most connections open at once from one address (from one /64 of IPv6). Default 16.
    pub max_connections_per_address: usize,
}

/// Types of files that do nothing by themselves.
const TYPES: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "audio/*",
    "video/*",
    "text/plain",
    "text/vcard",
    "text/x-vcard",
    "text/calendar",
    "text/x-vcalendar",
    "application/vnd.wap.mms-message",
    "application/vnd.3gpp.sms",
    "application/pdf",
    "application/zip",
    "application/octet-stream",
];

impl Default for ContentSection {
    fn default() -> Self {
        Self {
            url: None,
            listen: (Ipv4Addr::UNSPECIFIED, 5281).into(),
            certificate: None,
            key: None,
            max_size: Size::kib(16 * 1024),
            max_files: 100,
            max_user_bytes: Size::kib(64 * 1024),
            max_bytes: Size::kib(1024 * 1024),
            keep: Duration::from_secs(7 * 86_400),
            types: TYPES.iter().map(|kind| (*kind).to_owned()).collect(),
            max_connections: 256,
            max_connections_per_address: 16,
        }
    }
}

impl ContentSection {
    /// How URLs begin, with a slash at the end; `None` if it is switched off or no URL.
    pub fn base(&self) -> Option<String> {
        let url = Url::parse(self.url.as_deref()?.trim()).ok()?;
        let mut text = url.to_string();
        if !text.ends_with('/') {
            text.push('/');
        }
        Some(text)
    }

    /// `has_users`: whether there are users who could share, or a gateway that puts files of others
    /// here.
    pub(super) fn check(&self, has_users: bool, report: &mut Report<'_>) {
        let Some(url) = &self.url else {
            return;
        };
        if !has_users {
            let message = "nobody shares anything: this node has no users";
            let fix = "add [home] or [xmpp], or remove [content]";
            report.error("content.url", message, fix);
        }
        self.check_url(url, report);
        report.both_or_none(
            "content",
            ("certificate", self.certificate.is_some()),
            ("key", self.key.is_some()),
        );
        let counts = [
            ("max_files", self.max_files, 1),
            ("max_connections", self.max_connections, 1),
            (
                "max_connections_per_address",
                self.max_connections_per_address,
                1,
            ),
        ];
        report.at_least("content", &counts);
        let sizes = [
            ("max_size", self.max_size, Size::kib(1)),
            ("max_user_bytes", self.max_user_bytes, self.max_size),
            ("max_bytes", self.max_bytes, self.max_user_bytes),
        ];
        report.size_at_least("content", &sizes);
        report.not_zero("content", &[("keep", self.keep)]);
        if self.types.is_empty() {
            let message = "no type is taken, so nothing can be shared";
            report.error("content.types", message, "name some, or remove the key");
        }
        for (index, kind) in self.types.iter().enumerate() {
            let key = format!("content.types.{index}");
            if !is_type(kind) {
                let message = format!("\"{kind}\" is no media type");
                report.error(&key, message, "write it like \"image/png\" or \"image/*\"");
            }
        }
    }

    fn check_url(&self, url: &str, report: &mut Report<'_>) {
        let fix = "write it like \"https://files.village.example/\"";
        let parsed = match Url::parse(url.trim()) {
            Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {
                parsed
            }
            _ => {
                let message = format!("\"{url}\" is not a URL that can be shared");
                return report.error("content.url", message, fix);
            }
        };
        let has_more = parsed.query().is_some() || parsed.fragment().is_some();
        if has_more || !parsed.username().is_empty() || parsed.password().is_some() {
            let message = format!("\"{url}\" has more than a host and a path");
            return report.error("content.url", message, fix);
        }
        let is_local = self.listen.ip().is_loopback();
        if parsed.scheme() == "http" && !is_local {
            let message = "files and their secret URLs go unprotected";
            report.warn(
                "content.url",
                message,
                "write https, with a certificate or a proxy",
            );
        } else if parsed.scheme() == "https" && self.certificate.is_none() && !is_local {
            let message = "speaks plain HTTP to whoever reaches it, without a certificate";
            let fix = "add certificate and key, or listen on 127.0.0.1 behind the proxy";
            report.warn("content.listen", message, fix);
        }
    }
}
