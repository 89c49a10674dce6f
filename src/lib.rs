//! wvgate

pub mod config;
