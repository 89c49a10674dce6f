//! What an operator decides about shared files.

use std::path::PathBuf;

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
    /// Bytes of these.
    pub max_user_bytes: u64,
    /// Bytes of all files.
    pub max_bytes: u64,
    /// Seconds for which a file is kept.
    pub keep: u64,
    /// Seconds within which an upload begins.
    pub slot_life: u64,
    /// The types that are taken, in lower case; `image/*` is all images.
    pub types: Vec<String>,
}
