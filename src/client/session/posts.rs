//! The messages of a client that are under way, and the answers to the last ones.

use std::collections::BTreeMap;

use super::answered::Answered;
use super::post::Post;
use crate::csp::{Primitive, Transaction};

/// Messages of one client under way at most; our choice.
const MAX: usize = 8;

/// All of one client, by the number of the first post that brought each.
#[derive(Debug, Default)]
pub(super) struct Posts {
    under_way: BTreeMap<u64, Post>,
    answered: Answered,
}

/// What a message is that has come.
#[derive(Debug)]
pub(super) enum Came {
    /// One that is under way; it waits for the same answer.
    Again,
    /// One that was answered with this.
    Answered(Post, Vec<Transaction>),
    /// Too many are under way.
    TooMany(Post),
    /// A new one.
    New,
}

impl Posts {
    /// A message has come; a new one is under way now.
    pub(super) fn come(&mut self, number: u64, post: Post) -> Came {
        if let Some(mark) = post.mark {
            let same = self.under_way.values_mut().find(|p| p.mark == Some(mark));
            if let Some(same) = same
                && same.posts.len() < MAX
            {
                same.posts.extend(post.posts);
                return Came::Again;
            }
            if let Some(replies) = self.answered.find(mark) {
                return Came::Answered(post, replies.to_vec());
            }
        }
        if self.under_way.len() >= MAX {
            return Came::TooMany(post);
        }
        self.under_way.insert(number, post);
        Came::New
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Post> {
        self.under_way.get_mut(&number)
    }

    /// Puts an answer in its place.
    pub(super) fn reply(&mut self, of: (u64, usize), id: Option<String>, answer: Primitive) {
        let post = self.under_way.get_mut(&of.0);
        if let Some(slot) = post.and_then(|post| post.replies.get_mut(of.1)) {
            *slot = Some(Transaction::answer(id, answer));
        }
    }

    /// Takes a message out of which everything is answered.
    pub(super) fn take_complete(&mut self, number: u64) -> Option<Post> {
        let post = self.under_way.get(&number)?;
        if !post.is_complete() {
            return None;
        }
        self.under_way.remove(&number)
    }

    /// Takes out one of those that are under way.
    pub(super) fn take_any(&mut self) -> Option<Post> {
        self.under_way.pop_first().map(|(_, post)| post)
    }

    /// Notes what a message was answered.
    pub(super) fn note(&mut self, post: Post, bytes: usize) {
        if let Some(mark) = post.mark {
            let replies = post.replies.into_iter().flatten().collect();
            self.answered.note(mark, replies, bytes);
        }
    }
}
