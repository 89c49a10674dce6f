//! The records of the home domain and how they are taken back.
//!
//! | key | value (JSON) |
//! |---|---|
//! | `home/rest/NAME` | a user at rest: all of the below that there is then, together ([`super::resting`]) |
//! | `home/user/NAME` | the account: password hash, text, mood, alias |
//! | `home/user/NAME/arrival/20 digits` | what is known of a message that waits until it is taken, or the trace of one that was |
//! | `home/user/NAME/body/20 digits` | the rest of that message, as long as a client has still to be told: texts as JSON, a line feed, the content |
//! | `home/user/NAME/invitation/20 digits` | an invitation that was sent or received, as long as it is valid |
//! | `home/user/NAME/lists` | contact lists with their attribute lists, and the default one of each, if any was ever changed |
//! | `home/user/NAME/notice/20 digits` | a report that waits until it is taken |
//! | `home/user/NAME/presence` | what they have told of their presence besides the account, as XML |
//! | `home/user/NAME/profile` | what was changed of the profile, as XML |
//! | `home/user/NAME/access` | which of the block list and the grant list is in use |
//! | `home/user/NAME/access/KIND/...` | on which of them somebody is |
//! | `home/user/NAME/relation/ADDRESS` | contact lists they are on, authorization, watching; with short names |
//! | `home/user/NAME/request/20 digits` | a request that waits for its answer |
//! | `home/user/NAME/sent/20 digits` | a message of their own that its recipient's side has taken |
//!
//! Those of groups are in [`super::group`].
//!
//! In key order a user comes before everything that is kept for them, and arrivals before bodies.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::element::access::{Entry, InUse, List, Listed};
use crate::element::{Act, Token};
use crate::imps::address::Address;
use crate::imps::primitive::profile::UserProfile;
use crate::sap::profile::cache::Kept;
use crate::store::Write;

use super::Home;
use super::body::Body;
use super::contact_list::Lists;
use super::core::{Core, Pending, Timer};
use super::group;
use super::inbox::Arrival;
use super::invitation::{Book, Invitation};
use super::notice::{Kept as Notice, Record};
use super::presence::Told;
use super::relation::Relation;
use super::sent::Taken;
use super::user::{Account, ECHO, User};
use super::watchers::sweep;

/// How all keys of the home domain begin.
pub(super) const PREFIX: &str = "home/";

const USER: &str = "home/user/";

const REST: &str = "home/rest/";

/// How what stands behind the name begins in the key of what is between a user and somebody else.
pub(super) const OTHER: &str = "/relation/wv:";

/// What there is one record of for each user.
const ONE_OF_A_KIND: [&str; 4] = ["access", "lists", "presence", "profile"];

/// The key of a user's account, with which those of all their rows begin.
pub(super) fn key_of_user(name: &str) -> String {
    format!("{USER}{name}")
}

/// The key of the record of a user at rest.
pub(super) fn key_at_rest(name: &str) -> String {
    format!("{REST}{name}")
}

pub(super) fn delete_at_rest(name: &str) -> Act {
    Act::Write(Write::delete(key_at_rest(name)))
}

/// The user whose record at rest has this key.
pub(super) fn name_at_rest(key: &str) -> Option<&str> {
    key.strip_prefix(REST).filter(|name| !name.is_empty())
}

/// The user whose row has this key.
pub(super) fn user_of(key: &str) -> Option<&str> {
    key.strip_prefix(USER)?.split('/').next()
}

pub(super) fn put_account(name: &str, account: &Account) -> Act {
    put(format!("{USER}{name}"), account)
}

pub(super) fn delete_account(name: &str) -> Act {
    delete(format!("{USER}{name}"))
}

pub(super) fn put_arrival(name: &str, number: u64, arrival: &Arrival) -> Act {
    put(numbered(name, "arrival", number), arrival)
}

pub(super) fn delete_arrival(name: &str, number: u64) -> Act {
    delete(numbered(name, "arrival", number))
}

/// Of a message that has just come.
pub(super) fn new_arrival(name: &str, number: u64, arrival: &Arrival) -> Act {
    made(put_arrival(name, number, arrival))
}

/// Of a message that has just come.
pub(super) fn new_body(name: &str, number: u64, body: &Body) -> Act {
    made(put_body(name, number, body))
}

/// The key of the record that has a message's body.
pub(super) fn key_of_body(name: &str, number: u64, has_body: bool) -> String {
    numbered(name, if has_body { "arrival" } else { "body" }, number)
}

pub(super) fn put_body(name: &str, number: u64, body: &Body) -> Act {
    Act::Write(Write::put(numbered(name, "body", number), body.to_record()))
}

pub(super) fn delete_body(name: &str, number: u64) -> Act {
    delete(numbered(name, "body", number))
}

pub(super) fn put_invitation(name: &str, number: u64, invitation: &Invitation) -> Act {
    put(numbered(name, "invitation", number), invitation)
}

