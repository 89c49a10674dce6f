use minidom::Element;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::Message;
use xmpp_parsers::presence::{Presence, Show, Type};

use super::{Seen, Shown, to_xmpp, withdrawn};
use crate::imps::Address;
use crate::imps::presence::{Attribute, AttributeName as Name, Item, MOODS, PresenceSubList};
use crate::imps::xml::{Content, Limits, parse};
use crate::translate::Translator;
use crate::translate::stanza::{ns, payload};
use crate::translate::tables::XMPP_MOODS;

fn translator() -> Translator {
    Translator::new("home.example", &["village.example"])
}

fn list(inner: &str) -> PresenceSubList {
    let text = format!("<PresenceSubList>{inner}</PresenceSubList>");
    PresenceSubList::read(&parse(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
}

fn shown(inner: &str) -> Shown {
    let bob = Address::new("wv:bob@village.example");
    let alice = Jid::new("alice@home.example").unwrap();
    to_xmpp(&translator(), &bob, &list(inner), &alice).unwrap()
}

fn simple(name: &str, value: &str) -> String {
    format!("<{name}><Qualifier>T</Qualifier><PresenceValue>{value}</PresenceValue></{name}>")
}

fn show(inner: &str) -> (Type, Option<Show>) {
    let presence = shown(inner).presences.remove(0);
    (presence.type_, presence.show)
}

#[test]
fn the_full_example_of_the_attributes() {
    let shown = shown(
        "<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus>
        <TimeZone><Qualifier>T</Qualifier><Zone>+02</Zone></TimeZone>
        <GeoLocation><Qualifier>T</Qualifier><Longitude>24 56 15.0E</Longitude><Latitude>60 10 15.0N</Latitude><Accuracy>200</Accuracy></GeoLocation>
        <UserAvailability><Qualifier>T</Qualifier><PresenceValue>DISCREET</PresenceValue></UserAvailability>
        <StatusText><Qualifier>T</Qualifier><PresenceValue>Busy editing a document</PresenceValue></StatusText>
        <StatusMood><Qualifier>T</Qualifier><PresenceValue>SLEEPY</PresenceValue></StatusMood>
        <Alias><Qualifier>T</Qualifier><PresenceValue>Bob</PresenceValue></Alias>",
    );
    assert_eq!(shown.presences.len(), 1);
    let presence = &shown.presences[0];
    assert_eq!(
        presence.from.as_ref().unwrap().as_str(),
        "bob@village.example/imps"
    );
    assert_eq!(presence.to.as_ref().unwrap().as_str(), "alice@home.example");
    assert_eq!(presence.show, Some(Show::Dnd));
    assert_eq!(presence.statuses[""], "Busy editing a document");
    assert_eq!(
        payload(&presence.payloads, "nick", ns::NICK)
            .unwrap()
            .text(),
        "Bob"
    );
    let expected = [
        "<message xmlns='NS' from='bob@village.example' to='alice@home.example' type='headline'>\
         <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='http://jabber.org/protocol/mood'>\
         <item id='current'><mood xmlns='http://jabber.org/protocol/mood'><sleepy/></mood></item></items></event></message>",
        "<message xmlns='NS' from='bob@village.example' to='alice@home.example' type='headline'>\
         <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='http://jabber.org/protocol/geoloc'>\
         <item id='current'><geoloc xmlns='http://jabber.org/protocol/geoloc'>\
         <lat>60.170833</lat><lon>24.937500</lon><accuracy>200</accuracy><tzo>+02:00</tzo></geoloc></item></items></event></message>",
    ];
    let expected = expected.map(|text| {
        let element: Element = text.replace("NS", ns::DEFAULT_NS).parse().unwrap();
        Message::try_from(element).unwrap()
    });
    assert_eq!(shown.events, expected);
}

#[test]
fn availability_as_in_section_3_1() {
    let online = simple("OnlineStatus", "T");
    let with = |value: &str| show(&format!("{online}{}", simple("UserAvailability", value)));
    assert_eq!(with("AVAILABLE"), (Type::None, None));
    assert_eq!(with("DISCREET"), (Type::None, Some(Show::Dnd)));
    assert_eq!(with("NOT_AVAILABLE"), (Type::None, Some(Show::Away)));
    assert_eq!(with("ASLEEP"), (Type::None, Some(Show::Xa)));
    assert_eq!(show(&online), (Type::None, None));
    assert_eq!(
        show(&simple("UserAvailability", "DISCREET")),
        (Type::None, Some(Show::Dnd))
    );
    let unknown = "<UserAvailability><Qualifier>F</Qualifier><PresenceValue>DISCREET</PresenceValue></UserAvailability>";
    assert_eq!(show(&format!("{online}{unknown}")), (Type::None, None));
    // OnlineStatus F overrides.
    let offline = format!(
        "{}{}",
        simple("OnlineStatus", "F"),
        simple("UserAvailability", "AVAILABLE")
    );
    assert_eq!(show(&offline), (Type::Unavailable, None));
    let withdrawn = "<OnlineStatus><Qualifier>F</Qualifier></OnlineStatus>";
    assert_eq!(show(withdrawn).0, Type::Unavailable);
}

#[test]
fn other_attributes_colour_the_presence() {
    let online = simple("OnlineStatus", "T");
    let unregistered = format!("{online}{}", simple("Registration", "F"));
    assert_eq!(show(&unregistered).1, Some(Show::Away));
    let closed = "<CommCap><Qualifier>T</Qualifier><CommC><Cap>IM</Cap><Status>CLOSED</Status></CommC></CommCap>";
    assert_eq!(show(&format!("{online}{closed}")).1, Some(Show::Xa));
    let open = closed.replace("CLOSED", "OPEN");
    assert_eq!(show(&format!("{online}{open}")).1, None);
    let presence = |inner: &str| shown(inner).presences.remove(0);
    let info =
        "<ClientInfo><Qualifier>T</Qualifier><ClientIMPriority>500</ClientIMPriority></ClientInfo>";
    assert_eq!(presence(&format!("{online}{info}")).priority.0, 127);
    let finnish = format!(
        "{}{}",
        simple("StatusText", "Terve"),
        simple("PreferredLanguage", "fin")
    );
    assert_eq!(presence(&finnish).statuses["fi"], "Terve");
    let link = "<InfoLink><Qualifier>T</Qualifier><Inf_link><Link>http://x/~he</Link><Text>My page</Text></Inf_link></InfoLink>";
    let with_link = presence(link);
    let oob = payload(&with_link.payloads, "x", ns::OOB).unwrap();
    assert_eq!(oob.text(), "");
    assert_eq!(
        oob.children().map(Element::text).collect::<Vec<_>>(),
        ["http://x/~he", "My page"]
    );
    let content = "<StatusContent><Qualifier>T</Qualifier><DirectContent>aGk=</DirectContent><ContentType>text/plain</ContentType></StatusContent>";
    assert_eq!(presence(content).statuses[""], "hi");
}

#[test]
fn each_client_is_a_resource() {
    let one = |client: &str, value: &str| {
        format!(
            "<OnlineStatus><Qualifier>T</Qualifier><PresenceValue>{value}</PresenceValue><ClientID><URL>{client}</URL></ClientID></OnlineStatus>"
        )
    };
    let shown = shown(&format!("{}{}", one("phone", "T"), one("pda", "F")));
    let seen: Vec<_> = shown
        .presences
        .iter()
        .map(|p| (p.from.as_ref().unwrap().to_string(), p.type_.clone()))
        .collect();
    assert_eq!(
        seen,
        [
            ("bob@village.example/phone".to_owned(), Type::None),
            ("bob@village.example/pda".to_owned(), Type::Unavailable),
        ]
    );
}

#[test]
fn moods_without_a_word_are_undefined() {
    let mood = |inner: &str| {
        let mut shown = shown(inner);
        let event = shown.events.remove(0).payloads.remove(0);
        let item = event.children().next().unwrap().children().next().unwrap();
        item.children().next().unwrap().clone()
    };
    let odd = mood(&simple("StatusMood", "GRUMPY_ISH"));
    assert!(odd.has_child("undefined", ns::MOOD));
    assert_eq!(
        odd.get_child("text", ns::MOOD).unwrap().text(),
        "GRUMPY_ISH"
    );
    let none = mood("<StatusMood><Qualifier>F</Qualifier></StatusMood>");
    assert_eq!(none.children().count(), 0);
    for word in MOODS {
        assert!(mood(&simple("StatusMood", word)).has_child(word.to_lowercase(), ns::MOOD));
    }
}

fn seen(stanzas: &[&str]) -> Seen {
    let mut seen = Seen::default();
    for (at, text) in stanzas.iter().enumerate() {
        let element: Element = text.replace("NS", ns::DEFAULT_NS).parse().unwrap();
        if element.name() == "presence" {
            seen.presence(&Presence::try_from(element).unwrap(), at as u64);
        } else {
            assert!(seen.event(&Message::try_from(element).unwrap()));
        }
    }
    seen
}

fn attributes(stanzas: &[&str], requested: &[Name]) -> PresenceSubList {
    let alice = Address::new("wv:alice@home.example");
    let table = &translator().mappings.presence;
    seen(stanzas).to_ssp(table, &alice, requested, None)
}

fn value(list: &PresenceSubList, name: &Name) -> Option<String> {
    list.get(name)
        .and_then(Attribute::simple)
        .map(str::to_owned)
}

#[test]
fn the_conformance_example_of_presence() {
    let list = attributes(
        &[
            "<presence xmlns='NS' from='alice@home.example/laptop'><show>xa</show><status>lunch</status></presence>",
        ],
        &[],
    );
    let names: Vec<&str> = list.attributes.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "OnlineStatus",
            "ClientInfo",
            "CommCap",
            "UserAvailability",
            "StatusText"
        ]
    );
    assert_eq!(value(&list, &Name::OnlineStatus).as_deref(), Some("T"));
    assert_eq!(
        value(&list, &Name::UserAvailability).as_deref(),
        Some("NOT_AVAILABLE")
    );
    assert_eq!(value(&list, &Name::StatusText).as_deref(), Some("lunch"));
    assert_eq!(
        list.get(&Name::ClientInfo).unwrap().field("ClientType"),
        Some("COMPUTER")
    );
    let capability = list.get(&Name::CommCap).unwrap().item("CommC").unwrap();
    let texts: Vec<&str> = capability
        .children
        .iter()
        .map(|c| c.text.as_str())
        .collect();
    assert_eq!(texts, ["IM", "OPEN", "wv:alice@home.example", "IM online"]);
}

