//! Search between a home domain and real XMPP servers.
//!
//! ```text
//!  alice ── village.test (home, its search is at xmpp.test) ── xmpp.test (gateway) ── Prosody, ejabberd ── romeo
//! ```

use serde_json::Value;
use wvgate::imps::common::MetaInfo;
use wvgate::imps::primitive::common::{SearchPair, SearchRequest, StopSearchRequest};
use wvgate::imps::{Address, Primitive};

use crate::gateway_edges::{alice, component};
use crate::gateway_invitations::reached;
use crate::gateway_servers::{ROMEO, SETUP, peer, until};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::server::Server;
use crate::support::talk::Event;
use crate::support::xmpp_user::XmppUser;

fn meta() -> Option<MetaInfo> {
    Some(MetaInfo::of_user(
        "village.test",
        Address::new("wv:alice@village.test"),
    ))
}

async fn world(server: &Server) -> (Cluster, Client, XmppUser) {
    let mut cluster = Cluster::new(&["village.test", "xmpp.test"]);
    let search =
        "[[service]]\nname = \"SearchFunc\"\nhome = \"village.test\"\npse = \"xmpp.test\"\n";
    let gateway = format!(
        "{}{search}[xmpp]\nserver = \"{}\"\nsettle = \"200ms\"\n{}",
        peer("village.test", ""),
        server.component_address(),
        component("village.test"),
    );
    cluster.start("xmpp.test", &gateway).await;
    let home = format!(
        "{}{search}[home]\nfound_by = [\"id\"]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n\
         [[home.user]]\nname = \"alina\"\npassword = \"secret\"\n\
         [[home.group]]\nname = \"news\"\nadmins = [\"alice@village.test\"]\n",
        peer("xmpp.test", ""),
    );
    cluster.start("village.test", &home).await;
    let alice = alice(&cluster, "village.test").await;
    let mut romeo = server.login(ROMEO, "pw").await;
    reached(&mut romeo).await;
    (cluster, alice, romeo)
}

/// Asks something, and returns the answer.
async fn ask(alice: &mut Client, request: impl Into<Primitive>) -> (u16, Primitive) {
    alice.request("asked", request.into()).await.unwrap();
    until(alice, "the answer", |event| match event {
        Event::Answer { primitive, .. } => {
            let code = primitive.verdict().map_or(0, |status| status.code.0);
            Some((code, (**primitive).clone()))
        }
        _ => None,
    })
    .await
}

/// Looks for what is like that; what is found, as text.
async fn search(alice: &mut Client, element: &str, string: &str) -> (u16, String) {
    let request = SearchRequest {
        limit: Some(10),
        search_id: None,
        index: None,
        meta: meta(),
        pairs: Some(vec![SearchPair {
            element: element.to_owned(),
            string: string.to_owned(),
        }]),
    };
    let (code, answer) = ask(alice, request).await;
    (code, answer.to_xml(None))
}

async fn sets(romeo: &mut XmppUser, id: &str, to: &str, inner: &str) {
    romeo.raw(&format!("<iq type='set' id='{id}'{to}>{inner}</iq>"));
    let done = romeo.wait(id, |e| e["event"] == "iq" && e["id"] == id);
    let done = done.await;
    assert_eq!(done["type"], "result", "{done}");
}

