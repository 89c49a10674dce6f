//! Sessions of clients: opened, used and ended.

use std::collections::BTreeMap;

use crate::element::{Loaded, Time};
use crate::imps::Primitive;
use crate::imps::primitive::profile::Terminal;
use crate::imps::status::{Code, Status};

use super::client::{ClientKey, Delivery, FromClient, Over, Takes, ToClient};
use super::core::{Asker, Core};
use super::feeds::Feeds;
use super::known::Availability;
use super::message_store::MessageStore;
use super::presence::Presence;
use super::provider::Providers;
use super::session::Session;
use super::sleepers::Sleepers;
use super::user::User;
use super::user_error::UserError;

/// Clients of all users.
pub(super) struct Clients<'a> {
    users: &'a mut BTreeMap<String, Box<User>>,
    sleepers: &'a Sleepers,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Clients<'a> {
    /// Of these users, at this time.
    pub(super) fn of(
        (users, sleepers): (&'a mut BTreeMap<String, Box<User>>, &'a Sleepers),
        core: &'a mut Core,
        now: Time,
    ) -> Self {
        Self {
            users,
            sleepers,
            core,
            now,
        }
    }

    /// What a client does.
    pub(super) fn take(&mut self, client: ClientKey, what: FromClient) {
        match what {
            FromClient::Open {
                user,
                takes,
                delivery,
            } => {
                let why = match self.open(client, &user, takes, delivery) {
                    Ok(()) => return,
                    Err(UserError::Unknown(_)) => Over::Unknown,
                    Err(UserError::Disabled(_)) => Over::Disabled,
                    Err(UserError::Unavailable(_)) => Over::Unavailable,
                    Err(_) => Over::TooMany,
                };
                self.core.tell(client, ToClient::Over { why });
            }
            FromClient::Request { id, primitive } => self.request(client, id, *primitive),
            FromClient::Describe { terminal } => self.describe(client, *terminal),
            FromClient::Ack { number } => self.acknowledge(client, number),
            FromClient::Close => self.close(client),
        }
    }

    /// Opens a session of a user. Tells it [`ToClient::Opened`], then what waits for the user, as far
    /// as it takes that, and then what comes. With the first session the user comes online.
    ///
    /// # Errors
    /// There is no such user, their account is disabled or cannot be read, they have too many
    /// sessions, or the key is taken.
    pub(super) fn open(
        &mut self,
        client: ClientKey,
        user: &str,
        takes: Takes,
        delivery: Delivery,
    ) -> Result<(), UserError> {
        let Self {
            users,
            sleepers,
            core,
            now,
        } = self;
        let now = *now;
        let name = user.to_lowercase();
        let Some(user) = users.get_mut(&name).filter(|user| user.has_account()) else {
            return Err(sleepers.not_awake(name));
        };
        if user.account.disabled {
            return Err(UserError::Disabled(name));
        }
        if user.clients.len() >= core.settings.max_clients || core.clients.contains_key(&client) {
            return Err(UserError::Full("client session"));
        }
        let is_first = user.clients.is_empty();
        let takes_messages = (takes == Takes::Everything).then(|| delivery.clone());
        core.clients.insert(client, name);
        Feeds::of(user, core, now).begin_feed(client, takes, delivery);
        if is_first {
            user.availability = Availability::default();
            user.account.online = true;
            user.save(core);
            Presence::of(user, core, now).publish();
            Providers::of(user, core, now).tell_presence();
        }
        user.tell_profile(core, now);
        if let Some(delivery) = takes_messages {
            Providers::of(user, core, now).tell_delivery(&delivery);
        }
        Feeds::of(user, core, now).feed();
        Ok(())
    }

    /// What a client is, from now on.
    fn describe(&mut self, client: ClientKey, terminal: Terminal) {
        let name = self.core.clients.get(&client);
        let Some(user) = name.and_then(|name| self.users.get_mut(name)) else {
            return;
        };
        if let Some(feed) = user.clients.get_mut(&client)
            && feed.terminal.as_ref() != Some(&terminal)
        {
            feed.terminal = Some(terminal);
            user.tell_profile(self.core, self.now);
        }
    }

    /// Ends a session, if it is open. With the last one the user goes offline.
    pub(super) fn close(&mut self, client: ClientKey) {
        let Self {
            users, core, now, ..
        } = self;
        let now = *now;
        let Some(user) = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name))
        else {
            return;
        };
        Feeds::of(user, core, now).end_feed(client);
        user.tell_profile(core, now);
        if user.clients.is_empty() {
            user.account.online = false;
            user.save(core);
            Presence::of(user, core, now).publish();
            Providers::of(user, core, now).tell_presence();
        }
    }

    /// Hands over a request of a client's user, or tells that it is not open.
    pub(super) fn request(&mut self, client: ClientKey, id: String, what: Primitive) {
        let Self {
            users, core, now, ..
        } = self;
        let now = *now;
        let asker = Asker { client, id };
        let user = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name));
        if let Some(user) = user {
            Session::of(user, core, now).request(asker, what);
        } else {
            let why = "The session is not open.";
            core.answer(asker, Status::new(Code::INVALID_SESSION).because(why));
        }
    }

    /// A client has taken what it was told under a number.
    pub(super) fn acknowledge(&mut self, client: ClientKey, number: u64) {
        let Self {
            users, core, now, ..
        } = self;
        let now = *now;
        if let Some(user) = core
            .clients
            .get(&client)
            .and_then(|name| users.get_mut(name))
        {
            Session::of(user, core, now).acknowledge(client, number);
        }
    }

    /// Contents of what waits for users came from the store.
    pub(super) fn loaded(&mut self, loaded: Loaded) {
        let Self {
            users, core, now, ..
        } = self;
        let now = *now;
        let whose = core.reads.end(loaded.number);
        let fetch = core.fetches.end(loaded.number);
        let user = whose.and_then(|name| users.get_mut(&name));
        match (fetch, user) {
            (Some(fetch), Some(user)) => {
                let found = loaded.records.into_iter().next();
                let found = found.map(|(_, found)| found);
                MessageStore::of(user, core, now).fetched(fetch, found);
            }
            (Some(fetch), None) => core.respond(fetch.caller, Status::new(Code::UNKNOWN_USER)),
            (None, Some(user)) => Feeds::of(user, core, now).loaded(loaded),
            (None, None) => {}
        }
        while core.reads.may_begin(core.settings.max_read_bytes)
            && let Some(fetch) = core.fetches.next()
        {
            match users.get_mut(&fetch.user) {
                Some(user) => MessageStore::of(user, core, now).read(fetch),
                None => core.respond(fetch.caller, Status::new(Code::UNKNOWN_USER)),
            }
        }
        while core.reads.may_begin(core.settings.max_read_bytes)
            && let Some(name) = core.reads.next()
        {
            if let Some(user) = users.get_mut(&name) {
                Feeds::of(user, core, now).feed();
            }
        }
    }
}
