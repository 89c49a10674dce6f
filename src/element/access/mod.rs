//! Who may reach a user (wire profile, 11.10): block list and grant list as values, what a request
//! changes of them, and how they are told. Whoever keeps them keeps these.

mod changes;
mod lists;

pub use changes::{Change, Changes, told};
pub use lists::{AccessLists, Entry, InUse, List, Listed};
