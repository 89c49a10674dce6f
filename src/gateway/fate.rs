//! What became of what was written down for a link.

/// What became of a stanza that was written down.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    /// The server has the stanza of this number, which belongs to this message.
    Confirmed { number: u64, message: u64 },
    /// The link can't take it.
    GivenUp(GivenUp),
}

/// A stanza that was given up.
#[derive(Debug, PartialEq)]
pub(super) struct GivenUp {
    /// Its number, and the message it belongs to.
    pub(super) number: u64,
    pub(super) message: Option<u64>,
    pub(super) component: String,
    /// Its size in bytes.
    pub(super) bytes: usize,
    pub(super) why: &'static str,
}
