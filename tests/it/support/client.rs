//! Clients of home domains: what tests write and read is in [`super::talk`].

use std::collections::VecDeque;
use std::sync::Mutex;

use wvgate::home::FromClient;
use wvgate::imps::Primitive;
use wvgate::node::{ClientSession, NodeHandle};

use super::talk::{Command, Event, Talk};

/// The client session of a user.
pub(crate) struct Client {
    session: ClientSession,
    talk: Mutex<Talk>,
    /// Heard, and not yet looked at.
    heard: VecDeque<Event>,
}

/// The node has ended the session, or takes nobody now.
#[derive(Debug)]
pub(crate) struct Ended;

impl Client {
    /// Opens a session; `None` if there is no such user.
    pub(crate) async fn open(node: &NodeHandle, user: &str) -> Result<Option<Self>, Ended> {
        let session = node.client_open(user).await.map_err(|_| Ended)?;
        let Some(session) = session else {
            return Ok(None);
        };
        let mut client = Self {
            session,
            talk: Mutex::default(),
            heard: VecDeque::new(),
        };
        // It is told first who it is.
        let opened = client.event().await.ok_or(Ended)?;
        client.heard.push_front(opened);
        Ok(Some(client))
    }

    /// Does something.
    pub(crate) async fn command(&self, command: Command) -> Result<(), Ended> {
        let said = self.talk.lock().unwrap().say(command);
        for said in said {
            self.session.say(said).await.map_err(|_| Ended)?;
        }
        Ok(())
    }

    /// Asks something in the test's own words; answered by [`Event::Answer`].
    pub(crate) async fn request(&self, id: &str, primitive: Primitive) -> Result<(), Ended> {
        let (id, primitive) = (id.to_owned(), Box::new(primitive));
        let said = FromClient::Request { id, primitive };
        self.session.say(said).await.map_err(|_| Ended)
    }

    /// What it hears next; `None` at the end of the session.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        while self.heard.is_empty() {
            let told = self.session.event().await?;
            self.heard.extend(self.talk.lock().unwrap().hear(told));
        }
        self.heard.pop_front()
    }

    /// The same, acknowledged. Whoever waits for something else beside it, and gives it up for
    /// that, loses nothing.
    pub(crate) async fn take(&mut self) -> Option<Event> {
        let event = self.event().await?;
        let Some(number) = event.number() else {
            return Some(event);
        };
        self.heard.push_front(event);
        let ack = FromClient::Ack { number };
        self.session.say(ack).await.ok()?;
        self.heard.pop_front()
    }
}
