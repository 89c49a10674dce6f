//! Profiles, cards and provider information between a home domain and real XMPP servers.
//!
//! ```text
//!  alice ── village.test (home) ── xmpp.test (gateway) ── Prosody, ejabberd ── romeo
//! ```

use serde_json::Value;
use wvgate::imps::common::{MetaInfo, Property};
use wvgate::imps::primitive::common::GetSPInfoRequest;
use wvgate::imps::primitive::profile::{
    GetUserProfileRequest, UpdateUserProfileRequest, UserProfile,
};
use wvgate::imps::{Address, Primitive};

use crate::gateway_edges::{alice, component};
use crate::gateway_invitations::reached;
use crate::gateway_servers::{ROMEO, SETUP, peer, until};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::server::Server;
use crate::support::talk::Event;
use crate::support::xmpp_user::XmppUser;

const ALICE: &str = "wv:alice@village.test";

fn meta() -> Option<MetaInfo> {
    Some(MetaInfo::of_user("village.test", Address::new(ALICE)))
}

/// Each domain lets the other read profiles.
async fn world(server: &Server) -> (Cluster, Client, XmppUser) {
    let mut cluster = Cluster::new(&["village.test", "xmpp.test"]);
    let reads = "profiles = \"read\"\n";
    let gateway = format!(
        "{}{reads}[xmpp]\nserver = \"{}\"\nsettle = \"200ms\"\n{}",
        peer("village.test", ""),
        server.component_address(),
        component("village.test"),
    );
    cluster.start("xmpp.test", &gateway).await;
    let home = format!(
        "{}{reads}[home]\n[[home.user]]\nname = \"alice\"\npassword = \"secret\"\n",
        peer("xmpp.test", ""),
    );
    cluster.start("village.test", &home).await;
    let alice = alice(&cluster, "village.test").await;
    let mut romeo = server.login(ROMEO, "pw").await;
    reached(&mut romeo).await;
    (cluster, alice, romeo)
}

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

async fn asks(romeo: &mut XmppUser, id: &str, (kind, to): (&str, &str), inner: &str) -> Value {
    romeo.raw(&format!("<iq type='{kind}' id='{id}'{to}>{inner}</iq>"));
    romeo
        .wait(id, |e| e["event"] == "iq" && e["id"] == id)
        .await
}

fn has(event: &Value, parts: &[&str]) {
    for part in parts {
        assert!(
            event["xml"].as_str().unwrap().contains(part),
            "{part} in {event}"
        );
    }
}

const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Romeo Montague</FN><N><FAMILY>Montague</FAMILY><GIVEN>Romeo</GIVEN></N>\
    <NICKNAME>Monty</NICKNAME><ADR><HOME/><LOCALITY>Verona</LOCALITY><CTRY>Italy</CTRY></ADR><DESC>In love</DESC></vCard>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_profile_of_an_xmpp_user_is_read_from_their_card_and_of_a_home_user_is_one() {
    for server in SETUP.both() {
        let (_cluster, mut alice, mut romeo) = world(&server).await;
        let done = asks(&mut romeo, "card", ("set", ""), CARD).await;
        assert_eq!(done["type"], "result", "{done}");
        let profile = |user: &str| GetUserProfileRequest {
            user: Address::new(user),
            meta: meta(),
            parts: None,
        };
        let (code, text) = ask(&mut alice, profile("wv:romeo@xmpp.test")).await;
        assert_eq!(code, 200, "{text}");
        for part in [
            "<Service name=\"IM\" status=\"Active\"/>",
            "<Name>PP_FRIENDLY_NAME</Name><Value>Monty</Value>",
            "<Name>PP_CITY</Name><Value>Verona</Value>",
            "<Name>PP_COUNTRY</Name><Value>Italy</Value>",
            "<Name>PP_FREE_TEXT</Name><Value>In love</Value>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let (code, text) = ask(&mut alice, profile("wv:nobody@xmpp.test")).await;
        // ejabberd does not say whether there is nobody, or somebody who shows strangers nothing.
        let unknown = match &server {
            Server::Prosody(_) => 531,
            Server::Ejabberd(_) => 403,
        };
        assert_eq!(code, unknown, "{text}");

        // And back.
        let property = |name: &str, value: &str| Property {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        let update = UpdateUserProfileRequest {
            user: Address::new(ALICE),
            mode: None,
            meta: meta(),
            profile: Some(UserProfile {
                user: None,
                modified: None,
                services: None,
                privacy: None,
                terminals: None,
                properties: Some(vec![
                    property("PP_FRIENDLY_NAME", "Ally"),
                    property("PP_CITY", "Oslo"),
                    property("PP_INTERESTS", "chess"),
                ]),
            }),
        };
        let (code, text) = ask(&mut alice, update).await;
        assert_eq!(code, 200, "{text}");
        let vcard = "<vCard xmlns='vcard-temp'/>";
        let at = |user: &str| format!(" to='{user}@village.test'");
        let card = asks(&mut romeo, "hers", ("get", &at("alice")), vcard).await;
        has(
            &card,
            &[
                "Ally</NICKNAME>",
                "Oslo</LOCALITY>",
                "Interests: chess</NOTE>",
            ],
        );
        let card = asks(&mut romeo, "nobodys", ("get", &at("nobody")), vcard).await;
        assert_eq!(card["error"], "item-not-found", "{card}");
        // Nobody but their own server changes what it tells of them.
        let update = UpdateUserProfileRequest {
            user: Address::new("wv:romeo@xmpp.test"),
            mode: None,
            meta: meta(),
            profile: None,
        };
        let (code, text) = ask(&mut alice, update).await;
        assert_eq!(code, 403, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_runs_a_domain_is_told_on_both_sides() {
    for server in SETUP.both() {
        let (_cluster, mut alice, mut romeo) = world(&server).await;
        let request = GetSPInfoRequest {
            service: Some(Address::service("xmpp.test")),
            meta: meta(),
        };
        let (code, text) = ask(&mut alice, request).await;
        assert_eq!(code, 200, "{text}");
        let name = match &server {
            Server::Prosody(_) => "<Name>Prosody</Name>",
            Server::Ejabberd(_) => "<Name>ejabberd</Name>",
        };
        assert!(text.contains(name), "{text}");
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let to = " to='village.test'";
        let told = asks(&mut romeo, "info", ("get", to), info).await;
        has(&told, &["name=\"village.test\"", "vcard-temp"]);
        let card = asks(
            &mut romeo,
            "card",
            ("get", to),
            "<vCard xmlns='vcard-temp'/>",
        )
        .await;
        has(&card, &["village.test</FN>"]);
    }
}
