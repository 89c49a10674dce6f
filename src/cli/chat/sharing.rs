//! A file that a user shares: read from this machine, put where the node says.

use std::path::Path;

use tokio::fs::File;

use crate::content::{Slot, Wanted};
use crate::http::upload;

/// Types by the ends of names; others are bytes.
const KINDS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("amr", "audio/amr"),
    ("m4a", "audio/mp4"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("3gp", "video/3gpp"),
    ("webm", "video/webm"),
    ("txt", "text/plain"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("vcf", "text/vcard"),
    ("ics", "text/calendar"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
];

/// A file that can be read.
pub(super) struct Sharing {
    wanted: Wanted,
    file: File,
}

impl Sharing {
    /// The file at a path, or why it cannot be shared.
    pub(super) async fn open(path: &str) -> Result<Self, String> {
        let unreadable = |error: std::io::Error| format!("{path} cannot be read: {error}");
        let file = File::open(path).await.map_err(unreadable)?;
        let facts = file.metadata().await.map_err(unreadable)?;
        if !facts.is_file() {
            return Err(format!("{path} is no file"));
        }
        let path = Path::new(path);
        let name = path.file_name().unwrap_or_default();
        let end = path.extension().unwrap_or_default();
        let end = end.to_string_lossy().to_ascii_lowercase();
        let kind = KINDS.iter().find(|(known, _)| *known == end);
        let kind = kind.map_or("application/octet-stream", |(_, kind)| kind);
        let wanted = Wanted {
            name: name.to_string_lossy().into_owned(),
            content_type: kind.to_owned(),
            size: facts.len(),
        };
        Ok(Self { wanted, file })
    }

    /// What the node is asked for.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub(super) async fn upload(self, slot: &Slot) -> Result<(), String> {
        let Wanted {
            content_type, size, ..
        } = &self.wanted;
        let done = upload::put(&slot.put, content_type, self.file, *size).await;
        done.map_err(|why| format!("it cannot be uploaded: {why}"))
    }
}
