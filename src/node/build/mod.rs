//! From configuration to the values the floors below understand. Nothing is
//! bound or dialled here; what cannot work is said as configuration problems.

mod clients;
mod content;
mod sap;
mod transport;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::clients::{ClientsPlan, NumberProxies, SmsGateway, TextPlan};
pub use self::content::ContentPlan;
use self::sap::limits;
pub use self::sap::{dialects, sap_settings};
use self::transport::{links, server};
use crate::config::{self, Config, ConfigError, Located, Problem};
use crate::element::FetchTerms;
use crate::gateway::{FileSettings, GatewaySettings, Policies, Policy, PresencePolicy};
use crate::home::{Authorization, GroupSettings, HomeSettings, Seal};
use crate::http::link::LinkSettings;
use crate::http::server::ServerSettings;
use crate::http::tls::ClientTls;
use crate::imps::xml::Limits;
use crate::node::history::Keep;
use crate::sap::profile::services_of;
use crate::sap::{ServiceSet, Settings, Shards};
use crate::translate::address::to_xmpp_domain;
use crate::translate::{Mappings, Mode, Translator};
use crate::xmpp::link::{Backoff, ComponentSettings, Siblings};

/// Everything a node needs to start.
#[derive(Clone)]
pub struct Plan {
    /// The SAP's settings.
    pub settings: Arc<Settings>,
    /// Limits of what is read as XML.
    pub limits: Limits,
    /// The SSP listener.
    pub server: ServerSettings,
    /// Settings of the link to each peer.
    pub links: Vec<LinkSettings>,
    /// The home domain, or at least the echo user.
    pub home: Option<HomePlan>,
    /// The access point for clients of its users.
    pub clients: Option<ClientsPlan>,
    /// The store for what users share.
    pub content: Option<ContentPlan>,
    /// The XMPP gateway.
    pub gateway: Option<GatewayPlan>,
    /// For uploads to the XMPP server's service.
    pub upload_tls: ClientTls,
    /// How much of the histories of messages is kept.
    pub history: Keep,
    /// Directory of the store.
    pub data: PathBuf,
    /// Shards of the node; `None`: as many as the store has, or as suits the machine.
    pub shards: Option<u16>,
    /// When the certificates end that the node shows, by file.
    pub certificates: BTreeMap<PathBuf, SystemTime>,
    /// Doubtful choices, one line each.
    pub warnings: Vec<String>,
}

/// What is needed to host users.
#[derive(Debug, Clone)]
pub struct HomePlan {
    /// Settings of the home domain.
    pub settings: HomeSettings,
    /// Users created if they do not exist: name and first password.
    pub users: Vec<(String, config::Secret)>,
    /// Groups of the provider, created if they do not exist.
    pub groups: Vec<config::HomeGroup>,
    /// With which passwords are encrypted, so that digests of them can be checked; if they are.
    pub digest_secret: Option<config::Secret>,
}

impl HomePlan {
    /// What encrypts passwords, if they are.
    pub fn seal(&self) -> Option<Seal> {
        Seal::new(self.digest_secret.as_ref()?.expose())
    }
}

/// The XMPP gateway.
#[derive(Clone)]
pub struct GatewayPlan {
    /// Settings of the gateway.
    pub settings: GatewaySettings,
    /// Names and tables.
    pub translator: Arc<Translator>,
    /// Its components at the XMPP server.
    pub components: Vec<ComponentSettings>,
}

/// Why no plan can be made.
pub type BuildError = ConfigError;

impl Plan {
    /// The SAP's settings in a shard: room that is for all is divided.
    pub fn settings_of(&self, shard: Shards) -> Arc<Settings> {
        if shard.is_single() {
            return Arc::clone(&self.settings);
        }
        Arc::new(self.settings.of_shard(shard))
    }

