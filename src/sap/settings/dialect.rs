//! Dialects: how one kind of peer differs from ours. Data, one TOML file each in
//! `mappings/dialects/`, so that an integrator can describe a peer without a
//! compiler.

use serde::{Deserialize, Serialize};

use super::service_set::ServiceSet;
use crate::imps::Primitive;
use crate::imps::xml::forms::is_name;
use crate::imps::xml::{Forms, Malformed, Names, Repair, Style};
use crate::ssp::envelope::{self, Transaction};

/// Everything a peer of some kind needs or does differently. Absent keys mean
/// our own way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "snake_case")]
pub struct Dialect {
    /// Name, as a peer's configuration refers to it.
    pub name: String,
    /// Namespace written on `WV-SSP-Message`.
    pub namespace: String,
    /// Version announced in the handshake.
    pub version: String,
    /// Transactions in one POST, at most.
    pub batch: usize,
    /// POSTs under way to the peer at once, at most. Conversations stay in order.
    pub posts: usize,
    /// Milliseconds to wait before handshake steps 2 and 3 (wire profile, 6.7).
    pub handshake_pause: u64,
    /// Milliseconds before each repetition of a handshake step that was not
    /// acknowledged.
    pub handshake_retries: Vec<u64>,
    /// Milliseconds added to the delay of each further try of a POST.
    pub retry_step: u64,
    /// So many connections closed without an answer in a row mean that the peer
    /// has lost our session; 0: never.
    pub closed_means_lost: u32,
    /// Keep-alive requests are understood.
    pub keep_alive: bool,
    /// Logout requests are understood.
    pub logout: bool,
    /// Service discovery and negotiation are understood.
    pub discovery: bool,
    /// There is a user `echo`, by whom an operator can try the way there and back.
    pub echo: bool,
    /// What such a peer offers, in names of the service tree: what is told of a peer
    /// that cannot be asked. Empty: not known.
    pub services: Vec<String>,
    /// Sessions end when they were idle for the time to live.
    pub sessions_expire: bool,
    /// Delivery reports and invitation responses must come in mode Response with
    /// the transaction id of the request they are about (quirk D-2).
    pub reports_as_response: bool,
    /// A lost session of the peer is repaired by a failing `LoginResponse`
    /// (deployed-server, 4).
    pub reset_lost_session: bool,
    /// The hops of a transaction are written on it, so that loops are seen at once.
    pub via: bool,
    /// Client ids may stand in subscriptions and group primitives (quirk E-6).
    pub client_ids: bool,
    /// A message id still queued at the peer loses the second message (quirk
    /// 9.3.1): repeated ids are changed on the way.
    pub unique_message_ids: bool,
    /// A request that does not say who asks ends the peer's process: the requestor
    /// is filled in, or the request refused (deployed-server, 8).
    pub requestor_required: bool,
    /// Whether a group's participant may write, or invite, under a screen name to
    /// the peer that holds the group; else as the user behind it (quirk E-7).
    pub screen_name_senders: bool,
    /// Who hands a group's messages to the members of other domains.
    pub group_distribution: GroupDistribution,
    /// The details of a failure say whom they are about in their text only: read
    /// there, and screen names written there (quirks B-7 and D-12).
    pub details_in_words: bool,
    /// Times of the peer are wrong: the time of receipt is taken (quirk A-9).
    pub wrong_times: bool,
    /// Notices come without saying for whom: who of our side has joined its groups
    /// and watches its users is remembered (quirks B-5 and B-6).
    pub unaddressed_notices: bool,
    /// What the peer writes for a name that it does not have, in a list of who is
    /// joined: dropped (quirk A-12).
    pub missing_names: Vec<String>,
    /// Messages that cannot be repaired are acknowledged and dropped, because a
    /// refusal only brings them back for a day.
    pub drop_unreadable: bool,
    /// Codes replaced in responses to the peer, e.g. 202 by 200.
    pub codes: std::collections::BTreeMap<String, u16>,
    /// Primitives the peer must never get; the requestor is answered 405.
    pub never_send: Vec<String>,
    /// Repairs tried on messages of this peer that are not well-formed.
    pub repairs: Vec<String>,
    /// How names are written; keys are our names.
    pub emit: Style,
    /// How names are read; keys are the peer's names.
    pub accept: Names,
    /// How parts of primitives are built, in both directions.
    pub forms: Forms,
}

