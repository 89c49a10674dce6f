//! What is heard, as a person reads it. What comes from others may not move the cursor.

mod access;
mod contact;
mod directory;
mod group;
mod invitation;
mod list;
mod message;
mod presence;

use crate::imps::{Address, Code, Status};
use crate::node::history;

pub(super) use access::{access, listed};
pub(super) use contact::{Contact, contacts};
pub(super) use directory::{found, profile};
pub(super) use group::{
    changed, created, groups, has_left, joined, no_history, people, properties,
};
pub(super) use invitation::{invitation_answered, invited, withdrawn};
pub(super) use list::{attribute_lists, lists, members, no_attribute};
pub(crate) use message::{UNKNOWN, is_unknown, no_answer, report, sent};
pub(super) use message::{announced, message, sender};
pub(super) use presence::{Sees, more, presence, question, watchers};

/// A session was opened.
pub(super) fn opened(user: &Address, waiting: usize) -> String {
    let waiting = match waiting {
        0 => String::new(),
        1 => "; one message has waited".to_owned(),
        many => format!("; {many} messages have waited"),
    };
    format!(
        "* you are {}{waiting} (/help lists the commands)",
        who(user)
    )
}

/// Whether somebody exists.
pub(super) fn exists(user: &Address, status: &Status) -> String {
    match status.effective() {
        Code::OK => format!("* {} exists", who(user)),
        code => format!("* {}: {}", who(user), reason(code.0, None)),
    }
}

/// Something was done, or was not.
pub(super) fn done(what: &str, user: Option<&Address>, status: &Status) -> String {
    if status.effective().is_success() {
        format!("* done: {what}{}{}", about(user), said(status))
    } else {
        failed(what, user, status)
    }
}

/// Something was not done.
pub(crate) fn failed(what: &str, user: Option<&Address>, status: &Status) -> String {
    format!("* {what}{} failed: {}", about(user), why(status))
}

/// A status code and what was said with it, else what it means.
pub(crate) fn reason(status: u16, description: Option<&str>) -> String {
    match description {
        Some(text) => format!("{status} {}", clean(text)),
        None => format!("{status} {}", history::means(status)),
    }
}

/// What was said with a status on a single target.
pub(crate) fn words(status: &Status) -> Option<&str> {
    let detail = status.details.first().and_then(|detail| detail.words());
    detail.or_else(|| status.words())
}

fn why(status: &Status) -> String {
    reason(status.effective().0, words(status))
}

/// `". The user is away."`, or nothing.
fn said(status: &Status) -> String {
    let words = status.words();
    words.map_or_else(String::new, |words| format!(". {}", clean(words)))
}

fn who(address: &Address) -> String {
    clean(address.bare())
}

/// `" carol@village.test"`, or nothing.
fn about(user: Option<&Address>) -> String {
    user.map_or_else(String::new, |user| format!(" {}", who(user)))
}

/// Lines after the first are indented, other control characters shown as blanks.
fn clean(text: &str) -> String {
    let blank = |c: char| c.is_control() && c != '\n';
    text.replace("\r\n", "\n")
        .replace(blank, " ")
        .replace('\n', "\n    ")
}
