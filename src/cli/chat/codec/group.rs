//! Groups: what they tell.

use super::super::screen;
use super::family::{Command, Family, Heard, Meaning};
use super::memory::Memory;
use crate::imps::Primitive;

pub(super) const FAMILY: Family = Family {
    help: "",
    understand,
    hear,
};

fn understand(_: &mut Memory, _: &Command<'_>) -> Option<Meaning> {
    None
}

fn hear(_: &mut Memory, primitive: &Primitive) -> Option<Heard> {
    match primitive {
        Primitive::GroupChangeNotice(notice) => Some(screen::changed(notice)),
        Primitive::LeaveGroupIndication(notice) => Some(Some(screen::has_left(notice))),
        _ => None,
    }
}
