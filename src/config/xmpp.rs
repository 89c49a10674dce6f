//! `[xmpp]`: the gateway to the XMPP network; its presence switches it on.

use serde::{Deserialize, Serialize};

use super::domain;
use super::report::Report;
use super::secret::Secret;
use super::units::{Duration, Size};
use super::xmpp_files::XmppFiles;
use super::xmpp_policy::XmppPolicy;

/// Every XMPP server takes stanzas of so many bytes (RFC 6120, 13.12).
const LEAST_STANZA: u64 = 10_000;

/// The gateway, linked to an XMPP server as an external component (XEP-0114).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmppSection {
    /// Host and port of the XMPP server's component listener. The link is not encrypted:
    /// keep it on this machine or in a private network. Default `127.0.0.1:5347`.
    pub server: String,
    /// How users of the other side are named: `names` (each SSP domain appears in XMPP
    /// under its own name, one component per domain) or `gateway` (all SSP users appear
    /// below one component). Default `names`.
    pub mode: XmppMode,
    /// The XMPP domain whose users appear in SSP under their own names. Default: the
    /// node's domain.
    pub domain: Option<String>,
    /// Domains of multi-user chat services whose rooms appear in SSP as groups.
    /// Default: `conference.` before the domain.
    pub muc: Vec<String>,
    /// Grant presence subscriptions on behalf of SSP users at once instead of asking them.
    /// Default `false`.
    pub auto_subscribed: bool,
    /// Answer an SSP sender who wants a delivery report only when the recipient's client
    /// confirmed the message (XEP-0184), not already when the server took it.
    /// Default `false`.
    pub strict_receipts: bool,
    /// Time to wait for an error from the XMPP side before a message is answered as
    /// accepted; `0s` answers at once. Default `2s`.
    pub settle: Duration,
    /// Silence on the link after which it is probed (XEP-0199). Default `60s`.
    pub ping_interval: Duration,
    /// Time a probe waits for its answer before the link is made anew. Default `20s`.
    pub ping_timeout: Duration,
    /// Longest pause between attempts to make the link; pauses double from one second.
    /// Default `60s`.
    pub reconnect_max: Duration,
    /// XMPP users who may command the node from their clients, as `admin@xmpp.example`: see its
    /// peers, reload, announce, drain. Default: nobody.
    pub operators: Vec<String>,
    /// Files that messages bring.
    pub files: XmppFiles,
    /// The components this node is known as at the XMPP server; at least one.
    pub component: Vec<XmppComponent>,
    /// What domains of XMPP may do; all that have none may do everything. A reload takes changes
    /// over.
    pub policy: Vec<XmppPolicy>,
}

/// One component: a domain for which the XMPP server hands its stanzas to this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmppComponent {
    /// In mode `names` an SSP domain such as `village.test`; in mode `gateway` the
    /// gateway's own, such as `imps.xmpp.test`. Required.
    pub domain: String,
    /// Host and port of the listener for this component, where that is not `xmpp.server`.
    pub server: Option<String>,
    /// The secret shared with the XMPP server. Required.
    pub secret: Secret,
    /// The largest stanza the XMPP server takes from this component; a message that makes a
    /// larger one is refused with 410. At least 10000 bytes. Default `500KiB`.
    pub max_stanza: Size,
}

/// How the gateway names users of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum XmppMode {
    /// The same names on both sides.
    #[default]
    Names,
    /// SSP users appear below one component, their address in the part before the `@`.
    Gateway,
}

impl Default for XmppSection {
    fn default() -> Self {
        Self {
            server: "127.0.0.1:5347".to_string(),
            mode: XmppMode::Names,
            domain: None,
            muc: Vec::new(),
            auto_subscribed: false,
            strict_receipts: false,
            settle: Duration::from_secs(2),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(20),
            reconnect_max: Duration::from_secs(60),
            operators: Vec::new(),
            files: XmppFiles::default(),
            component: Vec::new(),
            policy: Vec::new(),
        }
    }
}

impl Default for XmppComponent {
    fn default() -> Self {
        Self {
            domain: String::new(),
            server: None,
            secret: Secret::new(""),
            max_stanza: Size::kib(500),
        }
    }
}

