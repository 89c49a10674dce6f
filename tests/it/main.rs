//! integration tests
mod config_files;
mod http_transport;
