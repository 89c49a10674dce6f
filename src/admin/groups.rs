//! Groups of the home domain, as the operator works them.

use std::collections::BTreeMap;

use super::Shared;
use super::request::Line;
use super::users::{home_of, local_name, no_home};
use crate::element::Time;
use crate::home::{GroupError, GroupView, Home};
use crate::node::Gone;

/// Makes a group of the provider.
pub(super) async fn add(
    shared: &Shared,
    group: String,
    properties: BTreeMap<String, String>,
    admins: Vec<String>,
) -> Result<Line, Gone> {
    let mut all = properties;
    let is_there = |all: &BTreeMap<String, String>, name: &str| {
        all.keys().any(|known| known.eq_ignore_ascii_case(name))
    };
    if !is_there(&all, "Name") && !is_there(&all, "Topic") {
        all.insert("Name".to_owned(), group.clone());
    }
    if !is_there(&all, "Searchable") {
        all.insert("Searchable".to_owned(), "T".to_owned());
    }
    let all: Vec<(String, String)> = all.into_iter().collect();
    change(shared, group, move |home, group, now| {
        home.add_group(group, &all, now)?;
        let mut admins = admins.iter();
        admins.try_for_each(|admin| home.appoint(group, admin))
    })
    .await
}

pub(super) async fn remove(shared: &Shared, group: String) -> Result<Line, Gone> {
    change(shared, group, Home::remove_group).await
}

pub(super) async fn list(shared: &Shared) -> Result<Line, Gone> {
    let look = |core: &mut crate::node::Core, _, _: &mut _| {
        let home = home_of(core)?;
        Some(home.groups().collect::<Vec<_>>())
    };
    let shards = shared.node.ask_all(look).await?.into_iter();
    let Some(groups) = shards.collect::<Option<Vec<_>>>() else {
        return Ok(no_home());
    };
    let mut groups: Vec<GroupView> = groups.into_iter().flatten().collect();
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(Line::result(&groups))
}

pub(super) async fn show(shared: &Shared, group: String) -> Result<Line, Gone> {
    let group = match key(shared, &group) {
        Ok(group) => group,
        Err(why) => return Ok(Line::error(why)),
    };
    let of = group.clone();
    let look = move |core: &mut crate::node::Core, _, _: &mut _| {
        let Some(home) = home_of(core) else {
            return no_home();
        };
        match home.group(&group) {
            Some(view) => Line::result(&view),
            None => Line::error(GroupError::Unknown(group)),
        }
    };
    shared.node.ask_for_group(&of, look).await
}

/// What stands before the domain of a group's address, by its name or address: a bare name is one
/// of the provider's.
fn key(shared: &Shared, group: &str) -> Result<String, String> {
    let name = local_name(shared, group)?;
    Ok(if name.contains('/') {
        name
    } else {
        format!("/{name}")
    })
}

/// Changes something of a group and waits until that is on disk.
async fn change(
    shared: &Shared,
    group: String,
    work: impl FnOnce(&mut Home, &str, Time) -> Result<(), GroupError> + Send + 'static,
) -> Result<Line, Gone> {
    let group = match key(shared, &group) {
        Ok(group) => group,
        Err(why) => return Ok(Line::error(why)),
    };
    let of = group.clone();
    let done = shared.node.change_for_group(&of, move |core, now, turn| {
        home_of(core)?;
        core.administer(now, turn, |home| work(home, &group, now))
    });
    Ok(match done.await? {
        None => Line::error("the store does not take it; see the log of the node"),
        Some(None) => no_home(),
        Some(Some(Err(error))) => Line::error(error),
        Some(Some(Ok(()))) => Line::result(&"done"),
    })
}
