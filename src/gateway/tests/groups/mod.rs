//! Rooms of XMPP as groups, for SSP users.

mod questions;

use super::*;

const ROOM: &str = "club@conference.home.example";
const CLUB: &str = "wv:/club@home.example";
const OWN: &str = "bob@village.example/imps";
const USER: &str = "http://jabber.org/protocol/muc#user";

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference' type='text' name='The club'/><feature var='muc_open'/><feature var='muc_persistent'/><x xmlns='jabber:x:data' type='result'><field var='muc#roominfo_subject'><value>Books</value></field></x></query>";
const FORM: &str = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='form'><field var='muc#roomconfig_roomname'><value>Old</value></field><field var='muc#roomconfig_membersonly' type='boolean'><value>0</value></field><field var='muc#roomconfig_persistentroom' type='boolean'><value>0</value></field></x></query>";

fn join(more: &str, inner: &str) -> String {
    format!(
        "<JoinGroupRequest groupID='{CLUB}' joinedListRequest='Yes' {more}>{inner}</JoinGroupRequest>"
    )
}

fn asks(name: &str, inner: &str) -> String {
    format!("<{name} groupID='{CLUB}'>{inner}</{name}>")
}

fn named(nick: &str) -> String {
    format!("<ScreenName groupID='{CLUB}'>{nick}</ScreenName>")
}

impl World {
    /// The room shows an occupant.
    fn shows(&mut self, nick: &str, kind: &str, item: &str, more: &str) {
        self.xmpp(&format!(
            "<presence {kind} from='{ROOM}/{nick}' to='{OWN}'><x xmlns='{USER}'><item {item}/>{more}</x></presence>"
        ));
    }

    fn comes(&mut self, nick: &str, codes: &[u16]) {
        let codes = statuses(codes);
        self.shows(nick, "", "affiliation='none' role='participant'", &codes);
    }

    fn goes(&mut self, nick: &str, codes: &[u16]) {
        let codes = statuses(codes);
        let kind = "type='unavailable'";
        self.shows(nick, kind, "affiliation='none' role='none'", &codes);
    }

