//! Contact lists of users, as the operator works them.

use super::Shared;
use super::request::Line;
use super::users::{change, home_of, local_name, no_home};
use crate::element::Time;
use crate::home::{Home, OperatorLists, UserError};
use crate::node::{Core, Gone};

/// The contact lists of a user, or one of them.
pub(super) async fn show(
    shared: &Shared,
    user: String,
    list: Option<String>,
) -> Result<Line, Gone> {
    let name = match local_name(shared, &user) {
        Ok(name) => name,
        Err(why) => return Ok(Line::error(why)),
    };
    let of = name.clone();
    let look = move |core: &mut Core, _, _: &mut _| {
        let Some(home) = home_of(core) else {
            return no_home();
        };
        match (home.contact_lists(&name), list) {
            (Err(error), _) => Line::error(error),
            (Ok(lists), None) => Line::result(&lists),
            (Ok(lists), Some(wanted)) => {
                let mut lists = lists.into_iter();
                match lists.find(|list| list.list == wanted) {
                    Some(list) => Line::result(&list),
                    None => Line::error(format!("{name} has no contact list {wanted}")),
                }
            }
        }
    };
    shared.node.ask_for_user(&of, look).await
}

/// Makes a contact list of a user, with nobody on it.
pub(super) async fn create(
    shared: &Shared,
    user: String,
    list: String,
    display: Option<String>,
) -> Result<Line, Gone> {
    work(shared, user, move |lists| lists.create(&list, display)).await
}

/// Removes a contact list of a user; who was on it stays on the others.
pub(super) async fn delete(shared: &Shared, user: String, list: String) -> Result<Line, Gone> {
    work(shared, user, move |lists| lists.delete(&list)).await
}

/// Puts somebody on a list.
pub(super) async fn add(
    shared: &Shared,
    user: String,
    list: String,
    member: String,
    nick: Option<String>,
) -> Result<Line, Gone> {
    work(shared, user, move |lists| lists.add(&list, &member, nick)).await
}

/// Takes somebody off a list.
pub(super) async fn remove(
    shared: &Shared,
    user: String,
    list: String,
    member: String,
) -> Result<Line, Gone> {
    work(shared, user, move |lists| lists.remove(&list, &member)).await
}

async fn work(
    shared: &Shared,
    user: String,
    work: impl FnOnce(&mut OperatorLists<'_>) -> Result<(), UserError> + Send + 'static,
) -> Result<Line, Gone> {
    change(
        shared,
        user,
        move |home: &mut Home, name: &str, now: Time| work(&mut home.operator(now).lists(name)?),
    )
    .await
}
