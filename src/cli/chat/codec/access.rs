//! From whom the user takes messages: `/block`, `/unblock`.

use super::family::{Command, Family, Meaning, hears_nothing};
use super::memory::Memory;

pub(super) const FAMILY: Family = Family {
    help: "/block ADDRESS          take no messages from somebody; /unblock ends it",
    understand,
    hear: hears_nothing,
};

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    let (what, blocks) = match command.name {
        "block" => ("block", true),
        "unblock" => ("unblock", false),
        _ => return None,
    };
    if command.rest.is_empty() {
        return Some(command.needs_address());
    }
    let user = memory.requests.address(command.rest);
    let request = memory.requests.block(user.clone(), blocks);
    Some(Meaning::done(what, Some(user), request))
}
