//! Requests that name contact lists of the user who asks: they go on with those on the lists.

use std::collections::BTreeSet;

use crate::gateway::kept::{Book, NO_CONTACT_LIST, name_within};
use crate::imps::common::{ContactList, MetaInfo, Recipient, User, UserId, VerUserId};
use crate::imps::primitive::Primitive;
use crate::imps::status::DetailedResult;
use crate::imps::{Address, Status};

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

/// Whether a request names contact lists of this user.
pub(in crate::gateway) fn names_lists(request: &Primitive, owner: &Address) -> bool {
    let is_own = |address: &Address| name_within(address, owner).is_some();
    match request {
        Primitive::SendMessageRequest(request) => {
            let mut all = request.info.recipients.iter();
            all.any(|r| matches!(r, Recipient::ContactList(id) if is_own(&id.list)))
        }
        Primitive::SubscribeRequest(r) => r.users.iter().any(|id| is_own(id.address())),
        Primitive::UnsubscribeRequest(r) => r.users.iter().any(|id| is_own(id.address())),
        Primitive::GetPresenceRequest(r) => r.users.iter().any(|id| is_own(id.address())),
        _ => false,
    }
}

/// The request with those on the lists in place of them; nothing if that is nobody.
///
/// # Errors
/// There is no such list.
pub(super) fn expand(
    request: &Primitive,
    owner: &Address,
    book: &Book,
) -> Result<Option<Primitive>, Status> {
    let meta = Some(MetaInfo::of_user(owner.domain(), owner.clone()));
    let mut request = request.clone();
    let is_empty = match &mut request {
        Primitive::SendMessageRequest(request) => {
            let all = std::mem::take(&mut request.info.recipients);
            let mut members = BTreeSet::new();
            for recipient in all {
                match recipient {
                    Recipient::ContactList(id) if name_within(&id.list, owner).is_some() => {
                        members.extend(on(&id.list, book)?);
                    }
                    other => request.info.recipients.push(other),
                }
            }
            for named in &request.info.recipients {
                members.remove(named.address());
            }
            let members = members
                .into_iter()
                .map(|user| Recipient::User(User::new(user)));
            request.info.recipients.extend(members);
            request.meta = meta;
            request.info.recipients.is_empty()
        }
        Primitive::SubscribeRequest(request) => {
            request.meta = meta;
            replace(&mut request.users, owner, book)?
        }
        Primitive::UnsubscribeRequest(request) => {
            request.meta = meta;
            replace(&mut request.users, owner, book)?
        }
        Primitive::GetPresenceRequest(request) => {
            request.meta = meta;
            replace(&mut request.users, owner, book)?
        }
        _ => true,
    };
    Ok((!is_empty).then_some(request))
}

/// Who is on a list.
fn on(list: &Address, book: &Book) -> Result<Vec<Address>, Status> {
    let Some(name) = book.name_of(list) else {
        let detail = DetailedResult {
            contact_lists: vec![ContactList { list: list.clone() }],
            ..DetailedResult::new(NO_CONTACT_LIST)
        };
        return Err(Status {
            details: vec![detail],
            ..Status::new(NO_CONTACT_LIST).because("There is no such contact list.")
        });
    };
    let members = book.members(&name).into_iter();
    Ok(members.map(|member| member.user).collect())
}

/// Puts those on lists in the place of these; whether nobody is left.
fn replace<N: Named>(ids: &mut Vec<N>, owner: &Address, book: &Book) -> Result<bool, Status> {
    let mut members = BTreeSet::new();
    for id in ids.iter() {
        if name_within(id.address(), owner).is_some() {
            members.extend(on(id.address(), book)?);
        }
    }
    ids.retain(|id| name_within(id.address(), owner).is_none());
    for id in ids.iter() {
        members.remove(id.address());
    }
    ids.extend(members.into_iter().map(N::of));
    Ok(ids.is_empty())
}
