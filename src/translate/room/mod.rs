//! Groups as rooms of XMPP, and back (xmpp-mapping, 5; XEP-0045).
//!
//! | file | what |
//! |---|---|
//! | `names` | screen names and nicknames |
//! | `standing` | privileges and affiliations |
//! | `occupant` | what a room shows of an occupant |
//! | `settings` | properties of a group as forms, and forms as properties |
//! | `visit` | rooms of XMPP, as one of those in them sees them |
//! | `list` | lists of members, read and changed |

pub mod list;
pub mod names;
pub mod occupant;
pub mod settings;
pub mod standing;
pub mod visit;

pub use occupant::{Shown, join_of, message_from};
pub use standing::Affiliation;

/// Namespaces of rooms.
pub mod ns {
    pub use crate::translate::stanza::ns::*;
    /// XEP-0045, for administrators.
    pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
    /// XEP-0045, for owners.
    pub const MUC_OWNER: &str = "http://jabber.org/protocol/muc#owner";
    /// XEP-0045, the form with which a room is set up.
    pub const MUC_CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
    /// XEP-0045, the form in which a room tells of itself.
    pub const MUC_INFO: &str = "http://jabber.org/protocol/muc#roominfo";
    /// XEP-0421.
    pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
    /// XEP-0317.
    pub const HATS: &str = "urn:xmpp:hats:0";
}
