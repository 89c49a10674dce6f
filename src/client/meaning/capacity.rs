//! What a client can take.

use serde::{Deserialize, Serialize};

use crate::csp::primitive::capability::Capabilities;
use crate::element::{Delivery, Method};
use crate::text::media;

/// Content types that are kept of what a client says: one fewer than [`Delivery`] takes.
const MAX_TYPES: usize = 31;
/// The longest content type that is kept, in bytes.
const MAX_TYPE: usize = 128;
/// The longest `ClientType` that is kept, in bytes.
const MAX_NAME: usize = 64;

/// What a client can take of messages, as it has said by its capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capacity {
    /// `ClientType`: `MOBILE_PHONE`, `PDA`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_type: Option<String>,
    /// How messages come to it at first.
    pub method: Method,
    /// Media types without parameters; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Bytes of a content that is pushed; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_bytes: Option<u64>,
    /// Bytes of a content that the client fetches; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_bytes: Option<u64>,
    /// Whether it reads base64. One that says nothing of encodings does.
    pub base64: bool,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            client_type: None,
            method: Method::Push,
            types: None,
            push_bytes: None,
            pull_bytes: None,
            base64: true,
        }
    }
}

impl Capacity {
    /// As a client says it. 1.1 and 1.2 have one length for both ways.
    pub fn of(list: &Capabilities) -> Self {
        let named = list.content_types.iter().map(|one| one.content_type.trim());
        let named = named.filter(|one| !one.is_empty() && one.len() <= MAX_TYPE);
        let mut types: Vec<String> = named.map(media::essence).collect();
        types.sort();
        types.dedup();
        types.truncate(MAX_TYPES);
        let any = list.any_content == Some(true) || types.is_empty();
        let bytes = |most: Option<u32>| most.or(list.content_length).map(u64::from);
        let is_base64 = |name: &String| name.trim().eq_ignore_ascii_case("base64");
        let client_type = list.client_type.as_deref().map(str::trim);
        Self {
            client_type: client_type
                .filter(|name| !name.is_empty() && name.len() <= MAX_NAME)
                .map(str::to_owned),
            method: list
                .delivery
                .as_deref()
                .and_then(Method::parse)
                .unwrap_or_default(),
            types: (!any).then_some(types),
            push_bytes: bytes(list.push_length),
            pull_bytes: bytes(list.pull_length),
            base64: list.encodings.is_empty() || list.encodings.iter().any(is_base64),
        }
    }

    /// Whether it takes a content of this type, whatever the size.
    pub fn takes(&self, content_type: &str) -> bool {
        let delivery = Delivery {
            types: self.types.clone(),
            ..Delivery::default()
        };
        delivery.pushes(content_type, 0)
    }

    /// Content types that are pushed. HTML is shown as text to who takes no other; in XML, who
    /// reads no base64 gets no content but text.
    pub(super) fn types_for(&self, wbxml: bool) -> Option<Vec<String>> {
        let mut types = match &self.types {
            Some(types) => types.clone(),
            None if wbxml || self.base64 => return None,
            None => vec![TEXT.to_owned()],
        };
        if !wbxml && !self.base64 {
            types.retain(|one| one.starts_with("text/"));
        }
        let is_there = |name: &str| types.iter().any(|one| one == name || one == TEXT);
        if is_there(PLAIN) && !is_there(HTML) {
            types.push(HTML.to_owned());
        }
        Some(types)
    }
}

const TEXT: &str = "text/*";
const PLAIN: &str = "text/plain";
const HTML: &str = "text/html";
