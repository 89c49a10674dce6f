//! What groups answer to what was asked of them and said in them.

use super::Rooms;
use super::asking::Asking;
use super::core::Asked;
use super::hearing::Hearing;
use super::membership::Membership;
use crate::element::Time;
use crate::gateway::shared::Shared;
use crate::imps::Code;
use crate::imps::primitive::Primitive;

/// Answers of groups, each for who waits for it.
pub(in crate::gateway) struct Answers<'a> {
    rooms: &'a mut Rooms,
    shared: &'a mut Shared,
    now: Time,
}

impl<'a> Answers<'a> {
    /// For these rooms, at this time.
    pub(super) fn of(rooms: &'a mut Rooms, shared: &'a mut Shared, now: Time) -> Self {
        Self { rooms, shared, now }
    }

    /// A message to a group was taken over on the way, and this is known of it.
    pub(in crate::gateway) fn taken_over(&mut self, token: u64, known: &Primitive) {
        let Rooms {
            all,
            core,
            speaking,
            ..
        } = &mut *self.rooms;
        if let Some((group, _)) = speaking.of(token) {
            let places = (all.get(&group), &*core);
            speaking.taken_over(token, known, places, self.now, self.shared);
        }
    }

    /// The answer to a request of this room.
    pub(in crate::gateway) fn take(&mut self, token: u64, answer: Primitive) {
        let (now, shared) = (self.now, &mut *self.shared);
        let Rooms {
            all,
            core,
            speaking,
            ..
        } = &mut *self.rooms;
        if let Some((group, user)) = speaking.of(token) {
            let places = (all.get(&group), &*core);
            let is_outside = speaking.answered(token, &answer, places, now, shared);
            if let Some(room) = all.get_mut(&group).filter(|_| is_outside) {
                Membership::of(room, core, shared, now).heard_of(&user, Code::NOT_JOINED);
            }
            return;
        }
        let Some(asked) = core.answered(token) else {
            return;
        };
        let (who, about) = match asked {
            Asked::Question(question) => {
                return Asking::of(all, core, shared, now).answer(question, &answer);
            }
            Asked::Topic(who, message) => {
                return Asking::of(all, core, shared, now).topic_set(&who, &message, &answer);
            }
            Asked::Occupant(who, about) => (who, about),
        };
        let Some(room) = all.get_mut(&who.group) else {
            return;
        };
        Hearing::of(room, core, shared, now).answered(&who.user, (about, token), answer);
        all.tidy(&who.group, core, shared);
    }
}
