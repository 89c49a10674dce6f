//! One search of an SSP user: what it has found, and what it asks next.

use minidom::Element;
use xmpp_parsers::jid::{BareJid, Jid};

use super::results::Found;
use crate::element::RequestId;
use crate::gateway::presence::Watches;
use crate::gateway::shared::Shared;
use crate::imps::common::{GroupId, User};
use crate::imps::primitive::common::SearchResult;
use crate::imps::{Address, Code};
use crate::translate::Translator;
use crate::translate::search::criteria::{
    Criteria, NOT_UNDERSTOOD, RoomCriterion, TOO_BROAD, UserCriteria,
};
use crate::translate::search::rooms::{Room, listed};
use crate::translate::search::{directory, rooms};

/// Rooms that are asked about themselves in one search, and rooms that are told; our choice.
const MAX_ROOMS: usize = 100;

/// A question to somebody of XMPP: whom, what, and whether it is to be set.
pub(super) type Question = (BareJid, Element, bool);

/// What follows from an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// Further answers are to come.
    Wait,
    /// More is asked.
    Ask(Vec<Question>),
    /// All is known.
    Done(Found),
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) request: RequestId,
    pub(super) user: Address,
    /// Results of one answer.
    pub(super) limit: Option<u32>,
    pub(super) component: String,
    /// In whose name XMPP is asked.
    pub(super) from: Jid,
    /// Answers that are to come.
    pub(super) waits: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Users(UserCriteria, Step, bool),
    Rooms {
        criteria: Vec<RoomCriterion>,
        rooms: Vec<Room>,
        /// Whether rooms are asked, not room services.
        is_about_rooms: bool,
        /// Whether some service has answered, and else why none has.
        heard: Result<(), Code>,
    },
}

/// How far a search for users is.
#[derive(Debug)]
enum Step {
    /// The domain is asked for its services.
    Domain,
    /// They are asked what they are: which of them is the directory, and how sure that is.
    Services(Option<(u8, BareJid)>),
    /// The directory is asked for its form.
    Form(BareJid),
    /// It is asked with the form.
    Found,
}

/// Whose search it is, and how it is answered.
pub(super) struct Of<'a> {
    pub(super) request: RequestId,
    pub(super) user: &'a Address,
    pub(super) limit: Option<u32>,
    pub(super) component: String,
    pub(super) from: Jid,
}

impl Search {
    /// A search, and what is asked first; `directory` is the one that is known. `known` are the groups
    /// of criteria about people, each of which must have what is found.
    ///
    /// # Errors
    /// The status of who searches.
    pub(super) fn new(
        of: Of<'_>,
        criteria: Criteria,
        directory: Option<&BareJid>,
        known: Option<Vec<Address>>,
        translator: &Translator,
    ) -> Result<(Self, Next), Code> {
        let (what, next) = match criteria {
            Criteria::Users(criteria) => {
                let (step, first) = match directory {
                    Some(jid) => (Step::Form(jid.clone()), (jid.clone(), directory::ask())),
                    None => (Step::Domain, (own_domain(translator)?, directory::items())),
                };
                let next = Next::Ask(vec![(first.0, first.1, false)]);
                (What::Users(criteria, step, false), next)
            }
            Criteria::Rooms(criteria) => first_of_rooms(criteria, known, translator)?,
        };
        let search = Self {
            request: of.request,
            user: of.user.clone(),
            limit: of.limit,
            component: of.component,
            from: of.from,
            waits: 0,
            what,
        };
        Ok((search, next))
    }

    /// The directory that it has found.
    pub(super) fn directory(&self) -> Option<&BareJid> {
        match &self.what {
            What::Users(_, Step::Form(jid), _) => Some(jid),
            _ => None,
        }
    }

