//! `wvgate check`: everything that can be known before, or beside, a running node.

mod component;
mod findings;
mod peer;
mod reach;
mod session;
mod start;
mod visit;

use clap::{Args, Subcommand};

use super::output;
use super::{Failure, Global};
use component::Visit;

use crate::admin::{Client, Request, Status};
use crate::config::Loaded;
use crate::http::endpoint::Endpoint;
use crate::http::link::LinkSettings;
use crate::http::tls::{self, Validity};
use crate::node::Plan;
use crate::node::build;
use crate::node::clock::Clock;

#[derive(Args)]
#[command(after_help = "\
One line per item: ok, warn or FAIL, and what to do. While the node runs it is asked to log
in to its peers; else peers are tried as far as TLS, and the XMPP server with the secret of
each component; and it is looked whether the node could start: its folder, room on the disk,
the store, the addresses it listens on.

Examples:
  wvgate check --config config/relay.toml
  wvgate check peer village.test     one peer, layer by layer")]
pub(super) struct Check {
    /// Look at the files only; reach for no peer and no server
    #[arg(long)]
    offline: bool,
    /// Leave out the store, which a start reads as a whole anyway
    #[arg(long)]
    no_store: bool,
    #[command(subcommand)]
    of: Option<Of>,
}

#[derive(Subcommand)]
enum Of {
    /// Check the way to one peer, layer by layer, up to a message there and back
    Peer(peer::CheckPeer),
}

pub(super) async fn check(global: &Global, args: &Check) -> Result<(), Failure> {
    if let Some(Of::Peer(peer)) = &args.of {
        if args.offline || args.no_store {
            let why =
                "wvgate: --offline and --no-store are of the check as a whole; leave them out";
            return Err(Failure::Usage(why.to_owned()));
        }
        return Box::pin(peer::check(global, peer)).await;
    }
    let file = global.config_file();
    let made = global.load().and_then(|loaded| {
        let plan = Plan::new(&loaded.config, &loaded.located)?;
        Ok((loaded, plan))
    });
    let (loaded, plan) = match made {
        Ok(made) => made,
        Err(Failure::Usage(problems)) => {
            for problem in problems.lines() {
                output::line(format!("FAIL  {problem}"))?;
            }
            return Err(Failure::Usage(format!(
                "wvgate: {} cannot be used",
                file.display()
            )));
        }
        Err(other) => return Err(other),
    };
    let mut verdicts = Verdicts::default();
    verdicts.ok(format!("configuration {}", file.display()))?;
    let warnings = loaded.warnings.iter().map(ToString::to_string);
    for warning in warnings.chain(plan.warnings.iter().cloned()) {
        verdicts.warn(warning)?;
    }
    files(&loaded, &mut verdicts)?;
    let node = Client::connect(&loaded.config.admin_socket()).await;
    if node.is_err() {
        start::check(&loaded.config, &plan, !args.no_store, &mut verdicts)?;
    }
    if !args.offline {
        match node {
            Ok(node) => beside_node(node, &plan, &mut verdicts).await?,
            Err(_) => without_node(&plan, &mut verdicts).await?,
        }
    }
    let Verdicts {
        fine,
        doubtful,
        failed,
    } = verdicts;
    output::line(format!("{fine} ok, {doubtful} warn, {failed} FAIL"))?;
    if failed > 0 {
        return Err(Failure::Silent);
    }
    Ok(())
}

#[derive(Default)]
struct Verdicts {
    fine: usize,
    doubtful: usize,
    failed: usize,
}

impl Verdicts {
    fn ok(&mut self, what: impl std::fmt::Display) -> Result<(), Failure> {
        self.fine += 1;
        output::line(format!("ok    {what}"))
    }

    fn warn(&mut self, what: impl std::fmt::Display) -> Result<(), Failure> {
        self.doubtful += 1;
        output::line(format!("warn  {what}"))
    }

    fn fail(&mut self, what: impl std::fmt::Display) -> Result<(), Failure> {
        self.failed += 1;
        output::line(format!("FAIL  {what}"))
    }
}

/// Certificate, dialects, mappings: they could be read, or there were no plan.
fn files(loaded: &Loaded, verdicts: &mut Verdicts) -> Result<(), Failure> {
    let config = &loaded.config;
    if let Some(path) = &config.ssp.certificate
        && let Ok(facts) = tls::certificate_facts(path)
    {
        if let Validity::Valid(left) = facts.validity(Clock::wall()) {
            let days = left.as_secs() / 86_400;
            verdicts.ok(format!("certificate {}, {days} days left", path.display()))?;
        }
        let domain = &config.node.domain;
        let parent = domain.split_once('.').map_or("", |(_, parent)| parent);
        let covers = |name: &String| name == domain || *name == format!("*.{parent}");
        if !facts.dns_names.iter().any(covers) {
            verdicts.warn(format!(
                "certificate {} is good for {} and not for {domain}; peers that find this node by \
                 its domain may refuse it",
                path.display(),
                facts.dns_names.join(", ")
            ))?;
        }
    } else {
        verdicts.warn("there is no certificate: peers reach this node by plain HTTP only")?;
    }
    let dialects = build::dialects(config, &loaded.located, &mut Vec::new());
    let names: Vec<&str> = dialects
        .iter()
        .map(|dialect| dialect.name.as_str())
        .collect();
    verdicts.ok(format!("dialects {}", names.join(", ")))?;
    let mappings = match &config.node.mappings {
        Some(folder) => format!("mappings of {}", folder.display()),
        None => "built-in mappings".to_owned(),
    };
    verdicts.ok(mappings)
}

