//! Invitations: made, answered, taken back.

use crate::csp;
use crate::csp::Version;
use crate::csp::primitive::invitation as client;
use crate::imps::common::{
    ApplicationId, AttributeList, ContentId, GroupId, Party, Recipient, ScreenName, Sender, User,
};
use crate::imps::presence::PresenceSubList;
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};
use crate::imps::status::{Code, Status};
use crate::imps::{Address, Primitive};

use super::answers::combined;
use super::presence::sayable;
use super::terms::Terms;

/// Who may be invited by one request. Our choice.
const MAX_INVITED: usize = 20;

/// An invitation to each of the recipients, under the one id.
pub(super) fn invite(
    request: &client::InviteRequest,
    terms: &Terms,
) -> Result<Vec<Primitive>, Status> {
    let invited = parties(request.recipients.as_deref(), terms)?;
    let one = |invited: Party| {
        Primitive::from(InviteRequest {
            invite_id: request.id.clone(),
            invite_type: request.kind.trim().to_ascii_uppercase(),
            validity: request.validity.unwrap_or_default(),
            meta: terms.meta(),
            inviting: Some(own(terms)),
            invited: Some(invited),
            group: group(request.group.as_ref(), terms),
            application: application(request.application.as_ref()),
            attributes: attributes(request.attributes.as_ref()),
            contents: contents(request.urls.as_deref()),
            note: request.note.clone(),
            screen_name: name(request.screen_name.as_ref(), terms),
        })
    };
    Ok(invited.into_iter().map(one).collect())
}

/// An invitation that is taken back. From 1.2 on it need not be said of whom.
pub(super) fn cancel(
    request: &client::CancelInviteRequest,
    terms: &Terms,
) -> Result<Vec<Primitive>, Status> {
    let canceled = match request.recipients.as_deref() {
        None | Some([]) => vec![None],
        some => parties(some, terms)?.into_iter().map(Some).collect(),
    };
    let one = |canceled: Option<Party>| {
        Primitive::from(CancelInviteRequest {
            invite_id: request.id.clone(),
            meta: terms.meta(),
            canceling: Some(own(terms)),
            canceled,
            group: group(request.group.as_ref(), terms),
            application: application(request.application.as_ref()),
            attributes: attributes(request.attributes.as_ref()),
            contents: contents(request.urls.as_deref()),
            note: request.note.clone(),
            screen_name: name(request.screen_name.as_ref(), terms),
        })
    };
    Ok(canceled.into_iter().map(one).collect())
}

/// What became of invitations to several.
pub(super) fn all_done(recipients: Option<&[Recipient]>, answers: &[Primitive]) -> csp::Primitive {
    let about = recipients.unwrap_or_default().iter();
    let about = about.map(Recipient::address);
    csp::Primitive::status(combined(about, answers))
}

/// The user's answer. The home domain knows who has invited, where the client does not say it.
pub(super) fn respond(request: &client::InviteUserResponse, terms: &Terms) -> Primitive {
    InviteResponse {
        invite_id: request.id.clone(),
        acceptance: request.acceptance,
        meta: terms.meta(),
        status: None,
        inviting: request.sender.as_ref().and_then(|one| party(one, terms)),
        responding: Some(own(terms)),
        note: request.note.clone(),
        screen_name: name(request.screen_name.as_ref(), terms),
    }
    .into()
}

/// The user is invited; nothing if the version has no such invitations.
pub(super) fn invited(request: &InviteRequest, terms: &Terms) -> Option<csp::Primitive> {
    let kind = kind(&request.invite_type, terms.version)?;
    Some(csp::Primitive::InviteUserRequest(Box::new(
        client::InviteUserRequest {
            id: request.invite_id.clone(),
            kind: kind.to_owned(),
            sender: Some(sender(request.inviting.as_ref(), terms)),
            recipients: Some(user(terms)),
            application: request
                .application
                .as_ref()
                .map(|one| one.application.clone()),
            group: request.group.as_ref().map(|id| id.group.clone()),
            attributes: told_attributes(request.attributes.as_ref(), terms),
            urls: urls(request.contents.as_deref()),
            note: request.note.clone(),
            screen_name: request.screen_name.clone(),
            validity: Some(request.validity).filter(|seconds| *seconds > 0),
        },
    )))
}

/// What became of an invitation of the user's.
pub(super) fn answered(response: &InviteResponse, terms: &Terms) -> csp::Primitive {
    csp::Primitive::InviteResponse(Box::new(client::InviteResponse {
        id: response.invite_id.clone(),
        acceptance: response.acceptance,
        sender: Some(sender(response.responding.as_ref(), terms)),
        recipients: Some(user(terms)),
        note: response.note.clone(),
        screen_name: response.screen_name.clone(),
    }))
}

