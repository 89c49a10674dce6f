//! A request about lists, and how far it is done.

use minidom::Element;
use xmpp_parsers::jid::BareJid;

use crate::element::{Listed, Outcome, RequestId, Time};
use crate::gateway::kept::{Access, AccessList, Account, Book};
use crate::gateway::shared::Shared;
use crate::imps::common::{GroupId, ScreenName, UserId};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::access::{BlockEntityRequest, EntityList, GetBlockedListResponse};
use crate::imps::primitive::contact_list::ListManageResponse;
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::{Address, Code, Status};
use crate::translate::Translator;
use crate::translate::block_list::{self, Blocked};
use crate::translate::roster::{self, Contacts, Subscription};

/// Whose lists they are.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) address: Address,
    pub(super) jid: BareJid,
}

impl Owner {
    pub(super) fn new(address: &Address, translator: &Translator) -> Result<Self, Code> {
        let jid = translator.jid(address).map_err(|error| error.code())?;
        Ok(Self {
            address: address.clone(),
            jid,
        })
    }

    /// The bare JID as text.
    pub(super) fn jid(&self) -> String {
        self.jid.to_string()
    }
}

/// A request.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) owner: Owner,
    /// What is wanted; nothing: the roster is read for what is kept here.
    pub(super) request: Option<Primitive>,
    pub(super) to: Option<RequestId>,
    pub(super) expires: Time,
    pub(super) step: Step,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Step {
    /// The roster is being read.
    Read,
    /// The server is told of so many changes, or asked for so much.
    Write {
        waits: usize,
        answer: Primitive,
        failure: Option<Code>,
    },
}

/// What came of it.
pub(super) enum Done {
    /// Its answer, if the server does not say otherwise.
    Answer(Primitive),
    /// It is not done.
    Refused(Status),
    /// It goes on, with the members of lists in their place.
    GoesOn(Box<Primitive>),
    /// Nobody waits for anything.
    Nothing,
}

impl Order {
    pub(super) fn new(owner: Owner, request: Option<Primitive>, expires: Time) -> Self {
        Self {
            owner,
            request,
            to: None,
            expires,
            step: Step::Read,
        }
    }

    pub(super) fn respond(&self, answer: Primitive, shared: &mut Shared) {
        if let Some(Primitive::SendMessageRequest(request)) = &self.request {
            // Nobody is on the list.
            let message = request.info.message_id.clone().unwrap_or_default();
            shared.outcome(&message, Outcome::Delivered);
        }
        if let Some(to) = self.to {
            shared.respond(to, answer);
        }
    }

    pub(super) fn refuse(&self, status: &Status, shared: &mut Shared) {
        refuse(self.request.as_ref(), self.to, status, shared);
    }

    /// Whether it is about the block list and the grant list.
    pub(super) fn is_about_access(&self) -> bool {
        matches!(
            self.request,
            Some(Primitive::GetBlockedListRequest(_) | Primitive::BlockEntityRequest(_))
        )
    }

    /// Whether what watchers see of the owner may have changed.
    pub(super) fn concerns_watchers(&self) -> bool {
        !matches!(
            self.request,
            Some(Primitive::GetListRequest(_) | Primitive::GetAttributeListRequest(_))
        )
    }

