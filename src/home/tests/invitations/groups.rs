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
fn a_group_bounds_whom_it_has_to_let_in() {
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
        ("", 410),
    ] {
        assert_eq!(world.does(ALICE, ask(name)), expected, "{name}");
    }
    let mut whole = ask("u");
    whole.invited = Some(Party::Group(GroupId {
        group: address(CLUB),
    }));
    assert_eq!(world.does(ALICE, whole.clone()), 200);
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

#[expect(clippy::unnecessary_wraps, reason = "as primitives have it")]
fn participant(name: &str) -> Option<Party> {
    Some(Party::ScreenName(ScreenName {
        group: address(CLUB),
        name: name.to_owned(),
    }))
}

/// Alice, carol and a user of another domain are joined as Al, Cee and Bo.
fn three_joined() -> World {
    let mut world = world();
    world.club(&[]);
    world.open(3, "carol");
    world.does(ALICE, leave(CLUB));
    for (user, name) in [(ALICE, "Al"), (CAROL, "Cee"), (BOB, "Bo")] {
        assert_eq!(world.does(user, join(CLUB, name)), 200, "{user}");
    }
    world.sent();
    world.heard(1);
    world.heard(3);
    world
}

#[test]
fn participants_of_a_group_invite_each_other_and_hear_no_address() {
    let mut world = three_joined();
    let to_cee = InviteRequest {
        invited: participant("Cee"),
        ..invite("i1", ALICE, CAROL)
    };
    assert_eq!(world.client_asks(1, to_cee.clone()), Some(200));
    let told = world.invitation(3);
    assert_eq!(told.inviting, participant("Al"));
    assert_eq!(told.invited, party(CAROL));
    assert_eq!(told.note.as_deref(), Some("Come"));
    assert!(!Primitive::from(told).to_xml(None).contains("alice@"));
    let yes = InviteResponse {
        inviting: participant("Al"),
        ..respond("i1", ALICE, CAROL, true)
    };
    assert_eq!(world.client_asks(3, yes.clone()), Some(200));
    let heard = world.response(1);
    assert!(heard.acceptance);
    assert_eq!(heard.responding, participant("Cee"));
    assert!(!Primitive::from(heard).to_xml(None).contains("carol@"));

    // To and from another domain, in the group's name.
    let to_bo = InviteRequest {
        invited: participant("Bo"),
        ..invite("i2", ALICE, BOB)
    };
    world.client_asks(1, to_bo.clone());
    let sent = world.sent();
    let [Primitive::InviteRequest(sent)] = &sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(sent.meta, Some(MetaInfo::of_server("home.test")));
    assert_eq!(
        (&sent.inviting, &sent.invited),
        (&participant("Al"), &party(BOB))
    );
    let no = InviteResponse {
        inviting: participant("Al"),
        ..respond("i2", ALICE, BOB, false)
    };
    // Who is not in the group answers nothing.
    world.notice(
        Some(DAN),
        InviteResponse {
            responding: party(DAN),
            ..no.clone()
        },
    );
    assert_eq!(world.invitations(1), []);
    world.notice(Some(BOB), no);
    let heard = world.response(1);
    assert_eq!(
        (heard.acceptance, heard.responding),
        (false, participant("Bo"))
    );

    // Withdrawn.
    world.client_asks(
        1,
        InviteRequest {
            invite_id: "i3".to_owned(),
            ..to_cee
        },
    );
    world.invitations(3);
    let withdrawn = CancelInviteRequest {
        canceled: participant("Cee"),
        ..cancel("i3", ALICE, CAROL)
    };
    assert_eq!(world.client_asks(1, withdrawn), Some(200));
    let heard = world.invitations(3);
    assert!(
        matches!(&heard[..], [Primitive::CancelInviteRequest(told)] if told.canceling == participant("Al"))
    );

    // Who takes no private messages takes no invitations either.
    world.does(ALICE, set(CLUB, &[("PrivateMessaging", "F")]));
    world.sent();
    assert_eq!(
        world.does(
            ALICE,
            InviteRequest {
                invite_id: "i4".to_owned(),
                ..to_bo
            }
        ),
        812
    );
    assert_eq!(world.sent(), []);
}

#[test]
fn all_who_are_joined_are_invited_at_once_and_each_answers() {
    let mut world = three_joined();
    let whole = InviteRequest {
        invited: Some(Party::Group(GroupId {
            group: address(CLUB),
        })),
        ..invite("i1", ALICE, BOB)
    };
    assert_eq!(world.client_asks(1, whole.clone()), Some(200));
    assert_eq!(world.invitation(3).inviting, participant("Al"));
    let sent = world.sent();
    assert!(matches!(&sent[..], [Primitive::InviteRequest(told)] if told.invited == party(BOB)));
    for (user, name, accepts) in [(CAROL, "Cee", true), (BOB, "Bo", false)] {
        let answer = InviteResponse {
            inviting: participant("Al"),
            ..respond("i1", ALICE, user, accepts)
        };
        world.notice(Some(user), answer);
        let heard = world.response(1);
        assert_eq!(
            (heard.acceptance, heard.responding),
            (accepts, participant(name))
        );
    }
    assert_eq!(world.does("u9@far.test", whole), 808);
}

#[test]
fn a_participant_who_is_blocked_invites_in_vain_and_sees_no_difference() {
    let mut world = three_joined();
    let al = format!(
        r#"<ScreenName groupID="wv:{}">Al</ScreenName>"#,
        address(CLUB).bare()
    );
    let block = format!(
        "<BlockEntityRequest>META<BlockList><AddList>{al}</AddList></BlockList></BlockEntityRequest>"
    );
    let answer = world.ask_xml(3, "carol", &block);
    assert_eq!(answer.verdict().unwrap().code, Code::OK, "{answer:?}");
    let to_cee = InviteRequest {
        invited: participant("Cee"),
        ..invite("i1", ALICE, CAROL)
    };
    assert_eq!(world.client_asks(1, to_cee), Some(200));
    assert_eq!(world.invitations(3), []);
}
