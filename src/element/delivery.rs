//! How a client gets messages (WVFF, 6.1): pushed to it, or told of, to be fetched.

use serde::{Deserialize, Serialize};

use crate::text::media;

/// Content types that a client may name.
const MAX_TYPES: usize = 32;
/// The longest media type that a client may name, in bytes.
const MAX_TYPE: usize = 128;

/// What comes first of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The message itself comes.
    #[default]
    Push,
    /// A notification: the message waits until it is fetched.
    Notify,
}

impl Method {
    /// As `SetDeliveryMethodRequest` has it.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "P" | "p" => Some(Self::Push),
            "N" | "n" => Some(Self::Notify),
            _ => None,
        }
    }
}

/// What a client is pushed, as it says when it comes; it may change that later by
/// `SetDeliveryMethodRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delivery {
    /// How messages come that it could take.
    pub method: Method,
    /// Bytes of a content that is pushed; of larger ones it is notified. Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Content types that are pushed, as `text/plain` or `image/*`; of others it is notified.
    /// Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Whether a content of another type could not be shown even if it were fetched.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_other_types: bool,
    /// Bytes of a content that could be fetched. Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fetched: Option<u64>,
}

impl Delivery {
    /// Whether a content is pushed.
    pub fn pushes(&self, content_type: &str, bytes: usize) -> bool {
        self.method == Method::Push && fits(bytes, self.max_bytes) && self.names(content_type)
    }

    /// Whether a content is pushed or could be fetched.
    pub fn shows(&self, content_type: &str, bytes: usize) -> bool {
        let could_be_fetched =
            (self.names(content_type) || !self.no_other_types) && fits(bytes, self.max_fetched);
        could_be_fetched || self.pushes(content_type, bytes)
    }

    /// Whether it is of a type that is pushed.
    fn names(&self, content_type: &str) -> bool {
        let is_taken = |types: &Vec<String>| types.iter().any(|one| is_of(content_type, one));
        self.types.as_ref().is_none_or(is_taken)
    }

    /// Whether a client may say so much.
    pub fn is_possible(&self) -> bool {
        self.types.as_ref().is_none_or(|types| {
            types.len() <= MAX_TYPES && types.iter().all(|one| one.len() <= MAX_TYPE)
        })
    }
}

fn fits(bytes: usize, most: Option<u64>) -> bool {
    most.is_none_or(|most| u64::try_from(bytes).is_ok_and(|bytes| bytes <= most))
}

fn is_of(content_type: &str, one: &str) -> bool {
    let (content_type, one) = (media::essence(content_type), one.trim());
    match one.strip_suffix("/*") {
        Some("*") => true,
        Some(family) => {
            let of = content_type.split_once('/');
            of.is_some_and(|(of, _)| of.eq_ignore_ascii_case(family))
        }
        None => content_type.eq_ignore_ascii_case(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_size_and_type_decide_what_is_pushed() {
        let read = |text: &str| serde_json::from_str::<Delivery>(text).unwrap();
        for (text, content_type, bytes, expected) in [
            ("{}", "image/png", 1 << 30, true),
            (r#"{"method":"notify"}"#, "text/plain", 0, false),
            (r#"{"max_bytes":5}"#, "text/plain", 5, true),
            (r#"{"max_bytes":5}"#, "text/plain", 6, false),
            (
                r#"{"types":["text/plain"]}"#,
                "Text/Plain; charset=utf-8",
                1,
                true,
            ),
            (r#"{"types":["text/plain"]}"#, "text/html", 1, false),
            (r#"{"types":["x/y","IMAGE/*"]}"#, "image/png", 1, true),
            (r#"{"types":["image/*"]}"#, "images/png", 1, false),
            (r#"{"types":["*/*"]}"#, "image/png", 1, true),
            (r#"{"types":[]}"#, "text/plain", 1, false),
            (
                r#"{"max_bytes":5,"types":["text/plain"]}"#,
                "text/plain",
                6,
                false,
            ),
        ] {
            assert_eq!(
                read(text).pushes(content_type, bytes),
                expected,
                "{text} {content_type}"
            );
        }
        assert!(serde_json::from_str::<Delivery>(r#"{"size":5}"#).is_err());
    }

    #[test]
    fn what_can_be_shown_is_what_is_pushed_or_can_be_fetched() {
        let read = |text: &str| serde_json::from_str::<Delivery>(text).unwrap();
        for (text, content_type, bytes, expected) in [
            ("{}", "image/png", 1 << 30, true),
            (r#"{"types":["text/plain"]}"#, "image/png", 1, true),
            (
                r#"{"types":["text/plain"],"no_other_types":true}"#,
                "image/png",
                1,
                false,
            ),
            (
                r#"{"method":"notify","types":["text/plain"],"no_other_types":true}"#,
                "text/plain",
                1,
                true,
            ),
            (r#"{"max_bytes":5}"#, "text/plain", 6, true),
            (r#"{"max_bytes":5,"max_fetched":8}"#, "text/plain", 8, true),
            (r#"{"max_bytes":5,"max_fetched":8}"#, "text/plain", 9, false),
            (r#"{"max_bytes":8,"max_fetched":5}"#, "text/plain", 8, true),
            (r#"{"max_bytes":8,"max_fetched":5}"#, "text/plain", 9, false),
            // Neither pushed, for its type or the method, nor fetched, for its size.
            (
                r#"{"types":["text/plain"],"max_bytes":8,"max_fetched":5}"#,
                "image/png",
                8,
                false,
            ),
            (
                r#"{"method":"notify","max_bytes":8,"max_fetched":5}"#,
                "text/plain",
                8,
                false,
            ),
            (
                r#"{"method":"notify","max_bytes":8,"max_fetched":5}"#,
                "text/plain",
                5,
                true,
            ),
        ] {
            let shows = read(text).shows(content_type, bytes);
            assert_eq!(shows, expected, "{text} {content_type} {bytes}");
        }
    }

    #[test]
    fn what_a_client_names_is_bounded() {
        let of = |count: usize, bytes: usize| Delivery {
            types: Some(vec!["x".repeat(bytes); count]),
            ..Delivery::default()
        };
        assert!(Delivery::default().is_possible());
        assert!(of(MAX_TYPES, MAX_TYPE).is_possible());
        assert!(!of(MAX_TYPES + 1, 1).is_possible());
        assert!(!of(1, MAX_TYPE + 1).is_possible());
    }
}
