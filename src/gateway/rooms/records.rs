//! What rooms write down, and under which keys.

use crate::imps::Address;
use crate::store::Write;

/// Begins every key of rooms.
pub(in crate::gateway) const PREFIX: &str = "gateway/room-";
/// `gateway/room-said/N`: a message to a group whose answer is awaited.
pub(super) const SAID: &str = "gateway/room-said/";
/// `gateway/room-user/X G`: the XMPP user X is in the group G.
pub(super) const USER: &str = "gateway/room-user/";
/// `gateway/room-name/G NICK`: who is shown in the group G.
pub(super) const NAME: &str = "gateway/room-name/";
/// What occupants' ids are made with.
pub(super) const SALT: &str = "gateway/room-salt";

pub(super) fn said_key(number: u64) -> String {
    debug_assert!(SAID.starts_with(PREFIX));
    Write::numbered(SAID, number)
}

pub(super) fn user_key(user: &str, group: &Address) -> String {
    format!("{USER}{user} {group}")
}

pub(super) fn name_key(group: &Address, nick: &str) -> String {
    format!("{NAME}{group} {nick}")
}

/// The two parts of such a key, behind its prefix. Neither a bare JID nor a group has a space.
pub(super) fn parts(rest: &str) -> Result<(&str, &str), String> {
    rest.split_once(' ')
        .ok_or_else(|| format!("\"{rest}\" is not about a room"))
}
