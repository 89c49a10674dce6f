//! Client sessions: login, logout and commands. Passwords are the caller's business.

use crate::element::Time;
use crate::ssp::address::{Address, Kind};
use crate::ssp::common::{MetaInfo, UserId};
use crate::ssp::primitive::common::{Id, IdList, VerifyIDRequest};
use crate::ssp::status::Code;

use super::Home;
use super::client::{Availability, ClientKey, Command, ContactEntry, Event, Known, Takes};
use super::core::{Asked, Core};
use super::profile;
use super::sending::Draft;
use super::user::{User, UserError};
use super::watching::too_many_requests;

/// A mood, text or alias that cannot be.
const PRESENCE_VALUE: Code = Code(751);
/// The contact list is full.
const MAX_CONTACTS: Code = Code(754);
/// Bytes of a status text or alias.
const MAX_TEXT: usize = 1024;
/// Bytes of a user's own name for a contact.
const MAX_NAME: usize = 256;
/// What `StatusMood` may be (presence-attributes, 3.5).
const MOODS: [&str; 11] = [
    "HAPPY",
    "SAD",
    "ANGRY",
    "JEALOUS",
    "ASHAMED",
    "INVINCIBLE",
    "IN_LOVE",
    "SLEEPY",
    "BORED",
    "EXCITED",
    "ANXIOUS",
];

impl Home {
    /// Opens a session of a user. Tells it [`Event::Ready`], then what waits for the user, as far
    /// as it takes that, and then what comes. With his first session the user comes online.
    ///
    /// # Errors
    /// There is no such user, he has too many sessions, or the key is taken.
    pub fn client_open(
        &mut self,
        client: ClientKey,
        user: &str,
        takes: Takes,
        now: Time,
    ) -> Result<(), UserError> {
        let Self { users, core, .. } = self;
        let name = user.to_lowercase();
        let Some(user) = users.get_mut(&name).filter(|user| !user.builtin) else {
            return Err(UserError::Unknown(name));
        };
        if user.clients.len() >= core.settings.max_clients || core.clients.contains_key(&client) {
            return Err(UserError::Full("client session"));
        }
        let is_first = user.clients.is_empty();
        core.clients.insert(client, name);
        user.begin_feed(core, client, takes, now);
        if is_first {
            user.availability = Availability::default();
            user.account.online = true;
            user.save(core);
            user.publish(core, now);
        }
        user.tell_profile(core, now);
        user.feed(core, now);
        Ok(())
    }

    /// Ends a session, if it is open. With his last one the user goes offline.
    pub fn client_close(&mut self, client: ClientKey, now: Time) {
        let Self { users, core, .. } = self;
        let Some(user) = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name))
        else {
            return;
        };
        user.end_feed(core, client, now);
        user.tell_profile(core, now);
        if user.clients.is_empty() {
            user.account.online = false;
            user.save(core);
            user.publish(core, now);
        }
    }

    /// Does what a client wants. Every command but an acknowledgement is answered by an event, some
    /// of them later.
    pub fn client(&mut self, client: ClientKey, command: Command, now: Time) {
        let Self { users, core, .. } = self;
        let user = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name));
        if let Some(user) = user {
            user.command(core, client, command, now);
        } else if !matches!(command, Command::Ack { .. }) {
            let why = "The session is not open.";
            let event = Event::error(command.name(), None, Code::INVALID_SESSION, why);
            core.tell(client, event);
        }
    }
}

impl User {
    fn command(&mut self, core: &mut Core, client: ClientKey, command: Command, now: Time) {
        let name = command.name();
        if let Some(service) = service(&command)
            && !self.may_use(core, service)
        {
            let why = format!("The service {service} is not active.");
            return core.tell(client, Event::error(name, None, Code::NOT_AGREED, why));
        }
        if let Some(other) = subject(&command) {
            let other = core.at_home(other);
            if !other.is_valid() || other.kind() != Kind::User {
                let why = "The address names no user.";
                return core.tell(client, Event::error(name, Some(&other), Code::ADDRESS, why));
            }
            return self.command_about(core, client, command, &other, now);
        }
        match command {
            Command::Message {
                to,
                text,
                report,
                id,
            } => {
                let draft = Draft {
                    to: core.at_home(&to),
                    text,
                    report,
                    id,
                };
                self.send(core, client, draft, now);
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
                core.tell(client, event);
                self.save(core);
                self.publish(core, now);
            }
            Command::Ack { number } => self.acknowledge(core, client, number, now),
            Command::Contacts => core.tell(client, self.contacts(core)),
            Command::Watchers => core.tell(client, self.watchers(core)),
            // The others are about somebody.
            _ => {}
        }
    }

