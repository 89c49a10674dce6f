//! Accounts, and what is answered to everything else.

use super::*;
use crate::imps::common::{ContactList, GroupId, UserId};
use crate::imps::presence::Item;
use crate::imps::primitive::Unknown;
use crate::imps::primitive::access::GetBlockedListRequest;
use crate::imps::primitive::common::{GetSPInfoRequest, Id, IdList, Logo, VerifyIDRequest};

#[test]
fn names_are_checked_and_taken_once() {
    let mut world = World::with(|settings| {
        settings.echo = true;
        settings.max_users = 2;
    });
    let add = |home: &mut Home, name: &str| home.add_user(name, "h".to_owned(), START);
    for bad in ["", "a/b", "a b", "a@b", "a+b", &"x".repeat(65)] {
        assert_eq!(
            add(&mut world.home, bad),
            Err(UserError::Invalid(bad.to_owned()))
        );
    }
    assert_eq!(
        add(&mut world.home, "Echo"),
        Err(UserError::Exists("echo".to_owned()))
    );
    assert_eq!(add(&mut world.home, "Alice"), Ok(()));
    assert_eq!(
        add(&mut world.home, "alice"),
        Err(UserError::Exists("alice".to_owned()))
    );
    assert_eq!(add(&mut world.home, "bob"), Err(UserError::Full("user")));
    assert_eq!(world.home.names().all().collect::<Vec<_>>(), ["alice"]);
}

#[test]
fn passwords_change_and_last() {
    let mut world = World::peopled();
    world
        .home
        .set_password_hash("Alice", "new".to_owned())
        .unwrap();
    world.settle();
    world.restart();
    assert_eq!(world.home.password_hash("alice"), Some("new"));
    assert_eq!(world.home.password_hash("bob"), Some("hash"));
    assert_eq!(world.home.password_hash("nobody"), None);
}

