//! Presence of others, as users of the domain watch it.

use super::*;

fn news(watcher: &str, of: &str, attributes: Vec<Attribute>) -> PresenceNotification {
    PresenceNotification {
        meta: None,
        watchers: vec![UserElement::new(address(watcher))],
        values: vec![PresenceValue {
            user: address(of),
            presence: Some(PresenceSubList { attributes }),
        }],
    }
}

#[test]
fn a_subscription_of_ours_asks_one_publisher_and_learns_from_notifications() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(1, r#"{"do":"subscribe","user":"zoe@far.test"}"#);
    let Some((_, Primitive::SubscribeRequest(request))) = world.outbox.first().cloned() else {
        panic!("nothing sent");
    };
    assert_eq!(request.users.len(), 1);
    let asking = request.meta.as_ref().unwrap().user().unwrap().clone();
    assert_eq!(
        (asking.user, asking.client),
        (address("alice@home.test"), None)
    );
    world.answer("SubscribeRequest", Status::ok());
    world.heard(1);
    let online = Attribute::value(AttributeName::OnlineStatus, "T");
    let text = Attribute::value(AttributeName::StatusText, "hi");
    let notice = news("alice@home.test", ZOE, vec![online, text]);
    world.deliver("far.test", None, notice.clone());
    world.deliver("far.test", None, notice);
    let events = world.heard(1);
    let [Event::Presence { user, presence }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*user, address(ZOE));
    assert_eq!(
        (presence.online, presence.text.as_deref()),
        (Some(true), Some("hi"))
    );
    // Nobody subscribed to these.
    world.deliver("far.test", None, news("bob@home.test", ZOE, Vec::new()));
    world.deliver(
        "far.test",
        None,
        news(
            "alice@home.test",
            "yan@far.test",
            vec![Attribute::value(AttributeName::OnlineStatus, "T")],
        ),
    );
    assert_eq!(world.heard(1), []);
    world.restart();
    world.open(2, "alice");
    world.heard(2);
    world.say(2, r#"{"do":"contacts"}"#);
    let events = world.heard(2);
    let [Event::Contacts { contacts }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].presence.text.as_deref(), Some("hi"));
    assert_eq!(contacts[0].subscription, Some(SubscriptionState::Active));
    world.say(2, r#"{"do":"unsubscribe","user":"zoe@far.test"}"#);
    assert!(matches!(
        &world.sent()[..],
        [Primitive::UnsubscribeRequest(_)]
    ));
}

#[test]
fn a_value_of_somebody_elses_presence_is_cut_to_what_is_kept() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(1, r#"{"do":"subscribe","user":"zoe@far.test"}"#);
    world.answer("SubscribeRequest", Status::ok());
    world.heard(1);
    // Two bytes a letter: it is cut between letters.
    let long = format!("x{}", "ä".repeat(2_000));
    let text = Attribute::value(AttributeName::StatusText, &long);
    world.deliver("far.test", None, news("alice@home.test", ZOE, vec![text]));
    let events = world.heard(1);
    let [Event::Presence { presence, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    let shown = presence.text.as_deref().unwrap();
    assert_eq!(shown, format!("x{}", "ä".repeat(511)));
}

#[test]
fn who_subscribes_anew_hears_also_what_was_told_before_and_is_not_kept() {
    let mut world = World::peopled();
    world.open(1, "alice");
    let subscribe = r#"{"do":"subscribe","user":"zoe@far.test"}"#;
    world.say(1, subscribe);
    world.answer("SubscribeRequest", Status::ok());
    let location = Attribute::value(AttributeName::FreeTextLocation, "Verona");
    let notice = news("alice@home.test", ZOE, vec![location]);
    world.heard(1);
    world.deliver("far.test", None, notice.clone());
    assert_eq!(world.heard(1).len(), 1);
    // The same once more is no news, until somebody asks who may not know it.
    world.deliver("far.test", None, notice.clone());
    assert_eq!(world.heard(1), []);
    world.close(1);
    world.open(2, "alice");
    world.say(2, subscribe);
    world.answer("SubscribeRequest", Status::ok());
    world.heard(2);
    world.deliver("far.test", None, notice);
    assert_eq!(world.heard(2).len(), 1);
}

#[test]
fn a_subscription_is_tried_again_while_the_way_is_shut() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.say(1, r#"{"do":"subscribe","user":"zoe@far.test"}"#);
    world.answer("SubscribeRequest", Status::new(Code::UNAVAILABLE));
    world.wait(29);
    assert!(world.outbox.is_empty());
    world.restart();
    world.wait(1);
    world.answer("SubscribeRequest", Status::new(Code::TIMEOUT));
    world.wait(60);
    world.open(1, "alice");
    world.heard(1);
    world.answer("SubscribeRequest", Status::new(Code::UNKNOWN_USER));
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Error { status: 531, .. }]
    ));
    world.wait(100_000);
    assert!(world.outbox.is_empty());
    assert_eq!(world.home.next_timeout(), None);
}

#[test]
fn presence_asked_for_once_comes_back_to_the_client() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.heard(1);
    world.say(1, r#"{"do":"get_presence","user":"zoe@far.test"}"#);
    let mut response = GetPresenceResponse {
        status: Some(Status::ok()),
        values: news("", ZOE, vec![Attribute::value(AttributeName::Alias, "Z")]).values,
    };
    world.answer("GetPresenceRequest", response.clone());
    assert!(
        matches!(&world.heard(1)[..], [Event::Presence { presence, .. }] if presence.alias.as_deref() == Some("Z"))
    );
    world.say(1, r#"{"do":"get_presence","user":"zoe@far.test"}"#);
    response.status = Some(Status::new(Code::UNKNOWN_USER));
    world.answer("GetPresenceRequest", response);
    assert!(matches!(
        &world.heard(1)[..],
        [Event::Error { status: 531, .. }]
    ));
}
