//! Client sessions: login, logout and commands. Passwords are the caller's business.

use super::contact_list::ContactList;
use super::feed::Feeds;
use super::presence::Presence;
use super::sending::Sending;
use super::watching::Watching;
use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{MetaInfo, UserId};
use crate::imps::presence::MOODS;
use crate::imps::primitive::common::{Id, IdList, VerifyIDRequest};
use crate::imps::primitive::{self, Role, Routing};
use crate::imps::status::{Code, Status};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;

use super::client::{Availability, ClientKey, Command, Event};
use super::core::{Asked, Core};
use super::profile;
use super::sending::{Draft, MAX_ID};
use super::user::User;
use super::watching::too_many_requests;

/// A mood, text or alias that cannot be.
const PRESENCE_VALUE: Code = Code(751);
/// The contact list is full.
const MAX_CONTACTS: Code = Code(754);
/// Bytes of a status text or alias.
const MAX_TEXT: usize = 1024;
/// Bytes of a user's own name for a contact.
const MAX_NAME: usize = 256;

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

    pub(super) fn command(&mut self, client: ClientKey, command: Command) {
        let name = command.name();
        if let Some(service) = service(&command)
            && !self.user.may_use(self.core, service)
        {
            let why = format!("The service {service} is not active.");
            return self
                .core
                .tell(client, Event::error(name, None, Code::NOT_AGREED, why));
        }
        if let Some(other) = subject(&command) {
            let other = self.core.at_home(other);
            if !other.is_valid() || other.kind() != Kind::User {
                let why = "The address names no user.";
                return self
                    .core
                    .tell(client, Event::error(name, Some(&other), Code::ADDRESS, why));
            }
            return self.command_about(client, command, &other);
        }
        match command {
            Command::Message {
                to,
                text,
                report,
                id,
            } => {
                let draft = Draft {
                    to: self.core.at_home(&to),
                    text,
                    report,
                    id,
                };
                Sending::of(self.user, self.core, self.now).send(client, draft);
            }
            Command::Presence {
                availability,
                text,
                mood,
                alias,
            } => {
                let event = match self.set_presence(availability, text, mood, alias) {
                    Ok(()) => Event::done(name, None),
                    Err(why) => Event::error(name, None, PRESENCE_VALUE, why),
                };
                self.core.tell(client, event);
                self.user.save(self.core);
                Presence::of(self.user, self.core, self.now).publish();
            }
            Command::Request { id, primitive } => self.request(client, id, *primitive),
            Command::Ack { number } => {
                Feeds::of(self.user, self.core, self.now).acknowledge(client, number);
            }
            Command::Contacts => {
                let list = ContactList::of(self.user, self.core, self.now).contacts();
                self.core.tell(client, list);
            }
            Command::Watchers => {
                let list = ContactList::of(self.user, self.core, self.now).watchers();
                self.core.tell(client, list);
            }
            // The others are about somebody.
            _ => {}
        }
    }

    /// Hands a request of the user to wherever it belongs.
    fn request(&mut self, client: ClientKey, id: String, primitive: Primitive) {
        if id.len() > MAX_ID {
            let why = format!("An id is at most {MAX_ID} bytes long.");
            let event = Event::error("request", None, Code::BAD_REQUEST, why);
            return self.core.tell(client, event);
        }
        if let Err(status) = self.may_request(&primitive) {
            let primitive = Box::new(status.into());
            return self.core.tell(client, Event::Answer { id, primitive });
        }
        let seconds = self.core.settings.request_validity;
        let (asked, expires) = (Asked::Request { id }, self.now.plus_seconds(seconds));
        self.user
            .ask(self.core, Some(client), asked, primitive, expires);
    }

    /// Whether it is a request that this user may make: nobody speaks for others.
    fn may_request(&self, primitive: &Primitive) -> Result<(), Status> {
        let refused = |code, why: &str| Err(Status::new(code).because(why));
        let facts = primitive::facts(primitive.name());
        let facts = facts.filter(|f| f.kind == primitive::Kind::Request);
        let Some(facts) = facts.filter(|f| f.routing != Routing::Hop) else {
            return refused(Code::BAD_REQUEST, "This is no request of a user.");
        };
        let service = match facts.family {
            "message" => Some(profile::IM),
            "presence" => Some(profile::PRESENCE),
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
        // What becomes of a message must outlive its client.
        if matches!(primitive, Primitive::SendMessageRequest(_)) {
            return refused(
                Code::NOT_SUPPORTED,
                "Messages go by the command \"message\".",
            );
        }
        if self.user.may_ask(self.core) {
            Ok(())
        } else {
            refused(Code::QUEUE_FULL, "Too many requests wait for their answer.")
        }
    }

    fn command_about(&mut self, client: ClientKey, command: Command, other: &Address) {
        let name = command.name();
        let keeps = matches!(
            command,
            Command::Subscribe { .. }
                | Command::Authorize { .. }
                | Command::AddContact { .. }
                | Command::Block { .. }
        );
        if keeps && !self.user.has_room_for(other, self.core) {
            let why = "There is no room for another contact.";
            return self
                .core
                .tell(client, Event::error(name, Some(other), MAX_CONTACTS, why));
        }
        let asks = matches!(
            command,
            Command::Subscribe { .. } | Command::GetPresence { .. } | Command::Verify { .. }
        );
        if asks && !self.user.may_ask(self.core) {
            return self.core.tell(client, too_many_requests(name, other));
        }
        match command {
            Command::Subscribe { .. } => {
                Watching::of(self.user, self.core, self.now).subscribe(other);
            }
            Command::GetPresence { .. } => {
                Watching::of(self.user, self.core, self.now).get_presence(client, other);
            }
            Command::Verify { .. } => self.verify(client, other),
            Command::Unsubscribe { .. } => {
                Watching::of(self.user, self.core, self.now).end_subscription(other);
            }
            Command::Authorize { accept, .. } => {
                ContactList::of(self.user, self.core, self.now).authorize(other, accept);
            }
            Command::CancelAuthorization { .. } => {
                ContactList::of(self.user, self.core, self.now).cancel_authorization(other);
            }
            Command::AddContact { name: given, .. }
                if given.as_ref().is_some_and(|name| name.len() > MAX_NAME) =>
            {
                let why = "The name is too long.";
                let event = Event::error(name, Some(other), Code::BAD_PARAMETER, why);
                return self.core.tell(client, event);
            }
            Command::AddContact { name, .. } => {
                let name = name.filter(|name| !name.is_empty());
                ContactList::of(self.user, self.core, self.now).add_contact(other, name);
            }
            Command::RemoveContact { .. } => {
                ContactList::of(self.user, self.core, self.now).remove_contact(other);
            }
            Command::Block { .. } => self
                .user
                .relate(self.core, other, |relation| relation.blocked = true),
            Command::Unblock { .. } => self
                .user
                .relate(self.core, other, |relation| relation.blocked = false),
            // The others are about nobody.
            _ => {}
        }
        if !asks {
            self.core.tell(client, Event::done(name, Some(other)));
        }
    }

    fn set_presence(
        &mut self,
        availability: Option<Availability>,
        text: Option<String>,
        mood: Option<String>,
        alias: Option<String>,
    ) -> Result<(), &'static str> {
        let mood = mood.map(|mood| mood.trim().to_ascii_uppercase());
        if mood
            .as_ref()
            .is_some_and(|mood| !mood.is_empty() && !MOODS.contains(&mood.as_str()))
        {
            return Err("There is no such mood.");
        }
        if [&text, &alias]
            .into_iter()
            .flatten()
            .any(|text| text.len() > MAX_TEXT)
        {
            return Err("The text is too long.");
        }
        self.user.availability = availability.unwrap_or(self.user.availability);
        // An empty text is a value: it says that the former one was cleared.
        self.user.account.text = text.or(self.user.account.text.take());
        let set = |value: Option<String>, old: &mut Option<String>| {
            if let Some(value) = value {
                *old = Some(value).filter(|value| !value.is_empty());
            }
        };
        set(mood, &mut self.user.account.mood);
        set(alias, &mut self.user.account.alias);
        Ok(())
    }

    fn verify(&mut self, client: ClientKey, other: &Address) {
        let user = other.clone();
        let request = VerifyIDRequest {
            meta: Some(MetaInfo::of_user(
                self.core.domain(),
                self.user.address(self.core),
            )),
            ids: IdList {
                ids: vec![Id::User(UserId { user })],
            },
        };
        let expires = self.now.plus_seconds(self.core.settings.request_validity);
        let user = other.clone();
        self.user.ask(
            self.core,
            Some(client),
            Asked::Verify { user },
            request,
            expires,
        );
    }
}

/// The service of the profile that a command uses.
fn service(command: &Command) -> Option<&'static str> {
    match command {
        Command::Message { .. } => Some(profile::IM),
        Command::Subscribe { .. } | Command::GetPresence { .. } => Some(profile::PRESENCE),
        _ => None,
    }
}

/// Whom a command is about, if about a user other than as recipient of a message.
fn subject(command: &Command) -> Option<&Address> {
    match command {
        Command::Subscribe { user }
        | Command::Unsubscribe { user }
        | Command::Authorize { user, .. }
        | Command::CancelAuthorization { user }
        | Command::AddContact { user, .. }
        | Command::RemoveContact { user }
        | Command::GetPresence { user }
        | Command::Block { user }
        | Command::Unblock { user }
        | Command::Verify { user } => Some(user),
        Command::Message { .. }
        | Command::Request { .. }
        | Command::Ack { .. }
        | Command::Presence { .. }
        | Command::Contacts
        | Command::Watchers => None,
    }
}
