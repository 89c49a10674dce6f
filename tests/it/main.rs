//! integration tests

mod support;
mod xmpp_link;
