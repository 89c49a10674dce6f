//! Members and roles, the reject list, who has to go.

use super::*;
use crate::imps::primitive::message::SendMessageResponse;

fn members(world: &mut World, asker: &str) -> [Vec<String>; 3] {
    let request = GetGroupMemberRequest {
        group: address(CLUB),
        meta: None,
    };
    let Primitive::GetGroupMemberResponse(answer) = world.asks(asker, request) else {
        panic!("no list");
    };
    [answer.admins, answer.moderators, answer.users].map(|list| {
        let ids = list.unwrap_or_default().into_iter();
        ids.map(|id| id.user.bare().to_owned()).collect()
    })
}

#[test]
fn roles_are_given_by_administrators_and_survive_a_restart() {
    let mut world = World::peopled();
    world.club(&[]);
    assert_eq!(
        world.does(ALICE, access(CLUB, &[BOB], &[DAN], &[CAROL])),
        200
    );
    world.restart();
    let all = [
        vec![ALICE.to_owned(), BOB.to_owned()],
        vec![DAN.to_owned()],
        vec![CAROL.to_owned()],
    ];
    assert_eq!(members(&mut world, BOB), all);
    assert_eq!(members(&mut world, DAN), all);
    // A moderator makes ordinary members, of nobody who has a role.
    assert_eq!(
        world.does(DAN, access(CLUB, &[], &[], &["eve@far.test"])),
        200
    );
    assert_eq!(world.does(DAN, access(CLUB, &[], &[], &[BOB])), 816);
    assert_eq!(
        world.does(DAN, access(CLUB, &["eve@far.test"], &[], &[])),
        816
    );
    assert_eq!(world.does(CAROL, access(CLUB, &[], &[], &[DAN])), 816);
    assert_eq!(
        world.does("zoe@far.test", access(CLUB, &[], &[], &[DAN])),
        810
    );
    // Nobody demotes the owner.
    assert_eq!(world.does(BOB, access(CLUB, &[], &[], &[ALICE])), 816);
    assert_eq!(members(&mut world, ALICE)[0], [ALICE, BOB]);
}

#[test]
fn only_members_join_a_restricted_group() {
    let mut world = World::peopled();
    world.club(&[("AccessType", "Restricted")]);
    assert_eq!(world.does(BOB, join(CLUB, "")), 816);
    assert_eq!(world.does(ALICE, add(CLUB, &[BOB, DAN])), 200);
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
    assert_eq!(world.does(DAN, join(CLUB, "")), 200);
    // Who is taken off the list has to go.
    assert_eq!(world.does(ALICE, remove(CLUB, &[BOB])), 200);
    assert_eq!(world.expelled(), [(BOB.to_owned(), 816)]);
    assert_eq!(world.does(BOB, join(CLUB, "")), 816);
    assert_eq!(world.does(ALICE, remove(CLUB, &[BOB])), 531);
}

#[test]
fn a_group_that_becomes_restricted_makes_strangers_leave() {
    let mut world = World::peopled();
    world.open(3, "carol");
    world.club(&[]);
    for user in [BOB, DAN, CAROL] {
        assert_eq!(world.does(user, join(CLUB, "")), 200);
    }
    assert_eq!(world.does(ALICE, add(CLUB, &[DAN])), 200);
    world.sent();
    assert_eq!(
        world.does(ALICE, set(CLUB, &[("AccessType", "Restricted")])),
        200
    );
    let mut expelled = world.expelled();
    expelled.sort();
    // Carol is told by way of her own domain.
    assert_eq!(expelled, [(BOB.to_owned(), 816)]);
    assert_eq!(world.does(CAROL, to_group("m1", CAROL, CLUB, "hello")), 808);
    assert_eq!(world.does(DAN, to_group("m2", DAN, CLUB, "hello")), 200);
}

#[test]
fn who_is_put_on_the_reject_list_has_to_go_and_may_not_come_back() {
    let mut world = World::peopled();
    world.club(&[]);
    assert_eq!(world.does(BOB, join(CLUB, "Bobby")), 200);
    assert_eq!(world.does(DAN, join(CLUB, "")), 200);
    world.sent();
    let Primitive::RejectListResponse(list) = world.asks(ALICE, reject(CLUB, &[BOB], &[])) else {
        panic!("no list");
    };
    assert_eq!(list.users, Some(ids(&[BOB])));
    let sent = world.sent();
    let is_told = |primitive: &Primitive| {
        matches!(primitive, Primitive::LeaveGroupIndication(notice)
            if notice.status.code.0 == 809 && notice.users[0].user == address(BOB))
    };
    assert!(sent.iter().any(is_told), "{sent:?}");
    // Others hear the name alone.
    let ejected = sent.iter().find_map(|primitive| match primitive {
        Primitive::GroupChangeNotice(notice) => notice.left_blocked.clone(),
        _ => None,
    });
    let name = Member::ScreenName(screen_name(CLUB, "Bobby"));
    assert_eq!(ejected.unwrap().users.unwrap().members, [name]);
    world.restart();
    assert_eq!(world.does(BOB, join(CLUB, "")), 809);
    assert_eq!(world.does(ALICE, reject(CLUB, &[ALICE], &[])), 816);
    assert_eq!(world.does(DAN, reject(CLUB, &[], &[BOB])), 816);
    assert_eq!(world.does(ALICE, reject(CLUB, &[], &[BOB])), 200);
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
}

