//! The wire: bytes to values and back.
//!
//! * [`xml`] reads and writes XML within limits;
//! * [`address`], [`datetime`], [`status`], [`common`], [`presence`] are what primitives are made of;
//! * [`primitive`] has one file per family of primitives;
//! * [`envelope`] is the `WV-SSP-Message` around them.
//!
//! This floor is pure: no I/O, no clock, no configuration.

pub mod address;
#[doc(hidden)]
pub mod check;
pub mod common;
pub mod datetime;
pub mod envelope;
pub mod presence;
pub mod primitive;
pub mod status;
pub mod xml;

pub use address::Address;
pub use envelope::{Message, Mode};
pub use primitive::Primitive;
pub use status::{Code, Status};
