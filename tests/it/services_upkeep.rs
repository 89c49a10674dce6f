//! What is known of peers and agreed with them over time, in a pretend world: asked anew,
//! renewed, reduced while requests are under way; and trying whether a peer answers.

use wvgate::imps::common::{MetaInfo, Recipient, Sender, User};
use wvgate::imps::primitive::common::GetSPInfoRequest;
use wvgate::imps::primitive::message::{SendMessageRequest, SendMessageResponse};
use wvgate::imps::{Address, Code, Primitive, Status};
use wvgate::sap::service::{Probe, Source};
use wvgate::sap::{Peer, RequestId, Route, ServiceSet, ServiceView, Settings, Time};
use wvgate::ssp::Mode;

use crate::services::{DAY, HOME, HOUR, VILLAGE, brings_session_up, code, home, pair, sample};
use crate::support::world::{Hop, World, peer, set};

const MINUTE: u64 = 60_000;

/// What a node knows of its only peer itself.
fn row(world: &mut World, domain: &str) -> ServiceView {
    let now = world.now;
    let views = world.node(domain).sap.services().views(now);
    let own = views.into_iter().find(|view| view.peer == view.domain);
    own.unwrap()
}

fn offers(world: &mut World) -> ServiceSet {
    let row = row(world, HOME);
    let offers = row.offers.unwrap();
    ServiceSet::of_names(offers.iter().map(String::as_str)).unwrap()
}

/// How often the home domain has sent such a request.
fn asked(world: &World, name: &str) -> usize {
    let is = |hop: &&Hop| hop.from == HOME && hop.mode == Mode::Request;
    let hops = world.hops.iter().filter(is);
    hops.filter(|hop| hop.name == name).count()
}

/// Both sides forget their sessions.
fn parts(world: &mut World) {
    let now = world.now;
    world.node(HOME).sap.drop_sessions(VILLAGE, now);
    world.node(VILLAGE).sap.drop_sessions(HOME, now);
    world.run(1);
}

/// Time passes. Afterwards no timer may be about to fire at once, again and again.
fn passes(world: &mut World, millis: u64) {
    world.run(millis);
    let now = world.now;
    for node in world.nodes.values() {
        let next = node.sap.next_timeout();
        assert!(next.is_none_or(|next| next.since(now) > 1), "{next:?}");
    }
}

// ---------------------------------------------------------------- what is offered

#[test]
fn what_a_peer_offers_is_asked_anew_before_it_is_forgotten() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    let first = row(&mut world, HOME).seen.unwrap();
    for _ in 0..30 {
        world.run(10 * MINUTE);
        let row = row(&mut world, HOME);
        assert!(row.known_until.unwrap() > world.now, "{row:?}");
        assert_eq!(row.problem, None);
    }
    assert!(row(&mut world, HOME).seen.unwrap() > first);
    // Five hours: asked at the start, and then once an hour or a little sooner.
    let times = asked(&world, "GetServiceRequest");
    assert!((5..=7).contains(&times), "{times}");
}

#[test]
fn nothing_is_asked_without_a_session_and_what_is_due_when_it_is_back() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    parts(&mut world);
    world.hops.clear();
    passes(&mut world, 5 * HOUR);
    assert!(world.hops.is_empty(), "{:?}", world.hops);
    brings_session_up(&mut world);
    assert_eq!(asked(&world, "GetServiceRequest"), 1);
}

#[test]
fn a_restored_session_is_asked_at_the_start() {
    let mut world = pair(set(&["IMFeat"]), ServiceSet::NONE);
    brings_session_up(&mut world);
    let before = offers(&mut world);
    world.hops.clear();
    world.restart(HOME);
    assert_eq!(row(&mut world, HOME).offers, None);
    world.run(1000);
    assert_eq!(asked(&world, "GetServiceRequest"), 1);
    assert_eq!(offers(&mut world), before);
}

