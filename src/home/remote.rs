//! The home domain of a guest as a client of theirs (wire profile, 11.8, 11.9).
//!
//! What a guest is told goes to the home domain as requests: `NewMessage`, `MessageNotification`,
//! `PresenceAuthRequest`. Its answer is the acknowledgement. The session is open from when that domain
//! says that the guest has come, by a delivery method or by their online status, until it says that
//! they have gone, or that nobody takes anything.

use std::collections::BTreeMap;

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::presence::{Attribute, AttributeName};
use crate::imps::status::Code;

use super::answers::status_of;
use super::client::{ClientKey, Delivery, Method, Takes, ToClient};
use super::core::{Asked, Core};
use super::feed::{KINDS, MESSAGE};
use super::feeds::Feeds;
use super::message_store::MessageStore;
use super::user::User;

/// Keys of home domains have this bit; those that the joint gives never come so far.
const REMOTE: u64 = 1 << 63;

/// Whether a client is the home domain of a guest.
pub(super) fn is_remote(client: ClientKey) -> bool {
    client.0 & REMOTE != 0
}

/// The home domain of one guest.
pub(super) struct Remote<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Remote<'a> {
    /// Of this guest, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// What a request of the guest says of whether they are there.
    pub(super) fn follow(&mut self, request: &Primitive) {
        match request {
            Primitive::SetDeliveryMethodRequest(request) => {
                let Some(method) = Method::parse(&request.method) else {
                    return;
                };
                let group = request.group.as_ref().map(|group| self.core.at_home(group));
                if group.is_some() {
                    let mut feeds = self.user.clients.values_mut();
                    if let Some(feed) = feeds.next() {
                        feed.deliver(method, request.content_length, group);
                    }
                    return;
                }
                self.open(Delivery {
                    method,
                    max_bytes: request.content_length,
                    ..Delivery::default()
                });
            }
            Primitive::UpdatePresenceRequest(request) => {
                let list = request.value.presence.as_ref();
                let online = list.and_then(|list| list.get(&AttributeName::OnlineStatus));
                match online.and_then(Attribute::truth) {
                    Some(true) if self.user.clients.is_empty() => self.open(Delivery::default()),
                    Some(true) => self.ask_again(),
                    Some(false) => self.close(),
                    None => {}
                }
            }
            _ => {}
        }
    }

    /// Hands over everything that waits, and then what comes. What was handed over before and not
    /// acknowledged is handed over again.
    fn open(&mut self, delivery: Delivery) {
        self.close();
        let client = loop {
            let key = ClientKey(self.core.read_number() | REMOTE);
            if !self.core.clients.contains_key(&key) {
                break key;
            }
        };
        self.core.clients.insert(client, self.user.name.clone());
        let mut feeds = Feeds::of(self.user, self.core, self.now);
        feeds.begin_feed(client, Takes::Everything, delivery);
        feeds.feed();
    }

    /// The guest is asked again what they have not decided.
    fn ask_again(&mut self) {
        for who in self.user.undecided(self.core) {
            Feeds::of(self.user, self.core, self.now).ask_clients(&who);
        }
    }

    fn close(&mut self) {
        for client in self.user.clients.keys().copied().collect::<Vec<_>>() {
            Feeds::of(self.user, self.core, self.now).end_feed(client);
        }
    }

    /// Hands over what home domains were told as clients.
    pub(super) fn hand_over(users: &mut BTreeMap<String, Box<User>>, core: &mut Core, now: Time) {
        while let Some((client, told)) = core.handed_over.pop_front() {
            let ToClient::Take { number, primitive } = told else {
                continue;
            };
            let name = core.clients.get(&client);
            if let Some(user) = name.and_then(|name| users.get_mut(name)) {
                Remote::of(user, core, now).hand(client, number, *primitive);
            }
        }
    }

    fn hand(&mut self, client: ClientKey, number: u64, mut primitive: Primitive) {
        if let Primitive::NewMessage(message) = &mut primitive {
            // As the message is called here, whoever else has used its id.
            message.info.message_id = self.user.inbox.name(number / KINDS);
        }
        let asked = Asked::HandedOver { client, number };
        let expires = self.now.plus(self.core.settings.request_validity);
        self.user.ask(self.core, None, asked, primitive, expires);
    }

    /// The home domain has taken what it was told under a number, or not.
    pub(super) fn answered(&mut self, client: ClientKey, number: u64, answer: &Primitive) {
        if !self.user.clients.contains_key(&client) {
            return;
        }
        let is_message = number % KINDS == MESSAGE;
        let code = match answer {
            Primitive::MessageDelivered(_) => Code::OK,
            answer => status_of(answer).code,
        };
        let mut feeds = Feeds::of(self.user, self.core, self.now);
        match code {
            code if code.is_success() => feeds.acknowledge(client, number),
            Code::REJECTED if is_message => {
                MessageStore::of(self.user, self.core, self.now).refused(number / KINDS);
                Feeds::of(self.user, self.core, self.now).acknowledge(client, number);
            }
            // A client of the guest may take it later; the home domain says so then.
            Code::TIMEOUT if is_message => {}
            Code::TIMEOUT => feeds.acknowledge(client, number),
            // Nobody is there. It waits until the home domain says that somebody is.
            _ => feeds.end_feed(client),
        }
    }
}
