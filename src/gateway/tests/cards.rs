//! Profiles of users, and who runs a domain.

use super::*;

const INFO: &str = "http://jabber.org/protocol/disco#info";
const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Alice Smith</FN><N><FAMILY>Smith</FAMILY><GIVEN>Alice</GIVEN></N><NICKNAME>Al</NICKNAME>\
    <BDAY>1990-05-02</BDAY><ADR><LOCALITY>Oslo</LOCALITY><CTRY>Norway</CTRY></ADR><DESC>Sings</DESC></vCard>";
const CARD4: &str = "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:vcard4'><item id='current'>\
    <vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><gender><sex>F</sex></gender></vcard></item></items></pubsub>";

fn attribute<'t>(text: &'t str, name: &str) -> &'t str {
    let rest = text.split(&format!(" {name}='")).nth(1).unwrap();
    rest.split('\'').next().unwrap()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

impl World {
    /// Answers those of the last questions that hold `part`; `None` is an error.
    fn tells(&mut self, asked: &[String], part: &str, inner: Option<&str>) {
        let found = asked.iter().find(|text| text.contains(part)).unwrap();
        let (id, to) = (attribute(found, "id"), attribute(found, "from"));
        self.reply(id, (attribute(found, "to"), to), inner);
    }

    fn reply(&mut self, id: &str, (from, to): (&str, &str), inner: Option<&str>) {
        let text = match inner {
            Some(inner) => {
                format!("<iq type='result' id='{id}' from='{from}' to='{to}'>{inner}</iq>")
            }
            None => format!(
                "<iq type='error' id='{id}' from='{from}' to='{to}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            ),
        };
        self.xmpp(&text);
    }

    fn heard(&self, id: RequestId) -> Option<String> {
        self.acts.iter().find_map(|act| match act {
            Act::Respond { to, primitive } if *to == id => Some(primitive.to_xml(None)),
            _ => None,
        })
    }
}

fn profile(parts: &str) -> String {
    format!("<GetUserProfileRequest userID='{ALICE}'>{parts}</GetUserProfileRequest>")
}

#[test]
fn the_cards_of_a_user_are_put_together_to_a_profile() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.ssp(None, &profile(""));
    let asked = world.out();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked.iter().all(|text| attribute(text, "from") == VILLAGE));
    world.tells(&asked, "vcard-temp", Some(CARD));
    world.tells(&asked, "urn:xmpp:vcard4", Some(CARD4));
    let account =
        format!("<query xmlns='{INFO}'><identity category='account' type='registered'/></query>");
    assert_eq!(world.heard(id), None);
    let location = asked
        .iter()
        .find(|text| text.contains("node='http://jabber.org/protocol/geoloc'"));
    let location = location.unwrap().clone();
    let whitelist = format!(
        "<query xmlns='{INFO}'><x xmlns='jabber:x:data'><field var='pubsub#access_model'><value>whitelist</value></field></x></query>"
    );
    world.tells(std::slice::from_ref(&location), "geoloc", Some(&whitelist));
    let rest: Vec<String> = asked.into_iter().filter(|text| *text != location).collect();
    world.tells(&rest, INFO, Some(&account));
    let answer = world.heard(id).unwrap();
    has(
        &answer,
        &[
            "code=\"200\"",
            "<Service name=\"IM\" status=\"Active\"/>",
            "<Service name=\"Group\" status=\"Active\"/>",
            "<Capability name=\"UserLocation\" status=\"Ask\"/>",
            "<Name>PP_FRIENDLY_NAME</Name><Value>Al</Value>",
            "<Name>PP_CITY</Name><Value>Oslo</Value>",
            "<Name>PP_AGE</Name><Value>33</Value>",
            "<Name>PP_GENDER</Name><Value>F</Value>",
            "<Name>PP_FREE_TEXT</Name><Value>Sings</Value>",
        ],
    );
    assert_eq!(world.gateway.cards.count(), (0, 0));

    // Only what is wanted, and in five seconds what there is.
    let id = world.ssp(None, &profile("<ProfileParts><Properties/></ProfileParts>"));
    let asked = world.out();
    assert_eq!(asked.len(), 3);
    world.tells(&asked, "vcard-temp", Some(CARD));
    world.pass(5_000);
    let answer = world.heard(id).unwrap();
    has(&answer, &["PP_CITY"]);
    assert!(!answer.contains("SubscribedServices"), "{answer}");
}

