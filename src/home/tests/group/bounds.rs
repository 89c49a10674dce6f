//! What strangers can make grow, each at its bound; and what goes to many.

use super::*;
use std::collections::BTreeSet;

#[test]
fn groups_have_bounds_for_a_user_and_for_the_domain() {
    let mut world = World::with(|settings| {
        settings.groups.max_owned = 2;
        settings.groups.max_groups = 3;
        settings.groups.max_joined = 3;
    });
    for name in ["alice", "carol"] {
        world.add(name);
    }
    let group = |owner: &str, n: usize| format!("wv:{owner}/g{n}@home.test");
    assert_eq!(world.does(ALICE, create(&group("alice", 0), &[])), 200);
    assert_eq!(world.does(ALICE, create(&group("alice", 1), &[])), 200);
    assert_eq!(world.does(ALICE, create(&group("alice", 2), &[])), 814);
    world.restart();
    assert_eq!(world.does(ALICE, create(&group("alice", 2), &[])), 814);
    assert_eq!(world.does(CAROL, create(&group("carol", 0), &[])), 200);
    assert_eq!(world.does(CAROL, create(&group("carol", 1), &[])), 815);
    let delete = DeleteGroupRequest {
        group: address(&group("alice", 0)),
        meta: None,
    };
    assert_eq!(world.does(ALICE, delete), 200);
    assert_eq!(world.does(ALICE, create(&group("alice", 2), &[])), 200);
    // Joined to three, nobody joins a fourth.
    let mut world = World::with(|settings| settings.groups.max_joined = 3);
    world.add("alice");
    for n in 0..4 {
        let mut request = create(&group("alice", n), &[]);
        request.join = false;
        assert_eq!(world.does(ALICE, request), 200);
        let expected = if n < 3 { 200 } else { 814 };
        assert_eq!(world.does(BOB, join(&group("alice", n), "")), expected);
    }
    assert_eq!(world.does(BOB, leave(&group("alice", 0))), 200);
    world.restart();
    assert_eq!(world.does(BOB, join(&group("alice", 3), "")), 200);
}

#[test]
fn members_joined_users_and_rejected_ones_have_bounds() {
    let mut world = World::with(|settings| {
        settings.groups.max_members = 3;
        settings.groups.max_rejected = 2;
    });
    world.add("alice");
    world.club(&[]);
    let user = |n: usize| format!("u{n}@far.test");
    let users: Vec<String> = (0..4).map(user).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    assert_eq!(world.does(ALICE, add(CLUB, &users)), 201);
    assert_eq!(world.does(ALICE, add(CLUB, &users[..3])), 200);
    assert_eq!(world.does(ALICE, access(CLUB, &[], &[], &users[3..])), 817);
    assert_eq!(world.does(ALICE, reject(CLUB, &users, &[])), 201);
    assert_eq!(world.does(users[0], join(CLUB, "")), 809);
    assert_eq!(world.does(users[2], join(CLUB, "")), 200);
    assert_eq!(world.does(users[3], join(CLUB, "")), 200);
    assert_eq!(world.does(BOB, join(CLUB, "")), 817);
    // The group's own bound is the lower one.
    world.does(users[3], leave(CLUB));
    world.does(ALICE, set(CLUB, &[("MaxActiveUsers", "2")]));
    assert_eq!(world.does(BOB, join(CLUB, "")), 817);
    world.restart();
    assert_eq!(world.does(BOB, join(CLUB, "")), 817);
    assert_eq!(
        world.does(ALICE, set(CLUB, &[("MaxActiveUsers", "3")])),
        200
    );
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
}

