//! Reading what a file of the journal holds, whole or damaged.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::segment::{self, DELETE, FRAMES, HEAD, Header, PUT};
use crate::store::Write;

/// Bytes before the payload of a frame of the first version, which had no header either.
const HEAD_BEFORE: usize = 16;

/// Of what is torn or damaged so much is kept.
const TORN_BYTES: usize = 64 << 10;

const ZEROS: [u8; 4096] = [0; 4096];

/// A frame as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Frame {
    pub(in crate::store) sequence: u64,
    /// The last sequence that was on disk when it was made.
    pub(in crate::store) synced: u64,
    pub(in crate::store) writes: Vec<Write>,
}

/// What a file holds.
#[derive(Debug)]
pub(in crate::store) enum Content {
    /// There is no such file.
    Missing,
    /// The file cannot be used as it is. Frames may be in it all the same.
    Damaged {
        why: String,
        frames: Vec<Frame>,
    },
    Frames(Frames),
}

/// All whole frames of a file, wherever they stand, in the order of the file.
#[derive(Debug)]
pub(in crate::store) struct Frames {
    /// The journal they are of; `None`: of the first version.
    pub(in crate::store) journal: Option<u64>,
    /// The system has not been started anew since they were written.
    pub(in crate::store) same_boot: bool,
    pub(in crate::store) whole: Vec<Frame>,
    /// What stands behind the frame with the highest sequence, where there should be zeros.
    pub(in crate::store) torn: Option<Vec<u8>>,
}

/// Reads a file. `journal`: the one in use, as far as is known; frames in a file whose header is
/// damaged are read as of that one.
pub(in crate::store) fn read(path: &Path, journal: Option<u64>) -> io::Result<Content> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Missing),
        Err(error) => return Err(error),
    };
    let is_new = bytes.starts_with(segment::MAGIC);
    if !is_new && journal.is_none() {
        return Ok(Content::Frames(Frames {
            journal: None,
            same_boot: false,
            whole: whole(&bytes, HEAD_BEFORE, 0).frames,
            torn: None,
        }));
    }
    let header = Header::read(&bytes);
    let mut parts = Parts::default();
    if let Some(journal) = header.as_ref().map(|header| header.journal).or(journal) {
        let from = bytes.len().min(usize::try_from(FRAMES).unwrap_or(0));
        parts = whole(&bytes[from..], HEAD, segment::seed(journal));
    }
    let frames = parts.frames;
    let why = match &header {
        None if bytes.iter().all(|byte| *byte == 0) => "it holds nothing but zeros",
        None => "its header is damaged",
        Some(header) if (bytes.len() as u64) < header.room => "it was cut",
        Some(_) => "",
    };
    let Some(header) = header.filter(|_| why.is_empty()) else {
        let why = why.to_owned();
        return Ok(Content::Damaged { why, frames });
    };
    let now = crate::store::boot::id();
    Ok(Content::Frames(Frames {
        journal: Some(header.journal),
        same_boot: now.is_some() && header.boot == now,
        whole: frames,
        torn: parts.torn,
    }))
}

#[derive(Default)]
struct Parts {
    frames: Vec<Frame>,
    torn: Option<Vec<u8>>,
}

/// All whole frames, also those behind a place that is none.
fn whole(bytes: &[u8], head: usize, seed: u32) -> Parts {
    let mut parts = Parts::default();
    let (mut at, mut highest) = (0, (0, 0));
    while at + head <= bytes.len() {
        // Zeros are no frame, and there are many of them.
        if bytes[at..].starts_with(&ZEROS) {
            // A head may begin with zeros, but not be of zeros alone.
            at += ZEROS.len() - head;
            continue;
        }
        let Some((frame, length)) = frame(&bytes[at..], head, seed) else {
            at += 1;
            continue;
        };
        at += length;
        if frame.sequence > highest.0 {
            highest = (frame.sequence, at);
        }
        parts.frames.push(frame);
    }
    let behind = &bytes[highest.1.min(bytes.len())..];
    if behind.iter().take(head).any(|byte| *byte != 0) {
        let said = behind
            .first_chunk::<4>()
            .map_or(0, |length| u32::from_le_bytes(*length));
        let length = head.saturating_add(said as usize).min(TORN_BYTES);
        let torn = &behind[..length.min(behind.len())];
        let end = torn.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        parts.torn = Some(torn[..=end].to_vec());
    }
    parts
}

/// The frame that begins here, and its length.
fn frame(bytes: &[u8], head: usize, seed: u32) -> Option<(Frame, usize)> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let sequence = segment::number(bytes, 8)?;
    let end = head.checked_add(length)?;
    // Sequences begin at 1, and a frame has a checksum of what is in the file.
    if sequence == 0 || end > bytes.len() {
        return None;
    }
    let said = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    // Far more frames than any journal has had: not worth a checksum.
    if sequence >> 56 != 0 || segment::checksum(seed, &bytes[8..end]) != said {
        return None;
    }
    let synced = if head == HEAD {
        segment::number(bytes, 16)?
    } else {
        0
    };
    let frame = Frame {
        sequence,
        synced,
        writes: changes(&bytes[head..end])?,
    };
    Some((frame, end))
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