#[test]
fn a_peer_that_does_not_answer_is_asked_once_an_hour() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    world.nodes.remove(VILLAGE);
    world.restart(HOME);
    world.hops.clear();
    world.run(5 * MINUTE);
    let silent = row(&mut world, HOME);
    assert_eq!(silent.problem.as_deref(), Some("no answer in time"));
    let now = world.now;
    let (asking, heard) = world.node(HOME).sap.services().heard(VILLAGE, now);
    assert!(!asking && heard.unwrap().problem.is_some());
}

#[test]
fn a_domain_that_a_relay_does_not_mention_any_more_is_gone() {
    let mut relay = Settings::new("relay.test").with_peer(peer(HOME, &[]));
    relay = relay.with_peer(peer(VILLAGE, &[]));
    let end = |own: &str, other: &str| {
        home(own, peer("relay.test", &[other])).with_route("*", Route::Peer("relay.test".into()))
    };
    let mut world = World::new([end(HOME, VILLAGE), end(VILLAGE, HOME), relay]);
    brings_session_up(&mut world);
    let now = world.now;
    let sap = &mut world.node(HOME).sap;
    let number = sap.discover_behind("relay.test", VILLAGE, now).unwrap();
    let unknown = sap
        .discover_behind("relay.test", "nowhere.test", now)
        .unwrap();
    world.run(5_000);
    let status = |number| {
        world.nodes[HOME]
            .sap
            .services()
            .probe_view(number)
            .unwrap()
            .status
    };
    assert_eq!((status(number), status(unknown)), (Some(200), Some(516)));
    let known = |world: &mut World| {
        let now = world.now;
        let views = world.node(HOME).sap.services().views(now).into_iter();
        views.map(|view| view.domain).collect::<Vec<_>>()
    };
    assert_eq!(known(&mut world), ["relay.test", VILLAGE]);
    world.reload(
        "relay.test",
        Settings::new("relay.test").with_peer(peer(HOME, &[])),
    );
    world.run(HOUR);
    assert_eq!(known(&mut world), ["relay.test"]);
}

#[test]
fn a_function_answered_405_is_taken_out_and_asked_for_again_after_it_is_offered_anew() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    assert!(offers(&mut world).includes(set(&["GETSPI"])));
    world.node(VILLAGE).answer = Some(Primitive::status(Code::NOT_SUPPORTED));
    let request: Primitive = GetSPInfoRequest {
        service: Some(Address::service(VILLAGE)),
        meta: Some(MetaInfo::of_server(HOME)),
    }
    .into();
    assert_eq!(code(&world.ask(HOME, &request)), 405);
    assert!(!offers(&mut world).includes(set(&["GETSPI"])));
    assert_eq!(row(&mut world, HOME).refused, ["ServiceFunc"]);
    // It is not sent there any more, and the answer is the same.
    let sent = asked(&world, "GetSPInfoRequest");
    assert_eq!(code(&world.ask(HOME, &request)), 405);
    assert_eq!(asked(&world, "GetSPInfoRequest"), sent);
    // What every domain has is tried all the same.
    assert_eq!(code(&world.ask(HOME, &sample("SubscribeRequest"))), 405);
    let subscribed = asked(&world, "SubscribeRequest");
    world.node(VILLAGE).answer = Some(Primitive::status(Code::OK));
    assert_eq!(code(&world.ask(HOME, &sample("SubscribeRequest"))), 200);
    assert_eq!(asked(&world, "SubscribeRequest"), subscribed + 1);
    // The peer is asked anew within the hour, and offers it.
    world.run(HOUR);
    assert!(offers(&mut world).includes(set(&["GETSPI"])));
    assert_eq!(code(&world.ask(HOME, &request)), 200);
}

#[test]
fn a_peer_known_by_its_dialect_loses_a_function_for_an_hour_too() {
    let mut dialect = wvgate::sap::Dialect::built_in().unwrap().pop().unwrap();
    (dialect.never_send, dialect.handshake_pause) = (Vec::new(), 0);
    let old = Peer::new(VILLAGE, std::sync::Arc::new(dialect));
    let mut world = World::new([home(HOME, old), home(VILLAGE, peer(HOME, &[]))]);
    brings_session_up(&mut world);
    assert_eq!(row(&mut world, HOME).source, Some(Source::Dialect));
    assert!(offers(&mut world).includes(set(&["GETGP"])));
    world.node(VILLAGE).answer = Some(Primitive::status(Code::NOT_SUPPORTED));
    assert_eq!(code(&world.ask(HOME, &sample("GetGroupPropsRequest"))), 405);
    assert!(!offers(&mut world).includes(set(&["GETGP"])));
    world.run(HOUR);
    assert!(offers(&mut world).includes(set(&["GETGP"])));
}

