//! The joint: one task owns the core, drains one bounded inbox in batches,
//! commits what each batch must keep, and only then lets its effects out.
//!
//! ```text
//!  HTTP server ─┐                                   ┌─▶ verdicts (HTTP 200, 403, 503)
//!  peer links ──┤   inbox    ┌───────┐   commit     ├─▶ posts to peer links
//!  XMPP links ──┼──────────▶ │ owner │ ───────────▶ ┼─▶ stanzas to XMPP links
//!  clients ─────┤            └───────┘  (releaser)  ├─▶ events to clients
//!  admin ───────┘              core                 └─▶ answers to admin
//! ```
//!
//! [`core`] is pure and can be run in a pretend world; everything else here does
//! I/O.

pub mod build;
mod carrier;
mod client;
pub mod clock;
mod closed;
pub mod core;
pub mod elements;
mod fair;
mod files;
mod gauges;
pub mod history;
pub mod inbox;
mod levels;
mod links;
pub mod log;
pub mod metrics;
mod outlet;
mod owner;
mod passwords;
pub mod process;
mod provision;
mod receiver;
mod releaser;
mod restore;
mod run;
pub mod shards;
mod told;
mod trace;
mod turn;
pub mod twins;
mod wished;

pub use self::core::Core;
pub use build::{BuildError, Plan};
pub use client::{ClientSession, Entry};
pub use gauges::Gauges;
pub use history::History;
pub use inbox::{Gone, NodeHandle};
pub use levels::{Levels, LevelsView};
pub use metrics::Metrics;
pub use passwords::Passwords;
pub use restore::reader;
pub use run::{Node, StartError};
pub use told::Told;
pub use trace::TraceLog;
pub use wished::Wished;
