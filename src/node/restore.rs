//! Taking back what the store has. A record that cannot be understood is set aside and keeps nobody
//! from starting.

use super::build::Plan;
use super::core::Core;
use super::run::maker;
use crate::store::{Store, StoreError, Write, aside, load_all};

/// The record that says whose store it is.
const DOMAIN: &str = "node/domain";

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// Records, those set aside among them.
    pub(super) records: u64,
    /// Records set aside earlier.
    aside: u64,
    /// Whose store it is, if that was noted.
    domain: Option<String>,
}

/// Gives all records to the core. Those that it cannot read are set aside.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn restore(store: &dyn Store, core: &mut Core) -> Result<Restored, StoreError> {
    let mut restored = Restored::default();
    let (mut odd, mut bytes, mut more) = (Vec::new(), 0, 0_u64);
    let records = load_all(store, "", |key, value| {
        if key == DOMAIN {
            restored.domain = String::from_utf8(value).ok();
        } else if key.starts_with(aside::PREFIX) {
            restored.aside += 1;
        } else if let Err(why) = core.restore(&key, &value) {
            bytes += value.len();
            if odd.len() < aside::MAX_RECORDS && bytes <= aside::MAX_BYTES {
                odd.push((key, value, why));
            } else {
                more += 1;
            }
        }
        Ok(())
    });
    restored.records = records.await?;
    if more > 0 {
        tracing::error!(
            records = more,
            "more records cannot be read; they stay where they are"
        );
    }
    if let Err(error) = aside::set_aside(store, odd).await {
        tracing::warn!(%error, "records that cannot be read are still in their place");
    }
    Ok(restored)
}

impl Restored {
    /// Tells what was found, and notes whose store it is if it was not known.
    ///
    /// # Errors
    /// [`StoreError::Foreign`]: it is that of another domain.
    pub(super) async fn claim(&self, store: &dyn Store, domain: &str) -> Result<(), StoreError> {
        if self.aside > 0 {
            tracing::warn!(
                records = self.aside,
                "records were set aside earlier; see: wvgate store check"
            );
        }
        match &self.domain {
            Some(noted) if noted == domain => {}
            Some(noted) => {
                return Err(StoreError::Foreign(format!(
                    "it is that of {noted} and this node is {domain}"
                )));
            }
            None => {
                if let Err(error) = store.commit(vec![Write::put(DOMAIN, domain)]).await {
                    tracing::warn!(%error, "the store does not know yet whose it is");
                }
            }
        }
        Ok(())
    }
}

/// Says of records, one after the other, why this plan's node could not read them.
pub fn reader(plan: &Plan) -> impl FnMut(&str, &[u8]) -> Option<String> + use<> {
    let mut core = maker(plan)(plan.settings.clone());
    let domain = plan.settings.domain.clone();
    move |key, value| {
        if key != DOMAIN {
            return core.restore(key, value).err();
        }
        let noted = String::from_utf8_lossy(value);
        (noted != domain).then(|| format!("the store is that of {noted}, this node is {domain}"))
    }
}