#[test]
fn what_a_group_remembers_and_keeps_has_bounds() {
    let mut world = World::with(|settings| {
        settings.groups.max_remembered = 5;
        settings.groups.max_history = 3;
        settings.groups.max_history_bytes = 3000;
        settings.groups.max_welcome = 100;
    });
    world.add("alice");
    world.club(&[("History", "T")]);
    world.does(BOB, join(CLUB, ""));
    let posts = |world: &World| {
        let posts = world.store.iter().filter(|(key, _)| key.contains("/post/"));
        let whole = |value: &Vec<u8>| String::from_utf8(value.clone()).unwrap().contains("kept");
        let all = posts.clone().count();
        (all, posts.filter(|(_, value)| whole(value)).count())
    };
    for n in 0..9 {
        let id = format!("m{n}");
        assert_eq!(world.does(ALICE, to_group(&id, ALICE, CLUB, &id)), 200);
    }
    assert_eq!(posts(&world), (5, 3));
    let long = "x".repeat(1500);
    world.does(ALICE, to_group("m10", ALICE, CLUB, &long));
    assert_eq!(posts(&world), (5, 2));
    // What is too old is forgotten.
    world.wait(8 * 86_400);
    world.does(ALICE, to_group("m11", ALICE, CLUB, "new"));
    assert_eq!(posts(&world), (1, 1));
    let mut note = set(CLUB, &[]);
    note.properties.as_mut().unwrap().welcome = Some(WelcomeNote {
        content: Some(ContentData::text(&"x".repeat(100))),
    });
    assert_eq!(world.does(ALICE, note), 806);
}

/// A club with many users, of so many domains.
pub(super) fn crowd(world: &mut World, users: usize, domains: usize) {
    world.add("alice");
    world.club(&[]);
    for n in 0..users {
        let user = format!("u{n}@d{}.test", n % domains);
        let mut request = join(CLUB, "");
        (request.subscribe, request.joined_list) = (false, false);
        assert_eq!(world.does(&user, request), 200);
    }
    world.sent();
}

#[test]
fn a_message_to_ten_thousand_on_a_hundred_domains_reaches_each_once_in_one_request_a_domain() {
    let mut world = World::with(|settings| settings.groups.max_members = 10_001);
    crowd(&mut world, 10_000, 100);
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, CLUB, "hello")), 200);
    // A turn has so much work and no more.
    let first: usize = world.outbox.iter().map(recipients).sum();
    assert!((1..=500).contains(&first), "{first}");
    // Another message waits behind it.
    assert_eq!(world.does(ALICE, to_group("m2", ALICE, CLUB, "again")), 200);
    world.wait(1);
    let sent = world.sent();
    let mut pieces: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut order = Vec::new();
    for primitive in &sent {
        let Primitive::SendMessageRequest(message) = primitive else {
            continue;
        };
        let id = message.info.message_id.clone().unwrap();
        let to = message.info.recipients.iter();
        let domains: BTreeSet<&str> = to.map(|to| to.address().domain()).collect();
        for domain in domains {
            *pieces.entry((id.clone(), domain.to_owned())).or_default() += 1;
        }
        order.push(id);
    }
    assert_eq!(pieces.len(), 200);
    assert!(pieces.values().all(|pieces| *pieces == 1), "{pieces:?}");
    assert!(order.is_sorted(), "{order:?}");
    let told: Vec<(String, String)> = sent.iter().flat_map(copies).collect();
    assert_eq!(told.len(), 20_000);
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), 20_000);
    assert!(world.store.keys().all(|key| !key.contains("/outgoing/")));
}

#[test]
fn a_large_message_goes_to_few_domains_at_a_time() {
    let mut world = World::new();
    crowd(&mut world, 40, 20);
    let large = "x".repeat(1024 * 1024);
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, CLUB, &large)), 200);
    let mut pieces = Vec::new();
    loop {
        let sent = world.sent();
        pieces.extend(sent.iter().map(|primitive| {
            let to = copies(primitive).into_iter();
            let domains: BTreeSet<String> = to
                .map(|(_, user)| address(&user).domain().to_owned())
                .collect();
            domains.len()
        }));
        let Some(at) = world
            .home
            .next_timeout()
            .filter(|at| *at <= world.now.plus_millis(1))
        else {
            break;
        };
        world.now = at;
        world.home.timeout(at);
        world.settle();
    }
    assert_eq!(pieces.iter().sum::<usize>(), 20);
    assert!(pieces.iter().all(|domains| *domains <= 8), "{pieces:?}");
}

