//! The sessions that there are.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::key::Key;
use super::tally::Tally;
use super::udp::Datagrams;
use crate::client::session::Said;
use crate::client::settings::Settings;
use crate::imps::Status;
use crate::node::NodeHandle;
use crate::text::Seldom;

/// What a session's attendant is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// The client posts something. Dropped unanswered, the session is over.
    Post {
        said: Said,
        reply: oneshot::Sender<Option<Bytes>>,
    },
    /// A channel by which the client is woken; it is closed when the sender is dropped.
    Channel(mpsc::Sender<String>),
    /// A channel is gone; the newest one, if it is the same.
    ChannelGone(mpsc::Sender<String>),
    /// The client logs in again with this session, which is kept for so many seconds.
    Renew {
        keep_alive: u32,
        done: oneshot::Sender<()>,
    },
    /// It is ended, and the client is to hear why.
    Disconnect {
        status: Status,
        done: oneshot::Sender<()>,
    },
    /// It ends at once.
    Close { done: oneshot::Sender<()> },
}

/// The way to one session.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) key: Key,
    pub(super) user: String,
    /// The id of the client, if it has one.
    pub(super) client: Option<String>,
    /// In boxes: a channel has room for many from the beginning.
    pub(super) orders: mpsc::Sender<Box<Order>>,
    /// Whether something waits for the client.
    pub(super) is_waiting: AtomicBool,
}

impl Handle {
    /// Says what is to be done; false if the session is over.
    pub(super) async fn order(&self, order: Order) -> bool {
        self.orders.send(Box::new(order)).await.is_ok()
    }
}

#[derive(Debug, Default)]
struct State {
    of: HashMap<Key, Arc<Handle>>,
    /// Sessions of each user, those that are just begun included.
    of_user: HashMap<String, usize>,
    all: usize,
    /// Of each user, those that have begun.
    own: HashMap<String, Vec<Key>>,
    /// By what stands in the URL at which a client asks whether something waits.
    wake_tokens: HashMap<String, Key>,
}

/// A place for one session of a user; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    sessions: Arc<Sessions>,
    user: String,
}

/// All sessions, and what their attendants share.
pub(super) struct Sessions {
    pub(super) settings: Arc<Settings>,
    pub(super) node: NodeHandle,
    pub(super) datagrams: Option<Datagrams>,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Posts, lines and short messages under way.
    busy: AtomicUsize,
    pub(super) tally: Tally,
    state: Mutex<State>,
    told: Mutex<Seldom>,
}

/// Something under way, for which a stop waits; it is over when this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Sessions>);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions({})", self.count())
    }
}

impl Sessions {
    pub(super) fn new(
        settings: Arc<Settings>,
        node: NodeHandle,
        datagrams: Option<Datagrams>,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            settings,
            node,
            datagrams,
            tracker,
            stop,
            busy: AtomicUsize::new(0),
            tally: Tally::default(),
            state: Mutex::default(),
            told: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.state().of.len()
    }

    /// Something is under way from now on.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// Whether something is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// How many lines of a kind the log has not got, if it is to get one now.
    pub(super) fn may_tell(&self, kind: &'static str) -> Option<u64> {
        let now = self.node.clock().now().0;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.may(kind, now)
    }

    /// A place for one more session of a user, if there is one.
    pub(super) fn place(self: &Arc<Self>, user: &str) -> Option<Place> {
        let mut state = self.state();
        let of_user = state.of_user.get(user).copied().unwrap_or_default();
        let settings = &self.settings;
        if of_user >= settings.max_sessions_per_user || state.all >= settings.max_sessions {
            return None;
        }
        Some(self.taken(&mut state, user))
    }

    /// A place for a session that was there before.
    pub(super) fn place_again(self: &Arc<Self>, user: &str) -> Place {
        self.taken(&mut self.state(), user)
    }

    fn taken(self: &Arc<Self>, state: &mut State, user: &str) -> Place {
        state.all += 1;
        *state.of_user.entry(user.to_owned()).or_default() += 1;
        Place {
            sessions: Arc::clone(self),
            user: user.to_owned(),
        }
    }

    /// The session of this key.
    pub(super) fn find(&self, key: Key) -> Option<Arc<Handle>> {
        self.state().of.get(&key).cloned()
    }

    /// The session at whose URL a client asks.
    pub(super) fn find_by_token(&self, token: &str) -> Option<Arc<Handle>> {
        let state = self.state();
        state.of.get(state.wake_tokens.get(token)?).cloned()
    }

    /// The session of the same client of a user.
    pub(super) fn find_client(&self, user: &str, client: &str) -> Option<Arc<Handle>> {
        let state = self.state();
        let mut own = state
            .own
            .get(user)?
            .iter()
            .filter_map(|key| state.of.get(key));
        own.find(|one| one.client.as_deref() == Some(client))
            .cloned()
    }

    /// A session has begun.
    pub(super) fn add(&self, handle: Arc<Handle>, wake_token: Option<String>) {
        let mut state = self.state();
        if let Some(token) = wake_token {
            state.wake_tokens.insert(token, handle.key);
        }
        let own = state.own.entry(handle.user.clone()).or_default();
        own.push(handle.key);
        state.of.insert(handle.key, handle);
    }

    /// A session has ended.
    pub(super) fn remove(&self, key: Key, wake_token: Option<&str>) {
        let mut state = self.state();
        if let Some(handle) = state.of.remove(&key)
            && let Some(own) = state.own.get_mut(&handle.user)
        {
            own.retain(|one| *one != key);
            if own.is_empty() {
                state.own.remove(&handle.user);
            }
        }
        if let Some(token) = wake_token {
            state.wake_tokens.remove(token);
        }
    }

    /// Ends all sessions of a user; how many there were.
    pub(super) async fn disconnect(&self, user: &str, status: &Status) -> usize {
        let handles: Vec<Arc<Handle>> = {
            let state = self.state();
            let own = state.own.get(user).into_iter().flatten();
            own.filter_map(|key| state.of.get(key).cloned()).collect()
        };
        let mut ended = 0;
        for handle in handles {
            let (done, over) = oneshot::channel();
            let status = status.clone();
            let order = Order::Disconnect { status, done };
            if handle.order(order).await && over.await.is_ok() {
                ended += 1;
            }
        }
        ended
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.sessions.state();
        state.all = state.all.saturating_sub(1);
        if let Some(count) = state.of_user.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                state.of_user.remove(&self.user);
            }
        }
    }
}