/// An invitation of the user is taken back.
pub(super) fn canceled(request: &CancelInviteRequest, terms: &Terms) -> csp::Primitive {
    csp::Primitive::CancelInviteUserRequest(Box::new(client::CancelInviteUserRequest {
        id: request.invite_id.clone(),
        sender: Some(sender(request.canceling.as_ref(), terms)),
        recipients: Some(user(terms)),
        note: request.note.clone(),
        application: request
            .application
            .as_ref()
            .map(|one| one.application.clone()),
        group: request.group.as_ref().map(|id| id.group.clone()),
        attributes: told_attributes(request.attributes.as_ref(), terms),
        urls: urls(request.contents.as_deref()),
        screen_name: request.screen_name.clone(),
    }))
}

/// The type of an invitation by the name that the version has for it, or for the nearest.
fn kind(of: &str, version: Version) -> Option<&'static str> {
    Some(match (of.trim().to_ascii_uppercase().as_str(), version) {
        ("PR", _) => "PR",
        ("SC", _) => "SC",
        ("GM", Version::V1_2 | Version::V1_3) => "GM",
        ("EC", Version::V1_3) => "EC",
        ("EG", Version::V1_3) => "EG",
        ("AP", Version::V1_3) => "AP",
        ("GR" | "GM" | "EG", _) => "GR",
        ("IM" | "EC", _) => "IM",
        _ => return None,
    })
}

/// Who is invited. A contact list cannot be: it is no party.
fn parties(recipients: Option<&[Recipient]>, terms: &Terms) -> Result<Vec<Party>, Status> {
    let refused = |code, why: &str| Err(Status::new(code).because(why));
    let recipients = recipients.unwrap_or_default();
    if recipients.is_empty() || recipients.len() > MAX_INVITED {
        return refused(
            Code::BAD_PARAMETER,
            "An invitation is for somebody, and for at most 20.",
        );
    }
    let mut parties = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        parties.push(match recipient {
            Recipient::User(one) => Party::User(User::new(terms.address(&one.user))),
            Recipient::Group(id) => Party::Group(GroupId {
                group: terms.address(&id.group),
            }),
            Recipient::ScreenName(one) => Party::ScreenName(ScreenName {
                group: terms.address(&one.group),
                name: one.name.clone(),
            }),
            Recipient::ContactList(_) => {
                return refused(
                    Code::NOT_IMPLEMENTED,
                    "Contact lists cannot be invited, their members can.",
                );
            }
        });
    }
    Ok(parties)
}

fn own(terms: &Terms) -> Party {
    Party::User(User::new(terms.user.clone()))
}

fn user(terms: &Terms) -> Vec<Recipient> {
    vec![Recipient::User(User::new(terms.user.clone()))]
}

/// Who has invited, as a client says it.
fn party(sender: &Sender, terms: &Terms) -> Option<Party> {
    let user = sender.user.as_ref();
    let user = user.map(|one| Party::User(User::new(terms.address(&one.user))));
    let named = sender.screen_name.as_ref().map(|one| {
        Party::ScreenName(ScreenName {
            group: terms.address(&one.group),
            name: one.name.clone(),
        })
    });
    let group = sender.group.as_ref().map(|id| {
        Party::Group(GroupId {
            group: terms.address(&id.group),
        })
    });
    user.or(named).or(group)
}

/// A party as the client reads it; one that is not named is the domain.
fn sender(party: Option<&Party>, terms: &Terms) -> Sender {
    let domain = || User::new(Address::service(terms.user.domain()));
    let nobody = Sender {
        user: None,
        group: None,
        screen_name: None,
        display: None,
    };
    match party {
        Some(Party::User(user)) => Sender::user(user.clone()),
        Some(Party::Group(group)) => Sender {
            group: Some(group.clone()),
            ..nobody
        },
        Some(Party::ScreenName(name)) => Sender {
            screen_name: Some(name.clone()),
            ..nobody
        },
        None => Sender::user(domain()),
    }
}

fn group(group: Option<&Address>, terms: &Terms) -> Option<GroupId> {
    let group = group.map(|group| terms.address(group));
    group.map(|group| GroupId { group })
}

fn application(application: Option<&String>) -> Option<ApplicationId> {
    application
        .cloned()
        .map(|application| ApplicationId { application })
}

fn attributes(list: Option<&PresenceSubList>) -> Option<AttributeList> {
    super::presence::attributes(list)
}

fn told_attributes(list: Option<&AttributeList>, terms: &Terms) -> Option<PresenceSubList> {
    let presence = list?.presence.clone()?;
    Some(sayable(presence, terms))
}

fn contents(urls: Option<&[String]>) -> Option<Vec<ContentId>> {
    let urls = urls?.iter().cloned();
    Some(urls.map(|url| ContentId { url }).collect())
}

fn urls(contents: Option<&[ContentId]>) -> Option<Vec<String>> {
    let contents = contents.filter(|contents| !contents.is_empty())?;
    Some(contents.iter().map(|content| content.url.clone()).collect())
}

fn name(name: Option<&ScreenName>, terms: &Terms) -> Option<ScreenName> {
    name.map(|name| ScreenName {
        group: terms.address(&name.group),
        name: name.name.clone(),
    })
}
