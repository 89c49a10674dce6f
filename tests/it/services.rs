//! Service discovery, negotiation and agreement between SAPs in a pretend world,
//! and what they forbid.

mod agreements;

use std::sync::Arc;

use bytes::Bytes;
use wvgate::element::{Act, Delivered, Input, RequestId, ServiceElement, Time};
use wvgate::home::{Home, HomeSettings};
use wvgate::imps::common::MetaInfo;
use wvgate::imps::primitive::common::GetSPInfoRequest;
use wvgate::imps::primitive::service::{
    Functions, GetServiceRequest, GetServiceResponse, ServiceRequest, ServiceResponse, ServiceTree,
};
use wvgate::imps::primitive::session::KeepAliveRequest;
use wvgate::imps::primitive::{self, Kind, Routing};
use wvgate::imps::xml::Limits;
use wvgate::imps::{Address, Code, Primitive, Status};
use wvgate::sap::{Dialect, Peer, Route, ServiceSet, Settings};
use wvgate::ssp::Mode;
use wvgate::ssp::envelope::scan;

use crate::codec_fixtures::{fixtures, transactions};
use crate::support::alone::quiet;
use crate::support::world::{World, peer, set};

pub(crate) const HOME: &str = "home.example";
pub(crate) const VILLAGE: &str = "village.example";
pub(crate) const HOUR: u64 = 3_600_000;
pub(crate) const DAY: u64 = 24 * HOUR;

/// A home domain with one peer.
pub(crate) fn home(own: &str, other: Peer) -> Settings {
    Settings::new(own)
        .with_peer(other)
        .with_route(own, Route::Local(wvgate::home::ELEMENT))
}

/// Two home domains; what the village offers, and what the home domain wants.
pub(crate) fn pair(offers: ServiceSet, wants: ServiceSet) -> World {
    let village = Peer {
        wants,
        ..peer(VILLAGE, &[])
    };
    let other = Peer {
        offers,
        ..peer(HOME, &[])
    };
    World::new([home(HOME, village), home(VILLAGE, other)])
}

/// The first sample of a primitive.
pub(crate) fn sample(name: &str) -> Primitive {
    let file = fixtures("profile").into_iter().find(|path| {
        let name = format!("-{name}-Request");
        path.to_string_lossy().contains(&name)
    });
    let body = Bytes::from(std::fs::read(file.unwrap()).unwrap());
    let message = scan(&body, &Limits::default()).unwrap();
    transactions(&message).1[0].primitive().unwrap()
}

pub(crate) fn code(answer: &Primitive) -> u16 {
    match answer {
        Primitive::Status(status) => status.code.0,
        Primitive::SendMessageResponse(response) => response.status.code.0,
        Primitive::ServiceResponse(response) => response.status.code.0,
        other => panic!("{other:?}"),
    }
}

fn discover(world: &mut World, from: &str, about: Option<&str>) -> GetServiceResponse {
    let request = GetServiceRequest {
        service: about.map(Address::service),
        meta: Some(MetaInfo::of_server(from)),
    };
    match world.ask(from, &request.into()) {
        Primitive::GetServiceResponse(response) => *response,
        other => panic!("{other:?}"),
    }
}

fn functions(tree: &ServiceTree) -> ServiceSet {
    ServiceSet::of_features(tree.features.as_ref().unwrap())
}

pub(crate) fn brings_session_up(world: &mut World) {
    world.node(VILLAGE).answer = Some(Primitive::status(Code::OK));
    world.ask(HOME, &sample("SubscribeRequest"));
}

// ---------------------------------------------------------------- discovery

#[test]
fn peers_are_asked_what_they_offer_when_a_session_comes_up() {
    let mut world = pair(set(&["SUBPR", "IMFeat"]), ServiceSet::NONE);
    assert_eq!(
        world.node(HOME).sap.services().views(Time(0))[0].offers,
        None
    );
    brings_session_up(&mut world);
    let now = world.now;
    let views = world.node(HOME).sap.services().views(now);
    let village = views.iter().find(|view| view.domain == VILLAGE).unwrap();
    let offers = village.offers.as_ref().unwrap();
    let names = offers.iter().map(String::as_str);
    // What the village's home domain serves, of what this peer may use.
    assert_eq!(
        ServiceSet::of_names(names).unwrap(),
        set(&[
            "KEEPA", "LOGOU", "GETSV", "NEGSV", "SUBPR", "SENDM", "MDELIV"
        ])
    );
    // In the other direction nothing is held back.
    let views = world.node(VILLAGE).sap.services().views(now);
    let offers = views[0].offers.as_ref().unwrap();
    let offers = ServiceSet::of_names(offers.iter().map(String::as_str)).unwrap();
    assert!(offers.includes(set(&["VRID"])), "{offers:?}");
}

