//! One file of the journal: frames, one for each group of commits.
//!
//! ```text
//! frame   = length u32 · checksum u32 · sequence u64 · payload        (numbers little-endian)
//! payload = { 1 · key length u32 · key · value length u32 · value      put
//!           | 2 · key length u32 · key }*                              delete
//! ```
//!
//! The checksum (CRC-32) covers sequence and payload. A segment is written from its beginning again
//! and again, without being cut: writing to blocks that exist already is what makes the disk quick.
//! What remains behind the newest frame is older, so its sequence does not follow, and reading
//! stops there, as it does at a frame that was torn.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::Write;

/// Bytes before the payload of a frame.
pub(super) const HEAD: usize = 16;

/// A file grows by so much at once.
const GROWTH: u64 = 1 << 20;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// A file of the journal, open for writing.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Where the next frame goes.
    end: u64,
    /// Up to here the file consists of blocks that exist.
    room: u64,
}

impl Segment {
    /// Makes an empty file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        let mut segment = Self {
            path: path.to_owned(),
            file,
            end: 0,
            room: 0,
        };
        segment.grow(1)?;
        if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
            File::open(directory)?.sync_all()?;
        }
        Ok(segment)
    }

    /// Adds a frame, and waits for the disk if `sync`.
    pub(super) fn append(&mut self, frame: &[u8], sync: bool) -> io::Result<()> {
        let after = self.end + frame.len() as u64;
        self.grow(after)?;
        self.file.write_all_at(frame, self.end)?;
        if sync {
            self.file.sync_data()?;
        }
        self.end = after;
        Ok(())
    }

    /// Whether a frame of so many bytes goes where blocks exist already, so that adding it, without
    /// waiting for the disk, is a copy into the system's memory.
    pub(super) fn fits(&self, frame: usize) -> bool {
        self.end + frame as u64 <= self.room
    }

    /// Waits until all frames are on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whatever is in the file is in the store behind: starts from the beginning.
    pub(super) fn rewind(&mut self) {
        self.end = 0;
    }

    /// Bytes of frames.
    pub(super) fn len(&self) -> u64 {
        self.end
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// Makes blocks for at least so many bytes exist.
    fn grow(&mut self, bytes: u64) -> io::Result<()> {
        if bytes <= self.room {
            return Ok(());
        }
        let zeros = vec![0; 64 << 10];
        let room = bytes.div_ceil(GROWTH) * GROWTH;
        while self.room < room {
            self.file.write_all_at(&zeros, self.room)?;
            self.room += zeros.len() as u64;
        }
        self.file.sync_all()
    }
}

/// A frame of these changes; [`HEAD`] bytes if there are none.
pub(super) fn of<'a, I>(writes: I, sequence: u64) -> Vec<u8>
where
    I: IntoIterator<Item = &'a Write>,
    I::IntoIter: Clone,
{
    let writes = writes.into_iter();
    // A kind and two lengths with each.
    let bytes: usize = writes.clone().map(|write| write.size() + 9).sum();
    let mut frame = Vec::with_capacity(HEAD + bytes);
    frame.resize(HEAD, 0);
    for write in writes {
        add(&mut frame, write);
    }
    finish(&mut frame, sequence);
    frame
}

fn add(frame: &mut Vec<u8>, write: &Write) {
    let text = |frame: &mut Vec<u8>, bytes: &[u8]| {
        // Commits are bounded far below 4 GiB.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(bytes);
    };
    match write {
        Write::Put { key, value } => {
            frame.push(PUT);
            text(frame, key.as_bytes());
            text(frame, value);
        }
        Write::Delete { key } => {
            frame.push(DELETE);
            text(frame, key.as_bytes());
        }
    }
}

fn finish(frame: &mut [u8], sequence: u64) {
    let length = u32::try_from(frame.len() - HEAD).unwrap_or(u32::MAX);
    frame[0..4].copy_from_slice(&length.to_le_bytes());
    frame[8..HEAD].copy_from_slice(&sequence.to_le_bytes());
    let checksum = crc32fast::hash(&frame[8..]);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
}

/// A frame as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) sequence: u64,
    pub(super) writes: Vec<Write>,
}

/// Reads a file, up to the first frame that does not follow the one before; nothing if there is no
/// such file.
pub(super) fn read(path: &Path) -> io::Result<Vec<Frame>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut frames: Vec<Frame> = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((sequence, payload, after)) = frame(rest) {
        let follows = frames
            .last()
            .is_none_or(|last| sequence == last.sequence + 1);
        let (true, Some(writes)) = (follows, changes(payload)) else {
            break;
        };
        frames.push(Frame { sequence, writes });
        rest = after;
    }
    Ok(frames)
}

/// Sequence, payload, and what follows; `None` if there is no whole frame.
fn frame(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let head = bytes.get(..HEAD)?;
    let length = u32::from_le_bytes(head[0..4].try_into().ok()?) as usize;
    let checksum = u32::from_le_bytes(head[4..8].try_into().ok()?);
    let sequence = u64::from_le_bytes(head[8..HEAD].try_into().ok()?);
    let end = HEAD.checked_add(length)?;
    let payload = bytes.get(HEAD..end)?;
    // Sequences begin at 1: zeros are no frame.
    let whole = sequence > 0 && crc32fast::hash(&bytes[8..end]) == checksum;
    whole.then_some((sequence, payload, &bytes[end..]))
}

fn changes(mut payload: &[u8]) -> Option<Vec<Write>> {
    let mut writes = Vec::new();
    while let Some((kind, rest)) = payload.split_first() {
        let (key, rest) = text(rest)?;
        let key = String::from_utf8(key.to_vec()).ok()?;
        payload = match *kind {
            PUT => {
                let (value, rest) = text(rest)?;
                writes.push(Write::put(key, value));
                rest
            }
            DELETE => {
                writes.push(Write::delete(key));
                rest
            }
            _ => return None,
        };
    }
    Some(writes)
}

fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
