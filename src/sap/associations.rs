//! The associations of a node, driven: inputs go to the one that they concern, and what one
//! reports is handed on. What is true of several identities of one peer together is seen to here.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::association::login::Login;
use super::association::logout::{AWAY, COME_BACK, LoggedOut};
use super::association::outbox::{self, Item, Totals};
use super::association::rate_limit::Rate;
use super::association::record::SessionRecord;
use super::association::trouble::Trouble;
use super::association::view::{PeerView, Queued, SessionView, Wait};
use super::association::{Association, Event, Shared};
use super::deadlines::Deadlines;
use super::directory::Directory;
use super::neighbour::{self, Neighbours};
use super::post::{Loaded, Posted};
use super::presented_as::PeerId;
use super::settings::{Peer, Settings};
use super::transaction::Queues;
use super::verdict::{Facts, Verdict};
use crate::element::{Spans, Time};
use crate::imps::primitive::Name;
use crate::sap::session_id::SessionId;
use crate::ssp::envelope::Transaction;
use crate::store::Write;

/// The associations of one node.
#[derive(Debug)]
pub(super) struct Associations {
    shared: Shared,
    directory: Directory,
    /// Whose posts are under way.
    flights: HashMap<u64, PeerId>,
    /// When which of them wants to be looked after.
    timers: Deadlines<PeerId>,
    /// Those with something to post.
    to_flush: BTreeSet<PeerId>,
    /// The node is about to stop: nobody is logged in to.
    closing: bool,
    events: VecDeque<(PeerId, Event)>,
    /// The other shards of this node.
    pub(super) neighbours: Neighbours,
}

impl Associations {
    /// One for each peer of the settings.
    pub(super) fn new(shared: Shared) -> Self {
        let mut associations = Self {
            directory: Directory::new(Arc::clone(&shared.settings)),
            neighbours: Neighbours::new(shared.settings.shards, Arc::clone(&shared.numbers)),
            shared,
            flights: HashMap::new(),
            timers: Deadlines::default(),
            to_flush: BTreeSet::new(),
            closing: false,
            events: VecDeque::new(),
        };
        associations.add_all();
        associations
    }

    /// There is one for each peer of the settings.
    fn add_all(&mut self) {
        let settings = Arc::clone(&self.shared.settings);
        let shards = settings.shards;
        for peer in settings.peers.values() {
            if shards.has_peer(peer.real()) {
                self.add(&peer.id);
            }
        }
    }

    fn add(&mut self, id: &PeerId) -> &mut Association {
        let (shared, closing) = (&self.shared, self.closing);
        self.directory.get_or_add(id, |peer| {
            let mut association = Association::new(id.clone(), peer, shared.clone());
            association.set_closing(closing);
            association
        })
    }

