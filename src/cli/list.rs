//! `wvgate list`: the contact lists of users of the home domain.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::{self, Format, field};
use super::{Failure, Global};
use crate::admin::Request;

#[derive(Args)]
#[command(after_help = "\
Examples:
  wvgate list show alice                               all lists, with who is on them
  wvgate list create alice friends --name \"My friends\"
  wvgate list add alice friends bob@far.example --nick Bobby
  wvgate list remove alice friends bob@far.example
  wvgate list delete alice friends

Who is on a list may see the user's presence, as far as the user's attribute lists allow.")]
pub(super) struct ListArgs {
    #[command(subcommand)]
    order: Order,
}

#[derive(Subcommand)]
enum Order {
    /// Show the contact lists of a user, or one of them, with who is on them
    Show {
        /// The user, the part of the address before the domain
        user: String,
        /// The list; all of them if there is none
        list: Option<String>,
        /// Columns for people, or JSON for programs
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Make a contact list
    Create {
        /// The user, the part of the address before the domain
        user: String,
        /// The list, the part of its address between / and @
        list: String,
        /// A name for people
        #[arg(long)]
        name: Option<String>,
    },
    /// Delete a contact list; who was on it stays on the user's others
    Delete {
        /// The user, the part of the address before the domain
        user: String,
        /// The list, the part of its address between / and @
        list: String,
    },
    /// Put somebody on a contact list, or name them anew
    Add {
        /// The user, the part of the address before the domain
        user: String,
        /// The list, the part of its address between / and @
        list: String,
        /// Address of who is put on it
        address: String,
        /// The user's own name for them
        #[arg(long)]
        nick: Option<String>,
    },
    /// Take somebody off a contact list
    Remove {
        /// The user, the part of the address before the domain
        user: String,
        /// The list, the part of its address between / and @
        list: String,
        /// Who is taken off it
        address: String,
    },
}

pub(super) async fn list(global: &Global, args: ListArgs) -> Result<(), Failure> {
    let mut node = global.connect().await?;
    match args.order {
        Order::Show { user, list, format } => {
            let is_one = list.is_some();
            let shown = node.ask(&Request::ListShow { user, list }).await?;
            match format {
                Format::Json => output::json(&shown),
                Format::Text => {
                    let all = if is_one { vec![shown] } else { all(shown) };
                    let lines: Vec<Vec<String>> = all.iter().flat_map(lines).collect();
                    output::print(&output::aligned(&lines))
                }
            }
        }
        Order::Create { user, list, name } => {
            let said = format!("contact list {list} of {user} was made");
            let request = Request::ListCreate {
                user,
                list,
                display: name,
            };
            node.ask(&request).await?;
            output::line(said)
        }
        Order::Delete { user, list } => {
            let said = format!("contact list {list} of {user} was deleted");
            node.ask(&Request::ListDelete { user, list }).await?;
            output::line(said)
        }
        Order::Add {
            user,
            list,
            address,
            nick,
        } => {
            let said = format!("{address} is on contact list {list} of {user}");
            let request = Request::ListAdd {
                user,
                list,
                member: address,
                nick,
            };
            node.ask(&request).await?;
            output::line(said)
        }
        Order::Remove {
            user,
            list,
            address,
        } => {
            let said = format!("{address} is not on contact list {list} of {user}");
            let request = Request::ListRemove {
                user,
                list,
                member: address,
            };
            node.ask(&request).await?;
            output::line(said)
        }
    }
}

fn all(shown: Value) -> Vec<Value> {
    match shown {
        Value::Array(all) => all,
        _ => Vec::new(),
    }
}

/// A contact list in lines: the list, then who is on it.
fn lines(list: &Value) -> Vec<Vec<String>> {
    let line = |kind: &str, name: &str, is: String| vec![kind.to_owned(), name.to_owned(), is];
    let default = if list["default"] == true {
        "default"
    } else {
        ""
    };
    let display = field(list, "display");
    let is = [display.as_str(), default];
    let is: Vec<&str> = is
        .into_iter()
        .filter(|part| !part.is_empty() && *part != "-")
        .collect();
    let mut lines = vec![line("list", &field(list, "list"), is.join(", "))];
    for (member, nick) in list["members"].as_object().into_iter().flatten() {
        let nick = nick.as_str().unwrap_or_default();
        lines.push(line("  member", member, nick.to_owned()));
    }
    lines
}
