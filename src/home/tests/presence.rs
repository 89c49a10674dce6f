//! Presence: watchers, authorization, subscriptions of our own users.

mod subscriptions;

use super::*;
use crate::imps::common::{AttributeList, PresenceValue, UserId, VerUserId};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::presence::{
    GetPresenceRequest, GetPresenceResponse, PresenceNotification, SubscribeRequest,
    UnsubscribeRequest,
};

pub(super) const ZOE: &str = "zoe@far.test";

fn list(names: &[AttributeName]) -> AttributeList {
    AttributeList {
        presence: Some(PresenceSubList::request(names.iter().cloned())),
    }
}

pub(super) fn subscribe(
    world: &mut World,
    watcher: &str,
    to: &[&str],
    names: &[AttributeName],
) -> Status {
    let request = SubscribeRequest {
        meta: None,
        users: to.iter().map(|to| UserId { user: address(to) }).collect(),
        attributes: Some(list(names)),
    };
    let domain = watcher.rsplit('@').next().unwrap().to_owned();
    match world.deliver(&domain, Some(watcher), request) {
        Some(Primitive::Status(status)) => *status,
        other => panic!("{other:?}"),
    }
}

/// The notifications that left: watchers, and the value of one attribute (`-` for unknown).
fn notified(world: &mut World, name: &AttributeName) -> Vec<(Vec<String>, Option<String>)> {
    let notices = world.sent().into_iter().map(|primitive| match primitive {
        Primitive::PresenceNotification(notice) => *notice,
        other => panic!("{other:?}"),
    });
    notices
        .map(|notice| {
            let watchers = notice.watchers.iter();
            let value = notice.values.first().map(|value| {
                let list = value.presence.as_ref().unwrap();
                let simple = list.get(name).and_then(Attribute::simple);
                simple.unwrap_or("-").to_owned()
            });
            let watchers = watchers.map(|user| user.user.bare().to_owned()).collect();
            (watchers, value)
        })
        .collect()
}

fn one(watcher: &str, value: Option<&str>) -> Vec<(Vec<String>, Option<String>)> {
    vec![(vec![watcher.to_owned()], value.map(str::to_owned))]
}

#[test]
fn a_contact_sees_presence_at_once_and_on_every_change() {
    let mut world = World::peopled();
    world.open(1, "bob");
    world.say(
        1,
        r#"{"do":"add_contact","user":"zoe@far.test","name":"Zoë"}"#,
    );
    world.close(1);
    assert_eq!(
        subscribe(&mut world, ZOE, &["bob@home.test"], &[]),
        Status::ok()
    );
    let online = AttributeName::OnlineStatus;
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("F")));
    world.open(1, "bob");
    world.open(2, "bob");
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("T")));
    assert!(
        !world
            .heard(1)
            .iter()
            .any(|event| matches!(event, Event::AuthorizationRequest { .. }))
    );
    world.say(
        1,
        r#"{"do":"presence","availability":"discreet","text":"busy","mood":"sleepy"}"#,
    );
    let sent = world.sent();
    let [Primitive::PresenceNotification(notice)] = &sent[..] else {
        panic!("{sent:?}");
    };
    let values = notice.values[0].presence.as_ref().unwrap();
    let simple = |name| {
        values
            .get(&name)
            .and_then(Attribute::simple)
            .map(str::to_owned)
    };
    assert_eq!(
        simple(AttributeName::UserAvailability).as_deref(),
        Some("DISCREET")
    );
    assert_eq!(simple(AttributeName::StatusText).as_deref(), Some("busy"));
    assert_eq!(simple(AttributeName::StatusMood).as_deref(), Some("SLEEPY"));
    let order: Vec<_> = values.attributes.iter().map(|a| a.name.clone()).collect();
    assert!(order.is_sorted());
    assert_eq!(notice.values[0].user, address("bob@home.test"));
    // Nothing new, nothing said.
    world.say(1, r#"{"do":"presence","text":"busy"}"#);
    world.close(2);
    assert_eq!(world.sent(), []);
    world.close(1);
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("F")));
}

