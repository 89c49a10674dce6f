//! Service discovery, negotiation and agreement between SAPs in a pretend world,
//! and what they forbid.

use std::sync::Arc;

use bytes::Bytes;
use wvgate::home::{Home, HomeSettings};
use wvgate::sap::{
    Act, Delivered, Dialect, Element, Peer, RequestId, Route, ServiceElement, ServiceSet, Settings,
    Time,
};
use wvgate::ssp::common::MetaInfo;
use wvgate::ssp::envelope::scan;
use wvgate::ssp::primitive::common::GetSPInfoRequest;
use wvgate::ssp::primitive::service::{
    Functions, GetServiceRequest, GetServiceResponse, ServiceRequest, ServiceResponse, ServiceTree,
};
use wvgate::ssp::primitive::session::KeepAliveRequest;
use wvgate::ssp::primitive::{self, Kind, Routing};
use wvgate::ssp::xml::Limits;
use wvgate::ssp::{Address, Code, Mode, Primitive, Status};

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
        .with_route(own, Route::Local(Element::Home))
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
    assert_eq!(world.node(HOME).sap.service_views(Time(0))[0].offers, None);
    brings_session_up(&mut world);
    let now = world.now;
    let views = world.node(HOME).sap.service_views(now);
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
    let views = world.node(VILLAGE).sap.service_views(now);
    let offers = views[0].offers.as_ref().unwrap();
    assert!(offers.contains(&"VerifyIDFunc".to_owned()), "{offers:?}");
}

