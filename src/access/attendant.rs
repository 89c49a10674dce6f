//! Attends one session: a task of its own, which has the session, its way to the user's domain and
//! the channel by which the client is woken.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::key::Key;
use super::records;
use super::road::{Came, Road};
use super::sessions::{Handle, Order, Place, Sessions};
use crate::client::session::{Effect, Record, Session};
use crate::element::{Delivery, FromClient, Over, ToClient};
use crate::node::ClientSession;

/// Orders that may wait; our choice: a client has few posts under way.
const ORDERS: usize = 8;

/// One session and what belongs to it.
pub(super) struct Attendant {
    sessions: Arc<Sessions>,
    handle: Arc<Handle>,
    session: Session,
    /// The way to the user's domain.
    road: Road,
    channel: Option<mpsc::Sender<String>>,
    /// Those who wait for the answer to a post, by its number.
    waiting: HashMap<u64, oneshot::Sender<Option<Bytes>>>,
    next: u64,
    _place: Place,
}

/// Whether the session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    Over,
}

impl Attendant {
    /// Attends a session that has just begun.
    pub(super) fn begin(
        sessions: &Arc<Sessions>,
        key: Key,
        session: Session,
        home: ClientSession,
        place: Place,
    ) {
        let user = session.record().user.clone();
        let (attendant, orders) = Self::new(sessions, key, session, place);
        let attendant = Self {
            road: Road::of(sessions, &user, home),
            ..attendant
        };
        sessions.tracker.spawn(Box::new(attendant).attend(orders));
    }

    /// Attends a session that was kept over a restart.
    pub(super) fn resume(sessions: &Arc<Sessions>, key: Key, session: Session) {
        let place = sessions.place_again(&session.record().user);
        let (mut attendant, orders) = Self::new(sessions, key, session, place);
        sessions.tracker.spawn(async move {
            let delivery = attendant.session.record().terms.delivery();
            attendant.open(delivery).await;
            Box::new(attendant).attend(orders).await;
        });
    }

    fn new(
        sessions: &Arc<Sessions>,
        key: Key,
        session: Session,
        place: Place,
    ) -> (Self, mpsc::Receiver<Box<Order>>) {
        let (to, orders) = mpsc::channel(ORDERS);
        let record = session.record();
        let client = record.terms.client.as_ref();
        let handle = Arc::new(Handle {
            key,
            user: record.user.clone(),
            client: client.map(|client| client.url.clone()),
            orders: to,
            is_waiting: AtomicBool::new(false),
        });
        sessions.add(Arc::clone(&handle), record.wake_token.clone());
        let attendant = Self {
            sessions: Arc::clone(sessions),
            handle,
            road: Road::none(sessions, &session.record().user),
            session,
            channel: None,
            waiting: HashMap::new(),
            next: 0,
            _place: place,
        };
        (attendant, orders)
    }

