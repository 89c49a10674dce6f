//! What can be put into the owner's inbox, and the handle to do so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{broadcast, mpsc, oneshot};

use super::client::{ClientSession, EventSender};
use super::core::{Answer, Core, Turn};
use super::fair;
use crate::element::client::Command;
use crate::element::{ClientKey, Takes, Time};
use crate::sap::{Facts, Posted, Trace, Verdict};
use crate::ssp::Message;
use crate::store::Store;
use crate::xmpp::link::LinkEvent;

/// What the owner is given to work on.
pub(super) enum Input {
    /// A message of a peer, and where its verdict goes.
    Message {
        message: Box<Message>,
        facts: Facts,
        strict: bool,
        reply: oneshot::Sender<Verdict>,
    },
    /// The fate of a post.
    Posted(u64, Posted),
    /// From an XMPP link.
    Xmpp(Box<LinkEvent>),
    /// A client of the home domain came.
    ClientOpen {
        client: ClientKey,
        user: String,
        takes: Takes,
        events: EventSender,
        reply: oneshot::Sender<bool>,
    },
    /// A client's command.
    Client(ClientKey, Command),
    /// A client of the home domain has gone.
    ClientClose(ClientKey),
    /// Anything else that wants a look at the core.
    Ask(Question),
}

impl Input {
    /// The domain that a message of a session claims.
    pub(super) fn session_domain(&self) -> Option<&str> {
        match self {
            Self::Message { message, .. } => match message.as_ref() {
                Message::Session(session) => Some(fair::domain(&session.session)),
                Message::Setup(_) => None,
            },
            _ => None,
        }
    }
}

/// Runs on the owner. What it does is committed like any other input.
pub(super) type Question = Box<dyn FnOnce(&mut Core, Time, &mut Turn) + Send>;

/// The node has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Gone;

/// A way to talk to a running node.
#[derive(Clone)]
pub struct NodeHandle {
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) traces: broadcast::Sender<Arc<Trace>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clients: Arc<AtomicU64>,
}

impl NodeHandle {
    /// Asks the owner.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        let question = Box::new(move |core: &mut Core, now: Time, turn: &mut Turn| {
            let _ = reply.send(question(core, now, turn));
        });
        self.inbox
            .send(Input::Ask(question))
            .await
            .map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    /// Asks the owner for a change. Answered when the change is on disk; `None` if
    /// the store did not take it, and nothing has changed.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<Option<T>, Gone> {
        let (reply, answer) = oneshot::channel();
        let question = Box::new(move |core: &mut Core, now: Time, turn: &mut Turn| {
            let result = work(core, now, turn);
            turn.answers.push(Answer(Box::new(move || {
                let _ = reply.send(result);
            })));
        });
        self.inbox
            .send(Input::Ask(question))
            .await
            .map_err(|_| Gone)?;
        Ok(answer.await.ok())
    }

    /// Opens a client session of a home-domain user whose password was checked, which takes
    /// everything that waits for the user; `None` if there is no such user.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn client_open(&self, user: &str) -> Result<Option<ClientSession>, Gone> {
        self.client_open_for(user, Takes::Everything).await
    }

    /// Opens a client session that takes only some of what waits; else as
    /// [`NodeHandle::client_open`].
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn client_open_for(
        &self,
        user: &str,
        takes: Takes,
    ) -> Result<Option<ClientSession>, Gone> {
        let client = ClientKey(self.clients.fetch_add(1, Ordering::Relaxed));
        let (session, events) = ClientSession::new(client, self.inbox.clone());
        let (reply, answer) = oneshot::channel();
        let input = Input::ClientOpen {
            client,
            user: user.to_owned(),
            takes,
            events,
            reply,
        };
        self.inbox.send(input).await.map_err(|_| Gone)?;
        let known = answer.await.map_err(|_| Gone)?;
        Ok(known.then_some(session))
    }

    /// Everything that happens from now on.
    pub fn traces(&self) -> broadcast::Receiver<Arc<Trace>> {
        self.traces.subscribe()
    }

    /// The store, for its health.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }
}
