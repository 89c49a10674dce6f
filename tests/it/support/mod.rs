//! Real collaborators for the integration tests.

pub mod prosody;
pub mod xmpp_user;
