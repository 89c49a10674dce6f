//! What users tell of themselves: all attributes, of the user and of each client.

use super::authorization::{ZOE, decide, one, told, watch};
use super::contact_list::{ask, code};
use super::*;
use crate::ssp::envelope::decode_fragment;

/// Alice tells values, written as on the wire.
fn values(inside: &str) -> String {
    format!(
        r#"<UpdatePresenceRequest>META<PresenceValue userID="wv:alice@home.test"><PresenceSubList>{inside}</PresenceSubList></PresenceValue></UpdatePresenceRequest>"#
    )
}

fn valid(name: &str, fields: &str) -> String {
    format!("<{name}><Qualifier>T</Qualifier>{fields}</{name}>")
}

fn unknown(name: &str) -> String {
    format!("<{name}><Qualifier>F</Qualifier></{name}>")
}

/// A client of alice's tells values; the code of the answer.
fn tell(world: &mut World, client: u64, inside: &str) -> u16 {
    let meta = r#"<MetaInfo><Requestor serviceID="wv:@home.test"><User userID="wv:alice@home.test"/></Requestor></MetaInfo>"#;
    let xml = values(inside).replace("META", meta);
    let request = FromClient::Request {
        id: "tells".to_owned(),
        primitive: Box::new(decode_fragment(xml.as_bytes()).unwrap()),
    };
    world.heard(client);
    world.client(client, &request);
    let answers = world
        .heard(client)
        .into_iter()
        .filter_map(|event| match event {
            Event::Answer { primitive, .. } => primitive.verdict().map(|status| status.code.0),
            _ => None,
        });
    answers.collect::<Vec<_>>().pop().unwrap()
}

/// What Zoe may see of alice now, as it is on the wire.
fn seen(world: &mut World) -> String {
    let get =
        r#"<GetPresenceRequest><VerUserID userID="wv:alice@home.test"/></GetPresenceRequest>"#;
    let get = decode_fragment(get.as_bytes()).unwrap();
    let answer = world.deliver("far.test", Some(ZOE), get).unwrap();
    answer.to_xml(None)
}

fn world() -> World {
    let mut world = World::peopled();
    assert_eq!(code(&mut world, "alice", &decide(ZOE, true, &[])), 200);
    world
}

#[test]
fn every_attribute_is_taken_kept_and_shown_also_one_that_nobody_knows() {
    let mut world = world();
    let told_values = [
        valid(
            "PreferredContacts",
            "<AddrPref><PrefC>IM</PrefC><Caddr>wv:alice@home.test</Caddr></AddrPref>",
        ),
        valid("PreferredLanguage", "<PresenceValue>fin</PresenceValue>"),
        valid(
            "StatusContent",
            "<DirectContent>aGk=</DirectContent><ContentType>image/png</ContentType>",
        ),
        valid(
            "ContactInfo",
            "<ContainedvCard>BEGIN:VCARD</ContainedvCard>",
        ),
        valid(
            "InfoLink",
            "<Inf_link><Link>http://home.test/~alice</Link></Inf_link>",
        ),
        valid(
            "GeoLocation",
            "<Longitude>24 56 15.0E</Longitude><Latitude>60 10 15.0N</Latitude>",
        ),
        valid("X-Tune", "<PresenceValue>Finlandia</PresenceValue>"),
    ];
    let all = told_values.concat();
    assert_eq!(code(&mut world, "alice", &values(&all)), 200);
    world.restart();
    let shown = seen(&mut world);
    for value in &told_values {
        assert!(shown.contains(value), "{value} in {shown}");
    }
    // What is told again is no news, and what is not known any more is gone.
    assert_eq!(
        watch(&mut world, ZOE, &["PreferredLanguage", "InfoLink"]),
        200
    );
    told(&mut world);
    let same = valid("PreferredLanguage", "<PresenceValue>fin</PresenceValue>");
    assert_eq!(code(&mut world, "alice", &values(&same)), 200);
    assert_eq!(told(&mut world), []);
    assert_eq!(
        code(&mut world, "alice", &values(&unknown("PreferredLanguage"))),
        200
    );
    assert_eq!(told(&mut world), [one(ZOE, &[("PreferredLanguage", "-")])]);
    assert!(!seen(&mut world).contains("fin"));
}

#[test]
fn what_clients_tell_of_themselves_is_one_value_and_goes_with_them() {
    let mut world = world();
    let zone = |zone: &str| valid("TimeZone", &format!("<Zone>{zone}</Zone>"));
    let important = valid(
        "ClientInfo",
        "<Model>m1</Model><ClientIMPriority>9</ClientIMPriority>",
    );
    for client in [1, 2, 3] {
        world.open(client, "alice");
    }
    watch(&mut world, ZOE, &["TimeZone"]);
    told(&mut world);
    for (client, inside, shown) in [
        (1, zone("+01"), Some("+01")),
        (2, zone("+02"), Some("+02")),
        (3, zone("+02"), None),
        // The client with the higher priority counts.
        (1, important, Some("+01")),
        (2, zone("+05"), None),
    ] {
        assert_eq!(tell(&mut world, client, &inside), 200);
        let told = told(&mut world);
        let shown = shown.map(|zone| one(ZOE, &[("TimeZone", zone)]));
        assert_eq!(
            told,
            shown.into_iter().collect::<Vec<_>>(),
            "{client} {inside}"
        );
    }
    world.close(1);
    assert_eq!(told(&mut world), [one(ZOE, &[("TimeZone", "+05")])]);
    world.close(2);
    assert_eq!(told(&mut world), [one(ZOE, &[("TimeZone", "+02")])]);
    world.close(3);
    assert_eq!(told(&mut world), [one(ZOE, &[("TimeZone", "-")])]);
}

