//! Dialects: how one kind of peer differs from ours. Data, one TOML file each in
//! `mappings/dialects/`, so that an integrator can describe a peer without a
//! compiler.

use serde::Deserialize;

use super::service::ServiceSet;
use crate::ssp::envelope;
use crate::ssp::xml::Style;

/// Everything a peer of some kind needs or does differently. Absent keys mean
/// our own way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
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
    /// What such a peer offers, in names of the service tree: what is told of a peer
    /// that cannot be asked. Empty: not known.
    pub services: Vec<String>,
    /// Sessions end when they were idle for the time to live.
    pub sessions_expire: bool,
    /// Delivery reports and invitation responses must come in mode Response with
    /// the transaction id of the request they are about (quirk D-2).
    pub reports_as_response: bool,
    /// A lost session of the peer is repaired by a failing `LoginResponse`
    /// (deployed-server, section 4).
    pub reset_lost_session: bool,
    /// The hops of a transaction are written on it, so that loops are seen at once.
    pub via: bool,
    /// Client ids may stand in subscriptions and group primitives (quirk E-6).
    pub client_ids: bool,
    /// A message id still queued at the peer loses the second message (quirk
    /// 9.3.1): repeated ids are changed on the way.
    pub unique_message_ids: bool,
    /// A request that does not say who asks ends the peer's process: the requestor
    /// is filled in, or the request refused (deployed-server, section 8).
    pub requestor_required: bool,
    /// Messages that cannot be repaired are acknowledged and dropped, because a
    /// refusal only brings them back for a day.
    pub drop_unreadable: bool,
    /// Codes replaced in responses to the peer, e.g. 202 by 200.
    pub codes: std::collections::BTreeMap<String, u16>,
    /// Primitives the peer must never get; the requestor is answered 405.
    pub never_send: Vec<String>,
    /// Repairs tried on messages of this peer that are not well-formed.
    pub repairs: Vec<String>,
    /// The output style.
    pub emit: Emit,
}

/// How names are written; keys are our names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Emit {
    /// Elements written under another name.
    pub elements: std::collections::BTreeMap<String, String>,
    /// Attributes written under another name, keyed `Element@attribute` or `@attribute`.
    pub attributes: std::collections::BTreeMap<String, String>,
    /// Attributes written a second time under another name.
    pub twins: std::collections::BTreeMap<String, String>,
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
            services: Vec::new(),
            sessions_expire: true,
            reports_as_response: false,
            reset_lost_session: false,
            via: true,
            client_ids: true,
            unique_message_ids: false,
            requestor_required: false,
            drop_unreadable: false,
            codes: std::collections::BTreeMap::new(),
            never_send: Vec::new(),
            repairs: Vec::new(),
            emit: Emit::default(),
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
    #[error("{key}: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

const BUILT_IN: &[&str] = &[
    include_str!("../../mappings/dialects/wvgate.toml"),
    include_str!("../../mappings/dialects/oma-1.3.toml"),
    include_str!("../../mappings/dialects/baraza.toml"),
];

impl Dialect {
    /// Reads a dialect file.
    ///
    /// # Errors
    /// See [`DialectError`]; the message of a syntax error names line and key.
    pub fn from_toml(text: &str) -> Result<Self, DialectError> {
        let dialect: Self =
            toml_edit::de::from_str(text).map_err(|e| DialectError::Syntax(e.to_string()))?;
        if dialect.batch == 0 || dialect.posts == 0 {
            return Err(DialectError::Value {
                key: "batch, posts",
                why: "must be at least 1".to_owned(),
            });
        }
        for name in &dialect.never_send {
            if crate::ssp::primitive::facts(name).is_none() {
                return Err(DialectError::Value {
                    key: "never_send",
                    why: format!("no primitive is called {name}"),
                });
            }
        }
        if let Err(name) = ServiceSet::of_names(dialect.services.iter().map(String::as_str)) {
            return Err(DialectError::Value {
                key: "services",
                why: format!("the service tree has no {name}"),
            });
        }
        for code in dialect.codes.keys() {
            if code.parse::<u16>().is_err() {
                return Err(DialectError::Value {
                    key: "codes",
                    why: format!("{code} is not a status code"),
                });
            }
        }
        Ok(dialect)
    }

    /// The dialects that come with the program.
    ///
    /// # Errors
    /// Never in a released program; a test reads them all.
    pub fn built_in() -> Result<Vec<Self>, DialectError> {
        BUILT_IN.iter().map(|text| Self::from_toml(text)).collect()
    }

    /// The writer's part.
    pub fn style(&self) -> Style {
        Style {
            elements: self.emit.elements.clone(),
            attributes: self.emit.attributes.clone(),
            twins: self.emit.twins.clone(),
        }
    }

    /// Whether a primitive received elsewhere may be sent as the bytes it came in.
    pub fn passes_raw(&self) -> bool {
        self.emit == Emit::default()
            && self.client_ids
            && !self.unique_message_ids
            && !self.requestor_required
            && self.codes.is_empty()
    }

    /// What such a peer offers; `None` if that is not known.
    pub fn service_set(&self) -> Option<ServiceSet> {
        let names = self.services.iter().map(String::as_str);
        ServiceSet::of_names(names)
            .ok()
            .filter(|set| !set.is_empty())
    }

    /// Whether the peer must not get this primitive.
    pub fn forbids(&self, primitive: &str) -> bool {
        self.never_send
            .iter()
            .any(|name| name.eq_ignore_ascii_case(primitive))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
