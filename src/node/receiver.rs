//! The HTTP server's way into the node: reads the envelope on the connection's
//! own task, then asks the owner.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::core::{Core, Turn};
use super::fair::{Shares, domain, whose};
use super::inbox::{Door, Input, NodeHandle};
use super::run::INBOX;
use crate::http::known::KnownAddresses;
use crate::http::server::{Inbound, Mishap, Receiver, Verdict as HttpVerdict};
use crate::imps::xml::Limits;
use crate::imps::xml::repair::Repair;
use crate::sap::{Count, Facts, Settings, Trouble, Verdict};
use crate::ssp::{Message, envelope};
use crate::text::Shown;

/// Reads bodies and hands them to the owner.
pub(super) struct NodeReceiver {
    pub(super) handle: NodeHandle,
    pub(super) limits: Limits,
    pub(super) settings: Arc<std::sync::RwLock<Arc<Settings>>>,
    pub(super) shares: Arc<Shares>,
    /// Mishaps that may wait for the owner.
    pub(super) mishaps: Arc<Semaphore>,
    /// Learns where peers are.
    pub(super) known: Arc<KnownAddresses>,
}

/// Mishaps that may wait for the owner.
pub(super) const MISHAPS: usize = 64;

/// Messages of one peer that may wait for the owner: a quarter of its inbox.
const SHARE: usize = INBOX / 4;

impl NodeReceiver {
    fn settings(&self) -> Arc<Settings> {
        match self.settings.read() {
            Ok(settings) => settings.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// The way into the shard that has the peer of a message. What says nothing of its peer is looked
    /// for in all.
    async fn door(&self, message: &Message, settings: &Settings) -> &Door {
        if self.handle.shards() == 1 {
            return self.handle.door(0);
        }
        let peer = match message {
            Message::Session(session) => {
                settings.peer_of(&domain(&session.session).to_ascii_lowercase())
            }
            Message::Setup(transaction) => {
                let about = transaction.peek.service.iter();
                let mut about = about.chain(&transaction.peek.about);
                about.find_map(|from| settings.peer_of(from.domain()))
            }
        };
        if let Some(peer) = peer {
            return self.handle.door_of_peer(peer.real());
        }
        let found = match message {
            Message::Session(session) => {
                let id = session.session.clone();
                self.handle
                    .find(move |core| core.sap.has_session(&id))
                    .await
            }
            Message::Setup(transaction) => {
                let setup = transaction.clone();
                self.handle
                    .find(move |core| core.sap.awaits_setup(&setup))
                    .await
            }
        };
        // Strangers are turned away by the first one.
        self.handle.door(found.unwrap_or(0))
    }

    /// Whether a body that cannot be read is better acknowledged: its sender
    /// would only send it again for a day.
    fn is_dropped(inbound: &Inbound, settings: &Settings) -> bool {
        let session = inbound.session_header.as_deref().unwrap_or_default();
        settings
            .peer_of(&domain(session).to_ascii_lowercase())
            .is_some_and(|peer| peer.dialect.drop_unreadable)
    }
}

impl Receiver for NodeReceiver {
    async fn receive(&self, inbound: Inbound) -> HttpVerdict {
        let settings = self.settings();
        let allowed: &[Repair] = if settings.may_repair() {
            Repair::ALL
        } else {
            &[]
        };
        let names = &settings.names;
        let read = envelope::scan_of_peers(&inbound.body, &self.limits, allowed, names);
        let (message, repairs) = match read {
            Ok(read) => read,
            Err(error) => {
                let dropped = Self::is_dropped(&inbound, &settings);
                tracing::warn!(
                    remote = %inbound.remote,
                    dropped,
                    ssp.transaction = %Shown(inbound.transaction_header.as_deref().unwrap_or_default()),
                    "body cannot be read: {}", Shown(&error.to_string())
                );
                let count = |core: &mut Core, _, _: &mut Turn| {
                    core.metrics.count(Count::Unreadable);
                };
                let _ = self.handle.ask(count).await;
                if error.is_size() {
                    self.learn(Mishap::TooLarge, inbound.remote, inbound.session_header);
                }
                return match (dropped, error.is_size()) {
                    (true, _) => HttpVerdict::Accepted,
                    (false, true) => HttpVerdict::TooLarge,
                    (false, false) => HttpVerdict::Malformed,
                };
            }
        };
        let Some(_share) = self.shares.take(whose(&message, &settings), SHARE) else {
            return HttpVerdict::Busy {
                retry_after: Some(std::time::Duration::from_secs(1)),
            };
        };
        let door = self.door(&message, &settings).await;
        let strict = strict(&message, &settings);
        let in_session = matches!(message, Message::Session(_));
        let facts = Facts {
            client_names: inbound.client_names,
            host: inbound.host,
            repairs: repairs
                .iter()
                .map(|repair| repair.name().to_owned())
                .collect(),
            remote: Some(inbound.remote.ip()),
            bytes: inbound.body.len(),
        };
        let (reply, verdict) = oneshot::channel();
        let input = Input::Message {
            message: Box::new(message),
            facts,
            strict,
            reply,
        };
        match door.inbox.try_send(input) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                return HttpVerdict::Busy {
                    retry_after: Some(std::time::Duration::from_secs(1)),
                };
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return HttpVerdict::Busy { retry_after: None };
            }
        }
        match verdict.await {
            Ok(Verdict::Accepted) => {
                if in_session {
                    self.known.note(inbound.remote.ip());
                }
                HttpVerdict::Accepted
            }
            Ok(Verdict::Malformed) => HttpVerdict::Malformed,
            Ok(Verdict::Forbidden) => HttpVerdict::Forbidden,
            Ok(Verdict::Busy(retry_after)) => HttpVerdict::Busy { retry_after },
            Err(_) => HttpVerdict::Busy { retry_after: None },
        }
    }

