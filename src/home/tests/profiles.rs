//! Profiles of our users: what is told, what is changed, and what a change means.

use super::*;
use crate::imps::common::UserId;
use crate::imps::primitive::presence::SubscribeRequest;
use crate::imps::primitive::profile::{Terminal, UserProfile};
use crate::ssp::envelope::decode_fragment;

const ZOE: &str = "zoe@far.test";

fn read(text: &str) -> Primitive {
    decode_fragment(text.as_bytes()).unwrap()
}

/// What the domain answers when `parts` of a user's profile are asked for.
fn get(world: &mut World, user: &str, parts: &str) -> (Code, Option<UserProfile>) {
    let request = read(&format!(
        "<GetUserProfileRequest userID=\"{user}\">{parts}</GetUserProfileRequest>"
    ));
    match world.deliver("far.test", None, request) {
        Some(Primitive::GetUserProfileResponse(response)) => {
            (response.status.code, response.profile)
        }
        other => panic!("{other:?}"),
    }
}

fn profile(world: &mut World) -> UserProfile {
    let (code, profile) = get(world, "wv:alice@home.test", "");
    assert_eq!(code, Code::OK);
    profile.unwrap()
}

/// Changes alice's profile.
fn update(world: &mut World, mode: &str, parts: &str) -> Status {
    let request = read(&format!(
        "<UpdateUserProfileRequest userID=\"alice@home.test\" mode=\"{mode}\">\
         <UserProfile>{parts}</UserProfile></UpdateUserProfileRequest>"
    ));
    match world.deliver(HOME, None, request) {
        Some(Primitive::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

fn service(name: &str, status: &str) -> String {
    format!(
        "<SubscribedServices><Service name=\"{name}\" status=\"{status}\"/></SubscribedServices>"
    )
}

fn services(profile: &UserProfile) -> Vec<(&str, &str)> {
    let services = profile.services.iter().flatten();
    services
        .map(|s| (&*s.name, s.status.as_deref().unwrap()))
        .collect()
}

#[test]
fn an_untouched_profile_tells_what_the_domain_serves_and_who_is_logged_in() {
    let mut world = World::peopled();
    world.open(7, "alice");
    let profile = profile(&mut world);
    assert_eq!(profile.user, Some(address("alice@home.test")));
    assert_eq!(profile.modified.unwrap().0, 1_700_000_000);
    let all = [
        ("Presence", "Active"),
        ("IM", "Active"),
        ("Group", "Active"),
        ("Content", "Active"),
        ("Common", "Active"),
        ("ContactList", "Active"),
    ];
    assert_eq!(services(&profile), all);
    let privacy: Vec<(&str, Option<&str>)> = profile
        .privacy
        .iter()
        .flatten()
        .map(|p| (&*p.name, p.status.as_deref()))
        .collect();
    let denied = Some("Denied");
    assert_eq!(
        privacy,
        [("UserLocation", denied), ("UserInteraction", denied)]
    );
    let terminals = profile.terminals.unwrap();
    assert_eq!(terminals[0].url.as_deref(), Some("urn:wvgate:client:7"));
    assert_eq!(profile.properties, Some(Vec::new()));
    world.close(7);
    let (_, profile) = get(&mut world, "alice@home.test", "");
    assert_eq!(profile.unwrap().terminals, Some(Vec::new()));
}

#[test]
fn a_client_that_says_what_it_is_is_told_of_as_that_while_it_is_there() {
    let mut world = World::peopled();
    world.open(7, "alice");
    world.open(8, "alice");
    let phone = Terminal {
        url: Some("http://phone.test/".to_owned()),
        client_type: Some("MOBILE_PHONE".to_owned()),
        delivery_method: Some("N".to_owned()),
        content_types: vec!["text/plain".to_owned(), "image/gif".to_owned()],
        transfer_encoding: None,
        content_length: Some("4096".to_owned()),
        bearers: vec!["HTTP".to_owned()],
        cir_methods: vec!["STCP".to_owned()],
    };
    let described = FromClient::Describe {
        terminal: Box::new(phone.clone()),
    };
    let input = Input::Client(ClientKey(7), described);
    world.home.take(input, world.now);
    let terminals = profile(&mut world).terminals.unwrap();
    assert_eq!(terminals.len(), 2);
    assert_eq!(terminals[0], phone);
    assert_eq!(terminals[1].url.as_deref(), Some("urn:wvgate:client:8"));
    world.close(7);
    assert_eq!(profile(&mut world).terminals.unwrap().len(), 1);
}

#[test]
fn only_the_parts_asked_for_are_told() {
    let mut world = World::peopled();
    let parts = "<ProfileParts><PrivacyStatus/><Properties/></ProfileParts>";
    let (_, profile) = get(&mut world, "alice@home.test", parts);
    let profile = profile.unwrap();
    assert_eq!((profile.services, profile.terminals), (None, None));
    assert!(profile.privacy.is_some() && profile.properties.is_some());
    assert!(profile.modified.is_some());
}

#[test]
fn users_that_are_not_there_have_no_profile() {
    let mut world = World::peopled();
    assert_eq!(
        get(&mut world, "nobody@home.test", ""),
        (Code::UNKNOWN_USER, None)
    );
    assert_eq!(
        get(&mut world, "bob@far.test", "").0,
        Code::DOMAIN_NOT_SUPPORTED
    );
    for (user, code) in [("nobody@home.test", 531), ("bob@far.test", 516)] {
        let request = read(&format!(
            "<UpdateUserProfileRequest userID=\"{user}\"><UserProfile/></UpdateUserProfileRequest>"
        ));
        let answer = world.deliver(HOME, None, request);
        assert_eq!(answer, Some(Primitive::status(Code(code))));
    }
}

#[test]
fn updates_are_kept_with_their_time_and_survive_a_restart() {
    let mut world = World::peopled();
    world.wait(60);
    let parts = format!(
        "{}<PrivacyStatus><Capability name=\"UserLocation\" status=\"Ask\"/></PrivacyStatus>\
         <TerminalCapabilities><Terminal url=\"http://10.0.0.1/imps\"><ClientType>MOBILE_PHONE</ClientType>\
         <AcceptedContentType>image/jpeg</AcceptedContentType></Terminal></TerminalCapabilities>\
         <Properties><Property><Name>PP_CITY</Name><Value>Tromsø</Value></Property></Properties>",
        service("IM", "Inactive")
    );
    assert_eq!(update(&mut world, "Merge", &parts), Status::ok());
    let before = profile(&mut world);
    assert_eq!(before.modified.unwrap().0, 1_700_000_060);
    world.wait(60);
    assert_eq!(update(&mut world, "", &parts), Status::ok());
    world.restart();
    let after = profile(&mut world);
    assert_eq!(after, before);
    let all = [
        ("Presence", "Active"),
        ("IM", "Inactive"),
        ("Group", "Active"),
        ("Content", "Active"),
        ("Common", "Active"),
        ("ContactList", "Active"),
    ];
    assert_eq!(services(&after), all);
    assert_eq!(after.privacy.as_ref().unwrap().len(), 2);
    let terminal = &after.terminals.as_ref().unwrap()[0];
    assert_eq!(terminal.content_types, ["image/jpeg"]);
    let properties = after.properties.unwrap();
    assert_eq!(properties[0].value.as_deref(), Some("Tromsø"));
}

#[test]
fn properties_beyond_what_is_kept_of_a_profile_are_refused_one_by_one() {
    let mut world = World::peopled();
    let property = |name: usize| {
        let value = "v".repeat(1_000);
        format!("<Property><Name>P{name}</Name><Value>{value}</Value></Property>")
    };
    let all: String = (0..10).map(property).collect();
    let change = format!("<Properties>{all}</Properties>");
    for _ in 0..2 {
        let status = update(&mut world, "Merge", &change);
        assert_eq!(status.code, Code(201));
        let refused: Vec<_> = status.details.iter().map(|d| d.code).collect();
        assert_eq!(refused, [Code(702); 2]);
        world.restart();
        let kept = profile(&mut world).properties.unwrap();
        assert_eq!(kept.len(), 8);
    }
}

#[test]
fn services_are_taken_out_and_replaced() {
    let mut world = World::peopled();
    assert_eq!(
        update(&mut world, "Delete", &service("Presence", "")),
        Status::ok()
    );
    let now = [
        ("IM", "Active"),
        ("Group", "Active"),
        ("Content", "Active"),
        ("Common", "Active"),
        ("ContactList", "Active"),
    ];
    assert_eq!(services(&profile(&mut world)), now);
    assert_eq!(
        update(&mut world, "Replace", &service("Presence", "Active")),
        Status::ok()
    );
    assert_eq!(services(&profile(&mut world)), [("Presence", "Active")]);
}

#[test]
fn a_service_that_nobody_provides_cannot_be_active() {
    let mut world = World::with(|settings| {
        let services = &mut settings.services;
        services.retain(|service| service.name != "Content");
    });
    world.add("alice");
    let status = update(&mut world, "Merge", &service("Content", "Active"));
    assert_eq!(status.code.0, 702);
    assert_eq!(
        update(&mut world, "Merge", &service("Content", "Inactive")),
        Status::ok()
    );
    let other = "<SubscribedServices><Service name=\"IM\" pse=\"wv:@other.test\"/>\
                 <Service name=\"Common\"/></SubscribedServices>";
    let status = update(&mut world, "Merge", other);
    assert_eq!(
        (status.code, status.details[0].code.0),
        (Code::PARTIAL, 702)
    );
}

#[test]
fn a_provider_elsewhere_is_named() {
    let mut world = World::with(|settings| {
        for service in &mut settings.services {
            if service.name == "IM" {
                service.pse = Some(address("wv:@messages.test"));
            }
        }
    });
    world.add("alice");
    let text = service("IM", "Inactive");
    assert_eq!(update(&mut world, "Merge", &text), Status::ok());
    let profile = profile(&mut world);
    let im = profile.services.iter().flatten().find(|s| s.name == "IM");
    let im = im.unwrap();
    assert_eq!(im.status.as_deref(), Some("Inactive"));
    assert_eq!(im.pse, Some(address("wv:@messages.test")));
}

#[test]
fn an_update_that_makes_no_sense_is_answered_402() {
    let mut world = World::peopled();
    assert_eq!(update(&mut world, "Append", "").code, Code::BAD_PARAMETER);
    for inside in ["", "<UserProfile userID=\"bob@home.test\"/>"] {
        let request = read(&format!(
            "<UpdateUserProfileRequest userID=\"alice@home.test\">{inside}</UpdateUserProfileRequest>"
        ));
        let Some(Primitive::Status(status)) = world.deliver(HOME, None, request) else {
            panic!("no status");
        };
        assert_eq!(status.code, Code::BAD_PARAMETER, "{inside}");
    }
}

#[test]
fn the_echo_users_profile_is_fixed() {
    let mut world = World::with(|settings| settings.echo = true);
    assert_eq!(get(&mut world, "echo@home.test", "").0, Code::OK);
    let request = read(
        "<UpdateUserProfileRequest userID=\"echo@home.test\"><UserProfile/></UpdateUserProfileRequest>",
    );
    let Some(Primitive::Status(status)) = world.deliver(HOME, None, request) else {
        panic!("no status");
    };
    assert_eq!(status.code, Code::FORBIDDEN);
}

#[test]
fn without_im_a_user_gets_and_sends_no_messages() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.heard(1);
    update(&mut world, "Merge", &service("IM", "Inactive"));
    let message = || text("m1", ZOE, &["alice@home.test"], "hello");
    let answer = world.deliver("far.test", Some(ZOE), message());
    let Some(Primitive::SendMessageResponse(response)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(response.status.code, Code::UNAUTHORIZED_RECIPIENT);
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Refused(534))]);
    world.say(1, r#"{"do":"message","to":"zoe@far.test","text":"hi"}"#);
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Error { status: 506, .. }]
    ));
    assert_eq!(world.sent(), []);

    update(&mut world, "Merge", &service("IM", "Active"));
    world.deliver("far.test", Some(ZOE), message());
    assert_eq!(texts(&world.heard(1)).len(), 1);
}

