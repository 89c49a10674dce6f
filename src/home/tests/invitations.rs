//! Invitations, on both sides: from a client to a user of this domain or of another, and back.

use super::group::{ALICE, BOB, CAROL, CLUB, DAN, access, create, join, leave, reject, set};
use super::*;
use crate::imps::common::{ApplicationId, AttributeList, ContentId, GroupId, Party, ScreenName};
use crate::imps::primitive::group::JoinGroupRequest;
use crate::imps::primitive::invitation::{CancelInviteRequest, InviteRequest, InviteResponse};

const ZOE: &str = "zoe@far.test";

#[expect(clippy::unnecessary_wraps, reason = "as primitives have it")]
fn meta_of(user: &Address) -> Option<MetaInfo> {
    Some(MetaInfo::of_user(user.domain(), user.clone()))
}

#[expect(clippy::unnecessary_wraps, reason = "as primitives have it")]
fn party(user: &str) -> Option<Party> {
    Some(Party::User(UserElement::new(address(user))))
}

/// An invitation to talk.
fn invite(id: &str, from: &str, to: &str) -> InviteRequest {
    let from_user = address(from);
    InviteRequest {
        invite_id: id.to_owned(),
        invite_type: "IM".to_owned(),
        validity: 0,
        meta: meta_of(&from_user),
        inviting: party(from),
        invited: party(to),
        group: None,
        application: None,
        attributes: None,
        contents: None,
        note: Some("Come".to_owned()),
        screen_name: None,
    }
}

fn into_club(id: &str, from: &str, to: &str) -> InviteRequest {
    InviteRequest {
        invite_type: "GR".to_owned(),
        group: Some(GroupId {
            group: address(CLUB),
        }),
        ..invite(id, from, to)
    }
}

fn content(url: &str) -> ContentId {
    ContentId {
        url: url.to_owned(),
    }
}

fn cancel(id: &str, from: &str, to: &str) -> CancelInviteRequest {
    let from_user = address(from);
    CancelInviteRequest {
        invite_id: id.to_owned(),
        meta: meta_of(&from_user),
        canceling: party(from),
        canceled: party(to),
        group: None,
        application: None,
        attributes: None,
        contents: None,
        note: Some("Too late".to_owned()),
        screen_name: None,
    }
}

fn respond(id: &str, inviter: &str, responder: &str, acceptance: bool) -> InviteResponse {
    let user = address(responder);
    InviteResponse {
        invite_id: id.to_owned(),
        acceptance,
        meta: meta_of(&user),
        status: None,
        inviting: party(inviter),
        responding: party(responder),
        note: Some("Because".to_owned()),
        screen_name: None,
    }
}

impl World {
    /// A client asks; the code of the answer that it has heard, if it has.
    fn client_asks(&mut self, client: u64, primitive: impl Into<Primitive>) -> Option<u16> {
        let request = FromClient::Request {
            id: "i".to_owned(),
            primitive: Box::new(primitive.into()),
        };
        let before = self.heard(client);
        self.client(client, &request);
        self.code_heard(client, before)
    }

    /// The code of the answer that a client has heard; all else stays heard.
    fn code_heard(&mut self, client: u64, mut events: Vec<Event>) -> Option<u16> {
        events.extend(self.heard(client));
        let is_answer = |event: &Event| matches!(event, Event::Answer { id, .. } if id == "i");
        let at = events.iter().position(is_answer);
        let code = at.map(|at| match events.remove(at) {
            Event::Answer { primitive, .. } => primitive.verdict().unwrap().code.0,
            other => panic!("{other:?}"),
        });
        self.events.insert(ClientKey(client), events);
        code
    }

    /// What a client was told of invitations.
    fn invitations(&mut self, client: u64) -> Vec<Primitive> {
        let heard = self.heard(client).into_iter();
        let told = heard.filter_map(|event| match event {
            Event::Invitation { primitive, .. } => Some(*primitive),
            _ => None,
        });
        told.collect()
    }

    fn invitation(&mut self, client: u64) -> InviteRequest {
        match self.invitations(client).pop() {
            Some(Primitive::InviteRequest(request)) => *request,
            other => panic!("{other:?}"),
        }
    }

    fn response(&mut self, client: u64) -> InviteResponse {
        match self.invitations(client).pop() {
            Some(Primitive::InviteResponse(response)) => *response,
            other => panic!("{other:?}"),
        }
    }

    fn invites_kept(&self) -> usize {
        let keys = self.store.keys();
        keys.filter(|key| key.contains("/invitation/")).count()
    }

    /// Somebody elsewhere sends a notice.
    fn notice(&mut self, user: Option<&str>, primitive: impl Into<Primitive>) {
        let delivered = Delivered {
            id: None,
            from_domain: "far.test".to_owned(),
            user: user.map(address),
            primitive: primitive.into(),
            expires: self.now.plus_seconds(20),
        };
        self.home.take(Input::Deliver(delivered), self.now);
        self.settle();
    }

