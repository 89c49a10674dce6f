//! Clients of users, as the operator works them.

use super::Shared;
use super::request::Line;
use super::users;

/// Ends all sessions of a user's clients.
pub(super) async fn disconnect(shared: &Shared, user: &str) -> Line {
    let name = match users::local_name(shared, user) {
        Ok(name) => name,
        Err(why) => return Line::error(why),
    };
    match &shared.settings.clients {
        Some(clients) => Line::result(&clients.disconnect(&name).await),
        None => Line::error("this node serves no clients; add [clients] to its configuration"),
    }
}
