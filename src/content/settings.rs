//! What an operator decides about shared files.

use std::path::PathBuf;
use std::time::Duration;

/// Settings of the store for shared files. Every number bounds a table or a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentSettings {
    /// The folder of the files; made if it is not there.
    pub folder: PathBuf,
    /// How URLs of files begin, with a slash at the end.
    pub url: String,
    /// Bytes of one file.
    pub max_size: u64,
    /// Files of one user, those that are still to be uploaded included.
    pub max_files: usize,
    /// Bytes of one user's files, those still to be uploaded included.
    pub max_user_bytes: u64,
    /// Bytes of all files.
    pub max_bytes: u64,
    /// How long a file is kept.
    pub keep: Duration,
    /// Within so long an upload begins.
    pub slot_life: Duration,
    /// The types that are taken, in lower case; `image/*` is all images.
    pub types: Vec<String>,
}
