//! WV addresses (wire profile, 4).
//!
//! `wv:user/resource@domain`, every part optional. The forms met on the wire
//! differ in prefix and case; [`Address`] holds the one form we emit: prefixed
//! with `wv:` and in lower case, so equal addresses are equal values.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::xml::Field;
use crate::text::shown::steers;

/// A WV address in its normal form. Never fails to parse: an address that is no
/// use is a matter for the status of the request, not for the message around it;
/// ask [`Address::is_valid`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Address(String);

/// What an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `wv:user@domain`
    User,
    /// `wv:user/resource@domain`, `wv:/resource@domain`: a group or contact list.
    Resource,
    /// `wv:@domain`
    Service,
}

impl Address {
    /// Normalises `text`.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        let bare = match text.get(..3) {
            Some(prefix) if prefix.eq_ignore_ascii_case("wv:") => &text[3..],
            _ => text,
        };
        let mut normal = String::with_capacity(bare.len() + 3);
        normal.push_str("wv:");
        if bare.is_ascii() {
            normal.push_str(bare);
            normal.make_ascii_lowercase();
        } else {
            normal.push_str(&bare.to_lowercase());
        }
        Self(normal)
    }

    /// The address of a user.
    pub fn user(user: &str, domain: &str) -> Self {
        Self::new(&format!("{user}@{domain}"))
    }

    /// The address of a service: `wv:@domain`, the form of a `serviceID`.
    pub fn service(domain: &str) -> Self {
        Self::new(&format!("@{domain}"))
    }

    /// The address of a group or contact list.
    pub fn resource_of(user: &str, resource: &str, domain: &str) -> Self {
        Self::new(&format!("{user}/{resource}@{domain}"))
    }

    /// The whole address, `wv:` included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without `wv:`.
    pub fn bare(&self) -> &str {
        &self.0[3..]
    }

    /// The domain, empty if there is none.
    pub fn domain(&self) -> &str {
        self.parts().1.unwrap_or("")
    }

    /// What stands before the domain.
    pub fn local(&self) -> &str {
        self.parts().0
    }

    /// What stands before the last `@`, and what behind it.
    #[inline]
    fn parts(&self) -> (&str, Option<&str>) {
        let bare = self.bare();
        // An address is short: a search made for long texts costs more than it saves.
        match bare.bytes().rposition(|b| b == b'@') {
            Some(at) => (&bare[..at], Some(&bare[at + 1..])),
            None => (bare, None),
        }
    }

    /// The user part, empty for a service or a public resource.
    pub fn user_part(&self) -> &str {
        let local = self.local();
        slash(local).map_or(local, |at| &local[..at])
    }

    /// The resource part: the name of a group or contact list.
    pub fn resource_part(&self) -> Option<&str> {
        let local = self.local();
        slash(local).map(|at| &local[at + 1..])
    }

    /// What the address names.
    pub fn kind(&self) -> Kind {
        let local = self.local();
        match slash(local) {
            Some(_) => Kind::Resource,
            None if local.is_empty() => Kind::Service,
            None => Kind::User,
        }
    }

    /// The same address with `domain` put in where it has none: an address
    /// without domain belongs to the one who interprets it.
    #[must_use]
    pub fn or_domain(self, domain: &str) -> Self {
        if self.bare().contains('@') {
            self
        } else {
            Self::new(&format!("{}@{domain}", self.bare()))
        }
    }

    /// Whether the address keeps the rules of section 4.1, with a domain.
    pub fn is_valid(&self) -> bool {
        self.fault().is_none()
    }

    /// Which rule of section 4.1 the address breaks: a domain of the usual characters,
    /// no second `@` or `/`, no white space, no characters that cannot be seen or that turn the
    /// direction of a text, `+` only before a phone number.
    pub fn fault(&self) -> Option<&'static str> {
        let (local, domain) = self.parts();
        fault_of(local, domain.unwrap_or(""))
    }

    /// As [`Address::fault`], where an address without domain is of the one who wrote it.
    pub fn fault_in_context(&self) -> Option<&'static str> {
        let (local, domain) = self.parts();
        match domain.unwrap_or("") {
            "" if local.is_empty() => Some("it is empty"),
            "" => fault_of_local(local),
            domain => fault_of(local, domain),
        }
    }
}

