//! Delivery reports: those on messages of our users, and those that our users' side sends (wire
//! profile, 9.3.2).

use crate::element::Time;
use crate::imps::common::{GroupId, MessageInfo, MetaInfo, Recipient, Sender, User};
use crate::imps::primitive::message::{DeliveryResult, DeliveryStatusReport};

use super::Home;
use super::notice::said;
use super::notices::Notices;
use super::sending::MAX_ID;

impl Home {
    /// A report on a message of a user of ours. Each of several recipients gets their own.
    pub(super) fn take_report(&mut self, report: &DeliveryStatusReport, now: Time) {
        let Self { users, core, .. } = self;
        let info = &report.info;
        // A message of ours has no longer id.
        let Some(id) = info.message_id.as_ref().filter(|id| id.len() <= MAX_ID) else {
            return;
        };
        for recipient in &info.recipients {
            let address = core.at_home(recipient.address());
            if let Ok(name) = core.local_name(&address)
                && let Some(user) = users.get_mut(name)
                && !user.builtin
            {
                let own = DeliveryStatusReport {
                    meta: Some(MetaInfo::of_server(core.domain())),
                    result: DeliveryResult {
                        status: said(&report.result.status),
                    },
                    time: report.time,
                    info: MessageInfo {
                        message_id: Some(id.clone()),
                        uri: None,
                        content_type: None,
                        content_name: None,
                        content_size: info.content_size,
                        validity: None,
                        recipients: vec![Recipient::User(User::new(address.clone()))],
                        recipient_display: None,
                        sender: info.sender.as_ref().map(named),
                        date_time: info.date_time,
                    },
                };
                Notices::of(user, core, now).keep(own.into(), None);
            }
        }
    }
}

/// A sender by address alone.
fn named(sender: &Sender) -> Sender {
    let group = |group: &GroupId| GroupId {
        group: group.group.clone(),
    };
    Sender {
        user: sender
            .user
            .as_ref()
            .map(|user| User::new(user.user.clone())),
        group: sender.group.as_ref().map(group),
        screen_name: None,
        display: None,
    }
}
