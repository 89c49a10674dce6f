//! XML for SSP: a reader with limits, a writer, and the macro that makes a
//! typed element out of a table of its attributes and children.
//!
//! The reader refuses what SSP never needs and attackers like: document type
//! definitions with an internal subset, entities beyond the five of XML,
//! control characters, a second root, anything after the root, unbounded depth
//! and counts (wire profile, 3).

mod characters;
pub mod element;
pub mod encoding;
pub mod forms;
pub mod limits;
pub mod names;
mod open;
pub mod reader;
mod references;
pub mod repair;
pub mod shape;
mod surrogates;
pub(crate) mod tokens;
pub mod writer;

pub(crate) use characters::is_character;
pub use element::{Content, DecodeError, Field};
pub use forms::Forms;
pub use limits::{Limits, Texts};
pub use names::Names;
pub use reader::{Malformed, Node, parse};
pub(crate) use references::{line_ends, unescape};
pub use repair::Repair;
pub use shape::Shape;
pub(crate) use writer::Listener;
pub use writer::{Style, Writer};
