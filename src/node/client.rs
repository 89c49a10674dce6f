//! Client sessions as the joint sees them: commands go into the owner's inbox, events come over
//! a channel bounded in number and bytes.
//!
//! What must not be lost has a number and is acknowledged; the home domain tells a client only so
//! much of it ahead. The rest answers commands or shows presence: a client that lets too much of
//! it lie loses its session, and finds all that counts in the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::inbox::{Gone, Input};
use crate::element::ClientKey;
use crate::element::client::{Command, Event};

/// Events on their way to one client; our choice: all that a user with the longest contact list
/// may hear at once, several times.
const MAX_EVENTS: usize = 4096;
/// Bytes of them, unless it is one event alone.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// With more events than this on their way, no further command is taken from the client.
const MANY: usize = 1024;

/// Where events of one client go in.
#[derive(Debug)]
pub(super) struct EventSender {
    events: mpsc::Sender<Event>,
    bytes: Arc<AtomicUsize>,
}

impl EventSender {
    /// Puts an event on its way; false if too many are, or nobody is there any more.
    pub(super) fn send(&self, event: Event) -> bool {
        let bytes = event.bytes();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        (before == 0 || before + bytes <= MAX_BYTES) && self.events.try_send(event).is_ok()
    }
}

/// A client session; ends when it is dropped.
pub struct ClientSession {
    client: ClientKey,
    events: mpsc::Receiver<Event>,
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

    /// The next event; `None` when the node has ended the session. What has a number is told
    /// again to the next client unless it is acknowledged.
    pub async fn event(&mut self) -> Option<Event> {
        let event = self.events.recv().await?;
        self.bytes.fetch_sub(event.bytes(), Ordering::Relaxed);
        Some(event)
    }

    /// The next event, acknowledged: for a client for which having it is all there is to do.
    pub async fn take(&mut self) -> Option<Event> {
        let event = self.event().await?;
        self.acknowledge(&event).await.ok()?;
        Some(event)
    }

    /// Whether so much is on its way to the client that it had better read before it asks for
    /// more.
    pub fn is_behind(&self) -> bool {
        self.events.len() > MANY
    }

    /// Gives a command.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn command(&self, command: Command) -> Result<(), Gone> {
        self.inbox
            .send(Input::Client(self.client, command))
            .await
            .map_err(|_| Gone)
    }

    /// Says that an event has been taken, if it is one that waits for that.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn acknowledge(&self, event: &Event) -> Result<(), Gone> {
        match event.number() {
            Some(number) => self.command(Command::Ack { number }).await,
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
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::imps::Address;

    fn message(bytes: usize) -> Event {
        let event = serde_json::json!({
            "event": "message", "id": "1", "from": "wv:a@b", "text": "x".repeat(bytes),
            "content_type": "text/plain",
        });
        serde_json::from_value(event).unwrap()
    }

    #[tokio::test]
    async fn what_lies_unread_is_bounded_in_bytes_and_one_event_always_fits() {
        let (inbox, _inputs) = mpsc::channel(8);
        let (mut session, events) = ClientSession::new(ClientKey(1), inbox);
        assert!(events.send(message(MAX_BYTES)));
        assert!(!events.send(message(1)));
        session.event().await.unwrap();
        let (inbox, _inputs) = mpsc::channel(8);
        let (mut session, events) = ClientSession::new(ClientKey(1), inbox);
        for _ in 0..10 {
            assert!(events.send(message(MAX_BYTES / 4)));
            session.event().await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_lies_unread_is_bounded_in_number() {
        let (inbox, _inputs) = mpsc::channel(8);
        let (_session, events) = ClientSession::new(ClientKey(1), inbox);
        let done = Event::Verified {
            user: Address::new("a@b"),
            status: 200,
        };
        let fits = (0..=MAX_EVENTS).filter(|_| events.send(done.clone()));
        assert_eq!(fits.count(), MAX_EVENTS);
    }
}
