//! Search for users.

use super::*;
use crate::imps::primitive::common::{
    SearchPair, SearchRequest, SearchResponse, StopSearchRequest,
};

const BOB: &str = "bob@far.test";

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

fn ask(world: &mut World, asker: &str, request: impl Into<Primitive>) -> Primitive {
    let domain = address(asker).domain().to_owned();
    world.deliver(&domain, Some(asker), request).unwrap()
}

fn code(world: &mut World, asker: &str, request: impl Into<Primitive>) -> u16 {
    let answer = ask(world, asker, request);
    answer.verdict().unwrap().code.0
}

fn page(world: &mut World, asker: &str, request: SearchRequest) -> SearchResponse {
    match ask(world, asker, request) {
        Primitive::SearchResponse(page) => *page,
        other => panic!("{other:?}"),
    }
}

/// Names of the users found, and what they are called.
fn found(page: &SearchResponse) -> Vec<(String, Option<String>)> {
    let users = page.result.as_ref().and_then(|result| result.users.clone());
    let users = users.unwrap_or_default().into_iter();
    users
        .map(|user| (user.user.local().to_owned(), user.friendly_name))
        .collect()
}

fn finds(world: &mut World, asker: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let page = page(world, asker, search(pairs, 100));
    found(&page).into_iter().map(|(name, _)| name).collect()
}

fn change(world: &mut World, record: &UserRecord) {
    world.wake(&[&record.user]);
    world.home.operator(world.now).change(record).unwrap();
    world.settle();
}

fn texts_of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Alice and carol have filled in their profiles, and alice may be found by all of it.
fn directory() -> World {
    let mut world = World::peopled();
    for (user, first, last) in [("alice", "Alice", "Smith"), ("carol", "Carol", "Smithers")] {
        let properties = [
            ("PP_FIRST_NAME", first),
            ("PP_LAST_NAME", last),
            ("PP_EMAIL_ADDRESS", "wonder@land.example"),
            ("PP_MOBILE_NUMBER", "+4712345678"),
            ("PP_FRIENDLY_NAME", "The Queen"),
            ("PP_AGE", "33"),
            ("PP_CITY", "Oslo"),
            ("PP_COUNTRY", "NO"),
            ("PP_GENDER", "F"),
            ("PP_INTENTION", "Chess"),
            ("PP_INTERESTS", "croquet, tea"),
            ("PP_MARITAL_STATUS", "single"),
        ];
        change(
            &mut world,
            &UserRecord {
                user: user.to_owned(),
                alias: Some("Looking Glass".to_owned()),
                properties: texts_of(&properties),
                ..UserRecord::default()
            },
        );
    }
    world
}

fn allow(world: &mut World, user: &str, names: &[&str], status: &str) {
    let privacy = names.iter().map(|name| (*name).to_owned());
    change(
        world,
        &UserRecord {
            user: user.to_owned(),
            privacy: privacy.map(|name| (name, status.to_owned())).collect(),
            ..UserRecord::default()
        },
    );
}

const ALL: [(&str, &str, &str); 16] = [
    ("USER_ID", "USER_ID", "ALI"),
    ("USER_ID", "USER_ID", "wv:alice@home.test"),
    ("USER_FIRST_NAME", "USER_FIRST_NAME", "lic"),
    ("USER_LAST_NAME", "USER_LAST_NAME", "SMITH"),
    ("USER_EMAIL_ADDRESS", "USER_EMAIL_ADDRESS", "@land"),
    ("USER_ALIAS", "USER_ALIAS", "glass"),
    ("USER_MOBILE_NUMBER", "USER_MOBILE_NUMBER", "4712"),
    ("USER_AGE_MIN", "USER_AGE", "33"),
    ("USER_AGE_MAX", "USER_AGE", "33"),
    ("USER_CITY", "USER_CITY", "oslo"),
    ("USER_COUNTRY", "USER_COUNTRY", "no"),
    ("USER_FRIENDLY_NAME", "USER_FRIENDLY_NAME", "queen"),
    ("USER_GENDER", "USER_GENDER", "f"),
    ("USER_INTENTION", "USER_INTENTION", "chess"),
    ("USER_INTERESTS_HOBBIES", "USER_INTERESTS_HOBBIES", "tea"),
    ("USER_MARITAL_STATUS", "USER_MARITAL_STATUS", "single"),
];

#[test]
fn users_are_found_by_what_they_allow_and_by_nothing_else() {
    let mut world = directory();
    for (criterion, capability, text) in ALL {
        let pairs = &[(criterion, text)];
        assert_eq!(finds(&mut world, BOB, pairs), [""; 0], "{criterion} {text}");
        allow(&mut world, "alice", &[capability], "Allowed");
        assert_eq!(
            finds(&mut world, BOB, pairs),
            ["alice"],
            "{criterion} {text}"
        );
        assert_eq!(finds(&mut world, "bob@home.test", pairs), ["alice"]);
        for no in ["Denied", "Ask"] {
            allow(&mut world, "alice", &[capability], no);
            assert_eq!(finds(&mut world, BOB, pairs), [""; 0], "{criterion} {text}");
        }
    }
}