    /// Makes a plan of a checked configuration. Reads certificates, dialects and
    /// mappings.
    ///
    /// # Errors
    /// One problem per file that cannot be used.
    pub fn new(config: &Config, at: &Located) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let dialects = dialects(config, at, &mut problems);
        let settings = sap_settings(config, &dialects, at, &mut problems);
        let server = server(config, at, &mut problems, &mut warnings);
        let content = content::plan(config, at, &mut problems, &mut warnings);
        let clients = clients::plan(config, at, &mut problems, &mut warnings);
        let links = links(config, at, &mut problems, &mut warnings);
        let gateway = gateway(config, at, &mut problems);
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        Ok(Self {
            home: home_plan(config, &settings),
            settings: Arc::new(settings),
            limits: limits(config),
            server,
            links,
            clients,
            content,
            gateway,
            upload_tls: upload_tls(config),
            certificates: transport::certificates(config),
            history: Keep {
                time: config.trace.keep.get(),
                bytes: config.trace.max_bytes.get(),
            },
            data: config.node.data.clone(),
            shards: config.node.shards,
            warnings,
        })
    }
}

/// The home domain; on other nodes what their echo user lives in, if they have one.
fn home_plan(config: &Config, sap: &Settings) -> Option<HomePlan> {
    let table = &sap.pse;
    let settings = HomeSettings {
        name: config.node.name.clone(),
        description: config.node.description.clone(),
        url: config.node.url.clone(),
        logo: sap.provider.logo.clone(),
        echo: config.node.echo,
        peer_grace: config.ssp.peer_grace.get(),
        ..HomeSettings::new(&config.node.domain)
    };
    let Some(home) = &config.home else {
        let settings = HomeSettings {
            users: false,
            ..settings
        };
        return config.node.echo.then_some(HomePlan {
            settings,
            users: Vec::new(),
            groups: Vec::new(),
            digest_secret: None,
        });
    };
    let settings = HomeSettings {
        default_authorization: match home.default_authorization {
            config::DefaultAuthorization::Ask => Authorization::Ask,
            config::DefaultAuthorization::Contacts => Authorization::Contacts,
        },
        found_by: home
            .found_by
            .iter()
            .map(|by| by.as_wire().to_owned())
            .collect(),
        offline_validity: home.offline_validity.get(),
        rest_after: Some(home.rest_after.get()),
        max_users: home.max_users,
        groups: GroupSettings {
            private: home.private_groups,
            homes: homes_of_groups(config),
            max_groups: home.max_groups,
            max_owned: home.max_own_groups,
            max_members: home.max_group_members,
            max_of_domain: home.max_group_users_per_domain,
            max_history: home.max_group_history,
            ..GroupSettings::default()
        },
        max_offline: home.max_offline,
        max_offline_bytes: home.max_offline_bytes.get(),
        max_waiting_bytes: home.max_waiting_bytes.get(),
        max_content: home.max_content.get(),
        pse: table.clone(),
        tells_profiles: table
            .find("UPDUP", &config.node.domain)
            .is_some_and(|pse| pse != config.node.domain),
        services: services_of(
            ServiceSet::of_element(crate::home::SERVES)
                .union(ServiceSet::of_element(crate::home::SERVES_OWN)),
            table,
            &config.node.domain,
        ),
        ..settings
    };
    let named = home.user.iter();
    let users = named.map(|user| (user.name.clone(), user.password.clone()));
    Some(HomePlan {
        settings,
        users: users.collect(),
        groups: home.group.clone(),
        digest_secret: config
            .clients
            .as_ref()
            .and_then(|clients| clients.digest_secret.clone()),
    })
}

/// Other home domains whose groups are provided here.
fn homes_of_groups(config: &Config) -> BTreeSet<String> {
    let is_about_groups = |name: &str| {
        let set = ServiceSet::named(name).or_else(|| ServiceSet::named(&format!("{name}Feat")));
        let create = ServiceSet::of_element(&["CREAG"]);
        set.is_some_and(|set| set.includes(create))
    };
    let here = config.service.iter().filter(|service| {
        service.pse == config.node.domain
            && service.home != config.node.domain
            && is_about_groups(&service.name)
    });
    here.map(|service| service.home.clone()).collect()
}

fn upload_tls(config: &Config) -> ClientTls {
    let ca = config.xmpp.as_ref().and_then(|xmpp| xmpp.files.ca.clone());
    ClientTls {
        ca,
        ..ClientTls::default()
    }
}

/// What becomes of files.
fn files(config: &Config, files: &config::XmppFiles) -> FileSettings {
    FileSettings {
        upload: files.service.clone(),
        keeps: config.content.base().is_some(),
        fetch: FetchTerms {
            types: files.fetch.clone(),
            most: files.fetch_max_size.0,
            limit: files.fetch_timeout.get(),
            inside: files.fetch_inside.clone(),
        },
        ..FileSettings::default()
    }
}

