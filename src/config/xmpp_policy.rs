//! `[[xmpp.policy]]`: what a domain of XMPP may do.

use serde::{Deserialize, Serialize};

use super::report::Report;
use super::xmpp::XmppComponent;

/// What one domain of XMPP, with those below it, may do, or all that have no policy of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmppPolicy {
    /// The domain, in lower-case ASCII; its subdomains are meant too, unless they have a policy of
    /// their own. `*` is every other domain. Required.
    pub domain: String,
    /// `allow`, or `deny`: then nothing passes in either direction. Default `allow`.
    pub access: XmppAccess,
    /// Stanzas that the users of a domain and of those below it may send in a second, all together,
    /// that want something done: messages, questions, subscriptions, ways into groups. A second's
    /// worth may come at once; more is refused. Presence and answers do not count. For `*` each
    /// domain has this for itself, with the names below what was registered, as the form shows it.
    /// Default: as many as come.
    pub max_rate: Option<u32>,
    /// Whose presence is seen: `ask` (the SSP user is asked), `grant` (in the name of the SSP
    /// user), `refuse` (nobody sees anybody, in either direction). Default: what
    /// `xmpp.auto_subscribed` says.
    pub presence: Option<XmppPresence>,
}

/// Whether there is anything between a domain and the SSP side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum XmppAccess {
    /// There is.
    #[default]
    Allow,
    /// Nothing passes, in either direction.
    Deny,
}

/// What becomes of the wish of a domain's users to see presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum XmppPresence {
    /// The SSP user is asked.
    Ask,
    /// It is granted in the name of the SSP user.
    Grant,
    /// It is refused, and the SSP users' as well.
    Refuse,
}

impl XmppPolicy {
    /// `components` are the domains of this node in XMPP.
    pub(super) fn check_all(all: &[Self], components: &[XmppComponent], report: &mut Report<'_>) {
        for (index, policy) in all.iter().enumerate() {
            let key = |name: &str| format!("xmpp.policy.{index}.{name}");
            let domain = policy.domain.as_str();
            if domain != "*" {
                report.domain(&key("domain"), domain);
            }
            if components
                .iter()
                .any(|component| component.domain == domain)
            {
                let message = format!("\"{domain}\" is a component of this node");
                let fix = "name a domain of the XMPP side";
                report.error(&key("domain"), message, fix);
            }
            let first = all.iter().position(|other| other.domain == domain);
            if let Some(first) = first.filter(|first| *first < index) {
                let line = report.line(&format!("xmpp.policy.{first}.domain"));
                let message = format!("\"{domain}\" has a policy already{line}");
                report.error(&key("domain"), message, "remove one of them");
            }
            if policy.max_rate == Some(0) {
                let fix = "write access = \"deny\", or a number of stanzas a second";
                report.error(&key("max_rate"), "must be more than nothing", fix);
            }
        }
    }
}