#[test]
fn user_ids_are_shown_as_their_users_wish() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, "Bobby"));
    let mut open = join(CLUB, "Danny");
    open.own = Some(vec![property("ShowID", "T")]);
    world.does(DAN, open);
    let alice = (ALICE.to_owned(), Some(ALICE.to_owned()));
    let all = [
        ("Bobby".to_owned(), None),
        alice.clone(),
        ("Danny".to_owned(), Some(DAN.to_owned())),
    ];
    assert_eq!(world.who_is_joined(BOB), all);
    // The owner sees the roles, and no more ids.
    let [_, bobby, danny] = [all[1].clone(), all[0].clone(), all[2].clone()];
    assert_eq!(world.who_is_joined(ALICE), [alice, bobby, danny]);
}

#[test]
fn two_owners_change_a_group_at_once_and_the_later_wins() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(ALICE, access(CLUB, &[BOB], &[], &[]));
    assert_eq!(
        world.does(ALICE, set(CLUB, &[("Topic", "Tea"), ("Name", "A")])),
        200
    );
    assert_eq!(world.does(BOB, set(CLUB, &[("Topic", "Coffee")])), 200);
    assert_eq!(world.does(ALICE, reject(CLUB, &[DAN], &[])), 200);
    assert_eq!(world.does(BOB, reject(CLUB, &[], &[DAN])), 200);
    let request = GetGroupPropsRequest {
        group: address(CLUB),
        meta: None,
    };
    let Primitive::GetGroupPropsResponse(answer) = world.asks(ALICE, request) else {
        panic!("no properties");
    };
    let listed = answer.properties.unwrap().properties;
    for expected in [property("Topic", "Coffee"), property("Name", "A")] {
        assert!(listed.contains(&expected), "{listed:?}");
    }
    assert_eq!(world.does(DAN, join(CLUB, "")), 200);
    // One deletes it; the other's change comes too late.
    let delete = DeleteGroupRequest {
        group: address(CLUB),
        meta: None,
    };
    assert_eq!(world.does(BOB, delete), 200);
    assert_eq!(world.does(ALICE, set(CLUB, &[("Topic", "Milk")])), 800);
}

#[test]
fn a_member_of_a_hundred_groups_is_removed() {
    let mut world = World::with(|settings| settings.groups.max_owned = 100);
    for name in ["alice", "bob"] {
        world.add(name);
    }
    let names: Vec<String> = (0..100)
        .map(|n| format!("wv:alice/g{n}@home.test"))
        .collect();
    let bob = "bob@home.test";
    for name in &names {
        assert_eq!(world.does(ALICE, create(name, &[])), 200);
        assert_eq!(world.does(bob, join(name, "")), 200);
        assert_eq!(world.does(DAN, join(name, "")), 200);
        assert_eq!(world.does(ALICE, access(name, &[bob], &[], &[])), 200);
    }
    world.sent();
    world.remove("bob").unwrap();
    world.settle();
    let left = world.notices();
    assert_eq!(left.len(), 100);
    assert!(
        left.iter()
            .all(|notice| notice.left == Some(vec![bob.to_owned()]))
    );
    // Somebody of the same name has nothing of it.
    world.add("bob");
    world.restart();
    for name in &names {
        assert_eq!(world.does(bob, set(name, &[("Topic", "mine")])), 816);
        assert_eq!(world.does(bob, to_group("m1", bob, name, "hello")), 808);
    }
}

#[test]
fn a_group_whose_owner_is_removed_goes_on_with_its_administrators() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(ALICE, access(CLUB, &[BOB], &[], &[]));
    world.does(BOB, join(CLUB, ""));
    world.remove("alice").unwrap();
    world.settle();
    world.add("alice");
    world.restart();
    assert_eq!(world.does(ALICE, set(CLUB, &[("Topic", "mine")])), 816);
    assert_eq!(world.does(BOB, set(CLUB, &[("Topic", "ours")])), 200);
    assert_eq!(world.does(BOB, to_group("m1", BOB, CLUB, "hello")), 200);
}

