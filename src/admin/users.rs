//! Users of the home domain, as the operator works them.

use serde_json::{Value, json};

use super::Shared;
use super::request::Line;
use crate::element::Time;
use crate::home::{Credentials, Home, UserError};
use crate::imps::primitive::profile::UserProfile;
use crate::node::{Core, Gone};

/// Said when nothing could be written.
pub(super) const NO_STORE: &str = "the store does not take it; see the log of the node";

/// The home domain, if this node hosts users.
pub(super) fn home_of(core: &Core) -> Option<&Home> {
    core.element().filter(|home: &&Home| home.has_users())
}

/// The name of a user of this node, given as name or address.
pub(super) fn local_name(shared: &Shared, user: &str) -> Result<String, String> {
    let user = user.strip_prefix("wv:").unwrap_or(user);
    let domain = &shared.settings.domain;
    match user.rsplit_once('@') {
        Some((name, of)) if of.eq_ignore_ascii_case(domain) => Ok(name.to_lowercase()),
        Some((_, of)) => Err(format!("{of} is not the domain of this node, {domain}")),
        None => Ok(user.to_lowercase()),
    }
}

/// Whether it is the password of that user. Where registration is open, a stranger
/// becomes a user by it.
pub(super) async fn check_password(
    shared: &Shared,
    name: &str,
    given: String,
) -> Result<(), String> {
    let user = name.to_owned();
    let look = move |core: &mut crate::node::Core, _, _: &mut _| {
        let home = home_of(core)?;
        match (home.password_hash(&user), home.not_awake(&user)) {
            (Some(hash), _) => Some(Ok((hash.to_owned(), home.is_disabled(&user)))),
            (None, why @ UserError::Unavailable(_)) => Some(Err(why)),
            (None, _) => None,
        }
    };
    let known = shared
        .node
        .ask_for_user(name, look)
        .await
        .map_err(|gone| gone.to_string())?;
    let Some(known) = known else {
        if !shared.settings.open_registration {
            return Err("wrong user name or password".to_owned());
        }
        return match add(shared, name.to_owned(), given).await {
            Ok(Line::Error { error }) => Err(error),
            Ok(_) => Ok(()),
            Err(gone) => Err(gone.to_string()),
        };
    };
    let (hash, is_disabled) = known.map_err(|why| why.to_string())?;
    match shared.node.passwords().verify(given, hash).await {
        // Only who knows the password is told.
        true if is_disabled => Err(UserError::Disabled(name.to_owned()).to_string()),
        true => Ok(()),
        false => Err("wrong user name or password".to_owned()),
    }
}

pub(super) async fn add(shared: &Shared, user: String, given: String) -> Result<Line, Gone> {
    with_password(shared, user, given, |home, name, hash, now| {
        home.add_user(name, hash, now)
    })
    .await
}

/// Changes a password.
pub(super) async fn passwd(shared: &Shared, user: String, given: String) -> Result<Line, Gone> {
    with_password(shared, user, given, |home, name, hash, _| {
        home.set_password_hash(name, hash)
    })
    .await
}

pub(super) async fn remove(shared: &Shared, user: String) -> Result<Line, Gone> {
    let line = change(shared, user.clone(), Home::remove_user).await?;
    // Groups that are not where the user was.
    if let (Ok(name), Line::Result { .. }) = (local_name(shared, &user), &line) {
        let forget = move |core: &mut crate::node::Core, now, turn: &mut _| {
            let forget = |home: &mut Home| home.forget_member(&name, now);
            core.administer(now, turn, forget)
        };
        shared.node.ask_all(forget).await?;
    }
    Ok(line)
}

/// All users and whether they are online.
pub(super) async fn list(shared: &Shared) -> Result<Line, Gone> {
    let domain = shared.settings.domain.clone();
    let look = move |core: &mut crate::node::Core, _, _: &mut _| {
        let home = home_of(core)?;
        let users: Vec<_> = home
            .names()
            .all()
            .map(|name| {
                json!({
                    "user": name,
                    "address": format!("wv:{name}@{domain}"),
                    "online": home.is_online(name),
                    "disabled": home.is_disabled(name),
                })
            })
            .collect();
        Some(users)
    };
    let shards = shared.node.ask_all(look).await?.into_iter();
    let Some(users) = shards.collect::<Option<Vec<_>>>() else {
        return Ok(no_home());
    };
    let mut users: Vec<Value> = users.into_iter().flatten().collect();
    users.sort_by(|a, b| a["user"].as_str().cmp(&b["user"].as_str()));
    Ok(Line::result(&users))
}