/// What domains of XMPP may do.
fn policies(policies: &[config::XmppPolicy]) -> Policies {
    let mut all = Policies::default();
    for policy in policies {
        let value = Policy {
            allowed: policy.access == config::XmppAccess::Allow,
            max_rate: policy.max_rate,
            presence: match policy.presence {
                None => PresencePolicy::Default,
                Some(config::XmppPresence::Ask) => PresencePolicy::Ask,
                Some(config::XmppPresence::Grant) => PresencePolicy::Grant,
                Some(config::XmppPresence::Refuse) => PresencePolicy::Refuse,
            },
        };
        match policy.domain.as_str() {
            "*" => all.others = value,
            domain => {
                all.named.insert(domain.to_owned(), value);
            }
        }
    }
    all
}

fn gateway(config: &Config, at: &Located, problems: &mut Vec<Problem>) -> Option<GatewayPlan> {
    let xmpp = config.xmpp.as_ref()?;
    let mappings = match &config.node.mappings {
        Some(folder) => match Mappings::load(folder) {
            Ok(mappings) => mappings,
            Err(error) => {
                problems.push(at.problem(
                    "node.mappings",
                    error.to_string(),
                    "mend the file, or remove it to use the built-in table",
                ));
                return None;
            }
        },
        None => Mappings::built_in(),
    };
    let names: Vec<&str> = xmpp
        .component
        .iter()
        .map(|component| component.domain.as_str())
        .collect();
    let domain = config.xmpp_domain().unwrap_or(&config.node.domain);
    let mode = match xmpp.mode {
        config::XmppMode::Names => Mode::Names,
        config::XmppMode::Gateway => Mode::Gateway,
    };
    let mut translator = Translator::new(domain, &names).in_mode(mode);
    translator.mappings = Arc::new(mappings);
    // Else what servers have by themselves.
    if !xmpp.muc.is_empty() {
        translator.muc.clone_from(&xmpp.muc);
    }
    // What one server brings back is of no concern to another.
    let process = Siblings::default();
    let mut siblings: BTreeMap<&str, Siblings> = BTreeMap::new();
    let max_stanza = |component: &config::XmppComponent| {
        usize::try_from(component.max_stanza.0).unwrap_or(usize::MAX)
    };
    let components = xmpp.component.iter().map(|component| {
        let server = component.server.as_ref().unwrap_or(&xmpp.server);
        ComponentSettings {
            domain: to_xmpp_domain(&component.domain),
            max_stanza: max_stanza(component),
            siblings: siblings
                .entry(server)
                .or_insert_with(|| process.elsewhere())
                .clone(),
            secret: crate::xmpp::Secret::new(component.secret.expose()),
            server: server.clone(),
            connect_timeout: Duration::from_secs(10),
            ping_interval: xmpp.ping_interval.get(),
            ping_timeout: xmpp.ping_timeout.get(),
            backoff: Backoff {
                first: Duration::from_secs(1),
                max: xmpp.reconnect_max.get(),
            },
            queue: 256,
            barrier_to: None,
        }
    });
    let components: Vec<ComponentSettings> = components.collect();
    let limits = components.iter();
    let limits = limits.map(|component| (component.domain.clone(), component.max_stanza));
    let limits = limits.collect();
    let servers = components.iter();
    let servers = servers.map(|component| (component.domain.clone(), component.server.clone()));
    let servers = servers.collect();
    Some(GatewayPlan {
        settings: GatewaySettings {
            auto_subscribed: xmpp.auto_subscribed,
            strict_receipts: xmpp.strict_receipts,
            settle: xmpp.settle.get(),
            default_validity: config.ssp.default_validity.get(),
            max_stanza: limits,
            servers,
            peer_grace: config.ssp.peer_grace.get(),
            operators: xmpp.operators.clone(),
            files: Box::new(files(config, &xmpp.files)),
            policies: policies(&xmpp.policy),
            ..GatewaySettings::default()
        },
        translator: Arc::new(translator),
        components,
    })
}

/// Where a plan listens, for messages.
impl Plan {
    /// The address at which peers reach the node.
    pub fn listen(&self) -> SocketAddr {
        self.server.listen
    }
}
