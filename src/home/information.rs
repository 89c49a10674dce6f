//! Provider information and verification of ids (wire profile, 11.5).

use crate::imps::address::Address;
use crate::imps::common::UserId;
use crate::imps::primitive::common::{GetSPInfoRequest, GetSPInfoResponse, Id, VerifyIDRequest};
use crate::imps::status::{Code, DetailedResult, Status};

use super::{Caller, Home};

/// Questions about the domain, and who its users are.
pub(super) struct Information<'a> {
    home: &'a mut Home,
    caller: &'a Caller,
}

impl<'a> Information<'a> {
    pub(super) fn of(home: &'a mut Home, caller: &'a Caller) -> Self {
        Self { home, caller }
    }

    /// Says who runs the domain.
    pub(super) fn info(&mut self, request: GetSPInfoRequest) {
        let settings = &self.home.core.settings;
        let ours = Address::service(&settings.domain);
        if let Some(service) = &request.service
            && *service != ours
        {
            let response = GetSPInfoResponse {
                service: request.service,
                status: Status::new(Code::DOMAIN_NOT_SUPPORTED),
                name: None,
                logo: None,
                description: None,
                url: None,
            };
            return self.home.core.respond(self.caller.id, response);
        }
        let name = settings.name.clone();
        let response = GetSPInfoResponse {
            service: Some(ours),
            status: Status::ok(),
            name: Some(name.unwrap_or_else(|| settings.domain.clone())),
            logo: settings.logo.clone(),
            description: settings.description.clone(),
            url: settings.url.clone(),
        };
        self.home.core.respond(self.caller.id, response);
    }

    /// Says which ids exist.
    pub(super) fn verify(&mut self, request: &VerifyIDRequest) {
        let mut details: Vec<DetailedResult> = Vec::new();
        for id in &request.ids.ids {
            let Some(code) = self.fault_of(id) else {
                continue;
            };
            let at = details.iter().position(|detail| detail.code == code);
            let at = at.unwrap_or_else(|| {
                details.push(DetailedResult::new(code));
                details.len() - 1
            });
            let detail = &mut details[at];
            match id {
                Id::User(id) => detail.users.push(UserId {
                    user: self.home.core.at_home(&id.user),
                }),
                Id::Group(id) => detail.groups.push(id.clone()),
                Id::ScreenName(id) => detail.screen_names.push(id.clone()),
                Id::ContactList(id) => detail.contact_lists.push(id.clone()),
                Id::Domain(id) => detail.domains.push(id.clone()),
            }
        }
        let mut status = Status::ok();
        if !details.is_empty() {
            status.code = Code::PARTIAL;
            status.details = details;
        }
        self.home.core.respond(self.caller.id, status);
    }

    fn fault_of(&self, id: &Id) -> Option<Code> {
        match id {
            // Nobody is woken for that.
            Id::User(id) => match self.home.known_user(&self.home.core.at_home(&id.user)) {
                Ok(_) | Err(Code::UNAVAILABLE) => None,
                Err(code) => Some(code),
            },
            Id::Group(id) => {
                let has = self.home.groups.has(&id.group, None);
                (!has).then_some(Code::NO_GROUP)
            }
            Id::ScreenName(id) => {
                let name = Some(id.name.as_str());
                let has = self.home.groups.has(&id.group, name);
                (!has).then_some(Code::ADDRESS)
            }
            // Nobody else is told which lists a user has.
            Id::ContactList(id) => {
                let core = &self.home.core;
                let list = core.at_home(&id.list);
                let owner = Address::user(list.user_part(), list.domain());
                let user = self.home.users.get(owner.local());
                let user = user.filter(|user| user.address(core) == owner);
                let has = self.caller.user.as_ref() == Some(&owner)
                    && user.is_some_and(|user| user.has_contact_list(&list, core));
                (!has).then_some(Code::NO_CONTACT_LIST)
            }
            Id::Domain(domain) => {
                let ours = domain.trim().eq_ignore_ascii_case(self.home.core.domain());
                (!ours).then_some(Code::NOT_FOUND)
            }
        }
    }
}
