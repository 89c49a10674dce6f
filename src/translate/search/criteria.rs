//! What SSP users look for (wire profile, 11.5).

use crate::imps::primitive::common::SearchPair;
use crate::imps::{Address, Code};

use super::names_of;

/// A criterion that says nothing, or nothing that may be told.
pub const TOO_BROAD: Code = Code(537);
/// No criterion of either kind, some of both, or none that is understood.
pub const NOT_UNDERSTOOD: Code = Code(562);

/// Criteria of one search, and bytes of each; our choice.
const MAX_PAIRS: usize = 16;
const MAX_TEXT: usize = 256;

/// What all that is found must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Criteria {
    /// Of users.
    Users(UserCriteria),
    /// Of rooms.
    Rooms(Vec<RoomCriterion>),
}

/// What users who are found are like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCriteria {
    /// What a directory is asked for: the name of the criterion, and the text.
    pub wanted: Vec<(String, String)>,
    /// Whether they are to be logged in, or not to be.
    pub online: Option<bool>,
}

/// What a room that is found is like; texts are parts, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomCriterion {
    /// Its address as a group.
    Id(String),
    /// Its name.
    Name(String),
    /// What is talked about there.
    Topic(String),
    /// Who owns it.
    Owner(Address),
    /// Who is in it.
    Joined(Address),
}

impl Criteria {
    /// Those of a request.
    ///
    /// # Errors
    /// 402: there are none, too many or too long ones. 537: one is empty. 562: none is known, or
    /// some are of users and some of groups.
    pub fn of(pairs: &[SearchPair]) -> Result<Self, Code> {
        let is_long = |pair: &SearchPair| pair.string.trim().len() > MAX_TEXT;
        if pairs.is_empty() || pairs.len() > MAX_PAIRS || pairs.iter().any(is_long) {
            return Err(Code::BAD_PARAMETER);
        }
        let is_of_user = |pair: &SearchPair| {
            let start = pair.element.trim().get(..5);
            start.is_some_and(|start| start.eq_ignore_ascii_case("USER_"))
        };
        if pairs.iter().all(is_of_user) {
            UserCriteria::of(pairs).map(Self::Users)
        } else if pairs.iter().any(is_of_user) {
            Err(NOT_UNDERSTOOD)
        } else {
            let criteria: Result<_, Code> = pairs.iter().map(RoomCriterion::of).collect();
            criteria.map(Self::Rooms)
        }
    }
}

impl UserCriteria {
    fn of(pairs: &[SearchPair]) -> Result<Self, Code> {
        let mut criteria = Self {
            wanted: Vec::new(),
            online: None,
        };
        for pair in pairs {
            let element = pair.element.trim().to_ascii_uppercase();
            let text = pair.string.trim();
            if text.is_empty() {
                return Err(TOO_BROAD);
            }
            match element.as_str() {
                "USER_ONLINE_STATUS" if text.eq_ignore_ascii_case("T") => {
                    criteria.online = Some(true);
                }
                "USER_ONLINE_STATUS" if text.eq_ignore_ascii_case("F") => {
                    criteria.online = Some(false);
                }
                "USER_ONLINE_STATUS" => return Err(Code::BAD_PARAMETER),
                known if names_of(known).is_some() => {
                    // Directories know the names at one domain: theirs.
                    let part = text.strip_prefix("wv:").unwrap_or(text);
                    let name = part.split('@').next().unwrap_or(part);
                    let text = if known == "USER_ID" { name } else { text };
                    criteria.wanted.push((element, text.to_owned()));
                }
                _ => {}
            }
        }
        let is_empty = |(_, text): &(String, String)| text.is_empty();
        if criteria.wanted.is_empty() {
            // Who is online is asked about somebody.
            let code = criteria.online.map_or(NOT_UNDERSTOOD, |_| TOO_BROAD);
            Err(code)
        } else if criteria.wanted.iter().any(is_empty) {
            Err(TOO_BROAD)
        } else {
            Ok(criteria)
        }
    }
}

impl RoomCriterion {
    fn of(pair: &SearchPair) -> Result<Self, Code> {
        let text = pair.string.trim();
        let part = |make: fn(String) -> Self| match text.to_lowercase() {
            text if text.is_empty() => Err(TOO_BROAD),
            text => Ok(make(text)),
        };
        let user = |make: fn(Address) -> Self| {
            let user = Address::new(text);
            if user.is_valid() {
                Ok(make(user))
            } else {
                Err(Code::ADDRESS)
            }
        };
        match pair.element.trim().to_ascii_uppercase().as_str() {
            "GROUP_ID" => part(Self::Id),
            "GROUP_NAME" => part(Self::Name),
            "GROUP_TOPIC" => part(Self::Topic),
            "GROUP_USER_ID_OWNER" => user(Self::Owner),
            "GROUP_USER_ID_JOINED" => user(Self::Joined),
            _ => Err(NOT_UNDERSTOOD),
        }
    }

    /// Whether it is about who owns the room or is in it, which no room service tells.
    pub fn is_about_people(&self) -> bool {
        matches!(self, Self::Owner(_) | Self::Joined(_))
    }

    /// Whether only the room itself can say it.
    pub fn is_about_topic(&self) -> bool {
        matches!(self, Self::Topic(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Criteria, Code> {
        let pairs = pairs.iter().map(|(element, string)| SearchPair {
            element: (*element).to_owned(),
            string: (*string).to_owned(),
        });
        Criteria::of(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn criteria_are_of_users_or_of_rooms_and_say_something() {
        let wanted = |pairs| match of(pairs) {
            Ok(Criteria::Users(criteria)) => (criteria.wanted, criteria.online),
            other => panic!("{other:?}"),
        };
        let (all, online) = wanted(&[
            ("user_id", "wv:Al@home.example"),
            ("USER_ALIAS", " Al "),
            ("USER_ONLINE_STATUS", "t"),
            ("USER_SHOE_SIZE", "43"),
        ]);
        let text = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(all, [text("USER_ID", "Al"), text("USER_ALIAS", "Al")]);
        assert_eq!(online, Some(true));
        let rooms = of(&[("GROUP_NAME", "Tea"), ("GROUP_USER_ID_JOINED", "wv:a@b.c")]);
        let joined = RoomCriterion::Joined(Address::new("wv:a@b.c"));
        let name = RoomCriterion::Name("tea".to_owned());
        assert_eq!(rooms, Ok(Criteria::Rooms(vec![name, joined])));
        for (pairs, code) in [
            (&[][..], 402),
            (&[("USER_ALIAS", "")], 537),
            (&[("USER_ID", "wv:@home.example")], 537),
            (&[("USER_ONLINE_STATUS", "T")], 537),
            (&[("USER_ONLINE_STATUS", "X")], 402),
            (&[("USER_SHOE_SIZE", "43")], 562),
            (&[("GROUP_COLOUR", "red")], 562),
            (&[("GROUP_TOPIC", " ")], 537),
            (&[("GROUP_USER_ID_OWNER", "a b")], 901),
            (&[("GROUP_NAME", "a"), ("USER_ALIAS", "b")], 562),
            (&[("GROUP_NAME", "a"); 17], 402),
        ] {
            assert_eq!(of(pairs).map_err(|code| code.0), Err(code), "{pairs:?}");
        }
    }
}
