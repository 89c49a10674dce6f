//! The Client-Server Protocol: [`Message`] is the `WV-CSP-Message` around the primitives.
//!
//! Versions 1.1, 1.2 and 1.3 are read and written, in XML and in WBXML. Both encodings meet in one
//! tree ([`Element`]), so the typed readers and writers are the same. Reading is tolerant: children
//! in any order, old and new spellings, what is not known is passed over. Writing keeps the grammar
//! of the version ([`Grammar`]), or fails.

#[doc(hidden)]
pub mod check;
pub mod content_type;
mod datetime;
pub mod discovery;
pub mod element;
mod event;
pub mod fault;
pub mod grammar;
mod hash;
#[cfg(test)]
mod laws;
pub mod message;
pub mod presence;
pub mod primitive;
pub mod style;
#[cfg(test)]
mod tests;
pub mod transaction;
mod typed;
mod values;
pub mod version;
pub mod wbxml;
pub mod xml;

pub use content_type::ContentType;
pub use element::Element;
pub use fault::Unfit;
pub use grammar::Grammar;
pub use message::{Body, Encoding, Message, Session};
pub use primitive::Primitive;
pub use style::Style;
pub use transaction::{Mode, Transaction};
pub use version::Version;