/// The running node knows best.
async fn beside_node(
    mut node: Client,
    plan: &Plan,
    verdicts: &mut Verdicts,
) -> Result<(), Failure> {
    let status: Status = serde_json::from_value(node.ask(&Request::Status).await?)
        .map_err(|error| Failure::Failed(format!("the node's answer cannot be read: {error}")))?;
    verdicts.ok(format!("the node runs, wvgate {}", status.version))?;
    match &status.store {
        None => verdicts.ok("store of the running node")?,
        Some(why) => verdicts.fail(format!("store of the running node: {why}"))?,
    }
    for (component, up) in &status.components {
        if status.twins.contains(component) {
            verdicts.fail(shared_name(component))?;
        } else if *up {
            verdicts.ok(format!("XMPP component {component} is connected"))?;
        } else {
            verdicts.fail(format!(
                "XMPP component {component} is not connected; the node's log says why"
            ))?;
        }
    }
    for link in &plan.links {
        let peer = link.peer.clone();
        let login = match node.ask(&Request::Connect { peer: peer.clone() }).await {
            Ok(login) => login,
            Err(error) => {
                verdicts.fail(format!(
                    "peer {peer}: {error}; let the node reload, or restart it"
                ))?;
                continue;
            }
        };
        match session(&login) {
            Ok(()) => verdicts.ok(format!("peer {peer}: session stands"))?,
            Err(why) => {
                verdicts.fail(format!("peer {peer}: no session: {why}"))?;
                reach(link, verdicts).await?;
            }
        }
    }
    Ok(())
}

/// Whether a login came to a session; else why not.
fn session(login: &serde_json::Value) -> Result<(), String> {
    if login["state"] == "up" {
        return Ok(());
    }
    let why = login["error"].as_str();
    Err(why.unwrap_or("the login has failed").to_owned())
}

async fn without_node(plan: &Plan, verdicts: &mut Verdicts) -> Result<(), Failure> {
    for link in &plan.links {
        if reach(link, verdicts).await? {
            verdicts.warn(format!(
                "peer {}: the login itself is tried only while the node runs",
                link.peer
            ))?;
        }
    }
    for settings in plan.gateway.iter().flat_map(|gateway| &gateway.components) {
        let name = &settings.domain;
        match component::visit(settings).await {
            Ok(Visit::Alone) => verdicts.ok(format!("XMPP component {name} is accepted"))?,
            Ok(Visit::Shared) => verdicts.fail(shared_name(name))?,
            Err(why) => verdicts.fail(format!("XMPP component {name}: {why}"))?,
        }
    }
    Ok(())
}

/// Another process has the name of a component.
fn shared_name(component: &str) -> String {
    format!(
        "XMPP component {component}: another process is connected under this name, and the server \
         shares the traffic between the two; stop one of them, or give it a component of its own"
    )
}

/// Tries the addresses of a peer as far as TLS; whether one works.
async fn reach(link: &LinkSettings, verdicts: &mut Verdicts) -> Result<bool, Failure> {
    let peer = &link.peer;
    let endpoints = match reach::endpoints(link).await {
        Ok(endpoints) => endpoints,
        Err(why) => {
            verdicts.fail(format!("peer {peer}: {why}"))?;
            return Ok(false);
        }
    };
    let mut tried = Vec::new();
    for endpoint in endpoints {
        tried.push((connect(link, &endpoint).await, endpoint));
    }
    let works = tried.iter().any(|(how, _)| how.is_ok());
    for (how, endpoint) in tried {
        match how {
            Ok(how) => verdicts.ok(format!("peer {peer}: {endpoint} {how}"))?,
            Err(why) if works => verdicts.warn(format!(
                "peer {peer}: {endpoint} {why} (another address works)"
            ))?,
            Err(why) => verdicts.fail(format!("peer {peer}: {endpoint} {why}"))?,
        }
    }
    Ok(works)
}

/// One address, as far as TLS; how it is reached, or the layer that fails and why.
async fn connect(link: &LinkSettings, endpoint: &Endpoint) -> Result<String, String> {
    let addresses = reach::lookup(endpoint).await;
    let addresses = addresses.map_err(|why| format!("DNS: {why}"))?;
    let stream = reach::open(&addresses).await;
    let (stream, _) = stream.map_err(|why| format!("TCP: {why}"))?;
    if !endpoint.tls {
        return Ok("is reached by plain HTTP".to_owned());
    }
    let tls = reach::secure(link, endpoint, stream).await;
    let name = tls.map_err(|why| format!("TLS: {why}"))?.name;
    Ok(format!("is reached, its certificate is good for {name}"))
}