#[test]
fn a_text_of_presence_is_no_longer_than_other_domains_read_and_a_card_is_content() {
    let mut world = World::with(|_| {});
    world.add("alice");
    world.open(1, "alice");
    let model = |text: &str| {
        let model = format!("<Deep><Model>{text}</Model></Deep>");
        valid("X-Device", &model)
    };
    let card = format!("<ContainedvCard>{}</ContainedvCard>", "v".repeat(20_000));
    for (inside, code) in [
        (model(&"m".repeat(8192)), 200),
        (model(&"m".repeat(8193)), 751),
        (model(&"&amp;".repeat(1638)), 200),
        (model(&"&amp;".repeat(1639)), 751),
        (valid("ContactInfo", &card), 200),
    ] {
        assert_eq!(tell(&mut world, 1, &inside), code, "{}", inside.len());
    }
}

#[test]
fn presence_is_bounded_in_bytes_and_names() {
    let mut world = World::with(|settings| {
        settings.max_presence_bytes = 4_000;
        settings.max_all_presence_bytes = 6_000;
    });
    for name in ["alice", "bob"] {
        world.add(name);
    }
    world.open(1, "alice");
    let card = |bytes: usize| {
        let card = format!("<ContainedvCard>{}</ContainedvCard>", "v".repeat(bytes));
        valid("ContactInfo", &card)
    };
    let kept = |world: &World| world.store.get("home/user/alice/presence").cloned();
    for (inside, code) in [
        (card(1_000), 200),
        (card(5_000), 751),
        (
            card(1_000) + &valid("X-Long", &format!("<A>{}</A>", "a".repeat(3_000))),
            751,
        ),
        (valid(&"X".repeat(65), ""), 750),
        (card(3_000), 200),
        (
            valid(
                "ClientInfo",
                &format!("<Model>{}</Model>", "m".repeat(9_000)),
            ),
            751,
        ),
        (
            valid(
                "ClientInfo",
                &format!("<Model>{}</Model>", "m".repeat(1_000)),
            ),
            200,
        ),
    ] {
        let before = kept(&world);
        assert_eq!(
            tell(&mut world, 1, &inside),
            code,
            "{code} {}",
            inside.len()
        );
        assert_eq!(
            before == kept(&world),
            !inside.contains("vvv") || code != 200
        );
    }
    // All users together have a bound, whoever comes last; what gets smaller is taken.
    let of_bob = values(&card(3_500)).replace("alice", "bob");
    assert_eq!(code(&mut world, "bob", &of_bob), 751);
    assert_eq!(code(&mut world, "alice", &values(&card(500))), 200);
    assert_eq!(code(&mut world, "bob", &of_bob), 200);
    world.restart();
    assert_eq!(code(&mut world, "alice", &values(&card(3_500))), 751);
    world.remove("bob").unwrap();
    world.settle();
    assert_eq!(code(&mut world, "alice", &values(&card(3_500))), 200);
}

#[test]
fn the_domain_where_a_users_clients_are_says_whether_they_are_logged_in() {
    let mut world = world();
    watch(&mut world, ZOE, &["OnlineStatus", "FreeTextLocation"]);
    told(&mut world);
    let online = valid("OnlineStatus", "<PresenceValue>T</PresenceValue>");
    // Not the user: this domain knows that by itself.
    assert_eq!(code(&mut world, "alice", &values(&online)), 750);
    assert_eq!(told(&mut world), []);
    let place = valid("FreeTextLocation", "<PresenceValue>home</PresenceValue>");
    let update = |inside: &str| {
        let xml = values(inside).replace("META", "");
        decode_fragment(xml.as_bytes()).unwrap()
    };
    let elsewhere = |world: &mut World, inside: &str| {
        let answer = world.deliver("access.test", Some("alice@home.test"), update(inside));
        answer.unwrap().verdict().unwrap().code.0
    };
    assert_eq!(elsewhere(&mut world, &(online + &place)), 200);
    let news = [("OnlineStatus", "T"), ("FreeTextLocation", "home")];
    assert_eq!(told(&mut world), [one(ZOE, &news)]);
    world.restart();
    assert!(seen(&mut world).contains("<PresenceValue>home</PresenceValue>"));
    let offline = valid("OnlineStatus", "<PresenceValue>F</PresenceValue>");
    assert_eq!(elsewhere(&mut world, &offline), 200);
    assert!(
        told(&mut world)[0]
            .1
            .contains(&("OnlineStatus".to_owned(), "F".to_owned()))
    );
    // Nobody tells of somebody else.
    let foreign = values("").replace(
        "userID=\"wv:alice@home.test\"",
        "userID=\"wv:bob@home.test\"",
    );
    assert_eq!(
        ask(&mut world, "alice", &foreign).verdict().unwrap().code.0,
        427
    );
}
