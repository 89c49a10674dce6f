//! The contract between the SAP, the service elements behind it, and the joint that drives both.
//!
//! ```text
//!                     Input: requests, answers, clients, stanzas; time
//!   the joint ──────────────────────────────────────────────▶ ┌─────────┐
//!   (drives the SAP, ◀─────────────────────────────────────── │ element │
//!    commits, lets out)  Act: answers, requests, records,     └─────────┘
//!                             primitives to clients, stanzas
//! ```
//!
//! A service element is pure state: it takes an [`Input`] and a time, and queues [`Act`]s, which
//! its owner drains. What it wants to survive a restart it writes with [`Act::Write`]; all acts of
//! one input are committed together, before any of them has an effect outside.

pub mod access;
mod act;
mod attribute_set;
pub mod client;
mod delivery;
mod input;
mod listed;
mod load;
mod name;
mod outcome;
mod request;
mod service_element;
mod spans;
mod time;
mod transfer;
mod wish;
pub(crate) mod xml;

pub use act::{Act, ToXmpp};
pub use attribute_set::AttributeSet;
pub use client::{ClientKey, FromClient, Over, Takes, ToClient};
pub use delivery::{Delivery, Method};
pub use input::{Edge, FromXmpp, Input};
pub use listed::{Listed, Whole};
pub use load::{Found, Load, Loaded};
pub use name::Element;
pub use outcome::{Degraded, Outcome};
pub use request::{Delivered, RequestId, Token};
pub use service_element::ServiceElement;
pub use spans::Spans;
pub use time::{Skew, Time, millis, seconds, validity};
pub use transfer::{Carried, Errand, Fault, FetchTerms, Transfer};
pub use wish::Wish;