pub(super) fn delete_invitation(name: &str, number: u64) -> Act {
    delete(numbered(name, "invitation", number))
}

pub(super) fn key_of_notice(name: &str, number: u64) -> String {
    numbered(name, "notice", number)
}

pub(super) fn put_notice(name: &str, number: u64, notice: &Notice) -> Act {
    put(numbered(name, "notice", number), &notice.record())
}

pub(super) fn delete_notice(name: &str, number: u64) -> Act {
    delete(numbered(name, "notice", number))
}

pub(super) fn put_lists(name: &str, lists: &Lists) -> Act {
    put(format!("{USER}{name}/lists"), lists)
}

pub(super) fn delete_lists(name: &str) -> Act {
    delete(format!("{USER}{name}/lists"))
}

pub(super) fn put_presence(name: &str, told: &Told) -> Act {
    put(format!("{USER}{name}/presence"), told)
}

pub(super) fn delete_presence(name: &str) -> Act {
    delete(format!("{USER}{name}/presence"))
}

pub(super) fn put_profile(name: &str, profile: &UserProfile) -> Act {
    put(format!("{USER}{name}/profile"), &Kept(profile.clone()))
}

pub(super) fn delete_profile(name: &str) -> Act {
    delete(format!("{USER}{name}/profile"))
}

/// Keeps which lists are in use, or forgets it where it is as for everybody.
pub(super) fn put_access(name: &str, in_use: InUse) -> Act {
    if in_use == InUse::default() {
        return delete_access(name);
    }
    put(format!("{USER}{name}/access"), &in_use)
}

/// Keeps who is on a list, or forgets who is on none.
pub(super) fn put_listed(name: &str, key: &str, listed: &Listed) -> Act {
    if listed.is_over() {
        return delete_listed(name, key);
    }
    put(format!("{USER}{name}/access/{key}"), listed)
}

pub(super) fn delete_access(name: &str) -> Act {
    delete(format!("{USER}{name}/access"))
}

pub(super) fn delete_listed(name: &str, key: &str) -> Act {
    delete(format!("{USER}{name}/access/{key}"))
}

pub(super) fn put_relation(name: &str, other: &Address, relation: &Relation) -> Act {
    put(format!("{USER}{name}/relation/{other}"), relation)
}

pub(super) fn delete_relation(name: &str, other: &Address) -> Act {
    delete(format!("{USER}{name}/relation/{other}"))
}

pub(super) fn put_request(name: &str, token: Token, pending: &Pending) -> Act {
    put(numbered(name, "request", token.0), pending)
}

/// Of a request that is just made.
pub(super) fn new_request(name: &str, token: Token, pending: &Pending) -> Act {
    made(put_request(name, token, pending))
}

pub(super) fn delete_request(name: &str, token: Token) -> Act {
    delete(numbered(name, "request", token.0))
}

pub(super) fn put_sent(name: &str, number: u64, taken: &Taken) -> Act {
    put(numbered(name, "sent", number), taken)
}

pub(super) fn delete_sent(name: &str, number: u64) -> Act {
    delete(numbered(name, "sent", number))
}

/// Reads a user's account.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_account(record: &[u8]) -> Result<Account, String> {
    read("the account", record)
}

/// Reads the record of a user's notice.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_notice(user: &Address, record: &[u8]) -> Result<Notice, String> {
    let record = serde_json::from_slice::<Record>(record).map_err(|error| error.to_string())?;
    record.read(user)
}

/// The key of a user's row.
pub(super) struct Row<'a> {
    key: String,
    name: &'a str,
    /// What it is of; empty: the account.
    section: &'a str,
    /// Which one it is of these; empty where there is one.
    rest: &'a str,
}

impl<'a> Row<'a> {
    /// By what stands behind the user's name in the key.
    ///
    /// # Errors
    /// There is no such row.
    pub(super) fn of_user(name: &'a str, suffix: &'a str) -> Result<Self, String> {
        let key = format!("{USER}{name}{suffix}");
        let (section, rest) = match suffix.strip_prefix('/') {
            None => ("", suffix),
            Some(suffix) => suffix.split_once('/').unwrap_or((suffix, "")),
        };
        let is_one = section.is_empty() || ONE_OF_A_KIND.contains(&section);
        if section.is_empty() && !rest.is_empty() || rest.is_empty() && !is_one {
            return Err(unknown(&key));
        }
        Ok(Self {
            key,
            name,
            section,
            rest,
        })
    }

