//! wvgate
pub mod http;
