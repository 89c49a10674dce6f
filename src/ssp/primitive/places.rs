//! Where in each primitive an address stands, and what it does there.
//!
//! The places come from the declarations of the elements, so none can be forgotten; what
//! they do is decided here, and a place that nothing is decided about *speaks*: who sends
//! the primitive must then be entitled to name that address (wire profile, 7.2).

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use super::{Kind, PLACES, facts};

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
    /// The attribute.
    pub attribute: &'static str,
    /// What an address does there.
    pub role: Role,
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

/// Elements below the primitive that are looked at, at most.
pub(crate) const DEEPEST: usize = 6;

struct Of {
    all: Vec<Place>,
    speaking: Vec<Place>,
}

static TABLE: LazyLock<HashMap<&'static str, Of>> = LazyLock::new(|| {
    let of = |(name, declared): &(&'static str, Declared)| {
        let kind = facts(name).map_or(Kind::Request, |facts| facts.kind);
        let mut all = Vec::new();
        declared(&mut Vec::new(), &mut |path, attribute| {
            all.push(Place {
                path: path.to_vec(),
                attribute,
                role: role(name, kind, path, attribute),
            });
        });
        let speaking = all.iter().filter(|place| place.role != Role::Named);
        let speaking = speaking.cloned().collect();
        (*name, Of { all, speaking })
    };
    PLACES.iter().map(of).collect()
});

/// Tells the places that an element declares; see [`crate::ssp::xml::Content::places`].
pub(super) type Declared =
    fn(&mut Vec<&'static str>, &mut dyn FnMut(&[&'static str], &'static str));

/// All places of a primitive, by this crate's spelling of its name.
pub fn places(primitive: &str) -> &'static [Place] {
    TABLE.get(primitive).map_or(&[], |of| &of.all)
}

/// Those whose addresses the sender must be entitled to name.
pub fn speaking(primitive: &str) -> &'static [Place] {
    TABLE.get(primitive).map_or(&[], |of| &of.speaking)
}

/// What is decided about each place.
fn role(primitive: &str, kind: Kind, path: &[&str], attribute: &str) -> Role {
    // A setup step is judged by its digest; an answer by what was asked.
    if matches!(kind, Kind::Setup | Kind::Response) {
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
