//! Whether clients are still there.

use xmpp_parsers::iq::Iq;

use super::core::{Core, Who};
use super::room::{Room, address};
use crate::gateway::shared::Shared;
use crate::translate::stanza::{element, ns};

/// Errors by which a client shows that it is not there any more.
const GONE: [&str; 9] = [
    "gone",
    "internal-server-error",
    "item-not-found",
    "jid-malformed",
    "recipient-unavailable",
    "redirect",
    "remote-server-not-found",
    "remote-server-timeout",
    "service-unavailable",
];

/// Whether an error says that there is nobody.
pub(super) fn is_gone(error: &minidom::Element) -> bool {
    let mut children = error.children();
    children.any(|child| GONE.contains(&child.name()))
}

/// Asks the clients in a room whether they are there.
pub(super) fn ping(room: &Room, core: &mut Core, shared: &mut Shared) {
    core.pings.retain(|_, (who, _)| who.group != room.group);
    if !shared.links.is_up(&room.component) {
        return;
    }
    for (user, resource) in room.inside() {
        let Some(to) = address(user, resource) else {
            continue;
        };
        let id = shared.id();
        let who = Who {
            group: room.group.clone(),
            user: user.to_owned(),
        };
        core.pings.insert(id.clone(), (who, resource.to_owned()));
        let get = Iq::Get {
            from: Some(room.jid.clone().into()),
            to: Some(to),
            id,
            payload: element("ping", ns::PING).build(),
        };
        shared.hand(&room.component, get);
    }
}