#[test]
fn without_presence_a_user_is_not_seen_and_watchers_are_told() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(
        1,
        r#"{"do":"authorize","user":"zoe@far.test","accept":true}"#,
    );
    let users = || {
        vec![UserId {
            user: address("alice@home.test"),
        }]
    };
    let subscribe = || SubscribeRequest {
        meta: None,
        users: users(),
        attributes: None,
    };
    world.deliver("far.test", Some(ZOE), subscribe());
    assert!(shows(&world.sent()));

    update(&mut world, "Delete", &service("Presence", ""));
    let told = world.sent();
    assert_eq!(told.len(), 1);
    assert!(!shows(&told));
    world.say(1, r#"{"do":"presence","text":"still here"}"#);
    assert_eq!(world.sent(), []);
    let refused = Primitive::status(Code::UNAUTHORIZED_RECIPIENT);
    let answer = world.deliver("far.test", Some(ZOE), subscribe());
    assert_eq!(answer, Some(refused));
    let get =
        read("<GetPresenceRequest><VerUserID userID=\"alice@home.test\"/></GetPresenceRequest>");
    let Some(Primitive::GetPresenceResponse(response)) = world.deliver("far.test", Some(ZOE), get)
    else {
        panic!("no presence");
    };
    assert_eq!(response.status.unwrap().code, Code::UNAUTHORIZED_RECIPIENT);
    assert_eq!(response.values, []);
    world.heard(1);
    world.say(1, r#"{"do":"subscribe","user":"zoe@far.test"}"#);
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Error { status: 506, .. }]
    ));

    update(&mut world, "Merge", &service("Presence", "Active"));
    assert!(shows(&world.sent()));
}

