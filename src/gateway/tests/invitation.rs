//! Invitations.

use super::rooms::{LAPTOP, PARTY};
use super::*;

const GROUP: &str = "wv:bob/party@village.example";
const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
const VICKY: &str = "wv:vicky@village.example";
const CLUB: &str = "club@conference.home.example";

fn invite(id: &str, kind: &str, more: &str) -> String {
    format!(
        "<InviteRequest inviteID='{id}' inviteType='{kind}' validity='3600'><Inviting><User userID='{BOB}'/></Inviting>\
         <Invited><User userID='{ALICE}'/></Invited>{more}</InviteRequest>"
    )
}

fn into(group: &str) -> String {
    format!("<GroupID groupID='{group}'/><InviteNote>Come in</InviteNote>")
}

pub(super) fn cancel(id: &str, more: &str) -> String {
    format!(
        "<CancelInviteRequest inviteID='{id}'><Canceling><User userID='{BOB}'/></Canceling>\
         <Canceled><User userID='{ALICE}'/></Canceled>{more}<CancelNote>Too late</CancelNote></CancelInviteRequest>"
    )
}

impl World {
    pub(super) fn invites(&mut self, id: &str, kind: &str, more: &str) -> Option<u16> {
        let asked = self.ssp(Some(BOB), &invite(id, kind, more));
        self.code(asked)
    }

    fn open_invitations(&self) -> usize {
        let keys = self.kept();
        let kept = keys.iter().filter(|key| key.contains("/invitation/"));
        assert_eq!(kept.count(), self.gateway.invitations.count());
        self.gateway.invitations.count()
    }

    fn responds(&mut self, id: &str, acceptance: &str) {
        self.ssp(
            Some(BOB),
            &format!(
                "<InviteResponse inviteID='{id}' acceptance='{acceptance}'><Inviting><User userID='{ALICE}'/></Inviting>\
                 <Responding><User userID='{BOB}'/></Responding><ResponseNote>Not today</ResponseNote></InviteResponse>"
            ),
        );
    }
}