// ---------------------------------------------------------------- agreements

fn obtained(world: &mut World) -> Option<(String, Time)> {
    let agreement = row(world, HOME).obtained?;
    Some((agreement.id, agreement.expires))
}

#[test]
fn an_agreement_that_came_of_age_without_a_session_is_renewed_when_one_is_back() {
    let mut world = pair(ServiceSet::ALL, set(&["IMFeat", "SUBPR"]));
    brings_session_up(&mut world);
    let (id, first) = obtained(&mut world).unwrap();
    parts(&mut world);
    passes(&mut world, 6 * DAY + 12 * HOUR);
    assert_eq!(obtained(&mut world).unwrap(), (id.clone(), first));
    assert!(row(&mut world, HOME).obtained.unwrap().renewal_due);
    brings_session_up(&mut world);
    let (renewed, expires) = obtained(&mut world).unwrap();
    assert_eq!(renewed, id);
    assert!(expires > first);
    assert_eq!(row(&mut world, VILLAGE).granted.unwrap().expires, expires);
}

#[test]
fn an_agreement_that_lapsed_without_a_session_is_not_used() {
    let mut world = pair(ServiceSet::ALL, set(&["SUBPR"]));
    brings_session_up(&mut world);
    let (id, _) = obtained(&mut world).unwrap();
    assert_eq!(code(&world.ask(HOME, &sample("SendMessageRequest"))), 506);
    parts(&mut world);
    passes(&mut world, 8 * DAY);
    assert_eq!(obtained(&mut world), None);
    assert_eq!(row(&mut world, VILLAGE).granted, None);
    // Nothing forbids it now; the session it brings up brings another agreement.
    world.hops.clear();
    world.request(HOME, &sample("SendMessageRequest"));
    world.run(30_000);
    assert_eq!(asked(&world, "SendMessageRequest"), 1);
    let (another, _) = obtained(&mut world).unwrap();
    assert_ne!(another, id);
    assert_eq!(code(&world.ask(HOME, &sample("SendMessageRequest"))), 506);
}

/// The request that the village's element has and has not answered.
fn under_way(world: &mut World) -> RequestId {
    let node = world.node(VILLAGE);
    node.answer = None;
    node.delivered.clear();
    world.request(HOME, &sample("SendMessageRequest"));
    world.run(100);
    let delivered = world.node(VILLAGE).delivered.pop();
    delivered.unwrap().id.unwrap()
}

fn answers(world: &mut World, request: RequestId) -> u16 {
    let answer: Primitive = SendMessageResponse {
        message_id: "m-20040522-0017".to_owned(),
        status: Status::ok(),
    }
    .into();
    let now = world.now;
    let before = world.node(HOME).answers.len();
    let village = world.node(VILLAGE);
    village
        .sap
        .respond(wvgate::home::ELEMENT, request, answer.clone(), now);
    village.answer = Some(answer);
    world.run(1000);
    let answers = &world.node(HOME).answers;
    assert_eq!(answers.len(), before + 1);
    code(&answers[before].1)
}

#[test]
fn a_provider_that_reduces_or_cancels_answers_what_it_has_accepted() {
    for (left, next) in [(set(&["SUBPR"]), 506), (ServiceSet::NONE, 506)] {
        let mut world = pair(ServiceSet::ALL, set(&["IMFeat", "SUBPR"]));
        brings_session_up(&mut world);
        let request = under_way(&mut world);
        let less = Peer {
            offers: left,
            ..peer(HOME, &[])
        };
        world.reload(VILLAGE, home(VILLAGE, less));
        world.run(100);
        assert!(asked_by_village(&world), "the peer is told");
        assert_eq!(answers(&mut world, request), 200);
        assert_eq!(code(&world.ask(HOME, &sample("SendMessageRequest"))), next);
    }
}

