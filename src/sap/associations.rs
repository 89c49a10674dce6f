//! All associations of a node: whom an input concerns, who wants what, and what is true of
//! several identities of one peer together.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

use super::association::handshake::room::MAX_TOKEN;
use super::association::login::Login;
use super::association::logout::{AWAY, LoggedOut};
use super::association::outbox::{Item, Totals};
use super::association::quiet::Quiet;
use super::association::rate_limit::Rate;
use super::association::record::SessionRecord;
use super::association::trouble::Trouble;
use super::association::view::{PeerView, Queued, SessionView, Wait};
use super::association::{Association, Event, Shared};
use super::deadlines::Deadlines;
use super::post::{Loaded, Posted};
use super::presented_as::{PeerId, domain_of};
use super::settings::{Peer, Settings};
use super::transaction::Queues;
use super::verdict::{Facts, Verdict};
use crate::element::Time;
use crate::imps::{Address, Primitive};
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::text::{IdShown, Shown};

/// The associations of one node.
#[derive(Debug)]
pub(super) struct Associations {
    shared: Shared,
    all: BTreeMap<PeerId, Association>,
    /// Whose posts are under way.
    flights: HashMap<u64, PeerId>,
    /// When which of them wants to be looked after.
    timers: Deadlines<PeerId>,
    /// Whether any peer has several identities.
    identities: bool,
    /// Those with something to post.
    to_flush: BTreeSet<PeerId>,
    /// The node is about to stop: nobody is logged in to.
    closing: bool,
    /// What the log says of those who are no peers.
    quiet: Quiet,
    events: VecDeque<(PeerId, Event)>,
}

impl Associations {
    /// One for each peer of the settings.
    pub(super) fn new(shared: Shared) -> Self {
        let mut associations = Self {
            shared,
            all: BTreeMap::new(),
            flights: HashMap::new(),
            timers: Deadlines::default(),
            identities: false,
            to_flush: BTreeSet::new(),
            closing: false,
            quiet: Quiet::default(),
            events: VecDeque::new(),
        };
        associations.add_all();
        associations
    }

    /// There is one for each peer of the settings.
    fn add_all(&mut self) {
        let settings = Arc::clone(&self.shared.settings);
        let mut peers = settings.peers.values();
        self.identities = peers.any(|peer| peer.has_identities());
        for peer in settings.peers.values() {
            self.add(&peer.id);
        }
    }

    fn add(&mut self, id: &PeerId) -> &mut Association {
        let shared = &self.shared;
        let closing = self.closing;
        self.all.entry(id.clone()).or_insert_with(|| {
            let peer = shared.settings.peers.get(id.as_str()).cloned();
            let mut association = Association::new(id.clone(), peer, shared.clone());
            association.set_closing(closing);
            association
        })
    }

    /// Takes back a session; false if it is one with nobody we know any more.
    pub(super) fn restore_session(&mut self, record: &SessionRecord) -> bool {
        let association = self.all.get_mut(record.peer.as_str());
        let known = association.map(|association| association.restore_session(record.clone()));
        known.is_some()
    }

    /// Takes back an item of a queue. That of a peer taken out is kept until it expires, in
    /// case it comes back.
    pub(super) fn restore_item(&mut self, peer: &str, number: u64, item: Item) {
        self.add(&PeerId::new(peer)).restore_item(number, item);
    }

    /// A session with a peer is to come about at the start.
    pub(super) fn come_back(&mut self, peer: &str) {
        if let Some(association) = self.all.get_mut(peer) {
            association.come_back_at_start();
        }
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
        let ids: Vec<PeerId> = self.all.keys().cloned().collect();
        for id in ids {
            self.with(id.as_str(), &mut act);
        }
    }

    /// Gives one of them an input, and takes over what it reports. `None`: there is none.
    pub(super) fn with<R>(
        &mut self,
        id: &str,
        act: impl FnOnce(&mut Association) -> R,
    ) -> Option<R> {
        let awaited = self.identities && self.others_await_token(id);
        let association = self.all.get_mut(id)?;
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
        self.all.get(id)
    }

