//! From configuration to the values the floors below understand. Nothing is
//! bound or dialled here; what cannot work is said as configuration problems.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::clock::Clock;
use crate::config::{self, Config, ConfigError, Located, PeerSection, Problem, Via};
use crate::gateway::GatewaySettings;
use crate::home::{Authorization, HomeSettings};
use crate::http::link::LinkSettings;
use crate::http::server::ServerSettings;
use crate::http::srv::SrvResolver;
use crate::http::tls::{self, ClientTls, ServerTls, Validity};
use crate::sap::dialect::Dialect;
use crate::sap::profile::{Access, services_of};
use crate::sap::{
    Element, Peer, Provider, PseTable, Route, Secret, ServiceSet, Settings, SpeaksFor,
};
use crate::ssp::xml::Limits;
use crate::translate::{Mappings, Mode, Translator};
use crate::xmpp::link::{Backoff, ComponentSettings};

/// Everything a node needs to start.
#[derive(Clone)]
pub struct Plan {
    /// The SAP's settings.
    pub settings: Arc<Settings>,
    /// XML limits.
    pub limits: Limits,
    /// The SSP listener.
    pub server: ServerSettings,
    /// One per peer.
    pub links: Vec<LinkSettings>,
    /// The home domain, or at least the echo user.
    pub home: Option<HomePlan>,
    /// The XMPP gateway.
    pub gateway: Option<GatewayPlan>,
    /// Directory of the store.
    pub data: PathBuf,
    /// Doubtful choices, one line each.
    pub warnings: Vec<String>,
}

/// The home domain.
#[derive(Debug, Clone)]
pub struct HomePlan {
    /// Its settings.
    pub settings: HomeSettings,
    /// Users created if they do not exist: name and first password.
    pub users: Vec<(String, config::Secret)>,
}

/// The XMPP gateway.
#[derive(Clone)]
pub struct GatewayPlan {
    /// Its settings.
    pub settings: GatewaySettings,
    /// Names and tables.
    pub translator: Arc<Translator>,
    /// Its components.
    pub components: Vec<ComponentSettings>,
}

/// Why no plan can be made.
pub type BuildError = ConfigError;

/// A POST connection to a peer, at most so many at once.
const CONNECTIONS: usize = 4;

impl Plan {
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
        let links = links(config, at, &mut problems);
        let gateway = gateway(config, at, &mut problems);
        match (problems.is_empty(), server) {
            (true, Some(server)) => Ok(Self {
                home: home_plan(config, &settings.pse),
                settings: Arc::new(settings),
                limits: limits(config),
                server,
                links,
                gateway,
                data: config.node.data.clone(),
                warnings,
            }),
            _ => Err(ConfigError::new(problems)),
        }
    }
}

