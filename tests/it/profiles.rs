//! User profiles at a relay in a pretend world: who may have them, what is told to a provider,
//! and what is remembered of those that pass by.
//!
//! ```text
//! reader.test ─┐
//! home.test ───┼─ relay.test ─── village.test
//! nosy.test ───┘
//! ```

use std::time::Duration;

use wvgate::imps::datetime::DateTime;
use wvgate::imps::primitive::profile::UserProfile;
use wvgate::imps::primitive::service::{Functions, ServiceRequest};
use wvgate::imps::{Address, Code, Primitive};
use wvgate::sap::settings::Access;
use wvgate::sap::{Peer, Route, ServiceSet, Settings};
use wvgate::ssp::envelope::decode_fragment;
use wvgate::store::Store as _;

use crate::support::cluster::Cluster;
use crate::support::world::{World, peer, set};

const READER: &str = "reader.test";
const HOME: &str = "home.test";
const NOSY: &str = "nosy.test";
const RELAY: &str = "relay.test";
const VILLAGE: &str = "village.test";
const BOB: &str = "wv:bob@village.test";
const MINUTE: u64 = 60_000;

const BOBS: &str = "<SubscribedServices><Service name=\"IM\" status=\"Active\"/></SubscribedServices>\
    <PrivacyStatus><Capability name=\"UserLocation\" status=\"Denied\"/></PrivacyStatus>\
    <TerminalCapabilities/><Properties/>";

fn read(text: &str) -> Primitive {
    decode_fragment(text.as_bytes()).unwrap()
}

fn get(from: &str, user: &str, parts: &str) -> Primitive {
    read(&format!(
        "<GetUserProfileRequest userID=\"{user}\"><MetaInfo clientOriginated=\"No\">\
         <Requestor serviceID=\"wv:@{from}\"/></MetaInfo>{parts}</GetUserProfileRequest>"
    ))
}

fn update(from: &str, user: &str, mode: &str, parts: &str) -> Primitive {
    read(&format!(
        "<UpdateUserProfileRequest userID=\"{user}\" mode=\"{mode}\"><MetaInfo clientOriginated=\"No\">\
         <Requestor serviceID=\"wv:@{from}\"/></MetaInfo><UserProfile>{parts}</UserProfile>\
         </UpdateUserProfileRequest>"
    ))
}

fn city(name: &str) -> String {
    format!(
        "<Properties><Property><Name>PP_CITY</Name><Value>{name}</Value></Property></Properties>"
    )
}

/// The answer of bob's home domain.
fn bobs(parts: &str) -> Primitive {
    read(&format!(
        "<GetUserProfileResponse userID=\"{BOB}\"><Status code=\"200\"/>\
         <UserProfile userID=\"{BOB}\">{parts}</UserProfile></GetUserProfileResponse>"
    ))
}

fn code(answer: &Primitive) -> u16 {
    match answer {
        Primitive::Status(status) => status.code.0,
        Primitive::GetUserProfileResponse(response) => response.status.code.0,
        other => panic!("{other:?}"),
    }
}

