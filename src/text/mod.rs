//! Foreign text: what every floor may use of it.
//!
//! * [`shown`] is how text of a peer, a stranger or a user appears in logs, traces and on screens:
//!   cut, on one line, without characters that steer a terminal.
//! * [`charset`] makes text of bytes by the name of a charset, or without one.
//! * [`media`] reads content types.
//! * [`seldom`] keeps lines that others can make repeat to one per kind and while.

pub mod charset;
pub mod media;
pub mod seldom;
pub mod shown;

pub use seldom::Seldom;
pub use shown::{IdShown, Shown, cut};