    /// What follows from an answer of `from`, which was taken from those that are to come.
    ///
    /// # Errors
    /// The status of who searches.
    pub(super) fn heard(
        &mut self,
        from: &Jid,
        answer: Result<Option<Element>, Code>,
        watches: &Watches,
        shared: &Shared,
    ) -> Result<Next, Code> {
        let translator = &*shared.translator;
        let waits = self.waits > 0;
        match &mut self.what {
            What::Users(criteria, step, is_partial) => match step {
                Step::Domain => {
                    let domain = own_domain(translator)?;
                    let services = match answer? {
                        Some(items) => directory::services(&items, &domain),
                        None => vec![domain],
                    };
                    *step = Step::Services(None);
                    let ask = |jid| (jid, directory::info(), false);
                    Ok(Next::Ask(services.into_iter().map(ask).collect()))
                }
                Step::Services(found) => {
                    let rank = answer
                        .ok()
                        .flatten()
                        .map_or(0, |info| directory::rank(&info));
                    if rank > found.as_ref().map_or(0, |(rank, _)| *rank) {
                        *found = Some((rank, from.to_bare()));
                    }
                    if waits {
                        return Ok(Next::Wait);
                    }
                    // Groups can be searched all the same: nothing here says that there is no search.
                    let (_, jid) = found.take().ok_or(NOT_UNDERSTOOD)?;
                    let first = (jid.clone(), directory::ask(), false);
                    *step = Step::Form(jid);
                    Ok(Next::Ask(vec![first]))
                }
                Step::Form(jid) => {
                    let form = answer?.ok_or(NOT_UNDERSTOOD)?;
                    let filled = directory::filled_in(&form, &criteria.wanted);
                    let filled = filled.ok_or(NOT_UNDERSTOOD)?;
                    *is_partial = !filled.is_complete;
                    let next = (jid.clone(), filled.query, true);
                    *step = Step::Found;
                    Ok(Next::Ask(vec![next]))
                }
                Step::Found => {
                    let users = answer?.map(|result| directory::found(&result, translator));
                    let mut users = users.unwrap_or_default();
                    let mut is_partial = *is_partial;
                    if let Some(online) = criteria.online {
                        let is_known =
                            |user: &User| watches.is_online(&user.user, &self.user, shared);
                        is_partial |= users.iter().any(|user| is_known(user).is_none());
                        users.retain(|user| is_known(user).is_none_or(|is| is == online));
                    }
                    let result = SearchResult {
                        users: Some(users),
                        groups: None,
                    };
                    Ok(Next::Done(Found { result, is_partial }))
                }
            },
            What::Rooms {
                criteria,
                rooms,
                is_about_rooms,
                heard,
            } => {
                let payload = match answer {
                    Ok(payload) => {
                        *heard = Ok(());
                        payload
                    }
                    Err(code) => {
                        if heard.is_err() {
                            *heard = Err(code);
                        }
                        None
                    }
                };
                match payload {
                    Some(info) if *is_about_rooms => {
                        let room = rooms.iter_mut().find(|room| room.jid == from.to_bare());
                        if let Some(room) = room {
                            room.hear(&info);
                        }
                    }
                    Some(items) => rooms.extend(listed(&items, translator)),
                    None => {}
                }
                if waits {
                    return Ok(Next::Wait);
                }
                if *is_about_rooms {
                    return Ok(Next::Done(found_rooms(rooms, criteria)));
                }
                (*heard)?;
                let needs_rooms = criteria.iter().any(RoomCriterion::is_about_topic);
                rooms.retain(|room| {
                    let mut said = criteria.iter().filter(|c| !c.is_about_topic());
                    said.all(|criterion| room.fits(criterion))
                });
                if !needs_rooms || rooms.is_empty() {
                    return Ok(Next::Done(found_rooms(rooms, criteria)));
                }
                *is_about_rooms = true;
                about(rooms)
            }
        }
    }
}

/// The search for rooms, and what is asked first.
fn first_of_rooms(
    criteria: Vec<RoomCriterion>,
    known: Option<Vec<Address>>,
    translator: &Translator,
) -> Result<(What, Next), Code> {
    let is_about_rooms = known.is_some();
    let rooms: Vec<Room> = known
        .into_iter()
        .flatten()
        .filter_map(|group| rooms::Room::at(translator.jid(&group).ok()?, translator))
        .collect();
    let said = |c: &RoomCriterion| matches!(c, RoomCriterion::Name(_) | RoomCriterion::Topic(_));
    let next = if !is_about_rooms {
        let services = translator.muc.iter();
        let services = services.filter_map(|muc| BareJid::new(muc).ok());
        let all: Vec<Question> = services
            .map(|jid| (jid, directory::items(), false))
            .collect();
        if all.is_empty() {
            return Err(NOT_UNDERSTOOD);
        }
        Next::Ask(all)
    } else if rooms.is_empty() || !criteria.iter().any(said) {
        Next::Done(found_rooms(&rooms, &criteria))
    } else {
        about(&rooms)?
    };
    let what = What::Rooms {
        criteria,
        rooms,
        is_about_rooms,
        heard: Err(Code::TIMEOUT),
    };
    Ok((what, next))
}

/// Asks rooms about themselves.
fn about(rooms: &[Room]) -> Result<Next, Code> {
    if rooms.len() > MAX_ROOMS {
        return Err(TOO_BROAD);
    }
    let ask = |room: &Room| (room.jid.clone(), directory::info(), false);
    Ok(Next::Ask(rooms.iter().map(ask).collect()))
}

/// The rooms that are like that, in the order of their addresses; the first of them.
fn found_rooms(rooms: &[Room], criteria: &[RoomCriterion]) -> Found {
    let like = rooms
        .iter()
        .filter(|room| criteria.iter().all(|c| room.fits(c)));
    let mut groups: Vec<GroupId> = like
        .map(|room| GroupId {
            group: room.group.clone(),
        })
        .collect();
    groups.sort_by(|a, b| a.group.cmp(&b.group));
    groups.dedup_by(|a, b| a.group == b.group);
    groups.truncate(MAX_ROOMS);
    Found {
        result: SearchResult {
            users: None,
            groups: Some(groups),
        },
        is_partial: false,
    }
}

fn own_domain(translator: &Translator) -> Result<BareJid, Code> {
    BareJid::new(&translator.domain).map_err(|_| Code::ADDRESS)
}
