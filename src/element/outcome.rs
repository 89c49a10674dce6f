//! Where messages end.

/// Where an accepted message ended. Every accepted message ends in exactly one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Outcome {
    /// Handed to its recipient, or to the XMPP server that answers for them.
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
