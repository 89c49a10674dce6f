//! How a client is woken when something waits for it, so that it need not ask all the time: the
//! channel for communication initiation requests (CIR).

mod offer;

pub use offer::{Method, Offer};
