//! What the SSP side hands over, each to the room it is for.

use super::Gateway;
use super::files::Ordered;
use super::message::Order;
use crate::element::{Act, Delivered, Listed, RequestId, Time};
use crate::imps::primitive::message::SendMessageRequest;
use crate::imps::primitive::message_store::MessageNotification;
use crate::imps::primitive::{self, Kind, Primitive};
use crate::imps::{Address, Code, Status};
use crate::text::Shown;

impl Gateway {
    /// A request of a user. One without a user is refused.
    fn of_user(
        &mut self,
        primitive: &Primitive,
        user: Option<Address>,
        ask: (RequestId, Time),
        now: Time,
    ) {
        let shared = &mut self.shared;
        let Some(user) = user else {
            shared.respond_code(ask.0, Code::BAD_REQUEST);
            return;
        };
        let status = match primitive {
            Primitive::SubscribeRequest(request) => {
                self.watches.subscribe(request, &user, now, shared)
            }
            Primitive::UnsubscribeRequest(request) => {
                self.watches.unsubscribe(request, &user, now, shared)
            }
            Primitive::GetPresenceRequest(request) => {
                let users = self.watches.of_xmpp();
                return self
                    .queries
                    .presence(request, &user, ask, users, now, shared);
            }
            Primitive::InviteRequest(request) => {
                let group = request.group.as_ref().map(|id| &id.group);
                let occupant = group.and_then(|g| self.groups.occupant(&user, g, shared));
                let invitations = &mut self.invitations;
                invitations.invite(request, (&user, occupant), now, shared)
            }
            Primitive::CancelInviteRequest(request) => {
                self.invitations.cancel(request, &user, now, shared)
            }
            Primitive::SearchRequest(request) => {
                let (groups, translator) = (&self.groups, shared.translator.clone());
                let known = |criterion: &_| groups.known(&user, criterion, &translator);
                let searches = &mut self.searches;
                return searches.search(request, &user, ask, &known, (now, shared));
            }
            Primitive::StopSearchRequest(request) => {
                return self.searches.stop(request, &user, ask.0, now, shared);
            }
            other => return self.groups.request(other, &user, ask, now, shared),
        };
        shared.respond(ask.0, status);
    }

    /// A message to XMPP, whose file is where it belongs.
    pub(super) fn send(&mut self, ordered: &Ordered, now: Time) {
        let shared = &mut self.shared;
        let (request, user) = (&*ordered.request, ordered.user.as_ref());
        let copies = self.rooms.copies(request, now, shared);
        let groups = &self.groups;
        let copies = copies.or_else(|| groups.copies(request, user, now, shared));
        let order = Order {
            request,
            id: ordered.id,
            expires: ordered.expires,
            copies,
        };
        self.messages.deliver(order, now, shared);
    }

    /// A message that lies elsewhere is announced to an XMPP user: they are told where. One that is to
    /// be fetched by who keeps messages for them is not, for nobody does so here.
    fn announced(&mut self, notice: MessageNotification, to: RequestId, now: Time) {
        let info = notice.info;
        let says_where = info
            .uri
            .as_deref()
            .is_some_and(|uri| !uri.trim().is_empty());
        if !says_where {
            return self.shared.respond_code(to, Code::NOT_IMPLEMENTED);
        }
        for _ in 0..info.recipients.len().max(1) {
            self.shared.act(Act::Accepted);
        }
        let request = SendMessageRequest {
            delivery_report: false,
            meta: notice.meta,
            info,
            content: None,
        };
        let ordered = Ordered {
            request: Box::new(request),
            id: None,
            user: None,
            expires: now,
        };
        self.send(&ordered, now);
        self.shared.respond_code(to, Code::OK);
    }