#[test]
fn the_home_domain_serves_exactly_what_its_tree_says() {
    let offered = ServiceSet::of_element(wvgate::home::SERVES);
    for path in fixtures("profile") {
        let body = Bytes::from(std::fs::read(&path).unwrap());
        let message = scan(&body, &Limits::default()).unwrap();
        let transaction = transactions(&message).1[0].clone();
        let facts = primitive::facts(&transaction.name).unwrap();
        let served_by_home = !matches!(facts.routing, Routing::Hop)
            && facts.kind == Kind::Request
            && transaction.mode == Mode::Request
            && facts.name != "GetServiceRequest"
            // What a provider hands over follows from what the home domain may ask of it.
            && !matches!(facts.name, "NewMessage" | "MessageNotification");
        if !served_by_home {
            continue;
        }
        let mut home = Home::new(HomeSettings::new(VILLAGE), 1);
        let delivered = Delivered {
            id: Some(RequestId(1)),
            from_domain: HOME.to_owned(),
            user: transaction.peek.user.clone(),
            primitive: transaction.primitive().unwrap(),
            expires: Time(60_000),
        };
        home.take(Input::Deliver(delivered), Time(0));
        let refused = std::iter::from_fn(|| home.next_act()).any(|act| {
            matches!(act, Act::Respond { primitive: Primitive::Status(status), .. }
                if status.code == Code::NOT_IMPLEMENTED)
        });
        let leaf = ServiceSet::named(facts.leaf).unwrap();
        assert_eq!(refused, !offered.includes(leaf), "{}", facts.name);
    }
}

/// home — relay — village, and beside them a peer that cannot be asked.
fn relayed(offers: ServiceSet) -> World {
    let baraza = Dialect::built_in().unwrap().pop().unwrap();
    let asking = Peer {
        offers,
        ..peer(HOME, &[])
    };
    let relay = Settings::new("relay.test")
        .with_peer(asking)
        .with_peer(peer(VILLAGE, &[]))
        .with_peer(Peer::new("old.test", Arc::new(baraza)))
        .with_route("xmpp.test", Route::Local(wvgate::gateway::ELEMENT));
    let end = |own: &str, other: &str| {
        home(own, peer("relay.test", &[other])).with_route("*", Route::Peer("relay.test".into()))
    };
    World::new([end(HOME, VILLAGE), end(VILLAGE, HOME), relay])
}

#[test]
fn a_relay_tells_of_itself_and_of_the_domains_behind_it() {
    let mut world = relayed(ServiceSet::ALL);
    // The relay learns what the village offers as soon as it has spoken with it.
    brings_session_up(&mut world);
    let request = GetServiceRequest {
        service: None,
        meta: Some(MetaInfo::of_server(HOME)),
    };
    let answer = world.ask_hop(HOME, "relay.test", &request.into());
    let Primitive::GetServiceResponse(response) = answer else {
        panic!("{answer:?}");
    };
    let tree = |domain: &str| {
        let of = |tree: &&ServiceTree| tree.service.domain() == domain;
        response.trees.iter().find(of).unwrap()
    };
    assert_eq!(
        functions(tree("relay.test")),
        set(&["KEEPA", "LOGOU", "GETSV", "NEGSV", "GETSPI"])
    );
    assert_eq!(tree("relay.test").relay, Some(false));
    assert_eq!(tree(VILLAGE).relay, Some(true));
    assert!(functions(tree(VILLAGE)).includes(set(&["SENDM", "VRID"])));
    assert_eq!(
        functions(tree("xmpp.test")),
        ServiceSet::of_element(wvgate::gateway::SERVES)
    );
    assert!(functions(tree("old.test")).includes(set(&["JOING", "INVSC"])));
    assert!(!functions(tree("old.test")).includes(set(&["CREAG"])));
    assert!(
        response
            .trees
            .iter()
            .all(|tree| tree.service.domain() != HOME)
    );
}

#[test]
fn a_domain_behind_a_relay_is_asked_once_an_hour() {
    let mut world = relayed(ServiceSet::ALL);
    let asked = |world: &World| {
        let hops = world.hops.iter();
        hops.filter(|hop| hop.to == VILLAGE && hop.name == "GetServiceRequest")
            .count()
    };
    let first = discover(&mut world, HOME, Some(VILLAGE));
    assert!(functions(&first.trees[0]).includes(set(&["SENDM"])));
    let before = asked(&world);
    let again = discover(&mut world, HOME, Some(VILLAGE));
    assert_eq!(functions(&again.trees[0]), functions(&first.trees[0]));
    assert_eq!(asked(&world), before);
    // The relay itself keeps up to date; nobody's request is passed on for that.
    world.run(2 * HOUR);
    let kept = asked(&world);
    assert!((before + 2..=before + 3).contains(&kept), "{before} {kept}");
    discover(&mut world, HOME, Some(VILLAGE));
    assert_eq!(asked(&world), kept);
}