#[test]
fn shows_become_availability_as_in_section_3_1() {
    for (inner, online, availability) in [
        ("", "T", "AVAILABLE"),
        ("<show>chat</show>", "T", "AVAILABLE"),
        ("<show>dnd</show>", "T", "DISCREET"),
        ("<show>away</show>", "T", "NOT_AVAILABLE"),
        ("<show>xa</show>", "T", "NOT_AVAILABLE"),
    ] {
        let stanza = format!("<presence xmlns='NS' from='a@b/c'>{inner}</presence>");
        let list = attributes(&[&stanza], &[]);
        assert_eq!(value(&list, &Name::OnlineStatus).as_deref(), Some(online));
        assert_eq!(
            value(&list, &Name::UserAvailability).as_deref(),
            Some(availability),
            "{inner}"
        );
    }
    let off = attributes(
        &["<presence xmlns='NS' from='a@b/c' type='unavailable'/>"],
        &[],
    );
    assert_eq!(value(&off, &Name::OnlineStatus).as_deref(), Some("F"));
    assert_eq!(
        value(&off, &Name::UserAvailability).as_deref(),
        Some("NOT_AVAILABLE")
    );
    let unknown = attributes(&[], &[Name::OnlineStatus]);
    assert_eq!(unknown.attributes, [Attribute::unknown(Name::OnlineStatus)]);
}

