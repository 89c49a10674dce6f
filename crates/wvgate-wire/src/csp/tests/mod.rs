//! What needs programs of others.

mod decoders;
mod tools;