    /// Gives it back to its user.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take_back(
        &self,
        user: &mut User,
        core: &mut Core,
        value: &[u8],
    ) -> Result<(), String> {
        let Self {
            key,
            name,
            section,
            rest,
        } = self;
        let (name, rest) = (*name, *rest);
        let number = || rest.parse::<u64>().map_err(|_| unknown(key));
        match *section {
            "" => user.account = read(key, value)?,
            "arrival" => {
                let (number, arrival) = (number()?, read::<Arrival>(key, value)?);
                user.put_arrival(core, number, arrival);
            }
            "invitation" => {
                let (number, invitation) = (number()?, read::<Invitation>(key, value)?);
                Book::of(user, core).restore(number, invitation);
            }
            "notice" => {
                let notice = read_notice(&user.address(core), value);
                let (number, notice) = (number()?, notice.map_err(|why| format!("{key}: {why}"))?);
                core.timers
                    .insert((notice.until, Timer::Notice(name.to_owned(), number)));
                user.insert_notice(core, number, notice.notice(None));
            }
            // All arrivals of a user come before the bodies.
            "body" => {
                let number = number()?;
                if user.inbox.untold(number).is_none() {
                    // A client was to get it that went with the process.
                    core.act(delete_body(name, number));
                }
            }
            "lists" => user.lists = Some(Box::new(read(key, value)?)),
            "presence" => {
                let told = read::<Told>(key, value)?;
                core.told_bytes += told.bytes();
                user.told = (!told.is_empty()).then(|| Box::new(told));
            }
            "profile" => user.profile = Some(Box::new(read::<Kept>(key, value)?.0)),
            "access" if rest.is_empty() => user.access.set_in_use(read::<InUse>(key, value)?),
            "access" => user.access.put(read::<Listed>(key, value)?),
            "relation" => {
                let other = Address::new(rest);
                take_back_relation(user, core, other, read::<Relation>(key, value)?);
            }
            "request" => {
                let (token, pending) = (Token(number()?), read::<Pending>(key, value)?);
                user.expect(core, token, pending);
            }
            "sent" => user.sent.insert(number()?, read::<Taken>(key, value)?),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }
}

fn take_back_relation(user: &mut User, core: &mut Core, other: Address, relation: Relation) {
    let name = user.name.clone();
    let mut relation = relation.into_present();
    if std::mem::take(&mut relation.blocked) {
        let entry = Entry::User(other.clone());
        let known = user.access.get(&entry.key()).cloned();
        let mut listed = known.unwrap_or_else(|| Listed::new(entry));
        listed.put(List::Blocked, true);
        core.act(put_listed(&name, &listed.entry.key(), &listed));
        user.access.put(listed);
        if relation.is_empty() {
            core.act(delete_relation(&name, &other));
            return;
        }
        core.act(put_relation(&name, &other, &relation));
    }
    let retry = relation.subscription.as_ref().and_then(|s| s.retry);
    if let Some(at) = retry {
        core.timers
            .insert((at, Timer::Retry(name.clone(), other.clone())));
    }
    if let Some(until) = relation.watcher.as_ref().and_then(|w| w.until) {
        core.timers.insert(sweep(&name, until));
    }
    user.watchers += usize::from(relation.watcher.is_some());
    user.relations.insert(other, relation);
}

impl Home {
    /// Takes back one record.
    pub(super) fn take_back(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        if key.starts_with(group::PREFIX) || key.starts_with(group::AWAY) {
            // As with users: kept for when this is a home domain again.
            if !self.core.settings.users {
                return Ok(());
            }
            return self.groups.take_back(key, value);
        }
        if let Some(name) = name_at_rest(key) {
            if self.core.settings.users {
                return self.resting.take_back(name, value, &mut self.core);
            }
            return Ok(());
        }
        let rest = key.strip_prefix(USER).ok_or_else(|| unknown(key))?;
        let (name, suffix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if name.is_empty() {
            return Err(unknown(key));
        }
        // A node that was a home domain once keeps its users' records for when it is again.
        if !self.core.settings.users && name != ECHO {
            return Ok(());
        }
        let row = Row::of_user(name, suffix)?;
        if suffix.is_empty() {
            let mut user = User::new(name);
            row.take_back(&mut user, &mut self.core, value)?;
            if user.account.online {
                self.stale.push(name.to_owned());
            }
            self.users.insert(name.to_owned(), Box::new(user));
            return Ok(());
        }
        // Records of the echo user outlive its being switched off.
        match self.users.get_mut(name) {
            Some(user) => row.take_back(user, &mut self.core, value),
            None => Ok(()),
        }
    }
}

fn unknown(key: &str) -> String {
    format!("{key} is not a record of the home domain")
}

fn numbered(name: &str, section: &str, number: u64) -> String {
    format!("{USER}{name}/{section}/{number:020}")
}

fn put(key: String, value: &impl Serialize) -> Act {
    Act::Write(Write::put_json(key, value))
}

/// There is no record with its key.
fn made(act: Act) -> Act {
    match act {
        Act::Write(write) => Act::Write(write.as_new()),
        act => act,
    }
}

fn delete(key: String) -> Act {
    Act::Write(Write::delete(key))
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, String> {
    serde_json::from_slice(value).map_err(|error| format!("{key}: {error}"))
}
