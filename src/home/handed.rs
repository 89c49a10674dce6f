//! What a provider elsewhere hands over for a user of ours: messages, and that messages wait (wire
//! profile, 11.9).
//!
//! The provider keeps a message until this domain says that a client has it, and that is said when one
//! acknowledges it; nothing is kept here. So what a client did not acknowledge comes again, under
//! the same number, when the user comes back.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::element::{RequestId, Time};
use crate::imps::address::Address;
use crate::imps::common::{MessageInfo, MetaInfo};
use crate::imps::primitive::message_store::{
    GetMessageResponse, MessageDelivered, MessageNotification, NewMessage,
};
use crate::imps::status::{Code, Status};

use super::client::ToClient;
use super::core::{Asker, Core};
use super::feed::{HANDED, HANDED_NOTICE, number};
use super::telling::take;
use super::user::User;
use super::{Caller, Home};

/// Messages that one client has not acknowledged; our choice, twice what a provider hands over
/// ahead.
const MOST: usize = 256;

/// What one client was handed over.
#[derive(Debug, Default)]
pub(super) struct Handed {
    /// What it has not acknowledged.
    waiting: BTreeMap<u64, Handover>,
    /// What some client of the user has acknowledged lately.
    taken: VecDeque<u64>,
}

/// A message on its way from a provider to a client.
#[derive(Debug, Clone)]
struct Handover {
    /// As the provider calls it.
    id: String,
    /// The provider's request, and when an answer is of no use any more.
    request: Option<(RequestId, Time)>,
}

impl Handed {
    fn has_room(&self, number: u64) -> bool {
        self.waiting.len() < MOST || self.waiting.contains_key(&number)
    }

    fn was_taken(&self, number: u64) -> bool {
        self.taken.contains(&number)
    }

    /// It is acknowledged, by whichever client.
    fn end(&mut self, number: u64) -> Option<Handover> {
        if self.taken.len() >= MOST {
            self.taken.pop_front();
        }
        self.taken.push_back(number);
        self.waiting.remove(&number)
    }
}

/// What providers elsewhere hand over.
pub(super) struct HandedOver<'a> {
    home: &'a mut Home,
}

impl<'a> HandedOver<'a> {
    /// To users of this domain.
    pub(super) fn of(home: &'a mut Home) -> Self {
        Self { home }
    }

    /// A message, answered when a client of the user has it.
    pub(super) fn message(&mut self, caller: &Caller, message: NewMessage, expires: Time) {
        let at = key_of(&message.info, HANDED);
        let handover = Handover {
            id: message.info.message_id.clone().unwrap_or_default(),
            request: caller.id.map(|id| (id, expires)),
        };
        let (user, core) = match self.user(&message.info) {
            Ok(found) => found,
            Err(code) => return self.home.core.respond(caller.id, Status::new(code)),
        };
        if user.clients.values().any(|feed| feed.handed.was_taken(at)) {
            return core.respond(caller.id, delivered(handover.id, None));
        }
        let mut takers = Vec::new();
        let mut is_told = false;
        let feeds = user.clients.iter_mut();
        for (client, feed) in feeds.filter(|(_, feed)| feed.takes_everything()) {
            if !feed.handed.has_room(at) {
                continue;
            }
            is_told = true;
            // Whoever was told already is not told again.
            if feed.handed.waiting.insert(at, handover.clone()).is_none() {
                takers.push(*client);
            }
        }
        if !is_told {
            let has_client = user.clients.values().any(|feed| feed.takes_everything());
            let code = if has_client {
                Code::QUEUE_FULL
            } else {
                Code::OFFLINE
            };
            return core.respond(caller.id, Status::new(code));
        }
        let told = take(at, message);
        for client in takers {
            core.tell(client, told.clone());
        }
    }