#[test]
fn the_home_domain_serves_exactly_what_its_tree_says() {
    let offered = ServiceSet::of_element(Element::Home);
    for path in fixtures("profile") {
        let body = Bytes::from(std::fs::read(&path).unwrap());
        let message = scan(&body, &Limits::default()).unwrap();
        let transaction = transactions(&message).1[0].clone();
        let facts = primitive::facts(&transaction.name).unwrap();
        let served_by_home = !matches!(facts.routing, Routing::Hop)
            && facts.kind == Kind::Request
            && transaction.mode == Mode::Request
            && facts.name != "GetServiceRequest";
        if !served_by_home {
            continue;
        }
        let mut home = Home::new(HomeSettings::new(VILLAGE), 1);
        let mut acts = Vec::new();
        let delivered = Delivered {
            id: Some(RequestId(1)),
            from_domain: HOME.to_owned(),
            user: transaction.peek.user.clone(),
            primitive: transaction.primitive().unwrap(),
            expires: Time(60_000),
        };
        home.deliver(delivered, Time(0), &mut acts);
        let refused = acts.iter().any(|act| {
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
        .with_route("xmpp.test", Route::Local(Element::Gateway));
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
        ServiceSet::of_element(Element::Gateway)
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
        assert_eq!(functions, set(&["SENDM", "MDELIV"]), "{about}");
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
    let views = sap.service_views(now);
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
fn agreements(world: &mut World, domain: &str) -> (Option<ServiceSet>, Option<ServiceSet>) {
    let now = world.now;
    let views = world.node(domain).sap.service_views(now);
    let set = |view: &Option<wvgate::sap::service::AgreementView>| {
        let view = view.as_ref()?;
        Some(ServiceSet::of_names(view.functions.iter().map(String::as_str)).unwrap())
    };
    (set(&views[0].granted), set(&views[0].obtained))
}

#[test]
fn nothing_is_negotiated_until_configured() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    assert!(world.hops.iter().all(|hop| hop.name != "ServiceRequest"));
    assert_eq!(agreements(&mut world, HOME), (None, None));
}

#[test]
fn what_is_wanted_is_granted_as_far_as_it_is_offered_and_both_sides_remember() {
    let wants = set(&["IMFeat", "SUBPR"]);
    let mut world = pair(set(&["SENDM", "MDELIV", "PresenceFeat"]), wants);
    brings_session_up(&mut world);
    let agreed = set(&["SENDM", "MDELIV", "SUBPR"]);
    assert_eq!(agreements(&mut world, HOME), (None, Some(agreed)));
    assert_eq!(agreements(&mut world, VILLAGE), (Some(agreed), None));
    for domain in [HOME, VILLAGE] {
        world.restart(domain);
    }
    assert_eq!(agreements(&mut world, HOME), (None, Some(agreed)));
    assert_eq!(agreements(&mut world, VILLAGE), (Some(agreed), None));
}

fn negotiate(world: &mut World, request: ServiceRequest) -> Primitive {
    // Sent as the home domain's own words, past its SAP's idea of what it wants.
    world.hops.clear();
    world.ask_hop(HOME, VILLAGE, &request.into())
}

fn asking(functions: Option<ServiceSet>) -> ServiceRequest {
    ServiceRequest {
        agreement: None,
        time_to_live: Some(3600),
        cancel: None,
        meta: Some(MetaInfo::of_server(HOME)),
        functions: functions.map(|set| Functions {
            features: Some(set.features()),
        }),
        served: Some(vec![HOME.to_owned(), "elsewhere.test".to_owned()]),
    }
}

fn granted(answer: Primitive) -> ServiceResponse {
    match answer {
        Primitive::ServiceResponse(response) => *response,
        other => panic!("{other:?}"),
    }
}

fn in_tree(functions: &Option<Functions>) -> ServiceSet {
    let features = functions.as_ref().and_then(|f| f.features.as_ref());
    features.map_or(ServiceSet::NONE, ServiceSet::of_features)
}

#[test]
fn a_provider_says_what_it_grants_and_what_not() {
    let mut world = pair(set(&["IMSendFunc", "GroupFeat"]), ServiceSet::NONE);
    brings_session_up(&mut world);
    let all = granted(negotiate(&mut world, asking(Some(set(&["GroupFeat"])))));
    assert_eq!((all.status.code.0, all.time_to_live), (200, Some(3600)));
    assert!(all.agreement.unwrap().ends_with("@village.example"));
    let wanted = set(&["SearchFunc", "IMFeat", "GroupFeat"]);
    let part = granted(negotiate(&mut world, asking(Some(wanted))));
    assert_eq!(part.status.code.0, 201);
    assert_eq!(in_tree(&part.agreed), set(&["IMSendFunc", "GroupFeat"]));
    assert_eq!(
        in_tree(&part.not_available),
        set(&["SearchFunc", "IMReceiveFunc", "IMAuthFunc"])
    );
    let nothing = granted(negotiate(&mut world, asking(Some(set(&["ContentFeat"])))));
    assert_eq!((nothing.status.code.0, nothing.agreement), (506, None));
    // Home domains it may not speak for are not agreed to.
    let now = world.now;
    let views = world.node(VILLAGE).sap.service_views(now);
    assert_eq!(views[0].granted.as_ref().unwrap().served, [HOME]);
}

#[test]
fn who_is_offered_nothing_is_refused() {
    let mut world = pair(ServiceSet::NONE, ServiceSet::NONE);
    brings_session_up(&mut world);
    let answer = negotiate(&mut world, asking(Some(ServiceSet::ALL)));
    assert_eq!(code(&answer), 403);
}

#[test]
fn an_agreement_is_changed_renewed_and_cancelled_by_its_id() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    let first = granted(negotiate(&mut world, asking(Some(set(&["IMFeat"])))));
    let id = first.agreement.clone();
    world.run(HOUR / 2);
    let renewal = ServiceRequest {
        agreement: id.clone(),
        ..asking(None)
    };
    let renewed = granted(negotiate(&mut world, renewal));
    assert_eq!(renewed.agreement, id);
    assert_eq!(in_tree(&renewed.agreed), set(&["IMFeat"]));
    let change = ServiceRequest {
        agreement: id.clone(),
        ..asking(Some(set(&["GroupFeat"])))
    };
    negotiate(&mut world, change);
    assert_eq!(agreements(&mut world, VILLAGE).0, Some(set(&["GroupFeat"])));
    let cancel = ServiceRequest {
        agreement: id.clone(),
        cancel: Some(true),
        ..asking(None)
    };
    assert_eq!(code(&negotiate(&mut world, cancel.clone())), 200);
    assert_eq!(agreements(&mut world, VILLAGE).0, None);
    assert_eq!(code(&negotiate(&mut world, cancel)), 404);
}

#[test]
fn an_agreement_is_renewed_before_it_ends_and_ends_without_renewal() {
    let wants = set(&["IMFeat"]);
    let mut world = pair(ServiceSet::ALL, wants);
    brings_session_up(&mut world);
    let expiry = |world: &mut World| {
        let now = world.now;
        let views = world.node(HOME).sap.service_views(now);
        views[0]
            .obtained
            .as_ref()
            .map(|agreement| agreement.expires)
    };
    let first = expiry(&mut world).unwrap();
    world.run(8 * DAY);
    assert!(expiry(&mut world).unwrap() > first);
    assert_eq!(agreements(&mut world, VILLAGE).0, Some(wants));
    // The village is gone: nobody renews.
    world.nodes.remove(VILLAGE);
    world.run(8 * DAY);
    assert_eq!(expiry(&mut world), None);
    assert!(
        !world
            .node(HOME)
            .disk
            .keys()
            .any(|key| key.contains("agreement"))
    );
}

#[test]
fn a_provider_that_offers_less_reduces_the_agreement() {
    let mut world = pair(ServiceSet::ALL, set(&["IMFeat", "SUBPR"]));
    brings_session_up(&mut world);
    let less = Peer {
        offers: set(&["IMFeat"]),
        ..peer(HOME, &[])
    };
    world.reload(VILLAGE, home(VILLAGE, less));
    world.run(HOUR);
    let left = set(&["IMFeat"]);
    assert_eq!(agreements(&mut world, VILLAGE).0, Some(left));
    assert_eq!(agreements(&mut world, HOME).1, Some(left));
}

#[test]
fn who_wants_nothing_any_more_cancels() {
    let mut world = pair(ServiceSet::ALL, set(&["IMFeat"]));
    brings_session_up(&mut world);
    world.reload(HOME, home(HOME, peer(VILLAGE, &[])));
    world.run(HOUR);
    assert_eq!(agreements(&mut world, HOME).1, None);
    assert_eq!(agreements(&mut world, VILLAGE).0, None);
}

// ------------------------------------------------------------- what follows

#[test]
fn a_request_outside_of_the_offer_is_answered_506_and_goes_nowhere() {
    let mut world = pair(set(&["SUBPR"]), ServiceSet::NONE);
    brings_session_up(&mut world);
    world.node(VILLAGE).delivered.clear();
    assert_eq!(code(&world.ask(HOME, &sample("SendMessageRequest"))), 506);
    assert!(world.node(VILLAGE).delivered.is_empty());
    assert_eq!(code(&world.ask(HOME, &sample("SubscribeRequest"))), 200);
    // Invitations to content are another function than other invitations.
    let offers = set(&["INVIT", "CAINV"]);
    let only_invitations = Peer {
        offers,
        ..peer(HOME, &[])
    };
    world.reload(VILLAGE, home(VILLAGE, only_invitations));
    let mut invitation = sample("InviteRequest");
    assert_eq!(code(&world.ask(HOME, &invitation)), 200);
    if let Primitive::InviteRequest(invitation) = &mut invitation {
        invitation.invite_type = "SC".to_owned();
    }
    assert_eq!(code(&world.ask(HOME, &invitation)), 506);
}

#[test]
fn a_request_outside_of_the_agreement_is_answered_506_on_both_sides() {
    let mut world = pair(ServiceSet::ALL, set(&["SUBPR"]));
    brings_session_up(&mut world);
    // The provider refuses what comes all the same.
    let answer = world.ask_hop(HOME, VILLAGE, &sample("SendMessageRequest"));
    assert_eq!(code(&answer), 506);
    // The requestor does not even send it.
    world.hops.clear();
    assert_eq!(code(&world.ask(HOME, &sample("SendMessageRequest"))), 506);
    assert!(world.hops.is_empty(), "{:?}", world.hops);
    // An agreement covers one direction: the village may ask for everything.
    world.node(HOME).answer = Some(Primitive::status(Code::OK));
    assert_eq!(code(&world.ask(VILLAGE, &sample("NewMessage"))), 200);
}

#[test]
fn notices_are_taken_whatever_is_offered() {
    let mut world = pair(set(&["SUBPR"]), ServiceSet::NONE);
    brings_session_up(&mut world);
    world.node(VILLAGE).delivered.clear();
    world.request(HOME, &sample("LeaveGroupIndication"));
    world.run(1000);
    assert_eq!(world.node(VILLAGE).delivered.len(), 1);
}

#[test]
fn a_domain_asked_by_a_home_domain_without_entry_is_the_provider() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    world.node(VILLAGE).answer = Some(Primitive::status(Code::OK));
    let answer = world.ask_hop(HOME, VILLAGE, &sample("GetListRequest"));
    assert_eq!(code(&answer), 200);
    assert_eq!(world.node(VILLAGE).delivered.len(), 1);
}

// -------------------------------------------------------- session management

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
