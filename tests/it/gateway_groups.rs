//! Rooms of real XMPP servers as groups, for users of a home domain.
//!
//! ```text
//!  alice ── village.test (home) ── xmpp.test (gateway) ── Prosody, ejabberd with a room ── romeo
//! ```

use serde_json::Value;
use wvgate::imps::common::{MetaInfo, Property, ScreenName};
use wvgate::imps::primitive::group::{
    GetJoinedUsersRequest, GroupProperties, JoinGroupRequest, LeaveGroupRequest,
};
use wvgate::imps::primitive::group_admin::{
    CreateGroupRequest, DeleteGroupRequest, GetGroupPropsRequest, SetGroupPropsRequest,
};
use wvgate::imps::{Address, Primitive};

use crate::gateway_edges::alice;
use crate::gateway_invitations::reached;
use crate::gateway_rooms::village;
use crate::gateway_servers::{SETUP, until};
use crate::support::client::Client;
use crate::support::talk::{Command, Event};
use crate::support::xmpp_user::XmppUser;

const CLUB: &str = "wv:/club@xmpp.test";
const ROOM: &str = "club@conference.xmpp.test";
const MUC: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";

fn meta() -> Option<MetaInfo> {
    Some(MetaInfo::of_user(
        "village.test",
        Address::new("wv:alice@village.test"),
    ))
}

/// Asks something, and returns the answer.
async fn ask(alice: &mut Client, request: impl Into<Primitive>) -> (u16, String) {
    alice.request("asked", request.into()).await.unwrap();
    until(alice, "the answer", |event| match event {
        Event::Answer { primitive, .. } => {
            let code = primitive.verdict().map_or(0, |status| status.code.0);
            Some((code, primitive.to_xml(None)))
        }
        _ => None,
    })
    .await
}

async fn joins(alice: &mut Client, group: &str, name: &str) -> (u16, String) {
    let group = Address::new(group);
    let request = JoinGroupRequest {
        joined_list: true,
        subscribe: true,
        meta: meta(),
        screen_name: Some(ScreenName {
            group: group.clone(),
            name: name.to_owned(),
        }),
        own: None,
        group,
    };
    ask(alice, request).await
}

/// Waits until the room tells Alice of something.
async fn told(alice: &mut Client, parts: &[&str]) {
    until(alice, parts[0], |event| match event {
        Event::Group { primitive } => {
            let text = primitive.to_xml(None);
            parts.iter().all(|part| text.contains(part)).then_some(())
        }
        _ => None,
    })
    .await;
}

async fn hears(alice: &mut Client, wanted: &str) {
    until(alice, wanted, |event| match event {
        Event::Message { text, .. } if text == wanted => Some(()),
        _ => None,
    })
    .await;
}

async fn says(alice: &Client, text: &str) {
    let command = Command::Message {
        to: Address::new(CLUB),
        text: text.to_owned(),
        report: false,
        id: Some(text.replace(' ', "-")),
    };
    alice.command(command).await.unwrap();
}

fn is_of(event: &Value, kind: &str, nick: &str) -> bool {
    event["event"] == "presence"
        && event["type"] == kind
        && event["from"] == format!("{ROOM}/{nick}")
}

fn say(romeo: &mut XmppUser, text: &str) {
    romeo.raw(&format!(
        "<message type='groupchat' to='{ROOM}'><body>{text}</body></message>"
    ));
}

