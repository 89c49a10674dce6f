//! Files between a home domain and a real XMPP server with an upload service of its own.
//!
//! ```text
//!  alice ── village.test (home) ── xmpp.test (gateway) ── XMPP server ── romeo
//!                                       └── PUT, GET ──▶ its upload service
//! ```

use wvgate::imps::common::{ContentData, MessageInfo, MetaInfo, Recipient, User};
use wvgate::imps::primitive::message::SendMessageRequest;
use wvgate::imps::{Address, Primitive};

use crate::cli_sharing::fetch;
use crate::gateway_servers::{ROMEO, SETUP, peer, until};
use crate::support::client::Client;
use crate::support::cluster::{Cluster, free_port};
use crate::support::ejabberd::Ejabberd;
use crate::support::prosody::{Builder, Prosody};
use crate::support::server::Server;
use crate::support::talk::Event;
use crate::support::xmpp_user::XmppUser;

const ALICE: &str = "alice@village.test";

fn picture() -> Vec<u8> {
    let mut picture: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    picture[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
    picture
}

fn builder() -> Builder {
    Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "pw")
        .component("village.test", "secret")
}

async fn village(server: &str, gateway: &str) -> Cluster {
    let mut cluster = Cluster::new(&["village.test", "xmpp.test"]);
    let gateway = format!(
        "{}{gateway}[xmpp]\nserver = \"{server}\"\nsettle = \"200ms\"\nreconnect_max = \"1s\"\n\
         [xmpp.files]\nfetch = [\"image/*\"]\nfetch_inside = [\"127.0.0.1\"]\n\
         [[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n",
        peer("village.test", ""),
    );
    cluster.start("xmpp.test", &gateway).await;
    let home = format!(
        "{}[home]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n",
        peer("xmpp.test", ""),
    );
    cluster.start("village.test", &home).await;
    cluster
}

async fn alice(cluster: &Cluster) -> Client {
    let handle = cluster.node("village.test").handle();
    Client::open(handle, "alice").await.unwrap().unwrap()
}

/// Alice sends a picture to romeo.
async fn send(alice: &Client, id: &str, bytes: Vec<u8>) {
    let request = SendMessageRequest {
        delivery_report: false,
        meta: Some(MetaInfo::of_user(
            "village.test",
            Address::new("wv:alice@village.test"),
        )),
        info: MessageInfo {
            message_id: Some(id.to_owned()),
            uri: None,
            content_type: Some("image/png".to_owned()),
            content_name: Some("cat.png".to_owned()),
            content_size: None,
            validity: None,
            recipients: vec![Recipient::User(User::new(Address::new(
                "wv:romeo@xmpp.test",
            )))],
            recipient_display: None,
            sender: None,
            date_time: None,
        },
        content: Some(ContentData {
            content_type: "image/png".to_owned(),
            bytes,
        }),
    };
    let request = Primitive::from(request);
    alice.request(id, request).await.unwrap();
}

async fn status(alice: &mut Client, id: &str) -> u16 {
    until(alice, "the answer", |event| match event {
        Event::Answer { id: of, primitive } if of == id => {
            Some(primitive.verdict().map_or(0, |status| status.effective().0))
        }
        _ => None,
    })
    .await
}

/// The picture is at this URL.
fn assert_is_there(port: u16, url: &str) {
    let (status, body) = fetch(port, url);
    assert_eq!((status.as_str(), body.len()), ("200", picture().len()));
    assert!(body == picture());
}

fn is_link(event: &serde_json::Value) -> bool {
    let xml = event["xml"].as_str().unwrap_or_default();
    event["event"] == "message" && xml.contains("jabber:x:oob")
}

/// The URL of the next picture that romeo gets.
async fn link(romeo: &mut XmppUser) -> String {
    let message = romeo.wait("a picture", is_link).await;
    let url = message["body"].as_str().unwrap().to_owned();
    let xml = message["xml"].as_str().unwrap();
    for part in [
        format!("<url>{url}</url>"),
        format!("target=\"{url}\""),
        "<media-type>image/png</media-type>".to_owned(),
    ] {
        assert!(xml.contains(&part), "{part} in {xml}");
    }
    url
}

