//! wvgate: a relay SAP for the Server-Server Protocol (SSP) of OMA IMPS /
//! Wireless Village, a translator between SSP and XMPP, and a home domain.
//!
//! A request is a primitive with a requestor and a target. Routing decides
//! whether its Primary Service Element is a peer domain (relay it), the XMPP
//! network (translate it) or this node (serve it); the answer travels back along
//! the Transaction Table.

pub mod access;
pub mod admin;
pub mod cli;
pub mod client;
pub mod config;
pub mod content;
pub mod element;
pub mod gateway;
pub mod home;
pub mod http;
pub mod node;
pub mod sap;
pub mod store;
pub mod text;
pub mod translate;
pub mod xmpp;

pub use wvgate_wire::{csp, imps, ssp};

// By the name that tests of whole nodes know it by: both share some of their tools.
#[cfg(test)]
extern crate self as wvgate;
