//! Search for users and rooms (xmpp-mapping, 7; XEP-0055).
//!
//! | file | what |
//! |---|---|
//! | `criteria` | what SSP users look for |
//! | `directory` | the user directory of an XMPP server, which has the form |
//! | `rooms` | what room services and rooms tell of themselves |
//! | `form` | our own form, for XMPP users who look for users of the SSP side |

pub mod criteria;
pub mod directory;
pub mod form;
pub mod rooms;

/// The namespace of search.
pub const NS: &str = "jabber:iq:search";

/// What is searched for by SSP, and what directories call it. Of the names of one criterion the
/// first counts that a form has.
const FIELDS: &[(&str, &[&str])] = &[
    ("USER_ID", &["user"]),
    ("USER_FIRST_NAME", &["first", "given"]),
    ("USER_LAST_NAME", &["last", "family"]),
    ("USER_ALIAS", &["nick"]),
    ("USER_FRIENDLY_NAME", &["nick", "fn"]),
    ("USER_EMAIL_ADDRESS", &["email"]),
    ("USER_MOBILE_NUMBER", &["tel"]),
    ("USER_CITY", &["city", "user_city", "locality"]),
    ("USER_COUNTRY", &["country", "user_country", "ctry"]),
    ("USER_GENDER", &["gender", "user_gender"]),
    ("USER_INTENTION", &["intention", "user_intention"]),
    (
        "USER_INTERESTS_HOBBIES",
        &["interests_hobbies", "user_interests_hobbies"],
    ),
    (
        "USER_MARITAL_STATUS",
        &["marital_status", "user_marital_status"],
    ),
    ("USER_AGE_MIN", &["age_min", "user_age_min"]),
    ("USER_AGE_MAX", &["age_max", "user_age_max"]),
];

/// What directories call a criterion; `None`: SSP has no such criterion.
fn names_of(criterion: &str) -> Option<&'static [&'static str]> {
    let mut fields = FIELDS.iter();
    let found = fields.find(|(known, _)| *known == criterion)?;
    Some(found.1)
}
