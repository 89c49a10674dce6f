//! What was said in a group before, for those who are in it and ask (wire profile, 11.9): a list of
//! the messages that the group keeps, and each of them.

use crate::element::Time;
use crate::imps::common::{MessageInfo, Recipient, User};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::primitive::message_store::{GetMessageListResponse, GetMessageResponse};
use crate::imps::status::{Code, Status};
use crate::imps::{Address, Primitive};

use super::core::Core;
use super::{Asker, Group};

/// The group keeps no messages.
const NO_HISTORY: Code = Code(821);
/// It keeps no such message.
const NO_MESSAGE: Code = Code(426);

/// The messages that a group keeps.
pub(super) struct History<'a> {
    group: &'a Group,
    core: &'a mut Core,
    now: Time,
}

impl<'a> History<'a> {
    /// Of this group, at this time.
    pub(super) fn of(group: &'a Group, core: &'a mut Core, now: Time) -> Self {
        Self { group, core, now }
    }

    /// The last `count` messages, the oldest first; all of them without a count.
    pub(super) fn list(&mut self, asker: &Asker, count: Option<u32>) {
        let listed = self.may_read(&asker.user).map(|()| {
            let kept: Vec<&SendMessageRequest> = self.messages().collect();
            let most = count.map_or(usize::MAX, |count| count as usize);
            let from = kept.len().saturating_sub(most);
            let infos = kept[from..].iter().map(|kept| to(&kept.info, &asker.user));
            (u32::try_from(kept.len()).ok(), infos.collect())
        });
        let response = match listed {
            Ok((total, messages)) => GetMessageListResponse {
                total,
                status: Status::ok(),
                messages,
            },
            Err(code) => GetMessageListResponse {
                total: None,
                status: Status::new(code),
                messages: Vec::new(),
            },
        };
        self.core.respond(asker.id, response);
    }

    /// One message, by the id that the group gave it.
    pub(super) fn get(&mut self, asker: &Asker, id: &str) {
        let found = self.may_read(&asker.user).and_then(|()| {
            let mut messages = self.messages();
            let named = |kept: &&SendMessageRequest| kept.info.message_id.as_deref() == Some(id);
            messages.find(named).ok_or(NO_MESSAGE)
        });
        let answer: Primitive = match found {
            Ok(kept) => GetMessageResponse {
                status: Status::ok(),
                info: Some(to(&kept.info, &asker.user)),
                content: kept.content.clone(),
            }
            .into(),
            Err(code) => Status::new(code).into(),
        };
        self.core.respond(asker.id, answer);
    }

    /// Who is in the group may, if it keeps messages.
    fn may_read(&self, user: &Address) -> Result<(), Code> {
        if !self.group.is_joined(user) {
            Err(Code::NOT_JOINED)
        } else if !self.group.sheet.properties.history {
            Err(NO_HISTORY)
        } else {
            Ok(())
        }
    }

    fn messages(&self) -> impl Iterator<Item = &'a SendMessageRequest> + use<'a> {
        let kept = self.group.posts.history(self.now);
        kept.filter_map(|(kept, _)| match kept.primitive() {
            Primitive::SendMessageRequest(message) => Some(&**message),
            _ => None,
        })
    }
}

/// As it is told to who asks.
fn to(info: &MessageInfo, user: &Address) -> MessageInfo {
    MessageInfo {
        recipients: vec![Recipient::User(User::new(user.clone()))],
        ..info.clone()
    }
}
