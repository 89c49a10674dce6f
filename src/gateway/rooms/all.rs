//! All groups with XMPP users in them.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use super::core::Core;
use super::count::RoomCount;
use super::room::Room;
use crate::gateway::shared::Shared;
use crate::imps::Address;

/// The rooms, by group.
#[derive(Debug, Default)]
pub(super) struct All(BTreeMap<Address, Room>);

impl Deref for All {
    type Target = BTreeMap<Address, Room>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for All {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl All {
    /// The room of a group; a new one if there is none yet.
    pub(super) fn open(&mut self, group: &Address, shared: &Shared) -> Option<&mut Room> {
        if !self.0.contains_key(group) {
            self.0.insert(group.clone(), Room::of(group, shared)?);
        }
        self.0.get_mut(group)
    }

    /// Forgets a room in which nobody is.
    pub(super) fn tidy(&mut self, group: &Address, core: &mut Core, shared: &mut Shared) {
        if let Some(room) = self.0.get_mut(group)
            && room.occupants.is_empty()
        {
            room.clear(core, shared);
            self.0.remove(group);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> RoomCount {
        let rooms = self.0.values();
        RoomCount {
            rooms: self.0.len(),
            occupants: rooms.clone().map(|room| room.occupants.len()).sum(),
            visitors: 0,
            unsettled: rooms.map(Room::unsettled).sum(),
        }
    }
}
