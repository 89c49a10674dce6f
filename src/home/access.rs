//! Who may reach a user (wire profile, 11.10): the block list and the grant list, as the user reads
//! and changes them.

use crate::element::access::{Changes, told};
use crate::imps::primitive::access::{BlockEntityRequest, GetBlockedListResponse};
use crate::imps::status::Status;

use super::core::Core;
use super::records;
use super::user::User;

/// Who may reach a user.
pub(super) struct Access<'a> {
    user: &'a mut User,
    core: &'a mut Core,
}

impl<'a> Access<'a> {
    pub(super) fn of(user: &'a mut User, core: &'a mut Core) -> Self {
        Self { user, core }
    }

    pub(super) fn lists(&self) -> GetBlockedListResponse {
        told(&self.user.access)
    }

    /// Changes the lists. Entries that cannot be are named, and the others taken; if there is no room
    /// nothing is done.
    pub(super) fn change(&mut self, request: &BlockEntityRequest) -> Status {
        let has_list = |list: &_| self.user.has_contact_list(list, self.core);
        let domain = &self.core.settings.domain;
        let changes = Changes::of(request, &self.user.access, domain, has_list);
        let most = self.core.settings.max_access;
        if let Err(status) = changes.find_room(&self.user.access, most) {
            return status;
        }
        if changes.in_use != self.user.access.in_use() {
            self.user.access.set_in_use(changes.in_use);
            self.core
                .act(records::put_access(&self.user.name, changes.in_use));
        }
        for change in &changes.changes {
            if let Some(listed) = self.user.access.change(change) {
                let key = change.entry.key();
                self.core
                    .act(records::put_listed(&self.user.name, &key, &listed));
            }
        }
        changes.status()
    }
}