    fn outside(&mut self, user: &str, primitive: impl Into<Primitive>) -> u16 {
        let from = address(user);
        let answer = self.deliver(from.domain(), Some(user), primitive);
        answer.unwrap().verdict().unwrap().code.0
    }
}

/// Alice is there.
fn world() -> World {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.heard(1);
    world
}

#[test]
fn an_invitation_waits_until_it_is_answered_and_the_answer_until_it_is_heard() {
    let mut world = world();
    let request = invite("i1", ALICE, CAROL);
    assert_eq!(world.client_asks(1, request.clone()), Some(200));
    world.restart();
    // Each client of hers is asked, also one that comes after another has taken it.
    world.open(3, "carol");
    assert_eq!(world.invitation(3).note.as_deref(), Some("Come"));
    world.restart();
    world.open(4, "carol");
    let told = world.invitation(4);
    assert_eq!(
        (&told.inviting, &told.invited),
        (&party(ALICE), &party(CAROL))
    );
    let accept = respond("i1", ALICE, CAROL, true);
    assert_eq!(world.client_asks(4, accept), Some(200));
    // Nobody is asked again.
    world.open(5, "carol");
    assert_eq!(world.invitations(5), []);
    world.restart();
    world.open(1, "alice");
    let answer = world.response(1);
    assert_eq!((answer.acceptance, &*answer.invite_id), (true, "i1"));
    assert_eq!(answer.note.as_deref(), Some("Because"));
    assert_eq!(answer.responding, party(CAROL));
    // It was heard once.
    world.open(2, "alice");
    assert_eq!(world.invitations(2), []);
}

#[test]
fn an_invitation_to_another_domain_and_its_answer_go_by_primitives() {
    let mut world = world();
    assert_eq!(world.client_asks(1, invite("i1", ALICE, ZOE)), None);
    world.answer("InviteRequest", Status::ok());
    assert_eq!(world.code_heard(1, Vec::new()), Some(200));
    world.restart();
    // Some exchange the two, and say nothing else of who is speaking.
    let crossed = InviteResponse {
        meta: None,
        ..respond("i1", ZOE, ALICE, false)
    };
    world.notice(None, crossed);
    world.open(1, "alice");
    let answer = world.response(1);
    assert_eq!((answer.acceptance, answer.responding), (false, party(ZOE)));
    // The other way.
    assert_eq!(world.outside(ZOE, invite("z1", ZOE, ALICE)), 200);
    assert_eq!(&world.invitation(1).invite_id, "z1");
    assert_eq!(
        world.client_asks(1, respond("z1", ZOE, ALICE, false)),
        Some(200)
    );
    let Some(Primitive::InviteResponse(answer)) = world.sent().pop() else {
        panic!("no answer");
    };
    assert_eq!((answer.acceptance, &*answer.invite_id), (false, "z1"));
    assert_eq!(
        (answer.inviting, answer.responding),
        (party(ZOE), party(ALICE))
    );
    assert_eq!(answer.status.unwrap().code, Code::NOT_FOUND);
}

