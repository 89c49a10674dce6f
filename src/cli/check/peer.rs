//! `wvgate check peer`: the way to one peer, layer by layer.
//!
//! DNS, TCP and TLS are tried by this process, with the configuration's certificates. From
//! the login on the running node is asked to do it, over its control socket: sessions are its
//! own, and a login beside it would take them over. If none runs, a temporary one does it
//! ([`visit`](super::visit)).

use clap::{Args, ValueEnum};
use tokio::net::TcpStream;

use super::super::output::{self, Format};
use super::super::{Failure, Global};
use super::findings::{Finding, Findings, Verdict, finding};
use super::reach;
use super::session::Asking;
use super::visit::Visit;
use crate::admin::Client;
use crate::http::endpoint::Endpoint;
use crate::http::link::LinkSettings;
use crate::http::tls::{CertificateFacts, Validity};
use crate::node::Plan;
use crate::node::clock::Clock;

/// A certificate that ends so soon is a warning: days.
const SOON: u64 = 14;

#[derive(Args)]
#[command(after_help = "\
One line per layer: ok, warning, failed or skipped, what was found, and what to do. DNS, TCP
and TLS are tried from here; login, keep-alive, services and a message to the peer's echo
user are done by the running node, in the session it has or gets. If none runs, a temporary
one does it: it listens where the node would, keeps nothing, takes none of the messages that
the peer has for this domain, and logs out. The exit code is 1 if anything failed.

Examples:
  wvgate check peer village.test
  wvgate check peer village.test --format json | jq '.[] | select(.verdict != \"ok\")'")]
pub(super) struct CheckPeer {
    /// The peer's domain, as in the configuration
    domain: String,
    /// Seconds to wait for each answer of the peer
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    timeout: u64,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Whether to log in with a temporary node if none runs
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    login: Login,
}

/// When a temporary node logs in to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Login {
    /// If the peer's dialect has a logout
    #[default]
    Auto,
    /// Never
    Never,
    /// Even if the peer then keeps a session that nobody answers for
    Always,
}

pub(super) async fn check(global: &Global, args: &CheckPeer) -> Result<(), Failure> {
    let loaded = global.load()?;
    let plan = Plan::new(&loaded.config, &loaded.located)?;
    let domain = args.domain.to_ascii_lowercase();
    let Some(link) = plan.links.iter().find(|link| link.peer == domain) else {
        let peers: Vec<&str> = plan.links.iter().map(|link| link.peer.as_str()).collect();
        let peers = match &peers[..] {
            [] => "none is configured".to_owned(),
            peers => format!("the peers are: {}", peers.join(", ")),
        };
        let why = format!("there is no peer {domain}; {peers}");
        return Err(Failure::Failed(why));
    };
    let mut findings = Findings {
        format: args.format,
        all: Vec::new(),
    };
    let verify = loaded
        .config
        .peer
        .iter()
        .find(|peer| peer.domain == domain)
        .is_none_or(|peer| peer.verify);
    below(link, verify, &mut findings).await?;
    let is_bad = |finding: &Finding| finding.verdict == Verdict::Failed;
    let reached = !findings.all.iter().any(is_bad);
    let socket = global.socket.clone();
    let socket = socket.unwrap_or_else(|| loaded.config.admin_socket());
    match Client::connect(&socket).await {
        Ok(node) => {
            let mut asking = Asking {
                node,
                peer: domain,
                timeout: args.timeout,
                reached,
                visit: None,
            };
            asking.all(&mut findings).await?;
        }
        Err(_) => without_node(args, &plan, &domain, reached, &mut findings).await?,
    }
    if args.format == Format::Json {
        let all = serde_json::to_value(&findings.all);
        output::json(&all.map_err(|error| Failure::Failed(error.to_string()))?)?;
    }
    if findings.all.iter().any(is_bad) {
        return Err(Failure::Silent);
    }
    Ok(())
}

/// The layers from the login on with a temporary node, if that may and can be.
async fn without_node(
    args: &CheckPeer,
    plan: &Plan,
    peer: &str,
    reached: bool,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let peers = &plan.settings.peers;
    let logout = peers.get(peer).is_some_and(|peer| peer.dialect.logout);
    let why_not = match args.login {
        Login::Never => Some("no running node, and --login never"),
        Login::Auto if !logout => Some(
            "no running node, and the peer's dialect has no logout: it would keep a session that \
             nobody answers for; start the node: wvgate run, or say --login always",
        ),
        _ if !reached => Some("no running node, and no way to the peer"),
        Login::Auto | Login::Always => None,
    };
    let visit = match why_not {
        Some(why) => Err(why.to_owned()),
        None => Visit::begin(plan, peer)
            .await
            .map_err(|why| format!("no running node, and no temporary one: {why}")),
    };
    match visit {
        Ok(visit) => visit.all(args.timeout, logout, findings).await,
        Err(why) => {
            for layer in ["handshake", "keep-alive", "discovery", "agreement", "echo"] {
                findings.skipped(layer, why.as_str())?;
            }
            Ok(())
        }
    }
}