impl XmppSection {
    /// What can be told of this section alone; `own` is the XMPP domain it fronts.
    pub(super) fn check(&self, own: &str, report: &mut Report<'_>) {
        check_server("xmpp.server", &self.server, report);
        if let Some(name) = &self.domain {
            report.domain("xmpp.domain", name);
        }
        for (index, name) in self.muc.iter().enumerate() {
            report.domain(&format!("xmpp.muc.{index}"), name);
        }
        let times = [
            ("ping_interval", self.ping_interval),
            ("ping_timeout", self.ping_timeout),
            ("reconnect_max", self.reconnect_max),
        ];
        report.not_zero("xmpp", &times);
        self.files.check(report);
        for (index, operator) in self.operators.iter().enumerate() {
            let parts = operator.split_once('@');
            let is_user = parts.is_some_and(|(user, host)| {
                !user.is_empty() && !user.contains(['/', ' ']) && domain::is_domain(host)
            });
            if !is_user || *operator != operator.to_lowercase() {
                let message = format!("\"{operator}\" is no user of an XMPP server");
                let fix = "write it like \"admin@xmpp.example\", in lower case";
                report.error(&format!("xmpp.operators.{index}"), message, fix);
            }
        }
        self.check_components(own, report);
        XmppPolicy::check_all(&self.policy, &self.component, report);
    }

    fn check_components(&self, own: &str, report: &mut Report<'_>) {
        if self.component.is_empty() {
            let fix = "add [[xmpp.component]] with domain and secret";
            report.error(
                "xmpp.component",
                "missing: the XMPP server knows no domain of this node",
                fix,
            );
        }
        if self.mode == XmppMode::Gateway && self.component.len() > 1 {
            let message = format!(
                "mode \"gateway\" has exactly one component, not {}",
                self.component.len()
            );
            report.error(
                "xmpp.mode",
                message,
                "remove the others, or write mode = \"names\"",
            );
        }
        for (index, component) in self.component.iter().enumerate() {
            let key = format!("xmpp.component.{index}.domain");
            report.domain(&key, &component.domain);
            if let Some(server) = &component.server {
                check_server(&format!("xmpp.component.{index}.server"), server, report);
            }
            if component.max_stanza.0 < LEAST_STANZA {
                let message = format!("must be at least {LEAST_STANZA} bytes");
                let fix = "write what the XMPP server takes, such as \"100kB\"";
                report.error(&format!("xmpp.component.{index}.max_stanza"), message, fix);
            }
            if component.domain == own && !own.is_empty() {
                let message = format!("\"{own}\" is the XMPP server's own domain");
                report.error(
                    &key,
                    message,
                    "name the domain that users of the other side appear under",
                );
            }
            if self.muc.contains(&component.domain) {
                report.error(
                    &key,
                    "is a multi-user chat service too (xmpp.muc)",
                    "remove it in one place",
                );
            }
            let first = self
                .component
                .iter()
                .position(|other| other.domain == component.domain);
            if let Some(first) = first.filter(|first| *first < index) {
                let line = report.line(&format!("xmpp.component.{first}.domain"));
                report.error(
                    &key,
                    format!("\"{}\" is listed twice{line}", component.domain),
                    "remove one of them",
                );
            }
            if component.secret.file().is_none() && component.secret.expose().is_empty() {
                let fix = "add secret = \"...\", the same as at the XMPP server";
                report.error(&format!("xmpp.component.{index}.secret"), "missing", fix);
            }
        }
    }
}

fn check_server(key: &str, server: &str, report: &mut Report<'_>) {
    if !is_host_and_port(server) {
        let message = format!("\"{server}\" is not a host with its port");
        report.error(key, message, "write it like \"127.0.0.1:5347\"");
    }
}

fn is_host_and_port(text: &str) -> bool {
    let by_name = || {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse::<u16>().ok()?;
        Some(port != 0 && domain::is_domain(&host.to_lowercase()))
    };
    text.parse::<std::net::SocketAddr>().is_ok() || by_name() == Some(true)
}