    /// That a message waits at the provider.
    pub(super) fn notice(&mut self, caller: &Caller, notice: MessageNotification) {
        let at = key_of(&notice.info, HANDED_NOTICE);
        let (user, core) = match self.user(&notice.info) {
            Ok(found) => found,
            Err(code) => return self.home.core.respond(caller.id, Status::new(code)),
        };
        let takes = user
            .clients
            .iter()
            .filter(|(_, feed)| feed.takes_everything());
        let clients: Vec<_> = takes.map(|(client, _)| *client).collect();
        let code = if clients.is_empty() {
            Code::OFFLINE
        } else {
            Code::OK
        };
        let told = take(at, notice);
        for client in clients {
            core.tell(client, told.clone());
        }
        core.respond(caller.id, Status::new(code));
    }

    /// The user of ours whom it is for.
    fn user(&mut self, info: &MessageInfo) -> Result<(&mut User, &mut Core), Code> {
        let [recipient] = &info.recipients[..] else {
            return Err(Code::BAD_PARAMETER);
        };
        let name = self
            .home
            .known_user(&self.home.core.at_home(recipient.address()))?;
        let Home { users, core, .. } = &mut *self.home;
        let user = users.get_mut(&name).filter(|user| user.has_account());
        Ok((user.ok_or(Code::UNKNOWN_USER)?, core))
    }
}

/// What clients acknowledge of it.
pub(super) struct Acknowledged<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Acknowledged<'a> {
    /// By clients of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// A client has taken what it was told under a number: the provider hears it, by the answer, or
    /// if that may come too late by a request.
    pub(super) fn take(&mut self, number: u64) {
        let feeds = self.user.clients.values_mut();
        let ended = feeds.filter_map(|feed| feed.handed.end(number));
        let Some(handover) = ended.last() else {
            return;
        };
        let Handover { id, request } = handover;
        let own = self.user.address(self.core);
        if let Some((request, until)) = request {
            self.core
                .respond(Some(request), delivered(id.clone(), None));
            if self.now.plus(IN_TIME) < until {
                return;
            }
        }
        self.core.send(delivered(id, Some(&own)), self.now);
    }
}

/// An answer that has so long left arrives in time; our choice.
const IN_TIME: Duration = Duration::from_secs(2);

/// Messages that clients fetch from a provider.
pub(super) struct Fetched<'a> {
    user: &'a mut User,
    core: &'a mut Core,
}

impl<'a> Fetched<'a> {
    /// By clients of this user.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core) -> Self {
        Self { user, core }
    }

    /// The answer to a client, which acknowledges the message that is in it.
    pub(super) fn answer(&mut self, asker: Asker, response: &GetMessageResponse) {
        let Some(feed) = self.user.clients.get_mut(&asker.client) else {
            return;
        };
        let id = |info: &MessageInfo| info.message_id.clone();
        let named = response
            .info
            .as_ref()
            .and_then(|info| Some((key_of(info, HANDED), id(info)?)));
        let named = named.filter(|(at, _)| feed.handed.has_room(*at));
        let number = named.map(|(at, id)| {
            feed.handed
                .waiting
                .insert(at, Handover { id, request: None });
            at
        });
        let told = ToClient::Answer {
            id: asker.id,
            number,
            primitive: Box::new(response.clone().into()),
        };
        self.core.tell(asker.client, told);
    }
}

/// That a client has a message: the answer, or a request of the user.
fn delivered(id: String, user: Option<&Address>) -> MessageDelivered {
    MessageDelivered {
        message_id: id,
        meta: user.map(|user| MetaInfo::of_user(user.domain(), user.clone())),
    }
}

/// The number of a message at its clients, or of the word that it waits: the same whenever it comes,
/// and exact as a double.
fn key_of(info: &MessageInfo, kind: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    info.message_id.hash(&mut hasher);
    let sender = info.sender.as_ref();
    let user = sender.and_then(|sender| sender.user.as_ref());
    user.map(|user| user.user.as_str()).hash(&mut hasher);
    number(hasher.finish() >> 14, kind)
}