/// Romeo makes the room.
async fn makes(romeo: &mut XmppUser) {
    romeo.raw(&format!("<presence to='{ROOM}/Romeo'>{MUC}</presence>"));
    romeo
        .wait("the new room", |e| is_of(e, "available", "Romeo"))
        .await;
    romeo.raw(&format!(
        "<iq type='set' id='c' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>"
    ));
    romeo
        .wait("the room set up", |e| {
            e["id"] == "c" && e["type"] == "result"
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_home_domain_come_talk_stay_over_a_restart_and_are_put_out_of_rooms() {
    for server in SETUP.both() {
        let mut cluster = village(&server.component_address()).await;
        let mut alice = alice(&cluster, "village.test").await;
        let mut romeo = XmppUser::login_at(server.c2s_port(), "romeo@xmpp.test", "pw").await;
        reached(&mut romeo).await;

        // There is no such room, and to join makes none.
        assert_eq!(joins(&mut alice, CLUB, "Alice").await.0, 800);
        makes(&mut romeo).await;

        // She comes in under a name that is free, and both see each other.
        assert_eq!(joins(&mut alice, CLUB, "Romeo").await.0, 811);
        let (code, joined) = joins(&mut alice, CLUB, "Alice").await;
        assert_eq!(code, 200);
        assert!(joined.contains("<Name>Romeo</Name>"), "{joined}");
        romeo
            .wait("alice", |e| is_of(e, "available", "Alice"))
            .await;
        assert_eq!(joins(&mut alice, CLUB, "Alice").await.0, 807);

        // What one says the other hears, and she does not hear herself.
        says(&alice, "good evening").await;
        romeo
            .wait("her words", |e| {
                e["body"] == "good evening" && e["from"] == format!("{ROOM}/Alice")
            })
            .await;
        say(&mut romeo, "welcome");
        hears(&mut alice, "welcome").await;

        // Names, topics and properties change.
        romeo.raw(&format!("<presence to='{ROOM}/Montague'/>"));
        told(&mut alice, &["<Left><Name>Romeo</Name></Left>", "Montague"]).await;
        romeo.raw(&format!(
            "<message type='groupchat' to='{ROOM}'><subject>Balls</subject></message>"
        ));
        told(&mut alice, &["<Value>Balls</Value>"]).await;
        let group = Address::new(CLUB);
        let request = GetGroupPropsRequest {
            group: group.clone(),
            meta: meta(),
        };
        let (code, properties) = ask(&mut alice, request).await;
        assert_eq!(code, 200);
        assert!(properties.contains("AccessType"), "{properties}");
        let request = GetJoinedUsersRequest {
            group: group.clone(),
            meta: meta(),
        };
        let (_, there) = ask(&mut alice, request).await;
        assert!(there.contains("Montague") && there.contains("Alice"));

        // The gateway's node is started anew: she is still there.
        cluster.stop("xmpp.test").await;
        cluster.start_again("xmpp.test").await;
        reached(&mut romeo).await;
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let request = GetJoinedUsersRequest {
                group: group.clone(),
                meta: meta(),
            };
            let (_, there) = ask(&mut alice, request).await;
            if there.contains("Montague") {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{there}");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        say(&mut romeo, "are you there");
        hears(&mut alice, "are you there").await;
        says(&alice, "I am").await;
        romeo.wait("her words", |e| e["body"] == "I am").await;

        // She leaves, comes back, and is put out.
        let request = LeaveGroupRequest {
            group: group.clone(),
            meta: meta(),
        };
        ask(&mut alice, request).await;
        romeo
            .wait("that she is gone", |e| is_of(e, "unavailable", "Alice"))
            .await;
        assert_eq!(joins(&mut alice, CLUB, "Alice").await.0, 200);
        romeo.raw(&format!(
            "<iq type='set' id='k' to='{ROOM}'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='Alice' role='none'><reason>Late</reason></item></query></iq>"
        ));
        told(
            &mut alice,
            &["<LeaveGroupIndication", "code=\"816\"", "Late"],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_home_domain_make_set_up_and_end_rooms() {
    for server in SETUP.both() {
        let cluster = village(&server.component_address()).await;
        let mut alice = alice(&cluster, "village.test").await;
        let mut romeo = XmppUser::login_at(server.c2s_port(), "romeo@xmpp.test", "pw").await;
        reached(&mut romeo).await;
        let group = Address::new(CLUB);
        let named = |name: &str, value: &str| {
            Some(GroupProperties {
                properties: vec![Property {
                    name: name.to_owned(),
                    value: Some(value.to_owned()),
                }],
                welcome: None,
            })
        };
        let request = CreateGroupRequest {
            group: group.clone(),
            join: true,
            subscribe: true,
            meta: meta(),
            properties: named("Name", "The club"),
            own: None,
            screen_name: None,
        };
        assert_eq!(ask(&mut alice, request.clone()).await.0, 200);
        assert_eq!(ask(&mut alice, request).await.0, 807);
        let request = GetGroupPropsRequest {
            group: group.clone(),
            meta: meta(),
        };
        let (_, properties) = ask(&mut alice, request).await;
        assert!(properties.contains("The club"), "{properties}");
        assert!(properties.contains("Admin"), "{properties}");
        romeo.raw(&format!("<presence to='{ROOM}/Romeo'>{MUC}</presence>"));
        told(&mut alice, &["<Joined><Name>Romeo</Name></Joined>"]).await;
        for (name, value) in [("Topic", "Balls"), ("AccessType", "Restricted")] {
            let request = SetGroupPropsRequest {
                group: group.clone(),
                meta: meta(),
                properties: named(name, value),
                own: None,
            };
            assert_eq!(ask(&mut alice, request).await.0, 200, "{name}");
        }
        romeo
            .wait("the topic", |e| {
                e["xml"]
                    .as_str()
                    .is_some_and(|text| text.contains("<subject>Balls"))
            })
            .await;
        let request = DeleteGroupRequest {
            group: group.clone(),
            meta: meta(),
        };
        assert_eq!(ask(&mut alice, request).await.0, 200);
        assert_eq!(joins(&mut alice, CLUB, "Alice").await.0, 800);
    }
}
