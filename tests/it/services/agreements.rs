//! Negotiation and agreements, and what they forbid.

use super::*;
use crate::support::world::Hop;

/// As [`super::pair`], where a server behind the village has every function.
fn pair(offers: ServiceSet, wants: ServiceSet) -> World {
    let mut world = super::pair(offers, wants);
    let village = (**world.node(VILLAGE).sap.settings()).clone();
    world.reload(VILLAGE, village.with_peer(rest(ServiceSet::ALL)));
    world
}

/// A server that has these functions and cannot be asked.
fn rest(functions: ServiceSet) -> Peer {
    let dialect = Dialect {
        discovery: false,
        services: functions.names(),
        ..Dialect::default()
    };
    Peer::new("rest.test", Arc::new(dialect))
}

fn agreements(world: &mut World, domain: &str) -> (Option<ServiceSet>, Option<ServiceSet>) {
    let now = world.now;
    let views = world.node(domain).sap.services().views(now);
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
    let views = world.node(VILLAGE).sap.services().views(now);
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
        let views = world.node(HOME).sap.services().views(now);
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
    let less = home(VILLAGE, less).with_peer(rest(ServiceSet::ALL));
    world.reload(VILLAGE, less);
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

#[test]
fn nothing_is_granted_that_nobody_provides() {
    let mut world = super::pair(ServiceSet::ALL, ServiceSet::NONE);
    brings_session_up(&mut world);
    let wanted = set(&["ContListFunc", "IMFeat", "PresenceDeliverFunc"]);
    let part = granted(negotiate(&mut world, asking(Some(wanted))));
    assert_eq!(part.status.code.0, 201);
    let served = set(&["SENDM", "MDELIV", "SUBPR", "GETPR"]);
    assert_eq!(in_tree(&part.agreed), served);
    assert_eq!(in_tree(&part.not_available), wanted.difference(served));
    // Discovery says the same.
    let tree = discover(&mut world, HOME, Some(VILLAGE)).trees.remove(0);
    assert_eq!(functions(&tree).intersection(wanted), served);
    let nothing = granted(negotiate(&mut world, asking(Some(set(&["ContListFunc"])))));
    assert_eq!((nothing.status.code.0, nothing.agreement), (506, None));
    assert_eq!(in_tree(&nothing.not_available), set(&["ContListFunc"]));
}

#[test]
fn what_is_behind_the_provider_is_granted_until_it_goes() {
    let wants = set(&["NOTIF", "SENDM"]);
    let mut world = super::pair(ServiceSet::ALL, wants);
    brings_session_up(&mut world);
    assert_eq!(agreements(&mut world, HOME).1, Some(set(&["SENDM"])));
    // A server with notifications comes: they are asked for again, and granted.
    let village = (**world.node(VILLAGE).sap.settings()).clone();
    let notifications = set(&["NOTIF"]);
    world.reload(VILLAGE, village.clone().with_peer(rest(notifications)));
    world.run(2 * HOUR);
    assert_eq!(agreements(&mut world, HOME).1, Some(wants));
    assert_eq!(agreements(&mut world, VILLAGE).0, Some(wants));
    // It goes, and the requestor is told.
    world.hops.clear();
    world.reload(VILLAGE, village);
    world.run(1000);
    assert_eq!(agreements(&mut world, HOME).1, Some(set(&["SENDM"])));
    assert_eq!(agreements(&mut world, VILLAGE).0, Some(set(&["SENDM"])));
    let told = |hop: &&Hop| hop.from == VILLAGE && hop.name == "ServiceRequest";
    assert_eq!(world.hops.iter().filter(told).count(), 1);
}

#[test]
fn a_function_answered_405_or_501_is_taken_out_of_the_agreement() {
    for code in [405, 501] {
        let wants = set(&["GCLI", "SENDM"]);
        let mut world = super::pair(ServiceSet::ALL, wants);
        let village = (**world.node(VILLAGE).sap.settings()).clone();
        let mut village = village.with_peer(rest(set(&["GCLI"])));
        village.pse.add(set(&["GCLI"]), HOME, "rest.test");
        world.reload(VILLAGE, village);
        let mut home = (**world.node(HOME).sap.settings()).clone();
        home.pse.add(set(&["GCLI"]), HOME, VILLAGE);
        world.reload(HOME, home);
        let mut rest = Settings::new("rest.test")
            .with_peer(peer(VILLAGE, &[HOME]))
            .with_route("rest.test", Route::Local(wvgate::home::ELEMENT));
        rest.peers.values_mut().for_each(|peer| {
            let mut quiet = (**peer).clone();
            quiet.dialect = crate::support::alone::quiet();
            *peer = Arc::new(quiet);
        });
        let other = World::new([rest]);
        world.nodes.extend(other.nodes);
        world.node("rest.test").answer = Some(Primitive::status(Code(code)));
        brings_session_up(&mut world);
        assert_eq!(agreements(&mut world, HOME).1, Some(wants), "{code}");
        let answer = world.ask(HOME, &sample("GetListRequest"));
        assert_eq!(super::code(&answer), code);
        let left = Some(set(&["SENDM"]));
        assert_eq!(agreements(&mut world, HOME).1, left, "{code}");
        assert_eq!(agreements(&mut world, VILLAGE).0, left, "{code}");
        assert_eq!(
            super::code(&world.ask(HOME, &sample("GetListRequest"))),
            506
        );
    }
}

#[test]
fn an_agreement_outlives_a_restart_in_which_nobody_was_heard_yet() {
    let wants = set(&["SENDM"]);
    let mut world = super::pair(ServiceSet::ALL, wants);
    let village = (**world.node(VILLAGE).sap.settings()).clone();
    let away = Peer::new("zoo.test", Arc::new(Dialect::default()));
    world.reload(VILLAGE, village.with_peer(away));
    brings_session_up(&mut world);
    // It was granted what is only known of a server that is away now.
    let key = format!("sap/agreement/{HOME}/granted");
    let disk = &mut world.node(VILLAGE).disk;
    let mut kept: serde_json::Value = serde_json::from_slice(&disk[&key]).unwrap();
    kept["functions"] = serde_json::json!(["SENDM", "GCLI"]);
    disk.insert(key, serde_json::to_vec(&kept).unwrap());
    world.restart(VILLAGE);
    world.run(HOUR);
    assert_eq!(
        agreements(&mut world, VILLAGE).0,
        Some(set(&["SENDM", "GCLI"]))
    );
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
