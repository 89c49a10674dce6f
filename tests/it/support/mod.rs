//! Real collaborators for the integration tests, and pretended ones.
// Not every suite uses all of it.
#![allow(dead_code)]

pub(crate) mod alone;
pub(crate) mod chain;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod divided;
pub(crate) mod divided_world;
pub(crate) mod dns;
pub(crate) mod ejabberd;
pub(crate) mod end;
pub(crate) mod fault_proxy;
pub(crate) mod homes;
pub(crate) mod peer;
pub(crate) mod person;
pub(crate) mod process;
pub(crate) mod prosody;
pub(crate) mod samples;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod split;
#[path = "../../support/talk.rs"]
pub(crate) mod talk;
pub(crate) mod world;
pub(crate) mod xmpp_user;
