//! Foreign text: how it is read and shown.
//!
//! * [`shown`] is how text of a peer, a stranger or a user appears in logs, traces and on screens:
//!   cut, on one line, without characters that steer a terminal.
//! * [`charset`] makes text of bytes by the name of a charset, or without one.
//! * [`media`] reads content types.

pub mod charset;
pub mod media;
pub mod shown;

pub use shown::{IdShown, Shown, cut};