async fn asks(romeo: &mut XmppUser, id: &str, kind: &str, inner: &str) -> Value {
    romeo.raw(&format!(
        "<iq type='{kind}' id='{id}' to='village.test'>{inner}</iq>"
    ));
    romeo
        .wait(id, |e| e["event"] == "iq" && e["id"] == id)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_found_in_the_directory_of_a_server_that_has_one() {
    for server in SETUP.both() {
        let (_cluster, mut alice, mut romeo) = world(&server).await;
        let card = "<vCard xmlns='vcard-temp'><FN>Romeo Montague</FN><N><FAMILY>Montague</FAMILY><GIVEN>Romeo</GIVEN></N>\
                    <NICKNAME>Monty</NICKNAME><EMAIL><USERID>romeo@example.net</USERID></EMAIL></vCard>";
        sets(&mut romeo, "card", "", card).await;
        let (code, found) = search(&mut alice, "USER_LAST_NAME", "Montague").await;
        match &server {
            // Without a directory nothing of it is understood; rooms are searched all the same.
            Server::Prosody(_) => assert_eq!(code, 562, "{found}"),
            Server::Ejabberd(_) => {
                assert_eq!(code, 200, "{found}");
                assert!(found.contains("wv:romeo@xmpp.test"), "{found}");
                for (element, text) in [
                    ("USER_FIRST_NAME", "romeo"),
                    ("USER_ALIAS", "MONTY"),
                    ("USER_EMAIL_ADDRESS", "romeo@example.net"),
                    ("USER_ID", "wv:romeo@xmpp.test"),
                ] {
                    let (code, found) = search(&mut alice, element, text).await;
                    assert_eq!(code, 200, "{found}");
                    assert!(found.contains("wv:romeo@xmpp.test"), "{element}: {found}");
                }
                let (code, found) = search(&mut alice, "USER_LAST_NAME", "Capulet").await;
                assert_eq!(code, 200, "{found}");
                assert!(found.contains("searchFindings=\"0\""), "{found}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_of_a_server_are_found_by_address_name_topic_and_page_by_page() {
    for server in SETUP.both() {
        let (_cluster, mut alice, mut romeo) = world(&server).await;
        for (room, name) in [("club", "Tea and cakes"), ("cinema", "Films and cakes")] {
            let jid = format!("{room}@conference.xmpp.test");
            romeo.raw(&format!(
                "<presence to='{jid}/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
            ));
            romeo
                .wait("the new room", |e| {
                    e["event"] == "presence" && e["from"] == format!("{jid}/Romeo")
                })
                .await;
            let form = format!(
                "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>\
                 <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>\
                 <field var='muc#roomconfig_roomname'><value>{name}</value></field>\
                 <field var='muc#roomconfig_roomdesc'><value>About {room}</value></field>\
                 <field var='muc#roomconfig_publicroom'><value>1</value></field></x></query>"
            );
            sets(&mut romeo, room, &format!(" to='{jid}'"), &form).await;
        }
        let club = "<GroupID groupID=\"wv:/club@xmpp.test\"/>";
        // These servers tell the description of a room, and not the subject.
        for (element, text) in [
            ("GROUP_ID", "/club@"),
            ("GROUP_NAME", "tea and"),
            ("GROUP_TOPIC", "about CLUB"),
        ] {
            let (code, found) = search(&mut alice, element, text).await;
            assert_eq!(code, 200, "{found}");
            let right = found.contains(club) && found.contains("searchFindings=\"1\"");
            assert!(right, "{element}: {found}");
        }
        // Who is in a room others are not told.
        let (code, _) = search(&mut alice, "GROUP_USER_ID_JOINED", "wv:romeo@xmpp.test").await;
        assert_eq!(code, 537);
        let (code, found) =
            search(&mut alice, "GROUP_USER_ID_OWNER", "wv:alice@village.test").await;
        assert_eq!(code, 200);
        assert!(found.contains("searchFindings=\"0\""), "{found}");

        let first = SearchRequest {
            limit: Some(1),
            search_id: None,
            index: None,
            meta: meta(),
            pairs: Some(vec![SearchPair {
                element: "GROUP_NAME".to_owned(),
                string: "cakes".to_owned(),
            }]),
        };
        let (code, Primitive::SearchResponse(page)) = ask(&mut alice, first).await else {
            panic!("a page");
        };
        assert_eq!(
            (code, page.completion, page.index),
            (200, Some(false), Some(2))
        );
        let id = page.search_id.unwrap();
        let next = SearchRequest {
            limit: None,
            search_id: Some(id.clone()),
            index: Some(2),
            meta: meta(),
            pairs: None,
        };
        let (code, page) = ask(&mut alice, next.clone()).await;
        assert_eq!(code, 200);
        assert!(page.to_xml(None).contains(club), "{page:?}");
        let stop = StopSearchRequest {
            search_id: id,
            meta: meta(),
        };
        assert_eq!(ask(&mut alice, stop).await.0, 200);
        assert_eq!(ask(&mut alice, next).await.0, 424);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_groups_of_a_home_domain_are_found_from_xmpp_as_far_as_they_want_to() {
    for server in SETUP.both() {
        let (_cluster, _alice, mut romeo) = world(&server).await;
        let has = |event: &Value, text: &str| event["xml"].as_str().unwrap().contains(text);
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let offers = asks(&mut romeo, "info", "get", info).await;
        assert!(has(&offers, "jabber:iq:search"), "{offers}");
        let form = asks(
            &mut romeo,
            "form",
            "get",
            "<query xmlns='jabber:iq:search'/>",
        )
        .await;
        assert!(has(&form, "USER") || has(&form, "var=\"user\""), "{form}");
        let filled = "<query xmlns='jabber:iq:search'><x xmlns='jabber:x:data' type='submit'>\
                      <field var='user'><value>ali</value></field></x></query>";
        let found = asks(&mut romeo, "found", "set", filled).await;
        assert_eq!(found["type"], "result", "{found}");
        assert!(
            has(&found, "alice@village.test") && has(&found, "alina@village.test"),
            "{found}"
        );
        // By their names they are not found, as they do not want it.
        let plain = "<query xmlns='jabber:iq:search'><nick>ali</nick></query>";
        let found = asks(&mut romeo, "nobody", "set", plain).await;
        assert_eq!(found["type"], "result", "{found}");
        assert!(
            !has(&found, "village.test/") && !has(&found, "<item"),
            "{found}"
        );

        let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
        let rooms = asks(&mut romeo, "rooms", "get", items).await;
        assert_eq!(rooms["type"], "result", "{rooms}");
    }
}
