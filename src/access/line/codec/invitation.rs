//! Invitations: to talk, into groups, to see presence, to files.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use super::super::screen;
use super::family::{Command, Family, Heard, Meaning, failure, filled, verdict};
use super::memory::Memory;
use crate::imps::common::{ContentId, GroupId, MetaInfo, Party, ScreenName, User};
use crate::imps::primitive::group::JoinGroupRequest;
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};
use crate::imps::{Address, Primitive};

pub(super) const FAMILY: Family = Family {
    help: "\
/invite ADDRESS [GROUP] [NOTE]   invite somebody into a group (owner/name), or to talk
/offer ADDRESS [NOTE]   let somebody see your presence, and invite them to watch you
/share FILE ADDRESS [NOTE]   upload a file, and invite somebody, or tell a group, to fetch it
/accept ADDRESS [NOTE]  accept what somebody has invited you to; /decline says no
/withdraw ADDRESS [NOTE]   withdraw what you have invited somebody to; a file is deleted",
    understand,
    hear,
};

/// What the user was invited to, and has invited to.
pub(super) struct Invitations {
    /// By who invites, the newest of each.
    received: BTreeMap<Address, InviteRequest>,
    /// By who is invited, the newest of each.
    sent: BTreeMap<Address, InviteRequest>,
    /// How ids of this chat begin: those of one user differ.
    prefix: u64,
    number: u64,
}

impl Default for Invitations {
    fn default() -> Self {
        Self {
            received: BTreeMap::new(),
            sent: BTreeMap::new(),
            prefix: RandomState::new().hash_one(0),
            number: 0,
        }
    }
}

/// To what somebody is invited.
enum To {
    Talk,
    Group(Address),
    Presence,
    File(String),
}

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    let what: fn(&mut Memory, &str, Address, &str) -> Meaning = match command.name {
        "invite" | "offer" => invite,
        "accept" | "decline" => answer,
        "withdraw" => withdraw,
        "share" => return Some(share(memory, command)),
        _ => return None,
    };
    let (typed, rest) = command.split();
    if typed.is_empty() {
        return Some(command.needs_address());
    }
    let other = memory.requests.address(typed);
    Some(what(memory, command.name, other, rest))
}

fn invite(memory: &mut Memory, name: &str, invitee: Address, rest: &str) -> Meaning {
    let (first, others) = rest.split_once(' ').unwrap_or((rest, ""));
    let (to, note) = match name {
        "offer" => (To::Presence, rest),
        _ if first.contains('/') => (To::Group(memory.requests.address(first)), others.trim()),
        _ => (To::Talk, rest),
    };
    let mut requests = Vec::new();
    if matches!(to, To::Presence) {
        requests.push(memory.requests.authorize(invitee.clone(), true, None));
    }
    let own = memory.requests.user().clone();
    let request = memory.invitations.make(&own, &invitee, to, note);
    requests.push(request.into());
    Meaning::ask(requests, move |memory, answers| {
        if let Some(status) = failure(answers) {
            memory.invitations.sent.remove(&invitee);
            return screen::failed("invite", Some(&invitee), status);
        }
        screen::done("invite", Some(&invitee), &verdict(answers))
    })
}

fn answer(memory: &mut Memory, name: &str, inviter: Address, note: &str) -> Meaning {
    let Some(request) = memory.invitations.received.get(&inviter).cloned() else {
        let who = inviter.bare();
        return Meaning::Show(format!("{who} has invited you to nothing"));
    };
    let accepts = name == "accept";
    let own = memory.requests.user().clone();
    let meta = Some(MetaInfo::of_user(own.domain(), own.clone()));
    let response = InviteResponse {
        invite_id: request.invite_id.clone(),
        acceptance: accepts,
        meta: meta.clone(),
        status: None,
        inviting: request.inviting.clone(),
        responding: Some(Party::User(User::new(own))),
        note: filled(note),
        screen_name: None,
    };
    let mut requests = vec![response.into()];
    // What it was about follows at once.
    match (accepts, request.invite_type.as_str(), &request.group) {
        (true, "GR" | "GM" | "EG", Some(group)) => requests.push(join(meta, &group.group)),
        (true, "PR", _) => requests.push(memory.requests.subscribe(inviter.clone())),
        _ => {}
    }
    let what = if accepts { "accept" } else { "decline" };
    Meaning::ask(requests, move |memory, answers| match failure(answers) {
        Some(status) => screen::failed(what, Some(&inviter), status),
        None => {
            memory.invitations.received.remove(&inviter);
            let group = request.group.as_ref().filter(|_| accepts);
            match group {
                Some(group) => screen::done("join", Some(&group.group), &verdict(answers)),
                None => screen::done(what, Some(&inviter), &verdict(answers)),
            }
        }
    })
}

