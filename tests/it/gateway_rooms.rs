//! Groups of a home domain as rooms, for users of a real XMPP server.
//!
//! ```text
//!  alice ── village.test (home, the group) ── xmpp.test (gateway) ── Prosody ── romeo, juliet
//! ```

use serde_json::{Value, json};
use wvgate::imps::common::{MetaInfo, ScreenName, UserId};
use wvgate::imps::primitive::group::JoinGroupRequest;
use wvgate::imps::primitive::group_admin::RejectListRequest;
use wvgate::imps::{Address, Primitive};
use wvgate::node::Core;

use crate::gateway_servers::{peer, until};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::prosody::Prosody;
use crate::support::talk::{Command, Event};
use crate::support::xmpp_user::XmppUser;

pub(crate) const NEWS: &str = "wv:/news@village.test";
pub(crate) const ROOM: &str = r"\2fnews@village.test";
const ALICE: &str = "wv:alice@village.test";
const MUC: &str = "<x xmlns='http://jabber.org/protocol/muc'/>";

pub(crate) fn prosody() -> Prosody {
    Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "pw")
        .user("juliet", "xmpp.test", "pw")
        .component("village.test", "secret")
        .start()
}

pub(crate) async fn village(server: &str) -> Cluster {
    let mut cluster = Cluster::new(&["village.test", "xmpp.test"]);
    let gateway = format!(
        "{}[xmpp]\nserver = \"{server}\"\nsettle = \"200ms\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n",
        peer("village.test", ""),
    );
    cluster.start("xmpp.test", &gateway).await;
    let home = format!(
        "{}[home]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n[[home.group]]\nname = \"news\"\nadmins = [\"alice@village.test\"]\n",
        peer("xmpp.test", ""),
    );
    cluster.start("village.test", &home).await;
    cluster
}

fn meta() -> Option<MetaInfo> {
    Some(MetaInfo::of_user("village.test", Address::new(ALICE)))
}

/// Alice, joined to the group.
pub(crate) async fn alice(cluster: &Cluster) -> Client {
    let handle = cluster.node("village.test").handle();
    let mut alice = Client::open(handle, "alice").await.unwrap().unwrap();
    let group = Address::new(NEWS);
    let request = JoinGroupRequest {
        joined_list: true,
        subscribe: true,
        meta: meta(),
        screen_name: Some(ScreenName {
            group: group.clone(),
            name: "Alice".to_owned(),
        }),
        own: None,
        group,
    };
    ask(&mut alice, request).await;
    alice
}

pub(crate) async fn ask(alice: &mut Client, request: impl Into<Primitive>) {
    alice.request("asked", request.into()).await.unwrap();
    let code = until(alice, "the answer", |event| match event {
        Event::Answer { primitive, .. } => {
            Some(primitive.verdict().map_or(0, |status| status.code.0))
        }
        _ => None,
    });
    assert_eq!(code.await, 200);
}

async fn bar(alice: &mut Client, user: &str, is_barred: bool) {
    let list = Some(vec![UserId {
        user: Address::new(user),
    }]);
    let (add, remove) = if is_barred {
        (list, None)
    } else {
        (None, list)
    };
    let request = RejectListRequest {
        group: Address::new(NEWS),
        meta: meta(),
        add,
        remove,
    };
    ask(alice, request).await;
}

/// Waits until the group tells Alice of somebody.
async fn told(alice: &mut Client, what: &str) {
    until(alice, what, |event| match event {
        Event::Group { primitive } => {
            let text = primitive.to_xml(None);
            text.contains(what).then_some(())
        }
        _ => None,
    })
    .await;
}

fn is_of(event: &Value, kind: &str, nick: &str) -> bool {
    event["event"] == "presence"
        && event["type"] == kind
        && event["from"] == format!("{ROOM}/{nick}")
}

fn has(event: &Value, text: &str) -> bool {
    event["xml"].as_str().is_some_and(|xml| xml.contains(text))
}

/// Comes in, and waits until all is told.
pub(crate) async fn enter(user: &mut XmppUser, nick: &str) {
    user.raw(&format!("<presence to='{ROOM}/{nick}'>{MUC}</presence>"));
    user.wait("Alice in the room", |e| is_of(e, "available", "Alice"))
        .await;
    user.wait("themselves", |e| {
        is_of(e, "available", nick) && has(e, "code=\"110\"")
    })
    .await;
    user.wait("the subject", |e| {
        e["event"] == "message" && e["from"] == ROOM && has(e, "<subject")
    })
    .await;
}

fn say(user: &mut XmppUser, text: &str, id: &str) {
    user.tell(&json!({"do": "message", "to": ROOM, "type": "groupchat", "body": text, "id": id}));
}

async fn alice_says(alice: &Client, text: &str) {
    let command = Command::Message {
        to: Address::new(NEWS),
        text: text.to_owned(),
        report: false,
        id: Some(text.replace(' ', "-")),
    };
    alice.command(command).await.unwrap();
}

async fn alice_hears(alice: &mut Client, wanted: &str) {
    until(alice, wanted, |event| match event {
        Event::Message { text, .. } if text == wanted => Some(()),
        _ => None,
    })
    .await;
}