#[test]
fn each_type_of_invitation_names_what_it_is_to() {
    let of_type = |kind: &str| InviteRequest {
        invite_type: kind.to_owned(),
        ..invite(kind, ZOE, ALICE)
    };
    let group = |group: &str| {
        Some(GroupId {
            group: address(group),
        })
    };
    let mut sc = of_type("SC");
    sc.contents = Some(vec![
        content("https://far.test/a.png"),
        content("https://far.test/b.png"),
    ]);
    let mut gr = of_type("gr");
    gr.group = group("wv:zoe/gang@far.test");
    let mut gm = of_type("GM");
    gm.group = group("wv:zoe@far.test");
    let mut ap = of_type("AP");
    ap.application = Some(ApplicationId {
        application: "chess".to_owned(),
    });
    let mut pr = of_type("PR");
    pr.attributes = Some(AttributeList { presence: None });
    let mut empty = of_type("SC");
    empty.contents = Some(vec![content("")]);
    let mut long = of_type("IM");
    long.note = Some("x".repeat(17 * 1024));
    let mut no_id = of_type("IM");
    no_id.invite_id = String::new();
    let mut long_id = of_type("IM");
    long_id.invite_id = "x".repeat(129);
    let mut world = world();
    for (request, expected) in [
        (sc, 200),
        (gr, 200),
        (ap, 200),
        (pr, 200),
        (of_type("IM"), 200),
        (of_type("EC"), 200),
        (of_type("SC"), 400),
        (empty, 400),
        (of_type("GR"), 429),
        (of_type("EG"), 429),
        (gm, 429),
        (of_type("AP"), 450),
        (of_type("XX"), 402),
        (of_type(""), 402),
        (long, 402),
        (no_id, 402),
        (long_id, 402),
    ] {
        let kind = request.invite_type.clone();
        let kept = world.invites_kept();
        assert_eq!(world.outside(ZOE, request.clone()), expected, "{kind}");
        let told = world.invitations(1);
        if expected == 200 {
            let Some(Primitive::InviteRequest(told)) = told.first() else {
                panic!("{kind}: {told:?}");
            };
            assert_eq!(told.contents, request.contents);
            assert_eq!(told.group, request.group);
        } else {
            assert_eq!((told, world.invites_kept()), (Vec::new(), kept), "{kind}");
            // A client is answered alike.
            let own = InviteRequest {
                meta: Some(MetaInfo::of_user(HOME, address(ALICE))),
                inviting: party(ALICE),
                invited: party(ZOE),
                ..request
            };
            assert_eq!(world.client_asks(1, own), Some(expected), "{kind}");
        }
    }
    assert!(world.sent().is_empty());
}

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
fn an_invitation_that_is_withdrawn_is_told_and_cannot_be_answered() {
    let mut world = world();
    world.open(3, "carol");
    let mut request = invite("i1", ALICE, CAROL);
    request.invite_type = "SC".to_owned();
    request.contents = Some(vec![content("https://home.test/a.png")]);
    assert_eq!(world.client_asks(1, request), Some(200));
    world.invitation(3);
    world.client_asks(3, respond("i1", ALICE, CAROL, true));
    world.close(3);
    // One that was accepted too: sharing ends.
    assert_eq!(world.client_asks(1, cancel("i1", ALICE, CAROL)), Some(200));
    world.restart();
    world.open(3, "carol");
    let told = world.invitations(3);
    let [Primitive::CancelInviteRequest(told)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(told.note.as_deref(), Some("Too late"));
    assert_eq!(
        told.contents,
        Some(vec![content("https://home.test/a.png")])
    );
    assert_eq!(
        world.client_asks(3, respond("i1", ALICE, CAROL, true)),
        Some(423)
    );
    // Again: the other side does not know it any more.
    world.open(1, "alice");
    assert_eq!(world.client_asks(1, cancel("i1", ALICE, CAROL)), Some(423));
    assert_eq!(world.client_asks(1, cancel("i2", ALICE, CAROL)), Some(423));
    assert_eq!(world.outside(ZOE, cancel("i1", ZOE, CAROL)), 423);
    let mut nobody = cancel("i1", ZOE, CAROL);
    nobody.canceled = None;
    assert_eq!(world.outside(ZOE, nobody), 402);
    // An answer that was under way is too late.
    world.client_asks(1, invite("i3", ALICE, ZOE));
    world.answer("InviteRequest", Status::ok());
    world.client_asks(1, cancel("i3", ALICE, ZOE));
    world.answer("CancelInviteRequest", Status::ok());
    world.heard(1);
    world.notice(Some(ZOE), respond("i3", ALICE, ZOE, true));
    assert_eq!(world.invitations(1), []);
}

#[test]
fn an_invitation_ends_with_its_validity_on_both_sides() {
    let mut world = world();
    let short = InviteRequest {
        validity: 600,
        ..invite("i1", ALICE, CAROL)
    };
    world.client_asks(1, short);
    world.wait(100);
    world.restart();
    world.open(3, "carol");
    assert_eq!(world.invitation(3).validity, 500);
    world.wait(500);
    assert_eq!(world.invites_kept(), 0);
    assert_eq!(
        world.client_asks(3, respond("i1", ALICE, CAROL, true)),
        Some(423)
    );
    world.open(4, "carol");
    assert_eq!(world.invitations(4), []);
    // One without an end has that of a message.
    world.open(1, "alice");
    world.client_asks(1, invite("i2", ALICE, CAROL));
    world.wait(7 * 86_400 + 1);
    assert_eq!(world.invites_kept(), 0);
}

#[test]
fn only_who_was_invited_answers_and_once() {
    let mut world = world();
    for to in [ZOE, "yan@far.test"] {
        world.client_asks(1, invite("i1", ALICE, to));
        world.answer("InviteRequest", Status::ok());
    }
    world.heard(1);
    for (user, response) in [
        (DAN, respond("i1", ALICE, DAN, true)),
        (DAN, respond("i1", ALICE, ZOE, true)),
        (ZOE, respond("i2", ALICE, ZOE, true)),
        (ZOE, respond("i1", CAROL, ZOE, true)),
        (ZOE, respond("i1", "nobody@home.test", ZOE, true)),
    ] {
        world.notice(Some(user), response);
        assert_eq!(world.invitations(1), [], "{user}");
    }
    world.notice(Some(ZOE), respond("i1", ALICE, ZOE, true));
    world.notice(Some(ZOE), respond("i1", ALICE, ZOE, false));
    assert!(world.response(1).acceptance);
    // The other one is a question of its own.
    world.notice(
        Some("yan@far.test"),
        respond("i1", ALICE, "yan@far.test", false),
    );
    assert!(!world.response(1).acceptance);
    // A client that answers twice is believed the first time.
    world.open(3, "carol");
    world.outside(ZOE, invite("z", ZOE, CAROL));
    world.invitation(3);
    assert_eq!(
        world.client_asks(3, respond("z", ZOE, CAROL, true)),
        Some(200)
    );
    assert_eq!(
        world.client_asks(3, respond("z", ZOE, CAROL, true)),
        Some(200)
    );
    assert_eq!(
        world.client_asks(3, respond("z", ZOE, CAROL, false)),
        Some(423)
    );
    assert_eq!(world.sent().len(), 1);
    assert_eq!(
        world.client_asks(3, respond("y", ZOE, CAROL, true)),
        Some(423)
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
fn a_client_that_invites_again_under_the_same_id_is_answered_alike() {
    let mut world = world();
    let request = invite("i1", ALICE, CAROL);
    assert_eq!(world.client_asks(1, request.clone()), Some(200));
    assert_eq!(world.client_asks(1, request), Some(200));
    let mut other = invite("i1", ALICE, CAROL);
    other.note = None;
    assert_eq!(world.client_asks(1, other), Some(423));
    world.open(3, "carol");
    assert_eq!(world.invitations(3).len(), 1);
    // An address without domain is of this one.
    assert_eq!(world.client_asks(1, invite("i1", ALICE, "bob")), Some(200));
    world.open(2, "bob");
    assert_eq!(&world.invitation(2).invite_id, "i1");
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
    world.home.remove_user("carol", world.now).unwrap();
    world.settle();
    assert_eq!(world.outside(ZOE, long("2")), 200);
}

#[test]
fn who_is_removed_has_declined_and_withdrawn_everything() {
    let mut world = world();
    world.client_asks(1, invite("i1", ALICE, ZOE));
    world.answer("InviteRequest", Status::ok());
    world.client_asks(1, invite("i2", ALICE, CAROL));
    world.outside(ZOE, invite("z1", ZOE, ALICE));
    world.home.remove_user("alice", world.now).unwrap();
    world.settle();
    let sent = world.sent();
    let is_canceled =
        |p: &Primitive| matches!(p, Primitive::CancelInviteRequest(c) if c.invite_id == "i1");
    let is_declined = |p: &Primitive| matches!(p, Primitive::InviteResponse(r) if r.invite_id == "z1" && !r.acceptance);
    assert!(
        sent.iter().any(is_canceled) && sent.iter().any(is_declined),
        "{sent:?}"
    );
    assert_eq!(world.invites_kept(), 0);
    world.open(3, "carol");
    let told = world.invitations(3);
    assert!(
        matches!(&told[..], [Primitive::CancelInviteRequest(_)]),
        "{told:?}"
    );
}

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
        ("Vicky", 501),
    ] {
        assert_eq!(world.does(ALICE, ask(name)), expected, "{name}");
    }
    let mut whole = ask("u");
    whole.invited = Some(Party::Group(GroupId {
        group: address(CLUB),
    }));
    assert_eq!(world.does(ALICE, whole), 501);
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

#[test]
fn what_was_shared_is_deleted_with_the_last_invitation_to_it() {
    let mut world = world();
    let share = |id: &str, to: &str| InviteRequest {
        invite_type: "SC".to_owned(),
        contents: Some(vec![
            content("https://home.test/a"),
            content("https://home.test/b"),
        ]),
        ..invite(id, ALICE, to)
    };
    world.client_asks(1, share("i1", CAROL));
    world.client_asks(1, share("i2", "bob@home.test"));
    world.client_asks(1, cancel("i1", ALICE, CAROL));
    assert_eq!(world.unshared, []);
    world.client_asks(1, cancel("i2", ALICE, "bob@home.test"));
    let urls = ["https://home.test/a", "https://home.test/b"].map(str::to_owned);
    let expected = ("alice".to_owned(), Some(urls.to_vec()));
    let unshared = std::mem::take(&mut world.unshared);
    assert_eq!(unshared, std::slice::from_ref(&expected));
    // A process that was killed before it did so does it at the next start.
    world.restart();
    world.wait(1);
    assert!(world.unshared.contains(&expected));
    world.unshared.clear();
    world.home.remove_user("alice", world.now).unwrap();
    world.settle();
    assert_eq!(world.unshared, [("alice".to_owned(), None)]);
}
