//! What is to be done at its time.

use std::time::Duration;

use crate::element::Time;

use super::Home;
use super::core::Timer;
use super::feeds::Feeds;
use super::invitation::Book;
use super::message::Arrivals;
use super::notices::Notices;
use super::presence::Presence;
use super::provider::Providers;
use super::watchers::Watchers;
use super::watching::Watching;

/// What cannot be done now is tried again after so long.
const LATER: Duration = Duration::from_secs(1);

/// What is due in a home domain.
pub(super) struct Due<'a> {
    home: &'a mut Home,
    now: Time,
}

impl<'a> Due<'a> {
    pub(super) fn of(home: &'a mut Home, now: Time) -> Self {
        Self { home, now }
    }

    /// Does everything whose time has come.
    pub(super) fn all(&mut self) {
        let Self { home, now } = self;
        let now = *now;
        for name in std::mem::take(&mut home.stale) {
            if let Some(user) = home.users.get_mut(&name)
                && user.account.online != user.is_online()
            {
                user.account.online = user.is_online();
                user.save(&mut home.core);
                Presence::of(user, &mut home.core, now).publish();
                Providers::of(user, &mut home.core, now).tell_presence();
                user.tell_profile(&mut home.core, now);
            }
        }
        while let Some((at, _)) = home.core.timers.first()
            && *at <= now
            && let Some((_, timer)) = home.core.timers.pop_first()
        {
            let (users, core) = (&mut home.users, &mut home.core);
            match timer {
                Timer::Arrival(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        Arrivals::of(user, core, now).expire_arrival(number);
                    }
                }
                Timer::Notice(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        Notices::of(user, core, now).forget(number);
                    }
                }
                Timer::Invitation(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        Book::of(user, core).remove(number);
                    }
                }
                Timer::Unshare(name, number) => {
                    if let Some(user) = users.get_mut(&name) {
                        Book::of(user, core).unshare(number);
                    }
                }
                Timer::Read(name) => {
                    if let Some(user) = users.get_mut(&name) {
                        Feeds::of(user, core, now).feed();
                    }
                }
                Timer::Watchers(name) => {
                    if let Some(user) = users.get_mut(&name) {
                        Watchers::of(user, core, now).expire_watchers();
                    } else if home.resting.is_busy() {
                        let later = now.plus(LATER);
                        core.timers.insert((later, Timer::Watchers(name)));
                    } else {
                        // Whoever wakes looks through their watchers.
                        home.resting.want(&name);
                    }
                }
                Timer::Retry(name, other) => {
                    if let Some(user) = users.get_mut(&name) {
                        Watching::of(user, core, now).retry_subscription(&other);
                    }
                }
                Timer::Away(domain) => home.is_away(&domain, now),
                Timer::Request(token) => home.answers(now).expire(token),
            }
        }
    }
}