/// Whether the last notification says that alice is online.
fn shows(sent: &[Primitive]) -> bool {
    let Some(Primitive::PresenceNotification(notice)) = sent.last() else {
        panic!("{sent:?}");
    };
    notice.values.iter().any(|value| {
        let mut list = value.presence.iter().flat_map(|list| &list.attributes);
        list.any(|a| a.name.as_str() == "OnlineStatus" && a.truth() == Some(true))
    })
}

#[test]
fn a_removed_user_takes_his_profile_along() {
    let mut world = World::new();
    world.add("alice");
    update(&mut world, "Merge", &service("IM", "Inactive"));
    assert!(world.store.contains_key("home/user/alice/profile"));
    world.remove("alice").unwrap();
    world.settle();
    assert_eq!(world.store, BTreeMap::new());
}

#[test]
fn the_provider_is_told_of_changes_and_of_who_is_there() {
    let mut world = World::with(|settings| settings.tells_profiles = true);
    world.add("alice");
    let told = |world: &mut World| {
        let sent = world.sent();
        let [Primitive::UpdateUserProfileRequest(request)] = &sent[..] else {
            panic!("{sent:?}");
        };
        assert_eq!(request.user, address("alice@home.test"));
        assert_eq!(request.mode.as_deref(), Some("Replace"));
        request.profile.clone().unwrap()
    };
    world.open(1, "alice");
    assert_eq!(told(&mut world).terminals.unwrap().len(), 1);
    update(&mut world, "Merge", &service("IM", "Inactive"));
    assert_eq!(services(&told(&mut world))[1], ("IM", "Inactive"));
    update(&mut world, "Merge", &service("IM", "Inactive"));
    assert_eq!(world.sent(), []);
    world.restart();
    world.wait(1);
    assert_eq!(told(&mut world).terminals, Some(Vec::new()));
    world.open(2, "alice");
    world.sent();
    world.close(2);
    assert_eq!(told(&mut world).terminals, Some(Vec::new()));
}
