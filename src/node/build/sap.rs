//! The SAP's settings: peers and what they may, dialects, routes, the Service Table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, Config, Located, PeerSection, Problem, Via};
use crate::imps::common::ContentData;
use crate::imps::primitive::common::Logo;
use crate::imps::xml::{Limits, Texts};
use crate::sap::settings::Access;
use crate::sap::settings::dialect::Dialect;
use crate::sap::{
    Network, Peer, PeerId, Provider, PseTable, Route, Secret, ServiceSet, Settings, SpeaksFor,
};
use crate::{gateway, home};

/// Bytes of a logo. Our choice: it goes with each answer about the provider.
const MAX_LOGO: usize = 64 * 1024;

/// The SAP's settings alone, for offline tools.
pub fn sap_settings(
    config: &Config,
    dialects: &[Dialect],
    at: &Located,
    problems: &mut Vec<Problem>,
) -> Settings {
    let ssp = &config.ssp;
    let mut settings = Settings {
        response_timeout: ssp.response_timeout.get(),
        peer_silence: ssp.peer_silence.get(),
        handshake_timeout: ssp.handshake_timeout.get().min(ssp.token_lifetime.get()),
        duplicate_window: ssp.duplicate_window.get(),
        session_ttl: ssp.session_ttl.get(),
        default_validity: ssp.default_validity.get(),
        max_queue: ssp.max_queue,
        max_queue_bytes: ssp.max_queue_bytes.get(),
        max_queue_total: ssp.max_queue_total.get(),
        max_pending: ssp.max_queue,
        max_sessions: ssp.max_sessions,
        batch_count: ssp.batch_count,
        batch_bytes: ssp.batch_bytes.get(),
        agreement_ttl: ssp.agreement_ttl.get(),
        profile_cache: ssp.profile_cache.get(),
        provider: Provider {
            name: config.node.name.clone(),
            description: config.node.description.clone(),
            url: config.node.url.clone(),
            logo: logo(config, at, problems),
        },
        pse: pse_table(config, at, problems),
        echo: config.node.echo.then_some(Route::Local(home::ELEMENT)),
        undivided: [gateway::ELEMENT].into(),
        ..Settings::new(&config.node.domain)
    };
    if config.home.is_some() {
        settings
            .routes
            .add(&config.node.domain, Route::Local(home::ELEMENT));
    }
    if let Some(domain) = config.xmpp_domain() {
        settings.routes.add(domain, Route::Local(gateway::ELEMENT));
    }
    for route in &config.route {
        let via = match &route.via {
            Via::Local => Route::Local(home::ELEMENT),
            Via::Xmpp => Route::Local(gateway::ELEMENT),
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

/// The provider's logo: elsewhere, or what is in a file.
fn logo(config: &Config, at: &Located, problems: &mut Vec<Problem>) -> Option<Logo> {
    let named = config.node.logo.as_ref()?;
    if named.starts_with("https://") || named.starts_with("http://") {
        return Some(Logo {
            url: Some(named.clone()),
            content: None,
        });
    }
    let mut refuse = |what: String, fix: &str| {
        problems.push(at.problem("node.logo", what, fix));
        None
    };
    let end = Path::new(named).extension().unwrap_or_default();
    let content_type = match end.to_string_lossy().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        _ => {
            let what = format!("\"{named}\" is no picture by its name");
            return refuse(what, "name a .png, .jpg, .jpeg or .gif, or a web address");
        }
    };
    match std::fs::read(named) {
        Ok(bytes) if bytes.len() > MAX_LOGO => {
            let what = format!(
                "\"{named}\" has {} bytes, more than {MAX_LOGO}",
                bytes.len()
            );
            refuse(what, "make it smaller, or name a web address")
        }
        Ok(bytes) => Some(Logo {
            url: None,
            content: Some(ContentData {
                content_type: content_type.to_owned(),
                bytes,
            }),
        }),
        Err(error) => {
            let what = format!("\"{named}\" cannot be read ({error})");
            refuse(what, "put the picture there, or remove the key")
        }
    }
}

fn peer_settings(peer: &PeerSection, dialect: Arc<Dialect>) -> Peer {
    Peer {
        domain: peer.domain.clone(),
        aliases: peer.aliases.clone(),
        fronts: peer.fronts.clone(),
        id: PeerId::new(&peer.domain),
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
        from: peer
            .from
            .iter()
            .filter_map(|from| config::network(from))
            .map(|(address, bits)| Network { address, bits })
            .collect(),
        strict: peer.durability == config::Durability::Strict,
        max_rate: peer.max_rate,
        max_flood: peer.max_flood.map(config::Duration::get),
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

pub(super) fn limits(config: &Config) -> Limits {
    Limits {
        depth: config.ssp.max_depth,
        bytes: config.ssp.max_message.get(),
        transactions: config.ssp.max_transactions,
        entries: config.ssp.max_entries,
        texts: Texts {
            text: config.ssp.max_text.get(),
            ..Texts::default()
        },
        ..Limits::default()
    }
}