fn recipients((_, primitive): &(Token, Primitive)) -> usize {
    copies(primitive).len()
}

/// Message and recipient of each copy.
pub(super) fn copies(primitive: &Primitive) -> Vec<(String, String)> {
    let Primitive::SendMessageRequest(message) = primitive else {
        return Vec::new();
    };
    let id = message.info.message_id.clone().unwrap_or_default();
    let to = message.info.recipients.iter();
    to.map(|to| (id.clone(), to.address().bare().to_owned()))
        .collect()
}

#[test]
fn a_restart_at_any_piece_loses_and_doubles_nothing() {
    let mut world = World::with(|settings| settings.groups.max_recipients = 4);
    crowd(&mut world, 30, 5);
    let expected = |ids: &[&str]| {
        let mut all: Vec<(String, String)> = Vec::new();
        for id in ids {
            all.extend((0..30).map(|n| ((*id).to_owned(), format!("u{n}@d{}.test", n % 5))));
        }
        all.sort();
        all
    };
    world.does(ALICE, to_group("m1", ALICE, CLUB, "one"));
    world.does(ALICE, to_group("m2", ALICE, CLUB, "two"));
    let mut told = Vec::new();
    for _ in 0..40 {
        told.extend(world.sent().iter().flat_map(copies));
        world.restart();
        let due = world.home.next_timeout();
        if let Some(at) = due {
            world.now = world.now.max(at);
            world.home.timeout(world.now);
            world.settle();
        }
    }
    told.sort();
    assert_eq!(told, expected(&["m1", "m2"]));
}

#[test]
fn who_joins_or_leaves_meanwhile_gets_nothing_of_it() {
    let mut world = World::with(|settings| settings.groups.max_recipients = 4);
    crowd(&mut world, 12, 3);
    world.does(ALICE, to_group("m1", ALICE, CLUB, "one"));
    // In the order of domains these are among the last.
    assert_eq!(world.does("new@d2.test", join(CLUB, "")), 200);
    assert_eq!(world.does("u2@d2.test", leave(CLUB)), 200);
    world.wait(1);
    let told: BTreeSet<String> = world.told().into_iter().map(|(to, ..)| to).collect();
    assert_eq!(told.len(), 11);
    assert!(!told.contains("new@d2.test") && !told.contains("u2@d2.test"));
}

#[test]
fn what_waits_to_be_handed_on_has_a_bound() {
    let mut world = World::with(|settings| {
        settings.groups.max_recipients = 1;
        settings.groups.max_outgoing = 2;
        settings.groups.max_outgoing_bytes = 3000;
    });
    crowd(&mut world, 3, 3);
    let id = |n: usize| format!("m{n}");
    let said = |n: usize| to_group(&id(n), ALICE, CLUB, "hello");
    assert_eq!(world.does(ALICE, said(0)), 200);
    assert_eq!(world.does(ALICE, said(1)), 200);
    assert_eq!(world.does(ALICE, said(2)), 507);
    world.restart();
    assert_eq!(world.does(ALICE, said(2)), 507);
    world.wait(1);
    assert_eq!(world.does(ALICE, said(2)), 200);
    // Of bytes as well.
    let long = to_group("m3", ALICE, CLUB, &"x".repeat(2900));
    assert_eq!(world.does(ALICE, long.clone()), 507);
    world.wait(1);
    assert_eq!(world.does(ALICE, long), 200);
    world.wait(1);
    assert_eq!(world.told().len(), 12);
}

