//! The records of groups.
//!
//! | key | value (JSON) |
//! |---|---|
//! | `home/group/OWNER/NAME` | owner and properties; the owner is empty for a provider's group |
//! | `home/group/OWNER/NAME/again/20 digits` | a message for those who were refused, to be handed on later |
//! | `home/group/OWNER/NAME/outgoing/20 digits` | what is being handed on, and how far it has got |
//! | `home/group/OWNER/NAME/person/ADDRESS` | role, rejection, seat |
//! | `home/group/OWNER/NAME/post/20 digits` | a message that was taken |
//! | `home/group/OWNER/NAME/sent/20 digits` | a message that was handed on, until it is known what became of it |
//! | `home/away/DOMAIN` | since when users of that domain are not reached |
//!
//! In key order a group comes before everything that is kept of it.

use serde::de::DeserializeOwned;

use crate::element::{Act, Time, Token};
use crate::imps::address::Address;
use crate::store::Write;

use super::again::{Again, Sent};
use super::outgoing::Outgoing;
use super::person::Person;
use super::posts::Post;
use super::{Group, Sheet};

/// How all keys of groups begin.
pub(in crate::home) const PREFIX: &str = "home/group/";
/// How the keys of domains that are not reached begin.
pub(in crate::home) const AWAY: &str = "home/away/";

pub(super) fn put_sheet(name: &str, sheet: &Sheet) -> Act {
    Act::Write(Write::put_json(format!("{PREFIX}{name}"), sheet))
}

pub(super) fn delete_sheet(name: &str) -> Act {
    Act::Write(Write::delete(format!("{PREFIX}{name}")))
}

pub(super) fn put_person(name: &str, user: &Address, person: &Person) -> Act {
    Act::Write(Write::put_json(
        format!("{PREFIX}{name}/person/{user}"),
        person,
    ))
}

pub(super) fn delete_person(name: &str, user: &Address) -> Act {
    Act::Write(Write::delete(format!("{PREFIX}{name}/person/{user}")))
}

pub(super) fn put_again(name: &str, number: u64, again: &Again) -> Act {
    Act::Write(Write::put_json(numbered(name, "again", number), again))
}

pub(super) fn delete_again(name: &str, number: u64) -> Act {
    Act::Write(Write::delete(numbered(name, "again", number)))
}

pub(super) fn put_sent(name: &str, token: Token, sent: &Sent) -> Act {
    Act::Write(Write::put_json(numbered(name, "sent", token.0), sent))
}

pub(super) fn delete_sent(name: &str, token: Token) -> Act {
    Act::Write(Write::delete(numbered(name, "sent", token.0)))
}

pub(super) fn put_outgoing(name: &str, number: u64, outgoing: &Outgoing) -> Act {
    Act::Write(Write::put_json(
        numbered(name, "outgoing", number),
        outgoing,
    ))
}

pub(super) fn delete_outgoing(name: &str, number: u64) -> Act {
    Act::Write(Write::delete(numbered(name, "outgoing", number)))
}

pub(super) fn put_post(name: &str, number: u64, post: &Post) -> Act {
    Act::Write(Write::put_json(numbered(name, "post", number), post))
}

pub(super) fn delete_post(name: &str, number: u64) -> Act {
    Act::Write(Write::delete(numbered(name, "post", number)))
}

pub(super) fn put_away(domain: &str, since: Time) -> Act {
    Act::Write(Write::put_json(format!("{AWAY}{domain}"), &since))
}

pub(super) fn delete_away(domain: &str) -> Act {
    Act::Write(Write::delete(format!("{AWAY}{domain}")))
}

/// Everything that is kept of a group.
pub(super) fn delete_all(group: &Group) -> Vec<Act> {
    let name = &group.name;
    let people = group.people.keys().map(|user| delete_person(name, user));
    let posts = group.posts.numbers().map(|post| delete_post(name, post));
    let outgoing = group.outgoing.numbers();
    let outgoing = outgoing.map(|number| delete_outgoing(name, number));
    let again = group.again.keys().map(|number| delete_again(name, *number));
    let all = people.chain(posts).chain(outgoing).chain(again);
    all.chain([delete_sheet(name)]).collect()
}

/// A key's group, and what of it; `None` if it is none.
pub(super) fn parts(key: &str) -> Option<(&str, Option<(&str, &str)>)> {
    let rest = key.strip_prefix(PREFIX)?;
    let owner = rest.find('/')?;
    let Some(end) = rest[owner + 1..].find('/') else {
        return Some((rest, None));
    };
    let (name, of_it) = rest.split_at(owner + 1 + end);
    let of_it = of_it[1..].split_once('/')?;
    Some((name, Some(of_it)))
}

pub(super) fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|error| format!("{key}: {error}"))
}

fn numbered(name: &str, section: &str, number: u64) -> String {
    format!("{PREFIX}{name}/{section}/{number:020}")
}