/// The value of an attribute, wherever it stands first.
pub(super) fn value(text: &str, name: &str) -> String {
    let rest = text.split(&format!(" {name}=\"")).nth(1);
    let rest = rest.or_else(|| text.split(&format!(" {name}='")).nth(1));
    let rest = rest.unwrap_or_else(|| panic!("{name} in {text}"));
    rest.split(['"', '\'']).next().unwrap().to_owned()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn an_invitation_of_ssp_comes_from_the_room_and_who_enters_has_accepted() {
    let mut world = World::up(GatewaySettings::default());
    assert_eq!(world.invites("i-1", "GR", &into(GROUP)), Some(200));
    let [message] = &world.out()[..] else {
        panic!("{:?}", world.out())
    };
    has(
        message,
        &[
            &format!("from='{PARTY}'"),
            "to='alice@home.example'",
            "<invite from='bob@village.example'><reason>Come in</reason></invite>",
            &format!("jid='{PARTY}'"),
        ],
    );
    // It is the same when it comes again, and is kept over a restart.
    assert_eq!(world.invites("i-1", "GR", &into(GROUP)), Some(200));
    assert!(world.out().is_empty());
    world.restart();
    world.link_up();
    world.enter(LAPTOP, "Ali");
    let mut seen = World::up(GatewaySettings::default());
    seen.invites("i-1", "GR", &into(GROUP));
    seen.presence(LAPTOP, "Ali", super::rooms::ENTRY);
    let token = seen.token("JoinGroupRequest");
    seen.answer_to(
        token,
        "<JoinGroupResponse><Status code='200'/></JoinGroupResponse>",
    );
    let sent = seen.sent();
    let response = sent.iter().find(|text| text.starts_with("<InviteResponse"));
    has(
        response.unwrap(),
        &[
            "inviteID=\"i-1\"",
            "acceptance=\"Yes\"",
            &format!("<Inviting><User userID=\"{BOB}\"/></Inviting>"),
            &format!("<Responding><User userID=\"{ALICE}\"/></Responding>"),
            ">Ali</ScreenName>",
        ],
    );
    assert_eq!(world.open_invitations(), 0);
    assert_eq!(seen.open_invitations(), 0);
}

#[test]
fn who_declines_is_heard_with_the_reason_and_only_once() {
    let mut world = World::up(GatewaySettings::default());
    world.invites("i-1", "GR", &into(GROUP));
    let decline = format!(
        "<message from='{LAPTOP}' to='{PARTY}' id='d'><x xmlns='{MUC_USER}'><decline to='bob@village.example'><reason>Too loud</reason></decline></x></message>"
    );
    world.xmpp(&decline.replace("alice@", "mallory@"));
    has(&world.out()[0], &["type='error'", "item-not-found"]);
    assert!(world.sent().is_empty());
    world.xmpp(&decline);
    has(
        &world.sent()[0],
        &[
            "<InviteResponse",
            "acceptance=\"No\"",
            "code=\"404\"",
            "<ResponseNote>Too loud</ResponseNote>",
        ],
    );
    world.xmpp(&decline);
    assert!(world.sent().is_empty());
    has(&world.out()[0], &["type='error'"]);
}

#[test]
fn an_invitation_that_comes_back_was_not_accepted() {
    let mut world = World::up(GatewaySettings::default());
    world.invites("i-1", "GR", &into(GROUP));
    let id = value(&world.out()[0], "id");
    let error = |from: &str| {
        format!(
            "<message type='error' id='{id}' from='{from}' to='{PARTY}'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        )
    };
    world.xmpp(&error("mallory@evil.example"));
    assert!(world.sent().is_empty());
    world.xmpp(&error("alice@home.example"));
    has(
        &world.sent()[0],
        &["<InviteResponse", "acceptance=\"No\"", "code=\"531\""],
    );
}

#[test]
fn an_invitation_to_see_presence_is_a_subscription_and_its_answer_an_answer() {
    for (kind, acceptance) in [("subscribed", "Yes"), ("unsubscribed", "No")] {
        let mut world = World::up(GatewaySettings::default());
        assert_eq!(
            world.invites("p-1", "PR", "<InviteNote>It is me</InviteNote>"),
            Some(200)
        );
        has(
            &world.out()[0],
            &[
                "<presence",
                "type='subscribe'",
                "from='bob@village.example'",
                "<status>It is me</status>",
            ],
        );
        world.xmpp(&format!(
            "<presence type='{kind}' from='alice@home.example' to='bob@village.example'/>"
        ));
        let sent = world.sent();
        let response = sent.iter().find(|text| text.starts_with("<InviteResponse"));
        has(
            response.unwrap(),
            &[&format!("acceptance=\"{acceptance}\"")],
        );
        assert_eq!(world.open_invitations(), 0);
    }
}

#[test]
fn invitations_to_talk_and_to_content_are_messages() {
    let mut world = World::up(GatewaySettings::default());
    assert_eq!(world.invites("t-1", "IM", ""), Some(200));
    has(
        &world.out()[0],
        &["type='chat'", "from='bob@village.example/imps'", "talk?"],
    );
    let content = "<ContentIDList><ContentID url='http://x.example/a.jpg'/><ContentID url='http://x.example/b.jpg'/></ContentIDList><InviteNote>Look</InviteNote>";
    assert_eq!(world.invites("c-1", "SC", content), Some(200));
    has(
        &world.out()[0],
        &[
            "<body>Look\nhttp://x.example/a.jpg\nhttp://x.example/b.jpg</body>",
            "<x xmlns='jabber:x:oob'><url>http://x.example/a.jpg</url></x>",
            "<url>http://x.example/b.jpg</url>",
        ],
    );
    assert_eq!(world.open_invitations(), 0);
}

#[test]
fn what_cannot_be_an_invitation_in_xmpp_is_refused() {
    let mut world = World::up(GatewaySettings::default());
    for (kind, more, code) in [
        ("AP", "<ApplicationID applicationID='x'/>", 501),
        ("EC", "", 501),
        ("??", "", 402),
        ("GR", "", 429),
        ("GR", "<GroupID groupID='wv:bob@village.example'/>", 429),
        ("GR", "<GroupID groupID='wv:x/y@other.example'/>", 516),
        ("SC", "", 400),
    ] {
        assert_eq!(world.invites("x", kind, more), Some(code), "{kind} {more}");
        assert!(world.out().is_empty());
    }
    assert_eq!(world.invites("same", "GR", &into(GROUP)), Some(200));
    let other = into("wv:/news@village.example");
    assert_eq!(world.invites("same", "GR", &other), Some(423));
    let long = "i".repeat(129);
    assert_eq!(world.invites(&long, "GR", &into(GROUP)), Some(402));
}

#[test]
fn a_withdrawn_invitation_is_told_and_cannot_be_withdrawn_twice() {
    let mut world = World::up(GatewaySettings::default());
    world.invites("i-1", "GR", &into(GROUP));
    let text = cancel("i-1", &format!("<GroupID groupID='{GROUP}'/>"));
    let id = world.ssp(Some(BOB), &text);
    assert_eq!(world.code(id), Some(200));
    has(
        &world.out()[0],
        &["type='headline'", "withdraw", PARTY, ": Too late"],
    );
    assert_eq!(world.open_invitations(), 0);
    let id = world.ssp(Some(BOB), &text);
    assert_eq!(world.code(id), Some(423));
    world.invites("p-1", "PR", "");
    let id = world.ssp(Some(BOB), &cancel("p-1", ""));
    assert_eq!(world.code(id), Some(200));
    has(&world.out()[0], &["<presence", "type='unsubscribe'"]);
}

#[test]
fn an_invitation_ends_with_its_validity() {
    let mut world = World::up(GatewaySettings::default());
    world.invites("i-1", "GR", &into(GROUP));
    world.pass(3_599_000);
    assert_eq!(world.open_invitations(), 1);
    world.pass(2_000);
    assert_eq!(world.open_invitations(), 0);
    assert!(world.sent().is_empty());
}

#[test]
fn an_xmpp_user_invites_directly_and_hears_when_the_other_one_declines() {
    for acceptance in ["Yes", "No"] {
        let mut world = World::up(GatewaySettings::default());
        world.xmpp(&format!(
            "<message from='{LAPTOP}' to='bob@village.example' id='m'><x xmlns='jabber:x:conference' jid='{CLUB}' reason='Come'/></message>"
        ));
        let request = world.sent().remove(0);
        has(
            &request,
            &[
                "<InviteRequest",
                "inviteType=\"GR\"",
                &format!("<Inviting><User userID=\"{ALICE}\"/></Inviting>"),
                &format!("<Invited><User userID=\"{BOB}\"/></Invited>"),
                "groupID=\"wv:/club@home.example\"",
                "<InviteNote>Come</InviteNote>",
            ],
        );
        world.answer("<Status code='200'/>");
        world.restart();
        world.link_up();
        world.responds(&value(&request, "inviteID"), acceptance);
        if acceptance == "Yes" {
            assert!(world.out().is_empty());
        } else {
            has(
                &world.out()[0],
                &[
                    "type='headline'",
                    "to='alice@home.example'",
                    &format!("decline your invitation to {CLUB}: Not today"),
                ],
            );
        }
        assert_eq!(world.open_invitations(), 0);
    }
}

#[test]
fn an_invitation_by_a_room_of_xmpp_is_declined_to_the_room() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(&format!(
        "<message from='{CLUB}' to='bob@village.example'><x xmlns='{MUC_USER}'><invite from='{LAPTOP}'><reason>Come</reason></invite></x></message>"
    ));
    let request = world.sent().remove(0);
    has(
        &request,
        &[&format!("<Inviting><User userID=\"{ALICE}\"/></Inviting>")],
    );
    world.answer("<Status code='200'/>");
    world.responds(&value(&request, "inviteID"), "No");
    has(
        &world.out()[0],
        &[
            &format!("to='{CLUB}'"),
            "<decline to='alice@home.example'><reason>Not today</reason></decline>",
        ],
    );
    // Nobody says for somebody else that they invite.
    world.xmpp(&format!(
        "<message from='mallory@home.example/x' to='bob@village.example'><x xmlns='{MUC_USER}'><invite from='{LAPTOP}'/></x></message>"
    ));
    assert!(world.sent()[0].starts_with("<SendMessageRequest"));
}

#[test]
fn who_knows_no_invitations_reads_them() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(&format!(
        "<message from='{LAPTOP}' to='bob@village.example' id='m'><x xmlns='jabber:x:conference' jid='{CLUB}' reason='Come'/></message>"
    ));
    world.answer("<Status code='405'/>");
    let sent = world.sent();
    assert!(sent[0].starts_with("<SendMessageRequest"), "{sent:?}");
    assert!(world.out().is_empty());
    assert_eq!(world.open_invitations(), 0);
}

