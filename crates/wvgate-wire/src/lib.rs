#![doc = include_str!("../README.md")]

pub mod csp;
pub mod imps;
pub mod ssp;
pub mod text;