/// DNS, TCP and TLS for each address of the peer. Where one works, others that do not are
/// warnings.
async fn below(link: &LinkSettings, verify: bool, findings: &mut Findings) -> Result<(), Failure> {
    let endpoints = match reach::endpoints(link).await {
        Ok(endpoints) => endpoints,
        Err(why) => {
            findings.fail("dns", why, "")?;
            findings.skipped("tcp", "no address")?;
            return findings.skipped("tls", "no connection");
        }
    };
    let how = if link.urls.is_empty() {
        "by SRV"
    } else {
        "configured"
    };
    let mut found = Vec::new();
    for endpoint in &endpoints {
        found.extend(one(link, endpoint, how, verify).await);
    }
    let works = |layer: &str| {
        let good = |f: &&Finding| matches!(f.verdict, Verdict::Ok | Verdict::Warning);
        found.iter().filter(good).any(|f| f.layer == layer)
    };
    let reached = works("tls") || (works("tcp") && endpoints.iter().any(|e| !e.tls));
    for mut finding in found {
        if reached && finding.verdict == Verdict::Failed {
            finding.verdict = Verdict::Warning;
            finding.what.push_str(" (another address works)");
        }
        findings.add(finding)?;
    }
    Ok(())
}

async fn one(link: &LinkSettings, endpoint: &Endpoint, how: &str, verify: bool) -> Vec<Finding> {
    let no_tcp = || finding("tcp", Verdict::Skipped, "no address", None);
    let no_tls = || finding("tls", Verdict::Skipped, "no connection", None);
    let addresses = match reach::lookup(endpoint).await {
        Ok(addresses) => addresses,
        Err(why) => {
            let what = format!("{endpoint} ({how}): {why}");
            return vec![
                finding("dns", Verdict::Failed, what, None),
                no_tcp(),
                no_tls(),
            ];
        }
    };
    let ips: Vec<String> = addresses.iter().map(|at| at.ip().to_string()).collect();
    let dns = format!("{endpoint} ({how}) is {}", ips.join(", "));
    let dns = finding("dns", Verdict::Ok, dns, None);
    let clock = Clock::start();
    let began = clock.now();
    let opened = reach::open(&addresses).await;
    let (stream, at) = match opened {
        Ok(opened) => opened,
        Err(why) => return vec![dns, finding("tcp", Verdict::Failed, why, None), no_tls()],
    };
    let mut tcp = finding("tcp", Verdict::Ok, format!("{at} takes connections"), None);
    tcp.millis = Some(clock.now().since(began));
    let tls = if endpoint.tls {
        tls(link, endpoint, stream, at, verify).await
    } else {
        let what = "plain HTTP, as allow_plain permits: everybody on the way can read and forge";
        finding("tls", Verdict::Warning, what, Some("use an https address"))
    };
    vec![dns, tcp, tls]
}

async fn tls(
    link: &LinkSettings,
    endpoint: &Endpoint,
    stream: TcpStream,
    at: std::net::SocketAddr,
    verify: bool,
) -> Finding {
    let clock = Clock::start();
    let began = clock.now();
    let made = match reach::secure(link, endpoint, stream).await {
        Ok(made) => made,
        Err(why) => {
            // What was refused says more than why.
            let shown = match reach::open(&[at]).await {
                Ok((stream, _)) => reach::unchecked(link, endpoint, stream).await,
                Err(_) => None,
            };
            let shown = shown.map(|facts| format!(" (it shows: {})", certificate(&facts)));
            let what = format!("{why}{}", shown.unwrap_or_default());
            return finding("tls", Verdict::Failed, what, None);
        }
    };
    let mut what = format!("{}, good for {}", made.version, made.name);
    let mut days_left = u64::MAX;
    if let Some(facts) = &made.certificate {
        what = format!("{what}: {}", certificate(facts));
        if let Validity::Valid(left) = facts.validity(Clock::wall()) {
            days_left = left.as_secs() / 86_400;
        }
    }
    let mut tls = if !verify {
        let fix = "name its authority in `ca` and remove verify = false";
        let what = format!("{what}, but the certificate is not checked");
        finding("tls", Verdict::Warning, what, Some(fix))
    } else if days_left < SOON {
        finding(
            "tls",
            Verdict::Warning,
            what,
            Some("the peer must renew it"),
        )
    } else {
        finding("tls", Verdict::Ok, what, None)
    };
    tls.millis = Some(clock.now().since(began));
    tls
}

/// Subject, names, issuer, end.
fn certificate(facts: &CertificateFacts) -> String {
    let end = match facts.validity(Clock::wall()) {
        Validity::Valid(left) => format!("{} days left", left.as_secs() / 86_400),
        Validity::Expired(since) => format!("expired {} days ago", since.as_secs() / 86_400),
        Validity::NotYet(_) => "not valid yet".to_owned(),
    };
    format!(
        "names {}, issued by {}, {end}",
        facts.dns_names.join(" "),
        facts.issuer
    )
}
