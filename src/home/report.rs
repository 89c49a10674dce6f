//! Delivery reports: those on messages of our users, and those that our users' side sends (wire
//! profile, 9.3.2).

use crate::element::{Act, Time};
use crate::ssp::address::{Address, Kind};
use crate::ssp::common::{GroupId, MessageInfo, MetaInfo, Recipient, Sender, User as UserElement};
use crate::ssp::primitive::message::{DeliveryResult, DeliveryStatusReport};
use crate::ssp::status::Status;

use super::Home;
use super::client::Event;
use super::client::said;
use super::core::Core;
use super::inbox::Letter;
use super::sending::MAX_ID;
use super::user::User;

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
                user.notice(core, event.clone(), None, now);
            }
        }
    }
}

impl User {
    /// Reports to the sender, if he wants it; sender and recipient change places.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn report(
        &self,
        core: &mut Core,
        id: &str,
        sender: &Address,
        letter: &Letter,
        status: &Status,
        now: Time,
    ) {
        if !letter.report {
            return;
        }
        let recipient = if sender.kind() == Kind::Resource {
            Recipient::Group(GroupId {
                group: sender.clone(),
            })
        } else {
            Recipient::User(UserElement::new(sender.clone()))
        };
        let own = self.address(core);
        let report = DeliveryStatusReport {
            meta: Some(MetaInfo::of_user(core.domain(), own.clone())),
            result: DeliveryResult {
                status: status.clone(),
            },
            time: Some(core.skew.date(now)),
            info: MessageInfo {
                message_id: Some(id.to_owned()),
                uri: None,
                content_type: Some(letter.content_type.clone()),
                content_name: None,
                content_size: u64::try_from(letter.size.unwrap_or(letter.content.len())).ok(),
                validity: None,
                recipients: vec![recipient],
                recipient_display: None,
                sender: Some(Sender::user(UserElement::new(own))),
                date_time: letter.sent,
            },
        };
        // The sender's domain may be away for a while; the report is worth waiting as long as
        // the message was.
        let expires = now.plus_seconds(core.settings.offline_validity);
        let token = core.token();
        core.act(Act::Request {
            token,
            primitive: report.into(),
            expires,
        });
    }
}
