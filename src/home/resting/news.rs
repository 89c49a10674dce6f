//! That the way to some domains is back, as those at rest hear it: one after the other, so that
//! neither the store nor the domains get all of them at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::element::Time;

use crate::home::sleepers::Sleepers;

/// Users woken at a time; our choice.
const AT_ONCE: usize = 64;
/// Users looked at for that; our choice, a millisecond or less.
const SLICE: usize = 10_000;
/// From one of these to the next; our choice.
const PAUSE: Duration = Duration::from_millis(50);
/// Pieces of news told one after the other; more of them are told together. Our choice.
const MAX: usize = 16;

/// Users who are being woken for it, at most; our choice.
const MAX_WOKEN: usize = 256;

/// News for those at rest, on their way to one after the other.
#[derive(Debug, Default)]
pub(super) struct News {
    waiting: VecDeque<One>,
    /// What those are to hear who are being woken for it.
    woken: BTreeMap<String, Vec<String>>,
    next: Option<Time>,
}

/// The way to some domains is back.
#[derive(Debug)]
struct One {
    domains: Vec<String>,
    /// All up to this one have heard it, or are being woken for it.
    told: Option<String>,
}

impl News {
    /// The way to these domains is back.
    pub(super) fn add(&mut self, mut domains: Vec<String>, now: Time) {
        if self.waiting.len() >= MAX {
            // Who has heard of some of it hears that again.
            let before = self.waiting.drain(..).flat_map(|one| one.domains);
            domains.extend(before);
        }
        domains.sort();
        domains.dedup();
        let told = None;
        self.waiting.push_back(One { domains, told });
        self.next = self.next.or(Some(now));
    }

    /// When the next of them is told.
    pub(super) fn next(&self) -> Option<Time> {
        self.next
    }

    /// Those who are to be woken next.
    pub(super) fn go_on(&mut self, sleepers: &Sleepers, now: Time) -> Vec<String> {
        if self.next.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let Some(one) = self.waiting.front_mut() else {
            self.next = None;
            return Vec::new();
        };
        self.next = Some(now.plus(PAUSE));
        if self.woken.len() >= MAX_WOKEN {
            return Vec::new();
        }
        let (mut names, mut last) = (Vec::new(), None);
        for (name, sleeper) in sleepers.behind(one.told.as_deref()).take(SLICE) {
            last = Some(name.to_owned());
            if sleeper.is_concerned(&one.domains) {
                self.woken.insert(name.to_owned(), one.domains.clone());
                names.push(name.to_owned());
                if names.len() >= AT_ONCE {
                    break;
                }
            }
        }
        match last {
            Some(last) => one.told = Some(last),
            None => {
                self.waiting.pop_front();
            }
        }
        names
    }

    /// To which domains the way is back without somebody who wakes having heard it.
    pub(super) fn of(&mut self, name: &str) -> Vec<String> {
        let mut domains = self.woken.remove(name).unwrap_or_default();
        let news = self.waiting.iter();
        let news = news.filter(|one| one.told.as_deref().is_none_or(|told| told < name));
        domains.extend(news.flat_map(|one| one.domains.iter().cloned()));
        domains
    }

    /// Somebody could not be woken.
    pub(super) fn give_up(&mut self, name: &str) {
        self.woken.remove(name);
    }
}