    pub(super) fn deliver(&mut self, delivered: Delivered, now: Time) {
        let Delivered {
            id,
            user,
            primitive,
            expires,
            ..
        } = delivered;
        let shared = &mut self.shared;
        let lists = user
            .as_ref()
            .filter(|user| Listed::of(&primitive, user).is_some());
        if let Some(user) = lists.cloned() {
            let ask = (id, expires);
            self.rosters.request(primitive, &user, ask, now, shared);
            return;
        }
        match (primitive, id) {
            (Primitive::SendMessageRequest(request), id) => {
                let ordered = Ordered {
                    request,
                    id,
                    user,
                    expires,
                };
                if let Some(ordered) = self.files.hold(ordered, now, shared) {
                    self.send(&ordered, now);
                }
            }
            (Primitive::MessageNotification(notice), Some(to)) => self.announced(*notice, to, now),
            (Primitive::GroupChangeNotice(notice), _) => {
                self.rooms.changed(&notice, now, shared);
            }
            (Primitive::LeaveGroupIndication(notice), _) => {
                self.rooms.must_leave(&notice, now, shared);
            }
            (Primitive::InviteResponse(response), _) => {
                self.invitations.responded(&response, now, shared);
            }
            (Primitive::DeliveryStatusReport(report), _) => {
                self.messages.reported(&report, now, shared);
            }
            (Primitive::PresenceNotification(notice), _) => {
                self.watches.notified(&notice, now, shared);
            }
            (
                request @ (Primitive::SubscribeRequest(_)
                | Primitive::UnsubscribeRequest(_)
                | Primitive::InviteRequest(_)
                | Primitive::CancelInviteRequest(_)
                | Primitive::GetPresenceRequest(_)
                | Primitive::SearchRequest(_)
                | Primitive::StopSearchRequest(_)
                | Primitive::JoinGroupRequest(_)
                | Primitive::LeaveGroupRequest(_)
                | Primitive::GetJoinedUsersRequest(_)
                | Primitive::SubscribeGroupChangeRequest(_)
                | Primitive::UnsubscribeGroupChangeRequest(_)
                | Primitive::GetGroupSubStatusRequest(_)
                | Primitive::CreateGroupRequest(_)
                | Primitive::DeleteGroupRequest(_)
                | Primitive::GetGroupMemberRequest(_)
                | Primitive::AddGroupMemberRequest(_)
                | Primitive::RemoveGroupMemberRequest(_)
                | Primitive::MemberAccessRequest(_)
                | Primitive::GetGroupPropsRequest(_)
                | Primitive::SetGroupPropsRequest(_)
                | Primitive::RejectListRequest(_)),
                Some(id),
            ) => self.of_user(&request, user, (id, expires), now),
            (
                request @ (Primitive::GetListRequest(_)
                | Primitive::CreateListRequest(_)
                | Primitive::DeleteListRequest(_)
                | Primitive::ListManageRequest(_)
                | Primitive::CreateAttributeListRequest(_)
                | Primitive::DeleteAttributeListRequest(_)
                | Primitive::GetAttributeListRequest(_)
                | Primitive::GetBlockedListRequest(_)
                | Primitive::BlockEntityRequest(_)),
                Some(id),
            ) => match user {
                Some(user) => {
                    let ask = (Some(id), expires);
                    self.rosters.request(request, &user, ask, now, shared);
                }
                None => shared.respond_code(id, Code::BAD_REQUEST),
            },
            (Primitive::VerifyIDRequest(request), Some(id)) => {
                self.queries.ids(&request, (id, expires), now, shared);
            }
            (Primitive::GetUserProfileRequest(request), Some(id)) => {
                self.cards.profile(&request, (id, expires), now, shared);
            }
            (Primitive::GetSPInfoRequest(request), Some(id)) => {
                self.cards.provider(&request, (id, expires), now, shared);
            }
            (Primitive::UpdateUserProfileRequest(_), Some(id)) => {
                let why = "Only the user's own server changes what it tells of them.";
                shared.respond(id, Status::new(Code::FORBIDDEN).because(why));
            }
            (other, Some(id)) => shared.respond_code(id, unserved(&other)),
            (other, None) => {
                let known = primitive::facts(other.name());
                shared
                    .dropped
                    .count(known.map_or("unknown notice", |facts| facts.name));
                tracing::debug!(ssp.primitive = %Shown(other.name()), "a notice has no counterpart");
            }
        }
    }
}

/// The code for what the gateway does not serve.
fn unserved(primitive: &Primitive) -> Code {
    let facts = primitive::facts(primitive.name());
    let is_request = facts.is_some_and(|facts| facts.kind == Kind::Request);
    if is_request && !matches!(primitive, Primitive::Unknown(_)) {
        Code::NOT_IMPLEMENTED
    } else {
        Code::NOT_SUPPORTED
    }
}