#[test]
fn watchers_of_one_domain_share_a_notification() {
    let mut world = World::peopled();
    world.open(1, "bob");
    let text = AttributeName::StatusText;
    for (watcher, names) in [
        ("u1@far.test", vec![]),
        ("u2@far.test", vec![]),
        ("u3@near.test", vec![]),
        ("u4@far.test", vec![text.clone()]),
        ("u5@far.test", vec![AttributeName::UserAvailability]),
    ] {
        world.say(1, &format!(r#"{{"do":"add_contact","user":"{watcher}"}}"#));
        subscribe(&mut world, watcher, &["bob@home.test"], &names);
    }
    world.sent();
    world.say(1, r#"{"do":"presence","text":"new"}"#);
    let mut sent = notified(&mut world, &text);
    sent.sort();
    let some = |names: &[&str]| {
        let names = names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>();
        (names, Some("new".to_owned()))
    };
    assert_eq!(
        sent,
        [
            some(&["u1@far.test", "u2@far.test"]),
            some(&["u3@near.test"]),
            some(&["u4@far.test"]),
        ]
    );
}

#[test]
fn a_stranger_is_put_to_the_user_and_sees_nothing_until_then() {
    let mut world = World::peopled();
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    let online = AttributeName::OnlineStatus;
    assert_eq!(notified(&mut world, &online), one(ZOE, None));
    world.restart();
    world.open(1, "bob");
    let asked = |event: &Event| matches!(event, Event::AuthorizationRequest { user, .. } if *user == address(ZOE));
    assert!(world.heard(1).iter().any(asked));
    assert_eq!(world.sent(), []);
    // Asking again does not ask the user again.
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    assert_eq!(notified(&mut world, &online), one(ZOE, None));
    assert_eq!(world.heard(1), []);

    world.say(
        1,
        r#"{"do":"authorize","user":"zoe@far.test","accept":true}"#,
    );
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("T")));
    world.say(
        1,
        r#"{"do":"authorize","user":"zoe@far.test","accept":false}"#,
    );
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("-")));
    world.say(1, r#"{"do":"presence","text":"secret"}"#);
    assert_eq!(world.sent(), []);
    world.restart();
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("-")));
    world.open(2, "bob");
    assert!(!world.heard(2).iter().any(asked));
    // After a cancelled decision the next subscription asks anew.
    world.say(2, r#"{"do":"cancel_authorization","user":"zoe@far.test"}"#);
    world.heard(2);
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    let heard = world.heard(2);
    assert!(heard.len() == 1 && asked(&heard[0]), "{heard:?}");
}

#[test]
fn the_user_is_not_asked_where_only_contacts_may_see() {
    let mut world = World::with(|s| s.default_authorization = Authorization::Contacts);
    world.add("bob");
    world.open(1, "bob");
    world.heard(1);
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    assert_eq!(world.heard(1), []);
    world.sent();
    world.say(1, r#"{"do":"add_contact","user":"zoe@far.test"}"#);
    let online = AttributeName::OnlineStatus;
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("T")));
    world.say(1, r#"{"do":"remove_contact","user":"zoe@far.test"}"#);
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("-")));
}

#[test]
fn each_publisher_has_a_verdict_and_the_table_a_bound() {
    let mut world = World::with(|settings| settings.max_watchers = 1);
    world.add("bob");
    let to = ["bob@home.test", "nobody@home.test", "x@third.test"];
    let status = subscribe(&mut world, ZOE, &to, &[]);
    let codes: Vec<u16> = status.details.iter().map(|detail| detail.code.0).collect();
    assert_eq!((status.code.0, codes), (201, vec![531, 516]));
    assert_eq!(
        subscribe(&mut world, ZOE, &["bob@home.test"], &[]).code.0,
        200
    );
    let other = subscribe(&mut world, "yan@far.test", &["bob@home.test"], &[]);
    assert_eq!(other.code.0, 503);
    // Who is authorized does not give way.
    world.open(1, "bob");
    world.say(
        1,
        r#"{"do":"authorize","user":"zoe@far.test","accept":true}"#,
    );
    let other = subscribe(&mut world, "yan@other.test", &["bob@home.test"], &[]);
    assert_eq!(other.code.0, 503);
    let nobody = SubscribeRequest {
        meta: None,
        users: Vec::new(),
        attributes: None,
    };
    let answer = world.deliver("far.test", None, nobody);
    assert!(matches!(answer, Some(Primitive::Status(status)) if status.code.0 == 402));
}