#[test]
fn the_user_is_online_while_one_resource_is() {
    let two = [
        "<presence xmlns='NS' from='a@b/low'><priority>1</priority><status>low</status></presence>",
        "<presence xmlns='NS' from='a@b/high'><priority>5</priority><status>high</status></presence>",
        "<presence xmlns='NS' from='a@b/low'><priority>1</priority><status>newer</status></presence>",
    ];
    let list = attributes(&two, &[]);
    assert_eq!(value(&list, &Name::StatusText).as_deref(), Some("high"));
    assert_eq!(
        list.get(&Name::ClientInfo)
            .unwrap()
            .field("ClientIMPriority"),
        Some("5")
    );
    let off = "<presence xmlns='NS' from='a@b/high' type='unavailable'/>";
    let list = attributes(&[two[0], two[1], off], &[]);
    assert_eq!(value(&list, &Name::OnlineStatus).as_deref(), Some("T"));
    assert_eq!(value(&list, &Name::StatusText).as_deref(), Some("low"));
    let all_off = "<presence xmlns='NS' from='a@b' type='unavailable'/>";
    let list = attributes(&[two[0], two[1], all_off], &[]);
    assert_eq!(value(&list, &Name::OnlineStatus).as_deref(), Some("F"));
}

#[test]
fn only_what_was_asked_for_is_told_and_the_rest_is_unknown() {
    let requested = [
        Name::StatusMood,
        Name::OnlineStatus,
        Name::Registration,
        Name::Alias,
    ];
    let list = attributes(&["<presence xmlns='NS' from='a@b/c'/>"], &requested);
    assert_eq!(
        list.attributes,
        [
            Attribute::value(Name::OnlineStatus, "T"),
            Attribute::unknown(Name::Registration),
            Attribute::unknown(Name::StatusMood),
        ]
    );
    let withdrawn = withdrawn(&translator().mappings.presence, &requested);
    assert!(
        withdrawn
            .attributes
            .iter()
            .all(|a| a.qualifier == Some(false))
    );
    assert_eq!(withdrawn.attributes.len(), 4);
}