#[test]
fn of_whom_nothing_is_known_is_unknown_and_silence_is_no_answer() {
    let mut world = World::up(GatewaySettings::default());
    let only = profile("<ProfileParts><SubscribedServices/></ProfileParts>");
    let id = world.ssp(None, &only);
    let asked = world.out();
    world.tells(&asked, "vcard-temp", Some("<vCard xmlns='vcard-temp'/>"));
    world.tells(&asked, INFO, None);
    has(&world.heard(id).unwrap(), &["code=\"531\""]);
    let id = world.ssp(None, &only);
    world.pass(5_000);
    has(&world.heard(id).unwrap(), &["code=\"504\""]);
    // Somebody else answers.
    let id = world.ssp(None, &only);
    let asked = world.out();
    let stanza = attribute(&asked[0], "id").to_owned();
    world.reply(&stanza, ("mallory@home.example", VILLAGE), Some(CARD));
    assert_eq!(world.heard(id), None);
    assert_eq!(world.gateway.silent()["answer to no question"], 1);
    for (user, code) in [("wv:x@third.example", 531), ("wv:/club@home.example", 901)] {
        let id = world.ssp(None, &format!("<GetUserProfileRequest userID='{user}'/>"));
        assert_eq!(world.code(id), Some(code));
    }
    let id = world.ssp(
        None,
        &format!(
            "<UpdateUserProfileRequest userID='{ALICE}'><UserProfile/></UpdateUserProfileRequest>"
        ),
    );
    assert_eq!(world.code(id), Some(403));
    world.link_down();
    let id = world.ssp(None, &only);
    assert_eq!(world.code(id), Some(503));
}

#[test]
fn the_clients_of_a_user_are_told_to_who_sees_them() {
    let mut world = World::up(GatewaySettings::default());
    world.ssp(
        Some(BOB),
        "<SubscribeRequest><UserID userID='wv:alice@home.example'/></SubscribeRequest>",
    );
    world.xmpp("<presence type='subscribed' from='alice@home.example' to='bob@village.example'/>");
    world.xmpp("<presence from='alice@home.example/balcony' to='bob@village.example'/>");
    for (asker, sees) in [(BOB, true), ("wv:carol@village.example", false)] {
        let request = GetProfile {
            asker,
            parts: "<ProfileParts><TerminalCapabilities/></ProfileParts>",
        };
        let id = world.ssp(Some(asker), &request.text());
        let asked = world.out();
        let account = format!(
            "<query xmlns='{INFO}'><identity category='account' type='registered'/></query>"
        );
        world.tells(&asked, INFO, Some(&account));
        world.tells(&asked, "vcard-temp", None);
        let answer = world.heard(id).unwrap();
        assert_eq!(answer.contains("url=\"balcony\""), sees, "{answer}");
    }
}

struct GetProfile {
    asker: &'static str,
    parts: &'static str,
}

impl GetProfile {
    fn text(&self) -> String {
        format!(
            "<GetUserProfileRequest userID='{ALICE}'><MetaInfo clientOriginated='Yes'><Requestor serviceID='wv:@village.example'><User userID='{}'/></Requestor></MetaInfo>{}</GetUserProfileRequest>",
            self.asker, self.parts
        )
    }
}

#[test]
fn who_runs_the_xmpp_domain_is_told_as_its_server_tells_it() {
    let mut world = World::up(GatewaySettings::default());
    let ask = "<GetSPInfoRequest serviceID='wv:@home.example'/>";
    let id = world.ssp(Some(BOB), ask);
    let asked = world.out();
    let info = format!(
        "<query xmlns='{INFO}'><identity category='server' type='im' name='Home server'/><x xmlns='jabber:x:data'>\
         <field var='support-addresses'><value>https://home.example/</value></field></x></query>"
    );
    world.tells(&asked, INFO, Some(&info));
    let card = "<vCard xmlns='vcard-temp'><DESC>For all at home</DESC><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO></vCard>";
    world.tells(&asked, "vcard-temp", Some(card));
    let answer = world.heard(id).unwrap();
    has(
        &answer,
        &[
            "<Name>Home server</Name>",
            "<Description>For all at home</Description>",
            "<URL>https://home.example/</URL>",
            "contentType=\"image/png\"",
            "iVBORw0KGgo=",
        ],
    );
    // Without a card, and with nothing.
    let id = world.ssp(Some(BOB), ask);
    let asked = world.out();
    world.tells(&asked, INFO, Some(&format!("<query xmlns='{INFO}'/>")));
    world.tells(&asked, "vcard-temp", None);
    has(
        &world.heard(id).unwrap(),
        &["code=\"200\"", "<Name>home.example</Name>"],
    );
    let id = world.ssp(Some(BOB), ask);
    world.pass(5_000);
    assert_eq!(world.code(id), Some(504));
    let id = world.ssp(
        Some(BOB),
        "<GetSPInfoRequest serviceID='wv:@third.example'/>",
    );
    assert_eq!(world.code(id), Some(516));
}

fn get(inner: &str, to: &str) -> String {
    format!("<iq type='get' id='q' from='alice@home.example/x' to='{to}'>{inner}</iq>")
}

const VCARD: &str = "<vCard xmlns='vcard-temp'/>";

fn told(properties: &[(&str, &str)]) -> String {
    let all: String = properties.iter().fold(String::new(), |all, (name, value)| {
        all + &format!("<Property><Name>{name}</Name><Value>{value}</Value></Property>")
    });
    format!(
        "<GetUserProfileResponse userID='{BOB}'><Status code='200'/><UserProfile><Properties>{all}</Properties></UserProfile></GetUserProfileResponse>"
    )
}