#[test]
fn comings_and_goings_that_wait_are_told_together() {
    let mut world = World::with(|settings| settings.groups.max_recipients = 2);
    world.add("alice");
    world.club(&[]);
    for n in 0..6 {
        world.does(&format!("u{n}@d{n}.test"), join(CLUB, ""));
    }
    world.wait(1);
    world.sent();
    // The first is under way; the others wait.
    for n in 0..20 {
        world.does(&format!("v{n}@e.test"), join(CLUB, &format!("V{n}")));
    }
    world.does("v3@e.test", leave(CLUB));
    let waiting = world.store.keys().filter(|key| key.contains("/outgoing/"));
    assert!(waiting.count() <= 2);
    world.wait(1);
    let notices = world.notices();
    let told = |user: &str| {
        let mut names = BTreeSet::new();
        for notice in &notices {
            if notice.users.iter().any(|one| one.user == address(user)) {
                names.extend(notice.joined.iter().flatten().cloned());
                for name in notice.left.iter().flatten() {
                    names.remove(name);
                }
            }
        }
        names.len()
    };
    assert_eq!(told("u5@d5.test"), 19);
    assert_eq!(told("u0@d0.test"), 19);
}

#[test]
fn a_group_that_ends_tells_all_who_were_joined_over_a_restart() {
    let mut world = World::with(|settings| settings.groups.max_recipients = 4);
    crowd(&mut world, 30, 5);
    let delete = DeleteGroupRequest {
        group: address(CLUB),
        meta: None,
    };
    assert_eq!(world.does(ALICE, delete), 200);
    assert_eq!(world.does(BOB, join(CLUB, "")), 800);
    assert_eq!(world.does(ALICE, create(CLUB, &[])), 801);
    let mut expelled = world.expelled();
    world.restart();
    world.wait(1);
    expelled.extend(world.expelled());
    assert_eq!(expelled.len(), 30);
    assert!(expelled.iter().all(|(_, code)| *code == 800));
    assert!(world.store.keys().all(|key| !key.contains("group")));
    assert_eq!(world.does(ALICE, create(CLUB, &[])), 200);
}

#[test]
fn one_other_domain_cannot_fill_a_group_that_is_open() {
    let mut world = World::with(|settings| settings.groups.max_of_domain = 2);
    world.add("alice");
    world.add("carol");
    world.club(&[]);
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
    assert_eq!(world.does("b2@far.test", join(CLUB, "")), 200);
    assert_eq!(world.does("b3@far.test", join(CLUB, "")), 817);
    world.restart();
    assert_eq!(world.does("b3@far.test", join(CLUB, "")), 817);
    // Others still come, also those of this domain, and members of that one.
    assert_eq!(world.does(DAN, join(CLUB, "")), 200);
    assert_eq!(world.does(CAROL, join(CLUB, "")), 200);
    assert_eq!(world.does(ALICE, add(CLUB, &["b4@far.test"])), 200);
    assert_eq!(world.does("b4@far.test", join(CLUB, "")), 200);
    assert_eq!(world.does(BOB, leave(CLUB)), 200);
    assert_eq!(world.does("b2@far.test", leave(CLUB)), 200);
    assert_eq!(world.does("b3@far.test", join(CLUB, "")), 200);
}

#[test]
fn what_is_told_of_a_large_group_has_bounds() {
    let mut world = World::new();
    crowd(&mut world, 5001, 100);
    let Primitive::JoinGroupResponse(answer) = world.asks(DAN, join(CLUB, "")) else {
        panic!("not joined");
    };
    assert_eq!(answer.joined.unwrap().len(), 1000);
    assert_eq!(world.who_is_joined(ALICE).len(), 5000);
}

/// The answer to a message of a group.
pub(super) fn taken(status: Status) -> crate::imps::primitive::message::SendMessageResponse {
    crate::imps::primitive::message::SendMessageResponse {
        message_id: "m".to_owned(),
        status,
    }
}

