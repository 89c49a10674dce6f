//! What an XMPP server lets a component do for its users (XEP-0356), in both versions of the
//! namespace.
//!
//! | version | rosters | questions in the name of a user |
//! |---|---|---|
//! | `urn:xmpp:privilege:1` | read, written, or both | none |
//! | `urn:xmpp:privilege:2` | the same | by namespace, read, written, or both |

use std::collections::BTreeMap;

use minidom::Element;
use xmpp_parsers::jid::BareJid;
use xmpp_parsers::message::Message;

use super::Context;
use super::stanza::{attribute, element, ns};
use super::tables::StatusTable;
use crate::imps::Code;

/// The older version.
const FIRST: &str = "urn:xmpp:privilege:1";
/// The newer version.
const SECOND: &str = "urn:xmpp:privilege:2";
/// Namespaces that are remembered of one server; our choice.
const MAX_NAMESPACES: usize = 64;

/// What may be done with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access {
    /// It may be read.
    pub get: bool,
    /// It may be changed.
    pub set: bool,
}

/// What a server has granted to one component.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Privileges {
    /// Of the rosters of all users.
    pub roster: Access,
    /// Of what users may ask their server, by namespace.
    questions: BTreeMap<String, Access>,
}

impl Access {
    fn named(text: Option<&str>) -> Self {
        Self {
            get: matches!(text, Some("get" | "both")),
            set: matches!(text, Some("set" | "both")),
        }
    }
}

impl Privileges {
    /// What a message of a server grants; `None` if it is about something else.
    pub fn read(message: &Message) -> Option<Self> {
        let mut payloads = message.payloads.iter();
        let granted = payloads.find(|payload| {
            payload.name() == "privilege" && [FIRST, SECOND].contains(&payload.ns().as_str())
        })?;
        let mut privileges = Self::default();
        for perm in granted.children().filter(|child| child.name() == "perm") {
            match perm.attr("access") {
                Some("roster") => privileges.roster = Access::named(perm.attr("type")),
                Some("iq") => privileges.take_namespaces(perm),
                _ => {}
            }
        }
        // One server writes them beside what they are of.
        privileges.take_namespaces(granted);
        Some(privileges)
    }

    fn take_namespaces(&mut self, parent: &Element) {
        let namespaces = parent
            .children()
            .filter(|child| child.name() == "namespace");
        for namespace in namespaces.take(MAX_NAMESPACES) {
            if let Some(name) = namespace.attr("ns") {
                let access = Access::named(namespace.attr("type"));
                self.questions.insert(name.to_owned(), access);
            }
        }
    }

    /// Nothing may be asked in the name of a user any more.
    pub fn forget_questions(&mut self, namespace: &str) {
        self.questions.remove(namespace);
    }

    /// What may be asked in the name of a user.
    pub fn questions(&self, namespace: &str) -> Access {
        self.questions.get(namespace).copied().unwrap_or_default()
    }
}

/// A question of `user` to their own server, as a component brings it.
pub fn in_the_name_of(user: &BareJid, kind: &str, id: &str, payload: Element) -> Element {
    let iq = element("iq", ns::JABBER_CLIENT);
    let iq = attribute(iq, "type", kind);
    let iq = attribute(iq, "from", &user.to_string());
    let iq = attribute(attribute(iq, "to", &user.to_string()), "id", id);
    let iq = iq.append(payload).build();
    element("privileged_iq", SECOND).append(iq).build()
}

/// The answer of the server that is wrapped in one to a component.
///
/// # Errors
/// The server has refused it.
pub fn answer_within(
    payload: Option<&Element>,
    table: &StatusTable,
    context: Context,
) -> Result<Option<Element>, Code> {
    let forwarded = payload.and_then(|payload| {
        let mut children = payload.children();
        children.find(|child| child.is("forwarded", ns::FORWARD))
    });
    let iq = forwarded.and_then(|forwarded| forwarded.children().find(|c| c.name() == "iq"));
    let iq = iq.ok_or(Code::INTERNAL)?;
    match iq.attr("type") {
        Some("result") => Ok(iq.children().next().cloned()),
        Some("error") => {
            let error = iq.children().find(|child| child.name() == "error");
            Err(error.map_or(Code::INTERNAL, |error| table.code(error, context)))
        }
        _ => Err(Code::INTERNAL),
    }
}