/// One user with their profile.
pub(super) async fn show(shared: &Shared, user: String) -> Result<Line, Gone> {
    let name = match local_name(shared, &user) {
        Ok(name) => name,
        Err(why) => return Ok(Line::error(why)),
    };
    let user = name.clone();
    let look = move |core: &mut crate::node::Core, _, _: &mut _| {
        let Some(home) = core.element::<Home>() else {
            return no_home();
        };
        match home.profile(&name) {
            Some(profile) => {
                let mut view = view(&name, home.is_online(&name), &profile);
                view["disabled"] = home.is_disabled(&name).into();
                Line::result(&view)
            }
            None => Line::error(home.not_awake(&name)),
        }
    };
    shared.node.ask_for_user(&user, look).await
}

/// A profile under the names it has on the wire.
fn view(name: &str, online: bool, profile: &UserProfile) -> Value {
    let services = profile
        .services
        .iter()
        .flatten()
        .map(|entry| json!({ "name": entry.name, "status": entry.status, "pse": entry.pse }));
    let privacy = profile.privacy.iter().flatten();
    let privacy = privacy.map(|entry| json!({ "name": entry.name, "status": entry.status }));
    let terminals = profile.terminals.iter().flatten().map(|entry| {
        json!({
            "url": entry.url,
            "client_type": entry.client_type,
            "initial_delivery_method": entry.delivery_method,
            "accepted_content_types": entry.content_types,
            "accepted_transfer_encoding": entry.transfer_encoding,
            "accepted_content_length": entry.content_length,
            "supported_bearers": entry.bearers,
            "supported_cir_methods": entry.cir_methods,
        })
    });
    let properties = profile.properties.iter().flatten();
    let properties = properties.map(|entry| json!({ "name": entry.name, "value": entry.value }));
    json!({
        "user": name,
        "address": profile.user,
        "online": online,
        "modified": profile.modified.map(|at| at.to_string()),
        "services": services.collect::<Vec<_>>(),
        "privacy": privacy.collect::<Vec<_>>(),
        "terminals": terminals.collect::<Vec<_>>(),
        "properties": properties.collect::<Vec<_>>(),
    })
}

async fn with_password(
    shared: &Shared,
    user: String,
    given: String,
    work: impl FnOnce(&mut Home, &str, Credentials, Time) -> Result<(), UserError> + Send + 'static,
) -> Result<Line, Gone> {
    let name = match local_name(shared, &user) {
        Ok(name) => name,
        Err(why) => return Ok(Line::error(why)),
    };
    match shared.node.passwords().keep(&name, given).await {
        Ok(kept) => {
            change(shared, user, move |home, name, now| {
                work(home, name, kept, now)
            })
            .await
        }
        Err(why) => Ok(Line::error(why)),
    }
}

/// Changes something of a user and waits until that is on disk.
pub(super) async fn change(
    shared: &Shared,
    user: String,
    work: impl FnOnce(&mut Home, &str, Time) -> Result<(), UserError> + Send + 'static,
) -> Result<Line, Gone> {
    let name = match local_name(shared, &user) {
        Ok(name) => name,
        Err(why) => return Ok(Line::error(why)),
    };
    let of = name.clone();
    let done = shared.node.change_for_user(&of, move |core, now, turn| {
        home_of(core)?;
        core.administer(now, turn, |home| work(home, &name, now))
    });
    Ok(match done.await? {
        None => Line::error(NO_STORE),
        Some(None) => no_home(),
        Some(Some(Err(error))) => Line::error(error),
        Some(Some(Ok(()))) => Line::result(&"done"),
    })
}

pub(super) fn no_home() -> Line {
    Line::error("this node has no home domain; add [home] to its configuration")
}
