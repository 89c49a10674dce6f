//! What the clients of a user ask. Passwords are the caller's business.

use super::feed;
use super::feeds::Feeds;
use super::invitation::{Invited, Inviting};
use super::sending::{MAX_ID, Sending};
use super::watching::Watching;
use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::primitive::{self, Facts, Name, Role, Routing};
use crate::imps::status::{Code, Status};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;

use super::client::{ClientKey, Method, ToClient};
use super::core::{Asked, Asker, Core};
use super::profile;
use super::user::User;

/// What only the providers of services ask of a home domain.
const OF_PROVIDERS: [&str; 3] = ["NewMessage", "MessageNotification", "PresenceAuthRequest"];

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
        match primitive {
            Primitive::SendMessageRequest(request) => {
                Sending::of(self.user, self.core, self.now).send(asker, *request);
            }
            Primitive::SubscribeRequest(request) => {
                Watching::of(self.user, self.core, self.now).subscribe(asker, &request);
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
            other => self.ask(asker, Asked::Other, other),
        }
    }

    fn ask(&mut self, asker: Asker, asked: Asked, what: impl Into<Primitive>) {
        let seconds = self.core.settings.request_validity;
        let expires = self.now.plus_seconds(seconds);
        self.user.ask(self.core, Some(asker), asked, what, expires);
    }

    /// The answer to a request that the domain only passes on.
    pub(super) fn answered(&mut self, asker: Option<Asker>, answer: Primitive) {
        if let Primitive::GetPresenceResponse(response) = &answer {
            Watching::of(self.user, self.core, self.now).learn_all(&response.values);
        }
        let Some(asker) = asker else { return };
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
        let facts = facts.filter(|f| !OF_PROVIDERS.contains(&f.name));
        let Some(facts) = facts.filter(|f| f.routing != Routing::Hop) else {
            return refused(Code::BAD_REQUEST, "This is no request of a user.");
        };
        let service = match facts.family {
            "message" | "message_store" => Some(profile::IM),
            "presence" if facts.name != "UnsubscribeRequest" => Some(profile::PRESENCE),
            "group" | "group_admin" => Some(profile::GROUP),
            _ => None,
        };
        if service.is_some_and(|service| !self.user.may_use(self.core, service)) {
            return refused(Code::NOT_AGREED, "The service is not active.");
        }
        let own = self.user.address(self.core);
        let peek = Transaction::new(Mode::Request, "", primitive).peek;
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

/// Said of a request if too many wait.
pub(super) fn too_many() -> Status {
    Status::new(Code::QUEUE_FULL).because("Too many requests wait for their answer.")
}
