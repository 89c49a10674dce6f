//! A primitive in a peer's dialect.

use super::Peer;
use crate::ssp::envelope::decode_fragment;
use crate::ssp::{Code, Primitive, Status};

/// Bytes as they came, if the dialect takes them so; else written anew.
///
/// # Errors
/// The fragment cannot be decoded although the dialect needs it; the reason in words.
pub(super) fn raw(peer: &Peer, fragment: &[u8]) -> Result<String, String> {
    if peer.dialect.passes_raw() {
        return std::str::from_utf8(fragment)
            .map(str::to_owned)
            .map_err(|e| e.to_string());
    }
    decode_fragment(fragment)
        .map(|primitive| typed(peer, primitive))
        .map_err(|e| e.to_string())
}

/// A typed primitive in the peer's dialect.
pub(super) fn typed(peer: &Peer, mut primitive: Primitive) -> String {
    let dialect = &peer.dialect;
    if !dialect.client_ids {
        strip_clients(&mut primitive);
    }
    if !dialect.codes.is_empty() {
        if let Some(status) = status_mut(&mut primitive) {
            replace_code(status, &dialect.codes);
        }
    }
    primitive.to_xml(Some(&dialect.style()))
}

/// Quirk E-6: no client in the MetaInfo of subscriptions and group primitives.
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

fn replace_code(status: &mut Status, codes: &std::collections::BTreeMap<String, u16>) {
    if let Some(code) = codes.get(&status.code.to_string()) {
        status.code = Code(*code);
    }
}
