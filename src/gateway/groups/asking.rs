//! What SSP users ask a room of XMPP, and want changed in it (xmpp-mapping, 5.2 and 5.4).

use std::collections::VecDeque;

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};

use super::visit::Key;
use crate::element::{RequestId, Time};
use crate::gateway::shared::Shared;
use crate::imps::address::Kind;
use crate::imps::common::{Property, UserId};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::group::GroupProperties;
use crate::imps::primitive::group_admin::{
    GetGroupMemberResponse, GetGroupPropsResponse, RejectListResponse,
};
use crate::imps::{Code, Status};
use crate::translate::Translator;
use crate::translate::room::{Affiliation, visit};

/// A step of a question: what is asked, and whether it is to be set.
pub(super) type Step = (Element, bool);

/// What somebody wants to know, or to have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// To come in, if there is such a room.
    Enter(Box<super::visit::Visit>),
    /// What the room is; `own` is what the user is in it.
    Properties { own: Option<Affiliation> },
    /// The same, since it has changed.
    Changed,
    /// Members; those found, and the lists that are still to come.
    Members {
        found: Vec<(Affiliation, Vec<BareJid>)>,
        rest: VecDeque<Affiliation>,
    },
    /// Who may not come in. Changes come before.
    Rejected,
    /// To set it up: the form comes first.
    SetUp(Vec<Property>),
    /// To set up a room that was just made, in which the user stays, or does not.
    Made { stays: bool, wanted: Vec<Property> },
    /// What is to be done.
    Do,
}

/// A question to a room.
#[derive(Debug)]
pub(super) struct Question {
    /// The request that waits for it.
    pub(super) request: Option<RequestId>,
    pub(super) key: Key,
    pub(super) component: String,
    pub(super) room: BareJid,
    /// Who asks.
    pub(super) from: Jid,
    pub(super) until: Time,
    pub(super) what: What,
    /// What is still to be asked.
    pub(super) steps: VecDeque<Step>,
}

/// What follows from an answer.
pub(super) enum Then {
    /// The next step.
    Next,
    /// The request is answered.
    Answer(Box<Primitive>),
    /// The user comes in.
    Enter(Box<super::visit::Visit>),
    /// The room is set up: the user stays in it, or does not.
    Made(bool),
    /// The user hears what has changed.
    Tell(Vec<Property>),
}

impl Question {
    /// What follows from an answer of the room.
    pub(super) fn heard(
        &mut self,
        answer: Result<Option<Element>, Code>,
        translator: &Translator,
    ) -> Then {
        let payload = match answer {
            Ok(payload) => payload,
            Err(code) => return Then::Answer(Box::new(Status::new(code).into())),
        };
        let is_public = self.key.group.user_part().is_empty();
        let status = |code| Then::Answer(Box::new(Status::new(code).into()));
        match &mut self.what {
            What::Enter(new) => {
                if payload.is_some_and(|info| visit::is_room(&info)) {
                    Then::Enter(new.clone())
                } else {
                    status(super::seat::NO_GROUP)
                }
            }
            What::Properties { own } => {
                let info = payload.filter(visit::is_room);
                let Some(info) = info else {
                    return status(super::seat::NO_GROUP);
                };
                let response = GetGroupPropsResponse {
                    status: Status::ok(),
                    properties: Some(GroupProperties {
                        properties: visit::properties(&info, is_public),
                        welcome: None,
                    }),
                    own: own.map(visit::own),
                };
                Then::Answer(Box::new(response.into()))
            }
            What::Changed => {
                let known = payload.map(|info| visit::properties(&info, is_public));
                Then::Tell(known.unwrap_or_default())
            }
            What::Members { found, rest } => {
                let users = payload.map(|query| visit::listed(&query));
                if let Some(affiliation) = rest.pop_front() {
                    found.push((affiliation, users.unwrap_or_default()));
                }
                if !rest.is_empty() {
                    return Then::Next;
                }
                let of = |which: Affiliation| {
                    let list = found.iter().find(|(affiliation, _)| *affiliation == which);
                    Some(ids(list.map_or(&[][..], |(_, users)| users), translator))
                };
                let response = GetGroupMemberResponse {
                    status: Status::ok(),
                    admins: of(Affiliation::Owner),
                    moderators: of(Affiliation::Admin),
                    users: of(Affiliation::Member),
                };
                Then::Answer(Box::new(response.into()))
            }
            What::Rejected if self.steps.is_empty() => {
                let users = payload.map(|query| visit::listed(&query));
                let response = RejectListResponse {
                    status: Status::ok(),
                    users: Some(ids(&users.unwrap_or_default(), translator)),
                };
                Then::Answer(Box::new(response.into()))
            }
            // The topic was set, and there is more.
            What::SetUp(_) if !self.steps.is_empty() => Then::Next,
            What::SetUp(properties) => {
                let form = payload.filter(|query| query.has_child("x", "jabber:x:data"));
                let properties = std::mem::take(properties);
                match form {
                    Some(form) => {
                        self.what = What::Do;
                        let filled = visit::filled_in(&form, &properties);
                        self.steps.push_back((filled, true));
                        Then::Next
                    }
                    None => status(Code(816)),
                }
            }
            What::Made { stays, wanted } => {
                match payload.filter(|query| query.has_child("x", "jabber:x:data")) {
                    Some(form) => {
                        let filled = visit::filled_in(&form, wanted);
                        self.steps.push_back((filled, true));
                        Then::Next
                    }
                    None => Then::Made(*stays),
                }
            }
            What::Do if self.steps.is_empty() => status(Code::OK),
            What::Rejected | What::Do => Then::Next,
        }
    }

