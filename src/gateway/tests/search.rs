//! Search in both directions.

use super::*;

const SEARCH: &str = "jabber:iq:search";
const FORM: &str = "<query xmlns='jabber:iq:search'><instructions>Fill in</instructions><first/><last/><nick/><email/></query>";
const INFO: &str = "http://jabber.org/protocol/disco#info";
const ITEMS: &str = "http://jabber.org/protocol/disco#items";

fn search(inner: &str) -> String {
    format!(
        "<SearchRequest searchLimit='2'><SearchPairList>{inner}</SearchPairList></SearchRequest>"
    )
}

fn pair(element: &str, text: &str) -> String {
    format!("<SearchPair element='{element}' string='{text}'/>")
}

fn attribute<'t>(text: &'t str, name: &str) -> &'t str {
    let rest = text.split(&format!(" {name}='")).nth(1).unwrap();
    rest.split('\'').next().unwrap()
}

impl World {
    /// Answers each of the last questions that `to` was asked; `None` is an error.
    fn service_says(&mut self, to: &str, inner: Option<&str>) {
        let out = self.out();
        let asked: Vec<&String> = out
            .iter()
            .filter(|text| text.starts_with("<iq") && attribute(text, "to") == to)
            .collect();
        assert!(!asked.is_empty(), "{to} is asked: {out:?}");
        for text in asked {
            let (id, from) = (attribute(text, "id"), attribute(text, "from"));
            self.xmpp(&reply(id, to, from, inner));
        }
    }

