//! The way to other domains, lost and found.

use super::*;
use crate::imps::common::{AttributeList, PresenceValue, UserId};
use crate::imps::presence::{Attribute, AttributeName, PresenceSubList};
use crate::imps::primitive::presence::{PresenceNotification, SubscribeRequest};

const ZOE: &str = "zoe@far.test";
const YAN: &str = "yan@near.test";

impl World {
    fn peer(&mut self, domain: &str, up: bool) {
        let mut domains: Vec<String> = self.home.concerned().into_iter().collect();
        domains.retain(|other| other == domain);
        let input = if up {
            Input::Reached(domains)
        } else {
            Input::Lost(domains)
        };
        self.home.take(input, self.now);
        self.settle();
    }

    fn shows(&mut self, publisher: &str, online: &str) {
        let publisher = address(publisher);
        let list = vec![
            Attribute::value(AttributeName::OnlineStatus, online),
            Attribute::value(AttributeName::Alias, "Z"),
        ];
        let notice = PresenceNotification {
            meta: None,
            watchers: vec![UserElement::new(address("bob@home.test"))],
            values: vec![PresenceValue {
                user: publisher.clone(),
                presence: Some(PresenceSubList { attributes: list }),
            }],
        };
        self.deliver(publisher.domain(), None, notice);
    }

