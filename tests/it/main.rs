//! Integration tests: one binary, one module per suite.
// Tests wait for real things, and may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]
#![allow(clippy::pedantic)]

mod chain;
mod cli_commands;
mod cli_explain;
mod cli_node;
mod cli_outputs;
mod cli_partner;
mod cli_run;
mod cli_sharing;
mod cli_store;
mod cli_users;
mod cli_visit;
mod codec_captures;
mod codec_fixtures;
mod codec_fuzzing;
mod codec_lengths;
mod codec_mutations;
mod codec_once;
mod codec_properties;
mod codec_style;
mod complementary;
mod config_files;
mod conformance;
mod deployed_bad_input;
mod deployed_deadly;
mod deployed_handshake;
mod deployed_messages;
mod deployed_transitions;
mod dialogues;
mod faults;
mod gateway_edges;
mod gateway_servers;
mod home_clients;
mod home_reach;
mod home_rest;
mod http_transport;
mod layering;
mod node_relay;
mod packaging;
mod profiles;
mod quickstart;
mod quirks;
mod references;
mod relay_all;
mod reports;
mod services;
mod services_upkeep;
mod session_rules;
mod shards;
mod speaking;
mod spine;
mod structure;
mod support;
mod xmpp_link;
