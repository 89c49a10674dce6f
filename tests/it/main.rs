//! Integration tests: one binary, one module per suite.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod codec_captures;
mod codec_fixtures;
mod codec_properties;
mod codec_style;
mod config_files;
mod conformance;
mod deployed_handshake;
mod gateway_prosody;
mod http_transport;
mod node_relay;
mod relay_all;
mod services;
mod xmpp_link;