fn asked_by_village(world: &World) -> bool {
    let mut hops = world.hops.iter();
    hops.any(|hop| hop.from == VILLAGE && hop.name == "ServiceRequest")
}

#[test]
fn a_requestor_that_reduces_hears_the_answer_to_what_it_has_asked() {
    let mut world = pair(ServiceSet::ALL, set(&["IMFeat", "SUBPR"]));
    brings_session_up(&mut world);
    let request = under_way(&mut world);
    let less = Peer {
        wants: set(&["SUBPR"]),
        ..peer(VILLAGE, &[])
    };
    world.reload(HOME, home(HOME, less));
    world.run(100);
    assert_eq!(row(&mut world, HOME).obtained.unwrap().functions, ["SUBPR"]);
    assert_eq!(answers(&mut world, request), 200);
    // Neither side lets the next one pass.
    world.hops.clear();
    assert_eq!(code(&world.ask(HOME, &sample("SendMessageRequest"))), 506);
    assert_eq!(asked(&world, "SendMessageRequest"), 0);
    let answer = world.ask_hop(HOME, VILLAGE, &sample("SendMessageRequest"));
    assert_eq!(code(&answer), 506);
}

// ---------------------------------------------------------------- who provides what

#[test]
fn the_table_says_who_provides_what_and_how_he_is_reached() {
    let mut settings = home(HOME, peer("relay.test", &[]))
        .with_route(VILLAGE, Route::Peer("relay.test".into()))
        .with_route("xmpp.test", Route::Local(wvgate::gateway::ELEMENT));
    settings.pse.add(set(&["ContactListFeat"]), HOME, VILLAGE);
    settings
        .pse
        .add(set(&["AttListFunc"]), HOME, "nowhere.test");
    let mut world = World::new([settings]);
    let views = world.node(HOME).sap.services().providers();
    let row = |pse: &str| views.iter().find(|view| view.pse == pse).unwrap();
    assert_eq!(row(VILLAGE).via.as_deref(), Some("relay.test"));
    assert_eq!(row(VILLAGE).functions, ["ContactListFeat"]);
    assert_eq!(row("nowhere.test").via, None);
    assert_eq!(row(HOME).via.as_deref(), Some("local"));
    assert_eq!(row("xmpp.test").via.as_deref(), Some("xmpp"));
}

// ---------------------------------------------------------------- trying a peer

#[test]
fn a_keep_alive_shows_that_the_peer_answers() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    let now = world.now;
    let sap = &mut world.node(HOME).sap;
    let number = sap.probe(VILLAGE, Probe::KeepAlive, now).unwrap();
    assert_eq!(sap.probe("nobody.test", Probe::KeepAlive, now), None);
    world.run(1000);
    let view = world
        .node(HOME)
        .sap
        .services()
        .probe_view(number)
        .unwrap()
        .clone();
    assert_eq!((view.asked, view.status), (now, Some(200)));
    assert!(view.answered.is_some() && view.echoed.is_none());
}

/// Begins an echo, and returns what reached the village's element.
fn echo_begins(world: &mut World) -> (u64, SendMessageRequest) {
    let now = world.now;
    let number = world.node(HOME).sap.probe(VILLAGE, Probe::Echo, now);
    world.node(VILLAGE).delivered.clear();
    world.run(1000);
    let delivered = world.node(VILLAGE).delivered.pop().unwrap();
    let Primitive::SendMessageRequest(request) = delivered.primitive else {
        panic!("{delivered:?}");
    };
    (number.unwrap(), *request)
}

/// The message with sender and recipient changed.
fn back(request: &SendMessageRequest, from: &str) -> SendMessageRequest {
    let mut back = request.clone();
    let sender = request.info.sender.as_ref().unwrap().user.as_ref().unwrap();
    let to = User::new(sender.user.clone());
    let from = Address::new(from);
    back.meta = Some(MetaInfo::of_user(VILLAGE, from.clone()));
    back.info.recipients = vec![Recipient::User(to)];
    let from = User::new(from);
    back.info.sender = Some(Sender::user(from));
    back.info.message_id = Some("back".to_owned());
    back
}

