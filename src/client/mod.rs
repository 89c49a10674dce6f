//! Clients of the Client-Server Protocol: phones, emulators, desktop programs of users who are at
//! home here.

pub mod meaning;
