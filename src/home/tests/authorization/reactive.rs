//! Reactive authorization: questions and decisions, each by attribute.

use super::*;

fn world() -> World {
    let mut world = World::peopled();
    let values = update(&[("StatusText", "here"), ("StatusMood", "HAPPY")]);
    assert_eq!(code(&mut world, "alice", &values), 200);
    world.open(1, "alice");
    world.heard(1);
    world
}

/// Who was put to alice.
fn questions(world: &mut World) -> Vec<String> {
    let heard = world.heard(1).into_iter();
    let questions = heard.filter_map(|event| match event {
        Event::AuthorizationRequest { user, .. } => Some(user.bare().to_owned()),
        _ => None,
    });
    questions.collect()
}

fn states(world: &mut World) -> Vec<(String, String)> {
    let request = "<GetReactiveAuthStatusRequest>META</GetReactiveAuthStatusRequest>";
    let Primitive::GetReactiveAuthStatusResponse(response) = ask(world, "alice", request) else {
        panic!();
    };
    let names = |list: &Option<AttributeList>| match list {
        None => "all".to_owned(),
        Some(list) => {
            let list: &PresenceSubList = list.presence.as_ref().unwrap();
            let names = list.attributes.iter().map(|a| a.name.as_str().to_owned());
            names.collect::<Vec<_>>().join(" ")
        }
    };
    let states = response.states.iter();
    states
        .map(|s| (s.state.clone().unwrap(), names(&s.attributes)))
        .collect()
}

fn state(state: &str, names: &str) -> (String, String) {
    (state.to_owned(), names.to_owned())
}