#[test]
fn a_relay_tells_only_what_the_asking_peer_may_use() {
    let mut world = relayed(set(&["IMFeat"]));
    for about in [VILLAGE, "old.test", "xmpp.test"] {
        let response = discover(&mut world, HOME, Some(about));
        let functions = functions(&response.trees[0]).difference(set(&["InteropFeat"]));
        let expected = match about {
            // The gateway tells announcements of messages as links, and has block lists.
            "xmpp.test" => set(&["SENDM", "MDELIV", "NOTIF", "GLBLU", "BLENT"]),
            _ => set(&["SENDM", "MDELIV"]),
        };
        assert_eq!(functions, expected, "{about}");
        assert_eq!(response.service, Some(Address::service(about)));
    }
}

#[test]
fn an_unknown_domain_is_answered_516() {
    let mut world = relayed(ServiceSet::ALL);
    let request = GetServiceRequest {
        service: Some(Address::service("nowhere.test")),
        meta: Some(MetaInfo::of_server(HOME)),
    };
    let answer = world.ask(HOME, &request.into());
    assert_eq!(code(&answer), 516);
}

#[test]
fn a_relay_without_home_domain_says_who_runs_it() {
    let mut world = relayed(ServiceSet::ALL);
    let request = GetSPInfoRequest {
        service: Some(Address::service("relay.test")),
        meta: Some(MetaInfo::of_server(HOME)),
    };
    let answer = world.ask(HOME, &request.into());
    let Primitive::GetSPInfoResponse(info) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(info.status, Status::ok());
    assert_eq!(info.name.as_deref(), Some("relay.test"));
}

#[test]
fn a_peer_that_cannot_be_asked_is_described_by_its_dialect() {
    let world = &mut relayed(ServiceSet::ALL);
    let now = world.now;
    let sap = &mut world.node("relay.test").sap;
    assert!(!sap.discover("old.test", now));
    let views = sap.services().views(now);
    let old = views.iter().find(|view| view.peer == "old.test").unwrap();
    assert_eq!(old.source, Some(wvgate::sap::service::Source::Dialect));
    assert!(
        old.offers
            .as_ref()
            .unwrap()
            .contains(&"ContentFeat".to_owned())
    );
}

// ------------------------------------------------ negotiation and agreement

/// What a node has agreed with its only peer: granted, obtained.
#[test]
fn an_idle_session_is_kept_alive_and_a_new_time_to_live_is_agreed() {
    let silent = |domain: &str| Peer::new(domain, quiet());
    let mut world = World::new([home(HOME, silent(VILLAGE)), home(VILLAGE, silent(HOME))]);
    brings_session_up(&mut world);
    world.hops.clear();
    world.run(3 * DAY);
    assert!(world.hops.iter().any(|hop| hop.name == "KeepAliveRequest"));
    assert_eq!(world.node(HOME).sap.session_views().len(), 1);
    let request = |seconds| KeepAliveRequest {
        time_to_live: Some(seconds),
        meta: Some(MetaInfo::of_server(HOME)),
    };
    for (wanted, code, in_force) in [(600, 200, 600), (900_000, 605, 600)] {
        let answer = world.ask_hop(HOME, VILLAGE, &request(wanted).into());
        let Primitive::KeepAliveResponse(answer) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(
            (answer.status.code.0, answer.time_to_live),
            (code, Some(in_force))
        );
    }
}

#[test]
fn a_logout_is_answered_and_ends_the_session_and_the_next_request_begins_another() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    let before = world.node(VILLAGE).sap.session_views()[0].established;
    world.run(1000);
    world.put(HOME, VILLAGE, &sample("LogoutRequest"));
    assert!(world.node(VILLAGE).sap.session_views().is_empty());
    world.run(60_000);
    brings_session_up(&mut world);
    let after = world.node(VILLAGE).sap.session_views();
    assert!(after.iter().all(|session| session.established > before));
    assert!(!after.is_empty());
}

#[test]
fn who_is_disconnected_waits_as_long_as_it_is_told() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    world.put(VILLAGE, HOME, &sample("Disconnect"));
    assert!(world.node(HOME).sap.session_views().is_empty());
    // The sample says 900 seconds.
    world.node(VILLAGE).delivered.clear();
    world.request(HOME, &sample("SubscribeRequest"));
    world.run(800_000);
    assert!(world.node(HOME).sap.session_views().is_empty());
    world.run(200_000);
    brings_session_up(&mut world);
    assert_eq!(world.node(HOME).sap.session_views().len(), 1);
}
