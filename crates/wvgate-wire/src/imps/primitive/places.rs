//! Where in each primitive an address stands, and what it does there.
//!
//! The places come from the declarations of the elements, so none can be forgotten; what
//! they do is decided here, and a place that nothing is decided about *speaks*: who sends
//! the primitive must then be entitled to name that address (wire profile, 7.2).

use std::fmt;
use std::sync::LazyLock;

use super::{FACTS, Kind, PLACES};
use crate::imps::common::{MessageInfo, MetaInfo};
use crate::imps::xml::Content;

/// What an address does in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It is addressed, or told of: anybody may name it.
    Named,
    /// It speaks: it is of the domains for which the sender speaks.
    Speaks,
    /// A participant of a group speaks: as [`Role::Speaks`]; or a user of the sender's
    /// towards the group itself, whose server knows its participants.
    Participates,
    /// Its presence is told: as [`Role::Speaks`], or its provider tells it.
    Publishes,
    /// It speaks through the provider of those who are addressed: as [`Role::Speaks`], or
    /// the sender is that provider.
    HandedOn,
}

/// The place of an address in a primitive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Elements on the way down, without the primitive itself.
    pub path: Vec<&'static str>,
    /// Name of the attribute that holds an address.
    pub attribute: &'static str,
    /// What an address does there.
    pub role: Role,
    /// For what a relay needs the address, if it does.
    pub(crate) noted: Option<Noted>,
}

/// For what a relay needs an address: where in a [`crate::ssp::envelope::Peek`] it is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// `service`.
    Service,
    /// `user`.
    User,
    /// `group`.
    Group,
    /// `subject`.
    Subject,
    /// `about`.
    About,
    /// `sender`.
    Sender,
    /// Among `users`.
    Users,
    /// Among `publishers`.
    Publishers,
    /// Among `recipients`.
    Recipients,
}

impl Place {
    /// Whether this is the place of the element at the end of `path`.
    pub(crate) fn is_at(&self, path: &[&str]) -> bool {
        let same = |(a, b): (&&str, &&str)| a.eq_ignore_ascii_case(b);
        // The last names differ most often.
        self.path.len() == path.len() && self.path.iter().rev().zip(path.iter().rev()).all(same)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.path.join("/"), self.attribute)
    }
}

/// The places of each primitive, in the order of [`FACTS`]; behind them, those of one that is not
/// known.
pub(super) static ALL: LazyLock<Vec<Vec<Place>>> = LazyLock::new(|| {
    let of = |name: &str, kind: Kind, declared: Declared| {
        let mut all = Vec::new();
        declared(&mut Vec::new(), &mut |path, attribute| {
            all.push(Place {
                path: path.to_vec(),
                attribute,
                role: role(name, kind, path, attribute),
                noted: noted(name, path, attribute),
            });
        });
        all
    };
    let known = FACTS.iter().zip(PLACES);
    let known = known.map(|(facts, declared)| of(facts.name, facts.kind, *declared));
    // It is answered that it is not known, so nobody speaks in it.
    known.chain([of("", Kind::Response, of_unknown)]).collect()
});

fn of_unknown(at: &mut Vec<&'static str>, found: &mut dyn FnMut(&[&'static str], &'static str)) {
    for (name, declared) in [
        ("MetaInfo", MetaInfo::places as Declared),
        ("MessageInfo", MessageInfo::places),
    ] {
        at.push(name);
        declared(at, found);
        at.pop();
    }
}

/// Tells the places that an element declares; see [`crate::imps::xml::Content::places`].
pub(super) type Declared =
    fn(&mut Vec<&'static str>, &mut dyn FnMut(&[&'static str], &'static str));

/// All places of a primitive, by this crate's spelling of its name.
pub fn places(primitive: &str) -> &'static [Place] {
    let number = FACTS.iter().position(|facts| facts.name == primitive);
    number.map_or(&[], |number| &ALL[number])
}

/// Those whose addresses the sender must be entitled to name.
pub fn speaking(primitive: &str) -> impl Iterator<Item = &'static Place> + use<> {
    let places = places(primitive).iter();
    places.filter(|place| place.role != Role::Named)
}

/// What a relay needs of an address in each place.
fn noted(primitive: &str, path: &[&str], attribute: &str) -> Option<Noted> {
    Some(match (path, attribute) {
        ([], "groupID") | (["MessageInfo", "Sender", "GroupID"], _) => Noted::Group,
        ([], "userID") => Noted::Subject,
        ([], "serviceID") => Noted::About,
        (["MetaInfo", "Requestor"], _) => Noted::Service,
        (["MetaInfo", "Requestor", "User"], _) => Noted::User,
        (["MessageInfo", "Sender", "User"], _) => Noted::Sender,
        (["PresenceValue"], _) => Noted::Publishers,
        ([], "contactListID") | (["User" | "UserID" | "VerUserID" | "ContactList"], _) => {
            Noted::Users
        }
        (
            ["Recipient" | "Invited" | "Canceled" | "IDList", _] | ["MessageInfo", "Recipient", _],
            _,
        ) => Noted::Recipients,
        (["Inviting", _], _) if primitive == "InviteResponse" => Noted::Recipients,
        _ => return None,
    })
}

/// What is decided about each place.
fn role(primitive: &str, kind: Kind, path: &[&str], attribute: &str) -> Role {
    // A setup step is judged by its digest; an answer by what was asked. That a message was delivered
    // may be a request too.
    if matches!(kind, Kind::Setup | Kind::Response) && primitive != "MessageDelivered" {
        return Role::Named;
    }
    match (primitive, path, attribute) {
        ("PresenceNotification", ["PresenceValue"], _) => Role::Publishes,
        ("PresenceAuthRequest", [], _)
        | ("NewMessage" | "MessageNotification", ["MessageInfo", "Sender", ..], _) => {
            Role::HandedOn
        }
        // To whom it goes; what it is about.
        ("InviteResponse", ["Inviting", ..], _)
        | ("UpdateUserProfileRequest", ["UserProfile", ..], _)
        | ("BlockEntityRequest", ["BlockList" | "GrantList", ..], _)
        | ("GroupChangeNotice", ["JoinedBlocked" | "LeftBlocked", ..], _)
        | (_, [], "userID" | "serviceID")
        | (
            _,
            [
                "Recipient" | "Invited" | "Canceled" | "IDList" | "Status" | "DeliveryResult",
                ..,
            ]
            | ["MessageInfo", "Recipient" | "RecipientDisplay", ..]
            | ["User" | "UserID" | "VerUserID" | "GroupID" | "ScreenName"]
            | [
                "NickList" | "AddNickList" | "RemoveNickList" | "Admins" | "Moderators"
                | "OrdinaryUsers" | "AddUsers" | "RemoveUsers",
                _,
            ],
            _,
        ) => Role::Named,
        (
            _,
            ["MessageInfo", "Sender", .., "ScreenName"]
            | ["Sender", .., "ScreenName"]
            | ["Inviting" | "Canceling" | "Responding", "ScreenName"],
            _,
        ) => Role::Participates,
        // A group is asked by anybody, and tells something only by itself.
        (_, [], "groupID") if kind == Kind::Request => Role::Named,
        _ => Role::Speaks,
    }
}
