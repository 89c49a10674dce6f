//! What became of messages: the histories in the store, and what waits now.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::Shared;
use super::request::Line;
use crate::node::history::{self, Piece, Present, Story, plain, short};
use crate::node::{Core, Gone};
use crate::sap::Queued;
use crate::sap::outbox::Item;
use crate::sap::{Skew, Time, Trace};
use crate::store::StoreError;

/// Records of the log read at once: a few megabytes.
const PAGE: usize = 16;
/// Messages told at most.
pub(super) const MOST: usize = 10_000;

/// Which messages to explain.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The id of a message or transaction.
    pub(super) id: Option<String>,
    /// Messages from or to this user.
    pub(super) user: Option<String>,
    /// Not older than so many milliseconds.
    pub(super) since: Option<u64>,
    /// Messages, the newest, at most.
    pub(super) limit: usize,
}

/// What is known of messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Their histories, the oldest first.
    pub messages: Vec<Story>,
    /// What happened to one message or transaction in this run, step by step: as
    /// [`Trace`] is written.
    pub traces: Vec<serde_json::Value>,
}

pub(super) async fn explain(shared: &Shared, wanted: Wanted) -> Result<Line, Gone> {
    let mut found = Found::new(wanted);
    if let Some(since) = found.wanted.since {
        match moved(shared, since).await? {
            Ok(ids) => found.moved = Some(ids),
            Err(error) => return Ok(Line::error(error)),
        }
    }
    if shared.node.shards() > 1 && found.wanted.id.is_some() {
        // Another shard may tell of what has this id, and not tell the id.
        let mut ids = HashSet::new();
        let read = walk(shared, |_, piece| {
            if found.is_wanted(&piece) {
                ids.insert(piece.id);
            }
        });
        if let Err(error) = read.await {
            return Ok(Line::error(error));
        }
        found.named = ids;
    }
    let read = walk(shared, |_, piece| found.piece(piece)).await;
    if let Err(error) = read {
        return Ok(Line::error(error));
    }
    let (id, user) = (found.wanted.id.clone(), found.user.clone());
    let look = move |core: &mut Core, now: Time, _: &mut _| {
        let pending: Vec<Piece> = core.history.pending().cloned().collect();
        let mut waits = BTreeMap::new();
        for view in core.sap.peer_views() {
            if let Some(wait) = core.wait_of(&view.domain, now) {
                waits.insert(wait.peer.clone(), wait);
            }
        }
        let is_wanted = |item: &Item| {
            let is = |id: &str| item.message.as_deref() == Some(id) || item.id == id;
            let of = |user: &str| {
                let parties = item.conversation.as_deref().unwrap_or_default();
                parties.split(' ').any(|party| plain(party) == user)
            };
            id.as_deref().is_none_or(is) && user.as_deref().is_none_or(of)
        };
        let queued = core.sap.queued_messages(is_wanted, MOST, now);
        let traces = id.as_deref().map(|id| core.traces.explain(id));
        let xmpp_up = !core.components.is_empty() && core.components.values().all(|up| *up);
        let present = Present {
            waits,
            xmpp_up,
            now: core.wall(now),
        };
        let mut traces = traces.unwrap_or_default();
        for trace in &mut traces {
            trace.time = core.wall(trace.time);
        }
        (pending, queued, present, traces, core.skew())
    };
    let shards = shared.node.ask_all(look).await?;
    let (mut all, mut all_traces, mut last_skew) =
        (Present::default(), Vec::new(), Skew::default());
    for (pending, queued, present, traces, skew) in shards {
        for piece in pending {
            if let Some(moved) = &mut found.moved {
                moved.insert(piece.id.clone());
            }
            found.piece(piece);
        }
        for queued in queued {
            found.queued(&queued);
        }
        all.waits.extend(present.waits);
        all.xmpp_up |= present.xmpp_up;
        all.now = all.now.max(present.now);
        all_traces.extend(traces);
        last_skew = skew;
    }
    all_traces.sort_by_key(|trace| trace.time);
    Ok(Line::result(&found.told(&all, &all_traces, last_skew)))
}