async fn heard(user: &mut XmppUser, text: &str, nick: &str) -> Value {
    user.wait(text, |e| {
        e["event"] == "message" && e["body"] == text && e["from"] == format!("{ROOM}/{nick}")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xmpp_users_come_talk_are_made_to_leave_and_stay_over_a_restart() {
    let prosody = prosody();
    let mut cluster = village(&prosody.component_address()).await;
    let mut alice = alice(&cluster).await;
    let port = prosody.c2s_port;
    let mut romeo = XmppUser::login_at(port, "romeo@xmpp.test", "pw").await;
    let mut juliet = XmppUser::login_at(port, "juliet@xmpp.test", "pw").await;

    // They come in, and all see them.
    enter(&mut romeo, "Romeo").await;
    told(&mut alice, "Romeo").await;
    enter(&mut juliet, "Juliet").await;
    told(&mut alice, "Juliet").await;
    romeo
        .wait("juliet", |e| is_of(e, "available", "Juliet"))
        .await;

    // What one says all hear, the one who says it as well.
    alice_says(&alice, "good evening").await;
    let first = heard(&mut romeo, "good evening", "Alice").await;
    heard(&mut juliet, "good evening", "Alice").await;
    assert_eq!(first["type"], "groupchat");
    say(&mut romeo, "he jests at scars", "r1");
    let own = heard(&mut romeo, "he jests at scars", "Romeo").await;
    assert_eq!(own["id"], "r1");
    let other = heard(&mut juliet, "he jests at scars", "Romeo").await;
    let stanza_id = |event: &Value| {
        let xml = event["xml"].as_str().unwrap().to_owned();
        let at = xml.find("<stanza-id").expect("a stable id");
        let rest = &xml[at..];
        rest[..rest.find('>').unwrap()].to_owned()
    };
    assert_eq!(stanza_id(&own), stanza_id(&other));
    alice_hears(&mut alice, "he jests at scars").await;

    // Another name.
    juliet.raw(&format!("<presence to='{ROOM}/Jule'/>"));
    juliet
        .wait("the change", |e| {
            is_of(e, "unavailable", "Juliet") && has(e, "303") && has(e, "110")
        })
        .await;
    juliet
        .wait("the name", |e| {
            is_of(e, "available", "Jule") && has(e, "110")
        })
        .await;
    romeo
        .wait("the name", |e| is_of(e, "available", "Jule"))
        .await;
    told(&mut alice, "Jule<").await;

    // She is barred; who is barred does not come back.
    bar(&mut alice, "wv:juliet@xmpp.test", true).await;
    juliet
        .wait("the bar", |e| {
            is_of(e, "unavailable", "Jule") && has(e, "301") && has(e, "110")
        })
        .await;
    romeo
        .wait("that she is gone", |e| is_of(e, "unavailable", "Jule"))
        .await;
    juliet.raw(&format!("<presence to='{ROOM}/Jule'>{MUC}</presence>"));
    juliet
        .wait("the refusal", |e| {
            e["type"] == "error" && e["error"] == "forbidden"
        })
        .await;
    bar(&mut alice, "wv:juliet@xmpp.test", false).await;

    // The gateway's node is started anew: he is told, and comes back; the group has not missed him.
    cluster.stop("xmpp.test").await;
    romeo
        .wait("the end of the service", |e| {
            is_of(e, "unavailable", "Romeo") && has(e, "332") && has(e, "110")
        })
        .await;
    // What is said before he is back is for him too.
    alice_says(&alice, "are you there").await;
    cluster.start_again("xmpp.test").await;
    let up =
        |core: &mut Core| core.components.values().all(|up| *up) && !core.components.is_empty();
    cluster.until("xmpp.test", "the component", up).await;
    enter(&mut romeo, "Romeo").await;
    heard(&mut romeo, "are you there", "Alice").await;
    enter(&mut juliet, "Juliet").await;
    say(&mut romeo, "with love's light wings", "r2");
    heard(&mut juliet, "with love's light wings", "Romeo").await;
    alice_hears(&mut alice, "with love's light wings").await;

    // He leaves.
    romeo.raw(&format!("<presence type='unavailable' to='{ROOM}/Romeo'/>"));
    romeo
        .wait("the leave", |e| {
            is_of(e, "unavailable", "Romeo") && has(e, "110")
        })
        .await;
    juliet
        .wait("that he is gone", |e| is_of(e, "unavailable", "Romeo"))
        .await;
    until(&mut alice, "that he is gone", |event| match event {
        Event::Group { primitive } => {
            let text = primitive.to_xml(None);
            (text.contains("<Left>") && text.contains("Romeo")).then_some(())
        }
        _ => None,
    })
    .await;
    say(&mut romeo, "from outside", "r3");
    let error = romeo
        .wait("the refusal", |e| e["id"] == "r3" && e["type"] == "error")
        .await;
    assert_eq!(error["error"], "not-acceptable");
    let twice = juliet.seen(|e| e["body"] == "he jests at scars");
    assert!(twice.is_empty(), "{twice:#?}");
}