fn profile(answer: Primitive) -> UserProfile {
    match answer {
        Primitive::GetUserProfileResponse(response) => response.profile.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn allowed(domain: &str, profiles: Access) -> Peer {
    Peer {
        profiles,
        ..peer(domain, &[])
    }
}

fn relay() -> Settings {
    Settings::new(RELAY)
        .with_peer(allowed(READER, Access::Read))
        .with_peer(peer(HOME, &[]))
        .with_peer(peer(NOSY, &[]))
        .with_peer(peer(VILLAGE, &[]))
}

/// The world above; only the relay remembers what passes.
fn world(relay: Settings) -> World {
    let end = |own: &str| {
        let all = [READER, HOME, NOSY, VILLAGE];
        let via = Peer {
            profiles: Access::Write,
            ..peer(RELAY, &all)
        };
        let mut settings = Settings::new(own)
            .with_peer(via)
            .with_route(own, Route::Local(wvgate::home::ELEMENT))
            .with_route("*", Route::Peer(RELAY.into()));
        settings.profile_cache = Duration::ZERO;
        settings
    };
    let mut world = World::new([end(READER), end(HOME), end(NOSY), end(VILLAGE), relay]);
    world.node(VILLAGE).answer = Some(bobs(BOBS));
    world
}

/// How often bob's home domain was asked until now.
fn asked(world: &mut World) -> usize {
    world.node(VILLAGE).delivered.len()
}

// ------------------------------------------------------------------ remembered

#[test]
fn a_profile_that_passed_by_is_answered_by_the_relay_for_five_minutes() {
    let mut world = world(relay());
    let first = world.ask(READER, &get(READER, BOB, ""));
    assert_eq!((code(&first), asked(&mut world)), (200, 1));
    let again = world.ask(READER, &get(READER, BOB, ""));
    assert_eq!((again, asked(&mut world)), (first, 1));
    world.run(5 * MINUTE);
    world.ask(READER, &get(READER, BOB, ""));
    assert_eq!(asked(&mut world), 2);
}

#[test]
fn a_part_is_answered_out_of_the_whole_but_not_the_whole_out_of_a_part() {
    let mut world = world(relay());
    let part = get(READER, BOB, "<ProfileParts><PrivacyStatus/></ProfileParts>");
    world.node(VILLAGE).answer = Some(bobs(
        "<PrivacyStatus><Capability name=\"UserLocation\" status=\"Denied\"/></PrivacyStatus>",
    ));
    world.ask(READER, &part);
    world.node(VILLAGE).answer = Some(bobs(BOBS));
    let whole = profile(world.ask(READER, &get(READER, BOB, "")));
    assert_eq!(asked(&mut world), 2);
    assert!(whole.services.is_some());
    let again = profile(world.ask(READER, &part));
    assert_eq!(asked(&mut world), 2);
    assert_eq!((again.services, again.privacy), (None, whole.privacy));
}

#[test]
fn nothing_is_remembered_where_the_operator_says_so() {
    let mut settings = relay();
    settings.profile_cache = Duration::ZERO;
    let mut world = world(settings);
    world.ask(READER, &get(READER, BOB, ""));
    world.ask(READER, &get(READER, BOB, ""));
    assert_eq!(asked(&mut world), 2);
}

#[test]
fn only_success_is_remembered() {
    let mut world = world(relay());
    let refusal = read("<GetUserProfileResponse><Status code=\"531\"/></GetUserProfileResponse>");
    world.node(VILLAGE).answer = Some(refusal);
    for times in 1..=2 {
        let answer = world.ask(READER, &get(READER, BOB, ""));
        assert_eq!((code(&answer), asked(&mut world)), (531, times));
    }
}

#[test]
fn an_update_that_passes_by_ends_what_was_remembered() {
    // Bob's home domain tells bob's profile to home.test, through the relay.
    let mut settings = relay();
    settings.pse.add(ServiceSet::ALL, VILLAGE, HOME);
    let mut world = world(settings);
    let mut village = (**world.node(VILLAGE).sap.settings()).clone();
    village.pse.add(ServiceSet::ALL, VILLAGE, HOME);
    world.reload(VILLAGE, village);
    world.node(HOME).answer = Some(Primitive::status(Code::OK));
    world.ask(READER, &get(READER, BOB, ""));
    let answer = world.ask(VILLAGE, &update(VILLAGE, BOB, "Merge", &city("Oslo")));
    assert_eq!(code(&answer), 200);
    assert_eq!(world.node(HOME).delivered.len(), 1);
    let oslo = bobs(&BOBS.replace("<Properties/>", &city("Oslo")));
    world.node(VILLAGE).answer = Some(oslo.clone());
    assert_eq!(world.ask(READER, &get(READER, BOB, "")), oslo);
    assert_eq!(asked(&mut world), 2);
    world.ask(READER, &get(READER, BOB, ""));
    assert_eq!(asked(&mut world), 2);
}

#[test]
fn the_node_that_asks_remembers_too() {
    let mut world = world(relay());
    let mut reader = (**world.node(READER).sap.settings()).clone();
    reader.profile_cache = Duration::from_millis(5 * MINUTE);
    world.reload(READER, reader);
    world.ask(READER, &get(READER, BOB, ""));
    world.hops.clear();
    let again = world.ask(READER, &get(READER, BOB, ""));
    assert_eq!((code(&again), world.hops.len()), (200, 0));
}

// ---------------------------------------------------------------- who may

#[test]
fn a_domain_without_leave_is_answered_403_even_if_the_answer_is_known() {
    let mut world = world(relay());
    for times in 1..=2 {
        let answer = world.ask(NOSY, &get(NOSY, BOB, ""));
        assert_eq!((code(&answer), asked(&mut world)), (403, times - 1));
        let known = world.ask(READER, &get(READER, BOB, ""));
        assert_eq!((code(&known), asked(&mut world)), (200, 1));
    }
}

#[test]
fn to_read_is_not_to_write() {
    let mut world = world(relay());
    let carol = "wv:carol@home.test";
    world.node(HOME).answer = Some(Primitive::status(Code::OK));
    let change = update(READER, carol, "Merge", &city("Oslo"));
    assert_eq!(code(&world.ask_hop(READER, RELAY, &change)), 403);
    let mut settings = relay().with_peer(allowed(READER, Access::Write));
    settings.pse.add(ServiceSet::ALL, READER, HOME);
    world.reload(RELAY, settings);
    assert_eq!(code(&world.ask_hop(READER, RELAY, &change)), 200);
    assert_eq!(world.node(HOME).delivered.len(), 1);
    let read = get(READER, BOB, "");
    assert_eq!(code(&world.ask(READER, &read)), 200);
}

#[test]
fn a_provider_of_the_service_table_may_read_but_not_write() {
    let mut settings = relay();
    settings.pse.add(set(&["GroupFeat"]), VILLAGE, NOSY);
    let mut world = world(settings);
    assert_eq!(code(&world.ask(NOSY, &get(NOSY, BOB, ""))), 200);
    let change = update(NOSY, BOB, "Merge", &city("Oslo"));
    assert_eq!(code(&world.ask_hop(NOSY, RELAY, &change)), 403);
    // For users of other domains the entry says nothing.
    let carol = get(NOSY, "wv:carol@home.test", "");
    assert_eq!(code(&world.ask(NOSY, &carol)), 403);
}

#[test]
fn leave_covers_the_domains_a_peer_speaks_for_by_name() {
    let mut world = world(relay());
    let from_branch = get("branch.test", BOB, "");
    let mut reader = allowed(READER, Access::Read);
    reader.speaks_for.any = true;
    world.reload(RELAY, relay().with_peer(reader.clone()));
    assert_eq!(code(&world.ask_hop(READER, RELAY, &from_branch)), 403);
    reader.speaks_for.domains.push("branch.test".to_owned());
    world.reload(RELAY, relay().with_peer(reader));
    let mut village = (**world.node(VILLAGE).sap.settings()).clone();
    let mut via = (*village.peers[RELAY]).clone();
    via.speaks_for.domains.push("branch.test".to_owned());
    village = village.with_peer(via);
    world.reload(VILLAGE, village);
    assert_eq!(code(&world.ask_hop(READER, RELAY, &from_branch)), 200);
}

#[test]
fn without_the_function_the_answer_is_506_before_anything_else() {
    let less = Peer {
        offers: set(&["IMFeat", "UPDUP"]),
        ..peer(NOSY, &[])
    };
    let mut world = world(relay().with_peer(less));
    let answer = world.ask_hop(NOSY, RELAY, &get(NOSY, BOB, ""));
    assert_eq!(code(&answer), 506);
    let change = update(NOSY, BOB, "Merge", &city("Oslo"));
    assert_eq!(code(&world.ask_hop(NOSY, RELAY, &change)), 403);
}

#[test]
fn the_profile_of_a_user_at_home_is_changed_there_whoever_serves_the_requestor() {
    // The relay hosts users, and knows another provider for those of the reader.
    let mut settings = relay()
        .with_peer(allowed(READER, Access::Write))
        .with_route(RELAY, Route::Local(wvgate::home::ELEMENT));
    settings.pse.add(ServiceSet::ALL, READER, VILLAGE);
    let mut world = world(settings);
    world.node(RELAY).answer = Some(Primitive::status(Code::OK));
    let change = update(READER, "wv:dora@relay.test", "Merge", &city("Oslo"));
    assert_eq!(code(&world.ask_hop(READER, RELAY, &change)), 200);
    assert_eq!(world.node(RELAY).delivered.len(), 1);
}

// ------------------------------------------------------------------ told

/// A relay that provides groups to users of the village.
fn provider() -> Settings {
    let mut settings = relay();
    settings.pse.add(set(&["GroupFeat"]), VILLAGE, RELAY);
    settings
}

fn tell(world: &mut World, mode: &str, parts: &str) -> Primitive {
    world.ask_hop(VILLAGE, RELAY, &update(VILLAGE, BOB, mode, parts))
}

#[test]
fn a_home_domain_tells_its_provider_who_answers_for_it() {
    let mut world = world(provider());
    assert_eq!(code(&tell(&mut world, "Merge", BOBS)), 200);
    assert_eq!(code(&tell(&mut world, "", &city("Oslo"))), 200);
    let privacy = "<PrivacyStatus><Capability name=\"UserLocation\"/></PrivacyStatus>";
    let last = world.now;
    assert_eq!(code(&tell(&mut world, "Delete", privacy)), 200);
    world.restart(RELAY);
    let told = profile(world.ask(READER, &get(READER, BOB, "")));
    assert_eq!(asked(&mut world), 0);
    assert_eq!(told.user, Some(Address::new(BOB)));
    assert_eq!(told.modified, Some(DateTime::from_millis(last.0)));
    assert_eq!(told.privacy, Some(Vec::new()));
    let properties = told.properties.unwrap();
    assert_eq!(properties[0].value.as_deref(), Some("Oslo"));
    assert_eq!(code(&world.ask(NOSY, &get(NOSY, BOB, ""))), 403);
}

#[test]
fn what_was_not_told_is_asked_for_at_home() {
    let mut world = world(provider());
    tell(&mut world, "Merge", &city("Oslo"));
    let part = get(READER, BOB, "<ProfileParts><Properties/></ProfileParts>");
    assert_eq!(code(&world.ask(READER, &part)), 200);
    assert_eq!(asked(&mut world), 0);
    world.ask(READER, &get(READER, BOB, ""));
    assert_eq!(asked(&mut world), 1);
}

#[test]
fn a_home_domain_reads_what_it_has_told() {
    let mut world = world(provider());
    let own = get(VILLAGE, BOB, "");
    assert_eq!(code(&world.ask_hop(VILLAGE, RELAY, &own)), 531);
    tell(&mut world, "Merge", &city("Oslo"));
    let told = profile(world.ask_hop(VILLAGE, RELAY, &own));
    assert!(told.properties.is_some() && told.services.is_none());
}

#[test]
fn what_was_told_ends_with_the_life_of_an_agreement() {
    let mut settings = provider();
    settings.agreement_ttl = Duration::from_millis(60 * MINUTE);
    let mut world = world(settings);
    tell(&mut world, "Merge", BOBS);
    world.run(50 * MINUTE);
    tell(&mut world, "Merge", BOBS);
    world.run(50 * MINUTE);
    let kept = |world: &mut World| {
        let keys = world.node(RELAY).disk.keys();
        keys.filter(|key| key.starts_with("sap/profile/")).count()
    };
    world.ask(READER, &get(READER, BOB, ""));
    assert_eq!((kept(&mut world), asked(&mut world)), (1, 0));
    world.run(11 * MINUTE);
    assert_eq!(kept(&mut world), 0);
    world.ask(READER, &get(READER, BOB, ""));
    assert_eq!(asked(&mut world), 1);
}

#[test]
fn an_entry_that_cannot_be_is_refused_with_702_and_the_others_are_told() {
    let mut world = world(provider());
    let parts =
        "<SubscribedServices><Service name=\"IM\"/><Service name=\"Video\"/></SubscribedServices>";
    let Primitive::Status(status) = tell(&mut world, "Merge", parts) else {
        panic!("no status");
    };
    assert_eq!(
        (status.code, status.details[0].code.0),
        (Code::PARTIAL, 702)
    );
    let Primitive::Status(status) = tell(&mut world, "Swap", parts) else {
        panic!("no status");
    };
    assert_eq!(status.code, Code::BAD_PARAMETER);
}

#[test]
fn an_agreement_to_tell_profiles_makes_a_provider_as_an_entry_does() {
    let mut world = world(relay());
    // Neither entry nor agreement, and nobody at home here.
    assert_eq!(code(&tell(&mut world, "Merge", BOBS)), 516);
    let request = ServiceRequest {
        agreement: None,
        time_to_live: Some(3600),
        cancel: None,
        meta: None,
        functions: Some(Functions {
            features: Some(set(&["ProfileFunc", "IMFeat"]).features()),
        }),
        served: None,
    };
    world.ask_hop(VILLAGE, RELAY, &request.into());
    assert_eq!(code(&tell(&mut world, "Merge", BOBS)), 200);
    world.ask(READER, &get(READER, BOB, ""));
    assert_eq!(asked(&mut world), 0);
}

// ------------------------------------------------------------------ real nodes

/// Every node knows that profiles of users of a.test are told to b.test.
const ENTRY: &str = r#"
[[service]]
name = "ProfileFunc"
home = "a.test"
pse = "b.test"
"#;

fn at_home(user: &str, other: &str) -> String {
    format!(
        r#"
[[peer]]
domain = "r.test"
url = "http://127.0.0.1:@PORT:r.test@/"
allow_plain = true
speaks_for = ["{other}"]
[[route]]
domain = "*"
via = "r.test"
[home]
[[home.user]]
name = "{user}"
password = "secret"
{ENTRY}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_at_home_is_told_to_the_provider_behind_the_relay() {
    let mut cluster = Cluster::new(&["a.test", "b.test", "r.test"]);
    let peer = |domain: &str| {
        format!(
            "[[peer]]\ndomain = \"{domain}\"\nurl = \"http://127.0.0.1:@PORT:{domain}@/\"\nallow_plain = true\n"
        )
    };
    let relay = format!("{}{}{ENTRY}", peer("a.test"), peer("b.test"));
    cluster.start("r.test", &relay).await;
    cluster.start("a.test", &at_home("alice", "b.test")).await;
    cluster.start("b.test", &at_home("bob", "a.test")).await;
    let node = cluster.node("a.test").handle();
    let _session = node.client_open("alice").await.unwrap().unwrap();
    let told = async {
        loop {
            let kept = cluster.store("b.test").get("sap/profile/wv:alice@a.test");
            if let Some(kept) = kept.await.unwrap() {
                return String::from_utf8(kept).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(30), told).await;
    let told = told.expect("the profile comes");
    assert!(told.contains("urn:wvgate:client:"), "{told}");
    assert!(told.contains("UserLocation"), "{told}");
    for node in cluster.nodes.into_values() {
        node.stop(Duration::from_secs(1)).await;
    }
}
