//! Where requests of the domain go, as the SAP would know.

use super::*;

/// What is for this domain and for others, in two.
pub(super) fn divided(primitive: &Primitive) -> Option<(Primitive, Primitive)> {
    fn two<T: Clone>(all: &mut Vec<T>, ours: impl Fn(&T) -> bool) -> Vec<T> {
        let (here, there) = all.drain(..).partition(ours);
        *all = here;
        there
    }
    let (mut ours, mut others) = (primitive.clone(), primitive.clone());
    let is_ours = |address: &Address| address.domain() == HOME;
    let is_mixed = match (&mut ours, &mut others) {
        (Primitive::SendMessageRequest(ours), Primitive::SendMessageRequest(others)) => {
            let all = &mut ours.info.recipients;
            let there = two(all, |to| is_ours(to.address()));
            others.info.recipients = there;
            !all.is_empty() && !others.info.recipients.is_empty()
        }
        (Primitive::LeaveGroupIndication(ours), Primitive::LeaveGroupIndication(others)) => {
            others.users = two(&mut ours.users, |user| is_ours(&user.user));
            !ours.users.is_empty() && !others.users.is_empty()
        }
        (Primitive::GroupChangeNotice(ours), Primitive::GroupChangeNotice(others)) => {
            others.users = two(&mut ours.users, |user| is_ours(&user.user));
            !ours.users.is_empty() && !others.users.is_empty()
        }
        _ => false,
    };
    is_mixed.then_some((ours, others))
}

/// Where a primitive goes, and who asks.
pub(super) fn envelope(primitive: &Primitive) -> (Address, MetaInfo) {
    use crate::imps::primitive::common::Id;
    let provider = address("wv:@provider.test");
    let here = Address::service(HOME);
    let (target, meta) = match primitive {
        Primitive::SendMessageRequest(p) => (p.info.recipients[0].address(), &p.meta),
        Primitive::DeliveryStatusReport(p) => (p.info.recipients[0].address(), &p.meta),
        Primitive::SubscribeRequest(p) => (&p.users[0].user, &p.meta),
        Primitive::UnsubscribeRequest(p) => (&p.users[0].user, &p.meta),
        Primitive::GetPresenceRequest(p) => (&p.users[0].user, &p.meta),
        Primitive::PresenceNotification(p) => (&p.watchers[0].user, &p.meta),
        Primitive::UpdateUserProfileRequest(p) => (&provider, &p.meta),
        Primitive::LeaveGroupIndication(p) => (&p.users[0].user, &p.meta),
        Primitive::GroupChangeNotice(p) => (&p.users[0].user, &p.meta),
        Primitive::InviteRequest(p) => (p.invited.as_ref().unwrap().address(), &p.meta),
        Primitive::InviteResponse(p) => (p.inviting.as_ref().unwrap().address(), &p.meta),
        Primitive::CancelInviteRequest(p) => (p.canceled.as_ref().unwrap().address(), &p.meta),
        Primitive::JoinGroupRequest(p) => (&p.group, &p.meta),
        Primitive::NewMessage(p) => (p.info.recipients[0].address(), &p.meta),
        Primitive::MessageNotification(p) => (p.info.recipients[0].address(), &p.meta),
        Primitive::PresenceAuthRequest(p) => (&p.publisher.user, &p.meta),
        Primitive::VerifyIDRequest(p) => match &p.ids.ids[0] {
            Id::User(id) => (&id.user, &p.meta),
            other => panic!("{other:?}"),
        },
        // About the user's own.
        Primitive::UpdatePresenceRequest(p) => (&here, &p.meta),
        Primitive::GetWatcherListRequest(p) => (&here, &p.meta),
        Primitive::PresenceAuthUserRequest(p) => (&here, &p.meta),
        Primitive::CancelAuthRequest(p) => (&here, &p.meta),
        Primitive::GetReactiveAuthStatusRequest(p) => (&here, &p.meta),
        Primitive::GetListRequest(p) => (&here, &p.meta),
        Primitive::CreateListRequest(p) => (&here, &p.meta),
        Primitive::DeleteListRequest(p) => (&here, &p.meta),
        Primitive::CreateAttributeListRequest(p) => (&here, &p.meta),
        Primitive::DeleteAttributeListRequest(p) => (&here, &p.meta),
        Primitive::GetAttributeListRequest(p) => (&here, &p.meta),
        Primitive::ListManageRequest(p) => (&here, &p.meta),
        Primitive::GetBlockedListRequest(p) => (&here, &p.meta),
        Primitive::BlockEntityRequest(p) => (&here, &p.meta),
        // The node's own search of all shards, or one that another domain provides.
        Primitive::SearchRequest(p) => {
            let meta = p.meta.as_ref().unwrap();
            let own = meta.client_originated == Some(false);
            (if own { &here } else { &provider }, &p.meta)
        }
        other => {
            let facts = crate::imps::primitive::facts(other.name()).expect("it is known");
            let is_own = facts.routing == Routing::Requestor;
            assert!(is_own, "nobody should send {}", other.name());
            let transaction = Transaction::new(Mode::Request, "", other);
            let user = transaction.peek.user.expect("a user asks");
            return (here, MetaInfo::of_user(HOME, user));
        }
    };
    (target.clone(), meta.clone().expect("every request has it"))
}
