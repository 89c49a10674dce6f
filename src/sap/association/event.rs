//! What an association reports.

use crate::element::Time;
use crate::imps::Code;
use crate::sap::association::outbox::Item;
use crate::sap::note::Note;
use crate::sap::post::{Knock, Load, Post};
use crate::sap::watch::Count;
use crate::store::Write;

/// What an association wants done, and what its owner must know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Keep or forget a record.
    Write(Write),
    /// Post this; what becomes of it is told with its number.
    Post(Post),
    /// Try a connection; as a post.
    Knock(Knock),
    /// Read bodies from the store.
    Load(Load),
    /// Something is to be counted.
    Count(Count),
    /// For those who watch.
    Note(Note),
    /// There is a session to send over, the first one.
    Up,
    /// The peer is reached again, after [`Event::Away`] was said.
    Reached,
    /// The peer is not reached, since then, though there is a session.
    Away(Time),
    /// There is no session any more.
    Down,
    /// The peer has taken a transaction over.
    Acknowledged(Item),
    /// A transaction will never reach the peer.
    Lost(Item, Code),
    /// What the peer was asked and has not answered will not be answered.
    Unanswered,
    /// Our handshake awaits no token any more, since now: other identities may log in.
    TokenCame(Time),
}
