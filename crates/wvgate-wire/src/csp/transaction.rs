//! One transaction of a message.

use super::element::Element;
use super::primitive::Primitive;
use super::primitive::session::SegmentInfo;
use super::typed::Content;
use super::version::{Scope, Version};
use crate::imps::xml::DecodeError;

/// Which way a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It asks, or tells something new.
    Request,
    /// Answers the request with the same transaction id.
    Response,
}

/// A primitive and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Whether it asks or answers. Absent or unknown counts as a request.
    pub mode: Mode,
    /// Chosen by who asks, and repeated in the answer. `None`: a client that polls has none.
    pub id: Option<String>,
    /// Which part of a large message this is (1.3).
    pub segment: Option<SegmentInfo>,
    /// What is asked or answered.
    pub primitive: Primitive,
}

impl Mode {
    /// Compared without regard to case; anything but "Response" is a request.
    pub fn read(text: &str) -> Self {
        if text.trim().eq_ignore_ascii_case("response") {
            Self::Response
        } else {
            Self::Request
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Response => "Response",
        }
    }
}

impl Transaction {
    /// A transaction with an id.
    pub fn new(mode: Mode, id: impl Into<String>, primitive: Primitive) -> Self {
        Self {
            mode,
            id: Some(id.into()),
            segment: None,
            primitive,
        }
    }

    /// The answer to a transaction, which may have no id.
    pub fn answer(id: Option<String>, primitive: Primitive) -> Self {
        Self {
            mode: Mode::Response,
            id,
            segment: None,
            primitive,
        }
    }

    /// Reads the transaction; with it the flag that more waits, which 1.1 has here.
    pub(super) fn read(element: &Element<'_>) -> Result<(Self, Option<bool>), DecodeError> {
        let descriptor = element.child("TransactionDescriptor");
        let in_descriptor = |name| descriptor.and_then(|d| d.child(name));
        let id = in_descriptor("TransactionID").map(|id| id.text.as_ref());
        let content = element.child("TransactionContent");
        let transaction = Self {
            mode: in_descriptor("TransactionMode").map_or(Mode::Request, |m| Mode::read(&m.text)),
            id: id.filter(|id| !id.is_empty()).map(str::to_owned),
            segment: in_descriptor("SegmentInfo")
                .map(SegmentInfo::read)
                .transpose()?,
            // Vendors put elements of their own beside the primitive.
            primitive: match content.map_or(&[][..], |content| &content.children) {
                [] => Primitive::Unknown(String::new()),
                [first, ..] => Primitive::read(first),
            },
        };
        let poll = in_descriptor("Poll").map(bool::read).transpose()?;
        Ok((transaction, poll))
    }

    /// The transaction as an element; `None` if there is nothing to write. `poll`: whether more
    /// waits.
    pub(super) fn element(&self, version: Version, poll: Option<bool>) -> Option<Element<'_>> {
        let mut descriptor = vec![Element::leaf("TransactionMode", self.mode.as_str())];
        let id = self.id.as_deref();
        // From 1.2 on the element is there, even if it says nothing.
        if id.is_some() || version == Version::V1_2 {
            descriptor.push(Element::leaf("TransactionID", id.unwrap_or_default()));
        }
        let segment = self.segment.iter();
        descriptor.extend(segment.map(|info| info.element("SegmentInfo", version)));
        let poll = poll.filter(|_| version == Version::V1_1);
        descriptor.extend(poll.map(|poll| Element::leaf("Poll", if poll { "T" } else { "F" })));
        let content = Element {
            namespace: Some(version.namespace(Scope::Transaction).into()),
            ..Element::of("TransactionContent", vec![self.primitive.element(version)?])
        };
        Some(Element::of(
            "Transaction",
            vec![Element::of("TransactionDescriptor", descriptor), content],
        ))
    }
}