#[test]
fn an_unsubscribed_watcher_hears_no_more() {
    let mut world = World::peopled();
    world.open(1, "bob");
    world.say(1, r#"{"do":"add_contact","user":"zoe@far.test"}"#);
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    world.heard(1);
    world.say(1, r#"{"do":"watchers"}"#);
    let watchers = world.heard(1);
    assert!(
        matches!(&watchers[..], [Event::Watchers { watchers }] if watchers.len() == 1
            && watchers[0].state == Standing::Authorized)
    );
    let request = UnsubscribeRequest {
        meta: None,
        users: vec![UserId {
            user: address("bob@home.test"),
        }],
    };
    let answer = world.deliver("far.test", Some(ZOE), request);
    assert_eq!(answer, Some(Status::ok().into()));
    world.sent();
    world.say(1, r#"{"do":"presence","text":"new"}"#);
    assert_eq!(world.sent(), []);
}

#[test]
fn presence_is_given_once_to_those_who_may_see_it() {
    let mut world = World::peopled();
    world.open(1, "bob");
    world.say(1, r#"{"do":"add_contact","user":"zoe@far.test"}"#);
    let request = |names: &[&str]| GetPresenceRequest {
        meta: None,
        users: names
            .iter()
            .map(|name| VerUserId {
                user: address(name),
                version: None,
            })
            .collect(),
        attributes: Some(list(&[AttributeName::OnlineStatus])),
    };
    let mut get = |names: &[&str]| match world.deliver("far.test", Some(ZOE), request(names)) {
        Some(Primitive::GetPresenceResponse(response)) => *response,
        other => panic!("{other:?}"),
    };
    let response = get(&["bob@home.test", "alice@home.test"]);
    assert_eq!(response.status, Some(Status::ok()));
    assert_eq!(response.values.len(), 1);
    let values = response.values[0].presence.as_ref().unwrap();
    assert_eq!(
        values.attributes,
        [Attribute::value(AttributeName::OnlineStatus, "T")]
    );
    let unknown = get(&["nobody@home.test"]);
    assert_eq!(unknown.status.unwrap().code.0, 531);
    // Nobody became a watcher, nobody was asked.
    world.heard(1);
    world.say(1, r#"{"do":"watchers"}"#);
    assert!(matches!(&world.heard(1)[..], [Event::Watchers { watchers }] if watchers.is_empty()));
}

#[test]
fn users_of_the_domain_watch_each_other() {
    let mut world = World::peopled();
    world.open(1, "alice");
    world.open(2, "bob");
    world.say(1, r#"{"do":"subscribe","user":"bob"}"#);
    world.say(2, r#"{"do":"authorize","user":"alice","accept":true}"#);
    world.heard(1);
    world.say(
        2,
        r#"{"do":"presence","availability":"not_available","alias":"Bobby"}"#,
    );
    let events = world.heard(1);
    let [Event::Presence { user, presence }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*user, address("bob@home.test"));
    assert_eq!(presence.availability, Some(Availability::NotAvailable));
    assert_eq!(presence.alias.as_deref(), Some("Bobby"));
    world.remove("bob").unwrap();
    world.settle();
    assert!(
        matches!(&world.heard(1)[..], [Event::Presence { presence, .. }] if !presence.authorized)
    );
    assert_eq!(world.sent(), []);
}

#[test]
fn echo_shows_itself_to_everybody() {
    let mut world = World::with(|settings| settings.echo = true);
    subscribe(&mut world, ZOE, &["echo@home.test"], &[]);
    let online = AttributeName::OnlineStatus;
    assert_eq!(notified(&mut world, &online), one(ZOE, Some("T")));
    world.restart();
    world.wait(1);
    assert_eq!(world.sent(), []);
}

#[test]
fn after_a_restart_watchers_learn_that_nobody_is_online() {
    let mut world = World::peopled();
    world.open(1, "bob");
    world.say(1, r#"{"do":"add_contact","user":"zoe@far.test"}"#);
    world.say(1, r#"{"do":"presence","text":"here"}"#);
    subscribe(&mut world, ZOE, &["bob@home.test"], &[]);
    world.sent();
    world.restart();
    world.wait(1);
    let sent = world.sent();
    let [Primitive::PresenceNotification(notice)] = &sent[..] else {
        panic!("{sent:?}");
    };
    let values = notice.values[0].presence.as_ref().unwrap();
    let simple = |name| {
        values
            .get(&name)
            .and_then(Attribute::simple)
            .map(str::to_owned)
    };
    assert_eq!(simple(AttributeName::OnlineStatus).as_deref(), Some("F"));
    assert_eq!(simple(AttributeName::StatusText).as_deref(), Some("here"));
    world.restart();
    world.wait(1);
    assert_eq!(world.sent(), []);
}
