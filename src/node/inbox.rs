//! What can be put into the owner's inbox, and the handle to do so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};

use super::client::{ClientSession, Entry, EventSender};
use super::clock::Clock;
use super::core::{Answer, Core, Turn};
use super::fair;
use super::gauges::Gauges;
use super::passwords::Passwords;
use super::told::Told;
use crate::content::{Contents, Refusal, Slot, Wanted};
use crate::element::{ClientKey, Delivery, FromClient, Over, Takes, Time, ToClient};
use crate::home::Home;
use crate::http::link::LinkSettings;
use crate::sap::{Facts, Hand, Posted, Shards, Trace, Verdict};
use crate::ssp::Message;
use crate::store::Store;
use crate::xmpp::link::LinkEvent;

/// How long it is looked whether a user is awake: this, and each time so much more, so often.
const WAKE_PAUSE: Duration = Duration::from_millis(1);
const WAKE_TRIES: u32 = 200;

/// A client that comes while the store takes nothing is tried again after this, so often; our
/// choice: ten seconds, which whoever logs in will wait.
const ENTRY_PAUSE: Duration = Duration::from_millis(250);
const ENTRY_TRIES: u32 = 40;

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
    /// Another shard hands something over, and hears whether it was taken.
    Handed {
        hand: Hand,
        reply: oneshot::Sender<Verdict>,
    },
    /// Another shard tells something.
    Told(u16, Told),
    /// From an XMPP link.
    Xmpp(Box<LinkEvent>),
    /// A client of the home domain came.
    ClientOpen {
        client: ClientKey,
        user: String,
        takes: Takes,
        delivery: Delivery,
        events: EventSender,
        reply: oneshot::Sender<bool>,
    },
    /// What a client with an open session says.
    Client(ClientKey, FromClient),
    /// A client of the home domain has gone.
    ClientClose(ClientKey),
    /// New settings of the links to peers.
    Links(Vec<LinkSettings>),
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

/// The way into one shard.
pub(super) struct Door {
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) store: Arc<dyn Store>,
}

impl Door {
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        let question = Box::new(move |core: &mut Core, now: Time, turn: &mut Turn| {
            let _ = reply.send(question(core, now, turn));
        });
        let asked = self.inbox.send(Input::Ask(question)).await;
        asked.map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    async fn change<T: Send + 'static>(
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
        let asked = self.inbox.send(Input::Ask(question)).await;
        asked.map_err(|_| Gone)?;
        Ok(answer.await.ok())
    }
}

/// A way to talk to a running node.
#[derive(Clone)]
pub struct NodeHandle {
    /// By number of the shard; at least one.
    pub(super) doors: Arc<[Door]>,
    pub(super) traces: broadcast::Sender<Arc<Trace>>,
    pub(super) clients: Arc<AtomicU64>,
    pub(super) contents: Option<Contents>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) clock: Clock,
    pub(super) gauges: Arc<Gauges>,
}

impl NodeHandle {
    /// A place for a file that a user of this node wants to share; the caller has checked who they
    /// are.
    ///
    /// # Errors
    /// It is not taken, or there is no room.
    pub fn slot(&self, user: &str, wanted: &Wanted) -> Result<Slot, Refusal> {
        let contents = self.contents.as_ref().ok_or(Refusal::Off)?;
        contents.slot(user, wanted)
    }

