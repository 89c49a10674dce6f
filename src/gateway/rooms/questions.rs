//! What XMPP users ask a room, and want changed in it (xmpp-mapping, 5.3 and 5.4).

use std::collections::VecDeque;

use minidom::Element;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;

use crate::gateway::shared::{Shared, verdict};
use crate::imps::common::{MetaInfo, UserId};
use crate::imps::primitive::Primitive;
use crate::imps::primitive::common::{SearchPair, SearchRequest};
use crate::imps::primitive::group_admin::{
    AddGroupMemberRequest, DeleteGroupRequest, GetGroupMemberRequest, GetGroupPropsRequest,
    MemberAccessRequest, RejectListRequest, RemoveGroupMemberRequest, SetGroupPropsRequest,
};
use crate::imps::{Address, Code};
use crate::translate::room::list::{self, Change, List};
use crate::translate::room::{Affiliation, ns, settings};
use crate::translate::stanza::{attribute, element};
use crate::translate::{Context, Translator};

use super::room::Room;

/// The most rooms that are listed.
const MOST_ROOMS: u32 = 100;

/// What an XMPP user wants to know, or to have done.
#[derive(Debug)]
pub(super) enum What {
    /// What the room is.
    Info,
    /// The form with which it is set up.
    Config,
    /// Which occupants have this affiliation.
    List(Affiliation),
    /// Which rooms there are.
    Rooms,
    /// What is to be done, one after the other.
    Do(VecDeque<Primitive>),
}

/// A question that the group has to answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) component: String,
    /// Who asks whom, under which id.
    pub(super) from: Jid,
    pub(super) to: Jid,
    pub(super) id: String,
    pub(super) group: Address,
    pub(super) what: What,
}

/// What follows from an answer.
pub(super) enum Then {
    /// The next thing is asked.
    Ask(Primitive),
    /// The asker is answered.
    Answer(Option<Element>),
    /// The asker is refused.
    Refuse(Code),
}

/// What becomes of a question at once.
pub(super) enum First {
    /// The group is asked.
    Ask(What, Primitive),
    Answer(Option<Element>),
    Refuse(Code),
    /// It is nothing that rooms know.
    Unknown,
}

impl Question {
    /// What follows from an answer of the group.
    pub(super) fn heard(&mut self, answer: &Primitive, shared: &Shared) -> Then {
        let code = verdict(answer);
        let name = self.group.resource_part().unwrap_or_default();
        if !code.is_success() {
            return match self.what {
                // Who may not know more hears that there is one.
                What::Info if matches!(code.0, 403 | 808 | 816) => {
                    Then::Answer(Some(settings::info(name, &[])))
                }
                _ => Then::Refuse(code),
            };
        }
        match (&mut self.what, answer) {
            (What::Info, Primitive::GetGroupPropsResponse(response)) => {
                let properties = response.properties.as_ref();
                let properties = properties.map_or(&[][..], |p| &p.properties);
                Then::Answer(Some(settings::info(name, properties)))
            }
            (What::Config, Primitive::GetGroupPropsResponse(response)) => {
                let is_owner = response.own.as_deref().and_then(Affiliation::of_own)
                    == Some(Affiliation::Owner);
                let properties = response.properties.as_ref();
                let properties = properties.map_or(&[][..], |p| &p.properties);
                if is_owner {
                    Then::Answer(Some(settings::config(properties)))
                } else {
                    Then::Refuse(Code(816))
                }
            }
            (What::List(Affiliation::Outcast), Primitive::RejectListResponse(response)) => {
                let users = response.users.as_deref().unwrap_or_default();
                Then::Answer(Some(listed(users, Affiliation::Outcast, shared)))
            }
            (What::List(which), Primitive::GetGroupMemberResponse(response)) => {
                let users = match which {
                    Affiliation::Owner => &response.admins,
                    Affiliation::Admin => &response.moderators,
                    _ => &response.users,
                };
                let users = users.as_deref().unwrap_or_default();
                Then::Answer(Some(listed(users, *which, shared)))
            }
            (What::Rooms, Primitive::SearchResponse(response)) => {
                let found = response.result.as_ref();
                let found = found.and_then(|result| result.groups.as_ref());
                let groups = found.into_iter().flatten().map(|id| &id.group);
                Then::Answer(Some(rooms(groups, shared)))
            }
            (What::Do(rest), _) => match rest.pop_front() {
                Some(next) => Then::Ask(next),
                None => Then::Answer(None),
            },
            _ => Then::Refuse(Code::INTERNAL),
        }
    }

    /// Answers the asker.
    pub(super) fn answer(self, payload: Option<Element>, shared: &mut Shared) {
        let result = Iq::Result {
            from: Some(self.to),
            to: Some(self.from),
            id: self.id,
            payload,
        };
        shared.hand(&self.component, result);
    }

