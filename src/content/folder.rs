//! The files on disk. A file is there when its description is and it has all its bytes; what a crash
//! has left of others is swept away at the start.
//!
//! ```text
//! content/incoming/TOKEN       an upload under way, by the token of its slot
//! content/TOKEN.json           whose a file is, what it is, until when
//! content/TOKEN                its bytes
//! ```

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::shelf::Entry;

/// Letters and digits of a token: 32 bytes.
pub(super) const TOKEN: usize = 43;

/// The folder of the files.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if need be, sweeps it, and tells what is in it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<(String, Entry)>)> {
        let folder = Self(path.to_owned());
        let incoming = folder.0.join("incoming");
        std::fs::create_dir_all(&incoming)?;
        for left in std::fs::read_dir(&incoming)? {
            std::fs::remove_file(left?.path())?;
        }
        let mut found = Vec::new();
        for file in std::fs::read_dir(&folder.0)? {
            let file = file?.path();
            let name = file.file_name().and_then(|name| name.to_str());
            let Some(name) = name.filter(|_| file.is_file()) else {
                continue;
            };
            let (token, is_description) = match name.strip_suffix(".json") {
                Some(token) => (token, true),
                None => (name, false),
            };
            // What is not ours stays.
            if !is_token(token) {
                continue;
            }
            match folder.described(token) {
                Some(entry) if is_description => found.push((token.to_owned(), entry)),
                Some(_) => {}
                None => std::fs::remove_file(&file)?,
            }
        }
        Ok((folder, found))
    }

    /// The description of a file that is whole.
    fn described(&self, token: &str) -> Option<Entry> {
        let text = std::fs::read(self.description(token)).ok()?;
        let entry: Entry = serde_json::from_slice(&text).ok()?;
        let size = std::fs::metadata(self.file(token)).ok()?.len();
        (size == entry.what.size).then_some(entry)
    }

    /// A new file for an upload.
    pub(super) async fn begin(&self, put: &str) -> io::Result<File> {
        File::create(self.incoming(put)).await
    }

    /// An upload is all there: its file is put where it is kept, with its description before it.
    pub(super) async fn keep(
        &self,
        put: &str,
        token: &str,
        entry: &Entry,
        mut file: File,
    ) -> io::Result<()> {
        file.flush().await?;
        file.sync_all().await?;
        let part = self.incoming(&format!("{put}.json"));
        let mut description = File::create(&part).await?;
        let text = serde_json::to_vec(entry).map_err(io::Error::other)?;
        description.write_all(&text).await?;
        description.flush().await?;
        description.sync_all().await?;
        tokio::fs::rename(&part, self.description(token)).await?;
        tokio::fs::rename(self.incoming(put), self.file(token)).await?;
        File::open(&self.0).await?.sync_all().await
    }

    /// An upload has broken off.
    pub(super) fn drop_upload(&self, put: &str) {
        for path in [self.incoming(put), self.incoming(&format!("{put}.json"))] {
            let _ = std::fs::remove_file(path);
        }
    }

    pub(super) async fn read(&self, token: &str) -> io::Result<File> {
        File::open(self.file(token)).await
    }

    /// Deletes a file; who is reading it reads on.
    pub(super) async fn delete(&self, token: &str) -> io::Result<()> {
        let description = tokio::fs::remove_file(self.description(token)).await;
        let file = tokio::fs::remove_file(self.file(token)).await;
        let is_gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        is_gone(description).and(is_gone(file))
    }

    fn incoming(&self, name: &str) -> PathBuf {
        self.0.join("incoming").join(name)
    }

    fn description(&self, token: &str) -> PathBuf {
        self.0.join(format!("{token}.json"))
    }

    fn file(&self, token: &str) -> PathBuf {
        self.0.join(token)
    }
}

/// Whether it can be a token: what is none never becomes a path.
pub(super) fn is_token(text: &str) -> bool {
    let is_of_it = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    text.len() == TOKEN && text.bytes().all(is_of_it)
}
