//! Who there is: `/verify`.

use super::super::screen;
use super::family::{Command, Family, Meaning, hears_nothing, verdict};
use super::memory::Memory;

pub(super) const FAMILY: Family = Family {
    help: "/verify ADDRESS         does this user exist?",
    understand,
    hear: hears_nothing,
};

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    match command.name {
        "verify" if command.rest.is_empty() => Some(command.needs_address()),
        "verify" => {
            let user = memory.requests.address(command.rest);
            let request = memory.requests.verify(user.clone());
            Some(Meaning::ask(vec![request], move |_, answers| {
                screen::exists(&user, &verdict(answers))
            }))
        }
        _ => None,
    }
}
