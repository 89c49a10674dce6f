//! A primitive in a peer's dialect.

use super::requestor;
use crate::imps::{Code, Primitive, Status};
use crate::sap::body::Body;
use crate::sap::settings::Peer;
use crate::ssp::envelope::decode_fragment;

/// A request or notice of a user of `domain`: as [`raw`], with everything that
/// the peer cannot do without. `message_id` is written instead of a message's own.
///
/// # Errors
/// The status with which the request is refused instead.
pub(in crate::sap) fn request(
    peer: &Peer,
    primitive: Option<Primitive>,
    fragment: &[u8],
    domain: &str,
    message_id: Option<String>,
) -> Result<String, Status> {
    let refused = |why: String| Status::new(Code::BAD_REQUEST).because(why);
    if primitive.is_none() && peer.dialect.passes_raw(|| fragment) {
        return raw(peer, fragment).map_err(refused);
    }
    let mut primitive = match primitive {
        Some(primitive) => primitive,
        None => decode_fragment(fragment).map_err(|e| refused(e.to_string()))?,
    };
    if !peer.dialect.screen_name_senders {
        primitive = requestor::as_user(primitive, peer);
    }
    if peer.dialect.requestor_required {
        primitive = requestor::named(primitive, domain)?;
    }
    if let (Primitive::SendMessageRequest(message), Some(id)) = (&mut primitive, message_id) {
        message.info.message_id = Some(id);
    }
    Ok(typed(peer, primitive))
}

/// Bytes as they came, if the dialect takes them so; else written anew.
///
/// # Errors
/// The fragment cannot be decoded although the dialect needs it; the reason in words.
pub(in crate::sap) fn raw(peer: &Peer, fragment: &[u8]) -> Result<String, String> {
    if peer.dialect.passes_raw(|| fragment) {
        return std::str::from_utf8(fragment)
            .map(str::to_owned)
            .map_err(|e| e.to_string());
    }
    decode_fragment(fragment)
        .map(|primitive| typed(peer, primitive))
        .map_err(|e| e.to_string())
}

/// An answer in the peer's dialect; as it is, if it cannot be read.
pub(in crate::sap) fn answer(peer: &Peer, answer: &Body) -> String {
    let passes = peer.dialect.passes_raw(|| answer.xml().as_bytes());
    let read = (!passes).then(|| answer.primitive().ok());
    match read.flatten() {
        Some(primitive) => typed(peer, primitive.into_owned()),
        None => answer.xml().to_owned(),
    }
}

/// A typed primitive in the peer's dialect.
pub(in crate::sap) fn typed(peer: &Peer, mut primitive: Primitive) -> String {
    let dialect = &peer.dialect;
    if !dialect.client_ids {
        strip_clients(&mut primitive);
    }
    if !dialect.codes.is_empty()
        && let Some(status) = status_mut(&mut primitive)
    {
        replace_code(status, &dialect.codes);
    }
    if dialect.details_in_words
        && let Some(status) = status_mut(&mut primitive)
    {
        screen_names_in_words(status);
    }
    if let Primitive::GetPresenceResponse(response) = &mut primitive {
        // Without one the answer is thrown away (quirk D-3).
        response.status.get_or_insert_with(Status::ok);
    }
    dialect.print(&primitive)
}

/// Quirk E-6: no client in the `MetaInfo` of subscriptions and group primitives.
fn strip_clients(primitive: &mut Primitive) {
    let meta = match primitive {
        Primitive::SubscribeRequest(p) => &mut p.meta,
        Primitive::UnsubscribeRequest(p) => &mut p.meta,
        Primitive::JoinGroupRequest(p) => &mut p.meta,
        Primitive::LeaveGroupRequest(p) => &mut p.meta,
        Primitive::GetJoinedUsersRequest(p) => &mut p.meta,
        Primitive::SubscribeGroupChangeRequest(p) => &mut p.meta,
        Primitive::UnsubscribeGroupChangeRequest(p) => &mut p.meta,
        Primitive::GetGroupSubStatusRequest(p) => &mut p.meta,
        Primitive::CreateGroupRequest(p) => &mut p.meta,
        Primitive::DeleteGroupRequest(p) => &mut p.meta,
        Primitive::GetGroupPropsRequest(p) => &mut p.meta,
        Primitive::SetGroupPropsRequest(p) => &mut p.meta,
        Primitive::GetGroupMemberRequest(p) => &mut p.meta,
        Primitive::AddGroupMemberRequest(p) => &mut p.meta,
        Primitive::RemoveGroupMemberRequest(p) => &mut p.meta,
        Primitive::MemberAccessRequest(p) => &mut p.meta,
        Primitive::RejectListRequest(p) => &mut p.meta,
        _ => return,
    };
    if let Some(user) = meta.as_mut().and_then(|meta| meta.requestor.user.as_mut()) {
        user.client = None;
    }
}

fn status_mut(primitive: &mut Primitive) -> Option<&mut Status> {
    match primitive {
        Primitive::Status(status) => Some(status),
        Primitive::SendMessageResponse(response) => Some(&mut response.status),
        _ => None,
    }
}

/// Quirk D-12: screen names stand in the text of a detail.
fn screen_names_in_words(status: &mut Status) {
    for detail in &mut status.details {
        if detail.screen_names.is_empty() {
            continue;
        }
        let names = detail.screen_names.drain(..).map(|name| name.name);
        let names = names.collect::<Vec<_>>().join(", ");
        detail.description = Some(match detail.description.take() {
            Some(text) => format!("{text}: {names}"),
            None => names,
        });
    }
}

fn replace_code(status: &mut Status, codes: &std::collections::BTreeMap<String, u16>) {
    if let Some(code) = codes.get(&status.code.to_string()) {
        status.code = Code(*code);
    }
}
