//! Pictures of XMPP users, fetched for those who watch them (presence-attributes, 3.7).
//!
//! ```text
//!  XMPP ── metadata, photo hash ─▶ watched user ── not here ─▶ <pubsub/> or <vCard/> ─▶ the user's server
//!                                     ◀── StatusContent ── the bytes, if they are what was told ──┘
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use minidom::Element;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use super::records::Pair;
use super::reply::Reply;
use super::shared::{Ask, Shared};
use super::timers::Timers;
use crate::element::Time;
use crate::imps::common::User;
use crate::translate::Context;
use crate::translate::card::Photo;
use crate::translate::presence::avatar::{self, Told};

/// How long a server has for its answer; our choice.
const WAIT: Duration = Duration::from_secs(30);
/// So long a picture that could not be had is not asked for again; our choice.
const AGAIN: Duration = Duration::from_secs(3600);
/// Pictures that are remembered, and their bytes; our choice: those of contacts.
const MAX_KNOWN: usize = 2_000;
const MAX_BYTES: usize = 16 << 20;
/// Pictures that are asked for, watchers who wait for one, and pictures that could not be had.
const MAX_ASKED: usize = 500;
const MAX_WAITING: usize = 10_000;
const MAX_FAILED: usize = 10_000;

/// Which picture of whom.
type Key = (String, String);

/// Pictures, by what SHA-1 says of them.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    known: BTreeMap<String, Arc<Photo>>,
    /// The oldest first.
    order: VecDeque<String>,
    bytes: usize,
    /// Those that are asked for, by the id of the question, which nobody can guess.
    asked: BTreeMap<String, Asked>,
    /// Those that could not be had.
    failed: BTreeSet<Key>,
    timers: Timers<Due>,
    /// What has come, and for whom.
    came: VecDeque<(Pair, Told, Arc<Photo>)>,
}

/// A question for a picture.
#[derive(Debug)]
struct Asked {
    told: Told,
    /// Who alone may answer: the user, as bare JID.
    jid: String,
    pairs: Vec<Pair>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Asked(String),
    Failed(Key),
}

impl Pictures {
    /// A watcher was told of a picture.
    pub(super) fn want(&mut self, pair: Pair, told: Told, now: Time, shared: &mut Shared) {
        if let Some(picture) = self.known.get(&told.id) {
            self.came.push_back((pair, told, Arc::clone(picture)));
            return;
        }
        let key = (told.id.clone(), pair.xmpp.clone());
        if self.failed.contains(&key) {
            return;
        }
        let waiting: usize = self.asked.values().map(|asked| asked.pairs.len()).sum();
        let mut asked = self.asked.values_mut();
        let same = asked.find(|asked| asked.told.id == told.id && asked.jid == pair.xmpp);
        if waiting >= MAX_WAITING {
            return;
        }
        if let Some(asked) = same {
            if !asked.pairs.contains(&pair) {
                asked.pairs.push(pair);
            }
            return;
        }
        let translator = shared.translator.clone();
        let from = translator.jid_from(&User::new(pair.wv.clone())).ok();
        let (component, to) = (shared.component_of(&pair), Jid::new(&pair.xmpp).ok());
        let (Some(component), Some(from), Some(to)) = (component, from, to) else {
            return;
        };
        if self.asked.len() >= MAX_ASKED || !shared.links.is_up(&component) {
            return;
        }
        let question = Ask::Get(avatar::ask(&told));
        let Some(id) = shared.ask(&component, (from, to), question) else {
            return;
        };
        self.timers.by(now.plus(WAIT), Due::Asked(id.clone()));
        let asked = Asked {
            told,
            jid: pair.xmpp.clone(),
            pairs: vec![pair],
        };
        self.asked.insert(id, asked);
    }

    /// An answer of XMPP; gives it back if it is none to a question for a picture.
    pub(super) fn iq(&mut self, iq: Iq, now: Time, shared: &Shared) -> Option<Iq> {
        let awaits = |id: &str, from: &Jid| {
            let asked = self.asked.get(id);
            asked.is_some_and(|asked| from.as_str() == asked.jid)
        };
        match Reply::of(iq, Context::Other, awaits, shared) {
            Ok(reply) => {
                let payload = reply.answer.ok().flatten();
                self.answered(&reply.id, payload.as_ref(), now);
                None
            }
            Err(iq) => Some(*iq),
        }
    }

    fn answered(&mut self, id: &str, payload: Option<&Element>, now: Time) {
        let Some(asked) = self.asked.remove(id) else {
            return;
        };
        let photo = payload.and_then(|payload| avatar::fetched(payload, &asked.told));
        let Some(photo) = photo.map(Arc::new) else {
            let key = (asked.told.id, asked.jid);
            if self.failed.len() < MAX_FAILED {
                self.timers.by(now.plus(AGAIN), Due::Failed(key.clone()));
                self.failed.insert(key);
            }
            return;
        };
        self.remember(&asked.told.id, &photo);
        let told = &asked.told;
        let came = asked.pairs.into_iter();
        self.came
            .extend(came.map(|pair| (pair, told.clone(), Arc::clone(&photo))));
    }

    fn remember(&mut self, id: &str, photo: &Arc<Photo>) {
        self.bytes += photo.bytes.len();
        self.order.push_back(id.to_owned());
        let before = self.known.insert(id.to_owned(), Arc::clone(photo));
        if before.is_some() {
            // It was asked of two users at the same time.
            self.bytes -= photo.bytes.len();
            self.order.pop_back();
        }
        while self.bytes > MAX_BYTES || self.known.len() > MAX_KNOWN {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            let gone = self.known.remove(&oldest);
            self.bytes -= gone.map_or(0, |photo| photo.bytes.len());
        }
    }

    /// A picture that has come for a watcher.
    pub(super) fn next_came(&mut self) -> Option<(Pair, Told, Arc<Photo>)> {
        self.came.pop_front()
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    pub(super) fn timeout(&mut self, now: Time) {
        while let Some(due) = self.timers.pop(now) {
            match due {
                Due::Asked(id) => self.answered(&id, None, now),
                Due::Failed(key) => {
                    self.failed.remove(&key);
                }
            }
        }
    }
}