#[test]
fn a_user_who_is_no_more_leaves_when_their_own_domain_says_so() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, ""));
    world.does(DAN, join(CLUB, ""));
    let unknown = |code: u16| SendMessageResponse {
        message_id: "m1".to_owned(),
        status: Status::of_users(2, vec![(Code(code), address(BOB))]),
    };
    let exists = |world: &mut World| {
        let asked = |(_, primitive): &(Token, Primitive)| primitive.name() == "VerifyIDRequest";
        world.outbox.iter().filter(|one| asked(one)).count()
    };
    world.sent();
    world.does(ALICE, to_group("m1", ALICE, CLUB, "one"));
    // Whoever says it: the user's domain is asked.
    world.answer("SendMessageRequest", unknown(531));
    assert_eq!(exists(&mut world), 1);
    world.answer("VerifyIDRequest", Status::ok());
    world.does(ALICE, to_group("m2", ALICE, CLUB, "two"));
    world.answer("SendMessageRequest", unknown(503));
    assert_eq!(exists(&mut world), 0);
    world.does(ALICE, to_group("m3", ALICE, CLUB, "three"));
    world.answer("SendMessageRequest", unknown(427));
    world.answer("VerifyIDRequest", Status::new(Code::UNKNOWN_USER));
    assert_eq!(world.expelled(), [(BOB.to_owned(), 824)]);
    world.does(ALICE, to_group("m4", ALICE, CLUB, "four"));
    assert_eq!(
        world.told(),
        [(DAN.to_owned(), ALICE.to_owned(), "four".to_owned())]
    );
}

#[test]
fn users_of_a_domain_that_is_not_reached_for_long_have_left() {
    let mut world = World::peopled();
    world.club(&[]);
    world.does(BOB, join(CLUB, ""));
    world.does(DAN, join(CLUB, ""));
    world.does(ALICE, add(CLUB, &[BOB]));
    world.sent();
    let domains = vec!["far.test".to_owned(), "other.test".to_owned()];
    assert!(
        domains
            .iter()
            .all(|domain| world.home.concerned().contains(domain))
    );
    world.home.take(Input::Lost(domains), world.now);
    world.settle();
    world.wait(3 * 86_400);
    world
        .home
        .take(Input::Reached(vec!["other.test".to_owned()]), world.now);
    world.settle();
    // It stays in mind over a restart.
    world.restart();
    assert!(world.home.concerned().contains("far.test"));
    world.wait(4 * 86_400 - 10);
    assert_eq!(world.expelled(), []);
    world.wait(20);
    assert_eq!(world.expelled(), [(BOB.to_owned(), 824)]);
    // A member is one still, and joins again.
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
    let left: Vec<_> = world
        .store
        .keys()
        .filter(|key| key.contains("away"))
        .collect();
    assert_eq!(left, Vec::<&String>::new());
}

#[test]
fn a_group_of_the_provider_is_run_by_whom_the_operator_names_and_ended_by_the_operator() {
    let mut world = World::peopled();
    let news = "wv:/news@home.test";
    let given = [("Topic".to_owned(), "News".to_owned())];
    world.home.add_group("news", &given, world.now).unwrap();
    world.home.appoint("news", BOB).unwrap();
    world.settle();
    let again = world.home.add_group("/news", &given, world.now);
    assert_eq!(again, Err(GroupError::Exists("/news".to_owned())));
    let wrong = [("Hat".to_owned(), "T".to_owned())];
    let wrong = world.home.add_group("hats", &wrong, world.now);
    assert_eq!(wrong, Err(GroupError::Properties));
    world.restart();
    assert_eq!(world.does(ALICE, join(news, "")), 200);
    assert_eq!(world.does(ALICE, set(news, &[("Topic", "Mine")])), 816);
    assert_eq!(
        world.does(BOB, set(news, &[("AccessType", "Restricted")])),
        200
    );
    assert_eq!(world.does(ALICE, to_group("m1", ALICE, news, "hello")), 808);
    assert_eq!(world.does(BOB, join(news, "")), 200);
    let delete = DeleteGroupRequest {
        group: address(news),
        meta: None,
    };
    assert_eq!(world.does(BOB, delete), 804);
    world.sent();
    world.home.remove_group("news", world.now).unwrap();
    world.settle();
    assert_eq!(world.expelled(), [(BOB.to_owned(), 800)]);
    assert_eq!(world.does(BOB, join(news, "")), 800);
    let gone = world.home.remove_group("news", world.now);
    assert_eq!(gone, Err(GroupError::Unknown("/news".to_owned())));
}