    async fn attend(mut self: Box<Self>, mut orders: mpsc::Receiver<Box<Order>>) {
        let clock = self.sessions.node.clock();
        let stop = self.sessions.stop.clone();
        while self.perform().await == Goes::On {
            let waits = self.session.is_waiting(clock.now());
            self.handle.is_waiting.store(waits, Ordering::Relaxed);
            // Who has given up is not answered.
            self.waiting.retain(|_, reply| !reply.is_closed());
            let until = self.session.poll_timeout().map(|at| clock.instant(at));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                came = self.road.next() => self.came(came),
                order = orders.recv() => match order {
                    Some(order) => self.take(*order),
                    None => return,
                },
                () = sleep_until(until) => self.session.timeout(clock.now()),
            }
        }
        let record = self.session.record();
        self.sessions
            .remove(self.handle.key, record.wake_token.as_deref());
        tracing::info!(
            user = record.user,
            session = %self.handle.key,
            "the session of a client is over"
        );
    }

    /// Something comes by the way to the user's domain.
    fn came(&mut self, came: Came) {
        let told = match came {
            Came::Told(told) | Came::Again(told) => told,
            Came::Lost => ToClient::Over { why: Over::Behind },
            Came::Refused(why) => ToClient::Over { why },
        };
        self.session.told(told, self.sessions.node.clock().now());
    }

    fn take(&mut self, order: Order) {
        let now = self.sessions.node.clock().now();
        match order {
            Order::Post { said, reply } => {
                let post = self.next;
                self.next += 1;
                self.waiting.insert(post, reply);
                self.session.post(post, said, now);
            }
            Order::Channel(channel) => {
                self.channel = Some(channel);
                self.session.set_channel(true, now);
            }
            Order::ChannelGone(channel) => {
                if self
                    .channel
                    .as_ref()
                    .is_some_and(|own| own.same_channel(&channel))
                {
                    self.channel = None;
                    self.session.set_channel(false, now);
                }
            }
            Order::Renew { keep_alive, done } => {
                self.session.renew(keep_alive, now);
                let _ = done.send(());
            }
            Order::Disconnect { status, done } => {
                self.session.disconnect(status, now);
                let _ = done.send(());
            }
            Order::Close { done } => {
                self.session.close();
                let _ = done.send(());
            }
        }
    }

    /// Does what the session wants done, in order.
    async fn perform(&mut self) -> Goes {
        while let Some(effect) = self.session.next_effect() {
            match effect {
                Effect::Keep(record) => Box::pin(self.keep(&record)).await,
                Effect::Say(said) => self.say(said).await,
                Effect::Settle => {
                    // What is not kept of it the way says again when it comes again.
                    Box::pin(self.road.settle()).await;
                }
                // In boxes: the task has room for what it does all its life.
                Effect::Reopen(delivery) => Box::pin(self.open(delivery)).await,
                Effect::Answer { posts, body } => {
                    for post in posts {
                        if let Some(reply) = self.waiting.remove(&post) {
                            let _ = reply.send(body.clone());
                        }
                    }
                }
                Effect::Wake(line) => Box::pin(self.wake(line)).await,
                Effect::Leave => {
                    self.road.close();
                    let (key, user) = (self.handle.key, &self.handle.user);
                    let forgotten = records::forget(&self.sessions.node, key, user);
                    let forgotten = Box::pin(forgotten).await;
                    if forgotten == Ok(false) {
                        tracing::warn!(user, session = %key, "a session that is over is still kept");
                    }
                }
                Effect::End => return Goes::Over,
            }
        }
        Goes::On
    }

    async fn keep(&self, record: &Record) {
        let key = self.handle.key;
        if records::keep(&self.sessions.node, key, record).await == Ok(false) {
            tracing::warn!(
                user = record.user,
                session = %key,
                "what a client has agreed is not kept: the store does not take it"
            );
        }
    }

    /// Says something to the user's domain. Where there is no way to it, a request is answered so.
    async fn say(&mut self, said: FromClient) {
        if let FromClient::Request { id, .. } = &said
            && !self.road.is_open()
        {
            let refused = ToClient::answer(id.clone(), Over::Unavailable.status());
            let now = self.sessions.node.clock().now();
            return self.session.told(refused, now);
        }
        self.road.say(said).await;
    }

    /// Comes to the user's domain, in the place of an older way.
    async fn open(&mut self, delivery: Delivery) {
        let opened = self.road.open(delivery).await;
        let now = self.sessions.node.clock().now();
        match opened {
            Some(Ok(opened)) => self.session.told(opened, now),
            Some(Err(why)) => self.session.disconnect(why.status(), now),
            // It is told when there is one; what is worth nothing later may be lost till then.
            None => self.session.resume(),
        }
    }

    async fn wake(&self, line: String) {
        self.sessions.tally.woken();
        if let Some(channel) = &self.channel {
            // One that waits to be written says the same.
            let _ = channel.try_send(line);
        } else if let Some(port) = self.session.record().udp_port
            && let Some(datagrams) = &self.sessions.datagrams
        {
            let to = (self.session.record().address, port);
            datagrams.send(&line, to).await;
        }
    }
}

async fn sleep_until(until: Option<tokio::time::Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => pending().await,
    }
}
