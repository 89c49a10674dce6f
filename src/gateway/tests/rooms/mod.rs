//! Groups as rooms.

mod agreement;
mod questions;
mod talk;

use super::*;
use crate::gateway::RoomCount;

pub(super) const PARTY: &str = r"bob\2fparty@village.example";
const GROUP: &str = "wv:bob/party@village.example";
pub(super) const LAPTOP: &str = "alice@home.example/laptop";
const PHONE: &str = "alice@home.example/phone";
const CAROL: &str = "carol@home.example/x";
pub(super) const ENTRY: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";

const JOINED: &str = "<JoinGroupResponse><Status code='200'/><JoinedList><Name>Vicky</Name><Name>Ali</Name></JoinedList></JoinGroupResponse>";
const PROPERTIES: &str = "<GetGroupPropsResponse><Status code='200'/><GroupProperties><Property><Name>Topic</Name><Value>Books</Value></Property><Property><Name>Searchable</Name><Value>T</Value></Property></GroupProperties><OwnProperties><Property><Name>PrivilegeLevel</Name><Value>User</Value></Property><Property><Name>IsMember</Name><Value>T</Value></Property></OwnProperties></GetGroupPropsResponse>";
const THERE: &str = "<GetJoinedUsersResponse><Status code='200'/><JoinedUser><UserMapList><UserMapping><Mapping><SName>Vicky</SName></Mapping><Mapping><SName>Ali</SName></Mapping></UserMapping></UserMapList></JoinedUser></GetJoinedUsersResponse>";

impl World {
    pub(super) fn presence(&mut self, from: &str, nick: &str, inner: &str) {
        self.xmpp(&format!(
            "<presence from='{from}' to='{PARTY}/{nick}' id='p1'>{inner}</presence>"
        ));
    }

    fn leave(&mut self, from: &str, nick: &str) {
        self.xmpp(&format!(
            "<presence type='unavailable' from='{from}' to='{PARTY}/{nick}'/>"
        ));
    }

    /// Takes the token of the request of that name out of the last acts.
    pub(super) fn token(&self, name: &str) -> Token {
        let requests = self.requests();
        let found = requests
            .iter()
            .find(|(_, text)| text.starts_with(&format!("<{name}")));
        found.unwrap_or_else(|| panic!("{name} in {requests:#?}")).0
    }

    fn has_asked(&self, name: &str) -> bool {
        let requests = self.requests();
        requests
            .iter()
            .any(|(_, text)| text.starts_with(&format!("<{name}")))
    }

    /// Lets a client come in.
    pub(super) fn enter(&mut self, from: &str, nick: &str) {
        self.presence(from, nick, ENTRY);
        let token = self.token("JoinGroupRequest");
        self.answer_to(token, &JOINED.replace("Ali", nick));
        let (properties, there) = (
            self.token("GetGroupPropsRequest"),
            self.token("GetJoinedUsersRequest"),
        );
        self.answer_to(properties, PROPERTIES);
        let names = format!("{nick}</SName></Mapping><Mapping><SName>Ali");
        let there_now = THERE.replace("Ali", &names);
        self.answer_to(there, if nick == "Ali" { THERE } else { &there_now });
    }

    /// One who is in.
    pub(super) fn inside() -> Self {
        let mut world = Self::up(GatewaySettings::default());
        world.enter(LAPTOP, "Ali");
        world
    }

    fn notice(&mut self, inner: &str) {
        self.ssp(
            None,
            &format!("<GroupChangeNotice groupID='{GROUP}'><User userID='{ALICE}'/>{inner}</GroupChangeNotice>"),
        );
    }

    fn must_leave(&mut self, code: u16) {
        self.ssp(
            None,
            &format!("<LeaveGroupIndication groupID='{GROUP}'><Status code='{code}'/><ReasonText>Enough</ReasonText><User userID='{ALICE}'/></LeaveGroupIndication>"),
        );
    }

    fn says(&mut self, inner: &str) -> RequestId {
        self.ssp(
            None,
            &format!("<SendMessageRequest deliveryReport='No'><MessageInfo messageID='g1' contentType='text/plain'><Recipient><User userID='{ALICE}'/></Recipient>{inner}<Sender><GroupID groupID='{GROUP}'/><SenderDisplay><ScreenName groupID='{GROUP}'>Vicky</ScreenName></SenderDisplay></Sender></MessageInfo><ContentData contentType='text/plain'>Hi</ContentData></SendMessageRequest>"),
        )
    }

    /// Presences handed out: type, nickname, whom they are for, codes.
    fn seen(&self) -> Vec<String> {
        let out = self.out();
        let presences = out.iter().filter(|text| text.starts_with("<presence"));
        presences
            .map(|text| {
                let attribute = |name: &str| {
                    let head = &text[..text.find('>').unwrap()];
                    let value = head.split(&format!(" {name}='")).nth(1)?;
                    Some(value.split('\'').next()?.to_owned())
                };
                let resource = |name: &str| {
                    let jid = attribute(name).unwrap();
                    jid.rsplit('/').next().unwrap().to_owned()
                };
                let codes = text.split("code='").skip(1);
                let codes = codes.map(|rest| rest.split('\'').next().unwrap());
                let codes = codes.fold(String::new(), |all, code| all + " " + code);
                let kind = attribute("type").unwrap_or_default();
                let mark = if kind == "unavailable" { "-" } else { "+" };
                format!("{mark}{} to {}{}", resource("from"), resource("to"), codes)
            })
            .collect()
    }
}

