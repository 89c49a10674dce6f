//! Groups hosted by the home domain (WVFF, 7; wire profile, 9.4, 9.5, 11.11).
//!
//! A [`Group`] is what is kept of one group. It is the unit of state: what its users get, they get
//! by primitives through the SAP, those of this domain like all others. What happens to it is in
//! services, each a type of its own over one group and what all groups share.
//!
//! | file | what |
//! |---|---|
//! | `groups`, `about` | all groups; which one a primitive is for |
//! | `person`, `properties` | what is kept of a user, and of the group as such |
//! | `joining` | joining, leaving, being made to leave, the end of the group |
//! | `administration` | members, roles, the reject list, properties |
//! | `invites` | who may invite, and whom that lets in |
//! | `messages` | messages to all who are joined, or to one |
//! | `changes` | who is told what changed |
//! | `outgoing` | what is handed on to many, in pieces |
//! | `again` | copies for which there was no room on the way |
//! | `healing` | users who are no more, domains that are not reached |
//! | `provision` | what an operator does |
//! | `posts` | messages taken: to recognise duplicates, and for those who join later |
//! | `search` | who finds a group |
//! | `core`, `settings`, `records` | what all share, and what is kept |
//!
//! A group has at most one owner, whom nobody can demote, bar or remove. Who leaves stays what they
//! are: the owner who leaves owns the group, and a group that its last user leaves goes on, unless
//! it is to be deleted then (`AutoDelete`). If the owner's account is removed the group has no
//! owner; its administrators go on, and the operator can remove it.

mod about;
mod administration;
mod again;
mod changes;
mod core;
mod groups;
mod healing;
mod history;
mod invites;
mod joining;
mod messages;
mod outgoing;
mod person;
mod posts;
mod properties;
mod provision;
mod records;
mod search;
mod settings;

use std::collections::{BTreeMap, HashMap};

use crate::element::{RequestId, Time};
use crate::imps::address::Address;
use crate::imps::common::Property;
use crate::imps::status::Code;

use self::core::{Core, Timer};
pub(super) use groups::{From, Groups};
pub(super) use messages::ForGroup;
pub(super) use person::Role;
pub use provision::{GroupError, GroupView};
pub(super) use records::{AWAY, PREFIX};
pub(super) use search::GroupCriterion;
pub use settings::GroupSettings;

use again::Again;
use outgoing::Queue;
use person::{Own, Person};
use posts::Posts;
use properties::Properties;

/// Properties, or an id, that cannot be.
const INVALID_PROPERTIES: Code = Code(806);
/// The requestor is joined already.
const ALREADY_JOINED: Code = Code(807);
/// The requestor is on the reject list.
const REJECTED_USER: Code = Code(809);
/// The requestor is no member, or is joined under another name.
const NO_MEMBER: Code = Code(810);
/// Somebody has this screen name.
const NAME_TAKEN: Code = Code(811);
/// The role is too low.
const NO_PRIVILEGE: Code = Code(816);
/// No more users may be joined.
const FULL: Code = Code(817);

/// Bytes of a screen name; the deployed server cuts longer ones (wire profile, 4.1).
const MAX_SCREEN_NAME: usize = 64;

/// Who asks a group for something.
#[derive(Debug, Clone)]
struct Asker {
    /// To answer with; none: nobody waits for an answer.
    id: Option<RequestId>,
    user: Address,
}

/// Where a user stands among those who are joined: all of a domain together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    domain: String,
    user: Address,
}

/// What is kept of a group as such; one record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Sheet {
    /// Who made it, and can do everything; `None` for a provider's group, or one whose owner is
    /// no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Address>,
    created: Time,
    #[serde(default)]
    properties: Properties,
    /// It has ended, and those who were joined are being told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closing: bool,
}

/// A group, with all that is kept of it.
#[derive(Debug)]
pub(super) struct Group {
    /// Its address before the domain: `owner/name`, or `/name`.
    name: String,
    sheet: Sheet,
    people: BTreeMap<Address, Person>,
    /// Those who are joined, with what is theirs from which number on.
    joined: BTreeMap<Place, u64>,
    /// Those of them who are told of changes.
    subscribers: BTreeMap<Place, u64>,
    /// Screen names taken, as they are compared.
    names: HashMap<String, Address>,
    /// How many are on the list of members, and on the reject list; bounded.
    members: usize,
    rejected: usize,
    /// How many are invited.
    invited: usize,
    posts: Posts,
    outgoing: Queue,
    /// What is handed on again later, by number.
    again: BTreeMap<u64, Again>,
    /// The last number given.
    numbered: u64,
    /// Nothing is left of it.
    is_over: bool,
}

impl Group {
    fn new(name: &str, sheet: Sheet) -> Self {
        Self {
            name: name.to_owned(),
            sheet,
            people: BTreeMap::new(),
            joined: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            names: HashMap::new(),
            members: 0,
            rejected: 0,
            invited: 0,
            posts: Posts::default(),
            outgoing: Queue::default(),
            again: BTreeMap::new(),
            numbered: 0,
            is_over: false,
        }
    }

    fn address(&self, core: &Core) -> Address {
        Address::new(&format!("{}@{}", self.name, core.domain()))
    }

