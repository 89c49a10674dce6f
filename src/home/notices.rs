//! What a user is to be told of their own, as it is kept until a client has acknowledged it.

use crate::element::Time;
use crate::imps::Primitive;

use super::core::{Asker, Core, Timer};
use super::feed::{NOTICE, number};
use super::feeds::Feeds;
use super::held::Content;
use super::notice::Kept;
use super::records;
use super::user::User;

/// The notices of one user.
pub(super) struct Notices<'a> {
    user: &'a mut User,
    core: &'a mut Core,
    now: Time,
}

impl<'a> Notices<'a> {
    /// Of this user, at this time.
    pub(super) fn of(user: &'a mut User, core: &'a mut Core, now: Time) -> Self {
        Self { user, core, now }
    }

    /// Keeps a primitive until a client has acknowledged it. If there are too many, the oldest goes.
    /// As long as the client that asked for it is there, it alone is told.
    pub(super) fn keep(&mut self, primitive: Primitive, only: Option<Asker>) {
        let at = self.user.new_number(self.now);
        let until = self.now.plus(self.core.settings.offline_validity);
        let kept = Kept { until, primitive };
        self.core
            .act(records::put_notice(&self.user.name, at, &kept));
        self.core
            .timers
            .insert((until, Timer::Notice(self.user.name.clone(), at)));
        let notice = kept.notice(only);
        let mut clients = self.user.clients.iter();
        if clients.any(|(client, feed)| feed.is_for(*client, &notice)) {
            let content = Content::Notice(kept.primitive);
            self.user.hold(self.core, number(at, NOTICE), content);
        }
        self.user.insert_notice(self.core, at, notice);
        while self.has_too_many()
            && let Some((oldest, _)) = self.user.notices.first_key_value()
        {
            self.forget(*oldest);
        }
        Feeds::of(self.user, self.core, self.now).feed();
    }

    fn has_too_many(&self) -> bool {
        let settings = &self.core.settings;
        self.user.notices.len() > settings.max_notices
            || self.user.notice_bytes > settings.max_notice_bytes
            || self.core.notices > settings.max_all_notices
    }

    /// Forgets what is kept under a number.
    pub(super) fn forget(&mut self, at: u64) {
        let Some(notice) = self.user.notices.remove(&at) else {
            return;
        };
        self.user.notice_bytes -= notice.bytes;
        self.core.notices -= 1;
        let number = number(at, NOTICE);
        self.user.let_go(self.core, number);
        for feed in self.user.clients.values_mut() {
            feed.again.remove(&number);
        }
        self.core
            .timers
            .remove(&(notice.until, Timer::Notice(self.user.name.clone(), at)));
        self.core.act(records::delete_notice(&self.user.name, at));
    }
}