/// Gives all pieces in the store to `each`, the oldest first, with the time when they were written.
async fn walk(shared: &Shared, mut each: impl FnMut(Time, Piece)) -> Result<(), StoreError> {
    for store in shared.node.stores() {
        let mut after: Option<String> = None;
        loop {
            let page = store.scan(history::PREFIX, after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after = Some(last.clone());
            for (_, record) in &page {
                let time = history::time_of(record).unwrap_or_default();
                for line in history::pieces(record) {
                    if let Ok(piece) = serde_json::from_str::<Piece>(line) {
                        each(time, piece);
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// Messages that something happened to since so many milliseconds ago. Who sent them, and to whom,
/// is perhaps in an older piece.
async fn moved(shared: &Shared, since: u64) -> Result<Result<HashSet<String>, StoreError>, Gone> {
    let look = |core: &mut Core, now: Time, _: &mut _| {
        let ids = core.history.pending().map(|piece| piece.id.clone());
        (ids.collect::<HashSet<String>>(), now)
    };
    let (mut ids, mut now) = (HashSet::new(), Time::default());
    for (of_shard, its_now) in shared.node.ask_all(look).await? {
        ids.extend(of_shard);
        now = now.max(its_now);
    }
    let from = Time(now.0.saturating_sub(since));
    let read = walk(shared, |time, piece| {
        if time >= from {
            ids.insert(piece.id);
        }
    });
    Ok(read.await.map(|()| ids))
}

/// Messages found so far.
struct Found {
    wanted: Wanted,
    user: Option<String>,
    /// Only these, if not all times are wanted.
    moved: Option<HashSet<String>>,
    /// Messages that are known to have the id that is wanted.
    named: HashSet<String>,
    messages: BTreeMap<String, Piece>,
    /// Those whose beginning was not wanted.
    passed_over: HashSet<String>,
}

impl Found {
    fn new(mut wanted: Wanted) -> Self {
        wanted.id = wanted.id.as_deref().map(short);
        let user = wanted.user.as_deref().map(plain);
        Self {
            wanted,
            user,
            moved: None,
            named: HashSet::new(),
            messages: BTreeMap::new(),
            passed_over: HashSet::new(),
        }
    }

    fn piece(&mut self, piece: Piece) {
        if let Some(known) = self.messages.get_mut(&piece.id) {
            return known.merge(piece);
        }
        if !self.is_wanted(&piece) {
            return;
        }
        self.messages.insert(piece.id.clone(), piece);
        // The newest ones are wanted; twice as many are enough to choose from.
        if self.messages.len() > 2 * self.wanted.limit.max(1) {
            self.forget_oldest();
        }
    }

    fn is_wanted(&self, piece: &Piece) -> bool {
        let has_moved = self
            .moved
            .as_ref()
            .is_none_or(|ids| ids.contains(&piece.id));
        if !has_moved || self.passed_over.contains(&piece.id) {
            return false;
        }
        let is = |id: &String| {
            let same = |transaction: &Option<String>| transaction.as_ref() == Some(id);
            piece.id == *id
                || same(&piece.transaction)
                || piece.legs.iter().any(|leg| same(&leg.transaction))
        };
        (self.wanted.id.as_ref().is_none_or(is) || self.named.contains(&piece.id))
            && self.user.as_ref().is_none_or(|user| piece.concerns(user))
    }

    /// A message that waits is told of even if its history was lost.
    fn queued(&mut self, queued: &Queued) {
        let item = &queued.item;
        let id = item.message.clone().unwrap_or_else(|| item.id.to_string());
        let mut piece = Piece::new(&id);
        piece.expires = Some(item.expires);
        let parties = item.conversation.as_deref();
        let parties = parties.and_then(|parties| parties.split_once(' '));
        piece.sender = parties.map(|(from, _)| short(from));
        if let Some(leg) = piece.leg(&queued.wait.peer, Some(&item.id)) {
            leg.to.extend(parties.map(|(_, to)| short(to)));
        }
        match self.messages.get_mut(&piece.id) {
            Some(known) => known.merge(piece),
            None => {
                self.messages.insert(piece.id.clone(), piece);
            }
        }
    }

    fn forget_oldest(&mut self) {
        let mut ages: Vec<(Time, String)> = self
            .messages
            .values()
            .map(|piece| (piece.received.unwrap_or_default(), piece.id.clone()))
            .collect();
        ages.sort_unstable();
        let too_many = ages.len().saturating_sub(self.wanted.limit);
        for (_, id) in ages.into_iter().take(too_many) {
            self.messages.remove(&id);
            self.passed_over.insert(id);
        }
    }

    fn told(mut self, present: &Present, traces: &[Trace], skew: Skew) -> Explained {
        self.forget_oldest();
        let told = |piece: &mut Piece| {
            piece.by_wall_clock(skew);
            Story::of(piece, present)
        };
        let mut messages: Vec<Story> = self.messages.values_mut().map(told).collect();
        messages.sort_by(|a, b| (a.received, &a.message).cmp(&(b.received, &b.message)));
        let traces = traces.iter().map(serde_json::to_value);
        Explained {
            messages,
            traces: traces.filter_map(Result::ok).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_time_messages_are_told_that_moved_in_it_with_their_beginning() {
        let mut found = Found::new(Wanted {
            id: None,
            user: Some("wv:Alice@a.test".to_owned()),
            since: Some(1),
            limit: 1,
        });
        found.moved = Some(HashSet::from(["m1".to_owned()]));
        for number in 1..=5 {
            let mut begun = Piece::new(&format!("m{number}"));
            begun.sender = Some("wv:alice@a.test".to_owned());
            begun.received = Some(Time(number));
            found.piece(begun);
        }
        let mut later = Piece::new("m1");
        later.taken_over = Some(Time(100));
        found.piece(later);
        let told = found.told(&Present::default(), &[], Skew::default());
        let [one] = &told.messages[..] else {
            panic!("{told:?}");
        };
        assert_eq!((one.message.as_str(), one.received), ("m1", Some(Time(1))));
        assert_eq!(one.taken_over, Some(Time(100)));
    }
}
