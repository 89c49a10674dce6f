//! Invitations that are refused, and how many there may be.

use super::*;

#[test]
fn an_invitation_that_cannot_be_is_refused_and_leaves_nothing() {
    let mut world = world();
    let good = || invite("i", ZOE, ALICE);
    let with = |change: fn(&mut InviteRequest)| {
        let mut request = good();
        change(&mut request);
        request
    };
    for (user, request, expected) in [
        (Some(ZOE), with(|r| r.invited = None), 402),
        (Some(ZOE), invite("i", ZOE, "nobody@home.test"), 531),
        (Some(ZOE), invite("i", ZOE, "bob@other.test"), 516),
        (Some(ZOE), invite("i", "yan@far.test", ALICE), 427),
        (Some(ZOE), invite("i", CAROL, ALICE), 427),
        (None, with(|r| r.inviting = None), 427),
        (None, invite("i", "dan@other.test", ALICE), 901),
        (None, invite("i", "wv:zoe/gang@far.test", ALICE), 901),
    ] {
        let shown = format!("{user:?} {request:?}");
        let answer = world.deliver("far.test", user, request).unwrap();
        assert_eq!(answer.verdict().unwrap().code.0, expected, "{shown}");
    }
    assert_eq!(
        (world.invitations(1), world.invites_kept()),
        (Vec::new(), 0)
    );
    assert_eq!(world.outside(ZOE, good()), 200);
    assert_eq!(world.outside(ZOE, good()), 200);
    assert_eq!(world.invitations(1).len(), 1, "it is told once");
    assert_eq!(world.outside(ZOE, with(|r| r.note = None)), 423);
    // Without a requestor the party is who invites.
    let answer = world.deliver("far.test", None, invite("j", ZOE, ALICE));
    assert_eq!(answer, Some(Status::ok().into()));
    // What a client cannot ask.
    for (to, expected) in [
        (ALICE, 402),
        ("nobody@home.test", 531),
        ("wv:@far.test", 901),
    ] {
        assert_eq!(
            world.client_asks(1, invite("k", ALICE, to)),
            Some(expected),
            "{to}"
        );
    }
    let foreign = InviteRequest {
        inviting: party(CAROL),
        ..invite("k", ALICE, ZOE)
    };
    assert_eq!(world.client_asks(1, foreign), Some(427));
    let mut nobody = invite("k", ALICE, ZOE);
    nobody.invited = None;
    assert_eq!(world.client_asks(1, nobody), Some(402));
    // What was refused does not stay with the inviter.
    assert_eq!(world.invites_kept(), 2);
}

#[test]
fn an_invitation_is_of_a_service_that_both_users_have() {
    for (kind, service) in [
        ("IM", "IM"),
        ("PR", "Presence"),
        ("GR", "Group"),
        ("SC", "Content"),
    ] {
        let mut world = World::with(|settings| {
            let services = &mut settings.services;
            services.retain(|known| known.name != service);
        });
        world.add("alice");
        world.open(1, "alice");
        let request = |from, to| InviteRequest {
            invite_type: kind.to_owned(),
            contents: Some(vec![content("https://far.test/a")]),
            ..into_club("i", from, to)
        };
        assert_eq!(world.outside(ZOE, request(ZOE, ALICE)), 534, "{kind}");
        assert_eq!(
            world.client_asks(1, request(ALICE, ZOE)),
            Some(506),
            "{kind}"
        );
        assert!(world.sent().is_empty() && world.invites_kept() == 0);
    }
}

