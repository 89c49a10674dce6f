//! Users and groups of the configuration, made at the start if they do not exist yet.

use std::sync::Arc;

use super::build::Plan;
use super::clock::Clock;
use super::core::{Core, Turn};
use super::passwords::Passwords;
use super::run::StartError;
use crate::config::HomeGroup;
use crate::home::{GroupError, Home};
use crate::store::Store;

/// Creates the configured users that do not exist yet.
pub(super) async fn create_users(
    plan: &Plan,
    core: &mut Core,
    (store, passwords): (&Arc<dyn Store>, &Passwords),
    clock: &Clock,
) -> Result<(), StartError> {
    let Some(home) = &plan.home else {
        return Ok(());
    };
    let shards = core.sap.settings().shards;
    let own = home.users.iter();
    for (name, password) in own.filter(|(name, _)| shards.of_user(name) == shards.own()) {
        if core
            .element()
            .is_some_and(|home: &Home| home.names().has(name))
        {
            continue;
        }
        let kept = passwords.keep(name, password.expose().to_owned()).await;
        let Ok(kept) = kept else {
            return Err(StartError::Password(name.clone()));
        };
        let mut turn = Turn::default();
        let now = clock.now();
        let add = |home: &mut Home| home.add_user(name, kept, now);
        let added = core.administer(now, &mut turn, add);
        match added {
            Some(Err(error)) => tracing::warn!(user = name, "user not created: {error}"),
            _ => tracing::info!(user = name, "user created"),
        }
        let kept = store.commit(turn.writes).await;
        kept.map_err(|error| StartError::Store(plan.data.display().to_string(), error))?;
    }
    Ok(())
}

/// Creates the configured groups of the provider that do not exist yet.
pub(super) async fn create_groups(
    plan: &Plan,
    core: &mut Core,
    store: &Arc<dyn Store>,
    clock: &Clock,
) -> Result<(), StartError> {
    let shards = core.sap.settings().shards;
    let groups = plan.home.iter().flat_map(|home| &home.groups);
    let is_own = |group: &&HomeGroup| shards.of_group(&format!("/{}", group.name)) == shards.own();
    for group in groups.filter(is_own) {
        let mut turn = Turn::default();
        let now = clock.now();
        let make = |home: &mut Home| {
            home.add_group(&group.name, &properties(group), now)?;
            let mut admins = group.admins.iter();
            admins.try_for_each(|admin| home.appoint(&group.name, admin))
        };
        match core.administer(now, &mut turn, make) {
            Some(Ok(())) => tracing::info!(group = group.name, "group created"),
            Some(Err(GroupError::Exists(_))) | None => {}
            Some(Err(error)) => tracing::warn!(group = group.name, "group not created: {error}"),
        }
        if turn.writes.is_empty() {
            continue;
        }
        let kept = store.commit(turn.writes).await;
        kept.map_err(|error| StartError::Store(plan.data.display().to_string(), error))?;
    }
    Ok(())
}

/// A configured group's properties, as on the wire.
fn properties(group: &HomeGroup) -> Vec<(String, String)> {
    let topic = group.topic.clone().unwrap_or_else(|| group.name.clone());
    let access = if group.restricted {
        "Restricted"
    } else {
        "Open"
    };
    let history = if group.history { "T" } else { "F" };
    [
        ("Topic", topic.as_str()),
        ("AccessType", access),
        ("Searchable", "T"),
        ("History", history),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