/// The SAP's settings alone, for offline tools.
pub fn sap_settings(
    config: &Config,
    dialects: &[Dialect],
    at: &Located,
    problems: &mut Vec<Problem>,
) -> Settings {
    let ssp = &config.ssp;
    let mut settings = Settings {
        response_timeout: millis(ssp.response_timeout.get()),
        handshake_timeout: millis(ssp.handshake_timeout.get().min(ssp.token_lifetime.get())),
        duplicate_window: millis(ssp.duplicate_window.get()),
        session_ttl: millis(ssp.session_ttl.get()),
        default_validity: millis(ssp.default_validity.get()),
        max_queue: ssp.max_queue,
        max_pending: ssp.max_queue,
        batch_count: ssp.batch_count,
        batch_bytes: ssp.batch_bytes.get(),
        agreement_ttl: millis(ssp.agreement_ttl.get()),
        profile_cache: millis(ssp.profile_cache.get()),
        provider: Provider {
            name: config.node.name.clone(),
            description: config.node.description.clone(),
            url: config.node.url.clone(),
        },
        pse: pse_table(config, at, problems),
        echo: config.node.echo,
        ..Settings::new(&config.node.domain)
    };
    if config.home.is_some() {
        settings
            .routes
            .add(&config.node.domain, Route::Local(Element::Home));
    }
    if let Some(domain) = config.xmpp_domain() {
        settings.routes.add(domain, Route::Local(Element::Gateway));
    }
    for route in &config.route {
        let via = match &route.via {
            Via::Local => Route::Local(Element::Home),
            Via::Xmpp => Route::Local(Element::Gateway),
            Via::Peer(peer) => Route::Peer(peer.clone()),
        };
        settings.routes.add(&route.domain, via);
    }
    // One copy of each, however many peers have it.
    let dialects: Vec<Arc<Dialect>> = dialects.iter().cloned().map(Arc::new).collect();
    for (number, peer) in config.peer.iter().enumerate() {
        match dialects.iter().find(|dialect| dialect.name == peer.dialect) {
            Some(dialect) => {
                let key = format!("peer.{number}");
                let functions = [("offers", &peer.offers), ("wants", &peer.wants)]
                    .map(|(list, names)| services(&format!("{key}.{list}"), names, at, problems));
                let [offers, wants] = functions;
                let peer = peer_settings(peer, Arc::clone(dialect));
                settings = settings.with_peer(Peer {
                    offers,
                    wants,
                    ..peer
                });
            }
            // A file that is there has been complained of already.
            None if folder_of(config)
                .is_some_and(|folder| folder.join(format!("{}.toml", peer.dialect)).exists()) => {}
            None => {
                let names: Vec<&str> = dialects
                    .iter()
                    .map(|dialect| dialect.name.as_str())
                    .collect();
                let fix = config::did_you_mean(&peer.dialect, &names);
                problems.push(at.problem(
                    &format!("peer.{number}.dialect"),
                    format!("there is no dialect \"{}\"", peer.dialect),
                    if fix.starts_with("did") {
                        fix
                    } else {
                        format!(
                            "use one of {}, or add mappings/dialects/{}.toml",
                            names.join(", "),
                            peer.dialect
                        )
                    },
                ));
            }
        }
    }
    settings
}

/// Where the operator's dialects are.
fn folder_of(config: &Config) -> Option<PathBuf> {
    let mappings = config.node.mappings.as_ref();
    mappings.map(|folder| folder.join("dialects"))
}

/// The dialects that come along and those of the operator's folder, which win.
pub fn dialects(config: &Config, at: &Located, problems: &mut Vec<Problem>) -> Vec<Dialect> {
    let mut dialects = Dialect::built_in().unwrap_or_else(|error| {
        problems.push(at.problem(
            "node.mappings",
            error.to_string(),
            "this is a defect of the program",
        ));
        Vec::new()
    });
    let Some(folder) = folder_of(config) else {
        return dialects;
    };
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return dialects;
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    for file in files.iter().filter(|file| {
        file.extension()
            .is_some_and(|extension| extension == "toml")
    }) {
        if let Some(mut dialect) = dialect_of(file, problems) {
            dialect.name = file
                .file_stem()
                .map_or(dialect.name, |stem| stem.to_string_lossy().into_owned());
            dialects.retain(|known| known.name != dialect.name);
            dialects.push(dialect);
        }
    }
    dialects
}

/// A dialect of the operator, unless something is wrong with it.
fn dialect_of(file: &Path, problems: &mut Vec<Problem>) -> Option<Dialect> {
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let what = format!("cannot be read ({error})");
            problems.push(Problem::new(name, None, "", what, ""));
            return None;
        }
    };
    let table = config::read_table::<Dialect>(&name, &text);
    let before = problems.len();
    problems.extend(table.problems);
    for fault in table.value.iter().flat_map(Dialect::faults) {
        let fix = match fault.known.as_slice() {
            [] => fault.remedy.to_owned(),
            known => config::did_you_mean(&fault.word, known),
        };
        problems.push(table.located.problem(&fault.key, fault.what, fix));
    }
    table.value.filter(|_| problems.len() == before)
}

fn peer_settings(peer: &PeerSection, dialect: Arc<Dialect>) -> Peer {
    Peer {
        domain: peer.domain.clone(),
        aliases: peer.aliases.clone(),
        speaks_for: SpeaksFor {
            any: peer.speaks_for.iter().any(|domain| domain == "*"),
            domains: peer
                .speaks_for
                .iter()
                .filter(|domain| *domain != "*")
                .cloned()
                .collect(),
        },
        password: Secret(
            peer.password
                .as_ref()
                .map_or_else(Vec::new, |secret| secret.expose().as_bytes().to_vec()),
        ),
        dialect,
        connect_always: peer.connect == config::Connect::Always,
        adopt_unknown_session: peer.adopt_unknown_session,
        client_name: peer.client_name.clone(),
        strict: peer.durability == config::Durability::Strict,
        max_rate: peer.max_rate,
        redirects: peer
            .addresses()
            .map(str::to_owned)
            .chain(peer.redirects.iter().cloned())
            .collect(),
        found_by_srv: peer.addresses().next().is_none(),
        offers: ServiceSet::ALL,
        wants: ServiceSet::NONE,
        profiles: match peer.profiles {
            config::Profiles::None => Access::None,
            config::Profiles::Read => Access::Read,
            config::Profiles::Write => Access::Write,
        },
    }
}

