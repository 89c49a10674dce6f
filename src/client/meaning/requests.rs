//! Which requests of a user a request of a client is, and what its answer says.

use crate::csp;
use crate::csp::primitive::message::SendMessageResponse;
use crate::imps::Primitive;
use crate::imps::status::{Code, Status};

use super::answers::done;
use super::memory::Memory;
use super::terms::Terms;
use super::{
    access, authorization, contact_list, directory, group, group_admin, invitation, message,
    presence,
};

/// The requests that a client's request is, one after the other; none if it is done with that.
///
/// # Errors
/// It cannot be said: the status for the client.
pub(super) fn of(
    request: &csp::Primitive,
    terms: &Terms,
    memory: &Memory,
) -> Result<Vec<Primitive>, Status> {
    use csp::Primitive as P;
    let one = match request {
        // Common.
        P::GetSPInfoRequest(_) => directory::provider(terms),
        P::SearchRequest(request) => directory::search(request, terms)?,
        P::StopSearchRequest(request) => directory::stop(request, terms),
        P::VerifyIdRequest(request) => directory::verify(request, terms),
        P::InviteRequest(request) => return invitation::invite(request, terms),
        P::InviteUserResponse(request) => invitation::respond(request, terms),
        P::CancelInviteRequest(request) => return invitation::cancel(request, terms),
        P::SubscribeNotificationRequest(request) => {
            return match directory::notifications(request.types.as_deref()) {
                status if status.code == Code::OK => Ok(Vec::new()),
                status => Err(status),
            };
        }
        P::UnsubscribeNotificationRequest(_) => return Ok(Vec::new()),
        P::GetPublicProfileRequest(request) => return directory::profiles(request, terms),
        P::UpdatePublicProfileRequest(request) => directory::update_profile(request, terms),
        // Contact lists.
        P::GetListRequest(_) => contact_list::get(terms),
        P::CreateListRequest(request) => contact_list::create(request, terms),
        P::DeleteListRequest(request) => contact_list::delete(request, terms),
        P::ListManageRequest(request) => return Ok(contact_list::manage(request, terms)),
        // Presence.
        P::GetPresenceRequest(request) => presence::get(request, terms)?,
        P::UpdatePresenceRequest(request) => {
            return Ok(presence::update(request, terms).into_iter().collect());
        }
        P::SubscribePresenceRequest(request) => presence::subscribe(request, terms)?,
        P::UnsubscribePresenceRequest(request) => presence::unsubscribe(request, terms)?,
        P::GetWatcherListRequest(request) => authorization::watchers(request, terms),
        P::PresenceAuthUser(request) => authorization::decide(request, terms),
        P::CancelAuthRequest(request) => authorization::cancel(request, terms),
        P::GetReactiveAuthStatusRequest(request) => authorization::decisions(request, terms),
        P::CreateAttributeListRequest(request) => authorization::attach(request, terms),
        P::DeleteAttributeListRequest(request) => authorization::detach(request, terms),
        P::GetAttributeListRequest(request) => authorization::attribute_lists(request, terms),
        // Messages.
        P::SendMessageRequest(request) => message::send(request, terms)?,
        P::GetMessageListRequest(request) => message::list(request, terms),
        P::GetMessageRequest(request) => message::get(request, terms, memory),
        P::RejectMessageRequest(request) => message::reject(request, terms),
        P::ForwardMessageRequest(request) => message::forward(request, terms)?,
        P::MessageDelivered(request) => message::delivered(request, terms),
        P::SetDeliveryMethodRequest(request) => message::set_delivery(request, terms)?,
        P::GetBlockedListRequest(_) => access::get(terms),
        P::BlockEntityRequest(request) => access::change(request, terms),
        // Groups.
        P::CreateGroupRequest(request) => group::create(request, terms)?,
        P::DeleteGroupRequest(request) => group::delete(request, terms),
        P::JoinGroupRequest(request) => group::join(request, terms),
        P::LeaveGroupRequest(request) => group::leave(request, terms),
        P::GetJoinedUsersRequest(request) => group::joined_users(request, terms),
        P::SubscribeGroupNoticeRequest(request) => group::notices(request, terms)?,
        P::GetGroupMembersRequest(request) => group_admin::members(request, terms),
        P::AddGroupMembersRequest(request) => group_admin::add(request, terms)?,
        P::RemoveGroupMembersRequest(request) => group_admin::remove(request, terms)?,
        P::MemberAccessRequest(request) => group_admin::access(request, terms)?,
        P::GetGroupPropsRequest(request) => group_admin::properties(request, terms),
        P::SetGroupPropsRequest(request) => group_admin::set_properties(request, terms)?,
        P::RejectListRequest(request) => group_admin::reject(request, terms),
        // Maps, and conversations that become groups: there is no primitive for them.
        _ => return Err(Status::new(Code::NOT_IMPLEMENTED)),
    };
    Ok(vec![one])
}