    /// Refuses what the asker wants.
    pub(super) fn refuse(self, code: Code, shared: &mut Shared) {
        let question = (self.from, self.to, self.id);
        shared.refuse_question(&self.component, question, code, Context::Group);
    }
}

/// What a room is asked by `user`, who is in it as `room` says.
pub(super) fn first(
    (payload, is_set): (&Element, bool),
    (group, room): (&Address, Option<&Room>),
    user: &Address,
    translator: &Translator,
) -> First {
    let meta = Some(MetaInfo::of_user(user.domain(), user.clone()));
    let group = group.clone();
    let properties = |what| {
        let meta = meta.clone();
        let group = group.clone();
        First::Ask(what, GetGroupPropsRequest { group, meta }.into())
    };
    let has_node = payload.attr("node").is_some();
    match (payload.name(), payload.ns().as_str(), is_set) {
        ("ping", ns::PING, false) => First::Answer(None),
        ("query", ns::DISCO_INFO, false) if !has_node => properties(What::Info),
        ("query", ns::DISCO_ITEMS, false) => {
            // Who is there is told to those who are there too.
            let jid = translator.jid(user).ok().map(|jid| jid.to_string());
            let room = room.filter(|room| jid.is_some_and(|j| room.occupants.contains_key(&j)));
            let items = room.into_iter().flat_map(|room| {
                let items = room.names.keys().map(|nick| {
                    let jid = format!("{}/{nick}", room.jid);
                    let item = element("item", ns::DISCO_ITEMS);
                    attribute(attribute(item, "jid", &jid), "name", nick).build()
                });
                items.take(200)
            });
            First::Answer(Some(
                element("query", ns::DISCO_ITEMS).append_all(items).build(),
            ))
        }
        ("query", ns::MUC_OWNER, false) => properties(What::Config),
        ("query", ns::MUC_OWNER, true) => owner(payload, group, meta),
        ("query", ns::MUC_ADMIN, false) => match list::asked(payload) {
            Some(List::Affiliation(Affiliation::Outcast)) => {
                let request = RejectListRequest {
                    group,
                    meta,
                    add: None,
                    remove: None,
                };
                First::Ask(What::List(Affiliation::Outcast), request.into())
            }
            Some(List::Affiliation(affiliation)) => {
                let request = GetGroupMemberRequest { group, meta };
                First::Ask(What::List(affiliation), request.into())
            }
            Some(List::Role { moderators }) => roles(room, user, moderators, translator),
            None => First::Refuse(Code::BAD_REQUEST),
        },
        ("query", ns::MUC_ADMIN, true) => match list::changes(payload) {
            Some(changes) => do_all(changes, &group, room, user, translator),
            None => First::Refuse(Code::BAD_REQUEST),
        },
        _ => First::Unknown,
    }
}

/// The rooms of a domain, for one who asks for them.
pub(super) fn all_rooms(user: &Address) -> First {
    let request = SearchRequest {
        limit: Some(MOST_ROOMS),
        search_id: None,
        index: None,
        meta: Some(MetaInfo::of_user(user.domain(), user.clone())),
        pairs: Some(vec![SearchPair {
            element: "GROUP_ID".to_owned(),
            string: "/".to_owned(),
        }]),
    };
    First::Ask(What::Rooms, request.into())
}

/// Rooms as items.
pub(super) fn rooms<'g>(groups: impl Iterator<Item = &'g Address>, shared: &Shared) -> Element {
    let items = groups.filter_map(|group| {
        let jid = shared.translator.jid(group).ok()?;
        let name = group.resource_part().unwrap_or_default();
        let item = element("item", ns::DISCO_ITEMS);
        Some(attribute(attribute(item, "jid", jid.as_str()), "name", name).build())
    });
    element("query", ns::DISCO_ITEMS).append_all(items).build()
}

fn listed(users: &[UserId], which: Affiliation, shared: &Shared) -> Element {
    let jids: Vec<String> = users
        .iter()
        .filter_map(|id| shared.translator.jid(&id.user).ok())
        .map(|jid| jid.to_string())
        .collect();
    list::listed(
        jids.iter().map(|jid| (Some(jid.as_str()), None, which)),
        false,
    )
}

fn owner(query: &Element, group: Address, meta: Option<MetaInfo>) -> First {
    if query.has_child("destroy", ns::MUC_OWNER) {
        let request = DeleteGroupRequest { group, meta };
        return First::Ask(What::Do(VecDeque::new()), request.into());
    }
    let Some(form) = query.get_child("x", ns::DATA_FORMS) else {
        return First::Refuse(Code::BAD_REQUEST);
    };
    match form.attr("type") {
        Some("cancel") => First::Answer(None),
        Some("submit") => match settings::of_form(form) {
            // A room as it is.
            Ok(properties) if properties.properties.is_empty() => First::Answer(None),
            Ok(properties) => {
                let request = SetGroupPropsRequest {
                    group,
                    meta,
                    properties: Some(properties),
                    own: None,
                };
                First::Ask(What::Do(VecDeque::new()), request.into())
            }
            Err(code) => First::Refuse(code),
        },
        _ => First::Refuse(Code::BAD_REQUEST),
    }
}

