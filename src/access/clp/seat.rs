//! A user in a text session: their place among all sessions, and the way to their domain.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use crate::access::entrance::stopping;
use crate::access::key::Key;
use crate::access::road::{Came, Road};
use crate::access::sessions::{Handle, Order, Place, Sessions};
use crate::element::{Delivery, FromClient, Over, Takes, ToClient};
use crate::imps::Status;
use crate::node::clock;

/// What operators may have ordered and was not heard yet.
const ORDERS: usize = 2;

/// An open session; it ends when it is dropped.
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    handle: Arc<Handle>,
    road: Road,
    orders: mpsc::Receiver<Box<Order>>,
    _place: Place,
}

/// What happens in a session.
#[derive(Debug)]
pub(super) enum News {
    Told(ToClient),
    /// The way to the user's domain was lost and is there again; what is told first. Answers that
    /// were under way do not come.
    Again(ToClient),
    /// The session is to end, and the user to hear why.
    Ended(Status),
}

impl Seat {
    /// Opens a session for a user. With it comes what the user is told first.
    ///
    /// # Errors
    /// What the user is told instead.
    pub(super) async fn take(
        sessions: &Arc<Sessions>,
        user: &str,
    ) -> Result<(Self, ToClient), Status> {
        let place = sessions.place(user);
        let place = place.ok_or_else(|| Over::TooMany.status())?;
        let entered = sessions
            .node
            .client_enter(user, Takes::Everything, Delivery::default());
        let entered = entered.await.map_err(|_| stopping())?;
        let (home, opened) = entered.map_err(Over::status)?;
        let road = Road::of(sessions, user, home);
        Ok((Self::new(sessions, road, user, place), opened))
    }

    /// A session that was there before a restart: it has a place whatever the bounds are. Its way
    /// is opened as soon as that can be.
    pub(super) fn again(sessions: &Arc<Sessions>, user: &str) -> Self {
        let place = sessions.place_again(user);
        let mut road = Road::none(sessions, user);
        road.open_soon(Delivery::default());
        Self::new(sessions, road, user, place)
    }

    fn new(sessions: &Arc<Sessions>, road: Road, user: &str, place: Place) -> Self {
        let (to, orders) = mpsc::channel(ORDERS);
        let handle = Arc::new(Handle {
            key: Key::of(&clock::random().hex(16)),
            user: user.to_owned(),
            client: None,
            orders: to,
            is_waiting: AtomicBool::new(false),
        });
        sessions.add(Arc::clone(&handle), None);
        tracing::info!(user, session = %handle.key, "a text session has begun");
        Self {
            sessions: Arc::clone(sessions),
            handle,
            road,
            orders,
            _place: place,
        }
    }

    /// Whether what is said for the user is heard now.
    pub(super) fn is_open(&self) -> bool {
        self.road.is_open()
    }

    /// What happens next; only what operators order, if nothing more may be told. It may be
    /// cancelled without loss.
    pub(super) async fn next(&mut self, may_be_told: bool) -> News {
        loop {
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => {
                    if let Some(status) = ended(*order) {
                        return News::Ended(status);
                    }
                }
                came = self.road.next(), if may_be_told => match came {
                    Came::Told(told) => return News::Told(told),
                    Came::Again(opened) => return News::Again(opened),
                    Came::Refused(why) => return News::Ended(why.status()),
                    Came::Lost => self.road.open_soon(Delivery::default()),
                },
            }
        }
    }

    /// Says something for the user.
    pub(super) async fn say(&mut self, said: FromClient) {
        self.road.say(said).await;
    }

    /// The user has what came under this number, if it has one.
    pub(super) async fn acknowledge(&mut self, number: Option<u64>) {
        self.road.acknowledge(number).await;
    }

    /// Waits until all that was said is on disk; false if it may not be.
    pub(super) async fn settle(&self) -> bool {
        self.road.settle().await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sessions.remove(self.handle.key, None);
        tracing::info!(
            user = self.handle.user,
            session = %self.handle.key,
            "a text session is over"
        );
    }
}

/// What happens in the session, as long as there is one.
pub(super) async fn next(seat: &mut Option<Seat>, may_be_told: bool) -> News {
    match seat {
        Some(seat) => seat.next(may_be_told).await,
        None => pending().await,
    }
}

/// Why a session is to end, if that is what is ordered; what is for other clients is dropped.
fn ended(order: Order) -> Option<Status> {
    match order {
        Order::Disconnect { status, done } => {
            let _ = done.send(());
            Some(status)
        }
        Order::Close { done } => {
            let _ = done.send(());
            Some(Status::ok())
        }
        Order::Post { .. } | Order::Channel(_) | Order::ChannelGone(_) | Order::Renew { .. } => {
            None
        }
    }
}