fn withdraw(memory: &mut Memory, _: &str, invitee: Address, note: &str) -> Meaning {
    let Some(request) = memory.invitations.sent.remove(&invitee) else {
        let who = invitee.bare();
        return Meaning::Show(format!("you have invited {who} to nothing in this chat"));
    };
    let request = CancelInviteRequest {
        invite_id: request.invite_id,
        meta: request.meta,
        canceling: request.inviting,
        canceled: request.invited,
        group: request.group,
        application: None,
        attributes: None,
        contents: request.contents,
        note: filled(note),
        screen_name: None,
    };
    Meaning::done("withdraw", Some(invitee), request.into())
}

fn share(memory: &mut Memory, command: &Command<'_>) -> Meaning {
    let (file, rest) = command.split();
    let (typed, note) = rest.split_once(' ').unwrap_or((rest, ""));
    if file.is_empty() || typed.is_empty() {
        return Meaning::Show("write /share FILE ADDRESS".to_owned());
    }
    Meaning::Share {
        file: file.to_owned(),
        to: memory.requests.address(typed),
        note: note.trim().to_owned(),
    }
}

/// Tells somebody where a file is that was uploaded for them.
pub(super) fn uploaded(memory: &mut Memory, to: Address, url: String, note: &str) -> Meaning {
    if to.resource_part().is_some() {
        let text = if note.is_empty() {
            url
        } else {
            format!("{note}: {url}")
        };
        let request = memory.requests.message(to.clone(), &text, false, None);
        return Meaning::ask(vec![request], move |_, answers| {
            screen::sent(&to, &verdict(answers))
        });
    }
    let own = memory.requests.user().clone();
    let file = To::File(url);
    let request = memory.invitations.make(&own, &to, file, note);
    Meaning::done("share", Some(to), request.into())
}

impl Invitations {
    /// A new invitation of a user.
    fn make(&mut self, own: &Address, invitee: &Address, to: To, note: &str) -> InviteRequest {
        self.number += 1;
        let (kind, group, contents) = match to {
            To::Talk => ("IM", None, None),
            To::Presence => ("PR", None, None),
            To::Group(group) => ("GR", Some(GroupId { group }), None),
            To::File(url) => ("SC", None, Some(vec![ContentId { url }])),
        };
        let request = InviteRequest {
            invite_id: format!("{:x}-{}", self.prefix, self.number),
            invite_type: kind.to_owned(),
            validity: 0,
            meta: Some(MetaInfo::of_user(own.domain(), own.clone())),
            inviting: Some(Party::User(User::new(own.clone()))),
            invited: Some(Party::User(User::new(invitee.clone()))),
            group,
            application: None,
            attributes: None,
            contents,
            note: filled(note),
            screen_name: None,
        };
        self.sent.insert(invitee.clone(), request.clone());
        request
    }
}

fn join(meta: Option<MetaInfo>, group: &Address) -> Primitive {
    JoinGroupRequest {
        group: group.clone(),
        joined_list: false,
        subscribe: true,
        meta,
        screen_name: None::<ScreenName>,
        own: None,
    }
    .into()
}

fn hear(memory: &mut Memory, primitive: &Primitive) -> Option<Heard> {
    let invitations = &mut memory.invitations;
    match primitive {
        Primitive::InviteRequest(request) => {
            let inviter = request.inviting.as_ref().map(Party::address)?;
            let request = InviteRequest::clone(request);
            invitations
                .received
                .insert(inviter.clone(), request.clone());
            Some(Some(screen::invited(inviter, &request)))
        }
        Primitive::InviteResponse(response) => {
            let responder = response.responding.as_ref().map(Party::address)?;
            let sent = invitations.sent.get(responder);
            let sent = sent.filter(|sent| sent.invite_id == response.invite_id);
            Some(Some(screen::invitation_answered(responder, sent, response)))
        }
        Primitive::CancelInviteRequest(request) => {
            let inviter = request.canceling.as_ref().map(Party::address)?;
            let is_it = |known: &InviteRequest| known.invite_id == request.invite_id;
            if invitations.received.get(inviter).is_some_and(is_it) {
                invitations.received.remove(inviter);
            }
            Some(Some(screen::withdrawn(inviter, request)))
        }
        _ => None,
    }
}
