//! Attribute lists: proactive authorization (WVFF, 5.3.2; wire profile, 11.7).
//!
//! A list is attached to a user, to a contact list, or is the default one, which is that of contact
//! lists without one of their own. As long as nobody has touched it, the default list has everything
//! in it.

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::{AttributeList, ContactList, UserId};
use crate::imps::presence::{Attribute, AttributeName};
use crate::imps::primitive::presence_admin::{
    AttributeGrant, CreateAttributeListRequest, DeleteAttributeListRequest,
    GetAttributeListRequest, GetAttributeListResponse,
};
use crate::imps::status::{Code, DetailedResult, Status};

use super::super::contact_list::{is_user, name_within};
use super::super::core::Core;
use super::super::presence::Presence;
use super::super::relation::Relation;
use super::super::user::User;
use super::AttributeSet;

/// An attribute that nobody can see, because there is none of that name.
pub(in crate::home) const ATTRIBUTE: Code = Code(750);

/// A user's attribute lists.
pub(in crate::home) struct AttributeLists<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

/// What an attribute list is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    User(Address),
    /// By name.
    List(String),
}

/// The targets of a request that can be, and what is wrong with the others.
#[derive(Debug, Default)]
struct Targets {
    good: Vec<Target>,
    details: Vec<DetailedResult>,
}

impl<'a> AttributeLists<'a> {
    /// Of this user, at this time.
    pub(in crate::home) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Attaches a list to users, contact lists or as the default, in place of the one that was
    /// there. An empty one authorizes nothing.
    pub(in crate::home) fn create(&mut self, request: &CreateAttributeListRequest) -> Status {
        let Some(list) = &request.attributes else {
            return Status::new(Code::BAD_PARAMETER).because("There is no attribute list.");
        };
        let given = list.presence.clone().unwrap_or_default();
        let set = AttributeSet::known(&given);
        let unsupported = unsupported(list);
        if let Some(why) = unsupported.as_ref().filter(|_| set.is_empty()) {
            return Status::new(ATTRIBUTE).because(why.clone());
        }
        let targets = self.targets(&request.users, &request.lists);
        let all = request.users.len() + request.lists.len() + usize::from(request.default);
        if all == 0 {
            let why = "It is said neither for whom the list is nor that it is the default one.";
            return Status::new(Code::BAD_PARAMETER).because(why);
        }
        if !self.has_room(&targets.good) {
            let why = "There is no room for another contact.";
            return Status::new(Code::TOO_MANY_CONTACTS).because(why);
        }
        let mut status = targets.status(all);
        if let Some(why) = unsupported {
            status.code = match status.code {
                Code::OK => Code::PARTIAL,
                code => code,
            };
            status.details.push(DetailedResult {
                description: Some(why),
                ..DetailedResult::new(ATTRIBUTE)
            });
        }
        self.attach(targets.good, request.default, Some(set));
        status
    }

    /// Detaches lists. Without the default list nobody sees anything by a contact list that has none
    /// of its own.
    pub(in crate::home) fn delete(&mut self, request: &DeleteAttributeListRequest) -> Status {
        let targets = self.targets(&request.users, &request.lists);
        let all = request.users.len() + request.lists.len() + usize::from(request.default);
        if all == 0 {
            let why = "It is not said which list.";
            return Status::new(Code::BAD_PARAMETER).because(why);
        }
        let status = targets.status(all);
        self.attach(targets.good, request.default, None);
        status
    }

    /// Shows lists: of those named, or all.
    pub(in crate::home) fn get(
        &self,
        request: &GetAttributeListRequest,
    ) -> GetAttributeListResponse {
        let names_none = request.users.is_empty() && request.lists.is_empty();
        let all = request.users.len() + request.lists.len();
        let targets = if names_none {
            self.all()
        } else {
            self.targets(&request.users, &request.lists)
        };
        let default = self.user.contact_lists().attributes;
        let default = default.filter(|_| request.default);
        let grants = targets.good.iter().filter_map(|target| self.grant(target));
        GetAttributeListResponse {
            default: default.map(|set| AttributeList {
                presence: Some(set.to_list()),
            }),
            presences: grants.collect(),
            status: targets.status(all + usize::from(request.default)),
        }
    }

