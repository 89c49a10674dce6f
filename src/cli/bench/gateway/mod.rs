//! `wvgate bench gateway`: what a gateway between SSP and XMPP takes.

mod bare;
mod load;
mod stage;

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::super::output::{self, Format};
use super::super::{Failure, open_files};
use super::Durability;
use super::xmpp_server::Server;
pub(super) use bare::SECRET;

#[derive(Args)]
#[command(after_help = "\
Starts an XMPP server and a gateway, both as processes; this process is the SSP domain on the one
side and bare components (XEP-0114) of the server on the other. Messages go in both directions;
before that, in the same run, from one bare component to another, which is the server's own price.
Then XMPP users watch an SSP user whose status changes, enter a group, and hear a message there.
CPU seconds are those of the gateway and of the server. Figures of one machine and one moment:
compare only what was measured in the same run.

Examples:
  wvgate bench gateway
  wvgate bench gateway --server prosody,ejabberd --messages 50000 --format json

scripts/install-bench-tools.sh installs the XMPP servers.")]
pub(super) struct Gateway {
    /// XMPP servers, one measurement for each
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Server::Ejabberd])]
    server: Vec<Server>,
    /// Messages in each direction
    #[arg(long, default_value_t = 20_000)]
    messages: u64,
    /// Messages under way at once
    #[arg(long, default_value_t = 256)]
    window: u64,
    /// Whether the SSP domain's acknowledgements wait for the disk
    #[arg(long, value_enum, default_value_t = Durability::Relaxed)]
    durability: Durability,
    /// XMPP users who watch one SSP user
    #[arg(long, default_value_t = 1_000)]
    watchers: u64,
    /// Changes of that one's status, two seconds apart: those that come earlier are told together
    #[arg(long, default_value_t = 5)]
    changes: u64,
    /// Subscriptions of XMPP users besides, for their memory
    #[arg(long, default_value_t = 10_000)]
    subscriptions: u64,
    /// XMPP users in a group
    #[arg(long, default_value_t = 1_000)]
    occupants: u64,
    /// Messages there
    #[arg(long, default_value_t = 20)]
    room_messages: u64,
    /// Lines for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// With one server.
#[derive(Serialize)]
struct Row {
    server: &'static str,
    /// From one bare component to another.
    own: Own,
    ssp_to_xmpp: Price,
    xmpp_to_ssp: Price,
    /// Of a status to all who watch.
    presence: Price,
    /// Of a message in a group to all who are there.
    room: Price,
    kib_per_10k_subscriptions: f64,
    kib_per_1k_occupants: f64,
    rss_kib: u64,
}

/// What the server alone takes.
#[derive(Serialize)]
struct Own {
    per_second: f64,
    cpu_seconds_per_10k: f64,
}

/// What something takes that goes through gateway and server.
#[derive(Serialize)]
struct Price {
    per_second: f64,
    gateway_cpu_seconds_per_10k: f64,
    server_cpu_seconds_per_10k: f64,
    /// CPU time of the gateway as a multiple of the server's from component to component.
    gateway_over_own: f64,
}

pub(super) async fn gateway(args: Gateway) -> Result<(), Failure> {
    open_files::allow_most();
    let mut rows = Vec::new();
    for server in &args.server {
        rows.push(load::measure(*server, &args).await?);
    }
    output::report(&rows, |rows| text(rows), args.format)
}

fn text(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = write!(
            text,
            "{}component to component  {:>7.0}/s, {:.2} CPU s per 10 000 of {}",
            if text.is_empty() { "" } else { "\n" },
            row.own.per_second,
            row.own.cpu_seconds_per_10k,
            row.server
        );
        for (what, price) in [
            ("SSP to XMPP", &row.ssp_to_xmpp),
            ("XMPP to SSP", &row.xmpp_to_ssp),
            ("status to watchers", &row.presence),
            ("to those in a group", &row.room),
        ] {
            let _ = write!(
                text,
                "\n{what:<22}  {:>7.0}/s, {:.2} CPU s per 10 000 of the gateway ({:.2} times the server's own), {:.2} of {}",
                price.per_second,
                price.gateway_cpu_seconds_per_10k,
                price.gateway_over_own,
                price.server_cpu_seconds_per_10k,
                row.server
            );
        }
        let _ = write!(
            text,
            "\nmemory: {:.0} KiB per 10 000 subscriptions, {:.0} KiB per 1000 in a group, {} KiB resident",
            row.kib_per_10k_subscriptions, row.kib_per_1k_occupants, row.rss_kib
        );
    }
    text
}
