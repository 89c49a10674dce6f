//! The way of a session to its user's domain. It may be lost, when the store has not taken something
//! or too much lay unread, and is then opened anew.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::sessions::Sessions;
use crate::element::{Delivery, FromClient, Over, Takes, ToClient};
use crate::node::{ClientSession, Entry, Gone};

/// The first wait after a way could not be opened, and the longest; each is twice as long as the one
/// before. Our choice: a store that has failed is tried again after as long.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// Numbers of what was acknowledged last that are remembered; our choice: more than a client is
/// told ahead.
const ACKNOWLEDGED: usize = 128;

/// A way that was opened and what is told first, or why there is none. `None`: the node stops.
type Opened = Option<Result<(ClientSession, ToClient), Over>>;

/// The way of one session.
pub(super) struct Road {
    sessions: Arc<Sessions>,
    user: String,
    home: Option<ClientSession>,
    /// A way on which one is being opened.
    opening: Option<AbortOnDropHandle<Opened>>,
    /// Numbers that the user's domain was told of last, the oldest first. It may not have kept that,
    /// and tell the same again.
    acknowledged: VecDeque<u64>,
    /// A number that is to be acknowledged again, before anything else comes.
    owed: Option<u64>,
}

/// What comes by the way.
#[derive(Debug)]
pub(super) enum Came {
    /// The user is told something.
    Told(ToClient),
    /// There is no way any more: it is to be opened anew.
    Lost,
    /// It is there again; what is told first.
    Again(ToClient),
    /// It cannot be opened.
    Refused(Over),
}

impl Road {
    /// There is none yet.
    pub(super) fn none(sessions: &Arc<Sessions>, user: &str) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            user: user.to_owned(),
            home: None,
            opening: None,
            acknowledged: VecDeque::new(),
            owed: None,
        }
    }

    /// This one.
    pub(super) fn of(sessions: &Arc<Sessions>, user: &str, home: ClientSession) -> Self {
        Self {
            home: Some(home),
            ..Self::none(sessions, user)
        }
    }

    /// Whether there is one.
    pub(super) fn is_open(&self) -> bool {
        self.home.is_some()
    }

    /// There is none any more.
    pub(super) fn close(&mut self) {
        self.home = None;
        self.opening = None;
    }

    /// Opens one, in the place of an older one. The older one goes after that, so that nobody sees
    /// the user gone; before, if there is no room for both. What is told first, or why there is no
    /// way. `None` if there is none for now: [`Self::next`] tells when there is.
    pub(super) async fn open(&mut self, delivery: Delivery) -> Option<Result<ToClient, Over>> {
        self.opening = None;
        let mut opened = self.try_once(delivery.clone()).await;
        if matches!(opened, Ok(Entry::Refused(Over::TooMany))) && self.home.take().is_some() {
            opened = self.try_once(delivery.clone()).await;
        }
        match opened {
            Ok(Entry::Open(home, opened)) => {
                self.home = Some(*home);
                Some(Ok(opened))
            }
            Ok(Entry::Later | Entry::Refused(Over::Unavailable)) => {
                self.open_soon(delivery);
                None
            }
            Ok(Entry::Refused(why)) => Some(Err(why)),
            // The node stops, and the session stays.
            Err(Gone) => None,
        }
    }

    async fn try_once(&self, delivery: Delivery) -> Result<Entry, Gone> {
        let node = &self.sessions.node;
        node.client_come(&self.user, Takes::Everything, delivery)
            .await
    }

    /// Opens one as soon as that can be; [`Self::next`] tells.
    pub(super) fn open_soon(&mut self, delivery: Delivery) {
        self.close();
        let (node, user) = (self.sessions.node.clone(), self.user.clone());
        let opening = self.sessions.tracker.spawn(async move {
            let mut pause = FIRST;
            loop {
                let come = node.client_come(&user, Takes::Everything, delivery.clone());
                match come.await.ok()? {
                    Entry::Open(home, opened) => return Some(Ok((*home, opened))),
                    Entry::Later | Entry::Refused(Over::Unavailable) => {}
                    Entry::Refused(why) => return Some(Err(why)),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST);
            }
        });
        self.opening = Some(AbortOnDropHandle::new(opening));
    }

    /// What comes next. It may be cancelled without loss.
    pub(super) async fn next(&mut self) -> Came {
        if let Some(opening) = &mut self.opening {
            let opened = opening.await;
            self.opening = None;
            match opened {
                Ok(Some(Ok((home, opened)))) => {
                    self.home = Some(home);
                    return Came::Again(opened);
                }
                Ok(Some(Err(why))) => return Came::Refused(why),
                Ok(None) | Err(_) => {}
            }
        }
        loop {
            let Some(home) = &mut self.home else {
                return pending().await;
            };
            if let Some(number) = self.owed {
                let _ = home.say(FromClient::Ack { number }).await;
                self.owed = None;
            }
            match home.event().await {
                None | Some(ToClient::Over { why: Over::Behind }) => {
                    self.home = None;
                    return Came::Lost;
                }
                Some(ToClient::Take { number, .. }) if self.acknowledged.contains(&number) => {
                    self.owed = Some(number);
                }
                Some(told) => return Came::Told(told),
            }
        }
    }

    /// Says something for the user. Where there is no way, what was to be acknowledged is
    /// acknowledged when it is told again; anything else is lost.
    pub(super) async fn say(&mut self, said: FromClient) {
        if let FromClient::Ack { number } = &said {
            if self.acknowledged.len() >= ACKNOWLEDGED {
                self.acknowledged.pop_front();
            }
            self.acknowledged.push_back(*number);
        }
        // What is not heard any more is like what is said on a way that is lost.
        if let Some(home) = &self.home {
            let _ = home.say(said).await;
        }
    }

    /// The user has what came under this number, if it has one.
    pub(super) async fn acknowledge(&mut self, number: Option<u64>) {
        if let Some(number) = number {
            self.say(FromClient::Ack { number }).await;
        }
    }

    /// Waits until all that was said is on disk; false if it may not be.
    pub(super) async fn settle(&self) -> bool {
        match &self.home {
            Some(home) => home.settle().await == Ok(true),
            None => false,
        }
    }
}
