//! Taking back what the store has. A record that cannot be understood is set aside and keeps nobody
//! from starting.

use std::sync::Arc;

use super::build::Plan;
use super::clock::{self, Clock};
use super::core::Core;
use super::history::{History, Keep};
use super::passwords::Passwords;
use super::provision::{create_groups, create_users};
use super::run::StartError;
use super::shards;
use crate::element::ServiceElement;
use crate::gateway::{Gateway, Policies};
use crate::home::Home;
use crate::sap::{Sap, Settings, Shards};
use crate::store::check::Unfit;
use crate::store::{Store, StoreError, Write, aside, load_all};

/// The record that says whose store it is.
pub(super) const DOMAIN: &str = "node/domain";

/// What the store held at the start.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// Records, those set aside among them.
    pub(super) records: u64,
    /// Records set aside earlier.
    pub(super) aside: u64,
}

/// Makes cores without records; with these policies of XMPP domains, or else those of the plan.
pub(super) fn maker(
    plan: &Plan,
) -> impl FnMut(Arc<Settings>, Option<&Policies>) -> Core + Send + use<> {
    let (home, gateway) = (plan.home.clone(), plan.gateway.clone());
    let keep = plan.history;
    move |settings, policies| {
        let random = clock::random();
        let mut elements: Vec<Box<dyn ServiceElement>> = Vec::new();
        if let Some(home) = &home {
            let part = home.settings.of_shard(settings.shards.count());
            let home = Home::new(part, random.below(u64::MAX));
            elements.push(Box::new(home));
        }
        if let Some(gateway) = &gateway {
            let (mut settings, translator) = (gateway.settings.clone(), gateway.translator.clone());
            if let Some(policies) = policies {
                settings.policies.clone_from(policies);
            }
            let gateway = Gateway::new(settings, translator, random.below(u64::MAX));
            elements.push(Box::new(gateway));
        }
        let shards = usize::from(settings.shards.count());
        let mut core = Core::new(Sap::new(settings, clock::random()), elements);
        core.history = History::new(Keep {
            bytes: keep.bytes / shards,
            ..keep
        });
        core
    }
}

/// The cores of all shards with what their stores have, and the clock by which they go on.
///
/// # Errors
/// A store cannot be used.
pub(super) async fn restore_all(
    plan: &Plan,
    stores: &[Arc<dyn Store>],
    passwords: &Passwords,
) -> Result<(Vec<Core>, Clock), StartError> {
    let count = u16::try_from(stores.len()).unwrap_or(Shards::MOST);
    let mut fresh = maker(plan);
    let mut cores = Vec::with_capacity(stores.len());
    for (own, store) in (0..count).zip(stores).rev() {
        let folder = shards::folder(&plan.data, own);
        let failed = |error| StartError::Store(folder.display().to_string(), error);
        let shard = Shards::new(own, count);
        let claimed = claim(store.as_ref(), &plan.settings.domain).await;
        claimed.map_err(failed)?;
        let claimed = shards::claim(store.as_ref(), shard).await;
        claimed.map_err(failed)?;
        let mut core = fresh(plan.settings_of(shard), None);
        let restored = restore(store.as_ref(), &mut core).await.map_err(failed)?;
        if restored.aside > 0 {
            tracing::warn!(
                records = restored.aside,
                data = %folder.display(),
                "records were set aside earlier; see: wvgate store check"
            );
        }
        tracing::info!(records = restored.records, data = %folder.display(), "state restored");
        cores.push(core);
    }
    cores.reverse();
    // One time for all: that of the store which was written last.
    let clocks = cores.iter().map(|core| Clock::resume(core.kept_clock));
    let clock = clocks.max_by_key(Clock::now).unwrap_or_else(Clock::start);
    for own in 0..count {
        for other in (0..count).filter(|other| *other != own) {
            let taken = cores[usize::from(other)].sap.last_taken(own);
            cores[usize::from(own)].sap.follow(other, taken);
        }
    }
    for (core, store) in cores.iter_mut().zip(stores) {
        create_users(plan, core, (store, passwords), &clock).await?;
        create_groups(plan, core, store, &clock).await?;
    }
    Ok((cores, clock))
}

