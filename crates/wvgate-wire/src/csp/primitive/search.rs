//! Search, and verification of ids.

use crate::csp::element::Element;
use crate::csp::typed::{Content, Part, element};
use crate::csp::version::Version;
use crate::imps::Address;
use crate::imps::common::{ContactList, GroupId, ScreenName, UserId};
use crate::imps::primitive::common::{Id, IdList, SearchPair};
use crate::imps::primitive::group::MemberList;
use crate::imps::xml::DecodeError;

element! {
    /// A new search, with criteria, or the next page of one, with its id.
    SearchRequest {
        part criteria: Criteria,
        opt "AdvancedCriteria" advanced: String,
        opt "SearchLimit" limit: u32,
        opt "SearchID" search: u64,
        opt "SearchIndex" index: u32,
    }

    /// A page of results.
    SearchResponse {
        opt "SearchID" search: u64,
        opt "SearchFindings" findings: u32,
        opt "CompletionFlag" is_complete: bool,
        opt "SearchIndex" index: u32,
        opt "SearchResult" result: SearchResult,
    }

    /// Users or groups that were found.
    SearchResult {
        opt "UserList" users: MemberList,
        list "GroupList" / "GroupID" groups: Address,
    }

    /// Gives up what is left of a search.
    StopSearchRequest {
        one "SearchID" search: u64,
    }

    /// Asks whether ids exist. Answered by `Status`.
    VerifyIdRequest {
        one "IDList" ids: IdList,
    }
}

/// What must hold for what is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Criteria(pub Vec<Criterion>);

/// What somebody, or something, must have to be found; all conditions hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Criterion {
    /// What is compared, and with what.
    pub pair: SearchPair,
    /// A number by which an advanced condition names it (1.3).
    pub id: Option<u32>,
}

impl Part for Criteria {
    fn read_in(parent: &Element<'_>) -> Result<Self, DecodeError> {
        let mut found: Vec<Criterion> = Vec::new();
        // One list may hold several pairs.
        for list in parent.named("SearchPairList") {
            let before = found.len();
            for child in &list.children {
                if child.name == "SearchElement" {
                    found.push(Criterion {
                        pair: SearchPair {
                            element: String::read(child)?,
                            string: String::new(),
                        },
                        id: None,
                    });
                }
            }
            let strings = list.named("SearchString");
            for (criterion, string) in found[before..].iter_mut().zip(strings) {
                criterion.pair.string = String::read(string)?;
            }
            for (criterion, id) in found[before..].iter_mut().zip(list.named("PairID")) {
                criterion.id = Some(u32::read(id)?);
            }
        }
        Ok(Self(found))
    }

    fn add<'v>(&'v self, _: &'static str, version: Version, out: &mut Vec<Element<'v>>) {
        for Criterion { pair, id } in &self.0 {
            let mut children = vec![
                pair.element.element("SearchElement", version),
                pair.string.element("SearchString", version),
            ];
            children.extend(id.iter().map(|id| id.element("PairID", version)));
            out.push(Element::of("SearchPairList", children));
        }
    }
}

impl Content for IdList {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let mut ids = Vec::with_capacity(element.children.len());
        for child in &element.children {
            ids.push(match child.name {
                "UserID" => Id::User(UserId::read(child)?),
                "GroupID" => Id::Group(GroupId::read(child)?),
                "ScreenName" => Id::ScreenName(ScreenName::read(child)?),
                "ContactList" => Id::ContactList(ContactList::read(child)?),
                "Domain" => Id::Domain(String::read(child)?),
                _ => continue,
            });
        }
        Ok(Self { ids })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        let child = |id: &'v Id| match id {
            Id::User(id) => id.element("UserID", version),
            Id::Group(id) => id.element("GroupID", version),
            Id::ScreenName(id) => id.element("ScreenName", version),
            Id::ContactList(id) => id.element("ContactList", version),
            Id::Domain(id) => id.element("Domain", version),
        };
        Element::of(name, self.ids.iter().map(child).collect())
    }
}
