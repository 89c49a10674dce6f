//! Requests whose targets are contact lists of who asks: they go on with those on the lists.

use std::collections::BTreeSet;

use crate::imps::address::{Address, Kind};
use crate::imps::common::{ContactList, MetaInfo, Recipient, User, UserId, VerUserId};
use crate::imps::primitive::Primitive;
use crate::imps::status::{Code, DetailedResult, Status};

/// Targets that one request may name; our choice.
const MAX_NAMED: usize = 100;
/// Those of them that are lists; our choice.
const MAX_LISTS: usize = 16;

/// A request that names contact lists of its user, and who is on those that have been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    request: Primitive,
    owner: Address,
    named: Vec<Address>,
    lists: Vec<Address>,
    members: BTreeSet<Address>,
}

/// The request with those on the lists in place of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// In the owner's name.
    pub request: Primitive,
    /// Its targets as they were named.
    pub named: Vec<Address>,
    /// The lists among them, each once.
    pub lists: Vec<Address>,
    /// The lists are empty, and nobody else is named.
    pub is_for_nobody: bool,
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

impl Listed {
    /// Of a request of this user, with the lists of theirs that it names; `None` if it names none.
    pub fn of(request: &Primitive, owner: &Address) -> Option<Self> {
        let (named, lists) = match request {
            Primitive::SendMessageRequest(request) => {
                let all = &request.info.recipients;
                if !all.iter().any(|r| matches!(r, Recipient::ContactList(_))) {
                    return None;
                }
                let at_home = |address: &Address| address.clone().or_domain(owner.domain());
                let list = |recipient: &Recipient| match recipient {
                    Recipient::ContactList(id) => Some(at_home(&id.list)),
                    _ => None,
                };
                let named = all.iter().map(|r| at_home(r.address()));
                let lists = all.iter().filter_map(list);
                let lists = lists.filter(|list| is_own(list, owner));
                (named.collect(), lists.collect())
            }
            Primitive::SubscribeRequest(request) => lists_in(&request.users, owner)?,
            Primitive::UnsubscribeRequest(request) => lists_in(&request.users, owner)?,
            Primitive::GetPresenceRequest(request) => lists_in(&request.users, owner)?,
            _ => return None,
        };
        (!lists.is_empty()).then(|| Self {
            request: request.clone(),
            owner: owner.clone(),
            named,
            lists: lists.into_iter().collect(),
            members: BTreeSet::new(),
        })
    }

    /// Whether it names more than a request may: a hundred targets, sixteen lists.
    pub fn is_too_large(&self) -> bool {
        self.named.len() > MAX_NAMED || self.lists.len() > MAX_LISTS
    }

    /// The user whose lists they are.
    pub fn owner(&self) -> &Address {
        &self.owner
    }

    /// The lists that are to be read, each once.
    pub fn lists(&self) -> &[Address] {
        &self.lists
    }

    /// Takes who is on a list.
    pub fn add(&mut self, members: impl IntoIterator<Item = Address>) {
        let members = members.into_iter();
        self.members
            .extend(members.map(|user| user.or_domain(self.owner.domain())));
    }

    /// The request as it goes on, once all lists have been read.
    pub fn whole(self) -> Whole {
        let Self {
            mut request,
            owner,
            named,
            lists,
            members,
        } = self;
        let own = Some(MetaInfo::of_user(owner.domain(), owner.clone()));
        let (meta, is_for_nobody) = match &mut request {
            Primitive::SendMessageRequest(request) => {
                let all = &mut request.info.recipients;
                all.retain(|recipient| match recipient {
                    Recipient::ContactList(id) => !is_own(&id.list, &owner),
                    _ => true,
                });
                let members = members.into_iter().filter(|user| !named.contains(user));
                all.extend(members.map(|user| Recipient::User(User::new(user))));
                (&mut request.meta, request.info.recipients.is_empty())
            }
            Primitive::SubscribeRequest(request) => {
                replace(&mut request.users, &owner, members);
                (&mut request.meta, request.users.is_empty())
            }
            Primitive::UnsubscribeRequest(request) => {
                replace(&mut request.users, &owner, members);
                (&mut request.meta, request.users.is_empty())
            }
            Primitive::GetPresenceRequest(request) => {
                replace(&mut request.users, &owner, members);
                (&mut request.meta, request.users.is_empty())
            }
            // Such a one names no lists.
            _ => (&mut None, false),
        };
        *meta = own;
        Whole {
            request,
            named,
            lists,
            is_for_nobody,
        }
    }

    /// Why a request does not go on: one of its lists cannot be read, or does not exist.
    pub fn unreadable(list: Option<Address>, code: Code) -> Status {
        let lists = list.map(|list| ContactList { list });
        let detail = DetailedResult {
            contact_lists: lists.into_iter().collect(),
            ..DetailedResult::new(code)
        };
        let why = match code {
            Code::NO_CONTACT_LIST => "There is no such contact list.",
            _ => "The contact list cannot be read.",
        };
        Status {
            details: vec![detail],
            ..Status::new(code).because(why)
        }
    }
}

/// Whether an address is that of a contact list of this user.
fn is_own(list: &Address, owner: &Address) -> bool {
    let is_at_home = list.domain() == owner.domain() || list.domain().is_empty();
    list.kind() == Kind::Resource && list.user_part() == owner.user_part() && is_at_home
}

/// All that are named, and the lists of their owner among them; `None` if there is none.
fn lists_in(ids: &[impl Named], owner: &Address) -> Option<(Vec<Address>, BTreeSet<Address>)> {
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
