//! A user in a text session: their place among all sessions, and the way to their domain.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;

use crate::access::entrance::stopping;
use crate::access::key::Key;
use crate::access::sessions::{Handle, Order, Place, Sessions};
use crate::element::{Delivery, FromClient, Over, Takes, ToClient};
use crate::imps::Status;
use crate::node::{ClientSession, Gone, clock};

/// What operators may have ordered and was not heard yet.
const ORDERS: usize = 2;

/// An open session; it ends when it is dropped.
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    handle: Arc<Handle>,
    home: ClientSession,
    orders: mpsc::Receiver<Box<Order>>,
    _place: Place,
}

/// What happens in a session.
#[derive(Debug)]
pub(super) enum News {
    Told(ToClient),
    /// The session is to end, and the user to hear why.
    Ended(Status),
}

impl Seat {
    /// Opens a session for a user. `is_kept`: it was there before a restart, so it has a place
    /// whatever the bounds are. With it comes what the user is told first.
    ///
    /// # Errors
    /// What the user is told instead.
    pub(super) async fn take(
        sessions: &Arc<Sessions>,
        user: &str,
        is_kept: bool,
    ) -> Result<(Self, ToClient), Status> {
        let place = if is_kept {
            sessions.place_again(user)
        } else {
            let place = sessions.place(user);
            place.ok_or_else(|| Over::TooMany.status())?
        };
        let (home, opened) = open(sessions, user).await?;
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
        let seat = Self {
            sessions: Arc::clone(sessions),
            handle,
            home,
            orders,
            _place: place,
        };
        Ok((seat, opened))
    }

    /// Opens the way to the user's domain anew, where it was lost because too much lay unread.
    ///
    /// # Errors
    /// What the user is told instead.
    pub(super) async fn reopen(&mut self) -> Result<ToClient, Status> {
        let (home, opened) = open(&self.sessions, &self.handle.user).await?;
        self.home = home;
        Ok(opened)
    }

    /// What happens next. It may be cancelled without loss.
    pub(super) async fn next(&mut self) -> News {
        loop {
            tokio::select! {
                biased;
                Some(order) = self.orders.recv() => {
                    if let Some(status) = ended(*order) {
                        return News::Ended(status);
                    }
                }
                told = self.home.event() => {
                    return News::Told(told.unwrap_or(ToClient::Over { why: Over::Behind }));
                }
            }
        }
    }

    /// Says something for the user.
    ///
    /// # Errors
    /// The node has stopped.
    pub(super) async fn say(&self, said: FromClient) -> Result<(), Gone> {
        self.home.say(said).await
    }

    /// The user has what came under this number.
    ///
    /// # Errors
    /// The node has stopped.
    pub(super) async fn acknowledge(&self, number: Option<u64>) -> Result<(), Gone> {
        match number {
            Some(number) => self.say(FromClient::Ack { number }).await,
            None => Ok(()),
        }
    }

    /// Waits until all that was said is on disk.
    pub(super) async fn settle(&self) {
        let node = &self.sessions.node;
        let shard = node.shard_of_user(&self.handle.user);
        let _ = node.change_in(shard, |_, _, _| ()).await;
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

/// A way to the user's domain, and what it says first.
async fn open(sessions: &Sessions, user: &str) -> Result<(ClientSession, ToClient), Status> {
    let node = &sessions.node;
    let opened = node
        .client_open_for(user, Takes::Everything, Delivery::default())
        .await;
    let home = opened.map_err(|_| stopping())?;
    let mut home = home.ok_or_else(|| Over::Unknown.status())?;
    match home.event().await {
        Some(ToClient::Over { why }) => Err(why.status()),
        Some(opened) => Ok((home, opened)),
        None => Err(stopping()),
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