    /// Whether it is the provider's.
    fn is_public(&self) -> bool {
        self.name.starts_with('/')
    }

    fn owns(&self, user: &Address) -> bool {
        self.sheet.owner.as_ref() == Some(user)
    }

    /// The role of a member; the owner is an administrator.
    fn rank(&self, user: &Address) -> Option<Role> {
        if self.owns(user) {
            return Some(Role::Admin);
        }
        self.people.get(user).and_then(|person| person.role)
    }

    fn administers(&self, user: &Address) -> bool {
        self.rank(user) == Some(Role::Admin)
    }

    fn is_joined(&self, user: &Address) -> bool {
        self.people
            .get(user)
            .is_some_and(|person| person.seat.is_some())
    }

    /// How others see who is joined: by screen name, or by address.
    fn shown(&self, user: &Address) -> String {
        let seat = self.people.get(user).and_then(|p| p.seat.as_ref());
        let name = seat.and_then(|seat| seat.name.clone());
        name.unwrap_or_else(|| user.bare().to_owned())
    }

    /// The properties of a user in the group; none of one it does not know.
    fn own(&self, user: &Address) -> Vec<Property> {
        let rank = self.rank(user);
        match self.people.get(user).and_then(|p| p.seat.as_ref()) {
            Some(seat) => seat.own.listed(rank, seat.shows_id()),
            None if rank.is_some() => Own::default().listed(rank, true),
            None => Vec::new(),
        }
    }

    /// Who is joined under a name.
    fn named(&self, name: &str) -> Option<&Address> {
        self.names.get(&folded(name))
    }

    /// Writes the sheet.
    fn save(&self, core: &mut Core) {
        core.act(records::put_sheet(&self.name, &self.sheet));
    }

    /// Changes what is kept of a user, and writes it.
    fn change(&mut self, core: &mut Core, user: &Address, change: impl FnOnce(&mut Person)) {
        let mut person = self.people.get(user).cloned().unwrap_or_default();
        change(&mut person);
        if self.people.get(user).unwrap_or(&Person::default()) == &person {
            return;
        }
        core.act(if person.is_empty() {
            records::delete_person(&self.name, user)
        } else {
            records::put_person(&self.name, user, &person)
        });
        self.put(core, user, person);
    }

    /// Puts a user in their places; nothing is written.
    fn put(&mut self, core: &mut Core, user: &Address, person: Person) {
        if let Some(before) = self.people.remove(user) {
            self.members -= usize::from(before.role.is_some());
            self.rejected -= usize::from(before.rejected);
            self.invited -= usize::from(before.invited.is_some());
            if let Some(seat) = before.seat {
                let place = Place::of(user);
                self.joined.remove(&place);
                self.subscribers.remove(&place);
                let name = seat.name.as_deref().unwrap_or(user.bare());
                self.names.remove(&folded(name));
                core.leaves(user);
            }
        }
        self.members += usize::from(person.role.is_some());
        self.rejected += usize::from(person.rejected);
        self.invited += usize::from(person.invited.is_some());
        if let Some(seat) = &person.seat {
            let place = Place::of(user);
            if seat.subscribed {
                self.subscribers.insert(place.clone(), seat.since);
            }
            self.joined.insert(place, seat.since);
            let name = seat.name.as_deref().unwrap_or(user.bare());
            self.names.insert(folded(name), user.clone());
            self.numbered = self.numbered.max(seat.since);
            core.joins(user);
        }
        if !person.is_empty() {
            self.people.insert(user.clone(), person);
        }
    }

    /// A number for something that happens now: higher than all before.
    fn new_number(&mut self, now: Time) -> u64 {
        self.numbered = now.0.saturating_mul(256).max(self.numbered + 1);
        self.numbered
    }

    /// How many of a domain are joined.
    fn count_of(&self, domain: &str) -> usize {
        self.places_of(domain).count()
    }

    /// Those of a domain who are joined.
    fn users_of(&self, domain: &str) -> Vec<Address> {
        let places = self.places_of(domain);
        places.map(|place| place.user.clone()).collect()
    }

    fn places_of<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = &'a Place> {
        let first = Place {
            domain: domain.to_owned(),
            user: Address::new(""),
        };
        let places = self.joined.range(first..).map(|(place, _)| place);
        places.take_while(move |place| place.domain == domain)
    }

    /// When its lifetime is over, if it has one.
    fn ends(&self) -> Option<Time> {
        let seconds = self.sheet.properties.validity?;
        Some(self.sheet.created.plus_seconds(seconds))
    }

    /// Sets the timer for the end of its lifetime.
    fn end_in_time(&self, core: &mut Core) {
        if let Some(at) = self.ends() {
            core.timers.insert((at, Timer::Group(self.name.clone())));
        }
    }
}

impl Place {
    fn of(user: &Address) -> Self {
        Self {
            domain: user.domain().to_owned(),
            user: user.clone(),
        }
    }
}

/// A screen name as it is compared.
fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Nothing is kept of a group of which nothing is left.
fn forget_if_over(all: &mut BTreeMap<String, Group>, name: &str) {
    if all.get(name).is_some_and(|group| group.is_over) {
        all.remove(name);
    }
}
