//! Who there is: `/verify`, `/find`, `/more`.

use super::super::screen;
use super::family::{Command, Family, Meaning, failure, hears_nothing, verdict};
use super::memory::Memory;
use crate::imps::Primitive;
use crate::imps::primitive::common::{SearchPair, SearchRequest, SearchResponse};

pub(super) const FAMILY: Family = Family {
    help: "\
/find TEXT              look for users by address, alias or name; /more goes on
/find city=Oslo age-min=30  by what they have in their profile, all of it together
/find group TEXT        look for groups by address, name or topic
/verify ADDRESS         does this user exist?",
    understand,
    hear: hears_nothing,
};

/// Results of one page.
const PAGE: u32 = 20;

fn understand(memory: &mut Memory, command: &Command<'_>) -> Option<Meaning> {
    match command.name {
        "verify" if command.rest.is_empty() => Some(command.needs_address()),
        "verify" => {
            let user = memory.requests.address(command.rest);
            let request = memory.requests.verify(user.clone());
            Some(Meaning::ask(vec![request], move |_, answers| {
                screen::exists(&user, &verdict(answers))
            }))
        }
        "find" => Some(find(memory, command)),
        "more" => Some(more(memory)),
        _ => None,
    }
}

fn find(memory: &Memory, command: &Command<'_>) -> Meaning {
    let (first, rest) = command.split();
    if first.is_empty() || first == "group" && rest.is_empty() {
        let how = "write /find TEXT, /find group TEXT, or what users have, as /find city=Oslo";
        return Meaning::Show(how.to_owned());
    }
    let one = |element: &str, text: &str| SearchPair {
        element: element.to_owned(),
        string: text.to_owned(),
    };
    let any = |elements: [&str; 3], text: &str| -> Vec<Vec<SearchPair>> {
        elements.map(|element| vec![one(element, text)]).into()
    };
    let searches = if first == "group" {
        any(["GROUP_ID", "GROUP_NAME", "GROUP_TOPIC"], rest)
    } else if first.contains('=') {
        let pairs = command.rest.split_whitespace().map(|pair| {
            let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
            let name = name.to_ascii_uppercase().replace('-', "_");
            let name = if name == "ONLINE" {
                "ONLINE_STATUS"
            } else {
                &name
            };
            one(&format!("USER_{name}"), text)
        });
        vec![pairs.collect()]
    } else {
        any(
            ["USER_ID", "USER_ALIAS", "USER_FRIENDLY_NAME"],
            command.rest,
        )
    };
    let request = |pairs| {
        search(
            memory,
            SearchRequest {
                limit: Some(PAGE),
                search_id: None,
                index: None,
                meta: None,
                pairs: Some(pairs),
            },
        )
    };
    show(searches.into_iter().map(request).collect())
}

/// The next page of each search that has one.
fn more(memory: &mut Memory) -> Meaning {
    let open = std::mem::take(&mut memory.searches);
    if open.is_empty() {
        return Meaning::Show("there is no more".to_owned());
    }
    let next = open.into_iter().map(|(id, index)| {
        search(
            memory,
            SearchRequest {
                limit: None,
                search_id: Some(id),
                index: Some(index),
                meta: None,
                pairs: None,
            },
        )
    });
    show(next.collect())
}

fn search(memory: &Memory, request: SearchRequest) -> Primitive {
    SearchRequest {
        meta: memory.requests.meta(),
        ..request
    }
    .into()
}

fn show(requests: Vec<Primitive>) -> Meaning {
    Meaning::ask(requests, |memory, answers| {
        if let Some(status) = failure(answers) {
            return screen::failed("find", None, status);
        }
        let pages = answers.iter().filter_map(|answer| match answer {
            Primitive::SearchResponse(page) => Some(page.as_ref()),
            _ => None,
        });
        let pages: Vec<&SearchResponse> = pages.collect();
        let next = pages.iter().filter(|page| page.completion != Some(true));
        let next = next.filter_map(|page| Some((page.search_id.clone()?, page.index?)));
        memory.searches = next.collect();
        screen::found(&pages, !memory.searches.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::super::Action;
    use super::super::tests::{answer, codec, said};
    use crate::imps::Primitive;

    #[test]
    fn what_was_found_is_shown_once_and_more_goes_on() {
        let mut codec = codec();
        let requests = said(&mut codec, "/find bo");
        assert_eq!(requests.len(), 3);
        let page = |attributes: &str, users: &str| {
            format!(
                r#"<SearchResponse {attributes}><Status code="200"/><SearchResult><UserList>{users}</UserList></SearchResult></SearchResponse>"#
            )
        };
        let bob = r#"<User userID="wv:bob@home.test" friendlyName="Bobby"/>"#;
        let bo = r#"<User userID="wv:bo@home.test"/>"#;
        let first = page(
            r#"searchID="7" completion="No" searchIndex="3""#,
            &format!("{bob}{bo}"),
        );
        let second = page(r#"completion="Yes""#, bob);
        let third = page(r#"completion="Yes""#, "");
        assert_eq!(answer(&mut codec, &requests[0].0, &first), None);
        assert_eq!(answer(&mut codec, &requests[1].0, &second), None);
        let told = answer(&mut codec, &requests[2].0, &third).unwrap();
        assert_eq!(
            told,
            "* bo@home.test\n* bob@home.test \"Bobby\"\n* there is more: /more"
        );
        let requests = said(&mut codec, "/more");
        let [(id, Primitive::SearchRequest(next))] = requests.as_slice() else {
            panic!("{requests:?}");
        };
        assert_eq!(
            (next.search_id.as_deref(), next.index),
            (Some("7"), Some(3))
        );
        let told = answer(&mut codec, id, &third).unwrap();
        assert_eq!(told, "* nobody is found by that");
        assert!(matches!(codec.understand("/more"), Action::Show(_)));
    }

    #[test]
    fn several_criteria_are_one_search() {
        let requests = said(&mut codec(), "/find city=Oslo age-min=30 online=T");
        let [(_, Primitive::SearchRequest(search))] = requests.as_slice() else {
            panic!("{requests:?}");
        };
        let pairs = search.pairs.iter().flatten();
        let pairs: Vec<_> = pairs.map(|pair| (&*pair.element, &*pair.string)).collect();
        assert_eq!(
            pairs,
            [
                ("USER_CITY", "Oslo"),
                ("USER_AGE_MIN", "30"),
                ("USER_ONLINE_STATUS", "T")
            ]
        );
    }
}