/// Whether the next is asked though the one before has failed: each is about somebody else.
pub(super) fn goes_on(request: &csp::Primitive) -> bool {
    matches!(
        request,
        csp::Primitive::InviteRequest(_)
            | csp::Primitive::CancelInviteRequest(_)
            | csp::Primitive::GetPublicProfileRequest(_)
    )
}

/// The answer to a request that was not asked of anybody.
pub(super) fn refused(request: &csp::Primitive, status: Status) -> csp::Primitive {
    match request {
        csp::Primitive::SendMessageRequest(_) => {
            csp::Primitive::SendMessageResponse(Box::new(SendMessageResponse {
                result: status.into(),
                message: None,
            }))
        }
        _ => csp::Primitive::status(status),
    }
}

/// The answer to a client's request, made of the answers to all that it was.
pub(super) fn answer(
    request: &csp::Primitive,
    answers: &[Primitive],
    terms: &Terms,
    memory: &mut Memory,
) -> csp::Primitive {
    use csp::Primitive as P;
    let Some(first) = answers.first() else {
        return csp::Primitive::status(Status::new(Code::INTERNAL));
    };
    match request {
        P::GetSPInfoRequest(_) => directory::provided(first, terms),
        P::SearchRequest(_) => directory::found(first),
        P::InviteRequest(request) => invitation::all_done(request.recipients.as_deref(), answers),
        P::CancelInviteRequest(request) => {
            invitation::all_done(request.recipients.as_deref(), answers)
        }
        P::GetPublicProfileRequest(request) => directory::told_profiles(request, answers, terms),
        P::GetListRequest(_) => contact_list::got(first),
        P::CreateListRequest(request) => contact_list::created(request, first, terms),
        P::ListManageRequest(_) => contact_list::managed(answers),
        P::GetPresenceRequest(request) => presence::got(request, first, terms),
        P::SubscribePresenceRequest(_) => presence::subscribed(first),
        P::GetWatcherListRequest(_) => authorization::watched(first, terms),
        P::GetReactiveAuthStatusRequest(_) => authorization::decided(first, terms),
        P::GetAttributeListRequest(_) => authorization::attached(first, terms),
        P::SendMessageRequest(request) => message::sent(request, first),
        P::GetMessageListRequest(request) => message::listed(request, first, terms, memory),
        P::GetMessageRequest(_) => message::got(first, terms),
        P::ForwardMessageRequest(_) => message::forwarded(first, terms),
        P::GetBlockedListRequest(_) => access::got(first),
        P::JoinGroupRequest(request) => group::joined(request, first, terms),
        P::LeaveGroupRequest(request) => group::left(request, first),
        P::GetJoinedUsersRequest(_) => group::who_is_joined(first),
        P::SubscribeGroupNoticeRequest(_) => group::noticed(first),
        P::GetGroupMembersRequest(_) => group_admin::told_members(first),
        P::GetGroupPropsRequest(request) => group_admin::told_properties(request, first, terms),
        P::RejectListRequest(_) => group_admin::rejected(first),
        _ => done(first),
    }
}