#[test]
fn events_become_mood_nick_and_location() {
    let event = |node: &str, inner: &str| {
        format!(
            "<message xmlns='NS' from='a@b' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='{node}'><item>{inner}</item></items></event></message>"
        )
    };
    let mood = event(
        ns::MOOD,
        "<mood xmlns='http://jabber.org/protocol/mood'><grumpy/><text>rain</text></mood>",
    );
    let nick = event(
        ns::NICK,
        "<nick xmlns='http://jabber.org/protocol/nick'>Ally</nick>",
    );
    let place = event(
        ns::GEOLOC,
        "<geoloc xmlns='http://jabber.org/protocol/geoloc'><lat>60.170833</lat><lon>24.9375</lon><accuracy>200</accuracy><countrycode>FI</countrycode><region>Uusimaa</region><text>Here</text><tzo>+02:00</tzo></geoloc>",
    );
    let presence =
        "<presence xmlns='NS' from='a@b/c'><status xml:lang='fi-FI'>Hei</status></presence>";
    let list = attributes(&[presence, &mood, &nick, &place], &[]);
    assert_eq!(value(&list, &Name::StatusMood).as_deref(), Some("ANGRY"));
    assert_eq!(value(&list, &Name::Alias).as_deref(), Some("Ally"));
    assert_eq!(
        value(&list, &Name::PreferredLanguage).as_deref(),
        Some("fin")
    );
    assert_eq!(
        value(&list, &Name::FreeTextLocation).as_deref(),
        Some("Here")
    );
    let place = list.get(&Name::GeoLocation).unwrap();
    assert_eq!(place.field("Longitude"), Some("24 56 15.0E"));
    assert_eq!(place.field("Latitude"), Some("60 10 14.999N"));
    assert_eq!(place.field("Accuracy"), Some("200"));
    let address = list.get(&Name::Address).unwrap();
    assert_eq!(
        address.fields,
        [Item::text("Country", "FI"), Item::text("City", "Uusimaa")]
    );
    assert_eq!(
        list.get(&Name::TimeZone).unwrap().field("Zone"),
        Some("+02")
    );

    let list = attributes(&["<presence xmlns='NS' from='a@b/c'/>", &mood], &[]);
    assert_eq!(value(&list, &Name::StatusText).as_deref(), Some("(rain)"));
}

#[test]
fn every_folded_mood_is_in_the_table() {
    let table = &translator().mappings.presence;
    for mood in XMPP_MOODS {
        assert!(MOODS.contains(&table.mood_to_ssp[mood].as_str()));
    }
    for (xmpp, wv) in [
        ("phone", "MOBILE_PHONE"),
        ("console", "CLI"),
        ("fridge", "OTHER"),
    ] {
        assert_eq!(table.client_to_ssp(xmpp), wv);
    }
    assert_eq!(table.client_to_xmpp("PDA"), "handheld");
    assert_eq!(table.client_to_xmpp("TOASTER"), "web");
}

#[test]
fn items_are_kept_of_nodes_that_end_what_is_seen_and_of_no_others() {
    let mut seen = Seen::default();
    for node in [ns::MOOD, "mine", "yours", ""] {
        let message: Element = format!(
            "<message xmlns='{}' from='a@b'><event xmlns='{}'><items node='{node}'>\
             <item id='1'><mood xmlns='{}'><happy/></mood></item></items></event></message>",
            ns::DEFAULT_NS,
            ns::PUBSUB_EVENT,
            ns::MOOD
        )
        .parse()
        .unwrap();
        assert!(seen.event(&Message::try_from(message).unwrap()), "{node}");
    }
    let record = serde_json::to_value(&seen).unwrap();
    assert_eq!(record["items"], serde_json::json!({ ns::MOOD: "1" }));
}
