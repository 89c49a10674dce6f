//! What a client says of itself, and what it is told anew.

use super::world::{World, record};
use super::{code, name, read};
use crate::client::tests::settings;
use crate::csp::{Mode, Primitive, Transaction, Version};
use crate::element::{FromClient, Over, ToClient};
use crate::imps::Address;

/// What the domain was told that the client is.
fn terminals(world: &World) -> Vec<crate::imps::primitive::profile::Terminal> {
    let said = world.said.iter().filter_map(|said| match said {
        FromClient::Describe { terminal } => Some((**terminal).clone()),
        _ => None,
    });
    said.collect()
}

const CAPABILITIES: &str = "<ClientCapability-Request><CapabilityList><ClientType>PDA</ClientType>\
    <InitialDeliveryMethod>N</InitialDeliveryMethod><AcceptedContentType>image/gif\
    </AcceptedContentType><AcceptedContentLength>4096</AcceptedContentLength>\
    <SupportedCIRMethod>STCP</SupportedCIRMethod></CapabilityList></ClientCapability-Request>";

#[test]
fn what_a_client_is_and_can_take_goes_to_the_profile_of_its_user() {
    let mut world = World::new();
    let opened = || ToClient::Opened {
        user: Address::new("wv:alice@village.test"),
        waiting: 0,
        watched: None,
    };
    world.told(opened());
    let at_first = terminals(&world).remove(0);
    assert_eq!(at_first.url.as_deref(), Some("phone"));
    assert_eq!(at_first.client_type, None);
    assert!(world.ask("1", read(CAPABILITIES)).is_some());
    let now = terminals(&world).pop().unwrap();
    assert_eq!(now.client_type.as_deref(), Some("PDA"));
    assert_eq!(now.delivery_method.as_deref(), Some("N"));
    assert_eq!(now.content_types, ["image/gif"]);
    assert_eq!(now.content_length.as_deref(), Some("4096"));
    assert_eq!(
        (now.bearers, now.cir_methods),
        (vec!["HTTP".to_owned()], vec!["STCP".to_owned()])
    );
    // It is told anew whenever the domain knows the client anew.
    let kept = world.kept.pop().unwrap();
    let mut again = World::with(settings(), kept);
    again.told(opened());
    assert_eq!(terminals(&again)[0].client_type.as_deref(), Some("PDA"));
}

#[test]
fn presence_that_may_have_changed_unheard_is_told_when_the_domain_is_there_again() {
    let watched = || {
        let value = "<PresenceNotification><PresenceValue userID=\"wv:bob@village.test\">\
                     <PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T\
                     </PresenceValue></OnlineStatus></PresenceSubList></PresenceValue>\
                     </PresenceNotification>";
        let opened = serde_json::json!({
            "event": "opened", "user": "wv:alice@village.test", "waiting": 0, "watched": value,
        });
        serde_json::from_value::<ToClient>(opened).unwrap()
    };
    // A client that has just logged in asks by itself.
    let mut world = World::new();
    world.told(watched());
    assert_eq!(world.poll(), None);
    // Too much lay unread, or the node has stopped in between.
    world.told(ToClient::Over { why: Over::Behind });
    assert_eq!(world.reopened.len(), 1);
    world.told(watched());
    assert_eq!(name(world.poll().as_ref()), "PresenceNotification-Request");
    world.told(watched());
    assert!(world.poll().is_none());
    let mut world = World::new();
    world.session.resume();
    world.told(watched());
    assert_eq!(name(world.poll().as_ref()), "PresenceNotification-Request");
}

#[test]
fn what_is_under_way_when_the_way_to_the_domain_is_lost_is_answered_before_it_is_opened_anew() {
    let mut world = World::new();
    let request = read("<GetList-Request/>");
    let post = world.posts;
    assert_eq!(
        world.post(vec![Transaction::new(Mode::Request, "1", request)]),
        None
    );
    world.told(ToClient::Over { why: Over::Behind });
    assert_eq!(world.session.poll_timeout(), Some(world.now));
    world.session.timeout(world.now);
    let answer = world.answer_to(post).unwrap();
    assert_eq!(code(&answer.transactions[0].primitive), 504);
    assert_eq!(world.reopened.len(), 1);
}

#[test]
fn what_a_client_says_of_itself_with_its_login_is_agreed_from_1_3_on() {
    let login = |version| {
        let mut record = record();
        record.terms.version = version;
        let Primitive::LoginRequest(request) = read(
            "<Login-Request><UserID>alice</UserID><Functions><WVCSPFeat><IMFeat/></WVCSPFeat>\
             </Functions><CapabilityList><InitialDeliveryMethod>N</InitialDeliveryMethod>\
             <AcceptedPushLength>100</AcceptedPushLength><MultiTrans>3</MultiTrans>\
             <SupportedCIRMethod>STCP</SupportedCIRMethod></CapabilityList></Login-Request>",
        ) else {
            panic!("no login");
        };
        let (functions, capabilities) = record.agree(&request, &settings());
        (record, functions, capabilities)
    };
    let (record, functions, capabilities) = login(Version::V1_3);
    // What of it is not served is told, as in an answer to a request for services.
    let functions = functions.unwrap();
    assert!(functions.has("OFFNOTIF") && !functions.has("MDELIV"));
    let capabilities = capabilities.unwrap();
    assert_eq!(capabilities.cir_methods, ["STCP"]);
    assert_eq!(capabilities.tcp_port, Some(3171));
    assert_eq!(
        (record.transactions, record.terms.delivery().max_bytes),
        (3, Some(100))
    );
    assert!(record.terms.services.is_some());
    let (record, _, capabilities) = login(Version::V1_2);
    assert!(capabilities.is_none() && record.terms.services.is_none());
}