    /// Does what is wanted of the contact lists and attribute lists.
    pub(super) fn apply(&self, book: &mut Book, account: &mut Account, is_roster: bool) -> Done {
        let refused = |(code, why): (Code, &'static str)| Status::new(code).because(why);
        let status = |result: Result<(), (Code, &'static str)>| match result {
            Ok(()) => Status::ok(),
            Err(refusal) => refused(refusal),
        };
        let grants = &mut account.grants;
        Done::Answer(match &self.request {
            None => return Done::Nothing,
            Some(Primitive::GetListRequest(_)) => book.all().into(),
            Some(Primitive::CreateListRequest(request)) => status(book.create(request)).into(),
            Some(Primitive::DeleteListRequest(request)) => {
                let deleted = book.delete(&request.list);
                status(deleted.map(|name| grants.forget_list(&name))).into()
            }
            Some(Primitive::ListManageRequest(request)) => match book.manage(request) {
                Ok(name) => ListManageResponse {
                    status: Status::ok(),
                    members: request.receive.then(|| book.members(&name)),
                    properties: request.receive.then(|| book.properties(&name)),
                }
                .into(),
                Err(refusal) => ListManageResponse {
                    status: refused(refusal),
                    members: None,
                    properties: None,
                }
                .into(),
            },
            Some(Primitive::CreateAttributeListRequest(request)) => {
                let status = grants.create(request, |list| book.name_of(list));
                if is_roster && status.code.is_success() {
                    let users = request.users.iter().map(|id| id.user.clone());
                    let names = request.lists.iter().filter_map(|id| book.name_of(&id.list));
                    let members = names.flat_map(|name| book.members(&name));
                    let members = members.map(|member| member.user);
                    let all: Vec<Address> = users.chain(members).collect();
                    book.approve(all);
                }
                status.into()
            }
            Some(Primitive::DeleteAttributeListRequest(request)) => {
                grants.delete(request, |list| book.name_of(list)).into()
            }
            Some(Primitive::GetAttributeListRequest(request)) => {
                let of = |list: &Address| book.name_of(list);
                grants.get(request, of, |name| book.address(name)).into()
            }
            Some(request) => return self.expand(request, book),
        })
    }

    /// What names contact lists goes on with those who are on them.
    fn expand(&self, request: &Primitive, book: &Book) -> Done {
        let Some(mut listed) = Listed::of(request, &self.owner.address) else {
            return Done::Refused(Status::new(Code::BAD_REQUEST));
        };
        if listed.is_too_large() {
            let why = "A request names at most a hundred, sixteen of them contact lists.";
            return Done::Refused(Status::new(Code::BAD_PARAMETER).because(why));
        }
        for list in listed.lists().to_vec() {
            let Some(name) = book.name_of(&list) else {
                let status = Listed::unreadable(Some(list), Code::NO_CONTACT_LIST);
                return Done::Refused(status);
            };
            let members = book.members(&name).into_iter();
            listed.add(members.map(|member| member.user));
        }
        let whole = listed.whole();
        match whole.request {
            Primitive::SubscribeRequest(_) | Primitive::UnsubscribeRequest(_)
                if whole.is_for_nobody =>
            {
                Done::Answer(answer_of(request, Status::ok()))
            }
            _ if whole.is_for_nobody => {
                let why = "There is nobody on the contact list.";
                Done::Refused(Status::new(Code::BAD_PARAMETER).because(why))
            }
            request => Done::GoesOn(Box::new(request)),
        }
    }

    /// Does what is wanted of the block list and the grant list; its answer, and what the user's server
    /// is to be told.
    pub(super) fn access(
        &self,
        access: &mut Access,
        translator: &Translator,
    ) -> (Primitive, Vec<Element>) {
        match &self.request {
            Some(Primitive::GetBlockedListRequest(_)) => {
                let lists = GetBlockedListResponse {
                    status: Status::ok(),
                    blocked: Some(access.blocked.told()),
                    granted: Some(access.granted.told()),
                };
                (lists.into(), Vec::new())
            }
            Some(Primitive::BlockEntityRequest(request)) => {
                let before = in_force(&access.blocked);
                if let Err((code, why)) = change(access, request) {
                    return (Status::new(code).because(why).into(), Vec::new());
                }
                let after = in_force(&access.blocked);
                let removed = request
                    .blocked
                    .as_ref()
                    .and_then(|list| list.remove.as_ref());
                let removed = removed.map(entries).unwrap_or_default();
                let off = before.iter().chain(&removed).filter(|e| !after.contains(e));
                let on = after.iter().filter(|entry| !before.contains(entry));
                let changes = [
                    block_list::change(on, true, translator),
                    block_list::change(off, false, translator),
                ];
                (Status::ok().into(), changes.into_iter().flatten().collect())
            }
            _ => (Primitive::status(Code::NOT_IMPLEMENTED), Vec::new()),
        }
    }
}

/// Changes both lists, or nothing.
fn change(access: &mut Access, request: &BlockEntityRequest) -> Result<(), (Code, &'static str)> {
    let mut changed = access.clone();
    if let Some(blocked) = &request.blocked {
        changed.blocked.change(blocked)?;
    }
    if let Some(granted) = &request.granted {
        changed.granted.change(granted)?;
    }
    *access = changed;
    Ok(())
}

/// Who is blocked, as far as the user's server can be told.
fn in_force(list: &AccessList) -> Vec<Blocked> {
    if list.in_use {
        entries(&list.told())
    } else {
        Vec::new()
    }
}

fn entries(list: &EntityList) -> Vec<Blocked> {
    let users = list.users.iter().map(|id| Blocked::User(id.user.clone()));
    let groups = list
        .groups
        .iter()
        .map(|id| Blocked::Group(id.group.clone()));
    let names = list.screen_names.iter().cloned().map(Blocked::ScreenName);
    users.chain(groups).chain(names).collect()
}

/// Puts those whom the user's server blocks on the list that is told.
pub(super) fn add_blocked(answer: &mut Primitive, list: &Element, translator: &Translator) {
    let Primitive::GetBlockedListResponse(response) = answer else {
        return;
    };
    let Some(told) = response.blocked.as_mut() else {
        return;
    };
    for entry in block_list::blocked(list, translator) {
        match entry {
            Blocked::User(user) if !told.users.iter().any(|id| id.user == user) => {
                told.users.push(UserId { user });
            }
            Blocked::Group(group) if !told.groups.iter().any(|id| id.group == group) => {
                told.groups.push(GroupId { group });
            }
            Blocked::ScreenName(name) if !is_named(&told.screen_names, &name) => {
                told.screen_names.push(name);
            }
            _ => {}
        }
    }
}

fn is_named(names: &[ScreenName], name: &ScreenName) -> bool {
    let same = |known: &&ScreenName| {
        known.group == name.group && known.name.eq_ignore_ascii_case(&name.name)
    };
    names.iter().any(|known| same(&known))
}

/// What the roster is to be told.
pub(super) fn changes(
    before: &Contacts,
    after: &Contacts,
    translator: &Translator,
) -> Vec<Element> {
    let gone = before.keys().filter(|user| !after.contains_key(*user));
    let gone = gone.filter_map(|user| roster::change(user, (None, Subscription::None), translator));
    let new = after
        .iter()
        .filter(|(user, contact)| before.get(*user) != Some(*contact));
    let was = |user: &Address| {
        before
            .get(user)
            .map_or(Subscription::None, |c| c.subscription)
    };
    let new = new
        .filter_map(|(user, contact)| roster::change(user, (Some(contact), was(user)), translator));
    gone.chain(new).collect()
}

/// Answers what is not done. A message ends with that.
pub(super) fn refuse(
    request: Option<&Primitive>,
    to: Option<RequestId>,
    status: &Status,
    shared: &mut Shared,
) {
    if let Some(Primitive::SendMessageRequest(request)) = request {
        let message = request.info.message_id.clone().unwrap_or_default();
        for _ in 0..request.info.recipients.len().max(1) {
            shared.outcome(&message, Outcome::Refused(status.code.0));
        }
    }
    if let (Some(to), Some(request)) = (to, request) {
        shared.respond(to, answer_of(request, status.clone()));
    }
}

fn answer_of(request: &Primitive, status: Status) -> Primitive {
    match request {
        Primitive::SendMessageRequest(request) => SendMessageResponse {
            message_id: request.info.message_id.clone().unwrap_or_default(),
            status,
        }
        .into(),
        _ => status.into(),
    }
}
