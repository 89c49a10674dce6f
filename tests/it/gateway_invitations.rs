//! Invitations into groups of a home domain, to and from users of a real XMPP server.
//!
//! ```text
//!  alice, bob ── village.test (home, the group) ── xmpp.test (gateway) ── Prosody ── romeo, juliet
//! ```

use std::time::Duration;

use serde_json::json;
use wvgate::imps::common::{GroupId, MetaInfo, Party, User};
use wvgate::imps::primitive::invitation::{InviteRequest, InviteResponse};
use wvgate::imps::{Address, Primitive};

use crate::gateway_rooms::{NEWS, ROOM, alice, ask, enter, prosody, village};
use crate::gateway_servers::until;
use crate::support::client::Client;
use crate::support::talk::Event;
use crate::support::xmpp_user::XmppUser;

const ALICE: &str = "wv:alice@village.test";

fn invitation(id: &str, invitee: &str) -> Primitive {
    let alice = Address::new(ALICE);
    InviteRequest {
        invite_id: id.to_owned(),
        invite_type: "GR".to_owned(),
        validity: 600,
        meta: Some(MetaInfo::of_user("village.test", alice.clone())),
        inviting: Some(Party::User(User::new(alice))),
        invited: Some(Party::User(User::new(Address::new(invitee)))),
        group: Some(GroupId {
            group: Address::new(NEWS),
        }),
        application: None,
        attributes: None,
        contents: None,
        note: Some("Come and read".to_owned()),
        screen_name: None,
    }
    .into()
}

/// Waits until a user of the home domain is told of an invitation, and returns it.
async fn told(client: &mut Client, what: &str, wanted: &str) -> Primitive {
    let found = until(client, what, |event| match event {
        Event::Invitation { primitive, xml, .. } if xml.contains(wanted) => {
            Some(primitive.as_ref().clone())
        }
        _ => None,
    });
    found.await
}

async fn invited(user: &mut XmppUser, inviter: &str) {
    let xml = format!("<invite from=\"{inviter}\"");
    user.wait("the invitation", |e| {
        e["event"] == "message"
            && e["from"] == ROOM
            && e["xml"].as_str().is_some_and(|text| text.contains(&xml))
    })
    .await;
}

/// Waits until the gateway answers.
pub(crate) async fn reached(user: &mut XmppUser) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    for number in 0.. {
        let id = format!("reached-{number}");
        user.raw(&format!(
            "<iq type='get' id='{id}' to='village.test'><ping xmlns='urn:xmpp:ping'/></iq>"
        ));
        let pong = user.wait("the pong", |e| e["id"] == id.as_str()).await;
        if pong["type"] == "result" {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{pong}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_both_sides_invite_each_other_into_a_group_and_hear_who_comes_and_who_declines() {
    let prosody = prosody();
    let mut cluster = village(&prosody.component_address()).await;
    let mut alice = alice(&cluster).await;
    let port = prosody.c2s_port;
    let mut romeo = XmppUser::login_at(port, "romeo@xmpp.test", "pw").await;
    let mut juliet = XmppUser::login_at(port, "juliet@xmpp.test", "pw").await;

    // Who is not there would hear it later.
    for user in [&mut romeo, &mut juliet] {
        user.tell(&json!({"do": "presence"}));
        let own = user.jid.clone();
        user.wait("their own presence", |e| {
            e["event"] == "presence" && e["from"] == own.as_str()
        })
        .await;
    }

    // An SSP user invites; the gateway is started anew before the answers.
    for (id, invitee) in [
        ("i-1", "wv:romeo@xmpp.test"),
        ("i-2", "wv:juliet@xmpp.test"),
    ] {
        ask(&mut alice, invitation(id, invitee)).await;
    }
    invited(&mut romeo, "alice@village.test").await;
    invited(&mut juliet, "alice@village.test").await;
    cluster.stop("xmpp.test").await;
    cluster.start_again("xmpp.test").await;
    reached(&mut romeo).await;

    // One comes, the other one says why not.
    enter(&mut romeo, "Romeo").await;
    let yes = told(&mut alice, "that he comes", "acceptance=\"Yes\"").await;
    let Primitive::InviteResponse(yes) = yes else {
        panic!("{yes:?}")
    };
    assert_eq!(yes.invite_id, "i-1");
    juliet.raw(&format!(
        "<message to='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='alice@village.test'><reason>It is late</reason></decline></x></message>"
    ));
    let no = told(&mut alice, "that she does not", "acceptance=\"No\"").await;
    let Primitive::InviteResponse(no) = no else {
        panic!("{no:?}")
    };
    assert_eq!(no.invite_id, "i-2");
    assert_eq!(no.note.as_deref(), Some("It is late"));

    // He invites her himself, and one of the home domain, who declines.
    let invite = |to: &str| {
        format!(
            "<message to='{ROOM}' id='m1'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{to}'><reason>Stay</reason></invite></x></message>"
        )
    };
    romeo.raw(&invite("juliet@xmpp.test"));
    invited(&mut juliet, "romeo@xmpp.test").await;
    romeo.raw(&invite("alice@village.test"));
    let request = told(&mut alice, "his invitation", "<InviteRequest").await;
    let Primitive::InviteRequest(request) = request else {
        panic!("{request:?}")
    };
    assert_eq!(request.note.as_deref(), Some("Stay"));
    let response = InviteResponse {
        invite_id: request.invite_id.clone(),
        acceptance: false,
        meta: Some(MetaInfo::of_user("village.test", Address::new(ALICE))),
        status: None,
        inviting: request.inviting.clone(),
        responding: Some(Party::User(User::new(Address::new(ALICE)))),
        note: Some("I am here already".to_owned()),
        screen_name: None,
    };
    ask(&mut alice, response).await;
    romeo
        .wait("her answer", |e| {
            e["event"] == "message"
                && e["from"] == ROOM
                && e["xml"].as_str().is_some_and(|text| {
                    text.contains("<decline from=\"alice@village.test\"")
                        && text.contains("I am here already")
                })
        })
        .await;

    // Who is not inside invites nobody.
    juliet.raw(&invite("alice@village.test"));
    let error = juliet
        .wait("the refusal", |e| e["id"] == "m1" && e["type"] == "error")
        .await;
    assert_eq!(error["error"], "not-acceptable");
}
