//! Foreign text: what every floor may use of it.
//!
//! * [`shown`] is how text of a peer, a stranger or a user appears in logs, traces and on screens:
//!   cut, on one line, without characters that steer a terminal.
//! * [`seldom`] keeps lines that others can make repeat to one per kind and while.

pub mod seldom;
pub mod shown;

pub use seldom::Seldom;
pub use shown::{IdShown, Shown, cut};