    /// The room answers the only question among the last stanzas.
    fn replies(&mut self, inner: Result<&str, &str>) {
        let out = self.out();
        let iq = out.iter().find(|text| text.starts_with("<iq"));
        let iq = iq.unwrap_or_else(|| panic!("a question in {out:?}"));
        let id = iq
            .split(" id='")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap();
        let to = iq
            .split(" to='")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap();
        let text = match inner {
            Ok(inner) => format!("<iq type='result' id='{id}' from='{to}' to='{OWN}'>{inner}</iq>"),
            Err(condition) => format!(
                "<iq type='error' id='{id}' from='{to}' to='{OWN}'><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            ),
        };
        self.xmpp(&text);
    }

    fn refuses(&mut self, nick: &str, condition: &str) {
        self.xmpp(&format!(
            "<presence type='error' from='{ROOM}/{nick}' to='{OWN}'><x xmlns='http://jabber.org/protocol/muc'/><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        ));
    }

    /// Bob is in the room, with Vicky.
    fn visiting() -> Self {
        Self::visiting_under(Policies::default())
    }

    /// The same, under these policies.
    pub(super) fn visiting_under(policies: Policies) -> Self {
        let mut world = Self::up(GatewaySettings {
            policies,
            ..GatewaySettings::default()
        });
        world.ssp(Some(BOB), &join("subscribeNotif='Yes'", &named("Bob")));
        world.replies(Ok(INFO));
        world.comes("Vicky", &[]);
        world.comes("Bob", &[110]);
        world
    }

    fn bob_says(&mut self, recipient: &str) -> RequestId {
        self.ssp(
            Some(BOB),
            &format!("<SendMessageRequest deliveryReport='No'><MessageInfo messageID='m1' contentType='text/plain'><Recipient>{recipient}</Recipient><Sender><User userID='{BOB}'/></Sender></MessageInfo><ContentData contentType='text/plain'>Hi</ContentData></SendMessageRequest>"),
        )
    }

    fn room_says(&mut self, nick: &str, kind: &str, inner: &str) {
        self.xmpp(&format!(
            "<message type='{kind}' from='{ROOM}{nick}' to='{OWN}' id='r1'>{inner}</message>"
        ));
    }

    fn answered(&self, id: RequestId) -> String {
        let found = self.acts.iter().find_map(|act| match act {
            Act::Respond { to, primitive } if *to == id => Some(primitive.to_xml(None)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no answer in {:?}", self.acts))
    }
}

fn statuses(codes: &[u16]) -> String {
    codes.iter().fold(String::new(), |all, code| {
        all + &format!("<status code='{code}'/>")
    })
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_room_is_looked_for_before_it_is_entered_and_who_is_there_is_told() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.ssp(Some(BOB), &join("", &named("Bob")));
    has(
        &world.out()[0],
        &["<iq", "disco#info", &format!("to='{ROOM}'")],
    );
    world.replies(Ok(INFO));
    has(
        &world.out()[0],
        &[
            &format!("to='{ROOM}/Bob'"),
            &format!("from='{OWN}'"),
            "<history maxstanzas='0'/>",
        ],
    );
    world.comes("Vicky", &[]);
    assert!(world.acts.is_empty());
    world.comes("Bob", &[110]);
    let answer = world.answered(id);
    has(
        &answer,
        &[
            "<JoinGroupResponse>",
            "code=\"200\"",
            "<Name>Bob</Name><Name>Vicky</Name>",
        ],
    );
}

#[test]
fn joining_never_makes_a_room() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.ssp(Some(BOB), &join("", ""));
    world.replies(Err("item-not-found"));
    assert!(world.out().is_empty());
    has(&world.answered(id), &["code=\"800\""]);
    // It was there a moment ago.
    let id = world.ssp(Some(BOB), &join("", ""));
    world.replies(Ok(INFO));
    world.comes("bob", &[110, 201]);
    has(&world.answered(id), &["code=\"800\""]);
    has(
        &world.out()[0],
        &["type='unavailable'", &format!("to='{ROOM}/bob'")],
    );
    assert!(world.kept().iter().all(|key| !key.contains("/visit/")));
}

#[test]
fn a_room_that_does_not_let_somebody_in_says_why() {
    for (condition, code) in [
        ("conflict", 811),
        ("forbidden", 809),
        ("registration-required", 816),
        ("not-authorized", 816),
        ("service-unavailable", 817),
        ("item-not-found", 800),
        ("remote-server-timeout", 504),
    ] {
        let mut world = World::up(GatewaySettings::default());
        let id = world.ssp(Some(BOB), &join("", &named("Bob")));
        world.replies(Ok(INFO));
        world.refuses("Bob", condition);
        has(&world.answered(id), &[&format!("code=\"{code}\"")]);
        assert!(
            world.kept().iter().all(|key| !key.contains("/visit/")),
            "{code}"
        );
    }
}

#[test]
fn who_has_chosen_no_name_gets_one_that_is_free() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.ssp(Some(BOB), &join("", ""));
    world.replies(Ok(INFO));
    has(&world.out()[0], &[&format!("to='{ROOM}/bob'")]);
    world.refuses("bob", "conflict");
    has(&world.out()[0], &[&format!("to='{ROOM}/bob2'")]);
    // The room may give another one still.
    world.comes("Bobby", &[110, 210]);
    has(
        &world.answered(id),
        &["<JoinedList><Name>Bobby</Name></JoinedList>"],
    );
}

#[test]
fn who_comes_goes_or_has_another_name_is_told_to_who_wants_to_know() {
    let mut world = World::visiting();
    world.comes("Dave", &[]);
    has(
        &world.sent()[0],
        &[
            "<GroupChangeNotice",
            "<Joined><Name>Dave</Name></Joined>",
            BOB,
        ],
    );
    world.shows(
        "Dave",
        "type='unavailable'",
        "affiliation='none' role='participant' nick='David'",
        "<status code='303'/>",
    );
    has(
        &world.sent()[0],
        &[
            "<Joined><Name>David</Name></Joined>",
            "<Left><Name>Dave</Name></Left>",
        ],
    );
    world.comes("David", &[]);
    assert!(world.sent().is_empty());
    world.goes("David", &[]);
    has(&world.sent()[0], &["<Left><Name>David</Name></Left>"]);
    world.comes("Dave", &[]);
    world.goes("Dave", &[307]);
    has(&world.sent()[0], &["<LeftBlocked>", ">Dave</ScreenName>"]);
    world.shows(
        "Bob",
        "",
        "affiliation='admin' role='moderator'",
        "<status code='110'/>",
    );
    has(&world.sent()[0], &["<OwnProperties>", "<Value>Mod</Value>"]);
    let id = world.ssp(Some(BOB), &asks("UnsubscribeGroupChangeRequest", ""));
    has(&world.answered(id), &["code=\"200\""]);
    world.comes("Eve", &[]);
    assert!(world.sent().is_empty());
    let id = world.ssp(Some(BOB), &asks("GetGroupSubStatusRequest", ""));
    has(&world.answered(id), &["subscribed=\"No\""]);
}

#[test]
fn messages_of_the_room_come_as_those_of_the_group_and_own_ones_do_not_come_back() {
    let mut world = World::visiting();
    world.room_says("/Vicky", "groupchat", "<body>Hello</body>");
    has(
        &world.sent()[0],
        &[
            "<SendMessageRequest",
            &format!("<Recipient><User userID=\"{BOB}\"/></Recipient>"),
            &format!("<GroupID groupID=\"{CLUB}\"/>"),
            ">Vicky</ScreenName>",
        ],
    );
    world.answer("<SendMessageResponse messageID='x'><Status code='200'/></SendMessageResponse>");
    assert_eq!(world.outcomes(), [Outcome::Relayed]);
    world.room_says(
        "/Vicky",
        "chat",
        &format!("<body>Psst</body><x xmlns='{USER}'/>"),
    );
    has(
        &world.sent()[0],
        &["<RecipientDisplay>", ">Bob</ScreenName>"],
    );
    world.room_says("/Bob", "groupchat", "<body>Hi</body>");
    assert!(world.sent().is_empty() && world.out().is_empty());
    let past = format!(
        "<body>Old</body><delay xmlns='urn:xmpp:delay' from='{ROOM}' stamp='2024-05-01T10:00:00Z'/>"
    );
    world.room_says("/Vicky", "groupchat", &past);
    assert!(world.sent().is_empty());
    // No error goes to a room: it would take the user for gone.
    world.room_says("/Vicky", "groupchat", "<call xmlns='urn:x'/>");
    assert!(world.out().is_empty());
}

#[test]
fn a_message_goes_out_as_the_occupants() {
    let mut world = World::visiting();
    let id = world.bob_says(&format!("<GroupID groupID='{CLUB}'/>"));
    has(
        &world.out()[0],
        &[
            "type='groupchat'",
            &format!("from='{OWN}'"),
            &format!("to='{ROOM}'"),
            "<body>Hi</body>",
        ],
    );
    world.confirm(u64::MAX);
    world.pass(3_000);
    assert_eq!(world.code(id), Some(200));
    world.bob_says(&named("Vicky"));
    has(
        &world.out()[0],
        &["type='chat'", &format!("to='{ROOM}/Vicky'"), USER],
    );
    let id = world.bob_says(&named("Nobody"));
    assert!(world.out().is_empty());
    assert_eq!(world.code(id), Some(410));
}

#[test]
fn who_is_not_inside_says_nothing_there() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.bob_says(&format!("<GroupID groupID='{CLUB}'/>"));
    assert!(world.out().is_empty());
    assert_eq!(world.code(id), Some(808));
    for name in [
        "LeaveGroupRequest",
        "GetJoinedUsersRequest",
        "SubscribeGroupChangeRequest",
    ] {
        let id = world.ssp(Some(BOB), &asks(name, ""));
        has(&world.answered(id), &["code=\"808\""]);
    }
}

#[test]
fn who_leaves_has_left_when_the_room_says_so_or_is_silent() {
    for says_so in [true, false] {
        let mut world = World::visiting();
        let id = world.ssp(Some(BOB), &asks("LeaveGroupRequest", ""));
        has(
            &world.out()[0],
            &["type='unavailable'", &format!("to='{ROOM}/Bob'")],
        );
        if says_so {
            world.goes("Bob", &[110]);
        } else {
            world.pass(6_000);
        }
        has(
            &world.answered(id),
            &["<LeaveGroupIndication", "code=\"200\""],
        );
        assert!(world.kept().iter().all(|key| !key.contains("/visit/")));
        world.room_says("/Vicky", "groupchat", "<body>Gone?</body>");
        assert!(world.sent().is_empty());
    }
}

#[test]
fn who_has_to_leave_hears_why() {
    for (codes, code) in [
        (&[307][..], 816),
        (&[301], 809),
        (&[321], 816),
        (&[322], 816),
    ] {
        let mut world = World::visiting();
        let mut all = vec![110];
        all.extend(codes);
        world.goes("Bob", &all);
        has(
            &world.sent()[0],
            &[
                "<LeaveGroupIndication",
                &format!("code=\"{code}\""),
                BOB,
                CLUB,
            ],
        );
        assert!(world.kept().iter().all(|key| !key.contains("/visit/")));
    }
    let mut world = World::visiting();
    world.shows("Bob", "type='unavailable'", "affiliation='none' role='none'", "<destroy jid='new@conference.home.example'><reason>Moved</reason></destroy><status code='110'/>");
    has(
        &world.sent()[0],
        &["code=\"800\"", "Moved; see new@conference.home.example"],
    );
}

#[test]
fn who_is_lost_comes_back_and_hears_what_has_changed_meanwhile() {
    let mut world = World::visiting();
    world.goes("Bob", &[110, 332]);
    assert!(world.sent().is_empty());
    world.pass(2_000);
    has(
        &world.out()[0],
        &[&format!("to='{ROOM}/Bob'"), "maxstanzas"],
    );
    world.comes("Dave", &[]);
    world.comes("Bob", &[110]);
    let all = world.sent().join("");
    has(&all, &["<Left><Name>Vicky</Name></Left>"]);
    assert_eq!(world.gateway.rooms().unsettled, 0);
    // Whoever is not let in again hears that.
    world.goes("Bob", &[110, 333]);
    world.pass(2_000);
    world.refuses("Bob", "forbidden");
    has(&world.sent()[0], &["<LeaveGroupIndication", "code=\"809\""]);
}

#[test]
fn who_is_inside_is_so_after_a_restart_and_a_lost_link() {
    let mut world = World::visiting();
    world.restart();
    assert_eq!(world.gateway.rooms().unsettled, 1);
    world.link_up();
    has(
        &world.out()[0],
        &[&format!("to='{ROOM}/Bob'"), "maxstanzas"],
    );
    world.comes("Vicky", &[]);
    world.comes("Bob", &[110]);
    assert!(world.sent().is_empty());
    assert_eq!(world.gateway.rooms().unsettled, 0);
    world.room_says("/Vicky", "groupchat", "<body>Still there</body>");
    assert_eq!(world.sent().len(), 1);
    world.link_down();
    world.link_up();
    has(&world.out()[0], &[&format!("to='{ROOM}/Bob'")]);
    // What nobody of ours is in is left.
    let mut world = World::up(GatewaySettings::default());
    world.comes("Bob", &[110]);
    has(
        &world.out()[0],
        &["type='unavailable'", &format!("to='{ROOM}/Bob'")],
    );
}

#[test]
fn it_is_asked_now_and_then_whether_the_room_has_the_user() {
    let mut world = World::visiting();
    world.pass(1_801_000);
    has(
        &world.out()[0],
        &["urn:xmpp:ping", &format!("to='{ROOM}/Bob'")],
    );
    world.replies(Err("feature-not-implemented"));
    world.pass(1_801_000);
    world.replies(Err("not-acceptable"));
    world.pass(2_000);
    has(&world.out()[0], &["<presence", "maxstanzas"]);
}

#[test]
fn a_message_that_comes_back_since_nobody_is_inside_brings_the_user_back() {
    let mut world = World::visiting();
    let id = world.bob_says(&format!("<GroupID groupID='{CLUB}'/>"));
    let text = world.out().remove(0);
    let stanza_id = text
        .split(" id='")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap()
        .to_owned();
    world.confirm(u64::MAX);
    world.xmpp(&format!("<message type='error' id='{stanza_id}' from='{ROOM}' to='{OWN}'><error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"));
    assert!(world.code(id).is_some_and(|code| code != 200));
    world.pass(2_000);
    has(&world.out()[0], &["<presence", &format!("to='{ROOM}/Bob'")]);
}
