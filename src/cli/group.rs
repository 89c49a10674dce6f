//! `wvgate group`: the groups of the home domain.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::{self, Column, Format, field};
use super::{Failure, Global};
use crate::admin::Request;

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate group add news --set Topic=\"What is new\" --admin alice
  wvgate group add staff --set AccessType=Restricted --set History=T
  wvgate group list
  wvgate group show alice/club                         properties, members, who is joined
  wvgate group remove news")]
pub(super) struct GroupArgs {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Make a group of the provider, /NAME@DOMAIN
    Add {
        /// The part between / and @
        name: String,
        /// A property as in SSP, for instance Topic=Tea or History=T
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = property)]
        properties: Vec<(String, String)>,
        /// Who administers it
        #[arg(long = "admin", value_name = "ADDRESS")]
        admins: Vec<String>,
    },
    /// List all groups
    List {
        /// Columns for people, or JSON for programs
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show a group: properties, members, who is joined
    Show {
        /// The name of a provider's group, or OWNER/NAME
        name: String,
        /// Columns for people, or JSON for programs
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// End a group, whoever owns it
    Remove {
        /// The name of a provider's group, or OWNER/NAME
        name: String,
    },
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

pub(super) async fn group(global: &Global, args: GroupArgs) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    match args.order {
        Order::Add {
            name,
            properties,
            admins,
        } => {
            let request = Request::GroupAdd {
                group: name.clone(),
                properties: properties.into_iter().collect(),
                admins,
            };
            node.ask(&request).await?;
            output::line(format!("group {name} was made"))
        }
        Order::Remove { name } => {
            let group = name.clone();
            node.ask(&Request::GroupRemove { group }).await?;
            output::line(format!("group {name} was removed"))
        }
        Order::Show { name, format } => {
            let group = node.ask(&Request::GroupShow { group: name }).await?;
            match format {
                Format::Json => output::json(&group),
                Format::Text => output::print(&output::aligned(&lines(&group))),
            }
        }
        Order::List { format } => {
            const COLUMNS: &[Column] = &[
                ("GROUP", |row| field(row, "group")),
                ("OWNER", |row| field(row, "owner")),
                ("ACCESS", |row| field(&row["properties"], "AccessType")),
                ("JOINED", |row| field(&row["properties"], "ActiveUsers")),
                ("TOPIC", |row| field(&row["properties"], "Topic")),
            ];
            let rows = node.ask(&Request::GroupList).await?;
            output::list(&rows, COLUMNS, format)
        }
    }
}

/// A group in lines: of what kind, which one, how it is.
fn lines(group: &Value) -> Vec<Vec<String>> {
    let line = |kind: &str, name: &str, is: String| vec![kind.to_owned(), name.to_owned(), is];
    let mut lines = vec![
        line("group", &field(group, "group"), String::new()),
        line("owner", &field(group, "owner"), String::new()),
    ];
    for (kind, part) in [
        ("property", "properties"),
        ("member", "members"),
        ("joined", "joined"),
    ] {
        let entries = group[part].as_object();
        for name in entries.into_iter().flat_map(serde_json::Map::keys) {
            lines.push(line(kind, name, field(&group[part], name)));
        }
    }
    for user in group["rejected"].as_array().into_iter().flatten() {
        let user = user.as_str().unwrap_or_default();
        lines.push(line("rejected", user, String::new()));
    }
    lines
}