#[test]
fn who_is_blocked_cannot_invite_and_is_not_told_so() {
    let mut world = world();
    world.say(1, r#"{"do":"block","user":"wv:zoe@far.test"}"#);
    world.heard(1);
    assert_eq!(world.outside(ZOE, invite("i", ZOE, ALICE)), 200);
    assert_eq!(world.outside(ZOE, cancel("i", ZOE, ALICE)), 200);
    assert_eq!(
        (world.invitations(1), world.invites_kept()),
        (Vec::new(), 0)
    );
}

#[test]
fn an_invitation_that_the_other_side_refuses_is_forgotten() {
    let mut world = world();
    world.client_asks(1, invite("i1", ALICE, ZOE));
    world.answer("InviteRequest", Status::new(Code::UNKNOWN_USER));
    assert_eq!(world.code_heard(1, Vec::new()), Some(531));
    assert_eq!(world.invites_kept(), 0);
    // Without an answer it may be there, and may be answered yet.
    world.client_asks(1, invite("i1", ALICE, ZOE));
    world.answer("InviteRequest", Status::new(Code::TIMEOUT));
    assert_eq!(world.code_heard(1, Vec::new()), Some(504));
    world.notice(Some(ZOE), respond("i1", ALICE, ZOE, true));
    assert!(world.response(1).acceptance);
    // If the client has gone, or the node was restarted, others hear of the failure.
    world.client_asks(1, invite("i2", ALICE, ZOE));
    world.restart();
    world.answer("InviteRequest", Status::new(Code::UNKNOWN_USER));
    world.open(2, "alice");
    let told = world.response(2);
    assert_eq!((told.acceptance, &*told.invite_id), (false, "i2"));
    assert_eq!(told.status.unwrap().code, Code::UNKNOWN_USER);
}

#[test]
fn invitations_have_bounds_in_number_and_bytes() {
    let mut world = World::with(|settings| {
        settings.max_invitations = 4;
        settings.max_invitation_bytes = 16 * 1024;
    });
    for name in ["alice", "carol"] {
        world.add(name);
    }
    world.open(1, "alice");
    // One other domain has half of it.
    for (n, expected) in [(0, 200), (1, 200), (2, 507)] {
        assert_eq!(
            world.outside(ZOE, invite(&format!("z{n}"), ZOE, ALICE)),
            expected
        );
    }
    for (n, expected) in [(0, 200), (1, 200), (2, 507)] {
        assert_eq!(
            world.outside(DAN, invite(&format!("d{n}"), DAN, ALICE)),
            expected
        );
    }
    // What was answered gives way.
    world.client_asks(1, respond("z0", ZOE, ALICE, false));
    world.restart();
    assert_eq!(world.outside(ZOE, invite("z3", ZOE, ALICE)), 200);
    assert_eq!(world.outside(ZOE, invite("z4", ZOE, ALICE)), 507);
    // What the user sends is counted apart, and alike.
    world.open(1, "alice");
    for n in 0..4 {
        let id = format!("a{n}");
        assert_eq!(world.client_asks(1, invite(&id, ALICE, CAROL)), Some(200));
    }
    assert_eq!(world.client_asks(1, invite("a4", ALICE, CAROL)), Some(507));
    // Bytes.
    let mut world = World::with(|settings| settings.max_invitation_bytes = 16 * 1024);
    world.add("alice");
    let long = |id: &str| InviteRequest {
        contents: Some(vec![content(&format!(
            "https://far.test/{}",
            "x".repeat(7000)
        ))]),
        ..invite(id, ZOE, ALICE)
    };
    for (id, expected) in [("1", 200), ("2", 200), ("3", 507)] {
        assert_eq!(world.outside(ZOE, long(id)), expected);
    }
    let mut world = World::with(|settings| settings.max_all_invitation_bytes = 16 * 1024);
    world.add("alice");
    world.add("carol");
    let to_carol = InviteRequest {
        invited: party(CAROL),
        ..long("1")
    };
    for (request, expected) in [(long("1"), 200), (to_carol.clone(), 200), (long("2"), 507)] {
        assert_eq!(world.outside(ZOE, request), expected);
    }
    world.remove("carol").unwrap();
    world.settle();
    assert_eq!(world.outside(ZOE, long("2")), 200);
}

#[test]
fn a_note_that_other_domains_would_not_read_is_refused_at_once() {
    let mut world = World::with(|_| {});
    world.add("alice");
    world.open(1, "alice");
    let with = |id: &str, note: String| InviteRequest {
        note: Some(note),
        ..invite(id, ALICE, ZOE)
    };
    for (note, expected) in [
        ("x".repeat(8 * 1024 + 1), Some(402)),
        ("&".repeat(2000), Some(402)),
    ] {
        assert_eq!(world.client_asks(1, with("1", note)), expected);
        assert_eq!(world.sent(), []);
    }
    // One that fits goes out, and waits for the answer.
    assert_eq!(world.client_asks(1, with("1", "x".repeat(8 * 1024))), None);
    let sent = world.sent();
    assert!(
        matches!(&sent[..], [Primitive::InviteRequest(_)]),
        "{sent:?}"
    );
    let withdrawal = CancelInviteRequest {
        note: Some("x".repeat(8 * 1024 + 1)),
        ..cancel("1", ALICE, ZOE)
    };
    assert_eq!(world.client_asks(1, withdrawal), Some(402));
    assert_eq!(world.outside(ZOE, invite("2", ZOE, ALICE)), 200);
    let answer = InviteResponse {
        note: Some("x".repeat(8 * 1024 + 1)),
        ..respond("2", ZOE, ALICE, true)
    };
    assert_eq!(world.client_asks(1, answer), Some(402));
    assert_eq!(world.sent(), []);
    // The invitation waits for another answer.
    assert_eq!(
        world.client_asks(1, respond("2", ZOE, ALICE, true)),
        Some(200)
    );
}
