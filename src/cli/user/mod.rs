//! `wvgate user`: the users of the home domain.

mod bulk;
mod csv;
mod records;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::{self, Column, Format, field};
use super::{Failure, Global, chat};
use crate::admin::Request;
use crate::home::UserRecord;

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate user add bob                                  asks for a password
  wvgate user add bob --password-file bob.secret
  WVGATE_PASSWORD=secret wvgate user passwd bob
  wvgate user list --format json
  wvgate user show bob                                 profile and services
  wvgate user set bob --service IM=Inactive --property PP_CITY=Oslo --privacy USER_CITY=Allowed
  wvgate user disable bob                              no login; what is for bob waits
  wvgate user import users.csv                         columns as `wvgate user export --format csv`
  wvgate user export > users.jsonl                     with password hashes: keep it safe")]
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
    /// Show a user's profile: services, privacy, terminals, properties
    Show {
        /// The part before the @
        name: String,
        /// Columns for people, or JSON for programs
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove a user with contacts, settings and waiting messages
    Remove {
        /// The part before the @
        name: String,
    },
    /// Keep a user from logging in; what is for them waits
    Disable {
        /// The part before the @
        name: String,
    },
    /// Let a disabled user in again
    Enable {
        /// The part before the @
        name: String,
    },
    /// Change a user's alias or profile
    Set {
        /// The part before the @
        name: String,
        /// The name that others see; empty: none
        #[arg(long)]
        alias: Option<String>,
        /// A service, Active or Inactive; for instance IM=Inactive
        #[arg(long = "service", value_name = "NAME=STATUS", value_parser = pair)]
        services: Vec<(String, String)>,
        /// A capability, Allowed, Denied or Ask; also what others may find the user by
        #[arg(long = "privacy", value_name = "NAME=STATUS", value_parser = pair)]
        privacy: Vec<(String, String)>,
        /// A property of the profile
        #[arg(long = "property", value_name = "NAME=VALUE", value_parser = pair)]
        properties: Vec<(String, String)>,
    },
    /// Make many users, from a file; passwords in the clear or as hashes
    Import(bulk::Import),
    /// Write all users, with the hashes of their passwords
    Export(bulk::Export),
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
        Order::Disable { name } => {
            set(global, disabled(&name, true)).await?;
            output::line(format!("user {name} is disabled"))
        }
        Order::Enable { name } => {
            set(global, disabled(&name, false)).await?;
            output::line(format!("user {name} is enabled"))
        }
        Order::Set {
            name,
            alias,
            services,
            privacy,
            properties,
        } => {
            let user = UserRecord {
                user: name.clone(),
                alias,
                services: services.into_iter().collect(),
                privacy: privacy.into_iter().collect(),
                properties: properties.into_iter().collect(),
                ..UserRecord::default()
            };
            set(global, user).await?;
            output::line(format!("user {name} was changed"))
        }
        Order::Import(args) => bulk::import(global, args).await,
        Order::Export(args) => bulk::export(global, &args).await,
        Order::Show { name, format } => {
            let mut node = global.connect().await?;
            let user = node.ask(&Request::UserShow { user: name }).await?;
            match format {
                Format::Json => output::json(&user),
                Format::Text => output::print(&output::aligned(&profile(&user))),
            }
        }
        Order::List { format } => {
            const COLUMNS: &[Column] = &[
                ("USER", |row| field(row, "user")),
                ("ADDRESS", |row| field(row, "address")),
                ("ONLINE", |row| field(row, "online")),
                ("DISABLED", |row| field(row, "disabled")),
            ];
            let rows = global.connect().await?.ask(&Request::UserList).await?;
            output::list(&rows, COLUMNS, format)
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

fn disabled(name: &str, disabled: bool) -> UserRecord {
    UserRecord {
        user: name.to_owned(),
        disabled: Some(disabled),
        ..UserRecord::default()
    }
}

async fn set(global: &Global, user: UserRecord) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    node.ask(&Request::UserSet { user }).await?;
    Ok(())
}

/// A user's profile in lines: of what kind, which one, how it is.
fn profile(user: &Value) -> Vec<Vec<String>> {
    let line = |kind: &str, name: String, is: String| vec![kind.to_owned(), name, is];
    let mut lines = vec![
        line("user", field(user, "user"), field(user, "address")),
        line("online", field(user, "online"), String::new()),
        line("modified", field(user, "modified"), String::new()),
    ];
    if user["disabled"] == true {
        lines.push(line("disabled", field(user, "disabled"), String::new()));
    }
    let parts: [(&str, &str, &str, &[&str]); 4] = [
        ("service", "services", "name", &["status", "pse"]),
        ("privacy", "privacy", "name", &["status"]),
        (
            "terminal",
            "terminals",
            "url",
            &[
                "client_type",
                "initial_delivery_method",
                "accepted_content_types",
            ],
        ),
        ("property", "properties", "name", &["value"]),
    ];
    for (kind, part, name, fields) in parts {
        for entry in user[part].as_array().into_iter().flatten() {
            let said = fields.iter().filter(|name| !entry[**name].is_null());
            let said: Vec<String> = said.map(|name| field(entry, name)).collect();
            lines.push(line(kind, field(entry, name), said.join("  ")));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_told_in_lines_and_what_is_missing_left_out() {
        let user = serde_json::json!({
            "user": "bob", "address": "wv:bob@b.test", "online": true,
            "modified": "2024-04-30T08:00:00Z",
            "services": [
                { "name": "IM", "status": "Active", "pse": "wv:@a.test" },
                { "name": "Presence", "status": "Inactive", "pse": null },
            ],
            "privacy": [], "terminals": [],
            "properties": [{ "name": "PP_CITY", "value": "Oslo" }],
        });
        let text = output::aligned(&profile(&user));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "user      bob                   wv:bob@b.test",
                "online    yes",
                "modified  2024-04-30T08:00:00Z",
                "service   IM                    Active  wv:@a.test",
                "service   Presence              Inactive",
                "property  PP_CITY               Oslo",
            ]
        );
    }
}