    /// Answers the request that waits.
    pub(super) fn answer(&self, answer: Primitive, shared: &mut Shared) {
        if let Some(id) = self.request {
            shared.respond(id, answer);
        }
    }
}

fn ids(users: &[BareJid], translator: &Translator) -> Vec<UserId> {
    let addresses = users.iter();
    let addresses = addresses.filter_map(|jid| translator.address(&jid.clone().into()).ok());
    addresses.map(|user| UserId { user }).collect()
}

/// What is asked about a group, in the name of a user who is `own` in it.
///
/// # Errors
/// The status of who asks.
pub(super) fn first(
    primitive: &Primitive,
    own: Option<Affiliation>,
    translator: &Translator,
) -> Result<(What, VecDeque<Step>), Code> {
    let jids = |users: &[UserId]| -> Result<Vec<BareJid>, Code> {
        let jids = users.iter().map(|id| {
            let is_user = id.user.kind() == Kind::User;
            let jid = translator.jid(&id.user).map_err(|error| error.code());
            if is_user { jid } else { Err(Code::ADDRESS) }
        });
        jids.collect()
    };
    let change = |users: &[UserId], to: Affiliation| -> Result<Option<Step>, Code> {
        let users = jids(users)?;
        let step = (visit::change(users.iter(), to), true);
        Ok((!users.is_empty()).then_some(step))
    };
    let get = |affiliation| (visit::list_of(affiliation), false);
    Ok(match primitive {
        Primitive::GetGroupPropsRequest(_) => {
            (What::Properties { own }, [(visit::info(), false)].into())
        }
        Primitive::GetGroupMemberRequest(_) => {
            let lists = [Affiliation::Owner, Affiliation::Admin, Affiliation::Member];
            let what = What::Members {
                found: Vec::new(),
                rest: lists.into(),
            };
            (what, lists.map(get).into())
        }
        Primitive::AddGroupMemberRequest(request) => {
            let step = change(&request.users, Affiliation::Member)?;
            (What::Do, step.into_iter().collect())
        }
        Primitive::RemoveGroupMemberRequest(request) => {
            let step = change(&request.users, Affiliation::None)?;
            (What::Do, step.into_iter().collect())
        }
        Primitive::MemberAccessRequest(request) => {
            let lists = [
                (&request.admins, Affiliation::Owner),
                (&request.moderators, Affiliation::Admin),
                (&request.users, Affiliation::Member),
            ];
            let steps = lists.into_iter().map(|(list, to)| {
                let list = list.as_deref().unwrap_or_default();
                change(list, to)
            });
            let steps: Result<Vec<_>, Code> = steps.collect();
            (What::Do, steps?.into_iter().flatten().collect())
        }
        Primitive::RejectListRequest(request) => {
            let lists = [
                (&request.add, Affiliation::Outcast),
                (&request.remove, Affiliation::None),
            ];
            let steps = lists.into_iter().map(|(list, to)| {
                let list = list.as_deref().unwrap_or_default();
                change(list, to)
            });
            let steps: Result<Vec<_>, Code> = steps.collect();
            let mut steps: VecDeque<Step> = steps?.into_iter().flatten().collect();
            steps.push_back(get(Affiliation::Outcast));
            (What::Rejected, steps)
        }
        Primitive::DeleteGroupRequest(_) => (What::Do, [(visit::end(), true)].into()),
        Primitive::SetGroupPropsRequest(request) => {
            let properties = request.properties.as_ref();
            let properties = properties.map_or(&[][..], |p| &p.properties);
            let is_topic = |p: &&Property| p.name.trim().eq_ignore_ascii_case("Topic");
            let others = properties.iter().filter(|p| !is_topic(p));
            let others: Vec<Property> = others.cloned().collect();
            if others.is_empty() {
                (What::Do, VecDeque::new())
            } else {
                (What::SetUp(others), [(visit::form_of(), false)].into())
            }
        }
        _ => return Err(Code::NOT_IMPLEMENTED),
    })
}