    /// Whether there is a session to send over.
    pub(super) fn is_up(&self, id: &str) -> bool {
        self.get(id).is_some_and(Association::is_up)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Association> {
        self.all.values()
    }

    /// What all queues take together.
    pub(super) fn totals(&self) -> &Totals {
        &self.shared.totals
    }

    /// As an operator sees them, each with the number of the peer's unanswered requests.
    pub(super) fn views(&self, pending: impl Fn(&str) -> usize) -> Vec<PeerView> {
        let pending = |it: &Association| pending(it.id().as_str());
        self.iter()
            .map(|it| PeerView::of(it, pending(it)))
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
            .filter(|(_, item, _)| item.name == "SendMessageRequest" && wanted(item))
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
            Some(association) => association.login(self.others_await_token(id)),
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
        let association = self.all.get_mut(id);
        association.map_or(Some(0), |it| it.due_line(kind, now))
    }

    /// Sessions are gone: with the last one of all identities the peer is not reached.
    fn perhaps_down(&mut self, id: &PeerId) {
        let peer = id.real();
        let all = self.all.range::<str, _>((Included(peer), Unbounded));
        let mut identities = all.take_while(|(id, _)| domain_of(id.as_str()) == peer);
        if identities.all(|(_, association)| !association.is_up()) {
            self.events.push_back((id.clone(), Event::Down));
        }
    }

    /// Whether another identity waits for the peer's token, which does not say to whom it
    /// is given (6.1): only one may.
    fn others_await_token(&self, id: &str) -> bool {
        let Some(peer) = self.shared.settings.peers.get(id) else {
            return false;
        };
        if !peer.has_identities() {
            return false;
        }
        let mut others = self.shared.settings.identities_of(id);
        others.any(|other| {
            let association = self.all.get(other.domain.as_str());
            other.domain != id && association.is_some_and(Association::awaits_token)
        })
    }

    /// Our handshake in one identity waits for no token any more: others may log in.
    fn let_others_log_in(&mut self, id: &PeerId, now: Time) {
        let settings = Arc::clone(&self.shared.settings);
        let peer = settings.peers.get(id.as_str());
        if peer.is_some_and(|peer| peer.has_identities()) {
            let others = settings.identities_of(id.as_str());
            for other in others.filter(|other| other.id != *id) {
                self.with(&other.domain, |it| it.token_is_free(now));
            }
        }
    }

    /// The identity that a handshake is with: the one in which it is open, or, for a new
    /// one, the one whose host was posted to.
    fn identity_addressed(
        &self,
        peer: &Arc<Peer>,
        host: Option<&str>,
        open: impl Fn(&Association) -> bool,
    ) -> Arc<Peer> {
        if peer.fronts.is_empty() {
            return Arc::clone(peer);
        }
        let settings = &self.shared.settings;
        let has_it = |identity: &&Arc<Peer>| self.get(&identity.domain).is_some_and(&open);
        let identity = settings.identities_of(&peer.domain).find(has_it);
        identity.map_or_else(|| settings.identity_at(peer, host), Arc::clone)
    }

    /// A setup message of a peer.
    pub(super) fn setup(&mut self, transaction: &Transaction, facts: &Facts, now: Time) -> Verdict {
        if self.closing {
            return Verdict::Busy(Some(AWAY));
        }
        let Some(primitive) = self.setup_primitive(transaction, now) else {
            return Verdict::Malformed;
        };
        let service = match &primitive {
            Primitive::SendSecretToken(p) => Some(&p.service),
            Primitive::LoginRequest(p) => Some(&p.service),
            _ => None,
        };
        let settings = Arc::clone(&self.shared.settings);
        let domain = match service {
            Some(service) => settings.peer_of(service.domain()).map(|peer| &peer.id),
            None => self.handshake_owner(transaction, &primitive),
        };
        let Some(peer) = domain.and_then(|domain| settings.peers.get(domain.as_str())) else {
            if let Some(left_out) = self.quiet.due("stranger", now) {
                tracing::warn!(
                    ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name),
                    service = %Shown(service.map_or("", Address::as_str)), left_out,
                    "setup message of a domain that is no peer, or of no open handshake"
                );
            }
            return Verdict::Forbidden;
        };
        let certified = |name: &String| facts.client_names.contains(name);
        if !peer.client_name.as_ref().is_none_or(certified) {
            if let Some(left_out) = self.due_line(&peer.domain, "certificate", now) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    left_out,
                    "setup message without the peer's client certificate"
                );
            }
            return Verdict::Forbidden;
        }
        if !peer.is_from(facts.remote) {
            if let Some(left_out) = self.due_line(&peer.domain, "elsewhere", now) {
                tracing::warn!(
                    ssp.peer = peer.domain,
                    remote = facts.remote.map(tracing::field::display),
                    left_out,
                    "setup message from an address that is none of the peer's"
                );
            }
            return Verdict::Forbidden;
        }
        let (mode, id) = (transaction.mode, transaction.id.as_str());
        let peer = self.identity_addressed(peer, facts.host.as_deref(), |association| {
            match (&primitive, mode) {
                // Step 2 has an id of its own.
                (Primitive::SendSecretToken(_), Mode::Response) => association.awaits_token(),
                _ => association.has_handshake(mode, id),
            }
        });
        self.with(&peer.domain, |association| {
            association.setup(transaction, &primitive, facts, now)
        })
        .unwrap_or(Verdict::Forbidden)
    }

    /// What a setup message holds, if it can be used.
    fn setup_primitive(&mut self, transaction: &Transaction, now: Time) -> Option<Primitive> {
        if transaction.id.is_empty() {
            // An answer without an id ends the deployed server's process.
            if let Some(left_out) = self.quiet.due("setup without id", now) {
                tracing::warn!(ssp.primitive = %Shown(&transaction.name), left_out, "setup message without transaction id");
            }
            return None;
        }
        let primitive = match transaction.primitive() {
            Ok(primitive) => primitive,
            Err(error) => {
                if let Some(left_out) = self.quiet.due("unusable setup", now) {
                    tracing::warn!(
                        ssp.transaction = %Shown(&transaction.id), ssp.primitive = %Shown(&transaction.name), left_out,
                        "unusable setup message: {}", Shown(&error.to_string())
                    );
                }
                return None;
            }
        };
        let kept = match &primitive {
            Primitive::SendSecretToken(p) => p.token.0.len(),
            _ => 0,
        };
        if kept > MAX_TOKEN {
            if let Some(left_out) = self.quiet.due("long token", now) {
                tracing::warn!(
                    ssp.transaction = %Shown(&transaction.id), ssp.primitive = %transaction.name,
                    bytes = kept, left_out, "setup message with a token that is too long"
                );
            }
            return None;
        }
        Some(primitive)
    }

    /// The peer with an open handshake of this transaction id. `LoginResponse` does
    /// not say who sends it; if it brings a session id, that has the peer's domain,
    /// which tells apart peers that number their handshakes alike.
    fn handshake_owner(&self, transaction: &Transaction, primitive: &Primitive) -> Option<&PeerId> {
        let settings = &self.shared.settings;
        let owns = |it: &Association| it.has_handshake(transaction.mode, &transaction.id);
        let session = match primitive {
            Primitive::LoginResponse(response) => response.session.as_deref(),
            _ => None,
        };
        let named = session
            .and_then(|session| session.split_once('@'))
            .and_then(|(_, domain)| settings.peer_of(&domain.to_ascii_lowercase()));
        if let Some(named) = named {
            let identities = settings.identities_of(&named.domain);
            let mut known = identities.filter_map(|peer| self.get(&peer.domain));
            if let Some(owner) = known.find(|association| owns(association)) {
                return Some(owner.id());
            }
        }
        let owner = self.iter().find(|association| owns(association));
        owner.map(Association::id)
    }

    /// Which peer, and which session of ours with it. The peer's id is found byte
    /// for byte (wire profile, 5.3). From where the peer does not speak, it is nobody's.
    ///
    /// # Errors
    /// The answer to a message in that session, if it is nobody's.
    pub(super) fn session_owner(
        &mut self,
        id: &str,
        from: Option<IpAddr>,
        now: Time,
    ) -> Result<(Arc<Peer>, String), Verdict> {
        let settings = Arc::clone(&self.shared.settings);
        let domain = id
            .split_once('@')
            .map_or("", |(_, domain)| domain)
            .to_ascii_lowercase();
        let by_domain = settings.peer_of(&domain).map(|peer| peer.domain.as_str());
        let own_id = |it: &Association| {
            let own_id = it.sessions().own_id_of(id)?;
            Some((it.id().clone(), own_id.to_owned()))
        };
        let found = match by_domain {
            Some(domain) => settings
                .identities_of(domain)
                .find_map(|peer| own_id(self.get(&peer.domain)?)),
            None => self.iter().find_map(own_id),
        };
        let whose = found.as_ref().map(|(id, _)| id.as_str()).or(by_domain);
        let peer = whose.and_then(|domain| settings.peers.get(domain));
        if let Some(peer) = peer
            && !peer.is_from(from)
        {
            if let Some(left_out) = self.due_line(&peer.domain, "elsewhere", now) {
                tracing::warn!(
                    ssp.peer = peer.domain, ssp.session = %IdShown(id), remote = from.map(tracing::field::display), left_out,
                    "session of a peer from an address that is none of its own"
                );
            }
            return Err(Verdict::Forbidden);
        }
        if let Some((domain, own_id)) = found {
            let sessions = self.get(domain.as_str()).map(Association::sessions);
            if sessions.is_some_and(|sessions| !sessions.is_ready(&own_id)) {
                self.with(domain.as_str(), |it| it.session_is_used(&own_id, now));
            }
            let peer = peer.cloned().ok_or(Verdict::Forbidden)?;
            return Ok((peer, own_id));
        }
        let Some(peer) = peer else {
            if let Some(left_out) = self.quiet.due("unknown session", now) {
                tracing::warn!(ssp.session = %IdShown(id), left_out, "unknown session");
            }
            return Err(Verdict::Forbidden);
        };
        self.unknown_session(peer, id, from, now)
    }

    /// A peer uses a session that we do not know.
    fn unknown_session(
        &mut self,
        peer: &Arc<Peer>,
        id: &str,
        from: Option<IpAddr>,
        now: Time,
    ) -> Result<(Arc<Peer>, String), Verdict> {
        let settings = Arc::clone(&self.shared.settings);
        let awaits = |peer: &Arc<Peer>| {
            let association = self.get(&peer.domain);
            association.is_some_and(|it| it.awaits_last_step(now))
        };
        if settings.identities_of(&peer.domain).any(awaits) {
            // Step 6 may have been overtaken (6.6, I3).
            return Err(Verdict::Busy(Some(1_000)));
        }
        let association = self.get(&peer.domain);
        let known = association.is_some_and(|it| it.is_known_from(from));
        let lost = association.is_some_and(|it| it.may_have_lost(from));
        let session = association.and_then(|it| it.sessions().usable());
        if let Some(session) = session.filter(|_| peer.adopt_unknown_session && known) {
            tracing::info!(
                ssp.peer = peer.domain,
                ssp.session = %IdShown(id),
                "unknown session taken as the peer's"
            );
            return Ok((Arc::clone(peer), session.record.own_id.clone()));
        }
        if let Some(left_out) = self.due_line(&peer.domain, "unknown session", now) {
            tracing::warn!(
                ssp.peer = peer.domain,
                ssp.session = %IdShown(id),
                left_out,
                "unknown session of the peer"
            );
        }
        if peer.dialect.reset_lost_session && lost {
            self.with(&peer.domain, |it| it.reset_lost_session(id, now));
        }
        Err(Verdict::Forbidden)
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
        // Anybody can name a session of a peer.
        let may_be = |peer: &&Peer| {
            let association = self.get(&peer.domain);
            peer.is_from(remote) && association.is_some_and(|it| it.may_have_lost(remote))
        };
        let claimed = session
            .and_then(|id| id.split_once('@'))
            .and_then(|(_, domain)| self.shared.settings.peer_of(&domain.to_ascii_lowercase()))
            .filter(may_be)
            .map(|peer| peer.id.clone());
        let is_there = |it: &&Association| {
            let mut sessions = it.sessions().iter();
            remote.is_some() && sessions.any(|session| session.record.from == remote)
        };
        let peers: Vec<PeerId> = match claimed {
            Some(peer) => vec![peer],
            None => {
                let there = self.iter().filter(is_there);
                there.map(|it| it.id().clone()).collect()
            }
        };
        let from = remote.map(|from| from.to_string()).unwrap_or_default();
        if peers.is_empty()
            && let Some(left_out) = self.quiet.due(trouble.kind(), now)
        {
            let session = session.unwrap_or_default();
            tracing::warn!(
                remote = from, ssp.session = %Shown(session.split('@').next_back().unwrap_or_default()), left_out,
                "somebody in vain: {}", trouble.words()
            );
        }
        for peer in peers {
            self.with(peer.as_str(), |it| it.trouble(trouble, &from, now));
        }
    }
}

impl Queues for Associations {
    /// Of the room for all, half is for those for whom less than an equal share waits: a
    /// peer that is away leaves room for the others.
    fn is_full(&self, peer: &str, bytes: usize) -> bool {
        let Some(association) = self.get(peer) else {
            return false;
        };
        let (settings, outbox) = (&self.shared.settings, association.outbox());
        let own = outbox.bytes().saturating_add(bytes);
        let half = settings.max_queue_total / 2;
        let share = half / self.all.len().max(1);
        outbox.len() >= settings.max_queue
            || own > settings.max_queue_bytes
            || (own > share && self.totals().queued().saturating_add(bytes) > half.max(share))
    }

    fn holds(&self, peer: &str, id: &str) -> bool {
        self.get(peer).is_some_and(|it| it.outbox().holds(id))
    }

    fn withdraw(&mut self, peer: &str, id: &str, now: Time) -> Option<Item> {
        self.with(peer, |it| it.withdraw(id, now))?
    }

    fn forsake(&mut self, peer: &str, id: &str) {
        self.with(peer, |it| it.forsake(id));
    }
}
