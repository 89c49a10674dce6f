//! The stores of a node's shards: where they are, and how many.
//!
//! The store of the first shard is in the folder of the configuration, those of the others are in
//! folders in it, `shard-1` and so on. Each notes which shard it is, of how many; the first one
//! last, so that what it says is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::restore::DOMAIN;
use super::run::StartError;
use crate::sap::Shards;
use crate::store::{self, Store, StoreError, Write};

/// The record that says which shard a store is of.
pub(super) const KEY: &str = "node/shards";

/// Shards of a new node of which the configuration does not say how many: one for two cores.
fn usual() -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(cores / 2)
        .unwrap_or(Shards::MOST)
        .clamp(1, Shards::MOST)
}

/// The folder of a shard's store.
pub fn folder(data: &Path, shard: u16) -> PathBuf {
    match shard {
        0 => data.to_owned(),
        other => data.join(format!("shard-{other}")),
    }
}

/// The folders of all stores that there are beside this one, itself first.
pub fn folders(data: &Path) -> Vec<PathBuf> {
    let others = (1..Shards::MOST).map(|shard| folder(data, shard));
    let others = others.take_while(|folder| folder.is_dir());
    std::iter::once(data.to_owned()).chain(others).collect()
}

/// Opens the stores of all shards; so many as the first one says, or if it is new, as `wanted`.
///
/// # Errors
/// One of them cannot be opened, or there are others than is `wanted`.
pub(super) async fn open(
    data: &Path,
    wanted: Option<u16>,
) -> Result<Vec<Arc<dyn Store>>, StartError> {
    let first = open_one(folder(data, 0)).await?;
    let failed = |error| StartError::Store(data.display().to_string(), error);
    let before = kept(first.as_ref()).await.map_err(failed)?;
    let count = match (before, wanted) {
        (Some((_, kept)), Some(wanted)) if kept != wanted => {
            let data = data.display().to_string();
            return Err(StartError::Shards { data, kept, wanted });
        }
        (Some((_, kept)), _) => kept,
        (None, wanted) => {
            if folder(data, 1).exists() {
                let why = "there are stores of other shards in it, and it says nothing of them";
                return Err(failed(StoreError::Foreign(why.to_owned())));
            }
            wanted.unwrap_or_else(usual)
        }
    };
    let mut stores = vec![first];
    for shard in 1..count {
        let store = open_one(folder(data, shard)).await?;
        let failed = |error| StartError::Store(folder(data, shard).display().to_string(), error);
        if before.is_some() && kept(store.as_ref()).await.map_err(failed)?.is_none() {
            let why = format!("that of shard {shard} of {count} was here, and is gone");
            return Err(failed(StoreError::Foreign(why)));
        }
        stores.push(store);
    }
    Ok(stores)
}

async fn open_one(folder: PathBuf) -> Result<Arc<dyn Store>, StartError> {
    let name = folder.display().to_string();
    let opened = tokio::task::spawn_blocking(move || store::open(&folder)).await;
    match opened.unwrap_or(Err(StoreError::Closed)) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(StartError::Store(name, error)),
    }
}

/// Which shard a store is of, and of how many; `None`: it is new.
async fn kept(store: &dyn Store) -> Result<Option<(u16, u16)>, StoreError> {
    let read = |key| async move {
        match store.get(key).await {
            // Passed over by whoever reads all, too.
            Err(StoreError::Corrupt(_)) => Ok(None),
            read => read,
        }
    };
    if let Some(noted) = read(KEY).await?.as_deref().and_then(parse) {
        return Ok(Some(noted));
    }
    // One that was made before there were shards.
    Ok(read(DOMAIN).await?.map(|_| (0, 1)))
}

/// Reads what [`claim`] has noted.
pub(super) fn parse(noted: &[u8]) -> Option<(u16, u16)> {
    let (own, count) = std::str::from_utf8(noted).ok()?.split_once(" of ")?;
    Some((own.parse().ok()?, count.parse().ok()?))
}

/// Notes of which shard a store is if that is not known. To be called after it is known to be that
/// of this node's domain, and for the first shard last.
///
/// # Errors
/// It is that of another shard, or of another number of them.
pub(super) async fn claim(store: &dyn Store, shard: Shards) -> Result<(), StoreError> {
    let (own, count) = (shard.own(), shard.count());
    let noted = match store.get(KEY).await {
        Err(StoreError::Corrupt(_)) => None,
        noted => noted?,
    };
    match noted.as_deref().and_then(parse) {
        Some(noted) if noted == (own, count) => {}
        Some((noted, of)) => {
            let why = format!("it is that of shard {noted} of {of}, not that of {own} of {count}");
            return Err(StoreError::Foreign(why));
        }
        None => {
            let note = Write::put(KEY, format!("{own} of {count}"));
            if let Err(error) = store.commit(vec![note]).await {
                tracing::warn!(%error, "the store does not know yet of which shard it is");
            }
        }
    }
    Ok(())
}
