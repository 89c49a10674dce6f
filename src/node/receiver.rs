//! The HTTP server's way into the node: reads the envelope on the connection's
//! own task, then asks the owner.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};

use super::fair::{Shares, domain, whose};
use super::inbox::Input;
use super::inbox::NodeHandle;
use super::run::INBOX;
use crate::http::known::KnownAddresses;
use crate::http::server::{Inbound, Mishap, Receiver, Verdict as HttpVerdict};
use crate::imps::xml::Limits;
use crate::imps::xml::repair::Repair;
use crate::sap::{Count, Facts, Settings, Trouble, Verdict};
use crate::ssp::envelope;
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
                let count = |core: &mut super::Core, _, _: &mut super::core::Turn| {
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
        let strict = strict(&message, &settings);
        let in_session = matches!(message, crate::ssp::Message::Session(_));
        let facts = Facts {
            client_names: inbound.client_names,
            host: inbound.host,
            repairs: repairs
                .iter()
                .map(|repair| repair.name().to_owned())
                .collect(),
            remote: Some(inbound.remote.ip()),
        };
        let (reply, verdict) = oneshot::channel();
        let input = Input::Message {
            message: Box::new(message),
            facts,
            strict,
            reply,
        };
        match self.handle.inbox.try_send(input) {
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
            Ok(Verdict::Busy(after)) => HttpVerdict::Busy {
                retry_after: after.map(std::time::Duration::from_millis),
            },
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
        let told = Input::Ask(Box::new(move |core, now, turn| {
            let remote = Some(remote.ip());
            core.sap.trouble(trouble, remote, session.as_deref(), now);
            core.settle(now, turn);
            drop(place);
        }));
        let _ = self.handle.inbox.try_send(told);
    }
}

/// Whether the acknowledgement waits for the disk: a policy of the peer.
fn strict(message: &crate::ssp::Message, settings: &Settings) -> bool {
    match message {
        crate::ssp::Message::Setup(_) => true,
        crate::ssp::Message::Session(session) => {
            let domain = domain(&session.session).to_ascii_lowercase();
            settings.peer_of(&domain).is_none_or(|peer| peer.strict)
        }
    }
}