#[test]
fn a_removed_user_leaves_nothing_behind() {
    let mut world = World::peopled();
    world.store.clear();
    world.home = Home::new(HomeSettings::new(HOME), 9);
    world.add("alice");
    world.open(1, "alice");
    world.say(1, r#"{"do":"subscribe","user":"zoe@far.test"}"#);
    world.say(1, r#"{"do":"add_contact","user":"zoe@far.test"}"#);
    world.say(1, r#"{"do":"message","to":"zoe@far.test","text":"hi"}"#);
    world.close(1);
    let mut waiting = text("m1", "zoe@far.test", &["alice@home.test"], "hello");
    waiting.delivery_report = true;
    world.deliver("far.test", Some("zoe@far.test"), waiting);
    world.sent();
    world.remove("alice").unwrap();
    world.settle();
    assert_eq!(world.store, BTreeMap::new());
    assert_eq!(world.home.next_timeout(), None);
    assert_eq!(world.outcomes, [("m1".to_owned(), Outcome::Refused(531))]);
    let sent: Vec<String> = world.sent().iter().map(|p| p.name().to_owned()).collect();
    assert_eq!(sent, ["UnsubscribeRequest", "DeliveryStatusReport"]);
}

#[test]
fn sessions_are_bounded_and_need_a_user() {
    let mut world = World::with(|settings| settings.max_clients = 1);
    world.add("alice");
    world.open(1, "ALICE");
    let now = world.now;
    let mut open = |key, user| {
        let takes = Takes::Everything;
        world
            .home
            .clients(now)
            .open(ClientKey(key), user, takes, Delivery::default())
    };
    assert_eq!(open(2, "alice"), Err(UserError::Full("client session")));
    assert_eq!(open(2, "zoe"), Err(UserError::Unknown("zoe".to_owned())));
    let mut ends = |key, user: &str| {
        let (user, takes) = (user.to_owned(), Takes::Everything);
        let delivery = Delivery::default();
        let open = FromClient::Open {
            user,
            takes,
            delivery,
        };
        world.home.take(Input::Client(ClientKey(key), open), now);
        world.home.next_act()
    };
    let end = |key, why| Some(Act::Tell(ClientKey(key), ToClient::Over { why }));
    assert_eq!(ends(2, "alice"), end(2, Over::TooMany));
    assert_eq!(ends(2, "zoe"), end(2, Over::Unknown));
    world.say(7, r#"{"do":"contacts"}"#);
    assert!(matches!(
        &world.heard(7)[..],
        [Event::Error { status: 604, .. }]
    ));
}

#[test]
fn the_provider_says_who_he_is() {
    let logo = Logo {
        url: Some("https://home.test/logo.png".to_owned()),
        content: None,
    };
    let mut world = World::with(|settings| {
        settings.url = Some("https://home.test/".to_owned());
        settings.logo = Some(logo.clone());
    });
    let request = GetSPInfoRequest {
        service: Some(address("wv:@home.test")),
        meta: None,
    };
    let Some(Primitive::GetSPInfoResponse(info)) = world.deliver("far.test", None, request) else {
        panic!("no information");
    };
    assert_eq!(info.status.code, Code::OK);
    assert_eq!(info.name.as_deref(), Some("home.test"));
    assert_eq!(info.url.as_deref(), Some("https://home.test/"));
    assert_eq!(info.logo, Some(logo));
}

#[test]
fn a_contact_list_is_verified_to_its_owner_alone() {
    let mut world = World::peopled();
    let mut verify = |asker: &str, list: &str| {
        let ids = vec![Id::ContactList(ContactList {
            list: address(list),
        })];
        let request = VerifyIDRequest {
            meta: None,
            ids: IdList { ids },
        };
        let domain = address(asker).domain().to_owned();
        let answer = world.deliver(&domain, Some(asker), request).unwrap();
        let status = answer.verdict().unwrap();
        let detail = status.details.first().map(|detail| detail.code.0);
        (status.code.0, detail)
    };
    let own = "wv:alice/contacts@home.test";
    assert_eq!(verify("alice@home.test", own), (200, None));
    for (asker, list) in [
        ("bob@home.test", own),
        ("alice@far.test", own),
        ("alice@home.test", "wv:alice/nothing@home.test"),
        ("alice@home.test", "wv:bob/contacts@home.test"),
        ("nobody@home.test", "wv:nobody/contacts@home.test"),
        ("alice@home.test", "wv:/contacts@home.test"),
    ] {
        assert_eq!(verify(asker, list), (201, Some(700)), "{asker} {list}");
    }
}

#[test]
fn ids_are_verified_one_by_one() {
    let mut world = World::peopled();
    let id = |text| {
        Id::User(UserId {
            user: address(text),
        })
    };
    let mut request = VerifyIDRequest {
        meta: None,
        ids: IdList {
            ids: vec![id("bob@home.test"), Id::Domain("home.test".to_owned())],
        },
    };
    let answer = world.deliver("far.test", None, request.clone());
    assert_eq!(answer, Some(Status::ok().into()));
    request.ids.ids.extend([
        id("zoe@home.test"),
        id("zoe@far.test"),
        Id::Group(GroupId {
            group: address("wv:bob/party@home.test"),
        }),
    ]);
    let Some(Primitive::Status(status)) = world.deliver("far.test", None, request) else {
        panic!("no status");
    };
    let codes: Vec<u16> = status.details.iter().map(|detail| detail.code.0).collect();
    assert_eq!((status.code, codes), (Code::PARTIAL, vec![531, 516, 800]));
}

#[test]
fn a_client_verifies_users_here_and_elsewhere() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.heard(1);
    world.say(1, r#"{"do":"verify","user":"bob"}"#);
    world.say(1, r#"{"do":"verify","user":"nobody"}"#);
    world.say(1, r#"{"do":"verify","user":"zoe@far.test"}"#);
    world.answer("VerifyIDRequest", Status::ok());
    let verdicts: Vec<u16> = world
        .heard(1)
        .iter()
        .map(|event| match event {
            Event::Verified { status, .. } => *status,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(verdicts, [200, 531, 200]);
}

#[test]
fn what_is_not_served_is_said_so() {
    let mut world = World::peopled();
    let unknown = Primitive::Unknown(Unknown {
        name: "TeleportRequest".to_owned(),
        item: Item::text("TeleportRequest", ""),
    });
    assert_eq!(
        world.deliver("far.test", None, unknown),
        Some(Primitive::status(Code::NOT_SUPPORTED))
    );
    let blocked = GetBlockedListRequest { meta: None };
    assert_eq!(
        world.deliver("far.test", Some("zoe@far.test"), blocked),
        Some(Primitive::status(Code::NOT_IMPLEMENTED))
    );
}
