//! What a user is to be told of the messages he sent, when a client takes it: delivery reports,
//! and refusals. It waits on disk until one has acknowledged it.

use crate::element::Time;

use super::client::{ClientKey, Event};
use super::core::{Core, Timer};
use super::records;
use super::user::User;

/// An event that waits until a client has acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Notice {
    /// When it is dropped.
    pub(super) until: Time,
    /// The event, without number.
    pub(super) event: Event,
    /// The one client that is told, as long as it is there.
    #[serde(skip)]
    pub(super) only: Option<ClientKey>,
}

impl User {
    /// Keeps an event until a client has acknowledged it. If there are too many, the oldest goes.
    pub(super) fn notice(
        &mut self,
        core: &mut Core,
        event: Event,
        only: Option<ClientKey>,
        now: Time,
    ) {
        let number = self.new_number(now);
        let notice = Notice {
            until: now.plus_seconds(core.settings.offline_validity),
            event,
            only,
        };
        core.act(records::put_notice(&self.name, number, &notice));
        core.timers
            .insert((notice.until, Timer::Notice(self.name.clone(), number)));
        self.insert_notice(number, notice);
        let settings = &core.settings;
        let (most, most_bytes) = (settings.max_notices, settings.max_notice_bytes);
        while (self.notices.len() > most || self.notice_bytes > most_bytes)
            && let Some((oldest, _)) = self.notices.first_key_value()
        {
            self.drop_notice(*oldest, core);
        }
        self.feed(core, now);
    }

    /// Puts a kept event at its number.
    pub(super) fn insert_notice(&mut self, number: u64, notice: Notice) {
        self.notice_bytes += notice.event.bytes();
        self.notices.insert(number, notice);
    }

    /// Forgets a kept event and returns it.
    pub(super) fn drop_notice(&mut self, number: u64, core: &mut Core) -> Option<Event> {
        let notice = self.notices.remove(&number)?;
        self.notice_bytes -= notice.event.bytes();
        core.timers
            .remove(&(notice.until, Timer::Notice(self.name.clone(), number)));
        core.act(records::delete_notice(&self.name, number));
        Some(notice.event)
    }
}