#[test]
fn all_criteria_must_fit_and_all_must_be_allowed() {
    let mut world = directory();
    allow(
        &mut world,
        "alice",
        &["USER_LAST_NAME", "USER_CITY"],
        "Allowed",
    );
    allow(&mut world, "carol", &["USER_LAST_NAME"], "Allowed");
    let last = ("USER_LAST_NAME", "smith");
    assert_eq!(finds(&mut world, BOB, &[last]), ["alice", "carol"]);
    assert_eq!(
        finds(&mut world, BOB, &[last, ("USER_CITY", "Oslo")]),
        ["alice"]
    );
    assert_eq!(
        finds(&mut world, BOB, &[last, ("USER_CITY", "Rome")]),
        [""; 0]
    );
    assert_eq!(
        finds(&mut world, BOB, &[last, ("USER_AGE_MIN", "34")]),
        [""; 0]
    );
}

#[test]
fn who_is_at_rest_is_found_like_anybody_else() {
    let mut world = World::with(|settings| {
        let by = ["USER_ID", "USER_ALIAS", "USER_ONLINE_STATUS"];
        settings.found_by = by.map(str::to_owned).into();
    });
    for n in 0..300 {
        world.add(&format!("u{n:03}"));
    }
    for name in ["alice", "bob"] {
        world.add(name);
        let alias = Some(format!("{name} the Great"));
        let record = UserRecord {
            user: name.to_owned(),
            alias,
            ..UserRecord::default()
        };
        change(&mut world, &record);
    }
    for pairs in [
        &[("USER_ID", "bob")][..],
        &[("USER_ID", "wv:bob@home.test")],
        &[("USER_ID", "b@home")],
        &[("USER_ID", "home.t")],
        &[("USER_ID", "nobody")],
        &[("USER_ALIAS", "the great")],
        &[("USER_ALIAS", "great"), ("USER_ID", "ali")],
        &[("USER_ONLINE_STATUS", "F"), ("USER_ID", "u29")],
        &[("USER_ONLINE_STATUS", "T")],
    ] {
        let awake = finds(&mut world, "zoe@far.test", pairs);
        world.put_to_rest();
        assert!(world.home.users.is_empty());
        let asked = world.deliver("far.test", Some("zoe@far.test"), search(pairs, 1000));
        world.wait(1);
        let answer = asked.or_else(|| Some(world.answers.pop_last()?.1));
        let Some(Primitive::SearchResponse(response)) = answer else {
            panic!("{pairs:?}: {answer:?}");
        };
        let total = response.findings.unwrap_or_default() as usize;
        assert_eq!(total.min(100), awake.len(), "{pairs:?}");
        // Those who were found were woken for it; who could not be meant was not.
        let names: Vec<String> = world.home.names().behind("", 1000);
        world.wake(&names.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn who_is_online_is_found_by_that_if_they_allow_it() {
    let mut world = directory();
    allow(
        &mut world,
        "alice",
        &["USER_ID", "USER_ONLINE_STATUS"],
        "Allowed",
    );
    let online = |status| [("USER_ID", "alice"), ("USER_ONLINE_STATUS", status)];
    assert_eq!(finds(&mut world, BOB, &online("T")), [""; 0]);
    assert_eq!(finds(&mut world, BOB, &online("F")), ["alice"]);
    world.open(1, "alice");
    assert_eq!(finds(&mut world, BOB, &online("T")), ["alice"]);
    allow(&mut world, "alice", &["USER_ONLINE_STATUS"], "Denied");
    assert_eq!(finds(&mut world, BOB, &online("T")), [""; 0]);
}

#[test]
fn the_operator_says_what_users_who_say_nothing_are_found_by() {
    let mut world = World::with(|settings| {
        settings.found_by = ["USER_ID".to_owned(), "USER_ALIAS".to_owned()].into();
        settings.echo = true;
    });
    for user in ["alice", "alina", "bob"] {
        world.add(user);
    }
    let id = &[("USER_ID", "ali")];
    assert_eq!(finds(&mut world, BOB, id), ["alice", "alina"]);
    allow(&mut world, "alina", &["user_id"], "Denied");
    assert_eq!(finds(&mut world, BOB, id), ["alice"]);
    world.restart();
    assert_eq!(finds(&mut world, BOB, id), ["alice"]);
    // The built-in user is nobody.
    assert_eq!(finds(&mut world, BOB, &[("USER_ID", "echo")]), [""; 0]);
}

#[test]
fn who_is_blocked_or_disabled_finds_nobody_and_is_found_by_nobody() {
    let mut world = World::with(|settings| settings.found_by = ["USER_ID".to_owned()].into());
    world.add("alice");
    world.open(1, "alice");
    let id = &[("USER_ID", "alice")];
    assert_eq!(finds(&mut world, BOB, id), ["alice"]);
    world.say(1, r#"{"do":"block","user":"bob@far.test"}"#);
    assert_eq!(finds(&mut world, BOB, id), [""; 0]);
    assert_eq!(finds(&mut world, "eve@far.test", id), ["alice"]);
    world.close(1);
    change(
        &mut world,
        &UserRecord {
            user: "alice".to_owned(),
            disabled: Some(true),
            ..UserRecord::default()
        },
    );
    assert_eq!(finds(&mut world, "eve@far.test", id), [""; 0]);
}

#[test]
fn who_is_found_is_named_as_they_allow() {
    let mut world = directory();
    allow(&mut world, "alice", &["USER_CITY"], "Allowed");
    let city = || search(&[("USER_CITY", "oslo")], 5);
    let named = |world: &mut World| found(&page(world, BOB, city()))[0].1.clone();
    assert_eq!(named(&mut world), None);
    allow(&mut world, "alice", &["USER_ALIAS"], "Allowed");
    assert_eq!(named(&mut world).as_deref(), Some("Looking Glass"));
    allow(&mut world, "alice", &["USER_FRIENDLY_NAME"], "Allowed");
    assert_eq!(named(&mut world).as_deref(), Some("The Queen"));
}

#[test]
fn a_search_that_makes_no_sense_is_refused_whole() {
    let mut world = directory();
    let long = "x".repeat(257);
    for (pairs, expected) in [
        (&[][..], 402),
        (&[("USER_ID", "")], 537),
        (&[("USER_ID", "wv:")], 537),
        (&[("USER_COLOUR", "red")], 562),
        (&[("USER_AGE", "33")], 562),
        (&[("USER_AGE_MIN", "old")], 402),
        (&[("USER_ONLINE_STATUS", "perhaps")], 402),
        (&[("USER_ID", long.as_str())], 402),
        (&[("USER_ID", "a"); 17], 402),
        (&[("USER_ID", "a"), ("GROUP_NAME", "a")], 562),
    ] {
        assert_eq!(
            code(&mut world, BOB, search(pairs, 5)),
            expected,
            "{pairs:?}"
        );
    }
    // Nobody asks, or somebody who is no user; nor is another domain this one.
    let request = search(&[("USER_ID", "a")], 5);
    let mut meta = MetaInfo::of_user("far.test", address(BOB));
    meta.client_originated = Some(false);
    let by_server = SearchRequest {
        meta: Some(meta),
        ..request.clone()
    };
    let answer = world.deliver("far.test", None, by_server).unwrap();
    assert_eq!(answer.verdict().unwrap().code.0, 402);
    let answer = world.deliver("far.test", None, request.clone()).unwrap();
    assert_eq!(answer.verdict().unwrap().code.0, 402);
    let answer = world.deliver("far.test", Some("wv:bob/x@far.test"), request);
    assert_eq!(answer.unwrap().verdict().unwrap().code.0, 901);
    assert_eq!(world.outbox, []);
}

/// A domain with so many users `u0`, `u1`, ..., who may be found by their ids.
fn crowd(size: usize) -> World {
    let mut world = World::with(|settings| settings.found_by = ["USER_ID".to_owned()].into());
    for number in 0..size {
        let name = format!("u{number:05}");
        world
            .home
            .add_user(&name, "hash".to_owned(), START)
            .unwrap();
    }
    world.settle();
    world
}

#[test]
fn users_come_in_pages_to_who_asked_until_the_search_is_stopped() {
    let mut world = crowd(12);
    let first = page(&mut world, BOB, search(&[("USER_ID", "u0")], 5));
    assert_eq!(
        (first.findings, first.completion, first.index),
        (Some(12), Some(false), Some(6))
    );
    let next = |index: u32| SearchRequest {
        limit: None,
        search_id: first.search_id.clone(),
        index: Some(index),
        meta: None,
        pairs: None,
    };
    let third = page(&mut world, BOB, next(11));
    assert_eq!((third.completion, third.index), (Some(true), None));
    let names: Vec<String> = found(&third).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["u00010", "u00011"]);
    assert_eq!(code(&mut world, BOB, next(13)), 425);
    assert_eq!(code(&mut world, "eve@far.test", next(6)), 424);
    let stop = StopSearchRequest {
        search_id: first.search_id.clone().unwrap(),
        meta: None,
    };
    assert_eq!(code(&mut world, "eve@far.test", stop.clone()), 424);
    assert_eq!(code(&mut world, BOB, stop.clone()), 200);
    assert_eq!(code(&mut world, BOB, stop), 424);
    assert_eq!(code(&mut world, BOB, next(6)), 424);
}

#[test]
fn of_one_users_searches_with_further_pages_the_oldest_ends() {
    let mut world = crowd(12);
    let mut begin = |asker: &str| page(&mut world, asker, search(&[("USER_ID", "u0")], 5));
    let other = begin("eve@far.test");
    let kept = [(); 9].map(|()| begin(BOB));
    let next = |search: &SearchResponse| SearchRequest {
        limit: None,
        search_id: search.search_id.clone(),
        index: Some(6),
        meta: None,
        pairs: None,
    };
    assert_eq!(code(&mut world, BOB, next(&kept[0])), 424);
    for search in &kept[1..] {
        assert_eq!(found(&page(&mut world, BOB, next(search))).len(), 5);
    }
    let others = page(&mut world, "eve@far.test", next(&other));
    assert_eq!(found(&others).len(), 5);
}

#[test]
fn more_than_is_told_is_refused() {
    let mut world = crowd(1001);
    assert_eq!(code(&mut world, BOB, search(&[("USER_ID", "u")], 5)), 536);
    let id = &[("USER_ID", "u0100")];
    assert_eq!(finds(&mut world, BOB, id), ["u01000"]);
}

/// Asks without waiting for the answer. Its number.
fn begin(world: &mut World, asker: &str, pairs: &[(&str, &str)]) -> RequestId {
    let domain = address(asker).domain().to_owned();
    let before = world.answers.len();
    let answer = world.deliver(&domain, Some(asker), search(pairs, 5));
    assert_eq!((answer, world.answers.len()), (None, before));
    // The domain's own request came after it.
    RequestId(world.requests - 1)
}

#[test]
fn a_long_search_lets_others_have_their_turn() {
    let mut world = crowd(5000);
    let asked = begin(&mut world, BOB, &[("USER_ID", "u0499")]);
    // Meanwhile everything else goes on.
    world.open(1, "u00001");
    assert!(!world.answers.contains_key(&asked));
    world.wait(0);
    let Some(Primitive::SearchResponse(page)) = world.answers.remove(&asked) else {
        panic!("{:?}", world.answers);
    };
    assert_eq!(page.findings, Some(10));
    assert_eq!(
        world.home.next_timeout().filter(|at| *at <= world.now),
        None
    );
}

#[test]
fn who_asks_too_much_at_once_is_refused_and_what_takes_too_long_ends() {
    let mut world = crowd(5000);
    let pairs = &[("USER_ID", "u0499")];
    let asked = [(); 12].map(|()| begin(&mut world, BOB, pairs));
    assert_eq!(code(&mut world, BOB, search(pairs, 5)), 503);
    // Others are not concerned.
    let other = begin(&mut world, "eve@far.test", pairs);
    world.now = world.now.plus_seconds(9);
    world.wait(0);
    for id in asked.into_iter().chain([other]) {
        let answer = world.answers.remove(&id).unwrap();
        assert_eq!(answer.verdict().unwrap().code.0, 535);
    }
    let asked = begin(&mut world, BOB, pairs);
    world.wait(0);
    let answer = world.answers.remove(&asked).unwrap();
    assert_eq!(answer.verdict().unwrap().code.0, 200);
    // In all, not more than so many.
    for number in 0..64 {
        let asker = format!("user{number}@far.test");
        begin(&mut world, &asker, pairs);
    }
    assert_eq!(code(&mut world, "late@far.test", search(pairs, 5)), 503);
}

#[test]
fn of_all_searches_that_are_open_the_oldest_ends() {
    let mut world = World::with(|settings| {
        settings.max_searches = 3;
        settings.found_by = ["USER_ID".to_owned()].into();
    });
    for n in 0..12 {
        let name = format!("u{n:05}");
        world
            .home
            .add_user(&name, "hash".to_owned(), START)
            .unwrap();
    }
    world.settle();
    let askers: Vec<String> = (0..5).map(|n| format!("eve{n}@far.test")).collect();
    let begun: Vec<SearchResponse> = askers
        .iter()
        .map(|asker| page(&mut world, asker, search(&[("USER_ID", "u0")], 5)))
        .collect();
    let further: Vec<bool> = askers
        .iter()
        .zip(begun)
        .map(|(asker, begun)| {
            let next = SearchRequest {
                limit: None,
                search_id: begun.search_id,
                index: Some(6),
                meta: None,
                pairs: None,
            };
            matches!(ask(&mut world, asker, next), Primitive::SearchResponse(_))
        })
        .collect();
    assert_eq!(further, [false, false, true, true, true]);
}
