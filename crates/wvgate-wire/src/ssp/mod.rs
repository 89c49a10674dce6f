//! The Server-Server Protocol: [`envelope`] is the `WV-SSP-Message` around the primitives.

#[doc(hidden)]
pub mod check;
pub mod envelope;

pub use envelope::{Message, Mode};

// The names by which users of this module know what primitives are made of.
