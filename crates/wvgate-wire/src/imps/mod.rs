//! What the protocols of IMPS share: values and primitives, without an envelope.
//!
//! * [`xml`] reads and writes XML within limits;
//! * [`address`], [`datetime`], [`status`], [`common`], [`presence`] are what primitives are made of;
//! * [`primitive`] has one file per family of primitives, and one table of all.

pub mod address;
pub mod common;
pub mod datetime;
pub mod presence;
pub mod primitive;
pub mod status;
pub mod xml;

pub use address::Address;
pub use primitive::Primitive;
pub use status::{Code, Status};
