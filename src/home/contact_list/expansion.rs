//! Contact lists as those whom a request of their owner is for.
//!
//! A list is taken apart where its owner is at home: whoever provides it is asked who is on it, by the
//! SAP, and the request goes on with these in its place. So it is the same whether the lists are here
//! or at another domain, and a list that is deleted in between is one that does not exist.

use std::collections::BTreeSet;

use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{
    ContactList, MetaInfo, Recipient, User as UserElement, UserId, VerUserId,
};
use crate::imps::primitive::contact_list::ListManageRequest;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::primitive::presence::{SubscribeRequest, UnsubscribeRequest};
use crate::imps::status::{Code, DetailedResult, Status};

use super::NO_CONTACT_LIST;

/// Targets that one request may name; our choice.
const MAX_NAMED: usize = 100;
/// Those of them that are lists; our choice.
const MAX_LISTS: usize = 16;

/// A request that names contact lists of its user, until these are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::home) struct Expansion {
    request: Primitive,
    owner: Address,
    /// Its targets, as they are named.
    named: Vec<Address>,
    /// The lists among them, each once.
    lists: Vec<Address>,
    /// How many of the lists have been read.
    read: usize,
    /// Those who are on these.
    members: BTreeSet<Address>,
}

/// A request with those on the lists in place of them.
#[derive(Debug)]
pub(in crate::home) enum Whole {
    /// With all its recipients as they were named.
    Message(Box<SendMessageRequest>, Vec<Address>),
    /// With the lists that were named.
    Subscribe(Box<SubscribeRequest>, Vec<Address>),
    /// With the lists that were named.
    Unsubscribe(Box<UnsubscribeRequest>, Vec<Address>),
    /// A request to which lists do not matter.
    Other(Primitive),
    /// The lists are empty.
    Nobody,
}

impl Expansion {
    /// Of a request of this user, with the lists of theirs that it names; `None` if it names none.
    pub(in crate::home) fn of(request: &Primitive, owner: &Address) -> Option<Self> {
        let at_home = |address: &Address| address.clone().or_domain(owner.domain());
        let (named, lists): (Vec<Address>, Vec<Address>) = match request {
            Primitive::SendMessageRequest(request) => {
                let all = &request.info.recipients;
                if !all.iter().any(|r| matches!(r, Recipient::ContactList(_))) {
                    return None;
                }
                let list = |recipient: &Recipient| match recipient {
                    Recipient::ContactList(ContactList { list }) => Some(at_home(list)),
                    _ => None,
                };
                let named = all.iter().map(|r| at_home(r.address()));
                (named.collect(), all.iter().filter_map(list).collect())
            }
            Primitive::SubscribeRequest(request) => lists_in(&request.users, owner)?,
            Primitive::UnsubscribeRequest(request) => lists_in(&request.users, owner)?,
            Primitive::GetPresenceRequest(request) => lists_in(&request.users, owner)?,
            _ => return None,
        };
        let lists = lists.into_iter().filter(|list| is_own(list, owner));
        let lists: BTreeSet<Address> = lists.collect();
        (!lists.is_empty()).then(|| Self {
            request: request.clone(),
            owner: owner.clone(),
            named,
            lists: lists.into_iter().collect(),
            read: 0,
            members: BTreeSet::new(),
        })
    }

    /// Whether it names more than a request may.
    pub(in crate::home) fn is_too_large(&self) -> bool {
        self.named.len() > MAX_NAMED || self.lists.len() > MAX_LISTS
    }

    /// Asks who is on the next list; `None` if all have been read.
    pub(in crate::home) fn next(&self) -> Option<ListManageRequest> {
        Some(ListManageRequest {
            list: self.lists.get(self.read)?.clone(),
            receive: true,
            meta: Some(MetaInfo::of_user(self.owner.domain(), self.owner.clone())),
            add: None,
            remove: None,
            properties: None,
        })
    }

