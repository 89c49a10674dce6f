//! A request about lists, and how far it is done.

use xmpp_parsers::jid::BareJid;

use super::blocking::{self, Server};
use super::plan::{Done, Effect, Plan, Writing, changes};
use super::record::Held;
use crate::element::{Listed, Outcome, RequestId, Time};
use crate::gateway::kept::{Account, Book};
use crate::gateway::shared::Shared;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::contact_list::ListManageResponse;
use crate::imps::primitive::message::SendMessageResponse;
use crate::imps::{Address, Code, Status};
use crate::translate::Translator;
use crate::translate::block_list::Blocked;
use crate::translate::roster::Contacts;

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
    /// Whether it waits until its server can be asked: it was accepted before a restart.
    pub(super) is_patient: bool,
    pub(super) step: Step,
    /// Ids of what is being asked for it.
    pub(super) asked: Vec<String>,
    /// The roster, and the component that has read it.
    pub(super) roster: Option<(String, Contacts)>,
    /// Whom the server blocks.
    pub(super) blocked: Option<Vec<Blocked>>,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Step {
    /// Another one of the owner's goes before it, or the server cannot be asked.
    Waits,
    /// The roster is being read.
    Roster,
    /// The block list is being read.
    BlockList,
    /// The server is told of changes.
    Write(Box<Writing>),
}

impl Order {
    pub(super) fn new(owner: Owner, request: Option<Primitive>, expires: Time) -> Self {
        Self {
            owner,
            request,
            to: None,
            expires,
            is_patient: false,
            step: Step::Waits,
            asked: Vec::new(),
            roster: None,
            blocked: None,
        }
    }

    /// Takes back a message that was accepted before a restart.
    pub(super) fn restored(held: &Held, translator: &Translator) -> Result<Self, String> {
        let owner = Owner::new(&held.user, translator);
        let owner = owner.map_err(|code| format!("{} has no JID: {}", held.user, code.0))?;
        let request = held.request()?;
        Ok(Self {
            to: held.to,
            is_patient: true,
            ..Self::new(owner, Some(request), held.expires)
        })
    }

    /// The message as it is kept until it goes on; nothing else is.
    pub(super) fn held(&self) -> Option<Held> {
        let request = self.request.as_ref();
        let message = request.filter(|r| matches!(r, Primitive::SendMessageRequest(_)))?;
        Some(Held::new(
            &self.owner.address,
            self.to,
            self.expires,
            message,
        ))
    }

    /// Copies of a message: one for each recipient that it names.
    pub(super) fn copies(&self) -> usize {
        self.request.as_ref().map_or(0, copies)
    }

    pub(super) fn respond(&self, answer: Primitive, shared: &mut Shared) {
        if let Some(Primitive::SendMessageRequest(request)) = &self.request {
            let message = request.info.message_id.clone().unwrap_or_default();
            for _ in 0..self.copies() {
                shared.outcome(&message, Outcome::Delivered);
            }
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

    /// Whether it must be known which contact lists there are.
    pub(super) fn needs_lists(&self) -> bool {
        match &self.request {
            Some(Primitive::GetBlockedListRequest(_)) => false,
            Some(Primitive::BlockEntityRequest(request)) => blocking::adds_contact_lists(request),
            _ => true,
        }
    }

    /// Whether it is about what is kept, and not only looks at it or goes on.
    fn is_change(&self) -> bool {
        matches!(
            self.request,
            None | Some(
                Primitive::CreateListRequest(_)
                    | Primitive::DeleteListRequest(_)
                    | Primitive::ListManageRequest(_)
                    | Primitive::CreateAttributeListRequest(_)
                    | Primitive::DeleteAttributeListRequest(_)
            )
        )
    }

    /// Whether it is refused where there is no room for what is to be kept.
    pub(super) fn needs_room(&self) -> bool {
        let blocks = matches!(self.request, Some(Primitive::BlockEntityRequest(_)));
        blocks || self.request.is_some() && self.is_change()
    }

    /// What it comes to. `may_set`: the roster, or the block list, may be changed at the server.
    pub(super) fn plan(&self, account: Account, may_set: bool, translator: &Translator) -> Plan {
        let roster = self.roster.as_ref().map(|(_, contacts)| contacts);
        let mut book = account.book(self.owner.address.clone(), roster);
        if let Some(request) = self.request.as_ref().filter(|_| self.is_about_access()) {
            let server = Server {
                blocked: self.blocked.as_deref(),
                may_change: may_set,
            };
            let mut plan = blocking::plan(request, account, &book, server, translator);
            if roster.is_some() {
                plan.account.keep(&book, true);
            }
            return plan;
        }
        let mut account = account;
        if let Some(roster) = roster {
            let is_seen = |user: &Address| {
                let contact = roster.get(user);
                contact.is_some_and(|contact| contact.subscription.is_seen())
            };
            account.grants.retain_approved(is_seen);
        }
        let done = self.apply(&mut book, &mut account);
        account.keep(&book, roster.is_some());
        if may_set && self.is_change() {
            self.settle_approvals(&mut book, &account, translator);
        }
        let changes = match roster {
            Some(roster) => changes(roster, book.contacts(), translator),
            None => Vec::new(),
        };
        // Attribute lists are here: whether the server lets somebody see presence in advance is another
        // matter. A roster that was read for what is kept here has been read.
        let is_sure = matches!(
            self.request,
            None | Some(Primitive::CreateAttributeListRequest(_))
        );
        if is_sure {
            // The server may do it without our hearing of it.
            for change in &changes {
                if let Effect::Approved(user) = &change.effect {
                    account.grants.approve(user, true);
                }
            }
        }
        Plan {
            done,
            account,
            changes,
            is_sure,
        }
    }

    /// Contacts for whom an attribute list is made see presence, if they see it through us, who leave
    /// out what is not on the list; who was let see it for a list that is no more does not.
    fn settle_approvals(&self, book: &mut Book, account: &Account, translator: &Translator) {
        let grants = &account.grants;
        for user in grants.approved() {
            if !grants.shows(user, &book.lists_of(user)) {
                book.withdraw(user);
            }
        }
        let Some(Primitive::CreateAttributeListRequest(request)) = &self.request else {
            return;
        };
        let users = request.users.iter().map(|id| id.user.clone());
        let names = request.lists.iter().filter_map(|id| book.name_of(&id.list));
        let members = names.flat_map(|name| book.members(&name));
        let all: Vec<Address> = users.chain(members.map(|member| member.user)).collect();
        for user in all {
            let is_ours = !translator.is_xmpp(&user) && translator.component_of(&user).is_some();
            if is_ours && grants.shows(&user, &book.lists_of(&user)) {
                book.approve(&user);
            }
        }
    }

    /// Does what is wanted of the contact lists and attribute lists.
    fn apply(&self, book: &mut Book, account: &mut Account) -> Done {
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
                grants.create(request, |list| book.name_of(list)).into()
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
}

/// Copies of a message: one for each recipient that it names.
pub(super) fn copies(request: &Primitive) -> usize {
    match request {
        Primitive::SendMessageRequest(request) => request.info.recipients.len().max(1),
        _ => 0,
    }
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

/// What is said of a user whose server does not do what is wanted.
pub(super) fn of_user(code: Code) -> Code {
    match code {
        Code::NOT_FOUND => Code::UNKNOWN_USER,
        code => code,
    }
}
