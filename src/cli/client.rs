//! `wvgate client`: phones and other clients that are logged in.

use clap::{Args, Subcommand};

use super::{Failure, Global, output};
use crate::admin::Request;

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate client disconnect alice            she is logged out on all her phones")]
pub(super) struct ClientArgs {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// End all sessions of a user's clients; they are told, and may log in again
    Disconnect {
        /// The user's name or address
        user: String,
    },
}

pub(super) async fn client(global: &Global, args: ClientArgs) -> Result<(), Failure> {
    let Order::Disconnect { user } = args.order;
    let mut node = global.connect().await?;
    let request = Request::ClientDisconnect { user: user.clone() };
    let ended = node.ask(&request).await?;
    output::line(format!("sessions of {user} that were ended: {ended}"))
}
