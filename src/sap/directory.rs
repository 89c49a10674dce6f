//! All associations of a node by peer: whose a message is, and which identity of ours it is meant
//! for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use super::association::Association;
use super::association::handshake::room::MAX_TOKEN;
use super::association::quiet::Quiet;
use super::association::trouble::Trouble;
use super::presented_as::{PeerId, domain_of};
use super::settings::{Peer, Settings};
use super::verdict::{Facts, Verdict};
use crate::element::Time;
use crate::imps::{Address, Primitive};
use crate::sap::session_id::SessionId;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;
use crate::text::{IdShown, Shown};

/// After that a peer may use a session again whose last step has not come.
const STEP_IS_NEAR: Duration = Duration::from_secs(1);

/// A message in a session that is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stray {
    /// What its sender hears.
    pub(super) verdict: Verdict,
    /// Who has this session, and we have lost it: they are to forget it.
    pub(super) lost_by: Option<PeerId>,
}

impl From<Verdict> for Stray {
    fn from(verdict: Verdict) -> Self {
        Self {
            verdict,
            lost_by: None,
        }
    }
}

/// The associations of one node.
#[derive(Debug)]
pub(super) struct Directory {
    settings: Arc<Settings>,
    all: BTreeMap<PeerId, Association>,
    /// Whether any peer has several identities.
    identities: bool,
    /// What the log says of those who are no peers.
    quiet: Quiet,
}