/// Gives all records to the core. Those that it cannot read are set aside.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn restore(store: &dyn Store, core: &mut Core) -> Result<Restored, StoreError> {
    let mut restored = Restored::default();
    let (mut odd, mut bytes, mut more) = (Vec::new(), 0, 0_u64);
    let records = load_all(store, "", |key, value| {
        if key.starts_with(aside::PREFIX) {
            restored.aside += 1;
        } else if key != DOMAIN
            && key != shards::KEY
            && let Err(why) = core.restore(&key, &value)
        {
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

/// Notes whose store it is if that is not known. Comes before anything else is done with it.
///
/// # Errors
/// [`StoreError::Foreign`]: it is that of another domain.
async fn claim(store: &dyn Store, domain: &str) -> Result<(), StoreError> {
    let noted = match store.get(DOMAIN).await {
        // Passed over by whoever reads all, too.
        Err(StoreError::Corrupt(_)) => None,
        noted => noted?,
    };
    match noted.and_then(|noted| String::from_utf8(noted).ok()) {
        Some(noted) if noted == domain => {}
        Some(noted) => {
            return Err(StoreError::Foreign(somebody_elses(&noted, domain)));
        }
        None => {
            if let Err(error) = store.commit(vec![Write::put(DOMAIN, domain)]).await {
                tracing::warn!(%error, "the store does not know yet whose it is");
            }
        }
    }
    Ok(())
}

fn somebody_elses(noted: &str, domain: &str) -> String {
    format!("it is that of {noted} and this node is {domain}")
}

/// Looks at records, one after the other, as this shard of this plan's node would.
pub fn reader(plan: &Plan, shard: Shards) -> impl FnMut(&str, &[u8]) -> Result<(), Unfit> + use<> {
    let mut core = maker(plan)(plan.settings_of(shard), None);
    let domain = plan.settings.domain.clone();
    move |key, value| {
        if key == shards::KEY {
            return match shards::parse(value) {
                Some(noted) if noted != (shard.own(), shard.count()) => {
                    let (noted, of) = noted;
                    Err(Unfit::Store(format!("it is that of shard {noted} of {of}")))
                }
                _ => Ok(()),
            };
        }
        if key != DOMAIN {
            core.restore(key, value).map_err(Unfit::Record)?;
            return core.look_into(key, value).map_err(Unfit::Part);
        }
        match std::str::from_utf8(value) {
            Ok(noted) if noted != domain => Err(Unfit::Store(somebody_elses(noted, &domain))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Config, Located};
    use crate::gateway::{GatewaySettings, Policy};
    use crate::node::build::GatewayPlan;
    use crate::node::{Node, StartError};
    use crate::store::MemoryStore;
    use crate::translate::Translator;

    fn plan() -> Plan {
        let mut config = Config::default();
        config.node.domain = "relay.test".to_owned();
        config.ssp.plain = true;
        Plan::new(&config, &Located::default()).unwrap()
    }

    #[test]
    fn a_core_that_is_made_anew_has_the_policies_in_force_from_the_start() {
        let mut plan = plan();
        plan.gateway = Some(GatewayPlan {
            settings: GatewaySettings::default(),
            translator: Arc::new(Translator::new("xmpp.test", &["village.test"])),
            components: Vec::new(),
        });
        let policies = Policies {
            others: Policy {
                allowed: false,
                ..Policy::default()
            },
            ..Policies::default()
        };
        let mut fresh = maker(&plan);
        let mut made = |policies| {
            let core = fresh(plan.settings_of(Shards::ONE), policies);
            core.policies().cloned()
        };
        assert_eq!(made(None), Some(Policies::default()));
        assert_eq!(made(Some(&policies)), Some(policies.clone()));
    }

    #[tokio::test]
    async fn the_check_refuses_a_store_of_another_domain_too() {
        let name = format!("wvgate-restore-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let store = crate::store::open(&folder).unwrap();
        let note = vec![Write::put(DOMAIN, "elsewhere.test")];
        store.commit(note).await.unwrap();
        drop(store);
        let refused =
            crate::store::check::check(&folder, reader(&plan(), Shards::ONE)).unwrap_err();
        assert!(matches!(refused, StoreError::Foreign(_)), "{refused}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn a_store_of_another_domain_is_left_as_it_was() {
        let store = Arc::new(MemoryStore::new());
        let records = vec![
            Write::put(DOMAIN, "elsewhere.test"),
            Write::put("sap/session/1", "what this node cannot read"),
        ];
        store.commit(records).await.unwrap();
        let before = store.scan("", None, 100).await.unwrap();
        let refused = Node::start_on(plan(), store.clone()).await.err().unwrap();
        assert!(matches!(
            refused,
            StartError::Store(_, StoreError::Foreign(_))
        ));
        assert_eq!(store.scan("", None, 100).await.unwrap(), before);
    }
}
