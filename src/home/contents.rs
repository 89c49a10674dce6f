//! Contents of what waits for a user, as they are read from the disk: those to which clients come
//! next, with some of what follows ([`super::held`]).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::element::{Act, Found, Load, Loaded, Outcome, Time};
use crate::imps::address::Address;
use crate::imps::status::{Code, Status};
use crate::text::Shown;

use super::body::Body;
use super::client::ClientKey;
use super::core::{Core, Timer};
use super::feed::{Feed, KINDS, MESSAGE, NOTICE};
use super::held::Content;
use super::inbox::Arrival;
use super::message::Arrivals;
use super::notices::Notices;
use super::records;
use super::user::User;

/// Records that are read at once, at most; our choice.
const MAX_READ: usize = 256;
/// What could not be read is tried again after so long; our choice.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Contents of what waits for one user.
pub(super) struct Contents<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Contents<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Contents came from the store. What cannot be read any more ends. Says whether they were
    /// waited for.
    pub(super) fn loaded(&mut self, loaded: Loaded) -> bool {
        if !self.user.held.has_read(loaded.number) {
            return false;
        }
        let mut later = None;
        for (number, found) in loaded.records {
            let content = match found {
                Found::Record(record) => self.content(number, &record),
                Found::Damaged(why) => Err(why),
                Found::Later(why) => {
                    later.get_or_insert(why);
                    continue;
                }
            };
            match content {
                Ok(Some(content)) => self.user.hold(self.core, number, content),
                // It has ended meanwhile.
                Ok(None) => {}
                Err(why) => self.unreadable(number, &why),
            }
        }
        if let Some(why) = later {
            if let Some(left_out) = self.core.seldom.may("unread", self.now.0) {
                tracing::warn!(left_out, "what waits for a user cannot be read now: {why}");
            }
            let again = self.now.plus(READ_AGAIN);
            self.user.held.pause(again);
            let timer = Timer::Read(self.user.name.clone());
            self.core.timers.insert((again, timer));
        }
        true
    }

    /// What was read under a number; `None` if nobody is to be told of it any more.
    pub(super) fn content(
        &mut self,
        number: u64,
        record: &[u8],
    ) -> Result<Option<Content>, String> {
        let at = number / KINDS;
        if number % KINDS == NOTICE {
            let is_there = self.user.notices.contains_key(&at);
            let kept =
                is_there.then(|| records::read_notice(&self.user.address(self.core), record));
            let kept = kept.transpose()?;
            return Ok(kept.map(|kept| Content::Notice(kept.primitive)));
        }
        let Some(arrival) = self.user.inbox.untold(at) else {
            return Ok(None);
        };
        let letter = arrival.waiting.as_ref();
        let (size, has_body) = letter.map_or((0, false), |l| (l.size, l.has_body));
        let body = if has_body {
            Arrival::body_of(record)?
        } else {
            Body::from_record(record)?
        };
        if body.content.len() != size {
            return Err("it is the record of another message".to_owned());
        }
        if has_body {
            self.move_body(at, &body);
        }
        Ok(Some(Content::Message(body)))
    }

    /// An older version has kept it with the arrival.
    fn move_body(&mut self, at: u64, body: &Body) {
        self.user.inbox.body_moved(at);
        let name = &self.user.name;
        if let Some(arrival) = self.user.inbox.get(at) {
            self.core.act(records::put_arrival(name, at, arrival));
            self.core.act(records::put_body(name, at, body));
        }
    }

    /// What has this number cannot be told to anybody, ever.
    pub(super) fn unreadable(&mut self, number: u64, why: &str) {
        let at = number / KINDS;
        let (id, sender) = match (number % KINDS, self.user.inbox.untold(at)) {
            (MESSAGE, Some(arrival)) => (arrival.id.clone(), Some(arrival.sender.clone())),
            (NOTICE, _) => match self.user.notices.get(&at) {
                Some(notice) => (notice.about.clone().unwrap_or_default(), None),
                None => return,
            },
            _ => return,
        };
        tracing::error!(
            user = self.user.name,
            message = %Shown(&id),
            sender = %Shown(sender.as_ref().map_or("", Address::as_str)),
            "what waited for the user is damaged in the store, given up: {why}"
        );
        if sender.is_none() {
            Notices::of(self.user, self.core, self.now).forget(at);
        } else if self.user.inbox.remove_copy(at) {
            self.core.act(records::delete_body(&self.user.name, at));
        } else {
            let status = Status::new(Code::INTERNAL).because("It was damaged in the store.");
            let outcome = Outcome::Refused(Code::INTERNAL.0);
            Arrivals::of(self.user, self.core, self.now).end_arrival(at, &status, outcome);
        }
    }

    /// Has contents read that clients come to next and that are not in memory: of each so much that
    /// all together may be held, or if too much is held, what the client may be told at once.
    pub(super) fn read(&mut self, stalled: &[ClientKey]) {
        if !self.user.held.may_read(self.now) {
            return;
        }
        let settings = &self.core.settings;
        if !self.core.reads.may_begin(settings.max_read_bytes) {
            return self.core.reads.wait(&self.user.name);
        }
        let is_crowded = self.core.held_bytes >= settings.max_all_held_bytes;
        let share = settings.max_held_bytes / stalled.len().max(1);
        let (mut keys, mut total) = (BTreeMap::new(), 0);
        for client in stalled {
            let Some(feed) = self.user.clients.get(client) else {
                continue;
            };
            let (count, room) = feed.room(self.core);
            let (most, most_bytes) = if is_crowded {
                (count, share.min(room))
            } else {
                (MAX_READ, share)
            };
            let (mut taken, mut bytes) = (0, 0);
            let first = feed.next_number(*client, self.user);
            let after = |number: &u64| match feed.again.range(number + 1..).next() {
                Some(again) => Some(*again),
                None => feed.number_from(*client, self.user, feed.next.max(number + 1)),
            };
            for number in std::iter::successors(first, after) {
                // Of what it is told without its content nothing is read.
                if !self.is_pushed(number, feed) {
                    continue;
                }
                let (size, key) = self.record_of(number);
                if taken > 0 && (taken >= most || bytes + size > most_bytes) {
                    break;
                }
                taken += 1;
                bytes += size;
                if self.user.held.get(number).is_none() && keys.insert(number, key).is_none() {
                    total += size;
                }
            }
        }
        let read = self.core.read_number();
        self.user.held.read(read);
        self.core.reads.begin(read, &self.user.name, total);
        self.core.act(Act::Load(Load {
            number: read,
            keys: keys.into_iter().collect(),
        }));
    }

    /// Whether a client is told what has a number with its content.
    fn is_pushed(&self, number: u64, feed: &Feed) -> bool {
        let message = self.user.inbox.untold(number / KINDS);
        let message = message.filter(|_| number % KINDS == MESSAGE);
        message.is_none_or(|arrival| {
            let letter = arrival.waiting.as_ref();
            letter.is_none_or(|letter| feed.is_pushed(&arrival.sender, letter))
        })
    }

    /// Bytes and key of what has a number.
    fn record_of(&self, number: u64) -> (usize, String) {
        let (name, at) = (&self.user.name, number / KINDS);
        if number % KINDS == NOTICE {
            let bytes = self.user.notices.get(&at).map_or(0, |notice| notice.bytes);
            return (bytes, records::key_of_notice(name, at));
        }
        let arrival = self.user.inbox.untold(at);
        let letter = arrival.and_then(|arrival| arrival.waiting.as_ref());
        let (bytes, has_body) = letter.map_or((0, false), |l| (l.bytes, l.has_body));
        (bytes, records::key_of_body(name, at, has_body))
    }
}
