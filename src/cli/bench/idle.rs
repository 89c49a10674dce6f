//! `wvgate bench idle`: the memory of a node that does nothing.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::TypedValueParser as _;
use serde::Serialize;

use super::super::output::{self, Format};
use super::super::{Failure, open_files};
use super::chain::{Folder, free_port};
use super::crowd::{Crowd, Places};
use super::process::Node;
use super::{clients, peers};
use crate::http::devcerts;
use crate::http::tls::{self, ClientCertificates, ServerTls};
use crate::node::clock::Clock;

#[derive(Args)]
#[command(after_help = "\
Starts nodes one after the other and looks at their resident memory while nothing happens: a relay
with two peers; one with many, of which none is there; relays whose peers log in to them, without TLS
and with TLS, all played by one process; and an access point with phones that are logged in. What a
session and a phone take is the growth from half of them to all, with the connections in both
directions.

Examples:
  wvgate bench idle
  wvgate bench idle --configured 100000 --format json")]
pub(super) struct Idle {
    /// Peers of the relay that has many
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(3..).map(|it| it as usize))]
    configured: usize,
    /// Peers that log in
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(2..).map(usize::from))]
    sessions: usize,
    /// Phones that log in
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(2..).map(usize::from))]
    phones: usize,
    /// Seconds before each look: what a start has used is given back meanwhile
    #[arg(long, default_value_t = 3)]
    rest: u64,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Report {
    /// Of a relay with two peers.
    start_kib: u64,
    kib_per_configured_peer: f64,
    kib_per_session_plain: f64,
    kib_per_session_tls: f64,
    kib_per_phone: f64,
    /// Of the channel on which a phone is woken.
    kib_per_channel: f64,
}

/// Peers of the relay that has few.
const FEW: usize = 2;

/// The name in the certificate of all peers.
const PEER: &str = "peer.test";

pub(super) async fn idle(args: Idle) -> Result<(), Failure> {
    open_files::allow_most();
    let rest = Duration::from_secs(args.rest);
    let few = started(FEW, rest).await?;
    let many = started(args.configured, rest).await?;
    let plain = session(args.sessions, rest, false).await?;
    let tls = session(args.sessions, rest, true).await?;
    let (phone, channel) = clients::idle(args.phones).await?;
    let report = Report {
        start_kib: few,
        kib_per_configured_peer: grown(few, many, args.configured - FEW),
        kib_per_session_plain: plain,
        kib_per_session_tls: tls,
        kib_per_phone: phone,
        kib_per_channel: channel,
    };
    output::report(&report, text, args.format)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn grown(from: u64, to: u64, by: usize) -> f64 {
    to.saturating_sub(from) as f64 / by.max(1) as f64
}

/// KiB of a relay with so many peers, none of which is there.
async fn started(configured: usize, rest: Duration) -> Result<u64, Failure> {
    let folder = Folder::make("idle")?;
    let text = peers::config(folder.path(), free_port()?, configured, &[]);
    let relay = start(&folder, &text).await?;
    tokio::time::sleep(rest).await;
    Ok(relay.process().rss_kib())
}

/// KiB of a session at a relay, of so many.
async fn session(sessions: usize, rest: Duration, is_safe: bool) -> Result<f64, Failure> {
    let folder = Folder::make("idle")?;
    let path = folder.path();
    let safe = if is_safe { Some(certify(path)?) } else { None };
    let places = Places::bind_safe(sessions, safe).await?;
    let port = free_port()?;
    let mut text = peers::config(path, port, sessions, &places.urls());
    if is_safe {
        let path = path.display();
        let peer = format!("ca = \"{path}/ca.pem\"\nserver_name = \"{PEER}\"\n");
        let own =
            format!("certificate = \"{path}/relay.test.pem\"\nkey = \"{path}/relay.test.key\"\n");
        text = text.replace("allow_plain = true\n", &peer);
        text = text.replace("plain = true\n", &own);
    }
    let relay = start(&folder, &text).await?;
    let scheme = if is_safe { "https" } else { "http" };
    let url = format!("{scheme}://127.0.0.1:{port}/");
    let mut crowd = Crowd::new(places, &url, peers::message()?)?;
    let half = sessions / 2;
    let before = look(&relay, &mut crowd, 0..half, rest).await?;
    let after = look(&relay, &mut crowd, half..sessions, rest).await?;
    Ok(grown(before, after, sessions - half))
}

/// KiB of a relay after these peers have logged in too.
async fn look(
    relay: &Node,
    crowd: &mut Crowd,
    who: Range<usize>,
    rest: Duration,
) -> Result<u64, Failure> {
    crowd.log_in(who).await?;
    // They answer meanwhile.
    if let Ok(ended) = tokio::time::timeout(rest, crowd.until(|_| false)).await {
        ended?;
    }
    Ok(relay.process().rss_kib())
}

/// Certificates of the relay, and of its peers, which have one together.
fn certify(folder: &Path) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::Failed(format!("cannot make certificates: {error}"))
    };
    let hosts: Result<Vec<_>, _> = ["relay.test", PEER]
        .into_iter()
        .map(devcerts::Wanted::parse)
        .collect();
    let hosts = hosts.map_err(|error| failed(&error))?;
    devcerts::generate(folder, &hosts, false, Clock::wall()).map_err(|error| failed(&error))?;
    let server = ServerTls {
        certificate: folder.join(format!("{PEER}.pem")),
        key: folder.join(format!("{PEER}.key")),
        client_ca: None,
        client_certificates: ClientCertificates::None,
    };
    tls::server_config(&server).map_err(|error| failed(&error))
}

async fn start(folder: &Folder, config: &str) -> Result<Node, Failure> {
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, config)
        .map_err(|error| Failure::Failed(format!("cannot write a configuration: {error}")))?;
    let socket = folder.path().join("relay.sock");
    tokio::task::spawn_blocking(move || Node::start("relay", &file, socket))
        .await
        .map_err(|error| Failure::Failed(error.to_string()))?
}

fn text(report: &Report) -> String {
    format!(
        "{:<24} {:>10}\n{:<24} {:>10}\n{:<24} {:>10.2}\n{:<24} {:>10.1}\n{:<24} {:>10.1}\n{:<24} {:>10.1}\n{:<24} {:>10.1}",
        "IDLE",
        "KIB",
        "start",
        report.start_kib,
        "configured peer",
        report.kib_per_configured_peer,
        "session",
        report.kib_per_session_plain,
        "session with TLS",
        report.kib_per_session_tls,
        "phone",
        report.kib_per_phone,
        "channel of a phone",
        report.kib_per_channel
    )
}
