//! What a service element is told.

use tokio_xmpp::Stanza;

use crate::imps::Primitive;
use crate::xmpp::link::Blame;

use super::client::{ClientKey, FromClient};
use super::{Carried, Delivered, Loaded, Token};

/// What happens to a service element. There is no other way to reach one, but for what an operator
/// looks at or administers.
#[expect(
    clippy::large_enum_variant,
    reason = "stanzas are common, and boxing each would cost more than it saves"
)]
#[derive(Debug)]
pub enum Input {
    /// A request or notice for a user this element answers for.
    Deliver(Delivered),
    /// A message of this element was taken over, and this is known of it: 202, or 201 with those
    /// who do not get it in the details. It comes again when others are known not to get it, and
    /// [`Input::Answer`] comes at the end.
    TakenOver(Token, Primitive),
    /// The answer to a request of this element. It comes once, and nothing after it.
    Answer(Token, Primitive),
    /// The way to these domains was established anew: what was told them may be lost, and what
    /// they told too (presence-attributes, 5).
    Reached(Vec<String>),
    /// The last session on the way to these domains was lost.
    Lost(Vec<String>),
    /// Records that it wanted read.
    Loaded(Loaded),
    /// What became of a transfer of this number.
    Carried(u64, Carried),
    /// What came of a wish of this number, in lines.
    Granted(u64, Vec<String>),
    /// What a client does.
    Client(ClientKey, FromClient),
    /// What the XMPP link of the component with this domain brings.
    Xmpp(String, FromXmpp),
}

/// What an XMPP link brings. For elements at [`Edge::Xmpp`].
#[derive(Debug)]
pub enum FromXmpp {
    /// A stanza from the XMPP server.
    Stanza(Stanza),
    /// A stanza that the node cannot keep now. Its sender is told as far as it wants an answer,
    /// and nothing else happens: this is also said before the element has begun.
    Refuse(Stanza),
    /// The link is there, or not, for [`FromXmpp::Refuse`] alone: the element has not begun.
    MayRefuse(bool),
    /// The link is there: what waits for it goes out.
    Up,
    /// The link went, and a stanza that was under way alone may be to blame.
    Down(Blame),
    /// The server has processed everything up to this mark.
    Confirmed(u64),
    /// A stanza of ours could not be written to its link.
    Unsent(Stanza),
    /// The server has said how many bytes a stanza may have.
    Limit(usize),
}

/// Where something other than the SAP comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Clients of users: [`Input::Client`].
    Clients,
    /// XMPP links: [`Input::Xmpp`].
    Xmpp,
}
