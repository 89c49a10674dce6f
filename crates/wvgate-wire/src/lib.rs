//! The wire of OMA IMPS / Wireless Village: bytes to values and back.
//!
//! * [`imps`] has what its protocols share: XML within limits, addresses, status codes, presence,
//!   and all primitives;
//! * [`ssp`] has the envelope of the Server-Server Protocol;
//! * [`text`] reads foreign charsets, and shows foreign text so that it does no harm.
//!
//! This crate is pure: no I/O, no clock, no configuration.

pub mod imps;
pub mod ssp;
pub mod text;
