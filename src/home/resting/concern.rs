//! Which users of ours an input concerns: whose state is read or changed when it is served.

use crate::element::{Delivered, FromClient, Input};
use crate::home::client::ClientKey;
use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::common::{Party, Recipient, UserId};
use crate::imps::primitive::common::Id;

/// The names of the users of ours that an input concerns, some of them perhaps twice. An input of a
/// client whose session is open concerns somebody who is awake.
pub(super) fn of(input: &Input, domain: &str) -> Vec<String> {
    match input {
        Input::Client(_, FromClient::Open { user, .. }) => vec![user.to_lowercase()],
        Input::Deliver(delivered) => {
            let mut names = Vec::new();
            each(delivered, &mut |address| {
                let ours = address.domain().is_empty() || address.domain() == domain;
                if ours && address.kind() == Kind::User {
                    names.push(address.local().to_owned());
                }
            });
            names
        }
        _ => Vec::new(),
    }
}

/// The client whose input it is.
pub(super) fn client(input: &Input) -> Option<ClientKey> {
    match input {
        Input::Client(client, _) => Some(*client),
        _ => None,
    }
}

/// The users that a request is for. Groups know nothing of users; whether somebody exists is known
/// without waking them; and what tells only of now is for those who have a client.
fn each(delivered: &Delivered, tell: &mut dyn FnMut(&Address)) {
    let mut all = |users: &[UserId]| users.iter().for_each(|id| tell(&id.user));
    match &delivered.primitive {
        Primitive::SendMessageRequest(request) => recipients(&request.info.recipients, tell),
        Primitive::DeliveryStatusReport(report) => recipients(&report.info.recipients, tell),
        Primitive::NewMessage(message) => recipients(&message.info.recipients, tell),
        Primitive::MessageNotification(notice) => recipients(&notice.info.recipients, tell),
        Primitive::SubscribeRequest(request) => all(&request.users),
        Primitive::UnsubscribeRequest(request) => all(&request.users),
        Primitive::GetPresenceRequest(request) => {
            request.users.iter().for_each(|id| tell(&id.user));
        }
        Primitive::PresenceNotification(notice) => {
            let watchers = notice.watchers.iter();
            watchers.for_each(|watcher| tell(&watcher.user));
        }
        Primitive::InviteRequest(request) => party(request.invited.as_ref(), tell),
        Primitive::CancelInviteRequest(request) => party(request.canceled.as_ref(), tell),
        Primitive::InviteResponse(response) => party(response.inviting.as_ref(), tell),
        Primitive::GetUserProfileRequest(request) => tell(&request.user),
        Primitive::UpdateUserProfileRequest(request) => tell(&request.user),
        Primitive::PresenceAuthRequest(request) => tell(&request.publisher.user),
        Primitive::GroupChangeNotice(_) | Primitive::LeaveGroupIndication(_) => {}
        Primitive::VerifyIDRequest(request) => {
            let mut lists = request.ids.ids.iter();
            let lists = lists.any(|id| matches!(id, Id::ContactList(_)));
            delivered.user.iter().filter(|_| lists).for_each(tell);
        }
        _ => delivered.user.iter().for_each(tell),
    }
}

fn recipients(all: &[Recipient], tell: &mut dyn FnMut(&Address)) {
    for recipient in all {
        if let Recipient::User(user) = recipient {
            tell(&user.user);
        }
    }
}

fn party(party: Option<&Party>, tell: &mut dyn FnMut(&Address)) {
    if let Some(party) = party {
        tell(party.address());
    }
}
