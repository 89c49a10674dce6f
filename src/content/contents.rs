//! The store for shared files: what is on the shelf, and on disk.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::folder::{Folder, TOKEN, is_token};
use super::kinds;
use super::settings::ContentSettings;
use super::shelf::{Entry, Refusal, Shelf, Slot, Wanted};
use crate::element::Time;

/// What tells the time: the node's.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// How often what has expired is deleted; nobody gets it from the moment it has.
const SWEEP: Duration = Duration::from_secs(30);

/// A handle to the store.
#[derive(Clone)]
pub struct Contents {
    shared: Arc<Shared>,
}

struct Shared {
    shelf: Mutex<Shelf>,
    folder: Folder,
    now: Now,
}

/// An upload under way. Dropped, it has broken off.
pub(super) struct Upload {
    contents: Contents,
    put: String,
    pub(super) entry: Entry,
    file: Option<File>,
}

impl Contents {
    /// Opens the folder, and takes back what is in it.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(settings: ContentSettings, now: Now) -> io::Result<Self> {
        let (folder, found) = Folder::open(&settings.folder)?;
        let mut shelf = Shelf::new(settings);
        for (token, entry) in found {
            shelf.restore(token, entry);
        }
        let shelf = Mutex::new(shelf);
        let shared = Arc::new(Shared { shelf, folder, now });
        Ok(Self { shared })
    }

    /// Gives a user a slot for a file.
    ///
    /// # Errors
    /// It is not taken, or there is no room.
    pub fn slot(&self, user: &str, wanted: &Wanted) -> Result<Slot, Refusal> {
        let tokens = [token(), token()];
        let [Some(put), Some(file)] = tokens else {
            return Err(Refusal::Full);
        };
        let now = self.now();
        self.shelf().reserve(user, wanted, [put, file], now)
    }

    /// Keeps a file that this node has itself; its URL.
    ///
    /// # Errors
    /// It is not taken, or there is no room.
    pub async fn keep(&self, user: &str, wanted: &Wanted, bytes: &[u8]) -> Result<String, Refusal> {
        let beginning = bytes.get(..kinds::BEGINNING).unwrap_or(bytes);
        if !kinds::is_begun_as(&wanted.content_type, beginning) {
            return Err(Refusal::Type(wanted.content_type.clone()));
        }
        let slot = self.slot(user, wanted)?;
        let kept = self.put(&slot, bytes).await;
        kept.map_err(|error| {
            tracing::warn!("a file cannot be kept: {error}");
            Refusal::Disk
        })?;
        Ok(slot.get)
    }

    async fn put(&self, slot: &Slot, bytes: &[u8]) -> io::Result<()> {
        let unknown = || io::Error::other("there is no such slot");
        let start = self.shelf().settings().url.clone();
        let put = slot.put.strip_prefix(&start).ok_or_else(unknown)?;
        let mut upload = self.upload(put).await.ok_or_else(unknown)??;
        let file = upload.file().ok_or_else(unknown)?;
        file.write_all(bytes).await?;
        upload.finish().await
    }

    /// Deletes files of a user: those with these URLs, or all.
    pub fn discard(&self, user: &str, urls: Option<&[String]>) {
        let tokens = urls.map(|urls| {
            let start = self.shelf().settings().url.clone();
            let token = |url: &String| {
                let rest = url.strip_prefix(&start)?;
                let token = rest.split('/').next().unwrap_or_default();
                is_token(token).then(|| token.to_owned())
            };
            urls.iter().filter_map(token).collect::<Vec<_>>()
        });
        let taken = self.shelf().take(user, tokens.as_deref());
        if !taken.is_empty() {
            tracing::info!(user, files = taken.len(), "shared files are deleted");
            let contents = self.clone();
            tokio::spawn(async move { contents.delete(taken).await });
        }
    }

    /// How many files there are, and their bytes.
    pub fn used(&self) -> (usize, u64) {
        self.shelf().used()
    }

    /// Deletes what has expired, until stopped.
    pub async fn sweep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => self.expire().await,
            }
        }
    }

    /// Deletes what has expired.
    pub async fn expire(&self) {
        let expired = self.shelf().expire(self.now());
        self.delete(expired).await;
    }

    /// What is at a token, and its bytes.
    pub(super) async fn read(&self, token: &str) -> Option<(Entry, File)> {
        let entry = self.shelf().get(token, self.now()).cloned()?;
        match self.shared.folder.read(token).await {
            Ok(file) => Some((entry, file)),
            Err(error) => {
                tracing::warn!("a shared file cannot be read: {error}");
                None
            }
        }
    }

    /// Begins the upload of a slot; `None` if there is none.
    pub(super) async fn upload(&self, put: &str) -> Option<io::Result<Upload>> {
        let now = self.now();
        let entry = self.shelf().begin(put, now).filter(|_| is_token(put))?;
        let mut upload = Upload {
            contents: self.clone(),
            put: put.to_owned(),
            entry,
            file: None,
        };
        let file = self.shared.folder.begin(put).await;
        Some(file.map(|file| {
            upload.file = Some(file);
            upload
        }))
    }

    async fn delete(&self, tokens: Vec<String>) {
        for token in tokens {
            if let Err(error) = self.shared.folder.delete(&token).await {
                tracing::warn!("a shared file cannot be deleted: {error}");
            }
        }
    }

    fn now(&self) -> Time {
        (self.shared.now)()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        let shelf = self.shared.shelf.lock();
        shelf.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    /// Where the bytes go.
    pub(super) fn file(&mut self) -> Option<&mut File> {
        self.file.as_mut()
    }

    /// All bytes are there. The file can be fetched when this has ended.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        let now = self.contents.now();
        let complete = self.contents.shelf().complete(&self.put, now);
        let (Some((token, entry)), Some(file)) = (complete, self.file.take()) else {
            return Err(io::Error::other("the file is not wanted any more"));
        };
        let folder = &self.contents.shared.folder;
        folder.keep(&self.put, &token, &entry, file).await?;
        let is_wanted = self.contents.shelf().stored(&self.put, entry);
        if !is_wanted {
            folder.delete(&token).await?;
            return Err(io::Error::other("the file is not wanted any more"));
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        drop(self.file.take());
        // Before the slot can be used again.
        self.contents.shared.folder.drop_upload(&self.put);
        self.contents.shelf().give_back(&self.put);
    }
}

/// What nobody can guess: 32 bytes of chance, in 43 letters.
fn token() -> Option<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut chance = [0; TOKEN];
    getrandom::fill(&mut chance).ok()?;
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte & 63)]);
    Some(chance.into_iter().map(letter).collect())
}