#[test]
fn a_decision_is_about_the_attributes_it_names_and_overwrites_what_was_said_of_them() {
    let mut world = world();
    watch(&mut world, ZOE, &["StatusText", "StatusMood"]);
    assert_eq!(told(&mut world), [one(ZOE, &[])]);
    assert_eq!(questions(&mut world), [ZOE]);
    assert_eq!(
        states(&mut world),
        [state("PENDING", "StatusText StatusMood")]
    );
    assert_eq!(
        code(&mut world, "alice", &decide(ZOE, true, &["StatusText"])),
        200
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusText", "here")])]);
    let both = [
        state("GRANTED", "StatusText"),
        state("PENDING", "StatusMood"),
    ];
    assert_eq!(states(&mut world), both);
    world.restart();
    assert_eq!(states(&mut world), both);
    // The rest is put to the user again when they come back.
    world.open(1, "alice");
    assert_eq!(questions(&mut world), [ZOE]);
    told(&mut world);
    assert_eq!(
        code(
            &mut world,
            "alice",
            &decide(ZOE, false, &["StatusText", "StatusMood"])
        ),
        200
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusText", "-")])]);
    assert_eq!(
        states(&mut world),
        [state("DENIED", "StatusText StatusMood")]
    );
    assert_eq!(code(&mut world, "alice", &decide(ZOE, true, &[])), 200);
    let all = [("StatusText", "here"), ("StatusMood", "HAPPY")];
    assert_eq!(told(&mut world), [one(ZOE, &all)]);
    assert_eq!(states(&mut world), [state("GRANTED", "all")]);
    // All but one.
    assert_eq!(
        code(&mut world, "alice", &decide(ZOE, false, &["StatusMood"])),
        200
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusMood", "-")])]);
    // Values that are not shown are no news.
    assert_eq!(
        code(&mut world, "alice", &update(&[("StatusMood", "SAD")])),
        200
    );
    assert_eq!(told(&mut world), []);
    assert_eq!(questions(&mut world), [""; 0]);
}

#[test]
fn a_cancelled_decision_leads_to_a_new_question_at_the_next_request() {
    let mut world = world();
    assert_eq!(code(&mut world, "alice", &decide(ZOE, true, &[])), 200);
    watch(&mut world, ZOE, &["StatusText"]);
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusText", "here")])]);
    assert_eq!(questions(&mut world), [""; 0]);
    let cancel = format!(r#"<CancelAuthRequest userID="wv:{ZOE}">META</CancelAuthRequest>"#);
    assert_eq!(code(&mut world, "alice", &cancel), 200);
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusText", "-")])]);
    assert_eq!(questions(&mut world), [""; 0]);
    watch(&mut world, ZOE, &["StatusText"]);
    assert_eq!(questions(&mut world), [ZOE]);
}

#[test]
fn where_something_is_authorized_proactively_nobody_is_asked_and_no_decision_counts() {
    let mut world = world();
    make(&mut world, "friends", &[ZOE]);
    let some = attach("Create", false, &["StatusText"], &list("friends"));
    assert_eq!(code(&mut world, "alice", &some), 200);
    watch(&mut world, ZOE, &["StatusText", "StatusMood"]);
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusText", "here")])]);
    assert_eq!(questions(&mut world), [""; 0]);
    for accept in [true, false] {
        assert_eq!(
            code(&mut world, "alice", &decide(ZOE, accept, &["StatusMood"])),
            200
        );
        assert_eq!(told(&mut world), []);
    }
    // As soon as nothing is, the decisions count.
    assert_eq!(
        code(&mut world, "alice", &decide(ZOE, true, &["StatusMood"])),
        200
    );
    let nothing = attach("Create", false, &[], &list("friends"));
    assert_eq!(code(&mut world, "alice", &nothing), 200);
    assert_eq!(
        told(&mut world),
        [one(ZOE, &[("StatusText", "-"), ("StatusMood", "HAPPY")])]
    );
}

#[test]
fn the_watcher_list_has_everybody_who_asked_whatever_they_may_see() {
    let mut world = world();
    for watcher in [ZOE, "yan@far.test", "xan@other.test"] {
        watch(&mut world, watcher, &[]);
    }
    assert_eq!(code(&mut world, "alice", &decide(ZOE, true, &[])), 200);
    assert_eq!(
        code(&mut world, "alice", &decide("yan@far.test", false, &[])),
        200
    );
    world.restart();
    let list = |world: &mut World, most: &str| {
        let request = format!("<GetWatcherListRequest {most}>META</GetWatcherListRequest>");
        let Primitive::GetWatcherListResponse(response) = ask(world, "alice", &request) else {
            panic!();
        };
        let watchers = response.watchers.iter();
        let watchers = watchers.map(|watcher| watcher.user.bare().to_owned());
        (response.count, watchers.collect::<Vec<_>>())
    };
    let all = ["xan@other.test", "yan@far.test", ZOE].map(str::to_owned);
    assert_eq!(list(&mut world, ""), (Some(3), all.to_vec()));
    let one = list(&mut world, r#"maxWatcherList="1""#);
    assert_eq!(one, (Some(3), vec!["xan@other.test".to_owned()]));
    // Asking once makes nobody a watcher.
    let get =
        r#"<GetPresenceRequest><VerUserID userID="wv:alice@home.test"/></GetPresenceRequest>"#;
    let get = decode_fragment(get.as_bytes()).unwrap();
    world.deliver("far.test", Some("wim@far.test"), get);
    assert_eq!(list(&mut world, "").0, Some(3));
}

#[test]
fn what_was_withdrawn_while_the_way_was_shut_is_told_when_it_is_back() {
    let mut world = world();
    assert_eq!(code(&mut world, "alice", &decide(ZOE, true, &[])), 200);
    watch(&mut world, ZOE, &["StatusText"]);
    assert_eq!(code(&mut world, "alice", &decide(ZOE, false, &[])), 200);
    // The notification was lost on the way.
    told(&mut world);
    let domains = vec!["far.test".to_owned()];
    world.home.take(Input::Reached(domains), world.now);
    world.settle();
    assert_eq!(told(&mut world), [one(ZOE, &[("StatusText", "-")])]);
}

#[test]
fn a_decision_that_cannot_be_is_refused() {
    let mut world = World::with(|settings| settings.max_contacts = 1);
    world.add("alice");
    for (request, expected) in [
        (decide("@far.test", true, &[]), 901),
        (decide("alice/friends@home.test", true, &[]), 901),
        (decide(ZOE, true, &["X-Shoe"]), 750),
        (
            r#"<CancelAuthRequest userID="wv:@far.test">META</CancelAuthRequest>"#.to_owned(),
            901,
        ),
    ] {
        let before = world.store.clone();
        assert_eq!(code(&mut world, "alice", &request), expected, "{request}");
        assert_eq!(world.store, before, "{request}");
    }
    assert_eq!(
        code(
            &mut world,
            "alice",
            &decide(ZOE, true, &["StatusText", "X-Shoe"])
        ),
        201
    );
    assert_eq!(
        code(&mut world, "alice", &decide("yan@far.test", true, &[])),
        754
    );
    let request = SubscribeRequest {
        meta: None,
        users: vec![UserId {
            user: address("alice@home.test"),
        }],
        attributes: None,
    };
    let answer = world.deliver("far.test", Some(ZOE), request);
    assert_eq!(answer, Some(Status::ok().into()));
}