/// Occupants by role, as far as the asker sees them.
fn roles(room: Option<&Room>, user: &Address, moderators: bool, translator: &Translator) -> First {
    let jid = translator.jid(user).ok().map(|jid| jid.to_string());
    let occupant = room.and_then(|room| Some((room, room.occupants.get(&jid?)?)));
    let Some((room, occupant)) = occupant else {
        return First::Refuse(Code::NOT_JOINED);
    };
    let own = room.names.get(&occupant.nick);
    if !own.is_some_and(|own| own.affiliation.moderates()) {
        return First::Refuse(Code(816));
    }
    let names = room.names.iter();
    let names = names.filter(|(_, name)| name.affiliation.moderates() == moderators);
    let items =
        names.map(|(nick, name)| (name.jid.as_deref(), Some(nick.as_str()), name.affiliation));
    First::Answer(Some(list::listed(items, true)))
}

/// Changes of lists, as requests.
fn do_all(
    changes: Vec<Change>,
    group: &Address,
    room: Option<&Room>,
    user: &Address,
    translator: &Translator,
) -> First {
    let meta = || Some(MetaInfo::of_user(user.domain(), user.clone()));
    let reject = |add: Vec<UserId>, remove: Vec<UserId>| -> Primitive {
        RejectListRequest {
            group: group.clone(),
            meta: meta(),
            add: Some(add).filter(|list| !list.is_empty()),
            remove: Some(remove).filter(|list| !list.is_empty()),
        }
        .into()
    };
    let mut all = VecDeque::new();
    for change in changes {
        match change {
            Change::Impossible => return First::Refuse(Code::NOT_IMPLEMENTED),
            Change::Kick(nick) => {
                let name = room.and_then(|room| room.names.get(&nick));
                let Some(name) = name else {
                    return First::Refuse(Code::UNKNOWN_USER);
                };
                let jid = name.jid.as_ref().and_then(|jid| Jid::new(jid).ok());
                let address = jid.and_then(|jid| translator.address(&jid).ok());
                // Whom the group hides nobody can put on its lists.
                let Some(address) = address else {
                    return First::Refuse(Code::NOT_IMPLEMENTED);
                };
                let id = || {
                    vec![UserId {
                        user: address.clone(),
                    }]
                };
                all.push_back(reject(id(), Vec::new()));
                all.push_back(reject(Vec::new(), id()));
            }
            Change::Affiliation(jid, affiliation) => {
                let address = Jid::new(&jid).ok();
                let address = address.and_then(|jid| translator.address(&jid).ok());
                let Some(address) = address else {
                    return First::Refuse(Code::ADDRESS);
                };
                let id = || {
                    vec![UserId {
                        user: address.clone(),
                    }]
                };
                let mut access = MemberAccessRequest {
                    group: group.clone(),
                    meta: meta(),
                    admins: None,
                    moderators: None,
                    users: None,
                };
                all.push_back(match affiliation {
                    Affiliation::Outcast => reject(id(), Vec::new()),
                    Affiliation::None => RemoveGroupMemberRequest {
                        group: group.clone(),
                        meta: meta(),
                        users: id(),
                    }
                    .into(),
                    Affiliation::Owner => {
                        access.admins = Some(id());
                        access.into()
                    }
                    Affiliation::Admin => {
                        access.moderators = Some(id());
                        access.into()
                    }
                    Affiliation::Member => {
                        let known = room.is_some_and(|room| {
                            let mut names = room.names.values();
                            names.any(|name| {
                                name.jid.as_deref() == Some(jid.as_str())
                                    && name.affiliation.moderates()
                            })
                        });
                        if known {
                            access.users = Some(id());
                            access.into()
                        } else {
                            AddGroupMemberRequest {
                                group: group.clone(),
                                meta: meta(),
                                users: id(),
                            }
                            .into()
                        }
                    }
                });
            }
        }
    }
    match all.pop_front() {
        Some(next) => First::Ask(What::Do(all), next),
        None => First::Answer(None),
    }
}

/// Users whom a request puts on the reject list, and takes from it again.
pub(super) fn kicked(what: &What, first: &Primitive) -> Vec<Address> {
    let What::Do(rest) = what else {
        return Vec::new();
    };
    let lists = |primitive: &Primitive, adds: bool| -> Vec<Address> {
        let Primitive::RejectListRequest(request) = primitive else {
            return Vec::new();
        };
        let list = if adds { &request.add } else { &request.remove };
        list.iter().flatten().map(|id| id.user.clone()).collect()
    };
    let all = || std::iter::once(first).chain(rest);
    let removed: Vec<Address> = all().flat_map(|p| lists(p, false)).collect();
    let added = all().flat_map(|p| lists(p, true));
    added.filter(|user| removed.contains(user)).collect()
}
