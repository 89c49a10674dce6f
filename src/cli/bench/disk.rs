//! What the disk itself takes for a record of a message's size to be safe on it.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::super::Failure;

/// Appended and synced so often.
const TIMES: usize = 200;

/// Appends `record` to a file again and again, and waits for the disk each time (`fdatasync`); how
/// long that took, sorted.
pub(super) fn syncs(folder: &Path, record: &[u8]) -> Result<Vec<Duration>, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("cannot measure a disk: {error}"));
    let mut file = std::fs::File::create(folder.join("synced")).map_err(failed)?;
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        file.write_all(record).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}