    fn command_about(
        &mut self,
        core: &mut Core,
        client: ClientKey,
        command: Command,
        other: &Address,
        now: Time,
    ) {
        let name = command.name();
        let keeps = matches!(
            command,
            Command::Subscribe { .. }
                | Command::Authorize { .. }
                | Command::AddContact { .. }
                | Command::Block { .. }
        );
        if keeps && !self.has_room_for(other, core) {
            let why = "There is no room for another contact.";
            return core.tell(client, Event::error(name, Some(other), MAX_CONTACTS, why));
        }
        let asks = matches!(
            command,
            Command::Subscribe { .. } | Command::GetPresence { .. } | Command::Verify { .. }
        );
        if asks && !self.may_ask(core) {
            return core.tell(client, too_many_requests(name, other));
        }
        match command {
            Command::Subscribe { .. } => self.subscribe(core, other, now),
            Command::GetPresence { .. } => self.get_presence(core, client, other, now),
            Command::Verify { .. } => self.verify(core, client, other, now),
            Command::Unsubscribe { .. } => self.end_subscription(core, other, now),
            Command::Authorize { accept, .. } => self.authorize(core, other, accept, now),
            Command::CancelAuthorization { .. } => {
                self.cancel_authorization(core, other, now);
            }
            Command::AddContact { name: given, .. }
                if given.as_ref().is_some_and(|name| name.len() > MAX_NAME) =>
            {
                let why = "The name is too long.";
                let event = Event::error(name, Some(other), Code::BAD_PARAMETER, why);
                return core.tell(client, event);
            }
            Command::AddContact { name, .. } => {
                let name = name.filter(|name| !name.is_empty());
                self.add_contact(core, other, name, now);
            }
            Command::RemoveContact { .. } => self.remove_contact(core, other, now),
            Command::Block { .. } => self.relate(core, other, |relation| relation.blocked = true),
            Command::Unblock { .. } => {
                self.relate(core, other, |relation| relation.blocked = false)
            }
            // The others are about nobody.
            _ => {}
        }
        if !asks {
            core.tell(client, Event::done(name, Some(other)));
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
        self.availability = availability.unwrap_or(self.availability);
        // An empty text is a value: it says that the former one was cleared.
        self.account.text = text.or(self.account.text.take());
        let set = |value: Option<String>, old: &mut Option<String>| {
            if let Some(value) = value {
                *old = Some(value).filter(|value| !value.is_empty());
            }
        };
        set(mood, &mut self.account.mood);
        set(alias, &mut self.account.alias);
        Ok(())
    }

    fn verify(&mut self, core: &mut Core, client: ClientKey, other: &Address, now: Time) {
        let user = other.clone();
        let request = VerifyIDRequest {
            meta: Some(MetaInfo::of_user(core.domain(), self.address(core))),
            ids: IdList {
                ids: vec![Id::User(UserId { user })],
            },
        };
        let expires = now.plus_seconds(core.settings.request_validity);
        let user = other.clone();
        self.ask(core, Some(client), Asked::Verify { user }, request, expires);
    }

    fn contacts(&self, core: &Core) -> Event {
        let entries = self.relations.iter().filter_map(|(other, relation)| {
            let subscription = relation.subscription.as_ref();
            if relation.contact.is_none() && !relation.blocked && subscription.is_none() {
                return None;
            }
            Some(ContactEntry {
                user: other.clone(),
                name: relation.contact.as_ref().and_then(|c| c.name.clone()),
                contact: relation.contact.is_some(),
                blocked: relation.blocked,
                subscription: subscription.map(|subscription| subscription.state),
                presence: subscription
                    .map_or_else(Known::default, |s| core.away.shown(other, &s.presence)),
            })
        });
        Event::Contacts {
            contacts: entries.collect(),
        }
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
        | Command::Ack { .. }
        | Command::Presence { .. }
        | Command::Contacts
        | Command::Watchers => None,
    }
}