#[test]
fn copies_for_which_there_was_no_room_are_handed_on_again() {
    let mut world = World::new();
    crowd(&mut world, 4, 2);
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, CLUB, "hello")), 200);
    // Of the four two are refused, one of them because they do not exist.
    let failures = vec![
        (Code::QUEUE_FULL, address("u1@d1.test")),
        (Code::QUEUE_FULL, address("u3@d1.test")),
        (Code::UNKNOWN_USER, address("u0@d0.test")),
    ];
    world.answer("SendMessageRequest", taken(Status::of_users(4, failures)));
    world.sent();
    world.wait(29);
    assert_eq!(world.told(), []);
    assert_eq!(world.does("u3@d1.test", leave(CLUB)), 200);
    world.sent();
    world.restart();
    world.wait(1);
    let told: Vec<String> = world
        .outbox
        .iter()
        .flat_map(|(_, p)| copies(p))
        .map(|(_, to)| to)
        .collect();
    assert_eq!(told, ["u1@d1.test"]);
    // Refused as a whole it waits longer.
    world.answer("SendMessageRequest", taken(Status::new(Code::UNAVAILABLE)));
    world.wait(59);
    assert_eq!(world.told(), []);
    world.wait(1);
    world.answer("SendMessageRequest", taken(Status::ok()));
    world.wait(86_400);
    assert_eq!(world.told(), []);
    assert!(world.store.keys().all(|key| !key.contains("/again/")));
}

#[test]
fn copies_that_are_refused_after_a_restart_are_handed_on_again_and_nothing_twice() {
    let mut world = World::new();
    crowd(&mut world, 2, 1);
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, CLUB, "hello")), 200);
    world.restart();
    let failures = vec![(Code::QUEUE_FULL, address("u1@d0.test"))];
    world.answer("SendMessageRequest", taken(Status::of_users(2, failures)));
    assert_eq!(world.told(), []);
    world.restart();
    world.wait(30);
    let told: Vec<String> = world
        .outbox
        .iter()
        .flat_map(|(_, p)| copies(p))
        .map(|(_, to)| to)
        .collect();
    assert_eq!(told, ["u1@d0.test"]);
    world.answer("SendMessageRequest", taken(Status::ok()));
    world.restart();
    world.wait(86_400);
    assert_eq!(world.told(), []);
    assert!(world.store.keys().all(|key| !key.contains("/sent/")));
}

#[test]
fn what_is_handed_on_again_has_bounds_in_number_bytes_and_tries() {
    let mut world = World::with(|settings| {
        settings.groups.max_outgoing = 2;
        settings.groups.max_outgoing_bytes = 4000;
    });
    crowd(&mut world, 1, 1);
    let full = || taken(Status::new(Code::QUEUE_FULL));
    let waiting = |world: &World| {
        world
            .store
            .keys()
            .filter(|key| key.contains("/again/"))
            .count()
    };
    for n in 0..3 {
        let id = format!("m{n}");
        assert_eq!(world.does(ALICE, to_group(&id, ALICE, CLUB, "hello")), 200);
        world.answer("SendMessageRequest", full());
    }
    assert_eq!(waiting(&world), 2);
    let mut tries = 0;
    while waiting(&world) > 0 {
        let at = world.home.next_timeout().unwrap();
        world.wait(at.since(world.now).div_ceil(1000));
        while world
            .outbox
            .iter()
            .any(|(_, p)| p.name() == "SendMessageRequest")
        {
            world.answer("SendMessageRequest", full());
            tries += 1;
        }
    }
    assert_eq!(tries, 2 * 9);
    // What is too large for the rest of the room is not remembered.
    let long = |id: &str| to_group(id, ALICE, CLUB, &"x".repeat(2000));
    assert_eq!(world.does(ALICE, long("m4")), 200);
    assert_eq!(world.does(ALICE, long("m5")), 200);
    world.answer("SendMessageRequest", full());
    world.answer("SendMessageRequest", full());
    assert_eq!(waiting(&world), 1);
}
