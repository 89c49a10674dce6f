//! Looks at the write-ahead log before `SQLite` does. `SQLite` reads it up to the first frame that is
//! not whole, and forgets without a word what is behind.
//!
//! Each frame carries the salts of its log and a checksum that goes on from the frame before, so a
//! whole frame behind a broken one can be told from what an older log has left there.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEAD: usize = 24;

/// The state of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Log {
    /// There is none, or nothing is wrong with it: so many whole frames.
    Whole(u64),
    /// The last thing written is not whole, as a power cut leaves it: whole frames before it.
    Torn(u64),
    /// There are whole frames before and behind a broken place, or its header is broken.
    Damaged {
        /// Whole frames before the broken place.
        before: u64,
        /// Whole frames behind it.
        behind: u64,
    },
}

/// Looks at a log. `same_boot`: the system has not been started anew since it was written, so what
/// was written later cannot be there without what was written before.
pub(in crate::store) fn inspect(path: &Path, same_boot: bool) -> io::Result<Log> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Log::Whole(0)),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    if length == 0 {
        return Ok(Log::Whole(0));
    }
    let mut header = [0; HEADER];
    if length <= HEADER as u64 {
        let read = reader.read_exact(&mut header);
        let good = read.is_ok() && Header::read(&header).is_some();
        return Ok(if good { Log::Whole(0) } else { Log::Torn(0) });
    }
    reader.read_exact(&mut header)?;
    let Some(header) = Header::read(&header) else {
        return Ok(Log::Damaged {
            before: 0,
            behind: (length - HEADER as u64) / (FRAME_HEAD as u64 + 512),
        });
    };
    frames(&mut reader, &header, same_boot)
}

fn frames(reader: &mut impl Read, header: &Header, same_boot: bool) -> io::Result<Log> {
    let mut frame = vec![0; FRAME_HEAD + header.page];
    let mut sum = header.sum;
    let (mut before, mut behind, mut commits_behind, mut after_commit) = (0, 0_u64, 0_u64, 0_u64);
    let mut broken = false;
    let mut ours = false;
    loop {
        let read = fill(reader, &mut frame)?;
        if read < frame.len() {
            let partial = read >= 16 && frame[8..16] == header.salts;
            // Shorter than the salts: nothing to tell it by; a whole log ends between frames.
            ours |= !broken && read > 0 && (partial || read < 16);
            broken |= ours;
            break;
        }
        let same_log = frame[8..16] == header.salts;
        let whole = same_log && header.sum(&frame, sum) == pair(&frame[16..24]);
        sum = pair(&frame[16..24]);
        match (broken, whole) {
            (false, true) => before += 1,
            (false, false) => {
                broken = true;
                ours = same_log;
            }
            (true, true) => {
                behind += 1;
                after_commit += u64::from(commits_behind > 0);
                commits_behind += u64::from(frame[4..8] != [0; 4]);
            }
            (true, false) => {}
        }
    }
    // Frames without the end of a transaction are the rest of one that was given up, and in part
    // written over. Behind a power cut the last transaction may be there in part, its end too; it
    // was answered when all was on disk.
    let damaged = if same_boot {
        commits_behind > 0
    } else {
        after_commit > 0
    };
    Ok(match (damaged, broken && (ours || behind > 0)) {
        (true, _) => Log::Damaged { before, behind },
        (false, true) => Log::Torn(before),
        (false, false) => Log::Whole(before),
    })
}

/// Reads until the buffer is full or there is nothing more.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

struct Header {
    big_endian: bool,
    page: usize,
    salts: [u8; 8],
    sum: [u32; 2],
}

impl Header {
    fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let number = |at: usize| be(&bytes[at..at + 4]);
        let big_endian = match number(0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let page = number(8) as usize;
        if !page.is_power_of_two() || !(512..=65_536).contains(&page) {
            return None;
        }
        let sum = checksum(big_endian, [0, 0], &bytes[..24]);
        let salts = bytes[16..24].try_into().ok()?;
        (sum == pair(&bytes[24..32])).then_some(Self {
            big_endian,
            page,
            salts,
            sum,
        })
    }

    fn sum(&self, frame: &[u8], before: [u32; 2]) -> [u32; 2] {
        let sum = checksum(self.big_endian, before, &frame[..8]);
        checksum(self.big_endian, sum, &frame[FRAME_HEAD..])
    }
}

fn checksum(big_endian: bool, [mut first, mut second]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    for words in bytes.chunks_exact(8) {
        let [one, two] = if big_endian {
            pair(words)
        } else {
            pair(words).map(u32::swap_bytes)
        };
        first = first.wrapping_add(one).wrapping_add(second);
        second = second.wrapping_add(two).wrapping_add(first);
    }
    [first, second]
}

fn be(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn pair(bytes: &[u8]) -> [u32; 2] {
    [be(&bytes[..4]), be(&bytes[4..8])]
}
