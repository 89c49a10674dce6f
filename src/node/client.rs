//! Client sessions as the joint sees them: what clients say goes into the owner's inbox, what they
//! are told comes over a channel bounded in number and bytes.
//!
//! What must not be lost has a number and is acknowledged; the home domain tells a client only so
//! much of it ahead. The rest answers requests or shows presence: a client that lets too much of
//! it lie loses its session, and finds all that counts in the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::core::{Answer, Core};
use super::inbox::{Gone, Input, Question};
use crate::element::{ClientKey, FromClient, Over, ToClient};
use crate::home::Home;
use crate::imps::Primitive;

/// What is on its way to one client; our choice: all that a user with the longest contact list
/// may hear at once, several times.
const MAX_EVENTS: usize = 4096;
/// Bytes of it, unless it is one thing alone.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// With more than this on its way, nothing further is taken from the client.
const MANY: usize = 1024;

/// Where what one client is told goes in.
#[derive(Debug)]
pub(super) struct EventSender {
    /// In boxes: a channel has room for many from the beginning.
    events: mpsc::Sender<Box<(ToClient, usize)>>,
    bytes: Arc<AtomicUsize>,
}

impl EventSender {
    /// Puts something on its way; false if too much is, or nobody is there any more.
    pub(super) fn send(&self, told: ToClient) -> bool {
        let bytes = told.bytes();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (before == 0 || before + bytes <= MAX_BYTES)
            && self.events.try_send(Box::new((told, bytes))).is_ok()
    }
}

/// What becomes of a client that comes.
pub enum Entry {
    /// Its session is open; what it hears first.
    Open(Box<ClientSession>, ToClient),
    /// It is not let in.
    Refused(Over),
    /// The store takes nothing: it may come again in a moment.
    Later,
}

/// A client session; ends when it is dropped.
pub struct ClientSession {
    client: ClientKey,
    events: mpsc::Receiver<Box<(ToClient, usize)>>,
    bytes: Arc<AtomicUsize>,
    inbox: mpsc::Sender<Input>,
}

impl ClientSession {
    pub(super) fn new(client: ClientKey, inbox: mpsc::Sender<Input>) -> (Self, EventSender) {
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        let bytes = Arc::new(AtomicUsize::new(0));
        let session = Self {
            client,
            events,
            bytes: bytes.clone(),
            inbox,
        };
        let events = EventSender {
            events: sender,
            bytes,
        };
        (session, events)
    }

    /// What the client is told next; `None` when the node has ended the session. What has a number
    /// is told again to the next client unless it is acknowledged.
    pub async fn event(&mut self) -> Option<ToClient> {
        let (told, bytes) = *self.events.recv().await?;
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        Some(told)
    }

    /// Whether so much is on its way to the client that it had better read before it asks for
    /// more.
    pub fn is_behind(&self) -> bool {
        self.events.len() > MANY
    }

    /// Says something for the client.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn say(&self, said: FromClient) -> Result<(), Gone> {
        self.inbox
            .send(Input::Client(self.client, said))
            .await
            .map_err(|_| Gone)
    }

    /// Waits until all that was said is on disk. False if the store has not taken it, or if the
    /// session had ended before: then it may not have been heard.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn settle(&self) -> Result<bool, Gone> {
        let client = self.client;
        let (reply, answer) = oneshot::channel();
        // Comes behind what was said, and is answered when all before is on disk.
        let question: Question = Box::new(move |core: &mut Core, _, turn| {
            let home = core.element::<Home>();
            let is_open = home.is_some_and(|home| home.has_client(client));
            turn.answers.push(Answer(Box::new(move || {
                let _ = reply.send(is_open);
            })));
        });
        let asked = self.inbox.send(Input::Ask(question)).await;
        asked.map_err(|_| Gone)?;
        Ok(answer.await.unwrap_or(false))
    }

    /// Hands over a request of the user; its answer has the same id.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn request(
        &self,
        id: impl Into<String>,
        primitive: impl Into<Primitive>,
    ) -> Result<(), Gone> {
        let id = id.into();
        let primitive = Box::new(primitive.into());
        self.say(FromClient::Request { id, primitive }).await
    }

    /// Says that something has been taken, if it is something that waits for that.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn acknowledge(&self, told: &ToClient) -> Result<(), Gone> {
        match told.number() {
            Some(number) => self.say(FromClient::Ack { number }).await,
            None => Ok(()),
        }
    }
}

impl Drop for ClientSession {
    fn drop(&mut self) {
        let (inbox, client) = (self.inbox.clone(), self.client);
        if let Err(mpsc::error::TrySendError::Full(input)) =
            inbox.try_send(Input::ClientClose(client))
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { inbox.send(input).await.is_ok() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::Status;

    fn words(bytes: usize) -> ToClient {
        ToClient::now(Status::ok().because("x".repeat(bytes)))
    }

    #[tokio::test]
    async fn what_lies_unread_is_bounded_in_bytes_and_one_always_fits() {
        let (inbox, _inputs) = mpsc::channel(8);
        let (mut session, events) = ClientSession::new(ClientKey(1), inbox);
        assert!(events.send(words(MAX_BYTES)));
        assert!(!events.send(words(1)));
        session.event().await.unwrap();
        let (inbox, _inputs) = mpsc::channel(8);
        let (mut session, events) = ClientSession::new(ClientKey(1), inbox);
        for _ in 0..10 {
            assert!(events.send(words(MAX_BYTES / 4)));
            session.event().await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_lies_unread_is_bounded_in_number() {
        let (inbox, _inputs) = mpsc::channel(8);
        let (_session, events) = ClientSession::new(ClientKey(1), inbox);
        let fits = (0..=MAX_EVENTS).filter(|_| events.send(words(1)));
        assert_eq!(fits.count(), MAX_EVENTS);
    }
}