fn slash(local: &str) -> Option<usize> {
    local.bytes().position(|b| b == b'/')
}

fn fault_of(local: &str, domain: &str) -> Option<&'static str> {
    fault_of_local(local).or_else(|| (!is_domain(domain)).then_some("its domain is none"))
}

fn fault_of_local(local: &str) -> Option<&'static str> {
    // Most of them, which are of letters, digits and dots.
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'%');
    if local.len() <= 255 && local.bytes().all(is_plain) {
        return None;
    }
    let number = local.strip_prefix('+');
    if number.is_some_and(|n| n.is_empty() || !n.bytes().all(|b| b.is_ascii_digit())) {
        Some("'+' stands before something else than a phone number")
    } else if number.is_none() && local.contains('+') {
        Some("'+' stands within it")
    } else if local.contains('@') {
        Some("it has two domains")
    } else if local.matches('/').count() > 1 || local.ends_with('/') {
        Some("'/' stands twice or at the end")
    } else if local.len() > 255 {
        Some("it is longer than 255 bytes")
    } else if local
        .chars()
        .any(|c| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '&'))
    {
        Some("it has white space, quotes or brackets")
    } else if local.chars().any(is_unseen) {
        Some("it has characters that cannot be seen")
    } else {
        None
    }
}

/// Whether a character leaves no mark of its own on a screen, so that one address could be shown
/// as another.
fn is_unseen(c: char) -> bool {
    steers(c)
        || matches!(
            c,
            // Soft hyphen, joiners and fillers, selectors of variants, what stands for something
            // else, private use.
            '\u{ad}'
                | '\u{34f}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{3164}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{ffff}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{10ffff}'
        )
}

/// Whether `text` has the form of a domain name.
pub fn is_domain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.as_bytes().split(|b| *b == b'.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl FromStr for Address {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Field for Address {
    const ADDRESS: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Some(Self::new(text))
    }
    fn print(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        for text in [
            "wv:alice@home.example",
            "ALICE@Home.Example",
            "WV:Alice@home.EXAMPLE",
            " alice@home.example\n",
        ] {
            assert_eq!(Address::new(text).as_str(), "wv:alice@home.example");
        }
    }

    #[test]
    fn parts_are_told_apart() {
        let group = Address::new("wv:alice/club@home.example");
        assert_eq!(
            (group.user_part(), group.resource_part(), group.domain()),
            ("alice", Some("club"), "home.example")
        );
        assert_eq!(group.kind(), Kind::Resource);
        assert_eq!(Address::new("wv:/news@home.example").kind(), Kind::Resource);
        assert_eq!(Address::new("wv:@home.example").kind(), Kind::Service);
        assert_eq!(
            Address::new("bob").or_domain("b.test"),
            Address::new("wv:bob@b.test")
        );
    }

    #[test]
    fn rules_of_the_profile_hold() {
        for good in [
            "wv:+358401234567@h.example",
            "a@b",
            "a%40b@h.example",
            "wv:@h.example",
        ] {
            assert!(Address::new(good).is_valid(), "{good}");
        }
        for bad in [
            "",
            "bob",
            "a b@h",
            "a@b@h",
            "a/b/c@h",
            "+12a@h",
            "a+b@h",
            "a@-..",
            "bo\"b<x@h",
            "a/@h",
            "bob@h.test@p.test",
            "bo b@p.test",
            "bo\u{a0}b@p.test",
            "bob\u{202e}@p.test",
            "b\u{200b}ob@p.test",
            "b\u{ad}ob@p.test",
            "bob\u{fe0f}@p.test",
            "b\u{0}ob@p.test",
            "bob@p\u{202e}.test",
            "wv:",
            "wv:@",
        ] {
            assert!(!Address::new(bad).is_valid(), "{bad}");
            let in_context = Address::new(bad).fault_in_context();
            assert_eq!(in_context.is_some(), bad != "bob", "{bad}");
            // A domain that is left out is that of who wrote it.
            assert_eq!(Address::new("bob@").fault_in_context(), None);
        }
        for good in [
            "wv:jürgen@h.example",
            "日本@h.example",
            "a%e2%80%ae@h.example",
        ] {
            assert_eq!(Address::new(good).fault(), None, "{good}");
        }
    }
}
