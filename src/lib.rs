//! wvgate

pub mod store;