#[test]
fn the_card_of_a_user_is_made_of_their_profile_and_of_what_a_watcher_sees() {
    let mut world = World::up(GatewaySettings::default());
    let bob = "bob@village.example";
    world.xmpp(&get(VCARD, bob));
    has(
        &world.sent()[0],
        &[
            "<GetUserProfileRequest userID=\"wv:bob@village.example\"",
            "<Properties/>",
            ALICE,
        ],
    );
    world.answer(&told(&[
        ("PP_FRIENDLY_NAME", "Bob"),
        ("PP_COUNTRY", "Norway"),
        ("PP_INTERESTS", "chess"),
    ]));
    let card = world.out().remove(0);
    has(
        &card,
        &[
            "type='result'",
            "<NICKNAME>Bob</NICKNAME>",
            "<CTRY>Norway</CTRY>",
            "<NOTE>Interests: chess</NOTE>",
        ],
    );
    for (code, condition) in [
        (531, "item-not-found"),
        (403, "service-unavailable"),
        (405, "service-unavailable"),
        (504, "remote-server-timeout"),
    ] {
        world.xmpp(&get(VCARD, bob));
        world.answer(&format!("<Status code='{code}'/>"));
        let error = world.out().remove(0);
        has(&error, &["type='error'", condition]);
    }

    // Who watches knows some of it.
    world.xmpp("<presence type='subscribe' from='alice@home.example' to='bob@village.example'/>");
    world.answer("<Status code='200'/>");
    world.ssp(None, "<PresenceNotification><User userID='alice@home.example'/><PresenceValue userID='wv:bob@village.example'><PresenceSubList>\
        <OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus>\
        <Alias><Qualifier>T</Qualifier><PresenceValue>Bobby</PresenceValue></Alias>\
        <StatusContent><Qualifier>T</Qualifier><DirectContent>iVBORw0KGgo=</DirectContent><ContentType>image/png</ContentType></StatusContent>\
        </PresenceSubList></PresenceValue></PresenceNotification>");
    world.xmpp(&get(VCARD, bob));
    world.answer("<Status code='403'/>");
    let card = world.out().remove(0);
    has(
        &card,
        &[
            "<NICKNAME>Bobby</NICKNAME>",
            "<BINVAL>iVBORw0KGgo=</BINVAL>",
        ],
    );
    world.xmpp(&get(VCARD, bob).replace("alice", "eve"));
    world.answer("<Status code='403'/>");
    has(&world.out()[0], &["type='error'"]);
}

#[test]
fn questions_for_cards_are_bounded() {
    let settings = GatewaySettings {
        max_queries: 8,
        ..GatewaySettings::default()
    };
    let mut world = World::up(settings);
    let mut refused = 0;
    for _ in 0..10 {
        world.xmpp(&get(VCARD, "bob@village.example").replace("home.example", "evil.example"));
        refused += world.out().len();
    }
    assert_eq!(refused, 8);
    let mut refused = 0;
    for _ in 0..10 {
        let id = world.ssp(None, &profile(""));
        refused += usize::from(world.code(id) == Some(503));
    }
    assert_eq!(refused, 2);
}

#[test]
fn who_runs_an_ssp_domain_is_asked_there_once_and_told_to_all() {
    let mut world = World::up(GatewaySettings::default());
    let info = format!("<query xmlns='{INFO}'/>");
    world.xmpp(&get(&info, VILLAGE));
    has(
        &world.sent()[0],
        &[
            "<GetSPInfoRequest serviceID=\"wv:@village.example\"",
            "clientOriginated=\"No\"",
        ],
    );
    let [(token, _)] = world.requests()[..] else {
        panic!("one request");
    };
    world.xmpp(&get(VCARD, VILLAGE));
    assert!(world.sent().is_empty() && world.out().is_empty());
    world.answer_to(token, "<GetSPInfoResponse serviceID='wv:@village.example'><Status code='200'/><Name>Village</Name>\
        <Description>Chat for all</Description><URL>https://village.example/</URL></GetSPInfoResponse>");
    let out = world.out();
    assert_eq!(out.len(), 2);
    has(
        &out[0],
        &[
            "name='Village'",
            "jabber:iq:search",
            "<value>Chat for all</value>",
            "https://village.example/",
        ],
    );
    has(
        &out[1],
        &[
            "<FN>Village</FN>",
            "<DESC>Chat for all</DESC>",
            "<URL>https://village.example/</URL>",
        ],
    );
    world.xmpp(&get(&info, VILLAGE));
    has(&world.out()[0], &["name='Village'"]);
    // After an hour it is asked again; what is not answered in time is as it was.
    world.pass(3_600_000);
    world.xmpp(&get(&info, VILLAGE));
    assert_eq!(world.sent().len(), 1);
    world.pass(2_000);
    has(&world.out()[0], &["name='Village'"]);
}
