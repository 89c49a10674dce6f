//! Clients of the Client-Server Protocol: phones, emulators, desktop programs of users who are at
//! home here.
//!
//! Everything here is pure: a client's messages and time come in, and what is to be done comes out.
//!
//! | part | what |
//! |---|---|
//! | [`meaning`] | requests of clients as requests of their users, and back |
//! | [`session`] | a session: what was agreed, what waits, what was answered |
//! | [`login`] | who may begin one |
//! | [`wake`] | how a client learns that something waits |

pub mod login;
pub mod meaning;
pub mod session;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod wake;