    /// Whom bob asks to watch; all of it is granted.
    fn subscribed(&mut self) -> Vec<String> {
        let asked: Vec<String> = self
            .outbox
            .iter()
            .map(|(_, primitive)| match primitive {
                Primitive::SubscribeRequest(request) => request.users[0].user.bare().to_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        for _ in &asked {
            self.answer("SubscribeRequest", Status::ok());
        }
        asked
    }
}

/// Bob at client 1 watches Zoë and Yan, who are online.
fn watching() -> World {
    let mut world = World::peopled();
    world.open(1, "bob");
    for user in [ZOE, YAN] {
        world.say(1, &format!(r#"{{"do":"subscribe","user":"{user}"}}"#));
        world.subscribed();
        world.shows(user, "T");
    }
    world.heard(1);
    world
}

/// Whose presence is told, and whether they are online.
fn told(world: &mut World) -> Vec<(String, Option<bool>)> {
    let events = world.heard(1).into_iter();
    events
        .map(|event| match event {
            Event::Presence { user, presence } => (user.bare().to_owned(), presence.online),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn listed(world: &mut World, user: &str) -> Known {
    world.say(1, r#"{"do":"contacts"}"#);
    let Some(Event::Contacts { contacts }) = world.heard(1).pop() else {
        panic!("no contacts")
    };
    let mut contacts = contacts.into_iter();
    let entry = contacts.find(|entry| entry.user == address(user));
    entry.unwrap().presence
}

#[test]
fn a_domain_whose_way_was_shut_is_told_anew() {
    let mut world = World::peopled();
    world.open(1, "bob");
    for watcher in [ZOE, YAN] {
        world.say(1, &format!(r#"{{"do":"add_contact","user":"{watcher}"}}"#));
        let request = SubscribeRequest {
            meta: None,
            users: vec![UserId {
                user: address("bob@home.test"),
            }],
            attributes: Some(AttributeList {
                presence: Some(PresenceSubList::request([AttributeName::OnlineStatus])),
            }),
        };
        let domain = watcher.rsplit('@').next().unwrap();
        world.deliver(domain, Some(watcher), request);
    }
    world.sent();
    world.peer("far.test", true);
    let sent = world.sent();
    let [Primitive::PresenceNotification(notice)] = &sent[..] else {
        panic!("{sent:?}")
    };
    assert_eq!(notice.watchers[0].user, address(ZOE));
    let list = notice.values[0].presence.as_ref().unwrap();
    let online = list.get(&AttributeName::OnlineStatus);
    assert_eq!(online.and_then(Attribute::simple), Some("T"));
}

#[test]
fn a_denial_is_told_whenever_the_way_came_back_and_again_if_it_may_be_lost() {
    let mut world = World::peopled();
    world.open(1, "bob");
    let request = SubscribeRequest {
        meta: None,
        users: vec![UserId {
            user: address("bob@home.test"),
        }],
        attributes: Some(AttributeList {
            presence: Some(PresenceSubList::request([AttributeName::OnlineStatus])),
        }),
    };
    world.deliver("far.test", Some(ZOE), request);
    world.sent();
    // The way is known to be there only after the question has come by it.
    world.peer("far.test", true);
    let told = |world: &mut World| {
        let sent = world.sent().into_iter();
        let lists = sent.map(|primitive| match primitive {
            Primitive::PresenceNotification(notice) => {
                let list = notice
                    .values
                    .into_iter()
                    .next()
                    .and_then(|value| value.presence);
                let online =
                    list.and_then(|list| list.get(&AttributeName::OnlineStatus)?.qualifier);
                (notice.watchers[0].user.bare().to_owned(), online)
            }
            other => panic!("{other:?}"),
        });
        lists.collect::<Vec<_>>()
    };
    assert_eq!(told(&mut world), []);
    world.say(
        1,
        &format!(r#"{{"do":"authorize","user":"{ZOE}","accept":false}}"#),
    );
    let denial = (address(ZOE).bare().to_owned(), Some(false));
    assert_eq!(told(&mut world), std::slice::from_ref(&denial));
    world.peer("far.test", true);
    assert_eq!(told(&mut world), [denial]);
}

#[test]
fn what_is_watched_is_asked_for_anew_when_a_session_comes_back() {
    let mut world = watching();
    world.peer("far.test", false);
    world.wait(10);
    world.peer("far.test", true);
    assert_eq!(world.subscribed(), [ZOE]);
    world.wait(120);
    // A moment is not worth mentioning, and nobody asked for anything.
    assert_eq!(told(&mut world), []);
    // What still waits for its answer goes out anyhow.
    world.peer("far.test", true);
    world.peer("far.test", true);
    assert_eq!(world.subscribed(), [ZOE]);
    // Nothing is asked for after the end.
    world.say(1, &format!(r#"{{"do":"unsubscribe","user":"{ZOE}"}}"#));
    world.sent();
    world.peer("far.test", true);
    assert_eq!(world.subscribed(), [] as [&str; 0]);
}

#[test]
fn users_behind_a_session_lost_for_a_minute_are_unknown_until_one_comes_back() {
    let mut world = watching();
    world.peer("far.test", false);
    world.wait(59);
    // What is lost is lost since the first time.
    world.peer("far.test", false);
    assert_eq!(told(&mut world), []);
    world.wait(1);
    assert_eq!(told(&mut world), [(ZOE.to_owned(), None)]);
    let shown = listed(&mut world, ZOE);
    assert_eq!((shown.online, shown.alias.as_deref()), (None, Some("Z")));
    assert_eq!(listed(&mut world, YAN).online, Some(true));
    world.wait(600);
    world.peer("far.test", false);
    world.wait(600);
    assert_eq!(told(&mut world), []);

    world.peer("far.test", true);
    assert_eq!(world.subscribed(), [ZOE]);
    assert_eq!(told(&mut world), [(ZOE.to_owned(), Some(true))]);
    assert_eq!(listed(&mut world, ZOE).online, Some(true));
    world.shows(ZOE, "F");
    assert_eq!(told(&mut world), [(ZOE.to_owned(), Some(false))]);
}

#[test]
fn a_subscription_that_fails_anew_is_tried_again_or_ends() {
    let mut world = watching();
    world.peer("far.test", true);
    world.answer("SubscribeRequest", Status::new(Code::UNAVAILABLE));
    world.wait(60);
    world.answer("SubscribeRequest", Status::new(Code::UNKNOWN_USER));
    let [Event::Error { status: 531, .. }] = world.heard(1)[..] else {
        panic!("the watcher is not told")
    };
    world.peer("far.test", true);
    assert_eq!(world.sent(), []);
}

#[test]
fn a_session_that_only_sends_hears_nothing_that_comes_for_the_user() {
    let mut world = World::peopled();
    world.open_for(1, "alice", Takes::OwnAnswers);
    world.open(2, "alice");
    world.say(2, r#"{"do":"subscribe","user":"zoe@far.test"}"#);
    world.answer("SubscribeRequest", Status::ok());
    world.heard(1);
    world.heard(2);
    for (user, xml) in [
        (
            Some("zoe@far.test"),
            r#"<PresenceNotification><User userID="wv:alice@home.test"/><PresenceValue userID="wv:zoe@far.test"><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier><PresenceValue>T</PresenceValue></OnlineStatus></PresenceSubList></PresenceValue></PresenceNotification>"#,
        ),
        (
            None,
            r#"<GroupChangeNotice groupID="wv:bob/club@far.test"><User userID="wv:alice@home.test"/><Joined><Name>Vicky</Name></Joined></GroupChangeNotice>"#,
        ),
        (
            None,
            r#"<LeaveGroupIndication groupID="wv:bob/club@far.test"><Status code="809"/><User userID="wv:alice@home.test"/></LeaveGroupIndication>"#,
        ),
    ] {
        let notice = decode_fragment(xml.as_bytes()).unwrap();
        world.deliver("far.test", user, notice);
        assert_eq!(world.heard(1), [], "{xml}");
        assert_eq!(world.heard(2).len(), 1, "{xml}");
    }
}
