//! An answer on its way through the SAP: as it came, or as a value.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::imps::xml::DecodeError;
use crate::imps::{Code, Primitive, Status};
use crate::ssp::envelope::decode_fragment;

/// An answer as it came, or as a value. What stays in this node stays a value; what a peer has
/// sent stays text. It is kept as text. Copies share it.
#[derive(Debug, Clone)]
pub enum Body {
    /// XML that stands on its own: from a peer, or kept before a restart.
    Raw(Arc<str>),
    /// Made or read by this node: printed only where it leaves the node.
    Typed(Arc<Typed>),
}

/// A value, and what is printed of it when that is first needed.
#[derive(Debug)]
pub struct Typed {
    primitive: Primitive,
    xml: OnceLock<String>,
}

impl Body {
    /// A primitive of this node.
    pub fn typed(primitive: Primitive) -> Self {
        let xml = OnceLock::new();
        Self::Typed(Arc::new(Typed { primitive, xml }))
    }

    /// XML that stands on its own.
    pub fn raw(xml: &str) -> Self {
        Self::Raw(xml.into())
    }

    /// The XML, in our own style. A value is printed once.
    pub fn xml(&self) -> &str {
        match self {
            Self::Raw(xml) => xml,
            Self::Typed(typed) => typed.xml.get_or_init(|| typed.primitive.to_xml(None)),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// The XML does not hold what the primitive requires.
    pub fn primitive(&self) -> Result<Cow<'_, Primitive>, DecodeError> {
        match self {
            Self::Raw(xml) => decode_fragment(xml.as_bytes()).map(Cow::Owned),
            Self::Typed(typed) => Ok(Cow::Borrowed(&typed.primitive)),
        }
    }

    /// The status inside an answer; `None` if it has none, or cannot be read.
    pub fn status(&self) -> Option<Status> {
        self.primitive().ok()?.verdict().cloned()
    }

    /// Whether this node made the answer itself, and it says nothing bad.
    pub fn went_well_here(&self) -> bool {
        match self {
            Self::Raw(_) => false,
            Self::Typed(typed) => {
                let status = typed.primitive.verdict();
                status.is_none_or(|status| status.code.is_success())
            }
        }
    }

    /// Whether an answer says that all who were asked have done it, or will.
    pub fn went_well(&self) -> bool {
        let status = self.status();
        status.is_some_and(|status| status.code.is_success() && status.code != Code::PARTIAL)
    }

    /// Whether an answer says that a message is not there. Who has no answer does not know.
    pub fn has_failed(&self) -> bool {
        let status = self.status();
        status.is_some_and(|status| !status.code.is_success() && status.code != Code::TIMEOUT)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.xml() == other.xml()
    }
}

impl Eq for Body {}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.xml())
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::Raw(String::deserialize(deserializer)?.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_as_its_text_and_read_back() {
        let body = Body::typed(Primitive::status(Code::UNKNOWN_USER));
        let kept = serde_json::to_string(&body).unwrap_or_default();
        let back: Option<Body> = serde_json::from_str(&kept).ok();
        assert_eq!(back.as_ref(), Some(&body));
        assert!(body.has_failed() && back.is_some_and(|back| back.has_failed()));
    }

    #[test]
    fn what_went_well_here_was_said_here() {
        let of = |code| Body::typed(Primitive::status(code));
        assert!(of(Code::OK).went_well_here() && of(Code::PARTIAL).went_well_here());
        assert!(!of(Code::TIMEOUT).went_well_here() && !of(Code::UNKNOWN_USER).went_well_here());
        assert!(!Body::raw(of(Code::OK).xml()).went_well_here());
    }

    #[test]
    fn who_has_no_answer_does_not_know() {
        assert!(!Body::typed(Primitive::status(Code::TIMEOUT)).has_failed());
        assert!(!Body::raw("<Status>").has_failed());
    }
}
