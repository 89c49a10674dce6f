//! Whose messages a user takes (wire profile, 11.10): the block list, which is always in use. There
//! is no grant list, and only users can be blocked.

use crate::imps::common::UserId;
use crate::imps::primitive::access::{
    BlockEntityRequest, EntityChanges, EntityList, GetBlockedListResponse,
};
use crate::imps::status::{Code, Status};

use super::contact_list::{MAX_CONTACTS, is_user};
use super::core::Core;
use super::relation::Relation;
use super::user::User;

/// Whose messages a user takes.
pub(super) struct Access<'a> {
    user: &'a mut User,
    core: &'a mut Core,
}

impl<'a> Access<'a> {
    /// Of this user.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core) -> Self {
        Self { user, core }
    }

    /// Both lists.
    pub(super) fn lists(&self) -> GetBlockedListResponse {
        let relations = self.user.relations.iter();
        let blocked = relations.filter(|(_, relation)| relation.blocked);
        let users = blocked.map(|(user, _)| UserId { user: user.clone() });
        let list = |in_use, users| EntityList {
            in_use: Some(in_use),
            users,
            screen_names: Vec::new(),
            groups: Vec::new(),
            lists: Vec::new(),
        };
        GetBlockedListResponse {
            status: Status::ok(),
            blocked: Some(list(true, users.collect())),
            granted: Some(list(false, Vec::new())),
        }
    }

    /// Changes the block list, all that is wanted or nothing.
    pub(super) fn change(&mut self, request: &BlockEntityRequest) -> Status {
        if let Err((code, why)) = self.may_change(request) {
            return Status::new(code).because(why);
        }
        let changes = request.blocked.as_ref();
        let add = changes.and_then(|changes| changes.add.as_ref());
        let remove = changes.and_then(|changes| changes.remove.as_ref());
        for (list, blocks) in [(add, true), (remove, false)] {
            for id in list.iter().flat_map(|list| &list.users) {
                let other = self.core.at_home(&id.user);
                self.user
                    .relate(self.core, &other, |relation| relation.blocked = blocks);
            }
        }
        Status::ok()
    }

    fn may_change(&self, request: &BlockEntityRequest) -> Result<(), (Code, &'static str)> {
        let has_any = |list: &EntityList| {
            !(list.users.is_empty()
                && list.screen_names.is_empty()
                && list.groups.is_empty()
                && list.lists.is_empty())
        };
        let grants = |changes: &EntityChanges| {
            let lists = [&changes.add, &changes.remove];
            changes.in_use == Some(true) || lists.into_iter().flatten().any(has_any)
        };
        if request.granted.as_ref().is_some_and(grants) {
            return Err((Code::NOT_IMPLEMENTED, "There is no grant list."));
        }
        let Some(changes) = &request.blocked else {
            return Ok(());
        };
        if changes.in_use == Some(false) {
            return Err((Code::NOT_IMPLEMENTED, "The block list is always in use."));
        }
        let lists = [&changes.add, &changes.remove];
        for list in lists.into_iter().flatten() {
            let mut users = list.users.iter().map(|id| self.core.at_home(&id.user));
            if !users.all(|user| is_user(&user)) {
                return Err((Code::ADDRESS, "The address names no user."));
            }
            if !(list.screen_names.is_empty() && list.groups.is_empty() && list.lists.is_empty()) {
                return Err((Code::NOT_IMPLEMENTED, "Only users can be blocked."));
            }
        }
        let add = changes.add.iter().flat_map(|list| &list.users);
        let is_new = |id: &&UserId| {
            let known = self.user.relations.get(&self.core.at_home(&id.user));
            !known.is_some_and(Relation::is_own)
        };
        if self
            .user
            .has_room_for_more(add.filter(is_new).count(), self.core)
        {
            Ok(())
        } else {
            Err((MAX_CONTACTS, "There is no room for another contact."))
        }
    }
}
