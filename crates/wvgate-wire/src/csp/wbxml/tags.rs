//! Tags: which element a token is on which page (`data/tokens.tsv`).

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::csp::hash::Fnv;
use crate::csp::version::Version;

/// What an element holds, as far as the binary form cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, or elements.
    Plain,
    /// A number, in octets.
    Integer,
    /// A time, in octets.
    Date,
}

/// An element's token: its code page, its code there, and how its content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The element's name.
    pub(super) name: &'static str,
    pub(super) page: u8,
    pub(super) token: u8,
    pub(super) kind: Kind,
}

/// The tags of a version.
#[derive(Debug, Default)]
pub(super) struct Tags {
    /// By page and token: its own, and where it has none those of others.
    by_token: Vec<[Option<Tag>; 64]>,
    /// By name: its own alone.
    by_name: HashMap<&'static str, Tag, Fnv>,
}

static TAGS: LazyLock<[Tags; 3]> = LazyLock::new(|| Version::ALL.map(Tags::load));

impl Tags {
    /// The tags of a version.
    pub(super) fn of(version: Version) -> &'static Self {
        &TAGS[version.index()]
    }

    /// The tag that a token is.
    pub(super) fn by_token(&self, page: u8, token: u8) -> Option<Tag> {
        let page = self.by_token.get(usize::from(page))?;
        *page.get(usize::from(token))?
    }

    /// The tag of an element.
    pub(super) fn by_name(&self, name: &str) -> Option<Tag> {
        self.by_name.get(name).copied()
    }

    fn load(version: Version) -> Self {
        let mut tags = Self::default();
        for row in rows("tag") {
            let [page, token, name, versions, content] = row;
            let (Ok(page), Ok(token)) =
                (u8::from_str_radix(page, 16), u8::from_str_radix(token, 16))
            else {
                continue;
            };
            let kind = match content {
                "int" => Kind::Integer,
                "date" => Kind::Date,
                _ => Kind::Plain,
            };
            let tag = Tag {
                name,
                page,
                token,
                kind,
            };
            let pages = tags.by_token.len().max(usize::from(page) + 1);
            tags.by_token.resize(pages, [None; 64]);
            let place = &mut tags.by_token[usize::from(page)][usize::from(token)];
            let is_own = versions.split(',').any(|v| v == version.as_str());
            if is_own {
                // Of two names of one token the first is read.
                let taken = tags
                    .by_name
                    .values()
                    .any(|t| (t.page, t.token) == (page, token));
                tags.by_name.insert(name, tag);
                if !taken {
                    *place = Some(tag);
                }
            } else {
                place.get_or_insert(tag);
            }
        }
        tags
    }
}

/// Rows of one kind: page, token, name, versions, content.
pub(super) fn rows(kind: &'static str) -> impl Iterator<Item = [&'static str; 5]> {
    let lines = include_str!("../data/tokens.tsv").lines();
    lines.filter_map(move |line| {
        let mut columns = line.split('\t');
        if columns.next() != Some(kind) {
            return None;
        }
        let row = [(); 5].map(|()| columns.next().unwrap_or_default());
        Some(row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csp::grammar::Grammar;

    #[test]
    fn elements_of_a_version_have_a_token_in_it_or_are_named_here() {
        let mut without = Vec::new();
        for version in Version::ALL {
            for name in Grammar::of(version).names() {
                if Tags::of(version).by_name(name).is_none() {
                    without.push(format!("{version} {name}"));
                }
            }
        }
        without.sort();
        without.dedup();
        assert_eq!(without, NO_TOKEN);
    }

    /// What is written by its name.
    const NO_TOKEN: &[&str] = &[
        "1.3 AcceptedCharset",
        "1.3 AcceptedContentLength",
        "1.3 AllFeat",
        "1.3 AutoSubscribe",
        "1.3 CAAUT",
        "1.3 CALI",
        "1.3 GALS",
        "1.3 InUse",
        "1.3 REACT",
    ];

    #[test]
    fn a_token_that_two_versions_use_is_read_by_the_version() {
        let name = |version, page, token| Tags::of(version).by_token(page, token).map(|t| t.name);
        assert_eq!(name(Version::V1_2, 9, 0x0B), Some("ReactiveAuthState"));
        assert_eq!(name(Version::V1_3, 9, 0x0B), Some("AnswerOptionText"));
        assert_eq!(name(Version::V1_2, 3, 0x14), Some("CIRURL"));
        assert_eq!(name(Version::V1_3, 3, 0x14), Some("CIRHTTPAddress"));
        assert_eq!(name(Version::V1_1, 0, 0x09), Some("WV-CSP-Message"));
        assert_eq!(name(Version::V1_3, 7, 0x1F), Some("Users"));
        assert_eq!(name(Version::V1_3, 200, 5), None);
    }
}
