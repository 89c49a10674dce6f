//! The configuration: one TOML file, overridden by the environment.
//!
//! Each section is a struct in a file of its own; every key has a default or is required,
//! unknown keys are errors, values carry their units. A variable `WVGATE_CONFIG_SSP__LISTEN`
//! overrides `listen` of `[ssp]` (`__` between levels; elements of lists by number from 0:
//! `WVGATE_CONFIG_PEER__0__PASSWORD`). Paths are relative to the working directory.
//!
//! A mistake yields one line with file, line, key and remedy:
//!
//! ```text
//! config/relay.toml:12: ssp.lisen: unknown key; did you mean "listen"?
//! ```
//!
//! As many mistakes as can be found are reported in one run: first those of shape (unknown
//! keys, wrong types), then what the sections demand of each other, then the files that are
//! named. `config/reference.toml` explains every key.

mod admin;
mod clients;
mod clp;
mod content;
mod domain;
mod files;
mod glance;
mod home;
mod invitation;
mod locate;
mod log;
mod network;
mod node;
mod peer;
mod problem;
mod read;
mod report;
mod route;
mod secret;
mod service;
mod source;
mod ssp;
mod suggest;
mod table;
mod trace;
mod units;
mod validate;
mod xmpp;
mod xmpp_files;
mod xmpp_policy;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use admin::{AdminSection, ReadyPeers};
pub use clients::{ClientUser, ClientsSection, PlainLogin};
pub use clp::{ClpSection, SmsSection};
pub use content::ContentSection;
pub use glance::Glance;
pub use home::{DefaultAuthorization, FoundBy, HomeGroup, HomeSection, HomeUser, Registration};
pub use invitation::Invited;
pub use locate::Located;
pub use log::{LogFormat, LogSection};
pub use network::network;
pub use node::NodeSection;
pub use peer::{Connect, Durability, PeerSection, Profiles};
pub use problem::{ConfigError, Problem};
pub use route::{RouteSection, Via};
pub use secret::Secret;
pub use service::ServiceSection;
pub use source::Source;
pub use ssp::{ClientCertificates, SspSection};
pub use table::{Table, did_you_mean, read_table};
pub use trace::TraceSection;
pub use units::{Duration, Size};
pub use xmpp::{XmppComponent, XmppMode, XmppSection};
pub use xmpp_files::XmppFiles;
pub use xmpp_policy::{XmppAccess, XmppPolicy, XmppPresence};

use report::Report;

/// The whole configuration of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who this node is.
    pub node: NodeSection,
    /// The listener for peers, limits and times.
    pub ssp: SspSection,
    /// The domains this node speaks SSP with.
    pub peer: Vec<PeerSection>,
    /// Ways to domains that are not peers.
    pub route: Vec<RouteSection>,
    /// Which domain provides what to whose users.
    pub service: Vec<ServiceSection>,
    /// The embedded home domain, where there is one.
    pub home: Option<HomeSection>,
    /// Where its users' phones and other clients log in, where they do.
    pub clients: Option<ClientsSection>,
    /// What its users share, where they do.
    pub content: ContentSection,
    /// The gateway to XMPP, where there is one.
    pub xmpp: Option<XmppSection>,
    /// Looking into the running node.
    pub admin: AdminSection,
    /// How long it is remembered what became of messages.
    pub trace: TraceSection,
    /// Level and form of the lines on standard error.
    pub log: LogSection,
}

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration, its secrets read.
    pub config: Config,
    /// What is allowed but doubtful, sorted by line.
    pub warnings: Vec<Problem>,
    /// Where each key stands, for problems that are found later.
    pub located: Located,
}

