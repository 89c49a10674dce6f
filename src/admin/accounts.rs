//! Users moved in and out in bulk, changed, and disabled.
//!
//! A batch is one request and one commit in each shard that it concerns, so others are served
//! between two batches however many follow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Shared;
use super::request::Line;
use super::users::{NO_STORE, local_name, no_home};
use crate::home::{Home, UserError, UserRecord};
use crate::node::{Core, Gone};

/// Users in one answer to an export, at most.
pub const MAX_EXPORTED: usize = 500;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Imported {
    /// Users made, or changed.
    pub done: usize,
    /// The others, each by its place in the batch, from 0. Nothing was done for them.
    pub refused: BTreeMap<usize, String>,
}

/// Makes users; with `update` those who exist are changed instead of refused.
pub(super) async fn import(
    shared: &Shared,
    users: Vec<UserRecord>,
    update: bool,
) -> Result<Line, Gone> {
    let mut outcome = Imported::default();
    let mut shards: BTreeMap<u16, Vec<(usize, UserRecord)>> = BTreeMap::new();
    for (at, user) in users.into_iter().enumerate() {
        match prepared(shared, user).await {
            Ok(user) => {
                let shard = shared.node.shard_of_user(&user.user);
                shards.entry(shard).or_default().push((at, user));
            }
            Err(why) => {
                outcome.refused.insert(at, why);
            }
        }
    }
    for (shard, users) in shards {
        let places: Vec<usize> = users.iter().map(|(at, _)| *at).collect();
        let names = users.iter().map(|(_, user)| user.user.clone());
        shared.node.wake(shard, names.collect()).await?;
        let work = move |core: &mut Core, now, turn: &mut _| {
            core.administer(now, turn, |home: &mut Home| {
                if !home.has_users() {
                    return None;
                }
                let mut operator = home.operator(now);
                let results = users.into_iter().map(|(at, user)| {
                    let made = match operator.import(&user) {
                        Err(UserError::Exists(_)) if update => operator.change(&user),
                        made => made,
                    };
                    (at, made.map_err(|error| error.to_string()))
                });
                Some(results.collect::<Vec<_>>())
            })
        };
        match shared.node.change_in(shard, work).await? {
            Some(Some(Some(results))) => {
                for (at, made) in results {
                    match made {
                        Ok(()) => outcome.done += 1,
                        Err(why) => {
                            outcome.refused.insert(at, why);
                        }
                    }
                }
            }
            Some(_) => return Ok(no_home()),
            None => {
                let refused = places.into_iter().map(|at| (at, NO_STORE.to_owned()));
                outcome.refused.extend(refused);
            }
        }
    }
    Ok(Line::result(&outcome))
}

/// Changes what is said of one user.
pub(super) async fn set(shared: &Shared, user: UserRecord) -> Result<Line, Gone> {
    let user = match prepared(shared, user).await {
        Ok(user) => user,
        Err(why) => return Ok(Line::error(why)),
    };
    let shard = shared.node.shard_of_user(&user.user);
    shared.node.wake(shard, vec![user.user.clone()]).await?;
    let work = move |core: &mut Core, now, turn: &mut _| {
        let change = |home: &mut Home| home.has_users().then(|| home.operator(now).change(&user));
        core.administer(now, turn, change).flatten()
    };
    Ok(match shared.node.change_in(shard, work).await? {
        None => Line::error(NO_STORE),
        Some(None) => no_home(),
        Some(Some(Err(error))) => Line::error(error),
        Some(Some(Ok(()))) => Line::result(&"done"),
    })
}

/// Users in the order of their names, from behind `after` on; none are left if it is empty.
pub(super) async fn export(shared: &Shared, after: String, limit: usize) -> Result<Line, Gone> {
    let limit = limit.clamp(1, MAX_EXPORTED);
    for shard in 0..shared.node.shards() {
        let after = after.clone();
        let look = move |core: &mut Core, _, _: &mut _| {
            let home = core.element::<Home>();
            home.map_or_else(Vec::new, |home| home.names().behind(&after, limit))
        };
        let names = shared.node.ask_in(shard, look).await?;
        shared.node.wake(shard, names).await?;
    }
    let look = move |core: &mut Core, now, turn: &mut _| {
        let list = |home: &mut Home| {
            home.has_users()
                .then(|| home.operator(now).export(&after, limit))
        };
        core.administer(now, turn, list).flatten()
    };
    let shards = shared.node.ask_all(look).await?.into_iter();
    let Some(users) = shards.collect::<Option<Vec<_>>>() else {
        return Ok(no_home());
    };
    let mut users: Vec<UserRecord> = users.into_iter().flatten().collect();
    users.sort_by(|a, b| a.user.cmp(&b.user));
    users.truncate(limit);
    Ok(Line::result(&users))
}

/// A user with the name alone, and the hash of the password.
async fn prepared(shared: &Shared, mut user: UserRecord) -> Result<UserRecord, String> {
    user.user = local_name(shared, &user.user)?;
    if let Some(password) = user.password.take() {
        if user.password_hash.is_some() {
            return Err(format!("{}: both a password and a hash", user.user));
        }
        let kept = shared.node.passwords().keep(&user.user, password).await?;
        user.password_hash = Some(kept.hash);
        user.sealed = kept.sealed;
    }
    Ok(user)
}