/// `[[service]]` sections as a table.
fn pse_table(config: &Config, at: &Located, problems: &mut Vec<Problem>) -> PseTable {
    let mut table = PseTable::default();
    for (number, service) in config.service.iter().enumerate() {
        let key = format!("service.{number}.name");
        let functions = services(&key, std::slice::from_ref(&service.name), at, problems);
        table.add(functions, &service.home, &service.pse);
    }
    table
}

/// Names of the service tree as a set; a feature may be named without its ending.
fn services(key: &str, names: &[String], at: &Located, problems: &mut Vec<Problem>) -> ServiceSet {
    let mut set = ServiceSet::NONE;
    for name in names {
        match ServiceSet::named(name).or_else(|| ServiceSet::named(&format!("{name}Feat"))) {
            Some(more) => set = set.union(more),
            None => {
                let features = ServiceSet::ALL.names().join(", ");
                problems.push(at.problem(
                    key,
                    format!("the service tree has no \"{name}\""),
                    format!("use one of {features}, a function group or function below them, or *"),
                ));
            }
        }
    }
    set
}

fn limits(config: &Config) -> Limits {
    Limits {
        depth: config.ssp.max_depth,
        bytes: config.ssp.max_message.get(),
        transactions: config.ssp.max_transactions,
        ..Limits::default()
    }
}