impl Directory {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        let mut directory = Self {
            settings: Arc::clone(&settings),
            all: BTreeMap::new(),
            identities: false,
            quiet: Quiet::default(),
        };
        directory.configure(settings);
        directory
    }

    pub(super) fn configure(&mut self, settings: Arc<Settings>) {
        let mut peers = settings.peers.values();
        self.identities = peers.any(|peer| peer.has_identities());
        self.settings = settings;
    }

    /// The association of this id; a new one, made from what the configuration says of the peer,
    /// if there is none.
    pub(super) fn get_or_add(
        &mut self,
        id: &PeerId,
        new: impl FnOnce(Option<Arc<Peer>>) -> Association,
    ) -> &mut Association {
        let peer = self.settings.peers.get(id.as_str());
        let entry = self.all.entry(id.clone());
        entry.or_insert_with(|| new(peer.cloned()))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Association> {
        self.all.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Association> {
        self.all.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Association> {
        self.all.values()
    }

    pub(super) fn ids(&self) -> Vec<PeerId> {
        self.all.keys().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is a session to send over in any identity.
    pub(super) fn is_any_up(&self, peer: &str) -> bool {
        let all = self.all.range::<str, _>((Included(peer), Unbounded));
        let mut identities = all.take_while(|(id, _)| domain_of(id.as_str()) == peer);
        identities.any(|(_, association)| association.is_up())
    }

    /// Whether another identity waits for the peer's token, which does not say to whom it
    /// is given (6.1): only one may.
    pub(super) fn others_await_token(&self, id: &str) -> bool {
        if !self.identities {
            return false;
        }
        let Some(peer) = self.settings.peers.get(id) else {
            return false;
        };
        if !peer.has_identities() {
            return false;
        }
        let mut others = self.settings.identities_of(id);
        others.any(|other| {
            let association = self.get(&other.domain);
            other.domain != id && association.is_some_and(|it| it.handshakes().awaits_token())
        })
    }

    /// Whether a line about what comes in a peer's name is due; see [`Quiet::due`].
    pub(super) fn due_line(&mut self, id: &str, kind: &'static str, now: Time) -> Option<u64> {
        let association = self.get_mut(id);
        association.map_or(Some(0), |it| it.conduct.due_line(kind, now))
    }

    /// What a setup message holds, and whose it is.
    ///
    /// # Errors
    /// The answer to one that is nobody's, or cannot be used.
    pub(super) fn setup_owner(
        &mut self,
        transaction: &Transaction,
        facts: &Facts,
        now: Time,
    ) -> Result<(Arc<Peer>, Primitive), Verdict> {
        let primitive = self.setup_primitive(transaction, now);
        let primitive = primitive.ok_or(Verdict::Malformed)?;
        let service = match &primitive {
            Primitive::SendSecretToken(p) => Some(&p.service),
            Primitive::LoginRequest(p) => Some(&p.service),
            _ => None,
        };
        let settings = Arc::clone(&self.settings);
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
            return Err(Verdict::Forbidden);
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
            return Err(Verdict::Forbidden);
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
            return Err(Verdict::Forbidden);
        }
        let (mode, id) = (transaction.mode, transaction.id.as_str());
        let peer = self.identity_addressed(peer, facts.host.as_deref(), |association| {
            match (&primitive, mode) {
                // Step 2 has an id of its own.
                (Primitive::SendSecretToken(_), Mode::Response) => {
                    association.handshakes().awaits_token()
                }
                _ => association.handshakes().has(mode, id),
            }
        });
        Ok((peer, primitive))
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
        let settings = &self.settings;
        let has_it = |identity: &&Arc<Peer>| self.get(&identity.domain).is_some_and(&open);
        let identity = settings.identities_of(&peer.domain).find(has_it);
        identity.map_or_else(|| settings.identity_at(peer, host), Arc::clone)
    }

    /// The peer with an open handshake of this transaction id. `LoginResponse` does
    /// not say who sends it; if it brings a session id, that has the peer's domain,
    /// which tells apart peers that number their handshakes alike.
    fn handshake_owner(&self, transaction: &Transaction, primitive: &Primitive) -> Option<&PeerId> {
        let settings = &self.settings;
        let owns = |it: &Association| it.handshakes().has(transaction.mode, &transaction.id);
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

    /// Whether a setup message is part of a handshake that is open here.
    pub(super) fn awaits_setup(&self, transaction: &Transaction) -> bool {
        let primitive = transaction.primitive();
        primitive.is_ok_and(|primitive| self.handshake_owner(transaction, &primitive).is_some())
    }

    /// Which peer, and which session of ours with it. The peer's id is found byte
    /// for byte (wire profile, 5.3). From where the peer does not speak, it is nobody's.
    ///
    /// # Errors
    /// It is nobody's.
    pub(super) fn session_owner(
        &mut self,
        id: &str,
        from: Option<IpAddr>,
        now: Time,
    ) -> Result<(Arc<Peer>, SessionId), Stray> {
        let settings = Arc::clone(&self.settings);
        let domain = id
            .split_once('@')
            .map_or("", |(_, domain)| domain)
            .to_ascii_lowercase();
        let by_domain = settings.peer_of(&domain).map(|peer| peer.domain.as_str());
        let own_id = |it: &Association| {
            let own_id = it.sessions().own_id_of(id)?;
            Some((it.id().clone(), own_id.clone()))
        };
        let found = match by_domain {
            Some(domain) => settings
                .identities_of(domain)
                .find_map(|peer| own_id(self.get(&peer.domain)?)),
            None => self.iter().find_map(own_id),
        };
        let whose = found.as_ref().map(|(id, _)| id.as_str()).or(by_domain);
        let Some(peer) = whose.and_then(|domain| settings.peers.get(domain)) else {
            if let Some(left_out) = self.quiet.due("unknown session", now) {
                tracing::warn!(ssp.session = %IdShown(id), left_out, "unknown session");
            }
            return Err(Verdict::Forbidden.into());
        };
        if !peer.is_from(from) {
            if let Some(left_out) = self.due_line(&peer.domain, "elsewhere", now) {
                tracing::warn!(
                    ssp.peer = peer.domain, ssp.session = %IdShown(id), remote = from.map(tracing::field::display), left_out,
                    "session of a peer from an address that is none of its own"
                );
            }
            return Err(Verdict::Forbidden.into());
        }
        match found {
            Some((_, own_id)) => Ok((Arc::clone(peer), own_id)),
            None => self.unknown_session(peer, id, from, now),
        }
    }

    /// A peer uses a session that we do not know.
    fn unknown_session(
        &mut self,
        peer: &Arc<Peer>,
        id: &str,
        from: Option<IpAddr>,
        now: Time,
    ) -> Result<(Arc<Peer>, SessionId), Stray> {
        let awaits = |peer: &Arc<Peer>| {
            let association = self.get(&peer.domain);
            association.is_some_and(|it| it.handshakes().awaits_last_step(now))
        };
        if self.settings.identities_of(&peer.domain).any(awaits) {
            // Step 6 may have been overtaken (6.6, I3).
            return Err(Verdict::Busy(Some(STEP_IS_NEAR)).into());
        }
        let association = self.get(&peer.domain);
        let known = association.is_some_and(|it| it.conduct.is_known_from(peer, from));
        let lost = association.is_some_and(|it| it.conduct.may_have_lost(peer, from));
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
        let reset = peer.dialect.reset_lost_session && lost;
        Err(Stray {
            verdict: Verdict::Forbidden,
            lost_by: reset.then(|| peer.id.clone()),
        })
    }

    /// With whom there is trouble: something came from this address, perhaps with the id of a
    /// session in its head, that never became a message.
    pub(super) fn troubled(
        &mut self,
        trouble: Trouble,
        remote: Option<IpAddr>,
        session: Option<&str>,
        now: Time,
    ) -> Vec<PeerId> {
        // Anybody can name a session of a peer.
        let may_be = |peer: &&Peer| {
            let association = self.get(&peer.domain);
            peer.is_from(remote)
                && association.is_some_and(|it| it.conduct.may_have_lost(peer, remote))
        };
        let claimed = session
            .and_then(|id| id.split_once('@'))
            .and_then(|(_, domain)| self.settings.peer_of(&domain.to_ascii_lowercase()))
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
        if peers.is_empty()
            && let Some(left_out) = self.quiet.due(trouble.kind(), now)
        {
            let session = session.unwrap_or_default();
            tracing::warn!(
                remote = remote.map(tracing::field::display), ssp.session = %Shown(session.split('@').next_back().unwrap_or_default()), left_out,
                "somebody in vain: {}", trouble.words()
            );
        }
        peers
    }
}
