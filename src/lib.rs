//! wvgate

pub mod xmpp;
