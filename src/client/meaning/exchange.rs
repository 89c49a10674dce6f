//! A request of a client, from what is asked of the user's domain to the answer.

use std::collections::VecDeque;

use crate::csp;
use crate::imps::Primitive;

/// A request of a client that is under way. Most are one primitive; where one request is several,
/// the next is asked when the one before was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// As the client has asked.
    pub(super) request: csp::Primitive,
    /// What is still to be asked.
    pub(super) rest: VecDeque<Primitive>,
    /// What was answered, in the order of asking.
    pub(super) answers: Vec<Primitive>,
}

impl Exchange {
    /// The request as the client made it.
    pub fn request(&self) -> &csp::Primitive {
        &self.request
    }
}

/// What a primitive of a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A matter of the session itself: login, polling, keep-alive, negotiation, segments.
    Session,
    /// The client's answer to what it was told.
    Reply,
    /// A request of the user: the primitive goes to the user's domain, and its answer to
    /// [`Interpreter::hear`](super::Interpreter::hear).
    User(Box<Exchange>, Box<Primitive>),
    /// It is answered at once.
    Answered(csp::Primitive),
}

/// What follows from an answer of the user's domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// This is asked next.
    Ask(Box<Primitive>),
    /// The answer to the client.
    Answer(csp::Primitive),
    /// The answer to a client that cannot take what it has fetched. It has not come to the client:
    /// the number under which it was told is not acknowledged, and the message goes on waiting.
    Refused(csp::Primitive),
}