#[test]
fn who_comes_in_sees_all_others_first_themselves_last_and_then_the_subject() {
    let mut world = World::up(GatewaySettings::default());
    world.presence(LAPTOP, "Ali", ENTRY);
    let [request] = &world.sent()[..] else {
        panic!("a request")
    };
    for part in [
        &format!("groupID=\"{GROUP}\""),
        "joinedListRequest=\"Yes\"",
        "subscribeNotif=\"Yes\"",
        &format!("userID=\"{ALICE}\""),
        ">Ali</ScreenName>",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(world.out().is_empty());
    world.answer(JOINED);
    assert_eq!(world.seen(), ["+Vicky to laptop", "+Ali to laptop 110"]);
    assert!(world.out()[1].contains("role='participant'"));
    let properties = world.token("GetGroupPropsRequest");
    world.answer_to(properties, PROPERTIES);
    // The affiliation has become known, and the subject ends it.
    assert_eq!(world.seen(), ["+Ali to laptop 110"]);
    let out = world.out();
    assert!(out[0].contains("affiliation='member'"));
    assert!(out[1].contains("<subject>Books</subject>") && out[1].contains("type='groupchat'"));
    assert_eq!(out.len(), 2);
}

#[test]
fn a_group_without_topic_or_that_says_nothing_has_an_empty_subject() {
    let mut world = World::up(GatewaySettings::default());
    world.presence(LAPTOP, "Ali", ENTRY);
    world.answer(JOINED);
    let properties = world.token("GetGroupPropsRequest");
    world.answer_to(properties, "<Status code='501'/>");
    let out = world.out();
    assert!(
        out[0].contains("<subject/>") || out[0].contains("<subject></subject>"),
        "{out:?}"
    );
}

#[test]
fn a_welcome_note_follows_the_subject() {
    let mut world = World::up(GatewaySettings::default());
    world.presence(LAPTOP, "Ali", ENTRY);
    world.answer("<JoinGroupResponse><Status code='200'/><WelcomeNote><ContentData contentType='text/plain'>Hello</ContentData></WelcomeNote></JoinGroupResponse>");
    let properties = world.token("GetGroupPropsRequest");
    world.answer_to(properties, PROPERTIES);
    let out = world.out();
    let subject = out.iter().position(|text| text.contains("<subject>"));
    let welcome = out
        .iter()
        .position(|text| text.contains("<body>Hello</body>"));
    assert!(subject.unwrap() < welcome.unwrap());
    assert!(out[welcome.unwrap()].contains(&format!("from='{PARTY}'")));
}

#[test]
fn a_group_that_does_not_let_somebody_in_says_why() {
    for (code, condition) in [
        (811, "conflict"),
        (809, "forbidden"),
        (816, "registration-required"),
        (800, "item-not-found"),
        (817, "service-unavailable"),
        (503, "service-unavailable"),
        (504, "remote-server-timeout"),
    ] {
        let mut world = World::up(GatewaySettings::default());
        world.presence(LAPTOP, "Ali", ENTRY);
        world.answer(&format!("<Status code='{code}'/>"));
        let [error] = &world.out()[..] else {
            panic!("an error")
        };
        for part in [
            "type='error'",
            condition,
            "id='p1'",
            &format!("from='{PARTY}/Ali'"),
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert_eq!(world.gateway.rooms(), RoomCount::default());
        assert!(
            !world.kept().iter().any(|key| key.contains("room-user")),
            "{code}"
        );
    }
}

#[test]
fn every_entry_is_answered_wherever_it_goes() {
    let mut world = World::up(GatewaySettings::default());
    for to in [
        PARTY,
        "bob@village.example/Ali",
        "village.example",
        r"\2f@village.example/x",
    ] {
        world.xmpp(&format!(
            "<presence from='{LAPTOP}' to='{to}' id='p1'>{ENTRY}</presence>"
        ));
        assert!(world.out()[0].contains("type='error'"), "{to}");
        assert!(world.sent().is_empty());
    }
    // Who shows themselves without asking to come in is not in.
    world.presence(LAPTOP, "Ali", "");
    assert!(world.out()[0].contains("not-allowed"));
}

#[test]
fn a_name_that_the_group_has_otherwise_is_assigned() {
    let mut world = World::up(GatewaySettings::default());
    world.presence(LAPTOP, "al@home", ENTRY);
    assert!(world.sent()[0].contains(">al_home</ScreenName>"));
    world.answer("<JoinGroupResponse><Status code='200'/></JoinGroupResponse>");
    assert_eq!(world.seen(), ["+al_home to laptop 110 210"]);
}

#[test]
fn a_room_of_ones_own_that_is_not_there_is_made() {
    let own = r"alice\2fclub@village.example";
    let mut world = World::up(GatewaySettings::default());
    let entry = format!("<presence from='{LAPTOP}' to='{own}/Ali'>{ENTRY}</presence>");
    world.xmpp(&entry);
    world.answer("<Status code='800'/>");
    assert!(world.sent()[0].starts_with("<CreateGroupRequest"));
    world.answer("<Status code='200'/>");
    assert_eq!(world.seen(), ["+Ali to laptop 110 201"]);
    // Where that is not allowed there is none.
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(&entry);
    world.answer("<Status code='800'/>");
    world.answer("<Status code='403'/>");
    assert!(world.out()[0].contains("item-not-found"));
}