    /// Takes the answer to that, or says why the request cannot go on.
    pub(in crate::home) fn take(&mut self, answer: &Primitive) -> Result<(), Status> {
        let list = self.lists.get(self.read).cloned();
        self.read += 1;
        let (code, members) = match answer {
            Primitive::ListManageResponse(response) => {
                (response.status.effective(), response.members.as_deref())
            }
            other => {
                let code = other.verdict().map(Status::effective);
                // A success without a list is none.
                let code = code.filter(|code| !code.is_success());
                (code.unwrap_or(Code::INTERNAL), None)
            }
        };
        if code.is_success() {
            let members = members.unwrap_or_default().iter();
            let members = members.map(|m| m.user.clone().or_domain(self.owner.domain()));
            self.members.extend(members);
            return Ok(());
        }
        let lists = list.map(|list| ContactList { list });
        let detail = DetailedResult {
            contact_lists: lists.into_iter().collect(),
            ..DetailedResult::new(code)
        };
        let why = match code {
            NO_CONTACT_LIST => "There is no such contact list.",
            _ => "The contact list cannot be read.",
        };
        Err(Status {
            details: vec![detail],
            ..Status::new(code).because(why)
        })
    }

    /// The request as it goes on.
    pub(in crate::home) fn whole(self) -> Whole {
        let Self {
            request,
            owner,
            named,
            lists,
            members,
            ..
        } = self;
        match request {
            Primitive::SendMessageRequest(mut request) => {
                let all = &mut request.info.recipients;
                all.retain(|recipient| match recipient {
                    Recipient::ContactList(id) => !is_own(&id.list, &owner),
                    _ => true,
                });
                let is_named = |user: &Address| named.contains(user);
                let members = members.into_iter().filter(|user| !is_named(user));
                all.extend(members.map(|user| Recipient::User(UserElement::new(user))));
                if all.is_empty() {
                    Whole::Nobody
                } else {
                    Whole::Message(request, named)
                }
            }
            Primitive::SubscribeRequest(mut request) => {
                replace(&mut request.users, &owner, members);
                Whole::Subscribe(request, lists)
            }
            Primitive::UnsubscribeRequest(mut request) => {
                replace(&mut request.users, &owner, members);
                Whole::Unsubscribe(request, lists)
            }
            Primitive::GetPresenceRequest(mut request) => {
                replace(&mut request.users, &owner, members);
                if request.users.is_empty() {
                    Whole::Nobody
                } else {
                    Whole::Other(Primitive::GetPresenceRequest(request))
                }
            }
            other => Whole::Other(other),
        }
    }
}

/// Whether an address is that of a contact list of this user.
fn is_own(list: &Address, owner: &Address) -> bool {
    let is_at_home = list.domain() == owner.domain() || list.domain().is_empty();
    list.kind() == Kind::Resource && list.user_part() == owner.user_part() && is_at_home
}

/// A user whom a request names, or a list in the place of one.
trait Named {
    fn of(user: Address) -> Self;
    fn address(&self) -> &Address;
}

impl Named for UserId {
    fn of(user: Address) -> Self {
        Self { user }
    }

    fn address(&self) -> &Address {
        &self.user
    }
}

impl Named for VerUserId {
    fn of(user: Address) -> Self {
        let version = None;
        Self { user, version }
    }

    fn address(&self) -> &Address {
        &self.user
    }
}

/// All that are named, and the lists of their owner among them; `None` if there is none.
fn lists_in(ids: &[impl Named], owner: &Address) -> Option<(Vec<Address>, Vec<Address>)> {
    if !ids.iter().any(|id| is_own(id.address(), owner)) {
        return None;
    }
    let named = ids.iter().map(|id| at_home(id, owner));
    let named: Vec<Address> = named.collect();
    let lists = named.iter().filter(|list| is_own(list, owner));
    let lists = lists.cloned().collect();
    Some((named, lists))
}

fn at_home(id: &impl Named, owner: &Address) -> Address {
    id.address().clone().or_domain(owner.domain())
}

/// Puts users in the place of lists.
fn replace<N: Named>(ids: &mut Vec<N>, owner: &Address, mut members: BTreeSet<Address>) {
    ids.retain(|id| !is_own(id.address(), owner));
    for id in ids.iter() {
        members.remove(&at_home(id, owner));
    }
    ids.extend(members.into_iter().map(N::of));
}
