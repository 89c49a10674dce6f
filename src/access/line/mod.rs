//! The language of lines: what a user types, and what they read. One parser for the chat in a
//! terminal, for text sessions over TCP and for short messages.
//!
//! [`Codec`] is pure: lines that are typed become primitives of the user, and what the user is told
//! becomes lines.

mod codec;
mod lines;
mod requests;
pub(crate) mod screen;

pub(crate) use codec::{Action, Codec, commands, help_on};
pub use lines::{LineError, Lines};
pub(crate) use requests::Requests;
