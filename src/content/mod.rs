//! What local users share: files that they upload, and that others fetch by a link (WVFF, 8).
//!
//! SSP carries the link alone, so this is no part of it. A client of a user asks for a slot, of a
//! known size and type, uploads once to a URL that nobody else knows, and sends the other URL in an
//! invitation or a message. Whoever has that one may fetch the file until it expires, or is deleted
//! because the invitation was withdrawn.
//!
//! | file | what |
//! |---|---|
//! | `settings` | how much, how long, what types |
//! | `shelf` | which files and slots there are, whose, within quotas: pure |
//! | `folder` | the files on disk, outside the database: whole or not at all |
//! | `contents` | both together |
//! | `web` | upload and download by HTTP |
//! | `kinds` | which types may be served, and how |

mod contents;
mod folder;
mod kinds;
mod settings;
mod shelf;
#[cfg(test)]
mod tests;
mod web;

pub use contents::{Contents, Now};
pub use kinds::is_active;
pub use settings::ContentSettings;
pub use shelf::{Refusal, Slot, Wanted};
pub use web::Web;
