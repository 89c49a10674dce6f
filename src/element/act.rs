//! What a service element wants done.

use tokio_xmpp::Stanza;

use crate::imps::{Address, Primitive};
use crate::store::Write;

use super::client::{ClientKey, ToClient};
use super::{Load, Outcome, RequestId, Time, Token, Transfer, Wish};

/// What a service element wants done. All acts of one input are committed together, before any of
/// them has an effect outside.
#[derive(Debug, PartialEq)]
pub enum Act {
    /// Answer a request. A second answer to the same request is dropped.
    Respond {
        /// The request that is answered.
        to: RequestId,
        /// The answer: a response of the kind that the request has, or a `Status`.
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
        /// When it is given up.
        expires: Time,
    },
    /// The same of a request that does not say itself where it goes: to the domain of `to`, whoever
    /// provides the service to the requestor otherwise.
    RequestAt {
        /// Comes back with the answer.
        token: Token,
        /// A service of the domain that is asked.
        to: Address,
        /// The request; its `MetaInfo` filled in by the element.
        primitive: Primitive,
        /// When it is given up.
        expires: Time,
    },
    /// Keep or forget a record.
    Write(Write),
    /// Read records of this element, once all that was written is kept. They come back in
    /// [`Input::Loaded`](super::Input::Loaded).
    Load(Load),
    /// Tell a client something. After [`ToClient::Over`] the joint forgets it.
    Tell(ClientKey, ToClient),
    /// Write a stanza to an XMPP link.
    Stanza(Box<ToXmpp>),
    /// A user shares files no more: those with these URLs, as far as they are the user's, or all.
    /// Done twice it does no harm.
    Unshare {
        /// The part of the address before the domain.
        user: String,
        /// `None`: all files of the user.
        urls: Option<Vec<String>>,
    },
    /// Move a file, once all that was written is kept.
    Carry(Box<Transfer>),
    /// Ask the process around the node for something; it says what came of it in
    /// [`Input::Granted`](super::Input::Granted), under this number.
    Wish(u64, Wish),
    /// A message was accepted that goes no further than this element; its outcome
    /// follows. Messages that pass the SAP are counted there.
    Accepted,
    /// One recipient's copy of a message accepted by this element has come to its
    /// end. What the element sends itself is counted by the SAP.
    Outcome {
        /// The message's id.
        message: String,
        /// What it ended in.
        outcome: Outcome,
    },
}

/// A stanza for the XMPP link of a component.
#[derive(Debug, PartialEq)]
pub struct ToXmpp {
    /// The component's domain.
    pub component: String,
    /// The stanza, complete.
    pub stanza: Stanza,
    /// Comes back in [`FromXmpp::Confirmed`](super::FromXmpp::Confirmed) when the server has
    /// processed it; larger than all marks before it on the link.
    pub mark: Option<u64>,
}