/// A picture goes to romeo through the server's upload service, and its link back to alice as a
/// picture again.
async fn there_and_back(server: &Server, port: u16) {
    let cluster = village(&server.component_address(), "").await;
    let mut romeo = server.login(ROMEO, "pw").await;
    romeo.tell(&serde_json::json!({"do": "presence"}));
    let mut alice = alice(&cluster).await;
    send(&alice, "p1", picture()).await;
    let url = link(&mut romeo).await;
    assert_eq!(status(&mut alice, "p1").await, 200);
    assert!(
        url.contains(&format!(":{port}/")) && url.ends_with("cat.png"),
        "{url}"
    );
    assert_is_there(port, &url);
    romeo.raw(&format!(
        "<message to='{ALICE}' type='chat' id='r1'><body>{url}</body>\
         <x xmlns='jabber:x:oob'><url>{url}</url></x></message>"
    ));
    let (kind, data) = until(&mut alice, "the picture", |event| match event {
        Event::Message {
            content_type, data, ..
        } => Some((content_type.clone(), data.clone())),
        _ => None,
    })
    .await;
    assert!(kind.starts_with("image/png"), "{kind}");
    let wanted = wvgate::imps::common::encode_base64(&picture());
    assert!(data.as_deref() == Some(wanted.as_str()));
    // Larger than what the service takes.
    send(&alice, "p2", [picture(), vec![0; 10_000]].concat()).await;
    assert_eq!(status(&mut alice, "p2").await, 415);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_go_through_the_upload_service_of_prosody_and_come_back_from_links() {
    let port = free_port();
    let prosody = builder().file_share("upload.xmpp.test", port).start();
    there_and_back(&Server::Prosody(prosody), port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_go_through_the_upload_service_of_ejabberd_and_come_back_from_links() {
    let ejabberd = Ejabberd::start(SETUP.host, SETUP.users, SETUP.components, false);
    let port = ejabberd.http_port;
    there_and_back(&Server::Ejabberd(Box::new(ejabberd)), port).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_uploads_gets_links_into_the_store_of_the_node_and_what_is_full_is_said() {
    let prosody = builder().start();
    let port = free_port();
    let content = format!(
        "[content]\nurl = \"http://127.0.0.1:{port}/\"\nlisten = \"127.0.0.1:{port}\"\n\
         max_size = \"60kB\"\nmax_user_bytes = \"60kB\"\n"
    );
    let cluster = village(&prosody.component_address(), &content).await;
    let mut romeo = XmppUser::login(&prosody, ROMEO, "pw").await;
    romeo.tell(&serde_json::json!({"do": "presence"}));
    let mut alice = alice(&cluster).await;
    send(&alice, "p1", picture()).await;
    let url = link(&mut romeo).await;
    assert_eq!(status(&mut alice, "p1").await, 200);
    assert_is_there(port, &url);
    send(&alice, "p2", picture()).await;
    assert_eq!(status(&mut alice, "p2").await, 507);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_whose_upload_is_under_way_when_server_and_gateway_are_killed_arrives_once() {
    let port = free_port();
    let mut prosody = builder().file_share("upload.xmpp.test", port).start();
    let mut cluster = village(&prosody.component_address(), "").await;
    let mut alice = alice(&cluster).await;
    // The service is known, and then gone.
    send(&alice, "p1", picture()).await;
    assert_eq!(status(&mut alice, "p1").await, 200);
    prosody.kill();
    send(&alice, "p2", picture()).await;
    let handle = cluster.node("xmpp.test").handle().clone();
    while handle.ask(|core, _, _| core.messages_open()).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    cluster.stop("xmpp.test").await;
    cluster.start_again("xmpp.test").await;
    prosody.start();
    assert!(matches!(status(&mut alice, "p2").await, 200 | 202));
    let mut romeo = XmppUser::login(&prosody, ROMEO, "pw").await;
    romeo.tell(&serde_json::json!({"do": "presence"}));
    let (one, two) = (link(&mut romeo).await, link(&mut romeo).await);
    assert_ne!(one, two);
    assert_is_there(port, &two);
    // What is sent now comes behind everything else.
    send(&alice, "p3", picture()).await;
    assert_eq!(status(&mut alice, "p3").await, 200);
    let three = link(&mut romeo).await;
    assert!(three != one && three != two);
    assert!(romeo.seen(is_link).is_empty());
}