    fn learn(&self, mishap: Mishap, remote: SocketAddr, session: Option<String>) {
        // Anybody can bring them about: no more wait for the owner than it bears.
        let Ok(place) = self.mishaps.clone().try_acquire_owned() else {
            return;
        };
        let trouble = match mishap {
            Mishap::TlsOnPlain => Trouble::TlsOnPlain,
            Mishap::PlainOnTls => Trouble::PlainOnTls,
            Mishap::TooLarge => Trouble::TooLarge,
        };
        let claimed = session.as_deref().map(|id| domain(id).to_ascii_lowercase());
        let settings = self.settings();
        let claimed = claimed.and_then(|claimed| settings.peer_of(&claimed));
        let door = claimed.map(|peer| self.handle.door_of_peer(peer.real()));
        let tell = move |core: &mut Core, now, turn: &mut Turn| {
            let remote = Some(remote.ip());
            core.sap.trouble(trouble, remote, session.as_deref(), now);
            core.settle(now, turn);
            drop(place);
        };
        if self.handle.shards() == 1 {
            let _ = self
                .handle
                .door(0)
                .inbox
                .try_send(Input::Ask(Box::new(tell)));
            return;
        }
        let door = door.map(|door| door.inbox.clone());
        let handle = self.handle.clone();
        tokio::spawn(async move {
            let inbox = match door {
                Some(inbox) => inbox,
                None => {
                    let is_there = move |core: &Core| core.sap.hears_from(remote.ip());
                    let shard = handle.find(is_there).await.unwrap_or(0);
                    handle.door(shard).inbox.clone()
                }
            };
            let _ = inbox.send(Input::Ask(Box::new(tell))).await;
        });
    }
}

/// Whether the acknowledgement waits for the disk: a policy of the peer.
fn strict(message: &Message, settings: &Settings) -> bool {
    match message {
        Message::Setup(_) => true,
        Message::Session(session) => {
            let domain = domain(&session.session).to_ascii_lowercase();
            settings.peer_of(&domain).is_none_or(|peer| peer.strict)
        }
    }
}
