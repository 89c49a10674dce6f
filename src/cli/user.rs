//! `wvgate user`: the users of the home domain.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{self, Column, Format, field};
use super::{Failure, Global, chat};
use crate::admin::Request;

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate user add bob                                  asks for a password
  wvgate user add bob --password-file bob.secret
  WVGATE_PASSWORD=secret wvgate user passwd bob
  wvgate user list --format json")]
pub(super) struct UserArgs {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Make a user
    Add {
        /// The part before the @
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// List all users
    List {
        /// Columns for people, or JSON for programs
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove a user with contacts, settings and waiting messages
    Remove {
        /// The part before the @
        name: String,
    },
    /// Change a password
    Passwd {
        /// The part before the @
        name: String,
        #[command(flatten)]
        password: PasswordSource,
    },
}

/// Where a password comes from.
#[derive(Args)]
pub(super) struct PasswordSource {
    /// A file whose first line is the password
    #[arg(
        long,
        value_name = "FILE",
        help = "Take the password from the first line of FILE [default: the variable \
                WVGATE_PASSWORD, else ask]"
    )]
    pub(super) password_file: Option<PathBuf>,
}

pub(super) async fn user(global: &Global, args: UserArgs) -> Result<(), Failure> {
    match args.order {
        Order::Add { name, password } => {
            let mut node = global.connect().await?;
            let password = chat::password(&password, &format!("Password for {name}: "))?;
            let user = name.clone();
            node.ask(&Request::UserAdd { user, password }).await?;
            output::line(format!("user {name} was made"))
        }
        Order::Passwd { name, password } => {
            let mut node = global.connect().await?;
            let password = chat::password(&password, &format!("New password for {name}: "))?;
            let user = name.clone();
            node.ask(&Request::UserPasswd { user, password }).await?;
            output::line(format!("user {name} has a new password"))
        }
        Order::Remove { name } => {
            let user = name.clone();
            let mut node = global.connect().await?;
            node.ask(&Request::UserRemove { user }).await?;
            output::line(format!("user {name} was removed"))
        }
        Order::List { format } => {
            const COLUMNS: &[Column] = &[
                ("USER", |row| field(row, "user")),
                ("ADDRESS", |row| field(row, "address")),
                ("ONLINE", |row| field(row, "online")),
            ];
            let rows = global.connect().await?.ask(&Request::UserList).await?;
            output::list(&rows, COLUMNS, format)
        }
    }
}