#[test]
fn an_echo_is_noted_and_answered_and_reaches_nobody() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    let taken = SendMessageResponse {
        message_id: String::new(),
        status: Status::ok(),
    };
    world.node(VILLAGE).answer = Some(taken.into());
    let (number, request) = echo_begins(&mut world);
    assert_eq!(
        request.info.recipients[0].address(),
        &Address::new("wv:echo@village.example")
    );
    let echoed = |world: &mut World| {
        world
            .node(HOME)
            .sap
            .services()
            .probe_view(number)
            .unwrap()
            .echoed
    };
    assert_eq!(echoed(&mut world), None);
    // Somebody else's message to that user is no echo, and there is nobody of that name.
    world.node(HOME).answer = Some(Primitive::status(Code::UNKNOWN_USER));
    let other = back(&request, "wv:bob@village.example");
    assert_eq!(code(&world.ask(VILLAGE, &other.into())), 531);
    assert_eq!(echoed(&mut world), None);
    world.node(HOME).delivered.clear();
    let echo = back(&request, "wv:echo@village.example");
    assert_eq!(code(&world.ask(VILLAGE, &echo.into())), 200);
    assert!(echoed(&mut world).is_some());
    assert!(world.node(HOME).delivered.is_empty());
}

#[test]
fn a_peer_without_echo_user_says_so() {
    let mut world = pair(ServiceSet::ALL, ServiceSet::NONE);
    let refused = SendMessageResponse {
        message_id: String::new(),
        status: Status::new(Code::UNKNOWN_USER),
    };
    world.node(VILLAGE).answer = Some(refused.into());
    let (number, _) = echo_begins(&mut world);
    let view = world
        .node(HOME)
        .sap
        .services()
        .probe_view(number)
        .unwrap()
        .clone();
    assert_eq!((view.status, view.echoed), (Some(531), None));
}

#[test]
fn echo_is_reached_on_a_node_that_hosts_nobody_else() {
    let mut relay = Settings::new("relay.test").with_peer(peer(HOME, &[]));
    relay.echo = Some(Route::Local(wvgate::home::ELEMENT));
    let mut world = World::new([home(HOME, peer("relay.test", &[])), relay]);
    world.node("relay.test").answer = Some(Primitive::status(Code::OK));
    let mut ask = |user: &str| {
        let mut request = sample("SendMessageRequest");
        if let Primitive::SendMessageRequest(message) = &mut request {
            let user = User::new(Address::new(user));
            message.info.recipients = vec![Recipient::User(user)];
        }
        let answer = world.ask(HOME, &request);
        (code(&answer), world.node("relay.test").delivered.len())
    };
    assert_eq!(ask("wv:echo@relay.test"), (200, 1));
    let (refused, reached) = ask("wv:alice@relay.test");
    assert_eq!((refused, reached), (516, 1));
}

#[test]
fn echo_has_precedence_over_the_gateway_of_the_same_domain() {
    let mut settings = Settings::new("xmpp.test").with_route("*", Route::Peer(HOME.to_owned()));
    settings = settings.with_route("xmpp.test", Route::Local(wvgate::gateway::ELEMENT));
    settings.echo = Some(Route::Local(wvgate::home::ELEMENT));
    let element = |to: &str| match settings.route_to(&Address::new(to)) {
        Some(Route::Local(element)) => Some(*element),
        _ => None,
    };
    assert_eq!(element("wv:echo@xmpp.test"), Some(wvgate::home::ELEMENT));
    assert_eq!(element("wv:echo"), Some(wvgate::home::ELEMENT));
    assert_eq!(
        element("wv:juliet@xmpp.test"),
        Some(wvgate::gateway::ELEMENT)
    );
    assert_eq!(
        element("wv:echo/room@xmpp.test"),
        Some(wvgate::gateway::ELEMENT)
    );
    assert_eq!(element("wv:@xmpp.test"), Some(wvgate::gateway::ELEMENT));
    assert_eq!(element("wv:echo@far.test"), None);
}
