//! The contract between the SAP and the service elements behind it: the home
//! domain's and the XMPP gateway.
//!
//! A service element is pure state: it is handed requests, answers and time, and
//! returns [`Act`]s. What it wants to survive a restart it writes with
//! [`Act::Write`]; all acts of one input are committed together, before any of
//! them has an effect outside.

use crate::ssp::Primitive;
use crate::ssp::address::Address;
use crate::ssp::datetime::DateTime;
use crate::store::Write;

/// Milliseconds since 1970-01-01T00:00:00Z; the only time the core knows.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// So many milliseconds later.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// So many seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds from `earlier` to this, 0 if it is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How far the wall clock is ahead of the node's time, or behind if negative: milliseconds.
///
/// The node's time runs evenly and on over restarts; deadlines are in it. The wall clock may be
/// wrong, and be put right: dates that others see are by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skew(pub i64);

impl Skew {
    /// What the wall clock shows at this time.
    pub fn wall(self, time: Time) -> Time {
        Time(time.0.saturating_add_signed(self.0))
    }

    /// The date at this time.
    pub fn date(self, time: Time) -> DateTime {
        DateTime::from_millis(self.wall(time).0)
    }
}

/// A request that was handed to a service element and waits for its answer.
/// Never used twice in the life of a store.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct RequestId(pub u64);

/// What a service element calls a request of its own, so that it knows the answer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Token(pub u64);

/// Which service element.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Element {
    /// The embedded home domain.
    Home,
    /// The XMPP network.
    Gateway,
}

/// A primitive handed to a service element, permission already checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// To answer with; `None` for a notice, which is not answered.
    pub id: Option<RequestId>,
    /// The requesting home domain.
    pub from_domain: String,
    /// The requesting user, if a user asks.
    pub user: Option<Address>,
    /// The primitive.
    pub primitive: Primitive,
    /// After this time the answer is of no use to anybody.
    pub expires: Time,
}

/// What a service element wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Answer a request. A second answer to the same request is dropped.
    Respond {
        /// Which.
        to: RequestId,
        /// With what.
        primitive: Primitive,
    },
    /// Send a request or notice of this node's users to wherever it belongs
    /// (another service element of this node included). A request is always
    /// answered: by its provider, or with 504, 503, 516, ... by the SAP.
    Request {
        /// Comes back with the answer. Of no meaning for a notice.
        token: Token,
        /// The request; its `MetaInfo` filled in by the element.
        primitive: Primitive,
        /// When to give up.
        expires: Time,
    },
    /// Keep or forget a record.
    Write(Write),
    /// A message was accepted that goes no further than this element; its outcome
    /// follows. Messages that pass the SAP are counted there.
    Accepted,
    /// One recipient's copy of a message accepted by this element has come to its
    /// end. What the element sends itself is counted by the SAP.
    Outcome {
        /// The message's id.
        message: String,
        /// Its end.
        outcome: Outcome,
    },
}

/// Where an accepted message ended. Every accepted message ends in exactly one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Outcome {
    /// Handed to its recipient, or to the XMPP server that answers for him.
    Delivered,
    /// Handed to the next hop, which has acknowledged it.
    Relayed,
    /// Validity over before delivery.
    Expired,
    /// Refused with this code.
    Refused(u16),
    /// Delivered in a lesser form.
    Degraded(Degraded),
    /// A copy of one that its recipient has already: not delivered again.
    Repeated,
    /// Dropped because it has no counterpart on the other side.
    Untranslatable,
}

/// How a message was degraded on its way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Degraded {
    /// Rich content became plain text.
    PlainText,
    /// Content became a link or a note that it exists.
    Reference,
}

/// A service element as the joint drives it.
pub trait ServiceElement {
    /// Takes back a record written before a restart. Called for each record whose
    /// key starts with [`ServiceElement::PREFIX`], in key order, before anything else.
    ///
    /// # Errors
    /// The record cannot be read; the node refuses to start on it.
    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String>;

    /// A request or notice for a user this element answers for.
    fn deliver(&mut self, delivered: Delivered, now: Time, out: &mut Vec<Act>);

    /// The answer to a request of this element.
    fn answer(&mut self, token: Token, answer: &Primitive, now: Time, out: &mut Vec<Act>);

    /// Time has come to at least what [`ServiceElement::next_timeout`] said.
    fn timeout(&mut self, now: Time, out: &mut Vec<Act>);

    /// When [`ServiceElement::timeout`] wants to be called.
    fn next_timeout(&self) -> Option<Time>;

    /// Keys of this element's records start with this, e.g. `home/`.
    const PREFIX: &'static str;
}
