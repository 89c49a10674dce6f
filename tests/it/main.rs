//! integration tests
mod config_files;
