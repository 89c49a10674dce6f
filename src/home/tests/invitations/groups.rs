//! Invitations into groups.

use super::*;

#[test]
fn an_invitation_lets_into_a_group_that_requires_one() {
    let mut world = world();
    world.club(&[("RequireInvitation", "T")]);
    world.open(3, "carol");
    for user in [CAROL, BOB] {
        assert_eq!(world.does(user, join(CLUB, "")), 816, "{user}");
    }
    assert_eq!(
        world.client_asks(1, into_club("i1", ALICE, CAROL)),
        Some(200)
    );
    assert_eq!(world.client_asks(1, into_club("i2", ALICE, BOB)), None);
    world.answer("InviteRequest", Status::ok());
    let told = world.invitation(3);
    assert_eq!(told.group.unwrap().group, address(CLUB));
    assert_eq!(
        world.client_asks(3, respond("i1", ALICE, CAROL, true)),
        Some(200)
    );
    world.restart();
    for user in [CAROL, BOB] {
        assert_eq!(world.does(user, join(CLUB, "")), 200, "{user}");
        assert_eq!(world.does(user, leave(CLUB)).max(200), 200);
    }
    // Who has been withdrawn, has declined, or is too late, is not let in.
    world.open(1, "alice");
    for id in ["i3", "i4"] {
        world.client_asks(1, into_club(id, ALICE, DAN));
        world.answer("InviteRequest", Status::ok());
        if id == "i3" {
            world.client_asks(1, cancel(id, ALICE, DAN));
        } else {
            world.notice(Some(DAN), respond(id, ALICE, DAN, false));
        }
        assert_eq!(world.does(DAN, join(CLUB, "")), 816, "{id}");
    }
    world.client_asks(
        1,
        InviteRequest {
            validity: 60,
            ..into_club("i5", ALICE, DAN)
        },
    );
    world.answer("InviteRequest", Status::ok());
    world.wait(61);
    assert_eq!(world.does(DAN, join(CLUB, "")), 816);
    // One that the other side refuses lets nobody in.
    world.client_asks(1, into_club("i6", ALICE, DAN));
    world.answer("InviteRequest", Status::new(Code::UNKNOWN_USER));
    assert_eq!(world.does(DAN, join(CLUB, "")), 816);
}

#[test]
fn a_group_says_who_may_invite_into_it() {
    let mut world = world();
    for (client, name) in [(2, "bob"), (3, "carol")] {
        world.open(client, name);
    }
    let bob = "bob@home.test";
    world.club(&[]);
    // Into an open one whoever is in it, and nobody else.
    assert_eq!(world.client_asks(3, into_club("c1", CAROL, bob)), Some(808));
    assert_eq!(world.does(CAROL, join(CLUB, "")), 200);
    assert_eq!(world.client_asks(3, into_club("c1", CAROL, bob)), Some(200));
    assert_eq!(world.invitations(2).len(), 1);
    assert_eq!(world.does(ALICE, reject(CLUB, &[DAN], &[])), 200);
    assert_eq!(world.client_asks(3, into_club("c2", CAROL, DAN)), Some(809));
    // Into one that is not, moderators and administrators.
    for property in [("RequireInvitation", "T"), ("AccessType", "Restricted")] {
        world.does(ALICE, access(CLUB, &[], &[], &[CAROL]));
        world.does(ALICE, set(CLUB, &[property]));
        assert_eq!(world.client_asks(3, into_club("c3", CAROL, bob)), Some(816));
        world.does(ALICE, access(CLUB, &[], &[CAROL], &[]));
        let id = format!("c {}", property.0);
        assert_eq!(world.client_asks(3, into_club(&id, CAROL, bob)), Some(200));
        world.does(
            ALICE,
            set(CLUB, &[("AccessType", "Open"), ("RequireInvitation", "F")]),
        );
    }
    let gone = InviteRequest {
        group: Some(GroupId {
            group: address("wv:alice/gone@home.test"),
        }),
        ..into_club("c9", CAROL, bob)
    };
    assert_eq!(world.client_asks(3, gone), Some(800));
    assert_eq!(world.sent().len(), 0);
}

#[test]
fn who_is_invited_into_a_restricted_group_becomes_a_member_by_joining() {
    let mut world = world();
    world.club(&[("AccessType", "Restricted")]);
    assert_eq!(world.does(BOB, join(CLUB, "")), 816);
    world.client_asks(1, into_club("i1", ALICE, BOB));
    world.answer("InviteRequest", Status::ok());
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
    world.does(BOB, leave(CLUB));
    world.wait(8 * 86_400);
    world.restart();
    assert_eq!(world.does(BOB, join(CLUB, "")), 200);
}

#[test]
fn a_group_bounds_whom_it_has_to_let_in_and_is_invited_by_address_alone() {
    let mut world = World::with(|settings| settings.groups.max_invited = 2);
    world.add("alice");
    world.club(&[("RequireInvitation", "T")]);
    let ask = |name: &str| InviteRequest {
        validity: 60,
        invited: Some(Party::ScreenName(ScreenName {
            group: address(CLUB),
            name: name.to_owned(),
        })),
        ..into_club("i", ALICE, BOB)
    };
    for (name, expected) in [
        ("u1@far.test", 200),
        ("u2@far.test", 200),
        ("u1@far.test", 200),
        ("u3@far.test", 817),
        ("wv:u3/x@far.test", 531),
        ("Vicky", 410),
    ] {
        assert_eq!(world.does(ALICE, ask(name)), expected, "{name}");
    }
    let mut whole = ask("u");
    whole.invited = Some(Party::Group(GroupId {
        group: address(CLUB),
    }));
    assert_eq!(world.does(ALICE, whole.clone()), 501);
    assert_eq!(world.does("u9@far.test", whole), 808);
    // Those whose invitations have ended give way.
    world.wait(61);
    world.restart();
    assert_eq!(world.does(ALICE, ask("u3@far.test")), 200);
    let request: JoinGroupRequest = join(CLUB, "");
    assert_eq!(world.does("u3@far.test", request), 200);
    assert_eq!(world.does("u1@far.test", join(CLUB, "")), 816);
    let group = "wv:alice/other@home.test";
    assert_eq!(
        world.does(ALICE, create(group, &[("RequireInvitation", "T")])),
        200
    );
}