#[test]
fn an_invitation_that_is_not_taken_is_refused_to_who_invites() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(&format!(
        "<message from='{LAPTOP}' to='bob@village.example' id='m'><x xmlns='jabber:x:conference' jid='{CLUB}'/></message>"
    ));
    world.answer("<Status code='531'/>");
    has(
        &world.out()[0],
        &["type='error'", "id='m'", &format!("to='{LAPTOP}'")],
    );
    assert_eq!(world.open_invitations(), 0);
}

#[test]
fn through_a_room_the_group_is_asked_first_who_may_be_invited() {
    let invitation = |to: &str| {
        format!(
            "<message from='{LAPTOP}' to='{PARTY}' id='m'><x xmlns='{MUC_USER}'><invite to='{to}'><reason>Come</reason></invite></x></message>"
        )
    };
    let mut world = World::inside();
    world.xmpp(&invitation("vicky@village.example"));
    has(
        &world.sent()[0],
        &[
            &format!("<ScreenName groupID=\"{GROUP}\">vicky@village.example</ScreenName>"),
            &format!("<Inviting><User userID=\"{ALICE}\"/></Inviting>"),
        ],
    );
    world.answer("<Status code='200'/>");
    has(
        &world.sent()[0],
        &[
            &format!("<Invited><User userID=\"{VICKY}\"/></Invited>"),
            &format!("groupID=\"{GROUP}\""),
        ],
    );
    world.answer("<Status code='200'/>");
    assert_eq!(world.open_invitations(), 1);

    // Another user of XMPP hears it of the room, and declines there.
    world.xmpp(&invitation("dave@home.example"));
    world.answer("<Status code='200'/>");
    has(
        &world.out()[0],
        &[
            &format!("from='{PARTY}'"),
            "to='dave@home.example'",
            "<invite from='alice@home.example'>",
        ],
    );
    world.xmpp(&format!(
        "<message from='dave@home.example/d' to='{PARTY}'><x xmlns='{MUC_USER}'><decline to='{LAPTOP}'><reason>No</reason></decline></x></message>"
    ));
    has(
        &world.out()[0],
        &[
            "to='alice@home.example'",
            "<decline from='dave@home.example'><reason>No</reason></decline>",
        ],
    );

    // Whom the group does not let in nobody hears of.
    world.xmpp(&invitation("vicky@village.example"));
    world.answer("<Status code='816'/>");
    has(&world.out()[0], &["type='error'", "forbidden"]);
    assert!(world.sent().is_empty());

    // Who is not there invites nobody.
    world.xmpp(&invitation("vicky@village.example").replace("laptop", "tablet"));
    has(&world.out()[0], &["type='error'", "not-acceptable"]);
    assert!(world.sent().is_empty());
}

