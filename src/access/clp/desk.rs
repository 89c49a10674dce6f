//! Where gateways hand over short messages, and who talks with each phone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use ring::digest;
use tokio::sync::{mpsc, oneshot};

use super::conversation::{Conversation, Said};
use super::incoming::Incoming;
use super::records::{self, Kept};
use crate::access::entrance::Entrance;
use crate::access::sessions::Sessions;
use crate::node::build::SmsGateway;
use crate::store::StoreError;

/// Messages of one phone that may wait; our choice. One more is refused.
const LINES: usize = 8;
/// For a message to be understood, and what follows from it to be on disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes what gateways hand over.
pub(in crate::access) struct Desk {
    gateways: Vec<Arc<SmsGateway>>,
    sessions: Arc<Sessions>,
    entrance: Arc<Entrance>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By number. Only numbers of users are here, so there are no more than are configured.
    phones: HashMap<String, mpsc::Sender<Said>>,
}

impl Desk {
    pub(in crate::access) fn new(
        gateways: Vec<SmsGateway>,
        sessions: Arc<Sessions>,
        entrance: Arc<Entrance>,
    ) -> Self {
        Self {
            gateways: gateways.into_iter().map(Arc::new).collect(),
            sessions,
            entrance,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with the sessions that were kept, of numbers that are still those of the same users.
    ///
    /// # Errors
    /// They cannot be read.
    pub(in crate::access) async fn resume(&self) -> Result<(), StoreError> {
        for (number, kept) in records::all(&self.sessions.node).await? {
            let gateway = self.gateways.iter().find(|one| one.name == kept.gateway);
            let is_own = self.entrance.of_number(&number) == Some(kept.user.as_str());
            let Some(gateway) = gateway.filter(|_| is_own) else {
                records::forget(&self.sessions.node, &number, &kept.user).await;
                continue;
            };
            let (gateway, user) = (Arc::clone(gateway), kept.user.clone());
            let sender = self.begin(&number, &user, &gateway, Some(kept));
            self.state().phones.insert(number, sender);
        }
        Ok(())
    }

    /// A message comes: what its gateway is answered. With 200 what follows from it is on disk.
    pub(in crate::access) async fn take(&self, query: &str, from: IpAddr) -> StatusCode {
        let mut known = self.gateways.iter();
        if !known.any(|one| one.from.iter().any(|known| known.contains(from))) {
            return self.refused("its address is not that of a gateway", from);
        }
        let Some(incoming) = Incoming::read(query) else {
            return StatusCode::BAD_REQUEST;
        };
        let mut gateways = self.gateways.iter().filter(|one| {
            one.from.iter().any(|known| known.contains(from))
                && is_same(one.secret.expose(), &incoming.secret)
        });
        let Some(gateway) = gateways.next() else {
            return self.refused("the secret is not that of the gateway", from);
        };
        let Some(user) = self.entrance.of_number(&incoming.number) else {
            tracing::debug!(
                gateway = gateway.name,
                "a short message is of no user's number"
            );
            return StatusCode::OK;
        };
        let (done, understood) = oneshot::channel();
        let said = Said {
            text: incoming.text,
            id: incoming.id,
            to: incoming.from,
            gateway: Arc::clone(gateway),
            done,
        };
        if self
            .hand_over(&incoming.number, user, gateway, said)
            .is_err()
        {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        match tokio::time::timeout(PATIENCE, understood).await {
            Ok(Ok(true)) => StatusCode::OK,
            Ok(Ok(false) | Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn hand_over(
        &self,
        number: &str,
        user: &str,
        gateway: &Arc<SmsGateway>,
        said: Said,
    ) -> Result<(), mpsc::error::TrySendError<Said>> {
        let mut state = self.state();
        if let Some(phone) = state.phones.get(number) {
            return phone.try_send(said);
        }
        let phone = self.begin(number, user, gateway, None);
        let sent = phone.try_send(said);
        state.phones.insert(number.to_owned(), phone);
        sent
    }

    /// Somebody talks with a phone from now on. `kept`: a session that is to go on.
    fn begin(
        &self,
        number: &str,
        user: &str,
        gateway: &Arc<SmsGateway>,
        kept: Option<Kept>,
    ) -> mpsc::Sender<Said> {
        let (phone, lines) = mpsc::channel(LINES);
        let conversation =
            Conversation::new(&self.sessions, (number, user), Arc::clone(gateway), kept);
        let stop = self.sessions.stop.clone();
        self.sessions.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = conversation.attend(lines) => {}
            }
        });
        phone
    }

    fn refused(&self, why: &'static str, from: IpAddr) -> StatusCode {
        if let Some(more) = self.sessions.may_tell(why) {
            tracing::warn!(address = %from, more, "a short message is refused: {why}");
        }
        StatusCode::FORBIDDEN
    }
}

/// Compares without telling by the time it takes how much of it is the same.
fn is_same(one: &str, other: &str) -> bool {
    let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    hash(one).as_ref() == hash(other).as_ref()
}
