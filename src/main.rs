//! wvgate
fn main() {}
