//! integration tests
mod config_files;
mod http_transport;

mod support;
mod xmpp_link;
