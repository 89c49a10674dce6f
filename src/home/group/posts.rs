//! The messages that a group has taken: each is remembered for a while, so that one that comes
//! again is recognised, and the last ones are kept whole for those who join, where the group's
//! properties say so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::element::Time;
use crate::imps::Primitive;
use crate::imps::address::Address;
use crate::imps::primitive::message::SendMessageRequest;

/// A message that was taken; one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Post {
    /// As its sender calls it.
    pub(super) id: String,
    pub(super) sender: Address,
    /// As the group calls it, where that is another id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) named: Option<String>,
    /// When its validity is over.
    pub(super) until: Time,
    /// The message as the group has handed it on, without recipients, while it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<Kept>,
}

/// A primitive in a record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept(#[serde(with = "crate::element::xml")] Box<Primitive>);

/// What a group remembers of its messages.
#[derive(Debug, Default)]
pub(super) struct Posts {
    all: BTreeMap<u64, Post>,
    /// By sender and the sender's id.
    known: HashMap<(Address, String), u64>,
    /// By the group's id.
    named: HashMap<String, u64>,
    /// Those that are kept whole, and their bytes.
    whole: BTreeSet<u64>,
    bytes: usize,
}

/// What is to be written because of a bound.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trimmed {
    /// The message of this number has become too old, or one too many.
    Forgotten(u64),
    /// It is remembered, and no longer kept whole.
    Cut(u64),
}

impl Kept {
    pub(super) fn new(message: SendMessageRequest) -> Self {
        Self(Box::new(message.into()))
    }

    pub(super) fn primitive(&self) -> &Primitive {
        &self.0
    }

    fn bytes(&self) -> usize {
        match &*self.0 {
            Primitive::SendMessageRequest(message) => {
                let content = message.content.as_ref();
                content.map_or(0, |content| content.bytes.len()) + 512
            }
            _ => 512,
        }
    }
}

impl Posts {
    /// Whether a message has been taken before.
    pub(super) fn knows(&self, sender: &Address, id: &str) -> bool {
        self.known.contains_key(&(sender.clone(), id.to_owned()))
    }

    /// Whether the group has called a message so.
    pub(super) fn has_named(&self, id: &str) -> bool {
        self.named.contains_key(id)
    }

    pub(super) fn insert(&mut self, number: u64, post: Post) {
        let known = (post.sender.clone(), post.id.clone());
        self.known.insert(known, number);
        let named = post.named.as_ref().unwrap_or(&post.id);
        self.named.insert(named.clone(), number);
        if let Some(kept) = &post.kept {
            self.whole.insert(number);
            self.bytes += kept.bytes();
        }
        self.all.insert(number, post);
    }

    pub(super) fn get(&self, number: u64) -> Option<&Post> {
        self.all.get(&number)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.all.keys().copied()
    }

    /// The messages that are kept whole and valid, in order, with their ends.
    pub(super) fn history(&self, now: Time) -> impl Iterator<Item = (&Kept, Time)> {
        let whole = self.whole.iter().filter_map(|number| self.all.get(number));
        whole
            .filter(move |post| post.until > now)
            .filter_map(|post| Some((post.kept.as_ref()?, post.until)))
    }

    /// What goes, because there is more than may be.
    pub(super) fn trim(
        &mut self,
        most: usize,
        (most_whole, most_bytes): (usize, usize),
        now: Time,
    ) -> Vec<Trimmed> {
        let mut trimmed = Vec::new();
        while let Some(first) = self.all.first_entry()
            && (first.get().until <= now || self.all.len() > most)
            && let Some((number, post)) = self.all.pop_first()
        {
            self.cut(number, &post);
            let known = (post.sender, post.id.clone());
            if self.known.get(&known) == Some(&number) {
                self.known.remove(&known);
            }
            let named = post.named.unwrap_or(post.id);
            if self.named.get(&named) == Some(&number) {
                self.named.remove(&named);
            }
            trimmed.push(Trimmed::Forgotten(number));
        }
        while (self.whole.len() > most_whole || self.bytes > most_bytes)
            && let Some(number) = self.whole.first().copied()
            && let Some(mut post) = self.all.get(&number).cloned()
        {
            self.cut(number, &post);
            post.kept = None;
            self.all.insert(number, post);
            trimmed.push(Trimmed::Cut(number));
        }
        trimmed
    }

    fn cut(&mut self, number: u64, post: &Post) {
        if self.whole.remove(&number) {
            self.bytes -= post.kept.as_ref().map_or(0, Kept::bytes);
        }
    }
}
