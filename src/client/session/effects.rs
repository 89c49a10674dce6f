//! What a session wants done outside, in order.

use std::collections::VecDeque;

use bytes::Bytes;

use super::effect::Effect;
use super::record::Record;
use crate::client::meaning::Terms;
use crate::element::FromClient;

/// All that is still to be done.
#[derive(Debug, Default)]
pub(super) struct Effects(VecDeque<Effect>);

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.0.push_back(effect);
    }

    /// The next one. When there is none, the room of all is given back: a session does nothing most
    /// of the time.
    pub(super) fn next(&mut self) -> Option<Effect> {
        let next = self.0.pop_front();
        if next.is_none() {
            self.0 = VecDeque::new();
        }
        next
    }

    /// The user's domain is told something.
    pub(super) fn say(&mut self, said: FromClient) {
        self.push(Effect::Say(said));
    }

    /// The client has what came under this number, if it has one.
    pub(super) fn acknowledge(&mut self, number: impl Into<Option<u64>>) {
        if let Some(number) = number.into() {
            self.say(FromClient::Ack { number });
        }
    }

    /// What the client is goes to the profile of its user.
    pub(super) fn describe(&mut self, record: &Record, terms: &Terms) {
        let terminal = Box::new(record.terminal(terms));
        self.say(FromClient::Describe { terminal });
    }

    /// Messages come in another way from now on.
    pub(super) fn reopen(&mut self, terms: &Terms) {
        self.push(Effect::Reopen(terms.delivery()));
    }

    /// These posts are answered.
    pub(super) fn answer(&mut self, posts: Vec<u64>, body: Option<Bytes>) {
        self.push(Effect::Answer { posts, body });
    }

    /// The record is kept as it is now.
    pub(super) fn keep(&mut self, record: &Record) {
        self.push(Effect::Keep(Box::new(record.clone())));
    }

    /// The client is told to come.
    pub(super) fn wake(&mut self, record: &Record, terms: &Terms) {
        let cookie = record.cookie.as_deref().unwrap_or_default();
        self.push(Effect::Wake(format!("WVCI {} {cookie}", terms.version)));
    }
}