#[test]
fn links_that_are_handed_over_are_answered_when_they_are_taken() {
    for (acceptance, answer) in [("Yes", "type='result'"), ("No", "not-acceptable")] {
        let mut world = World::up(GatewaySettings::default());
        world.xmpp(&format!(
            "<iq type='set' from='{LAPTOP}' to='bob@village.example' id='q'><query xmlns='jabber:iq:oob'><url>http://x.example/a</url><desc>A map</desc></query></iq>"
        ));
        let request = world.sent().remove(0);
        has(
            &request,
            &[
                "inviteType=\"SC\"",
                "url=\"http://x.example/a\"",
                "<InviteNote>A map</InviteNote>",
            ],
        );
        world.answer("<Status code='200'/>");
        world.restart();
        world.link_up();
        world.responds(&value(&request, "inviteID"), acceptance);
        has(&world.out()[0], &["<iq", "id='q'", answer]);
    }
}

#[test]
fn invitations_are_bounded_in_number_and_in_bytes() {
    for (max_invitations, max_invitation_bytes) in [(8, 1 << 20), (1_000, 8 * 600)] {
        let mut world = World::up(GatewaySettings {
            max_invitations,
            max_invitation_bytes,
            ..GatewaySettings::default()
        });
        let codes: Vec<u16> = (0..20)
            .map(|n| {
                world
                    .invites(&format!("i-{n}"), "GR", &into(GROUP))
                    .unwrap()
            })
            .collect();
        let taken = codes.iter().filter(|code| **code == 200).count();
        assert!((1..=8).contains(&taken), "{codes:?}");
        assert!(codes[taken..].iter().all(|code| *code == 507));
        assert_eq!(world.open_invitations(), taken);
        // The own domain's users still invite.
        let direct = format!(
            "<message from='{LAPTOP}' to='bob@village.example' id='m'><x xmlns='jabber:x:conference' jid='{CLUB}'/></message>"
        );
        world.xmpp(&direct);
        assert_eq!(world.sent().len(), 1);
        for _ in 0..20 {
            world.xmpp(&direct);
        }
        has(&world.out()[0], &["resource-constraint"]);
        assert!(world.open_invitations() <= 20);
    }
}

#[test]
fn one_message_invites_no_more_than_a_few() {
    let invites = |count: usize| {
        let invites = "<invite to='vicky@village.example'/>".repeat(count);
        format!(
            "<message from='{LAPTOP}' to='{PARTY}' id='m'><x xmlns='{MUC_USER}'>{invites}</x></message>"
        )
    };
    let most = crate::translate::invitation::MAX_INVITED;
    let mut world = World::inside();
    world.xmpp(&invites(most));
    assert_eq!(world.sent().len(), most);
    world.xmpp(&invites(most + 1));
    assert!(world.sent().is_empty());
    has(&world.out()[0], &["type='error'", "bad-request"]);
}
