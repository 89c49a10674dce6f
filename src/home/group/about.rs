//! Which group a request is for.

use crate::imps::Primitive;
use crate::imps::address::Address;

/// The group that a request is for.
pub(super) fn group_of(primitive: &Primitive) -> Option<&Address> {
    Some(match primitive {
        Primitive::CreateGroupRequest(p) => &p.group,
        Primitive::DeleteGroupRequest(p) => &p.group,
        Primitive::GetGroupPropsRequest(p) => &p.group,
        Primitive::SetGroupPropsRequest(p) => &p.group,
        Primitive::GetGroupMemberRequest(p) => &p.group,
        Primitive::AddGroupMemberRequest(p) => &p.group,
        Primitive::RemoveGroupMemberRequest(p) => &p.group,
        Primitive::MemberAccessRequest(p) => &p.group,
        Primitive::RejectListRequest(p) => &p.group,
        Primitive::JoinGroupRequest(p) => &p.group,
        Primitive::LeaveGroupRequest(p) => &p.group,
        Primitive::GetJoinedUsersRequest(p) => &p.group,
        Primitive::InviteRequest(p) => p.invited.as_ref()?.address(),
        Primitive::CancelInviteRequest(p) => p.canceled.as_ref()?.address(),
        Primitive::SubscribeGroupChangeRequest(p) => &p.group,
        Primitive::UnsubscribeGroupChangeRequest(p) => &p.group,
        Primitive::GetGroupSubStatusRequest(p) => &p.group,
        Primitive::GetMessageListRequest(p) => p.group.as_ref()?,
        Primitive::GetMessageRequest(p) => p.group.as_ref()?,
        _ => return None,
    })
}
