//! What users of ours ask about themselves: their presence, contact and attribute lists, watchers, decisions and
//! block list. It comes from the SAP like any request, whichever client it is from.

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::primitive::presence_admin::PresenceAuthRequest;
use crate::imps::status::{Code, Status};

use super::access::Access;
use super::authorization::{AttributeLists, Decisions};
use super::contact_list::ContactLists;
use super::guests::Guests;
use super::message_store::MessageStore;
use super::notices::Notices;
use super::presence::OwnPresence;
use super::remote::Remote;
use super::watchers::Watchers;
use super::{Caller, Home};

/// Requests of users of ours about themselves.
pub(super) struct OwnRequests<'a> {
    home: &'a mut Home,
    caller: &'a Caller,
    now: Time,
}

impl<'a> OwnRequests<'a> {
    /// For this caller, at this time.
    pub(super) fn of(home: &'a mut Home, caller: &'a Caller, now: Time) -> Self {
        Self { home, caller, now }
    }

    /// Whether they are about whoever makes them. What a group has kept says the group.
    pub(super) fn serves(request: &Primitive) -> bool {
        match request {
            Primitive::GetMessageListRequest(request) => request.group.is_none(),
            Primitive::GetMessageRequest(request) => request.group.is_none(),
            other => Self::is_own(other),
        }
    }

    fn is_own(request: &Primitive) -> bool {
        matches!(
            request,
            Primitive::UpdatePresenceRequest(_)
                | Primitive::GetWatcherListRequest(_)
                | Primitive::PresenceAuthUserRequest(_)
                | Primitive::CancelAuthRequest(_)
                | Primitive::GetReactiveAuthStatusRequest(_)
                | Primitive::CreateAttributeListRequest(_)
                | Primitive::DeleteAttributeListRequest(_)
                | Primitive::GetAttributeListRequest(_)
                | Primitive::GetListRequest(_)
                | Primitive::CreateListRequest(_)
                | Primitive::DeleteListRequest(_)
                | Primitive::ListManageRequest(_)
                | Primitive::SetDeliveryMethodRequest(_)
                | Primitive::RejectMessageRequest(_)
                | Primitive::ForwardMessageRequest(_)
                | Primitive::MessageDelivered(_)
                | Primitive::GetBlockedListRequest(_)
                | Primitive::BlockEntityRequest(_)
        )
    }

    /// Does what is asked, and answers.
    pub(super) fn serve(&mut self, primitive: Primitive) {
        let Some(asking) = self.caller.requestor(&mut self.home.core) else {
            return;
        };
        let leaf = primitive.any_name().facts().map_or("", |facts| facts.leaf);
        let Some(name) = self.name_of(&asking, leaf) else {
            return;
        };
        let Home { users, core, .. } = &mut *self.home;
        let Some(user) = users.get_mut(&name).filter(|user| !user.builtin) else {
            let status = Status::new(Code::FORBIDDEN).because("This user cannot be changed.");
            return core.respond(self.caller.id, status);
        };
        let now = self.now;
        if user.is_guest() {
            Remote::of(user, core, now).follow(&primitive);
        }
        let answer: Primitive = match primitive {
            Primitive::UpdatePresenceRequest(request) => {
                let from = &self.caller.domain;
                OwnPresence::of(user, core, now)
                    .update(from, *request)
                    .into()
            }
            Primitive::GetWatcherListRequest(request) => {
                Watchers::of(user, core, now).list(&request).into()
            }
            Primitive::PresenceAuthUserRequest(request) => {
                Decisions::of(user, core, now).authorize(&request).into()
            }
            Primitive::CancelAuthRequest(request) => Decisions::of(user, core, now)
                .cancel(&request.watcher)
                .into(),
            Primitive::GetReactiveAuthStatusRequest(request) => {
                Decisions::of(user, core, now).states(&request).into()
            }
            Primitive::CreateAttributeListRequest(request) => {
                AttributeLists::of(user, core, now).create(&request).into()
            }
            Primitive::DeleteAttributeListRequest(request) => {
                AttributeLists::of(user, core, now).delete(&request).into()
            }
            Primitive::GetAttributeListRequest(request) => {
                AttributeLists::of(user, core, now).get(&request).into()
            }
            Primitive::GetListRequest(_) => ContactLists::of(user, core, now).all().into(),
            Primitive::CreateListRequest(request) => {
                ContactLists::of(user, core, now).create(&request).into()
            }
            Primitive::DeleteListRequest(request) => ContactLists::of(user, core, now)
                .delete(&request.list)
                .into(),
            Primitive::ListManageRequest(request) => {
                ContactLists::of(user, core, now).manage(&request).into()
            }
            stored @ (Primitive::SetDeliveryMethodRequest(_)
            | Primitive::GetMessageListRequest(_)
            | Primitive::GetMessageRequest(_)
            | Primitive::RejectMessageRequest(_)
            | Primitive::ForwardMessageRequest(_)
            | Primitive::MessageDelivered(_)) => {
                let mut store = MessageStore::of(user, core, now);
                match store.serve(self.caller.id, stored) {
                    Some(answer) => answer,
                    None => return,
                }
            }
            Primitive::GetBlockedListRequest(_) => Access::of(user, core).lists().into(),
            Primitive::BlockEntityRequest(request) => {
                Access::of(user, core).change(&request).into()
            }
            _ => Status::new(Code::NOT_IMPLEMENTED).into(),
        };
        core.respond(self.caller.id, answer);
    }

    /// The name of a user of ours, or of a guest to whom a function is provided; else answered.
    fn name_of(&mut self, address: &Address, leaf: &str) -> Option<String> {
        let found = match self.home.core.local_name(address) {
            Ok(_) => self.home.known_user(address),
            Err(_) => Guests::of(self.home, self.now).admit(address, leaf),
        };
        let code = match found {
            Ok(name) => return Some(name),
            Err(Code::DOMAIN_NOT_SUPPORTED) => Code::NOT_IMPLEMENTED,
            Err(code) => code,
        };
        self.home.core.respond(self.caller.id, Status::new(code));
        None
    }

    /// Another domain, which provides the presence of a user of ours, asks the user for
    /// authorization. The user's decision goes back there by the Service Table.
    pub(super) fn ask(&mut self, request: PresenceAuthRequest) {
        let publisher = self.home.core.at_home(&request.publisher.user);
        let name = match self.home.core.local_name(&publisher) {
            Ok(_) => self.name_of(&publisher, ""),
            // To guests their home domain puts it.
            Err(_) => {
                let status = Status::new(Code::NOT_IMPLEMENTED);
                return self.home.core.respond(self.caller.id, status);
            }
        };
        let Some(name) = name else {
            return;
        };
        let Home { users, core, .. } = &mut *self.home;
        let status = match users.get_mut(&name).filter(|user| !user.builtin) {
            Some(user) => {
                Notices::of(user, core, self.now).keep(request.into(), None);
                Status::ok()
            }
            None => Status::new(Code::UNKNOWN_USER),
        };
        core.respond(self.caller.id, status);
    }
}
