//! What an invitation must have, whoever sends it.

use crate::imps::Primitive;
use crate::imps::address::{Address, Kind};
use crate::imps::primitive::invitation::InviteRequest;
use crate::imps::status::{Code, Status};
use crate::imps::xml::Texts;
use crate::text::cut;

use super::super::profile;
use super::super::sending::MAX_ID;

/// A group is missing, or its address is none.
const NO_GROUP_ID: Code = Code(429);
/// The application is missing.
const NO_APPLICATION: Code = Code(450);
/// Bytes of an invitation as XML; our choice.
const MAX_BYTES: usize = 16 * 1024;
/// Bytes of a note that is passed on to a user of ours; our choice.
const MAX_NOTE: usize = 2 * 1024;

/// Whether an invitation has all that its type needs, and no more than is taken.
///
/// # Errors
/// The answer to who invites.
pub(super) fn check(request: &InviteRequest) -> Result<(), Status> {
    let refused = |code: Code, why: &str| Err(Status::new(code).because(why));
    let id = request.invite_id.trim();
    if id.is_empty() || id.len() > MAX_ID {
        return refused(
            Code::BAD_PARAMETER,
            "The id of an invitation has 1 to 128 bytes.",
        );
    }
    let group = request.group.as_ref().map(|id| &id.group);
    let is_group = |group: &Address| group.is_valid() && group.kind() == Kind::Resource;
    match kind(request).as_str() {
        "GR" | "GM" | "EG" if !group.is_some_and(is_group) => {
            return refused(NO_GROUP_ID, "The invitation names no group.");
        }
        "SC" if !has_contents(request) => {
            return refused(Code::BAD_REQUEST, "The invitation names no content.");
        }
        "AP" if request.application.is_none() => {
            return refused(NO_APPLICATION, "The invitation names no application.");
        }
        "GR" | "GM" | "EG" | "SC" | "AP" | "PR" | "IM" | "EC" => {}
        _ => return refused(Code::BAD_PARAMETER, "There is no such type of invitation."),
    }
    if bytes(request) > MAX_BYTES {
        return refused(Code::BAD_PARAMETER, "The invitation is too long.");
    }
    Ok(())
}

/// The type in capital letters.
pub(super) fn kind(request: &InviteRequest) -> String {
    request.invite_type.trim().to_ascii_uppercase()
}

/// Whether it is one into a group.
pub(super) fn is_into_group(request: &InviteRequest) -> bool {
    matches!(kind(request).as_str(), "GR" | "GM" | "EG")
}

/// The service that both must have for it.
pub(super) fn service(request: &InviteRequest) -> Option<&'static str> {
    match kind(request).as_str() {
        "GR" | "GM" | "EG" => Some(profile::GROUP),
        "PR" => Some(profile::PRESENCE),
        "IM" | "EC" => Some(profile::IM),
        "SC" => Some(profile::CONTENT),
        _ => None,
    }
}

/// Bytes of it as XML.
pub(super) fn bytes(request: &InviteRequest) -> usize {
    Primitive::from(request.clone()).to_xml(None).len()
}

/// Whether other domains read what a user of ours says with an invitation.
///
/// # Errors
/// The answer to the user.
pub(super) fn check_note(note: Option<&str>) -> Result<(), Status> {
    if note.is_some_and(|note| !Texts::STANDARD.has_room_for(note)) {
        return Err(Status::new(Code::BAD_PARAMETER).because("The note is too long."));
    }
    Ok(())
}

/// A note of others, as far as it is passed on.
pub(super) fn note(note: Option<String>) -> Option<String> {
    note.map(|note| cut(&note, MAX_NOTE).to_owned())
}

fn has_contents(request: &InviteRequest) -> bool {
    let mut contents = request.contents.iter().flatten();
    contents.next().is_some() && request.contents.iter().flatten().all(|c| !c.url.is_empty())
}
