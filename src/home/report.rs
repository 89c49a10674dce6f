//! Delivery reports: those on messages of our users, and those that our users' side sends (wire
//! profile, 9.3.2).

use super::feed::Feeds;
use crate::element::Time;
use crate::imps::primitive::message::DeliveryStatusReport;

use super::Home;
use super::client::Event;
use super::client::said;
use super::sending::MAX_ID;

impl Home {
    /// A report on a message of a user of ours.
    pub(super) fn take_report(&mut self, report: &DeliveryStatusReport, now: Time) {
        let Self { users, core, .. } = self;
        let info = &report.info;
        // A message of ours has no longer id.
        let Some(id) = info.message_id.as_ref().filter(|id| id.len() <= MAX_ID) else {
            return;
        };
        let status = &report.result.status;
        let event = Event::Report {
            number: None,
            id: id.clone(),
            status: status.code.0,
            description: status.words().map(said),
            to: info
                .sender
                .as_ref()
                .and_then(|sender| sender.user.as_ref())
                .map(|user| user.user.clone()),
        };
        for recipient in &info.recipients {
            let address = core.at_home(recipient.address());
            if let Ok(name) = core.local_name(&address)
                && let Some(user) = users.get_mut(name)
                && !user.builtin
            {
                Feeds::of(user, core, now).notice(event.clone(), None);
            }
        }
    }
}