    /// What is kept of passwords, and how they are checked.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// What is measured beside the cores.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// The clock of the node.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How many shards the node has.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.doors.len()).unwrap_or(Shards::MOST)
    }

    fn places(&self) -> Shards {
        Shards::new(0, self.shards())
    }

    pub(super) fn door(&self, shard: u16) -> &Door {
        self.doors.get(usize::from(shard)).unwrap_or(&self.doors[0])
    }

    pub(super) fn door_of_peer(&self, peer: &str) -> &Door {
        self.door(self.places().of_peer(peer))
    }

    pub(super) fn door_of_user(&self, user: &str) -> &Door {
        self.door(self.places().of_user(user))
    }

    /// A private group is where its owner is.
    fn door_of_group(&self, group: &str) -> &Door {
        match group.split_once('/') {
            Some(("", _)) | None => self.door(self.places().of_group(group)),
            Some((owner, _)) => self.door_of_user(owner),
        }
    }

    /// Asks the owner of the first shard: what is the same in all, and the gateway.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.doors[0].ask(question).await
    }

    /// Asks the owner of a shard.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn ask_in<T: Send + 'static>(
        &self,
        shard: u16,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.door(shard).ask(question).await
    }

    /// Asks the owner of the shard that has a peer, by its domain.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn ask_for_peer<T: Send + 'static>(
        &self,
        peer: &str,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.door_of_peer(peer).ask(question).await
    }

    /// Asks the owner of the shard that has a user of the home domain, by the local part of the
    /// address.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn ask_for_user<T: Send + 'static>(
        &self,
        user: &str,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.wake(self.shard_of_user(user), vec![user.to_owned()])
            .await?;
        self.door_of_user(user).ask(question).await
    }

    /// Asks the owner of the shard that has a group of the home domain, by what stands before the
    /// domain of its address.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn ask_for_group<T: Send + 'static>(
        &self,
        group: &str,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        self.door_of_group(group).ask(question).await
    }

    /// Brings users of a shard who are at rest into memory, for the operator. Gives up after a
    /// while if the store cannot be read.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn wake(&self, shard: u16, users: Vec<String>) -> Result<(), Gone> {
        let users: Arc<[String]> = users.into();
        for tries in 0..WAKE_TRIES {
            let users = Arc::clone(&users);
            let wake = move |core: &mut Core, now, turn: &mut Turn| {
                core.administer(now, turn, |home: &mut Home| home.wake(&users, now))
            };
            if self.ask_in(shard, wake).await?.unwrap_or(true) {
                break;
            }
            let pause = WAKE_PAUSE * (tries + 1).min(50);
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// The number of the shard that has a user of the home domain.
    pub fn shard_of_user(&self, user: &str) -> u16 {
        self.places().of_user(user)
    }

    /// Asks the owner of a shard for a change; as [`NodeHandle::change`].
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn change_in<T: Send + 'static>(
        &self,
        shard: u16,
        work: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<Option<T>, Gone> {
        self.door(shard).change(work).await
    }

    /// The first shard of which this is true.
    pub(super) async fn find(
        &self,
        wanted: impl FnOnce(&Core) -> bool + Clone + Send + 'static,
    ) -> Option<u16> {
        for shard in 0..self.shards() {
            let wanted = wanted.clone();
            if self.ask_in(shard, |core, _, _| wanted(core)).await == Ok(true) {
                return Some(shard);
            }
        }
        None
    }

    /// Asks the owners of all shards, one after the other.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn ask_all<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, Gone> {
        let mut answers = Vec::with_capacity(self.doors.len());
        for door in self.doors.iter() {
            answers.push(door.ask(question.clone()).await?);
        }
        Ok(answers)
    }

    /// Asks the owner of the first shard for a change. Answered when the change is on disk; `None`
    /// if the store did not take it, and nothing has changed.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<Option<T>, Gone> {
        self.doors[0].change(work).await
    }

    /// The same in the shard that has a user of the home domain, by the local part of the address.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn change_for_user<T: Send + 'static>(
        &self,
        user: &str,
        work: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<Option<T>, Gone> {
        self.wake(self.shard_of_user(user), vec![user.to_owned()])
            .await?;
        self.door_of_user(user).change(work).await
    }

    /// The same in the shard that has a group of the home domain, by what stands before the domain
    /// of its address.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn change_for_group<T: Send + 'static>(
        &self,
        group: &str,
        work: impl FnOnce(&mut Core, Time, &mut Turn) -> T + Send + 'static,
    ) -> Result<Option<T>, Gone> {
        self.door_of_group(group).change(work).await
    }

    /// Opens a client session of a home-domain user whose password was checked, which takes
    /// everything that waits for the user; `None` if there is no such user. While the store takes
    /// nothing this waits.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn client_open(&self, user: &str) -> Result<Option<ClientSession>, Gone> {
        loop {
            let delivery = Delivery::default();
            let opened = self.client_try(user, Takes::Everything, delivery).await?;
            match opened {
                Some(opened) => return Ok(opened),
                None => tokio::time::sleep(ENTRY_PAUSE).await,
            }
        }
    }

    /// Opens a client session that takes only some of what waits, or has messages come in its own
    /// way, and takes what it hears first; or why there is none. While the store takes nothing it
    /// is tried again for a while.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn client_enter(
        &self,
        user: &str,
        takes: Takes,
        delivery: Delivery,
    ) -> Result<Result<(ClientSession, ToClient), Over>, Gone> {
        for _ in 0..ENTRY_TRIES {
            match self.client_come(user, takes, delivery.clone()).await? {
                Entry::Open(session, opened) => return Ok(Ok((*session, opened))),
                Entry::Refused(why) => return Ok(Err(why)),
                Entry::Later => tokio::time::sleep(ENTRY_PAUSE).await,
            }
        }
        Ok(Err(Over::Unavailable))
    }

    /// The same, tried once.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn client_come(
        &self,
        user: &str,
        takes: Takes,
        delivery: Delivery,
    ) -> Result<Entry, Gone> {
        let mut session = match self.client_try(user, takes, delivery).await? {
            Some(Some(session)) => session,
            Some(None) => return Ok(Entry::Refused(Over::Unknown)),
            None => return Ok(Entry::Later),
        };
        match session.event().await {
            Some(ToClient::Over { why }) => Ok(Entry::Refused(why)),
            Some(opened) => Ok(Entry::Open(Box::new(session), opened)),
            // What it was to hear was not kept.
            None => self.closed_or_gone(user).map(|()| Entry::Later),
        }
    }

    /// Opens a client session. `None` if the store takes nothing; `Some(None)` if there is no such
    /// user.
    async fn client_try(
        &self,
        user: &str,
        takes: Takes,
        delivery: Delivery,
    ) -> Result<Option<Option<ClientSession>>, Gone> {
        let client = ClientKey(self.clients.fetch_add(1, Ordering::Relaxed));
        let inbox = &self.door_of_user(user).inbox;
        let (session, events) = ClientSession::new(client, inbox.clone());
        let (reply, answer) = oneshot::channel();
        let input = Input::ClientOpen {
            client,
            user: user.to_owned(),
            takes,
            delivery,
            events,
            reply,
        };
        inbox.send(input).await.map_err(|_| Gone)?;
        match answer.await {
            Ok(known) => Ok(Some(known.then_some(session))),
            Err(_) => self.closed_or_gone(user).map(|()| None),
        }
    }

    /// Why nothing was heard of an input for a user: the store takes nothing for now, or there is
    /// nobody any more.
    fn closed_or_gone(&self, user: &str) -> Result<(), Gone> {
        if self.door_of_user(user).inbox.is_closed() {
            Err(Gone)
        } else {
            Ok(())
        }
    }

    /// Everything that happens from now on.
    pub fn traces(&self) -> broadcast::Receiver<Arc<Trace>> {
        self.traces.subscribe()
    }

    /// The stores of all shards, for their health.
    pub fn stores(&self) -> impl Iterator<Item = &Arc<dyn Store>> {
        self.doors.iter().map(|door| &door.store)
    }
}
