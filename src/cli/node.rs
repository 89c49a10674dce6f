//! `wvgate peer`, `reload`, `stop`: orders to the running node.

use clap::{Args, Subcommand};

use super::output;
use super::{Failure, Global, peer_add};
use crate::admin::Request;

#[derive(Args)]
pub(super) struct PeerArgs {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Write a peer into the configuration, and let a node that runs read it
    Add(peer_add::Add),
    /// Log in now, unless there is a session already, and wait for the outcome: exit code 1 if
    /// there is none
    Connect {
        /// The peer's domain
        domain: String,
    },
    /// End all sessions with the peer, which is told if it understands that; the next message
    /// logs in again, and with `connect = "always"` the node does after two seconds
    Logout {
        /// The peer's domain
        domain: String,
        /// What the peer is told
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(super) async fn peer(global: &Global, args: PeerArgs) -> Result<(), Failure> {
    match args.order {
        Order::Add(add) => peer_add::add(global, &add).await,
        Order::Connect { domain } => {
            let mut node = global.connect().await?;
            let request = Request::Connect {
                peer: domain.clone(),
            };
            let answer = node.ask(&request).await?;
            if answer["state"] == "up" {
                return output::line(format!("{domain}: up"));
            }
            let why = output::field(&answer, "error");
            Err(Failure::Failed(format!("{domain}: no session: {why}")))
        }
        Order::Logout { domain, reason } => {
            let mut node = global.connect().await?;
            let request = Request::Logout {
                peer: domain.clone(),
                reason,
            };
            let ended = node.ask(&request).await?;
            let sessions = output::field(&ended, "sessions");
            let how = if ended["told"].as_bool() == Some(true) {
                "ended, the peer was told"
            } else {
                "forgotten"
            };
            output::line(format!("{domain}: {sessions} sessions {how}"))
        }
    }
}

pub(super) async fn reload(global: &Global) -> Result<(), Failure> {
    let remarks = global.connect().await?.ask(&Request::Reload).await?;
    for remark in remarks.as_array().into_iter().flatten() {
        output::line(remark.as_str().unwrap_or_default())?;
    }
    output::line("the configuration was read again")
}

pub(super) async fn stop(global: &Global) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    node.ask(&Request::Stop).await?;
    // The connection ends with the node.
    while let Ok(Some(_)) = node.line().await {}
    output::line("stopped")
}
