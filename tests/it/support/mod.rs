//! Real collaborators for the integration tests, and pretended ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Not every suite uses all of it.
#![allow(dead_code)]

pub mod alone;
pub(crate) mod chain;
pub mod client;
pub(crate) mod cluster;
pub mod divided;
pub(crate) mod divided_world;
pub(crate) mod dns;
pub(crate) mod ejabberd;
pub(crate) mod end;
pub(crate) mod fault_proxy;
pub mod peer;
pub(crate) mod process;
pub mod prosody;
pub mod samples;
pub mod script;
pub mod split;
#[path = "../../support/talk.rs"]
pub mod talk;
pub mod world;
pub mod xmpp_user;
