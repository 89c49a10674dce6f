//! Whether a peer is reached, which is not the same as having a session with it: a session may
//! stand for days while the peer is away.
//!
//! Posts tell it by the way. Where nothing is posted, and this node serves somebody who may watch
//! the peer's users, a connection is tried now and then.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::element::Time;
use crate::sap::association::login::Login;
use crate::sap::numbers::Numbers;
use crate::sap::post::Knock;
use crate::sap::presented_as::PeerId;

/// What is known of the way to a peer.
#[derive(Debug)]
pub(super) struct Reach {
    id: PeerId,
    /// A peer of whom nothing was heard for so long is tried. One post that fails is no absence;
    /// after half of this it is.
    silence: Duration,
    /// When something last came from it, or reached it.
    heard: Time,
    /// Since when it is not reached.
    away: Option<Time>,
    /// Its users' watchers were told.
    told: bool,
    /// When it was last tried.
    tried: Time,
    trying: bool,
    /// Numbers of the connections that are being tried, and were before the session that stands.
    knocks: BTreeSet<u64>,
}

impl Reach {
    pub(super) fn new(id: PeerId, silence: Duration) -> Self {
        Self {
            id,
            silence,
            heard: Time::default(),
            away: None,
            told: false,
            tried: Time::default(),
            trying: false,
            knocks: BTreeSet::new(),
        }
    }

    /// So long a silence is looked into from now on.
    pub(super) fn mind_silence(&mut self, silence: Duration) {
        self.silence = silence;
    }

    pub(super) fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// What became of a login, when there is a session. `why`: the last thing that went wrong.
    pub(super) fn login(&self, why: Option<&str>) -> Login {
        match self.away {
            _ if self.trying => Login::UnderWay,
            None => Login::Stands,
            Some(_) => {
                let why = why.unwrap_or_default();
                Login::Failed(format!("there is one, but the peer is not reached: {why}"))
            }
        }
    }

    /// When there is something to do, if there is a session.
    pub(super) fn due(&self) -> Option<Time> {
        let absent = self.away.filter(|_| !self.told);
        let absent = absent.map(|since| since.plus(self.silence / 2));
        let silent = self.heard.max(self.tried).plus(self.silence);
        let silent = (!self.trying).then_some(silent);
        absent.into_iter().chain(silent).min()
    }

    /// Something came from it, or reached it. Whether it was away, and that was told.
    pub(super) fn heard(&mut self, now: Time) -> bool {
        self.heard = now;
        if self.away.take().is_none() {
            return false;
        }
        tracing::info!(ssp.peer = self.id.as_str(), "the peer is reached again");
        std::mem::take(&mut self.told)
    }

    /// It could not be reached. Whether that is new.
    pub(super) fn lost(&mut self, now: Time) -> bool {
        let new = self.away.is_none();
        self.away.get_or_insert(now);
        new
    }

    /// Since when it is not reached, for this reason, if that is to be told now.
    pub(super) fn gone(&mut self, why: &str, now: Time) -> Option<Time> {
        let since = self.away.filter(|_| !self.told)?;
        if now < since.plus(self.silence / 2) {
            return None;
        }
        self.told = true;
        tracing::warn!(
            ssp.peer = self.id.as_str(),
            "the peer is away, though there is a session: {why}"
        );
        Some(since)
    }

    /// Whether a connection is to be tried, because nothing was heard for a while.
    pub(super) fn is_silent(&self, now: Time) -> bool {
        now.after(self.heard.max(self.tried)) >= self.silence && !self.trying
    }

    /// Tries a connection. `None`: one is being tried.
    pub(super) fn knock(&mut self, numbers: &Numbers, now: Time) -> Option<Knock> {
        if std::mem::replace(&mut self.trying, true) {
            return None;
        }
        self.tried = now;
        let number = numbers.next();
        self.knocks.insert(number);
        let peer = self.id.real().to_owned();
        Some(Knock { peer, number })
    }

    /// A connection has been tried; false if it is none of these.
    pub(super) fn tried(&mut self, number: u64) -> bool {
        let known = self.knocks.remove(&number);
        self.trying &= !known;
        known
    }

    /// There is a session: what was before says nothing any more.
    pub(super) fn begin_anew(&mut self) {
        *self = Self {
            knocks: std::mem::take(&mut self.knocks),
            ..Self::new(self.id.clone(), self.silence)
        };
    }
}
