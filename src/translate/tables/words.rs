//! `words.toml`: messages from XMPP that have more than a plain text, or none.

use super::rows::{MappingError, Rows};

/// The table `words.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordsTable {
    /// Whether reactions alone are told.
    pub(in crate::translate) tells_reactions: bool,
    /// Whether retractions alone are told.
    pub(in crate::translate) tells_retractions: bool,
    pub(in crate::translate) subject: String,
    pub(in crate::translate) correction: String,
    pub(in crate::translate) reaction: String,
    pub(in crate::translate) retraction: String,
    /// Whether the text that stands in for an encrypted message is delivered.
    pub(in crate::translate) delivers_stand_in: bool,
    pub(in crate::translate) refusal: String,
    /// What the sender of an encrypted message is told, empty for nothing.
    pub hint: String,
    /// What somebody says who invites to talk, and does not say it themselves.
    pub talk: String,
    /// What stands before the room whose invitation is declined.
    pub declined: String,
    /// What stands before that to which an invitation is withdrawn.
    pub withdrawn: String,
}

impl WordsTable {
    pub(super) fn read(root: &Rows<'_>) -> Result<Self, MappingError> {
        root.only(&["alone", "lines", "encrypted", "invitations"])?;
        let alone = root.table("alone")?;
        alone.only(&["reaction", "retraction"])?;
        let lines = root.table("lines")?;
        lines.only(&["subject", "correction", "reaction", "retraction"])?;
        let encrypted = root.table("encrypted")?;
        encrypted.only(&["with-body", "refusal", "hint"])?;
        let invitations = root.table("invitations")?;
        invitations.only(&["talk", "declined", "withdrawn"])?;
        let tells = |key| Ok(alone.one_of(key, &["text", "drop"])? == "text");
        Ok(Self {
            tells_reactions: tells("reaction")?,
            tells_retractions: tells("retraction")?,
            subject: lines.text("subject")?,
            correction: lines.text("correction")?,
            reaction: lines.text("reaction")?,
            retraction: lines.filled("retraction")?,
            delivers_stand_in: encrypted.one_of("with-body", &["deliver", "refuse"])? == "deliver",
            refusal: encrypted.filled("refusal")?,
            hint: encrypted.text("hint")?,
            talk: invitations.filled("talk")?,
            declined: invitations.filled("declined")?,
            withdrawn: invitations.filled("withdrawn")?,
        })
    }
}
