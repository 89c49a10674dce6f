//! Pages of a scan, bounded in records and in bytes.

use super::{Store, StoreError};

/// Records in the order of their keys: key and value.
pub type Records = Vec<(String, Vec<u8>)>;

/// Records per page in [`load_all`]. Small ones, of which there may be a million, need many on a
/// page; of large ones [`PAGE_BYTES`] lets few.
pub const PAGE_RECORDS: usize = 1024;

/// Bytes of keys and values after which a page takes no more records, whatever was asked for.
pub const PAGE_BYTES: usize = 4 << 20;

/// A page that is being filled.
pub(super) struct Page {
    records: Records,
    bytes: usize,
    limit: usize,
}

impl Page {
    /// An empty one for so many records.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            records: Records::new(),
            bytes: 0,
            limit,
        }
    }

    /// Whether it takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= self.limit || self.bytes >= PAGE_BYTES
    }

    /// Adds the next record.
    pub(super) fn push(&mut self, key: String, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.records.push((key, value));
    }

    pub(super) fn records(self) -> Records {
        self.records
    }
}

/// Walks all records under a prefix in order, page by page; used at start-up to restore state.
/// Stops at the first error of `each`. Says how many records there were.
pub async fn load_all(
    store: &dyn Store,
    prefix: &str,
    mut each: impl FnMut(String, Vec<u8>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let mut page = store.scan(prefix, None, PAGE_RECORDS).await?;
    let mut count = 0;
    while let Some((last, _)) = page.last() {
        // Is read while this one is looked at.
        let next = store.scan(prefix, Some(last), PAGE_RECORDS);
        for (key, value) in page {
            count += 1;
            each(key, value)?;
        }
        page = next.await?;
    }
    Ok(count)
}
