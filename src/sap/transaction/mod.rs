//! Requests and answers on their way: the Transaction Table, what comes in, where it goes,
//! and what is answered.

pub(in crate::sap) mod asked;
pub(in crate::sap) mod bounds;
mod delivery_report;
pub mod history;
mod inbound;
mod permission;
pub mod recipients;
pub(in crate::sap) mod request;
mod response;
mod table;
mod to_this_sap;
pub(in crate::sap) mod try_again;

pub use table::*;
