//! The access point for clients, and its listeners.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::transport::public_tls;
use crate::client::meaning::ClientKind;
use crate::client::settings::{PlainLogin, Settings};
use crate::client::wake::Offer;
use crate::config::{self, Config, Located, Problem};
use crate::http::endpoint::Endpoint;
use crate::http::server::ServerSettings;
use crate::http::tls::{self, ClientTls, TlsError};
use crate::sap::Network;

/// What is needed to serve clients.
#[derive(Clone)]
pub struct ClientsPlan {
    /// How clients are treated.
    pub settings: Arc<Settings>,
    /// Where they are served.
    pub server: ServerSettings,
    /// Where the channel is that wakes over TCP.
    pub wake_listen: Option<SocketAddr>,
    /// Who says from whose number a request comes.
    pub proxies: NumberProxies,
    /// Where text sessions are, if there are any.
    pub text: Option<TextPlan>,
    /// Gateways of short messages.
    pub sms: Vec<SmsGateway>,
}

/// The port of text sessions.
#[derive(Clone)]
pub struct TextPlan {
    /// Address and port to bind.
    pub listen: SocketAddr,
    /// TLS; without it the port is plain.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// Most connections at a time.
    pub max_connections: usize,
    /// Most connections of one address at a time.
    pub max_of_one_address: usize,
}

/// A gateway between text sessions and phones that write short messages.
#[derive(Debug, Clone)]
pub struct SmsGateway {
    /// How it is called here.
    pub name: String,
    /// From where it hands over messages.
    pub from: Vec<Network>,
    /// With which it shows that it does.
    pub secret: config::Secret,
    /// Where it takes messages.
    pub endpoint: Endpoint,
    /// TLS towards that; without it the endpoint is plain.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// As whom this node asks it to.
    pub username: String,
    /// The password of that.
    pub password: config::Secret,
    /// The number from which the messages are.
    pub sender: String,
    /// Time after which a user who writes nothing is logged out.
    pub keep: Duration,
}

/// Proxies of the operator that say from whose number a request comes.
#[derive(Debug, Clone, Default)]
pub struct NumberProxies {
    /// In this header; none is read without.
    pub header: Option<String>,
    /// From where they come.
    pub from: Vec<Network>,
}

