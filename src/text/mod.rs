//! Foreign text: what every floor may use of it.
//!
//! * [`seldom`] keeps lines that others can make repeat to one per kind and while.
//! * The rest is the wire's: how text is read, cut and shown.

pub mod seldom;

pub use seldom::Seldom;
pub use wvgate_wire::text::{IdShown, Shown, charset, cut, media, shown};