    pub(super) fn told(&self, id: RequestId) -> String {
        let found = self.acts.iter().find_map(|act| match act {
            Act::Respond { to, primitive } if *to == id => Some(primitive.to_xml(None)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no answer in {:?}", self.acts))
    }

    /// The directory is looked for, and asked.
    fn find(&mut self, found: &str) {
        self.service_says(
            "home.example",
            Some(&format!(
                "<query xmlns='{ITEMS}'><item jid='vjud.home.example'/></query>"
            )),
        );
        let out = self.out();
        self.service_says("home.example", Some(&format!("<query xmlns='{INFO}'/>")));
        let asked = out
            .iter()
            .find(|text| attribute(text, "to") == "vjud.home.example");
        let asked = asked.unwrap();
        let info = format!("<query xmlns='{INFO}'><feature var='{SEARCH}'/></query>");
        let (id, from) = (attribute(asked, "id"), attribute(asked, "from"));
        self.xmpp(&reply(id, "vjud.home.example", from, Some(&info)));
        self.service_says("vjud.home.example", Some(FORM));
        assert!(self.out()[0].contains("type='set'"));
        self.service_says(
            "vjud.home.example",
            Some(&format!("<query xmlns='{SEARCH}'>{found}</query>")),
        );
    }
}

fn reply(id: &str, from: &str, to: &str, inner: Option<&str>) -> String {
    match inner {
        Some(inner) => format!("<iq type='result' id='{id}' from='{from}' to='{to}'>{inner}</iq>"),
        None => format!(
            "<iq type='error' id='{id}' from='{from}' to='{to}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        ),
    }
}

fn people(count: usize) -> String {
    (0..count).fold(String::new(), |all, n| {
        all + &format!("<item jid='smith{n}@home.example'><nick>Smith {n}</nick></item>")
    })
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_directory_of_a_server_is_found_asked_by_its_form_and_told_in_pages() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.ssp(Some(BOB), &search(&pair("USER_LAST_NAME", "Smith")));
    world.find(&people(5));
    let answer = world.told(id);
    has(
        &answer,
        &[
            "searchFindings=\"5\"",
            "completion=\"No\"",
            "searchIndex=\"3\"",
            "<User userID=\"wv:smith0@home.example\" friendlyName=\"Smith 0\"/>",
        ],
    );
    assert!(!answer.contains("smith2"));
    let search_id = answer.split("searchID=\"").nth(1).unwrap();
    let search_id = search_id.split('"').next().unwrap().to_owned();
    let next =
        |index: u32| format!("<SearchRequest searchID='{search_id}' searchIndex='{index}'/>");
    let id = world.ssp(Some(BOB), &next(5));
    has(&world.told(id), &["completion=\"Yes\"", "smith4"]);
    let id = world.ssp(Some(BOB), &next(6));
    assert_eq!(world.code(id), Some(425));
    // It is nobody else's.
    let id = world.ssp(Some("wv:carol@village.example"), &next(3));
    assert_eq!(world.code(id), Some(424));
    let stop = format!("<StopSearchRequest searchID='{search_id}'/>");
    let id = world.ssp(Some(BOB), &stop);
    assert_eq!(world.code(id), Some(200));
    let id = world.ssp(Some(BOB), &stop);
    assert_eq!(world.code(id), Some(424));

    // The directory is known by now; and what was found ends by itself.
    let id = world.ssp(Some(BOB), &search(&pair("USER_ALIAS", "x")));
    world.service_says("vjud.home.example", Some(FORM));
    world.service_says(
        "vjud.home.example",
        Some(&format!("<query xmlns='{SEARCH}'>{}</query>", people(3))),
    );
    has(&world.told(id), &["completion=\"No\""]);
    assert_eq!(world.gateway.searches.count(), (0, 1, 0));
    world.pass(600_000);
    assert_eq!(world.gateway.searches.count(), (0, 0, 0));
}

#[test]
fn a_server_without_a_directory_and_criteria_without_a_field_are_not_understood() {
    let mut world = World::up(GatewaySettings::default());
    let wanted = search(&pair("USER_LAST_NAME", "Smith"));
    let id = world.ssp(Some(BOB), &wanted);
    world.service_says("home.example", None);
    assert_eq!(world.code(id), Some(503));
    let id = world.ssp(Some(BOB), &wanted);
    world.service_says("home.example", Some(&format!("<query xmlns='{ITEMS}'/>")));
    world.service_says("home.example", Some(&format!("<query xmlns='{INFO}'/>")));
    assert_eq!(world.code(id), Some(562));
    let id = world.ssp(Some(BOB), &search(&pair("USER_MOBILE_NUMBER", "1")));
    world.service_says("home.example", Some(&format!("<query xmlns='{ITEMS}'/>")));
    let info = format!("<query xmlns='{INFO}'><feature var='{SEARCH}'/></query>");
    world.service_says("home.example", Some(&info));
    world.service_says("home.example", Some(FORM));
    assert_eq!(world.code(id), Some(562));
    // What has a field counts; that the rest was passed over is said.
    let both = pair("USER_MOBILE_NUMBER", "1") + &pair("USER_LAST_NAME", "Smith");
    let id = world.ssp(Some(BOB), &search(&both));
    world.service_says("home.example", Some(FORM));
    world.service_says(
        "home.example",
        Some(&format!("<query xmlns='{SEARCH}'>{}</query>", people(1))),
    );
    has(&world.told(id), &["code=\"201\"", "smith0"]);
    for inner in ["", &pair("USER_LAST_NAME", "")] {
        let id = world.ssp(Some(BOB), &search(inner));
        assert!(world.out().is_empty());
        assert!(world.code(id) >= Some(402));
    }
}

#[test]
fn whether_somebody_is_there_is_told_to_who_may_see_it() {
    let mut world = World::up(GatewaySettings::default());
    world.ssp(
        Some(BOB),
        "<SubscribeRequest><UserID userID='wv:smith0@home.example'/></SubscribeRequest>",
    );
    world.xmpp("<presence type='subscribed' from='smith0@home.example' to='bob@village.example'/>");
    world.xmpp("<presence from='smith0@home.example/x' to='bob@village.example'/>");
    let criteria = pair("USER_LAST_NAME", "Smith") + &pair("USER_ONLINE_STATUS", "F");
    let id = world.ssp(Some(BOB), &search(&criteria));
    world.find(&people(2));
    let answer = world.told(id);
    has(&answer, &["code=\"201\"", "smith1"]);
    assert!(!answer.contains("smith0"), "{answer}");
}

#[test]
fn rooms_are_found_by_address_name_and_topic_and_by_who_is_in_them() {
    let mut world = World::up(GatewaySettings::default());
    let rooms = format!(
        "<query xmlns='{ITEMS}'><item jid='tea@conference.home.example' name='Tea and cakes'/>\
         <item jid='films@conference.home.example' name='Films'/></query>"
    );
    let muc = "conference.home.example";
    for (element, text, found) in [
        ("GROUP_NAME", "CAKE", "wv:/tea@home.example"),
        ("GROUP_ID", "/films@", "wv:/films@home.example"),
    ] {
        let id = world.ssp(Some(BOB), &search(&pair(element, text)));
        world.service_says(muc, Some(&rooms));
        let answer = world.told(id);
        has(
            &answer,
            &[&format!(
                "<GroupList><GroupID groupID=\"{found}\"/></GroupList>"
            )],
        );
    }
    let id = world.ssp(Some(BOB), &search(&pair("GROUP_TOPIC", "assam")));
    world.service_says(muc, Some(&rooms));
    let out = world.out();
    assert_eq!(out.len(), 2, "{out:?}");
    for text in out {
        let (id, to, from) = (
            attribute(&text, "id"),
            attribute(&text, "to"),
            attribute(&text, "from"),
        );
        let topic = if to.starts_with("tea") {
            "Assam or not"
        } else {
            "Books"
        };
        let info = format!(
            "<query xmlns='{INFO}'><x xmlns='jabber:x:data'><field var='muc#roominfo_subject'><value>{topic}</value></field></x></query>"
        );
        world.xmpp(&reply(id, to, from, Some(&info)));
    }
    let answer = world.told(id);
    has(&answer, &["wv:/tea@home.example", "searchFindings=\"1\""]);

    // Of people only what the user sees.
    let joined = |user: &str| search(&pair("GROUP_USER_ID_JOINED", user));
    let id = world.ssp(Some(BOB), &joined(BOB));
    has(&world.told(id), &["searchFindings=\"0\""]);
    let id = world.ssp(Some(BOB), &joined(ALICE));
    assert_eq!(world.code(id), Some(537));
    let id = world.ssp(
        Some(BOB),
        "<JoinGroupRequest groupID='wv:/tea@home.example'><ScreenName groupID='wv:/tea@home.example'>Bob</ScreenName></JoinGroupRequest>",
    );
    let info =
        format!("<query xmlns='{INFO}'><identity category='conference' type='text'/></query>");
    world.service_says("tea@conference.home.example", Some(&info));
    let x = |item: &str| format!("<x xmlns='http://jabber.org/protocol/muc#user'>{item}</x>");
    let comes = |nick: &str, item: &str| {
        format!(
            "<presence from='tea@conference.home.example/{nick}' to='bob@village.example/imps'>{}</presence>",
            x(item)
        )
    };
    world.xmpp(&comes(
        "Alice",
        "<item affiliation='owner' role='moderator' jid='alice@home.example/x'/>",
    ));
    world.xmpp(&comes(
        "Bob",
        "<item affiliation='none' role='participant'/><status code='110'/>",
    ));
    has(&world.told(id), &["code=\"200\""]);
    for user in [BOB, ALICE] {
        let id = world.ssp(Some(BOB), &joined(user));
        has(&world.told(id), &["wv:/tea@home.example"]);
    }
    let owner = |user: &str| search(&pair("GROUP_USER_ID_OWNER", user));
    let id = world.ssp(Some(BOB), &owner(ALICE));
    has(&world.told(id), &["wv:/tea@home.example"]);
    let id = world.ssp(Some(BOB), &owner(BOB));
    has(&world.told(id), &["searchFindings=\"0\""]);
    let id = world.ssp(Some("wv:carol@village.example"), &joined(ALICE));
    assert_eq!(world.code(id), Some(537));
}

#[test]
fn answers_count_only_from_whom_was_asked_and_late_ones_not_at_all() {
    let mut world = World::up(GatewaySettings::default());
    let id = world.ssp(Some(BOB), &search(&pair("USER_LAST_NAME", "Smith")));
    let asked = world.out().remove(0);
    let (stanza, from) = (attribute(&asked, "id"), attribute(&asked, "from"));
    let items = format!("<query xmlns='{ITEMS}'/>");
    world.xmpp(&reply(stanza, "evil.example", from, Some(&items)));
    assert!(world.out().is_empty() && world.acts.is_empty());
    assert_eq!(world.gateway.silent()["answer to no question"], 1);
    world.pass(31_000);
    assert_eq!(world.code(id), Some(535));
    world.xmpp(&reply(stanza, "home.example", from, Some(&items)));
    assert!(world.out().is_empty() && world.acts.is_empty());
    // Without a way to XMPP it is said at once.
    world.link_down();
    let id = world.ssp(Some(BOB), &search(&pair("USER_LAST_NAME", "Smith")));
    assert_eq!(world.code(id), Some(503));
    // A user of XMPP is no user of the SSP side.
    let id = world.ssp(Some(ALICE), &search(&pair("USER_LAST_NAME", "Smith")));
    assert_eq!(world.code(id), Some(405));
}

fn form(from: &str, inner: &str) -> String {
    format!(
        "<iq type='set' id='q' from='{from}' to='{VILLAGE}'><query xmlns='{SEARCH}'>{inner}</query></iq>"
    )
}

fn page(users: std::ops::Range<u32>, rest: &str) -> String {
    let users = users.fold(String::new(), |all, n| {
        all + &format!("<User userID='wv:u{n}@village.example' friendlyName='U {n}'/>")
    });
    format!(
        "<SearchResponse {rest}><Status code='200'/><SearchResult><UserList>{users}</UserList></SearchResult></SearchResponse>"
    )
}

#[test]
fn xmpp_users_search_a_domain_by_both_forms_until_all_is_told() {
    let mut world = World::up(GatewaySettings::default());
    world.xmpp(&format!(
        "<iq type='get' id='q' from='alice@home.example/x' to='{VILLAGE}'><query xmlns='{SEARCH}'/></iq>"
    ));
    has(
        &world.out()[0],
        &["type='result'", "<first/>", "jabber:x:data", "var='tel'"],
    );
    let from = "alice@home.example/x";
    world.xmpp(&form(from, "<last>Smith</last><nick/>"));
    has(
        &world.sent()[0],
        &[
            "searchLimit=\"100\"",
            "<SearchPair element=\"USER_LAST_NAME\" string=\"Smith\"/>",
            ALICE,
        ],
    );
    assert!(matches!(&world.acts[0], Act::RequestAt { to, .. } if to.domain() == VILLAGE));
    world.answer(&page(0..2, "searchID='7' completion='No' searchIndex='3'"));
    assert!(world.out().is_empty());
    has(
        &world.sent()[0],
        &["searchID=\"7\"", "searchIndex=\"3\"", ALICE],
    );
    world.answer(&page(2..3, "searchID='7' completion='Yes'"));
    let out = world.out().remove(0);
    has(
        &out,
        &[
            "id='q'",
            "<item jid='u0@village.example'><nick>U 0</nick></item>",
            "u2@village.example",
        ],
    );
    assert!(world.sent().is_empty());

    let filled =
        "<x xmlns='jabber:x:data' type='submit'><field var='user'><value>u</value></field></x>";
    world.xmpp(&form(from, filled));
    has(&world.sent()[0], &["USER_ID"]);
    // There is more than is told: the search is ended.
    world.answer(&page(
        0..120,
        "searchID='8' completion='No' searchIndex='121'",
    ));
    let out = world.out().remove(0);
    has(
        &out,
        &["type='result'", "<value>u99@village.example</value>"],
    );
    assert!(!out.contains("u100@"));
    assert!(world.sent()[0].contains("<StopSearchRequest searchID=\"8\""));
    world.answer("<Status code='200'/>");
    assert!(world.out().is_empty());
    assert_eq!(world.gateway.searches.count(), (0, 0, 0));

    for (code, condition) in [
        (537, "policy-violation"),
        (403, "forbidden"),
        (501, "feature-not-implemented"),
    ] {
        world.xmpp(&form(from, "<nick>u</nick>"));
        world.answer(&format!("<Status code='{code}'/>"));
        has(&world.out()[0], &["type='error'", condition]);
    }
    for inner in [
        "",
        "<nick>*</nick>",
        "<x xmlns='jabber:x:data' type='cancel'/>",
    ] {
        world.xmpp(&form(from, inner));
        has(&world.out()[0], &["bad-request"]);
        assert!(world.sent().is_empty());
    }
}

#[test]
fn searches_under_way_are_bounded_for_each_user_and_for_all() {
    let settings = GatewaySettings {
        max_searches: 8,
        ..GatewaySettings::default()
    };
    let mut world = World::up(settings);
    let mut taken = |from: &str, count: usize| {
        let asked = (0..count).filter(|_| {
            world.xmpp(&form(from, "<nick>u</nick>"));
            world.sent().len() == 1
        });
        asked.count()
    };
    assert_eq!(taken("alice@home.example/x", 9), 4);
    assert_eq!(taken("alice@home.example/y", 1), 0);
    assert_eq!(taken("mallory@evil.example/x", 9), 2);
    assert_eq!(taken("carol@home.example/x", 9), 2);
    let out = world.out().remove(0);
    has(&out, &["resource-constraint"]);

    let mut asked = 0;
    for n in 0..3 {
        for _ in 0..5 {
            let user = format!("wv:b{n}@village.example");
            let id = world.ssp(Some(&user), &search(&pair("USER_ALIAS", "x")));
            asked += usize::from(world.code(id).is_none());
        }
    }
    assert_eq!(asked, 8);
    world.pass(31_000);
    assert_eq!(world.gateway.searches.count().0, 0);
}
