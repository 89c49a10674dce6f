//! Search for groups.

use super::*;
use crate::imps::primitive::common::{
    SearchPair, SearchRequest, SearchResponse, StopSearchRequest,
};

fn search(pairs: &[(&str, &str)], limit: u32) -> SearchRequest {
    let pairs = pairs.iter().map(|(element, string)| SearchPair {
        element: (*element).to_owned(),
        string: (*string).to_owned(),
    });
    SearchRequest {
        limit: Some(limit),
        search_id: None,
        index: None,
        meta: None,
        pairs: Some(pairs.collect()),
    }
}

fn page(answer: Primitive) -> SearchResponse {
    match answer {
        Primitive::SearchResponse(page) => *page,
        other => panic!("{other:?}"),
    }
}

/// Names of the groups found.
fn found(page: &SearchResponse) -> Vec<String> {
    let groups = page
        .result
        .as_ref()
        .and_then(|result| result.groups.clone());
    let groups = groups.unwrap_or_default().into_iter();
    groups.map(|id| id.group.local().to_owned()).collect()
}

fn finds(world: &mut World, asker: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    found(&page(world.asks(asker, search(pairs, 100))))
}

/// Three groups that want to be found, and one that does not.
fn library() -> World {
    let mut world = World::peopled();
    for (name, topic) in [
        ("novels", "Books of fiction"),
        ("cooks", "Cook books"),
        ("cars", "Cars"),
    ] {
        let group = format!("wv:alice/{name}@home.test");
        let given = [("Topic", topic), ("Name", name), ("Searchable", "T")];
        assert_eq!(world.does(ALICE, create(&group, &given)), 200);
    }
    let hidden = "wv:alice/hidden@home.test";
    assert_eq!(
        world.does(ALICE, create(hidden, &[("Topic", "Rare books")])),
        200
    );
    world
}

#[test]
fn groups_are_found_by_each_criterion_and_by_several_together() {
    let mut world = library();
    world.does(BOB, join("wv:alice/cars@home.test", ""));
    world.does(DAN, join("wv:alice/cooks@home.test", "Hidden Dan"));
    for (pairs, expected) in [
        (
            &[("GROUP_TOPIC", "BOOK")][..],
            &["alice/cooks", "alice/novels"][..],
        ),
        (&[("GROUP_NAME", "oo")], &["alice/cooks"]),
        (&[("GROUP_ID", "alice/c")], &["alice/cars", "alice/cooks"]),
        (
            &[("GROUP_USER_ID_OWNER", ALICE)],
            &["alice/cars", "alice/cooks", "alice/novels"],
        ),
        (&[("GROUP_USER_ID_OWNER", BOB)], &[]),
        (&[("GROUP_USER_ID_JOINED", BOB)], &["alice/cars"]),
        // Who hides behind a screen name is not found out.
        (&[("GROUP_USER_ID_JOINED", DAN)], &[]),
        (&[("GROUP_USER_ID_AUTOJOIN", BOB)], &[]),
        (
            &[("GROUP_TOPIC", "book"), ("GROUP_NAME", "novel")],
            &["alice/novels"],
        ),
    ] {
        assert_eq!(finds(&mut world, CAROL, pairs), expected, "{pairs:?}");
    }
    assert_eq!(
        finds(&mut world, DAN, &[("GROUP_USER_ID_JOINED", DAN)]),
        ["alice/cooks"]
    );
    // Who belongs to a group finds it all the same.
    let all = finds(&mut world, ALICE, &[("GROUP_TOPIC", "book")]);
    assert_eq!(all, ["alice/cooks", "alice/hidden", "alice/novels"]);
}

#[test]
fn results_come_in_pages_to_who_asked_for_a_while() {
    let mut world = library();
    let first = page(world.asks(BOB, search(&[("GROUP_ID", "alice")], 2)));
    assert_eq!(
        (first.findings, first.completion, first.index),
        (Some(3), Some(false), Some(3))
    );
    assert_eq!(found(&first), ["alice/cars", "alice/cooks"]);
    let next = |index: u32| SearchRequest {
        limit: None,
        search_id: first.search_id.clone(),
        index: Some(index),
        meta: None,
        pairs: None,
    };
    let second = page(world.asks(BOB, next(3)));
    assert_eq!((second.completion, second.index), (Some(true), None));
    assert_eq!(found(&second), ["alice/novels"]);
    assert_eq!(world.does(BOB, next(4)), 425);
    assert_eq!(world.does(BOB, next(0)), 425);
    assert_eq!(world.does(DAN, next(3)), 424);
    let stop = StopSearchRequest {
        search_id: first.search_id.clone().unwrap(),
        meta: None,
    };
    assert_eq!(world.does(DAN, stop.clone()), 424);
    assert_eq!(world.does(BOB, stop.clone()), 200);
    assert_eq!(world.does(BOB, stop), 424);
    assert_eq!(world.does(BOB, next(3)), 424);
    let again = page(world.asks(BOB, search(&[("GROUP_ID", "alice")], 2)));
    world.wait(601);
    let late = SearchRequest {
        search_id: again.search_id,
        ..next(3)
    };
    assert_eq!(world.does(BOB, late), 424);
}

#[test]
fn a_search_that_makes_no_sense_is_refused() {
    let mut world = library();
    let long = "x".repeat(257);
    for (pairs, expected) in [
        (&[][..], 402),
        (&[("GROUP_TOPIC", "")], 537),
        (&[("GROUP_COLOUR", "red")], 562),
        (&[("USER_ALIAS", "al"), ("GROUP_NAME", "oo")], 562),
        (&[("GROUP_TOPIC", long.as_str())], 402),
        (&[("GROUP_ID", "a"); 17], 402),
    ] {
        assert_eq!(world.does(BOB, search(pairs, 5)), expected, "{pairs:?}");
    }
    // More searches than a user may have at once: the oldest has ended.
    let open: Vec<_> = (0..9)
        .map(|_| page(world.asks(BOB, search(&[("GROUP_ID", "alice")], 1))).search_id)
        .collect();
    let next = |id: &Option<String>| SearchRequest {
        limit: None,
        search_id: id.clone(),
        index: Some(2),
        meta: None,
        pairs: None,
    };
    assert_eq!(world.does(BOB, next(&open[0])), 424);
    assert_eq!(world.does(BOB, next(&open[1])), 200);
}