fn server(
    config: &Config,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<ServerSettings> {
    let ssp = &config.ssp;
    let tls = match (&ssp.certificate, &ssp.key) {
        (Some(certificate), Some(key)) => {
            check_validity("ssp.certificate", certificate, at, problems, warnings);
            let files = ServerTls {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: ssp.client_ca.clone(),
                client_certificates: match ssp.client_certificates {
                    config::ClientCertificates::None => tls::ClientCertificates::None,
                    config::ClientCertificates::Request => tls::ClientCertificates::Request,
                    config::ClientCertificates::Require => tls::ClientCertificates::Require,
                },
            };
            match tls::server_config(&files) {
                Ok(config) => Some(config),
                Err(error) => {
                    problems.push(at.problem(
                        "ssp.certificate",
                        error.to_string(),
                        "make one with `wvgate certs`, or name the right files",
                    ));
                    return None;
                }
            }
        }
        _ => None,
    };
    Some(ServerSettings {
        listen: ssp.listen,
        plain: ssp.plain,
        tls,
        max_body: ssp.max_message.get(),
        max_connections: ssp.max_connections,
        header_timeout: ssp.header_timeout.get(),
        body_timeout: ssp.body_timeout.get(),
        idle_timeout: ssp.idle_timeout.get(),
        tls_handshake_timeout: ssp.header_timeout.get(),
        path: None,
    })
}

/// An expired certificate is a mistake of the configuration; one that expires
/// soon a warning.
fn check_validity(
    key: &str,
    file: &Path,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) {
    let fix = "renew it, or make a new one with `wvgate certs`";
    match tls::certificate_facts(file) {
        Ok(facts) => match facts.validity(Clock::wall()) {
            Validity::Valid(left) if left > Duration::from_secs(14 * 86_400) => {}
            Validity::Valid(left) => {
                let message = format!(
                    "{} expires in {} days",
                    file.display(),
                    left.as_secs() / 86_400
                );
                warnings.push(at.problem(key, message, fix).to_string());
            }
            Validity::Expired(since) => {
                let message = format!(
                    "{} expired {} days ago",
                    file.display(),
                    since.as_secs() / 86_400
                );
                problems.push(at.problem(key, message, fix));
            }
            Validity::NotYet(_) => {
                problems.push(at.problem(
                    key,
                    format!("{} is not valid yet", file.display()),
                    "check the clock of this machine",
                ));
            }
        },
        Err(error) => problems.push(at.problem(key, error.to_string(), fix)),
    }
}

fn links(config: &Config, at: &Located, problems: &mut Vec<Problem>) -> Vec<LinkSettings> {
    let mut links = Vec::new();
    let srv = (!config.peer.is_empty()).then(SrvResolver::system);
    // Peers with the same files share what was read from them.
    let mut read: HashMap<ClientTls, Arc<rustls::ClientConfig>> = HashMap::new();
    for (number, peer) in config.peer.iter().enumerate() {
        let files = ClientTls {
            ca: peer.ca.clone(),
            certificate: peer.client_certificate.clone(),
            key: peer.client_key.clone(),
            verify: peer.verify,
        };
        // A peer that is not verified is warned of by name.
        let known = read.get(&files).filter(|_| files.verify).cloned();
        let tls = match known.map_or_else(|| tls::client_config(&files, &peer.domain), Ok) {
            Ok(tls) => {
                read.insert(files, Arc::clone(&tls));
                tls
            }
            Err(error) => {
                problems.push(at.problem(
                    &format!("peer.{number}.ca"),
                    error.to_string(),
                    "name the peer's authority in `ca`",
                ));
                continue;
            }
        };
        let Some(srv) = srv.clone() else { continue };
        links.push(LinkSettings {
            peer: peer.domain.clone(),
            urls: peer.addresses().map(str::to_owned).collect(),
            redirects: peer.redirects.clone(),
            allow_plain: peer.allow_plain,
            tls,
            server_name: peer.server_name.clone(),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            // Under the deployed server's 60 s, so that it is we who close.
            idle_timeout: Duration::from_secs(45),
            max_connections: CONNECTIONS,
            user_agent: concat!("wvgate/", env!("CARGO_PKG_VERSION")).to_owned(),
            srv,
        });
    }
    links
}

/// The home domain; on other nodes what their echo user lives in, if they have one.
fn home_plan(config: &Config, table: &PseTable) -> Option<HomePlan> {
    let settings = HomeSettings {
        name: config.node.name.clone(),
        description: config.node.description.clone(),
        url: config.node.url.clone(),
        echo: config.node.echo,
        ..HomeSettings::new(&config.node.domain)
    };
    let Some(home) = &config.home else {
        let settings = HomeSettings {
            users: false,
            ..settings
        };
        let users = Vec::new();
        return config.node.echo.then_some(HomePlan { settings, users });
    };
    let settings = HomeSettings {
        default_authorization: match home.default_authorization {
            config::DefaultAuthorization::Ask => Authorization::Ask,
            config::DefaultAuthorization::Contacts => Authorization::Contacts,
        },
        offline_validity: home.offline_validity.as_secs(),
        max_users: home.max_users,
        max_offline: home.max_offline,
        tells_profiles: table
            .find("UPDUP", &config.node.domain)
            .is_some_and(|pse| pse != config.node.domain),
        services: services_of(
            ServiceSet::of_element(Element::Home),
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
    })
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
    translator.muc.clone_from(&xmpp.muc);
    let components = xmpp.component.iter().map(|component| ComponentSettings {
        domain: component.domain.clone(),
        secret: crate::xmpp::Secret::new(component.secret.expose()),
        server: xmpp.server.clone(),
        connect_timeout: Duration::from_secs(10),
        ping_interval: xmpp.ping_interval.get(),
        ping_timeout: xmpp.ping_timeout.get(),
        backoff: Backoff {
            first: Duration::from_secs(1),
            max: xmpp.reconnect_max.get(),
        },
        queue: 256,
        barrier_to: None,
    });
    let components = components.collect();
    Some(GatewayPlan {
        settings: GatewaySettings {
            auto_subscribed: xmpp.auto_subscribed,
            strict_receipts: xmpp.strict_receipts,
            settle_millis: millis(xmpp.settle.get()),
            default_validity: config.ssp.default_validity.as_secs(),
            ..GatewaySettings::default()
        },
        translator: Arc::new(translator),
        components,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where a plan listens, for messages.
impl Plan {
    /// The SSP address.
    pub fn listen(&self) -> SocketAddr {
        self.server.listen
    }
}