    /// Every user and contact list that may have one.
    fn all(&self) -> Targets {
        let lists = self.user.contact_lists();
        let lists = lists.names().map(str::to_owned).map(Target::List);
        let lists: Vec<Target> = lists.collect();
        let users = self.user.relations.keys().cloned().map(Target::User);
        Targets {
            good: lists.into_iter().chain(users).collect(),
            details: Vec::new(),
        }
    }

    fn grant(&self, target: &Target) -> Option<AttributeGrant> {
        let (user, list, set) = match target {
            Target::User(user) => {
                let set = self.user.relations.get(user)?.attributes?;
                (Some(UserId { user: user.clone() }), None, set)
            }
            Target::List(name) => {
                let set = self.user.contact_lists().get(name)?.attributes?;
                let list = self.user.list_address(self.core, name);
                (None, Some(ContactList { list }), set)
            }
        };
        Some(AttributeGrant {
            user,
            list,
            presence: Some(set.to_list()),
        })
    }

    fn targets(&self, users: &[UserId], lists: &[ContactList]) -> Targets {
        let mut targets = Targets::default();
        for id in users {
            let user = self.core.at_home(&id.user);
            if is_user(&user) {
                targets.add(Target::User(user));
            } else {
                targets.fail_user(user);
            }
        }
        for id in lists {
            let list = self.core.at_home(&id.list);
            let name = name_within(self.user, self.core, &list);
            match name.filter(|name| self.user.contact_lists().get(name).is_some()) {
                Some(name) => targets.add(Target::List(name.to_owned())),
                None => targets.fail_list(list),
            }
        }
        targets
    }

    fn has_room(&self, targets: &[Target]) -> bool {
        let is_new = |target: &&Target| match target {
            Target::User(user) => !self.user.relations.get(user).is_some_and(Relation::is_own),
            Target::List(_) => false,
        };
        let new = targets.iter().filter(is_new).count();
        self.user.has_room_for_more(new, self.core)
    }

    /// Attaches a list, or detaches it, and tells all whose view that changes.
    fn attach(&mut self, targets: Vec<Target>, default: bool, set: Option<AttributeSet>) {
        let mut lists = self.user.contact_lists().into_owned();
        if default {
            lists.attributes = set;
        }
        for target in targets {
            match target {
                Target::User(user) => self
                    .user
                    .relate(self.core, &user, |relation| relation.attributes = set),
                Target::List(name) => {
                    if let Some(list) = lists.get_mut(&name) {
                        list.attributes = set;
                    }
                }
            }
        }
        self.user.keep_contact_lists(self.core, lists);
        Presence::of(self.user, self.core, self.now).publish();
    }
}

impl Targets {
    fn add(&mut self, target: Target) {
        if !self.good.contains(&target) {
            self.good.push(target);
        }
    }

    fn fail_user(&mut self, user: Address) {
        self.detail(Code::ADDRESS).users.push(UserId { user });
    }

    fn fail_list(&mut self, list: Address) {
        let detail = self.detail(Code::NO_CONTACT_LIST);
        detail.contact_lists.push(ContactList { list });
    }

    fn detail(&mut self, code: Code) -> &mut DetailedResult {
        let at = self.details.iter().position(|detail| detail.code == code);
        let at = at.unwrap_or_else(|| {
            self.details.push(DetailedResult::new(code));
            self.details.len() - 1
        });
        &mut self.details[at]
    }

    /// What is said of so many targets, one of which may be the default.
    fn status(&self, all: usize) -> Status {
        let named = |d: &DetailedResult| d.users.len() + d.contact_lists.len();
        let failed: usize = self.details.iter().map(named).sum();
        let code = match failed {
            0 => return Status::ok(),
            failed if failed < all => Code::PARTIAL,
            _ if self.details.len() == 1 => self.details[0].code,
            _ => Code::MULTIPLE,
        };
        Status {
            details: self.details.clone(),
            ..Status::new(code)
        }
    }
}

/// Which names of a list are of no known attribute; `None` if all are known.
pub(super) fn unsupported(list: &AttributeList) -> Option<String> {
    let attributes = list.presence.iter().flat_map(|list| &list.attributes);
    let is_unknown = |attribute: &&Attribute| matches!(attribute.name, AttributeName::Other(_));
    let count = attributes.filter(is_unknown).count();
    (count > 0).then(|| format!("{count} of the attributes are not known here."))
}
