//! What the clients of a user ask. Passwords are the caller's business.

use super::feed;
use super::feeds::Feeds;
use super::handed::Fetched;
use super::invitation::{Invited, Inviting};
use super::sending::{MAX_ID, Sending};
use super::watching::Watching;
use crate::element::{Time, Whole};
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::primitive::presence_admin::UpdatePresenceRequest;
use crate::imps::primitive::{self, Facts, Name, Role, Routing};
use crate::imps::status::{Code, Status};
use crate::ssp::envelope::Peek;

use super::client::{ClientKey, Method, ToClient};
use super::contact_list::{ContactLists, Expansion};
use super::core::{Asked, Asker, Core};
use super::presence::client_id;
use super::profile;
use super::user::User;

/// Those whom one request of a client may name; our choice.
const MAX_NAMED: usize = 100;
/// Said of one that names contact lists.
const TOO_MANY_NAMED: &str = "A request names at most a hundred, sixteen of them contact lists.";

/// What only the providers of services ask of a home domain.
const OF_PROVIDERS: [Name; 3] = [
    Name::NewMessage,
    Name::MessageNotification,
    Name::PresenceAuthRequest,
];

/// What a user's clients want done.
pub(super) struct Session<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Session<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Hands a request of the user to wherever it belongs. What is kept between the user and
    /// others is noted on the way.
    pub(super) fn request(&mut self, asker: Asker, primitive: Primitive) {
        if asker.id.len() > MAX_ID {
            let why = format!("An id is at most {MAX_ID} bytes long.");
            let status = Status::new(Code::BAD_REQUEST).because(why);
            return self.core.answer(asker, status);
        }
        if let Err(status) = self.may_request(&primitive) {
            return self.core.answer(asker, status);
        }
        if let Some(expansion) = Expansion::of(&primitive, &self.user.address(self.core)) {
            return self.expand(asker, expansion);
        }
        if let Err(status) = may_name(&primitive) {
            return self.core.answer(asker, status);
        }
        match primitive {
            Primitive::SendMessageRequest(request) => {
                Sending::of(self.user, self.core, self.now).send(asker, *request, None);
            }
            Primitive::SubscribeRequest(request) => {
                Watching::of(self.user, self.core, self.now).subscribe(asker, &request, false);
            }
            Primitive::UnsubscribeRequest(request) => {
                Watching::of(self.user, self.core, self.now).unsubscribe(asker, &request);
            }
            Primitive::InviteRequest(request) => {
                Inviting::of(self.user, self.core, self.now).invite(asker, *request);
            }
            Primitive::CancelInviteRequest(request) => {
                Inviting::of(self.user, self.core, self.now).cancel(asker, *request);
            }
            Primitive::InviteResponse(response) => {
                Invited::of(self.user, self.core, self.now).respond(asker, *response);
            }
            _ if !self.user.may_ask(self.core) => self.core.answer(asker, too_many()),
            Primitive::SetDeliveryMethodRequest(request) => {
                let group = request.group.as_ref().map(|group| self.core.at_home(group));
                let feed = self.user.clients.get(&asker.client);
                if feed.is_some_and(|feed| !feed.may_deliver(group.as_ref())) {
                    let why = "The client has a delivery method for too many groups.";
                    let status = Status::new(Code::BAD_PARAMETER).because(why);
                    return self.core.answer(asker, status);
                }
                let asked = Method::parse(&request.method).map(|method| Asked::Delivery {
                    method,
                    most: request.content_length,
                    group,
                });
                self.ask(asker, asked.unwrap_or(Asked::Other), *request);
            }
            Primitive::GetMessageRequest(request) if request.group.is_some() => {
                self.ask(asker, Asked::History, *request);
            }
            Primitive::UpdatePresenceRequest(mut request) => {
                name_client(&mut request, asker.client);
                self.ask(asker, Asked::Other, *request);
            }
            other => self.ask(asker, Asked::Other, other),
        }
    }

    fn ask(&mut self, asker: Asker, asked: Asked, what: impl Into<Primitive>) {
        let expires = self.now.plus(self.core.settings.request_validity);
        self.user.ask(self.core, Some(asker), asked, what, expires);
    }

    /// Goes on with a request that is for contact lists: the next one is read, or all of them
    /// have been.
    fn expand(&mut self, asker: Asker, expansion: Expansion) {
        if !self.user.may_ask(self.core) {
            return self.core.answer(asker, too_many());
        }
        if expansion.is_too_large() {
            let status = Status::new(Code::BAD_PARAMETER).because(TOO_MANY_NAMED);
            return self.core.answer(asker, status);
        }
        if let Some(next) = expansion.next() {
            let expires = self.now.plus(self.core.settings.request_validity);
            let asked = Asked::Members(Box::new(expansion));
            return self.user.ask(self.core, Some(asker), asked, next, expires);
        }
        let (user, core, now) = (&mut *self.user, &mut *self.core, self.now);
        let Whole {
            request,
            named,
            lists,
            is_for_nobody,
        } = expansion.whole();
        match request {
            Primitive::SubscribeRequest(request) => {
                ContactLists::of(user, core, now).watch(&lists, true);
                if request.users.is_empty() {
                    return core.answer(asker, Status::ok());
                }
                Watching::of(user, core, now).subscribe(asker, &request, true);
            }
            Primitive::UnsubscribeRequest(request) => {
                ContactLists::of(user, core, now).watch(&lists, false);
                if request.users.is_empty() {
                    return core.answer(asker, Status::ok());
                }
                Watching::of(user, core, now).unsubscribe(asker, &request);
            }
            _ if is_for_nobody => {
                let why = "There is nobody on the contact list.";
                core.answer(asker, Status::new(Code::BAD_PARAMETER).because(why));
            }
            Primitive::SendMessageRequest(request) => {
                Sending::of(user, core, now).send(asker, *request, Some(named));
            }
            request => {
                let expires = now.plus(core.settings.request_validity);
                user.ask(core, Some(asker), Asked::Other, request, expires);
            }
        }
    }

    /// Who is on a contact list that a request is for, or that it cannot be read. A client that
    /// is gone hears nothing of it, and nothing of the request has been done.
    pub(super) fn members(
        &mut self,
        asker: Option<Asker>,
        mut expansion: Expansion,
        answer: &Primitive,
    ) {
        let here = |asker: &Asker| self.user.clients.contains_key(&asker.client);
        let Some(asker) = asker.filter(here) else {
            return;
        };
        match expansion.take(answer) {
            Ok(()) => self.expand(asker, expansion),
            Err(status) => self.core.answer(asker, status),
        }
    }

    /// The answer to a request that the domain only passes on.
    pub(super) fn answered(&mut self, asker: Option<Asker>, answer: Primitive) {
        if let Primitive::GetPresenceResponse(response) = &answer {
            Watching::of(self.user, self.core, self.now).learn_all(&response.values);
        }
        let Some(asker) = asker else { return };
        if let Primitive::GetMessageResponse(response) = &answer
            && self.core.settings.is_elsewhere("GETM")
        {
            return Fetched::of(self.user, self.core).answer(asker, response.as_ref());
        }
        let number = self.fetched(&answer);
        let Some(feed) = self.user.clients.get_mut(&asker.client) else {
            return;
        };
        let told = ToClient::Answer {
            id: asker.id,
            number,
            primitive: Box::new(answer),
        };
        if let Some(number) = number {
            feed.hears(number, told.bytes());
        }
        self.core.tell(asker.client, told);
    }

    /// The number to acknowledge an answer with, if it has a message that waits here.
    fn fetched(&self, answer: &Primitive) -> Option<u64> {
        let Primitive::GetMessageResponse(response) = answer else {
            return None;
        };
        let info = response.info.as_ref()?;
        let at = self.user.inbox.named(info.message_id.as_ref()?)?;
        Some(feed::number(at, feed::MESSAGE))
    }

    /// A client has taken what it was told under a number.
    pub(super) fn acknowledge(&mut self, client: ClientKey, number: u64) {
        Feeds::of(self.user, self.core, self.now).acknowledge(client, number);
    }

    /// Whether it is a request that this user may make: nobody speaks for others.
    fn may_request(&self, primitive: &Primitive) -> Result<(), Status> {
        let refused = |code, why: &str| Err(Status::new(code).because(why));
        let facts = primitive::facts(primitive.name());
        // A client says itself of a message that it has fetched that it has it (11.9).
        let is_asked = |f: &&Facts| {
            f.kind == primitive::Kind::Request
                || matches!(f.is, Name::InviteResponse | Name::MessageDelivered)
        };
        let facts = facts.filter(is_asked);
        let facts = facts.filter(|f| !OF_PROVIDERS.contains(&f.is));
        let Some(facts) = facts.filter(|f| f.routing != Routing::Hop) else {
            return refused(Code::BAD_REQUEST, "This is no request of a user.");
        };
        let service = match facts.family {
            "message" | "message_store" => Some(profile::IM),
            "presence" if facts.is != Name::UnsubscribeRequest => Some(profile::PRESENCE),
            "group" | "group_admin" => Some(profile::GROUP),
            _ => None,
        };
        if service.is_some_and(|service| !self.user.may_use(self.core, service)) {
            return refused(Code::NOT_AGREED, "The service is not active.");
        }
        let own = self.user.address(self.core);
        let peek = Peek::of(primitive);
        let service = Address::service(self.core.domain());
        // The domain with the user in MetaInfo, or the user, or a group or list of the user's.
        let is_own = |address: &Address| {
            *address == service
                || address.user_part() == own.user_part() && address.domain() == own.domain()
        };
        let mut speaks = peek.claims.iter().filter(|c| c.place.role != Role::Named);
        let asks = peek.user.as_ref() == Some(&own) && !peek.by_server;
        if !asks || !speaks.all(|claim| is_own(&claim.address)) {
            return refused(
                Code::INVALID_USER,
                "Who asks is not the user of the session.",
            );
        }
        Ok(())
    }
}

/// Says of which client of the user a new presence is, in place of what the client says itself.
fn name_client(request: &mut UpdatePresenceRequest, client: ClientKey) {
    if let Some(meta) = &mut request.meta
        && let Some(user) = &mut meta.requestor.user
    {
        user.client = Some(client_id(client));
    }
}

/// Whether a request names no more users to watch than it may.
fn may_name(primitive: &Primitive) -> Result<(), Status> {
    let users = match primitive {
        Primitive::SubscribeRequest(request) => &request.users,
        Primitive::UnsubscribeRequest(request) => &request.users,
        _ => return Ok(()),
    };
    if users.len() > MAX_NAMED {
        let why = "A request names a user, and at most a hundred.";
        return Err(Status::new(Code::BAD_PARAMETER).because(why));
    }
    Ok(())
}

/// Said of a request if too many wait.
pub(super) fn too_many() -> Status {
    Status::new(Code::QUEUE_FULL).because("Too many requests wait for their answer.")
}
