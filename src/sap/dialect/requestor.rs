//! Who asks, in a request to a peer that ends without it: what is missing is
//! filled in, what cannot be filled in is refused (deployed-server, 8;
//! wire profile, 7.2; quirks D-4 and D-10).

use crate::imps::common::{MetaInfo, Party, ScreenName, Sender, User};
use crate::imps::primitive::invitation::InviteRequest;
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::{Address, Code, Primitive, Status};
use crate::sap::settings::Peer;

/// A request of `domain` with its requestor.
///
/// # Errors
/// Nobody can be named, or the request lacks something else that must be there.
pub(in crate::sap) fn named(mut primitive: Primitive, domain: &str) -> Result<Primitive, Status> {
    let mut domain = domain.to_owned();
    match &mut primitive {
        Primitive::SendMessageRequest(message) => message_sender(message)?,
        Primitive::SubscribeRequest(p) => has_user(p.meta.as_ref())?,
        Primitive::UnsubscribeRequest(p) => has_user(p.meta.as_ref())?,
        Primitive::GetPresenceRequest(p) => has_user(p.meta.as_ref())?,
        Primitive::InviteRequest(invitation) => complete(invitation)?,
        Primitive::PresenceNotification(p) => {
            if let Some(value) = p.values.first() {
                value.user.domain().clone_into(&mut domain);
            }
        }
        _ => {}
    }
    if let Some(meta) = meta_mut(&mut primitive) {
        let meta = meta.get_or_insert_with(|| MetaInfo::of_server(&domain));
        // A user who asks and is not there is no better than no MetaInfo.
        if meta.requestor.user.is_none() {
            meta.client_originated = Some(false);
        } else {
            meta.client_originated.get_or_insert(true);
        }
    }
    Ok(primitive)
}

/// Quirk E-7: who writes, or invites, under a screen name of a group of the peer
/// does so as the user who asks.
pub(in crate::sap) fn as_user(mut primitive: Primitive, peer: &Peer) -> Primitive {
    let own = |name: &ScreenName| peer.is(name.group.domain());
    match &mut primitive {
        Primitive::SendMessageRequest(message) => {
            let user = message.meta.as_ref().and_then(MetaInfo::user);
            let name = message.info.sender.as_ref();
            let name = name.and_then(|sender| sender.screen_name.as_ref());
            if let (Some(user), Some(name)) = (user, name)
                && own(name)
            {
                message.info.sender = Some(Sender::user(user.clone()));
            }
        }
        Primitive::InviteRequest(invitation) => {
            let user = invitation.meta.as_ref().and_then(MetaInfo::user);
            if let (Some(user), Some(Party::ScreenName(name))) = (user, &invitation.inviting)
                && own(name)
            {
                invitation.inviting = Some(Party::User(user.clone()));
            }
        }
        _ => {}
    }
    primitive
}

fn has_user(meta: Option<&MetaInfo>) -> Result<(), Status> {
    match meta.and_then(MetaInfo::user) {
        Some(_) => Ok(()),
        None => Err(refused("the request does not say which user asks")),
    }
}

/// A message is from somebody, and a group's is from the group as a user of its
/// domain: that is whom the peer's user will see.
fn message_sender(message: &mut SendMessageRequest) -> Result<(), Status> {
    let user = message.meta.as_ref().and_then(MetaInfo::user).cloned();
    let sender = message.info.sender.as_ref();
    let group: Option<Address> = sender.and_then(|sender| {
        let group = sender.group.as_ref().map(|group| group.group.clone());
        group.or_else(|| sender.screen_name.as_ref().map(|name| name.group.clone()))
    });
    let from = sender.and_then(|sender| sender.user.clone());
    if let Some(sender) = &mut message.info.sender
        && let Some(group) = sender.group.take_if(|_| sender.screen_name.is_none())
    {
        // A bare group is refused with 427.
        let name = group.group.resource_part().unwrap_or_default().to_owned();
        let group = group.group;
        sender.screen_name = Some(ScreenName { group, name });
    }
    match (group, from, user) {
        (Some(group), _, None) => {
            let service = message.meta.as_ref().map(|meta| &meta.requestor.service);
            let domain = service.map_or_else(|| group.domain().to_owned(), |s| s.domain().into());
            message.meta = Some(MetaInfo::of_user(&domain, group));
        }
        (None, Some(from), None) if message.meta.is_none() => {
            message.meta = Some(MetaInfo::of_user(from.user.domain(), from.user.clone()));
        }
        (None, None, Some(user)) => {
            let sender = User::new(user.user);
            message.info.sender = Some(Sender::user(sender));
        }
        (None, None, None) => return Err(refused("the message does not say who sends it")),
        _ => {}
    }
    Ok(())
}

fn complete(invitation: &InviteRequest) -> Result<(), Status> {
    let lacks = match invitation.invite_type.trim() {
        "" => "inviteType",
        "GR" | "GM" if invitation.group.is_none() => "GroupID",
        "SC" if invitation.contents.as_ref().is_none_or(Vec::is_empty) => "ContentIDList",
        "AP" if invitation.application.is_none() => "ApplicationID",
        _ => return Ok(()),
    };
    Err(refused(format!("the invitation has no {lacks}")))
}

fn refused(why: impl Into<String>) -> Status {
    Status::new(Code::BAD_REQUEST).because(why)
}

macro_rules! meta_of {
    ($primitive:expr, $($name:ident)*) => {
        match $primitive {
            $( Primitive::$name(p) => Some(&mut p.meta), )*
            _ => None,
        }
    };
}

/// The `MetaInfo` of any primitive that can have one.
fn meta_mut(primitive: &mut Primitive) -> Option<&mut Option<MetaInfo>> {
    meta_of!(
        primitive,
        KeepAliveRequest LogoutRequest Disconnect GetServiceRequest ServiceRequest
        GetUserProfileRequest UpdateUserProfileRequest GetSPInfoRequest SearchRequest
        StopSearchRequest VerifyIDRequest InviteRequest InviteResponse CancelInviteRequest
        GetListRequest CreateListRequest DeleteListRequest ListManageRequest SubscribeRequest
        UnsubscribeRequest PresenceNotification GetPresenceRequest UpdatePresenceRequest
        GetWatcherListRequest PresenceAuthRequest PresenceAuthUserRequest CancelAuthRequest
        GetReactiveAuthStatusRequest CreateAttributeListRequest DeleteAttributeListRequest
        GetAttributeListRequest SendMessageRequest DeliveryStatusReport ForwardMessageRequest
        SetDeliveryMethodRequest GetMessageListRequest GetMessageRequest RejectMessageRequest
        MessageNotification NewMessage MessageDelivered GetBlockedListRequest BlockEntityRequest
        CreateGroupRequest DeleteGroupRequest GetGroupPropsRequest SetGroupPropsRequest
        GetGroupMemberRequest AddGroupMemberRequest RemoveGroupMemberRequest MemberAccessRequest
        RejectListRequest JoinGroupRequest LeaveGroupRequest LeaveGroupIndication
        GetJoinedUsersRequest SubscribeGroupChangeRequest UnsubscribeGroupChangeRequest
        GetGroupSubStatusRequest GroupChangeNotice
    )
}
