//! Invitations, on both sides: from a client to a user of this domain or of another, and back.

mod ends;
mod groups;
mod refusals;

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