impl Config {
    /// Reads the file and the overrides in `env` (all variables may be passed, see
    /// [`environment`]), checks everything and reads the secrets.
    pub fn load(
        path: impl AsRef<Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigError> {
        Source::read(path, env)?.load()
    }

    /// Checks everything, and reads the secrets.
    fn of(source: &Source) -> Result<Loaded, ConfigError> {
        let mut draft = read::read(source)?;
        if !draft.problems.is_empty() && others_depend_on(&draft.problems) {
            return Err(ConfigError::new(draft.problems));
        }
        let mut report = Report::after(&draft.located, &draft.problems);
        validate::check(&draft.config, &mut report);
        files::check(&mut draft.config, &mut report);
        let Report {
            mut problems,
            mut warnings,
            ..
        } = report;
        // A key with a wrong value holds its default, about which nothing need be said.
        let is_new = |problem: &Problem| {
            let same = |shape: &Problem| (shape.line, &shape.key) == (problem.line, &problem.key);
            !draft.problems.iter().any(same)
        };
        problems.retain(is_new);
        problems.append(&mut draft.problems);
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        problem::sort(&mut warnings);
        Ok(Loaded {
            config: draft.config,
            warnings,
            located: draft.located,
        })
    }

    /// The files of certificates, keys and authorities that a reload takes over.
    pub fn certificate_files(&self) -> BTreeSet<&Path> {
        let ssp = [&self.ssp.certificate, &self.ssp.key, &self.ssp.client_ca];
        let content = [&self.content.certificate, &self.content.key];
        let clients = self.clients.iter().flat_map(|clients| {
            let text = clients.clp.iter();
            let text = text.flat_map(|text| [&text.certificate, &text.key]);
            [&clients.certificate, &clients.key].into_iter().chain(text)
        });
        let peers = self.peer.iter();
        let peers = peers.flat_map(|peer| [&peer.ca, &peer.client_certificate, &peer.client_key]);
        let all = ssp.into_iter().chain(content).chain(clients).chain(peers);
        all.filter_map(|file| file.as_deref()).collect()
    }

    /// What is wrong and what is doubtful, without looking at any file: `(problems,
    /// warnings)`. `at` says where the keys stand (its default knows no place).
    pub fn validate(&self, at: &Located) -> (Vec<Problem>, Vec<Problem>) {
        let mut report = Report::new(at);
        validate::check(self, &mut report);
        (report.problems, report.warnings)
    }

    /// A valid configuration with every section present, one element in every list of
    /// tables, and defaults wherever there are any.
    pub fn example() -> Self {
        let node = NodeSection {
            domain: "relay.test".to_string(),
            ..NodeSection::default()
        };
        let ssp = SspSection {
            plain: true,
            ..SspSection::default()
        };
        let peer = PeerSection {
            domain: "village.test".to_string(),
            allow_plain: true,
            ..PeerSection::default()
        };
        let route = RouteSection {
            domain: "*".to_string(),
            via: Via::Peer("village.test".to_string()),
        };
        let service = ServiceSection {
            name: "ContactList".to_string(),
            home: "branch.test".to_string(),
            pse: "village.test".to_string(),
        };
        let user = HomeUser {
            name: "alice".to_string(),
            password: Secret::new("alice"),
        };
        let group = HomeGroup {
            name: "news".to_string(),
            topic: Some("What is new".to_string()),
            admins: vec!["wv:alice@relay.test".to_string()],
            ..HomeGroup::default()
        };
        let component = XmppComponent {
            domain: "village.test".to_string(),
            secret: Secret::new("secret"),
            ..XmppComponent::default()
        };
        let xmpp = XmppSection {
            domain: Some("xmpp.test".to_string()),
            component: vec![component],
            policy: vec![XmppPolicy {
                domain: "noisy.test".to_string(),
                ..XmppPolicy::default()
            }],
            ..XmppSection::default()
        };
        Self {
            node,
            ssp,
            peer: vec![peer],
            route: vec![route],
            service: vec![service],
            clients: Some(ClientsSection {
                digest_secret: Some(Secret::new("change-me-to-something-long")),
                user: vec![ClientUser {
                    name: "alice".to_string(),
                    ..ClientUser::default()
                }],
                clp: Some(ClpSection {
                    certificate: Some("run/reference/relay.test.pem".into()),
                    key: Some("run/reference/relay.test.key".into()),
                    ..ClpSection::default()
                }),
                sms: vec![SmsSection {
                    name: "kannel".to_string(),
                    from: vec!["127.0.0.1".to_string()],
                    secret: Some(Secret::new("change-me-to-something-long")),
                    url: "http://127.0.0.1:13013/cgi-bin/sendsms".to_string(),
                    username: "wvgate".to_string(),
                    password: Some(Secret::new("change-me")),
                    sender: "15550000".to_string(),
                    ..SmsSection::default()
                }],
                ..ClientsSection::default()
            }),
            home: Some(HomeSection {
                user: vec![user],
                group: vec![group],
                ..HomeSection::default()
            }),
            xmpp: Some(xmpp),
            ..Self::default()
        }
    }

    /// The unix control socket: `admin.socket`, or `wvgate.sock` in `node.data`.
    pub fn admin_socket(&self) -> PathBuf {
        let default = || self.node.data.join("wvgate.sock");
        self.admin.socket.clone().unwrap_or_else(default)
    }

    /// The XMPP domain whose users this node fronts; nothing without `[xmpp]`.
    pub fn xmpp_domain(&self) -> Option<&str> {
        let xmpp = self.xmpp.as_ref()?;
        Some(xmpp.domain.as_deref().unwrap_or(&self.node.domain))
    }

    /// Whether this node keeps something for the users of that domain, as `[[service]]` says.
    fn provides_to(&self, home: &str) -> bool {
        let mut services = self.service.iter();
        services.any(|service| service.home == home && service.pse == self.node.domain)
    }
}

/// The process's environment, as [`Config::load`] takes it; variables that are not UTF-8
/// are left out.
pub fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Whether a mistake in shape leaves out what other sections refer to, so that further
/// checks would complain about its consequences.
fn others_depend_on(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| {
        let is_environment = problem.line.is_none();
        let top = problem.key.split('.').next().unwrap_or_default();
        is_environment || !problem.key.contains('.') || matches!(top, "node" | "peer")
    })
}