    /// Takes back a record written before a restart; false if it is none of these. What is to
    /// be written for it is reported.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(super) fn restore(&mut self, key: &str, value: &[u8]) -> Result<bool, String> {
        let unread = |error: String| format!("record {key} cannot be read: {error}");
        if key.starts_with(SessionRecord::PREFIX) {
            let record = serde_json::from_slice(value);
            let record: SessionRecord = record.map_err(|error| unread(error.to_string()))?;
            match self.directory.get_mut(record.peer.as_str()) {
                // A peer taken out of the configuration loses its sessions.
                None => self.forget(PeerId::new(&record.peer), record.delete()),
                Some(association) => association.restore_session(record),
            }
        } else if key.starts_with(neighbour::PREFIX) {
            self.neighbours.restore(key, value)?;
        } else if let Some(rest) = key.strip_prefix(outbox::PREFIX) {
            let (peer, number) = rest
                .rsplit_once('/')
                .ok_or_else(|| format!("record {key} names no peer"))?;
            let item = Item::from_record(value).map_err(unread)?;
            let number = number
                .parse()
                .map_err(|_| format!("record {key} has no number"))?;
            // That of a peer taken out is kept until it expires, in case it comes back.
            self.add(&PeerId::new(peer)).restore_item(number, item);
        } else if let Some(peer) = key.strip_prefix(COME_BACK) {
            if let Some(association) = self.directory.get_mut(peer) {
                association.come_back_at_start();
            }
            self.forget(PeerId::new(peer), Write::delete(key));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn forget(&mut self, peer: PeerId, write: Write) {
        self.events.push_back((peer, Event::Write(write)));
    }

    /// All records are back.
    pub(super) fn restored(&mut self, now: Time) {
        self.each(|association| association.restored(now));
    }

    /// Begins to work, with all that was kept.
    pub(super) fn start(&mut self, now: Time) {
        self.each(|association| association.start(now));
    }

    /// Ends those with peers that are none any more.
    pub(super) fn cast_out(&mut self, settings: &Settings, now: Time) {
        self.each(|association| {
            if !settings.peers.contains_key(association.id().as_str()) {
                association.cast_out(now);
            }
        });
    }

    /// Goes by other settings.
    pub(super) fn reload(&mut self, settings: &Arc<Settings>, now: Time) {
        self.shared.settings = Arc::clone(settings);
        self.directory.configure(Arc::clone(settings));
        self.add_all();
        self.each(|association| {
            if let Some(peer) = settings.peers.get(association.id().as_str()) {
                association.reload(Arc::clone(settings), peer, now);
            }
        });
    }

    /// The node is about to stop, or is not: nobody is logged in to.
    pub(super) fn set_closing(&mut self, closing: bool) {
        self.closing = closing;
        self.each(|association| association.set_closing(closing));
    }

    fn each(&mut self, mut act: impl FnMut(&mut Association)) {
        for id in self.directory.ids() {
            self.with(id.as_str(), &mut act);
        }
    }

    /// Gives one of them an input, and takes over what it reports. `None`: there is none.
    pub(super) fn with<R>(
        &mut self,
        id: &str,
        act: impl FnOnce(&mut Association) -> R,
    ) -> Option<R> {
        let awaited = self.directory.others_await_token(id);
        let association = self.directory.get_mut(id)?;
        let before = association.next_timeout();
        association.set_others_await_token(awaited);
        let result = act(association);
        let id = association.id().clone();
        let due = association.next_timeout();
        if let Some(at) = due.filter(|_| due != before) {
            self.timers.set(at, id.clone());
        }
        if association.wants_flush() && !self.to_flush.contains(&id) {
            self.to_flush.insert(id.clone());
        }
        let (mut down, mut token_came) = (false, None);
        while let Some(event) = association.next_event() {
            match &event {
                Event::Down => {
                    down = true;
                    continue;
                }
                Event::TokenCame(now) => {
                    token_came = Some(*now);
                    continue;
                }
                Event::Post(post) => {
                    self.flights.insert(post.number, id.clone());
                }
                Event::Knock(knock) => {
                    self.flights.insert(knock.number, id.clone());
                }
                _ => {}
            }
            self.events.push_back((id.clone(), event));
        }
        if down {
            self.perhaps_down(&id);
        }
        if let Some(now) = token_came {
            self.let_others_log_in(&id, now);
        }
        Some(result)
    }

    /// What is to be reported next, and of whom.
    pub(super) fn next_event(&mut self) -> Option<(PeerId, Event)> {
        self.events.pop_front()
    }

    /// When [`Associations::timeout`] wants to be called.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Does what is due first.
    pub(super) fn timeout(&mut self, now: Time) {
        if let Some(id) = self.timers.due(now) {
            self.with(id.as_str(), |association| association.timeout(now));
        }
    }

    /// Posts what was queued; until when it was. `None`: there is nothing to do.
    pub(super) fn flush(&mut self) -> Option<Time> {
        let to_flush = std::mem::take(&mut self.to_flush);
        let flushed = to_flush
            .iter()
            .map(|id| self.with(id.as_str(), Association::flush));
        flushed.flatten().flatten().max()
    }

    /// The fate of a post.
    pub(super) fn posted(&mut self, number: u64, outcome: &Posted, now: Time) {
        if let Some(id) = self.flights.remove(&number) {
            self.with(id.as_str(), |association| {
                association.posted(number, outcome, now);
            });
        }
    }

    /// Bodies came from the store.
    pub(super) fn loaded(&mut self, loaded: Loaded, now: Time) {
        let id = loaded.peer.clone();
        self.with(&id, |association| association.loaded(loaded, now));
    }

    /// The association with this peer.
    pub(super) fn get(&self, id: &str) -> Option<&Association> {
        self.directory.get(id)
    }

    /// Whether there is a session to send over.
    pub(super) fn is_up(&self, id: &str) -> bool {
        self.get(id).is_some_and(Association::is_up)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Association> {
        self.directory.iter()
    }

    /// What all queues take together.
    pub(super) fn totals(&self) -> &Totals {
        &self.shared.totals
    }

    /// As an operator sees them, each with the number of the peer's unanswered requests, and how
    /// long it took to answer ours.
    pub(super) fn views(&self, asked: impl Fn(&str) -> (usize, Spans)) -> Vec<PeerView> {
        let all = self.iter();
        all.map(|it| PeerView::of(it, asked(it.id().as_str())))
            .collect()
    }

    /// All sessions, as an operator sees them.
    pub(super) fn session_views(&self) -> Vec<SessionView> {
        let sessions = self.iter().flat_map(|it| it.sessions().iter());
        sessions.map(SessionView::from).collect()
    }

    /// What a peer's queue waits for; `None` if there is no such peer.
    pub(super) fn wait_of(&self, id: &str, now: Time) -> Option<Wait> {
        self.get(id).map(|it| Wait::of(it, now))
    }

    /// The messages in queues that are wanted, at most `most`.
    pub(super) fn queued_messages(
        &self,
        wanted: impl Fn(&Item) -> bool,
        most: usize,
        now: Time,
    ) -> Vec<Queued> {
        let items = self.iter().flat_map(|it| {
            let items = it.outbox().iter();
            items.map(move |(item, posting)| (it, item, posting))
        });
        items
            .filter(|(_, item, _)| item.name == Name::SendMessageRequest && wanted(item))
            .take(most)
            .map(|(it, item, posting)| Queued {
                item: item.without_body(),
                posting,
                wait: Wait::of(it, now),
            })
            .collect()
    }

    /// What became of a login.
    pub(super) fn login(&self, id: &str) -> Login {
        match self.get(id) {
            Some(association) => association.login(self.directory.others_await_token(id)),
            None => Login::Failed("there is no such peer".to_owned()),
        }
    }

    /// Ends all sessions with a peer.
    pub(super) fn log_out(&mut self, id: &str, reason: Option<&str>, now: Time) -> LoggedOut {
        let ended = self.with(id, |association| association.log_out(reason, now));
        ended.unwrap_or(LoggedOut {
            sessions: 0,
            told: false,
        })
    }

    /// Logs out from all peers that understand it, and remembers to log in to them
    /// after the next start.
    pub(super) fn log_out_everywhere(&mut self, reason: &str, now: Time) {
        self.each(|association| association.log_out_for_now(reason, now));
    }

    /// Whether a logout of ours is under way.
    pub(super) fn is_leaving(&self) -> bool {
        self.iter().any(Association::is_leaving)
    }

    /// Whether so many requests more are faster than the peer may send. One that goes on
    /// so for too long is disconnected, in all its identities.
    pub(super) fn is_too_fast(&mut self, peer: &Peer, requests: usize, now: Time) -> bool {
        if peer.max_rate.is_none() {
            return false;
        }
        let rate = self.with(peer.real(), |it| it.ask(peer, requests, now));
        if rate == Some(Rate::Flood) {
            let settings = Arc::clone(&self.shared.settings);
            for identity in settings.identities_of(&peer.domain) {
                self.with(&identity.domain, |it| it.disconnect_flooder(now));
            }
        }
        rate.is_some_and(|rate| rate != Rate::Kept)
    }

    /// Whether a line about what comes in a peer's name is due; see [`Quiet::due`].
    pub(super) fn due_line(&mut self, id: &str, kind: &'static str, now: Time) -> Option<u64> {
        self.directory.due_line(id, kind, now)
    }

    /// Sessions are gone: with the last one of all identities the peer is not reached.
    fn perhaps_down(&mut self, id: &PeerId) {
        if !self.directory.is_any_up(id.real()) {
            self.events.push_back((id.clone(), Event::Down));
        }
    }

    /// Our handshake in one identity waits for no token any more: others may log in.
    fn let_others_log_in(&mut self, id: &PeerId, now: Time) {
        let settings = Arc::clone(&self.shared.settings);
        let peer = settings.peers.get(id.as_str());
        if peer.is_some_and(|peer| peer.has_identities()) {
            let others = settings.identities_of(id.as_str());
            for other in others.filter(|other| other.id != *id) {
                self.with(&other.domain, |it| it.flush_later(now));
            }
        }
    }

    /// A setup message of a peer.
    pub(super) fn setup(&mut self, transaction: &Transaction, facts: &Facts, now: Time) -> Verdict {
        if self.closing {
            return Verdict::Busy(Some(AWAY));
        }
        let (peer, primitive) = match self.directory.setup_owner(transaction, facts, now) {
            Ok(owner) => owner,
            Err(verdict) => return verdict,
        };
        let verdict = self.with(&peer.domain, |association| {
            association.setup(transaction, &primitive, facts, now)
        });
        verdict.unwrap_or(Verdict::Forbidden)
    }

    /// Whether there is a session that a peer knows by this id.
    pub(super) fn has_session(&self, id: &str) -> bool {
        let mut all = self.iter();
        all.any(|association| association.sessions().own_id_of(id).is_some())
    }

    /// Whether a setup message is part of a handshake that is open here.
    pub(super) fn awaits_setup(&self, transaction: &Transaction) -> bool {
        self.directory.awaits_setup(transaction)
    }

    /// Whether a session was opened or used from this address.
    pub(super) fn hears_from(&self, remote: IpAddr) -> bool {
        let mut sessions = self.iter().flat_map(|it| it.sessions().iter());
        sessions.any(|session| session.record.from == Some(remote))
    }

    /// Which peer, and which session of ours with it: see [`Directory::session_owner`].
    ///
    /// # Errors
    /// The answer to a message in that session, if it is nobody's.
    pub(super) fn session_owner(
        &mut self,
        id: &str,
        from: Option<IpAddr>,
        now: Time,
    ) -> Result<(Arc<Peer>, SessionId), Verdict> {
        match self.directory.session_owner(id, from, now) {
            Ok((peer, own_id)) => {
                let sessions = self.get(&peer.domain).map(Association::sessions);
                if sessions.is_some_and(|sessions| !sessions.is_ready(&own_id)) {
                    self.with(&peer.domain, |it| it.session_is_used(&own_id, now));
                }
                Ok((peer, own_id))
            }
            Err(stray) => {
                if let Some(peer) = stray.lost_by {
                    let lost = SessionId::from(id);
                    self.with(peer.as_str(), |it| it.reset_lost_session(&lost, now));
                }
                Err(stray.verdict)
            }
        }
    }

    /// Something came from this address, perhaps with the id of a session in its head, that
    /// never became a message.
    pub(super) fn trouble(
        &mut self,
        trouble: Trouble,
        remote: Option<IpAddr>,
        session: Option<&str>,
        now: Time,
    ) {
        let from = remote.map(|from| from.to_string()).unwrap_or_default();
        for peer in self.directory.troubled(trouble, remote, session, now) {
            if let Some(association) = self.directory.get_mut(peer.as_str()) {
                association.conduct.trouble(trouble, &from, now);
            }
        }
    }
}

impl Queues for Associations {
    /// Of the room for all, half is for those for whom less than an equal share waits: a
    /// peer that is away leaves room for the others.
    fn is_full(&self, peer: &str, bytes: usize) -> bool {
        if let Some(shard) = neighbour::shard_of(peer) {
            return self.neighbours.is_full(shard, bytes, &self.shared.settings);
        }
        let Some(association) = self.get(peer) else {
            return false;
        };
        let (settings, outbox) = (&self.shared.settings, association.outbox());
        let own = outbox.bytes().saturating_add(bytes);
        let half = settings.max_queue_total / 2;
        let share = half / self.directory.len().max(1);
        outbox.len() >= settings.max_queue
            || own > settings.max_queue_bytes
            || (own > share && self.totals().queued().saturating_add(bytes) > half.max(share))
    }

    fn holds(&self, peer: &str, id: &str) -> bool {
        if let Some(shard) = neighbour::shard_of(peer) {
            return self.neighbours.holds(shard, id);
        }
        self.get(peer).is_some_and(|it| it.outbox().holds(id))
    }

    fn withdraw(&mut self, peer: &str, id: &str, now: Time) -> Option<Item> {
        self.with(peer, |it| it.withdraw(id, now))?
    }

    fn forsake(&mut self, peer: &str, id: &str) {
        self.with(peer, |it| it.forsake(id));
    }
}
