//! wvgate
