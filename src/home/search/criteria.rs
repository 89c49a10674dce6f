//! What is searched for (wire profile, 11.5).

use crate::home::group::GroupCriterion;
use crate::home::sleeper::Sleeper;
use crate::imps::address::Address;
use crate::imps::primitive::common::{SearchPair, SearchRequest};
use crate::imps::status::Code;

use super::findable::{Findable, Source};

/// A criterion that says nothing.
pub(in crate::home) const TOO_BROAD: Code = Code(537);
/// No criterion of either kind, or some of both.
pub(in crate::home) const NOT_UNDERSTOOD: Code = Code(562);

/// Criteria of one search, and bytes of each. Our choice.
const MAX_PAIRS: usize = 16;
const MAX_TEXT: usize = 256;

/// What all that is found must be like.
#[derive(Debug)]
pub(super) enum Criteria {
    Users(Vec<UserCriterion>),
    Groups(Vec<GroupCriterion>),
}

/// What a user who is found has.
#[derive(Debug)]
pub(super) struct UserCriterion {
    source: Source,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// Somewhere in the text, in lower case.
    Part(String),
    Online(bool),
    AtLeast(u32),
    AtMost(u32),
}

impl Criteria {
    /// Those of a request.
    pub(super) fn of(request: &SearchRequest) -> Result<Self, Code> {
        let pairs = request.pairs.as_deref().unwrap_or_default();
        let is_long = |pair: &SearchPair| pair.string.trim().len() > MAX_TEXT;
        if pairs.is_empty() || pairs.len() > MAX_PAIRS || pairs.iter().any(is_long) {
            return Err(Code::BAD_PARAMETER);
        }
        let is_of_user = |pair: &SearchPair| {
            let start = pair.element.trim().get(..5);
            start.is_some_and(|start| start.eq_ignore_ascii_case("USER_"))
        };
        if pairs.iter().all(is_of_user) {
            let criteria: Result<_, Code> = pairs.iter().map(UserCriterion::of).collect();
            Ok(Self::Users(criteria?))
        } else if pairs.iter().any(is_of_user) {
            Err(NOT_UNDERSTOOD)
        } else {
            let criteria: Result<_, Code> = pairs.iter().map(GroupCriterion::of).collect();
            Ok(Self::Groups(criteria?))
        }
    }
}

impl UserCriterion {
    fn of(pair: &SearchPair) -> Result<Self, Code> {
        let element = pair.element.trim().to_ascii_uppercase();
        let text = pair.string.trim().to_lowercase();
        let age = || text.parse::<u32>().map_err(|_| Code::BAD_PARAMETER);
        let (source, wanted) = match element.as_str() {
            "USER_AGE_MIN" => (Source::AGE, Wanted::AtLeast(age()?)),
            "USER_AGE_MAX" => (Source::AGE, Wanted::AtMost(age()?)),
            "USER_ONLINE_STATUS" => match text.as_str() {
                "t" => (Source::ONLINE_STATUS, Wanted::Online(true)),
                "f" => (Source::ONLINE_STATUS, Wanted::Online(false)),
                _ => return Err(Code::BAD_PARAMETER),
            },
            // Only by its bounds.
            "USER_AGE" => return Err(NOT_UNDERSTOOD),
            "USER_ID" => {
                let text = text.strip_prefix("wv:").unwrap_or(&text);
                (Source::ID, Wanted::Part(text.to_owned()))
            }
            other => {
                let source = Source::named(other).ok_or(NOT_UNDERSTOOD)?;
                (source, Wanted::Part(text))
            }
        };
        match &wanted {
            Wanted::Part(part) if part.is_empty() => Err(TOO_BROAD),
            _ => Ok(Self { source, wanted }),
        }
    }

    /// Whether a user at rest may be like that.
    pub(super) fn may_fit(&self, (name, domain): (&str, &str), sleeper: &Sleeper) -> bool {
        match &self.wanted {
            _ if !sleeper.is_findable() => false,
            Wanted::Online(online) => !online,
            Wanted::Part(part) if self.source == Source::ID => match part.split_once('@') {
                Some((end, start)) => name.ends_with(end) && domain.starts_with(start),
                None => name.contains(part) || domain.contains(part),
            },
            Wanted::Part(part) => sleeper.may_have(part),
            Wanted::AtLeast(_) | Wanted::AtMost(_) => true,
        }
    }

    /// Whether a user is like that, and lets `asker` find out.
    pub(super) fn fits(&self, user: &Findable<'_>, asker: &Address) -> bool {
        let fits = match &self.wanted {
            Wanted::Part(part) => user
                .text(self.source)
                .is_some_and(|text| text.to_lowercase().contains(part)),
            Wanted::Online(online) => user.is_online() == *online,
            Wanted::AtLeast(age) => user.age().is_some_and(|own| own >= *age),
            Wanted::AtMost(age) => user.age().is_some_and(|own| own <= *age),
        };
        fits && user.is_found_by(self.source, asker)
    }
}