pub(super) fn plan(
    config: &Config,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<ClientsPlan> {
    let clients = config.clients.as_ref()?;
    let (certificate, key) = (clients.certificate.as_ref(), clients.key.as_ref());
    let tls = public_tls("clients", certificate, key, at, problems, warnings);
    let text = text(config, tls.as_ref(), at, problems, warnings);
    let kinds = kinds(config, at, problems)?;
    let kind_of = kinds_of_users(clients, &kinds, at, problems);
    let settings = Settings {
        domain: config.node.domain.clone(),
        plain_login: match clients.plain_login {
            config::PlainLogin::Tls => PlainLogin::Tls,
            config::PlainLogin::Always => PlainLogin::Always,
            config::PlainLogin::Never => PlainLogin::Never,
        },
        digest_login: clients.digest_secret.is_some(),
        max_failures: clients.max_failures,
        lock_out: clients.lock_out.get(),
        keep_alive: clients.keep_alive.get(),
        poll_interval: clients.poll_interval.get(),
        one_address: clients.one_address,
        max_sessions: clients.max_sessions,
        max_sessions_per_user: clients.max_sessions_per_user,
        offer: Offer {
            tcp: clients.wake_at(),
            udp: clients.wake_udp,
            http: clients.base(),
        },
        kinds,
        kind_of,
        numbers: clients
            .user
            .iter()
            .filter_map(|user| Some((user.name.to_lowercase(), user.number.clone()?)))
            .collect(),
    };
    Some(ClientsPlan {
        settings: Arc::new(settings),
        server: ServerSettings {
            listen: clients.listen,
            plain: tls.is_none(),
            tls,
            max_body: clients.max_message.get(),
            max_connections: clients.max_connections,
            max_of_one_address: clients.max_connections_per_address,
            header_timeout: config.ssp.header_timeout.get(),
            idle_timeout: config.ssp.idle_timeout.get(),
            tls_handshake_timeout: config.ssp.header_timeout.get(),
            known: None,
            ..ServerSettings::default()
        },
        wake_listen: clients.wake_listen,
        proxies: NumberProxies {
            header: clients.number_header.clone(),
            from: networks(&clients.number_proxies),
        },
        text,
        sms: gateways(clients, at, problems),
    })
}

/// The port of text sessions. Without a certificate of its own it has that of the port of clients.
fn text(
    config: &Config,
    of_clients: Option<&Arc<rustls::ServerConfig>>,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<TextPlan> {
    let text = config.clients.as_ref()?.clp.as_ref()?;
    let (certificate, key) = (text.certificate.as_ref(), text.key.as_ref());
    let own = public_tls("clients.clp", certificate, key, at, problems, warnings);
    Some(TextPlan {
        listen: text.listen,
        tls: own.or_else(|| of_clients.cloned()),
        handshake: config.ssp.header_timeout.get(),
        max_connections: text.max_connections,
        max_of_one_address: text.max_connections_per_address,
    })
}

/// The gateways of short messages.
fn gateways(
    clients: &config::ClientsSection,
    at: &Located,
    problems: &mut Vec<Problem>,
) -> Vec<SmsGateway> {
    let mut gateways = Vec::with_capacity(clients.sms.len());
    for (index, sms) in clients.sms.iter().enumerate() {
        match gateway(sms) {
            Ok(found) => gateways.extend(found),
            Err(error) => {
                let fix = "name the authority of the gateway in `ca`";
                problems.push(at.problem(
                    &format!("clients.sms.{index}.ca"),
                    error.to_string(),
                    fix,
                ));
            }
        }
    }
    gateways
}

/// A gateway; nothing if that is a problem of the configuration.
///
/// # Errors
/// Those who could vouch for it cannot be read.
fn gateway(sms: &config::SmsSection) -> Result<Option<SmsGateway>, TlsError> {
    let (Some(secret), Some(password)) = (&sms.secret, &sms.password) else {
        return Ok(None);
    };
    let Ok(endpoint) = Endpoint::parse(&sms.url) else {
        return Ok(None);
    };
    let files = ClientTls {
        ca: sms.ca.clone(),
        ..ClientTls::default()
    };
    let tls = if endpoint.tls {
        Some(tls::client_config(&files, &endpoint.host)?)
    } else {
        None
    };
    Ok(Some(SmsGateway {
        name: sms.name.clone(),
        from: networks(&sms.from),
        secret: secret.clone(),
        endpoint,
        tls,
        username: sms.username.clone(),
        password: password.clone(),
        sender: sms.sender.clone(),
        keep: sms.keep.get(),
    }))
}

fn networks(from: &[String]) -> Vec<Network> {
    let networks = from.iter().filter_map(|from| config::network(from));
    let network = |(address, bits)| Network { address, bits };
    networks.map(network).collect()
}

/// The kinds that the configuration names for users.
fn kinds_of_users(
    clients: &config::ClientsSection,
    kinds: &[ClientKind],
    at: &Located,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let mut kind_of = BTreeMap::new();
    for (index, user) in clients.user.iter().enumerate() {
        let Some(name) = &user.kind else { continue };
        if !kinds.iter().any(|kind| kind.name == *name) {
            let known: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
            problems.push(at.problem(
                &format!("clients.user.{index}.kind"),
                format!("there is no kind \"{name}\" of clients"),
                format!("known here: {}", known.join(", ")),
            ));
        }
        kind_of.insert(user.name.to_lowercase(), name.clone());
    }
    kind_of
}

/// Kinds of clients: those of the folder, if there is one, else those that are built in.
fn kinds(config: &Config, at: &Located, problems: &mut Vec<Problem>) -> Option<Vec<ClientKind>> {
    let folder = config.node.mappings.as_ref();
    let folder = folder.map(|folder| folder.join("clients"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        return ClientKind::built_in().ok();
    };
    let mut problem = |what: String| {
        let fix = "mend the file, or remove the folder to use what is built in";
        problems.push(at.problem("node.mappings", what, fix));
    };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            problem(format!("{}: {error}", folder.display()));
            return None;
        }
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "toml"));
    files.sort();
    let mut kinds = Vec::new();
    for file in files {
        let read = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        let read = read.and_then(|text| {
            ClientKind::from_toml(&text).map_err(|error| error.message().to_owned())
        });
        match read {
            Ok(kind) => {
                for fault in kind.faults() {
                    problem(format!("{}: {}: {}", file.display(), fault.key, fault.what));
                }
                kinds.push(kind);
            }
            Err(why) => problem(format!("{}: {why}", file.display())),
        }
    }
    Some(kinds)
}
