//! Why a value cannot be written.

use super::grammar::Breach;
use super::version::Version;

/// A message that the version or the encoding has no form for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The version has no such primitive.
    #[error("{version} has no {name}")]
    Unknown {
        /// The version that was to be written.
        version: Version,
        /// Name of the primitive.
        name: String,
    },
    /// Something is missing, or stands beside what excludes it.
    #[error("{version}: {breach}")]
    Grammar {
        /// The version that was to be written.
        version: Version,
        /// Where the grammar of the version does not allow it.
        breach: Breach,
    },
    /// Bytes that are no text in XML: they would have to be base64.
    #[error("content that is no text cannot stand in XML")]
    NoText,
}
