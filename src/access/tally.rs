//! What happens at the access point, counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::csp::primitive::session::LoginResponse;

/// Counters since the start, and what there is now.
#[derive(Debug, Default)]
pub(super) struct Tally {
    logins: AtomicU64,
    refused: AtomicU64,
    posts: AtomicU64,
    woken: AtomicU64,
    short_messages_refused: AtomicU64,
    channels: AtomicUsize,
}

/// What there is at the access point, and what was since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCount {
    /// Sessions.
    pub sessions: usize,
    /// Connections by which clients are woken.
    pub channels: usize,
    /// Logins that succeeded.
    pub logins: u64,
    /// Those that were refused; a challenge is neither.
    pub refused: u64,
    /// Messages of clients.
    pub posts: u64,
    /// Times that a client was woken.
    pub woken: u64,
    /// Short messages that a gateway has refused for good.
    pub short_messages_refused: u64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    /// A login was answered so.
    pub(super) fn login(&self, answer: &LoginResponse) {
        if answer.session.is_some() {
            add(&self.logins);
        } else if answer.nonce.is_none() {
            add(&self.refused);
        }
    }

    /// A login in words was answered so.
    pub(super) fn login_in_words(&self, entered: bool) {
        add(if entered { &self.logins } else { &self.refused });
    }

    /// A message of a client came.
    pub(super) fn post(&self) {
        add(&self.posts);
    }

    /// A client was woken.
    pub(super) fn woken(&self) {
        add(&self.woken);
    }

    /// A gateway has refused a short message for good.
    pub(super) fn short_message_refused(&self) {
        add(&self.short_messages_refused);
    }

    /// A connection by which clients are woken has come.
    pub(super) fn channel_opened(&self) {
        self.channels.fetch_add(1, Ordering::Relaxed);
    }

    /// It has gone.
    pub(super) fn channel_closed(&self) {
        self.channels.fetch_sub(1, Ordering::Relaxed);
    }

    /// All of it.
    pub(super) fn count(&self, sessions: usize) -> ClientCount {
        let so_far = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ClientCount {
            sessions,
            channels: self.channels.load(Ordering::Relaxed),
            logins: so_far(&self.logins),
            refused: so_far(&self.refused),
            posts: so_far(&self.posts),
            woken: so_far(&self.woken),
            short_messages_refused: so_far(&self.short_messages_refused),
        }
    }
}
