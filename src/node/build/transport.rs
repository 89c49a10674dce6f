//! The SSP listener and the links to peers, with their certificates.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::{self, Config, Located, Problem};
use crate::http::REST_AFTER;
use crate::http::link::LinkSettings;
use crate::http::server::ServerSettings;
use crate::http::srv::SrvResolver;
use crate::http::tls::{self, ClientTls, ServerTls, Validity};
use crate::node::clock::Clock;

/// A POST connection to a peer, at most so many at once.
const CONNECTIONS: usize = 4;

pub(super) fn server(
    config: &Config,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> ServerSettings {
    let ssp = &config.ssp;
    let files = ssp.certificate.clone().zip(ssp.key.clone());
    let files = files.map(|(certificate, key)| ServerTls {
        certificate,
        key,
        client_ca: ssp.client_ca.clone(),
        client_certificates: match ssp.client_certificates {
            config::ClientCertificates::None => tls::ClientCertificates::None,
            config::ClientCertificates::Request => tls::ClientCertificates::Request,
            config::ClientCertificates::Require => tls::ClientCertificates::Require,
        },
    });
    let tls = server_tls("ssp", files, at, problems, warnings);
    ServerSettings {
        listen: ssp.listen,
        plain: ssp.plain,
        tls,
        max_body: ssp.max_message.get(),
        max_connections: ssp.max_connections,
        max_of_one_address: ssp.max_connections_per_address,
        max_bytes: ssp.max_bodies.get(),
        body_pace: ssp.body_pace.bytes(),
        known: Some(Arc::default()),
        header_timeout: ssp.header_timeout.get(),
        body_timeout: ssp.body_timeout.get(),
        idle_timeout: ssp.idle_timeout.get(),
        rest_after: REST_AFTER,
        tls_handshake_timeout: ssp.header_timeout.get(),
        path: None,
    }
}

/// TLS of a listener that asks nobody for a certificate; see [`server_tls`].
pub(super) fn public_tls(
    section: &str,
    certificate: Option<&PathBuf>,
    key: Option<&PathBuf>,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<Arc<rustls::ServerConfig>> {
    let files = certificate.zip(key).map(|(certificate, key)| ServerTls {
        certificate: certificate.clone(),
        key: key.clone(),
        client_ca: None,
        client_certificates: tls::ClientCertificates::None,
    });
    server_tls(section, files, at, problems, warnings)
}

/// TLS of a listener by the files of its section. Nothing without them, and after a problem.
fn server_tls(
    section: &str,
    files: Option<ServerTls>,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Option<Arc<rustls::ServerConfig>> {
    let files = files?;
    let key = format!("{section}.certificate");
    check_validity(&key, &files.certificate, at, problems, warnings);
    match tls::server_config(&files) {
        Ok(config) => Some(config),
        Err(error) => {
            let fix = "make one with `wvgate certs`, or name the right files";
            problems.push(at.problem(&key, error.to_string(), fix));
            None
        }
    }
}

/// When the certificates end that the node shows, by file. What cannot be read is a problem of its
/// listener or peer.
pub(super) fn certificates(config: &Config) -> BTreeMap<PathBuf, SystemTime> {
    let clients = config.clients.as_ref();
    let clp = clients.and_then(|clients| clients.clp.as_ref());
    let listeners = [
        config.ssp.certificate.as_ref(),
        clients.and_then(|clients| clients.certificate.as_ref()),
        clp.and_then(|clp| clp.certificate.as_ref()),
        config.content.certificate.as_ref(),
    ];
    let peers = config
        .peer
        .iter()
        .filter_map(|peer| peer.client_certificate.as_ref());
    let files: BTreeSet<&PathBuf> = listeners.into_iter().flatten().chain(peers).collect();
    let ends = |file: &PathBuf| Some((file.clone(), tls::certificate_facts(file).ok()?.not_after));
    files.into_iter().filter_map(ends).collect()
}

/// An expired certificate is a mistake of the configuration; one that expires
/// soon a warning.
pub(super) fn check_validity(
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

pub(super) fn links(
    config: &Config,
    at: &Located,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> Vec<LinkSettings> {
    let mut links = Vec::with_capacity(config.peer.len());
    let user_agent: Arc<str> = concat!("wvgate/", env!("CARGO_PKG_VERSION")).into();
    let srv = (!config.peer.is_empty()).then(|| match config.ssp.dns_servers.as_slice() {
        [] => SrvResolver::system(),
        servers => SrvResolver::asking(servers),
    });
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
        if let Some(certificate) = &peer.client_certificate {
            let key = format!("peer.{number}.client_certificate");
            check_validity(&key, certificate, at, problems, warnings);
        }
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
            rest_after: REST_AFTER,
            max_connections: CONNECTIONS,
            user_agent: Arc::clone(&user_agent),
            srv,
            known: None,
            shown: None,
        });
    }
    links
}