/// Who hands a group's messages to members of domains other than the group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupDistribution {
    /// The group's server, to every member wherever they are.
    #[default]
    Provider,
    /// Each domain to its own members: the group's server reports 516 for every
    /// member of another domain, which is no failure (quirk E-3).
    Members,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            name: "wvgate".to_owned(),
            namespace: envelope::NAMESPACE.to_owned(),
            version: "1.3".to_owned(),
            batch: 64,
            posts: 1,
            handshake_pause: 0,
            handshake_retries: vec![500, 1000, 2000],
            retry_step: 1000,
            closed_means_lost: 0,
            keep_alive: true,
            logout: true,
            discovery: true,
            echo: true,
            services: Vec::new(),
            sessions_expire: true,
            reports_as_response: false,
            reset_lost_session: false,
            via: true,
            client_ids: true,
            unique_message_ids: false,
            requestor_required: false,
            screen_name_senders: true,
            group_distribution: GroupDistribution::Provider,
            details_in_words: false,
            wrong_times: false,
            unaddressed_notices: false,
            missing_names: Vec::new(),
            drop_unreadable: false,
            codes: std::collections::BTreeMap::new(),
            never_send: Vec::new(),
            repairs: Vec::new(),
            emit: Style::default(),
            accept: Names::default(),
            forms: Forms::default(),
        }
    }
}

/// Why a dialect file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// Not TOML, an unknown key, or a wrong type.
    #[error("{0}")]
    Syntax(String),
    /// A value without meaning.
    #[error(transparent)]
    Value(#[from] Fault),
}

/// A value that has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct Fault {
    /// The key, dotted, with the index of a list's element: `repairs.0`.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What stands there.
    pub word: String,
    /// What may stand there, if that can be listed ...
    pub known: Vec<&'static str>,
    /// ... or what to write.
    pub remedy: &'static str,
}

const BUILT_IN: &[&str] = &[
    include_str!("../../../mappings/dialects/wvgate.toml"),
    include_str!("../../../mappings/dialects/oma-1.3.toml"),
    include_str!("../../../mappings/dialects/baraza.toml"),
];

impl Dialect {
    /// Reads a dialect file.
    ///
    /// # Errors
    /// See [`DialectError`]; the message of a syntax error names line and key.
    pub fn from_toml(text: &str) -> Result<Self, DialectError> {
        let dialect: Self =
            toml_edit::de::from_str(text).map_err(|e| DialectError::Syntax(e.to_string()))?;
        if let Some(fault) = dialect.faults().into_iter().next() {
            return Err(fault.into());
        }
        Ok(dialect)
    }

