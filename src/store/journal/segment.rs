//! One file of the journal: a header, and frames, one for each group of commits.
//!
//! ```text
//! header  = "WVGJ" · version u32 · journal u64 · room u64 · boot 36 bytes · checksum u32
//! frame   = length u32 · checksum u32 · sequence u64 · synced u64 · payload    (little-endian)
//! payload = { 1 · key length u32 · key · value length u32 · value      put
//!           | 2 · key length u32 · key }*                              delete
//! ```
//!
//! Frames begin at [`FRAMES`]. The checksum (CRC-32) covers all behind it and begins with the number
//! of the journal, so that frames of another one, or what a value looks like, do not pass. `synced` is
//! the last sequence that was on disk when the frame was made. A segment is written from its beginning
//! again and again, without being cut: writing to blocks that exist already is what makes the disk
//! quick. Behind the newest frame stand zeros, as many as a frame has before its payload, and then
//! what remains of older ones; so an end can be told from a frame that was torn or damaged.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::store::{Write, boot};

/// Bytes before the payload of a frame.
pub(super) const HEAD: usize = 24;

/// Bytes of a frame without changes, with the zeros behind it.
pub(super) const EMPTY: usize = 2 * HEAD;

/// Where the first frame is.
pub(super) const FRAMES: u64 = 4096;

/// A file grows by so much at once.
const GROWTH: u64 = 1 << 20;

pub(super) const MAGIC: &[u8; 4] = b"WVGJ";
const VERSION: u32 = 1;
const HEADER: usize = 24 + boot::LENGTH + 4;

pub(super) const PUT: u8 = 1;
pub(super) const DELETE: u8 = 2;

/// A file of the journal, open for writing.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    header: Header,
    /// Where the next frame goes.
    end: u64,
}

impl Segment {
    /// Makes an empty file.
    pub(super) fn create(path: &Path, journal: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        let mut segment = Self {
            path: path.to_owned(),
            file,
            header: Header {
                journal,
                room: 0,
                boot: boot::id(),
            },
            end: FRAMES,
        };
        segment.grow(FRAMES + 1)?;
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
        // The next one takes the place of the zeros.
        self.end = after - HEAD as u64;
        Ok(())
    }

    /// Whether a frame of so many bytes goes where blocks exist already, so that adding it, without
    /// waiting for the disk, is a copy into the system's memory.
    pub(super) fn fits(&self, frame: usize) -> bool {
        self.end + frame as u64 <= self.header.room
    }

    /// Waits until all frames are on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whatever is in the file is in the store behind: starts from the beginning.
    pub(super) fn rewind(&mut self) {
        self.end = FRAMES;
    }

    /// Bytes of the frames in it.
    pub(super) fn len(&self) -> u64 {
        self.end - FRAMES
    }

    /// Number of the journal that the file belongs to.
    pub(super) fn journal(&self) -> u64 {
        self.header.journal
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// Makes blocks for at least so many bytes exist, and then says so in the header: a file that is
    /// shorter than its header says was cut.
    fn grow(&mut self, bytes: u64) -> io::Result<()> {
        let mut there = self.header.room;
        if bytes <= there {
            return Ok(());
        }
        let zeros = vec![0; 64 << 10];
        let room = bytes.div_ceil(GROWTH) * GROWTH;
        while there < room {
            self.file.write_all_at(&zeros, there)?;
            there += zeros.len() as u64;
        }
        self.file.sync_all()?;
        let header = Header {
            room,
            ..self.header.clone()
        };
        self.file.write_all_at(&header.bytes(), 0)?;
        self.file.sync_data()?;
        self.header = header;
        Ok(())
    }
}

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) journal: u64,
    /// Bytes of the file, at least.
    pub(super) room: u64,
    /// The start of the system in which it was written.
    pub(super) boot: Option<String>,
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.journal.to_le_bytes());
        bytes.extend_from_slice(&self.room.to_le_bytes());
        bytes.extend_from_slice(self.boot.as_deref().unwrap_or_default().as_bytes());
        bytes.resize(HEADER - 4, 0);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Of a file's first bytes; `None` if they are no header, or a damaged one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        let (said, checksum) = bytes.split_at(HEADER - 4);
        if crc32fast::hash(said).to_le_bytes() != checksum || !said.starts_with(MAGIC) {
            return None;
        }
        let boot = std::str::from_utf8(&said[24..]).ok()?;
        let boot = boot.trim_end_matches('\0');
        Some(Self {
            journal: number(said, 8)?,
            room: number(said, 16)?,
            boot: (!boot.is_empty()).then(|| boot.to_owned()),
        })
    }
}

/// A frame of these changes and the zeros behind it; [`EMPTY`] bytes if there are none.
pub(super) fn of<'a, I>(writes: I, journal: u64, sequence: u64, synced: u64) -> Vec<u8>
where
    I: IntoIterator<Item = &'a Write>,
    I::IntoIter: Clone,
{
    let writes = writes.into_iter();
    // A kind and two lengths with each.
    let bytes: usize = writes.clone().map(|write| write.size() + 9).sum();
    let mut frame = Vec::with_capacity(EMPTY + bytes);
    frame.resize(HEAD, 0);
    for write in writes {
        add(&mut frame, write);
    }
    let length = u32::try_from(frame.len() - HEAD).unwrap_or(u32::MAX);
    frame[0..4].copy_from_slice(&length.to_le_bytes());
    frame[8..16].copy_from_slice(&sequence.to_le_bytes());
    frame[16..HEAD].copy_from_slice(&synced.to_le_bytes());
    let checksum = checksum(seed(journal), &frame[8..]);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    frame.resize(frame.len() + HEAD, 0);
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
        Write::Put { key, value, .. } => {
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

/// What the checksums of a journal's frames begin with.
pub(super) fn seed(journal: u64) -> u32 {
    crc32fast::hash(&journal.to_le_bytes())
}

pub(super) fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// The eight bytes from `at` on.
pub(super) fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Rewrites a file's header as if another start of the system had written it.
#[cfg(test)]
pub(super) fn in_another_boot(file: &mut [u8]) {
    if let Some(header) = Header::read(file) {
        let boot = Some("0".repeat(boot::LENGTH));
        let header = Header { boot, ..header }.bytes();
        file[..header.len()].copy_from_slice(&header);
    }
}