    /// Values that have no meaning, in the order of the keys.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut add = |key: String,
                       what: String,
                       word: &str,
                       known: &[&'static str],
                       remedy: &'static str| {
            faults.push(Fault {
                key,
                what,
                word: word.to_owned(),
                known: known.to_vec(),
                remedy,
            });
        };
        for (key, value) in [("batch", self.batch), ("posts", self.posts)] {
            if value == 0 {
                let what = "0 is too small".to_owned();
                add(key.to_owned(), what, "0", &[], "write 1 or more");
            }
        }
        let services = ServiceSet::known_names();
        let repairs: Vec<&str> = Repair::ALL.iter().map(|repair| repair.name()).collect();
        for (n, name) in self.services.iter().enumerate() {
            if ServiceSet::named(name).is_none() {
                let what = format!("the service tree has no \"{name}\"");
                add(format!("services.{n}"), what, name, &services, "");
            }
        }
        for code in self.codes.keys() {
            if code.parse::<u16>().is_err() {
                let what = format!("\"{code}\" is not a status code");
                add(
                    format!("codes.{code}"),
                    what,
                    code,
                    &[],
                    "write it like 202 = 200",
                );
            }
        }
        for (n, name) in self.never_send.iter().enumerate() {
            if crate::imps::primitive::facts(name).is_none() {
                let what = format!("no primitive is called \"{name}\"");
                add(format!("never_send.{n}"), what, name, Primitive::NAMES, "");
            }
        }
        for (n, name) in self.missing_names.iter().enumerate() {
            if name.trim().is_empty() {
                let what = "this is no text".to_owned();
                add(
                    format!("missing_names.{n}"),
                    what,
                    name,
                    &[],
                    "write it like \"N/A\"",
                );
            }
        }
        for (n, name) in self.repairs.iter().enumerate() {
            if !repairs.contains(&name.as_str()) {
                let what = format!("no repair is called \"{name}\"");
                add(format!("repairs.{n}"), what, name, &repairs, "");
            }
        }
        let attributes = [
            ("emit.attributes", &self.emit.attributes),
            ("emit.twins", &self.emit.twins),
            ("accept.attributes", &self.accept.attributes),
        ];
        for (table, names) in attributes {
            for (key, value) in names {
                let at = key.split_once('@');
                let element_is_name = at.is_some_and(|(e, _)| e.is_empty() || is_name(e));
                if !element_is_name || !at.is_some_and(|(_, a)| is_name(a)) {
                    let what = format!("\"{key}\" names no attribute");
                    add(format!("{table}.{key}"), what, key, &[], ATTRIBUTE);
                } else if !is_name(value) {
                    let what = format!("\"{value}\" is no name of an attribute");
                    add(format!("{table}.{key}"), what, value, &[], NAME);
                }
            }
        }
        let elements = [
            ("emit.elements", &self.emit.elements),
            ("accept.elements", &self.accept.elements),
        ];
        for (table, names) in elements {
            for (key, value) in names {
                if let Some(word) = [key, value].into_iter().find(|word| !is_name(word)) {
                    let what = format!("\"{word}\" is no name of an element");
                    add(format!("{table}.{key}"), what, word, &[], NAME);
                }
            }
        }
        for (key, word) in self.forms.faults() {
            let what = format!("\"{word}\" names no place");
            add(format!("forms.{key}"), what, &word, &[], PLACE);
        }
        faults
    }

    /// The dialects that come with the program.
    ///
    /// # Errors
    /// Never in a released program; a test reads them all.
    pub fn built_in() -> Result<Vec<Self>, DialectError> {
        BUILT_IN.iter().map(|text| Self::from_toml(text)).collect()
    }

    /// The writer's part.
    pub fn style(&self) -> &Style {
        &self.emit
    }

    /// Whether the peer's messages may have other names or forms than the profile's.
    pub fn has_own_names(&self) -> bool {
        !(self.accept.is_empty() && self.forms.is_empty())
    }

    /// A transaction of the peer in the profile's names and forms; `None` if it is so already.
    ///
    /// # Errors
    /// Something then stands twice that may stand once.
    pub fn in_our_names(
        &self,
        transaction: &Transaction,
    ) -> Result<Option<Transaction>, Malformed> {
        transaction.renamed(&self.accept, &self.forms)
    }

    /// A primitive as it is written to the peer.
    pub fn print(&self, primitive: &Primitive) -> String {
        envelope::print_primitive(primitive, &self.emit, &self.forms)
    }

    /// Whether a primitive received elsewhere may be sent as the bytes it came in, which are
    /// asked for where that depends on them.
    pub fn passes_raw<'x>(&self, xml: impl FnOnce() -> &'x [u8]) -> bool {
        let looks_alike = || {
            (self.emit.is_plain() && self.forms.is_empty()) || {
                let xml = xml();
                !self.emit.concerns(xml) && !self.forms.may_occur(xml)
            }
        };
        self.client_ids
            && self.screen_name_senders
            && !self.details_in_words
            && !self.unique_message_ids
            && !self.requestor_required
            && self.codes.is_empty()
            && looks_alike()
    }

    /// What such a peer offers; `None` if that is not known.
    pub fn service_set(&self) -> Option<ServiceSet> {
        let names = self.services.iter().map(String::as_str);
        ServiceSet::of_names(names)
            .ok()
            .filter(|set| !set.is_empty())
    }

    /// Whether it must be known who of our side stands at such a peer.
    pub fn wants_memberships(&self) -> bool {
        self.unaddressed_notices || self.group_distribution == GroupDistribution::Members
    }

    /// Whether the peer must not get this primitive.
    pub fn forbids(&self, primitive: &str) -> bool {
        self.never_send
            .iter()
            .any(|name| name.eq_ignore_ascii_case(primitive))
    }
}

const ATTRIBUTE: &str = "write \"Element@attribute\", or \"@attribute\" for every element";
const PLACE: &str =
    "write places as in the template: Element@attribute, Element/Child, Element/List/Item";
const NAME: &str = "write letters, digits, - . and _ only, a letter first";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_that_comes_along_is_read() {
        let names: Vec<_> = Dialect::built_in()
            .unwrap()
            .into_iter()
            .map(|d| d.name)
            .collect();
        assert_eq!(names, ["wvgate", "oma-1.3", "baraza"]);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let error = Dialect::from_toml("name = \"x\"\nbach = 3\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 2") && error.contains("bach"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_primitive_is_refused() {
        assert!(Dialect::from_toml("never_send = [\"GetPresence\"]").is_err());
    }
}
