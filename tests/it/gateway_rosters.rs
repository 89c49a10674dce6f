//! Contact lists and block lists of XMPP users, kept in the rosters of real servers that let the
//! gateway read and write them (XEP-0356), used by phones whose home domain has them there.
//!
//! ```text
//!  phone of romeo ── xmpp.test (home) ── relay.test ── gate.test (gateway) ── Prosody, ejabberd ── romeo
//! ```

use std::path::Path;
use std::time::Duration;

use wvgate::imps::Address;
use wvgate::imps::common::{MetaInfo, UserId};
use wvgate::imps::primitive::Primitive;
use wvgate::imps::primitive::access::{
    BlockEntityRequest, EntityChanges, EntityList, GetBlockedListRequest,
};
use wvgate::imps::primitive::contact_list::{GetListRequest, ListManageRequest, NickName};

use crate::gateway_edges::component;
use crate::gateway_servers::{ROMEO, SETUP, peer, until};
use crate::support::client::Client;
use crate::support::cluster::Cluster;
use crate::support::ejabberd::Ejabberd;
use crate::support::prosody::Prosody;
use crate::support::talk::Event;
use crate::support::xmpp_user::XmppUser;

const PATIENCE: Duration = Duration::from_secs(60);
/// What Debian's `prosody-modules` brings.
const MODULE: &str = "/usr/lib/prosody/modules/mod_privilege";

fn meta() -> Option<MetaInfo> {
    let romeo = Address::new("wv:romeo@xmpp.test");
    Some(MetaInfo::of_user("xmpp.test", romeo))
}

/// The phone's side, and a gateway at that server; romeo's phone is there.
async fn phone(server: &str) -> (Cluster, Client) {
    let mut cluster = Cluster::new(&["xmpp.test", "relay.test", "gate.test"]);
    let services = ["GCLI", "MCLS", "GLBLU", "BLENT"].map(|name| {
        format!("[[service]]\nname = \"{name}\"\nhome = \"xmpp.test\"\npse = \"gate.test\"\n")
    });
    let services = services.concat();
    let gateway = format!(
        "{}{services}[[route]]\ndomain = \"gate.test\"\nvia = \"xmpp\"\n[xmpp]\nserver = \"{server}\"\ndomain = \"xmpp.test\"\n{}",
        peer("relay.test", "\"xmpp.test\""),
        component("village.test"),
    );
    cluster.start("gate.test", &gateway).await;
    let relay = peer("xmpp.test", "") + &peer("gate.test", "") + &services;
    cluster.start("relay.test", &relay).await;
    let home = format!(
        "{}[[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n{services}[home]\n[[home.user]]\nname = \"romeo\"\npassword = \"secret\"\n",
        peer("relay.test", "\"gate.test\""),
    );
    cluster.start("xmpp.test", &home).await;
    let handle = cluster.node("xmpp.test").handle();
    let phone = Client::open(handle, "romeo").await.unwrap().unwrap();
    (cluster, phone)
}

async fn ask(phone: &mut Client, request: impl Into<Primitive>) -> String {
    phone.request("asked", request.into()).await.unwrap();
    until(phone, "the answer", |event| match event {
        Event::Answer { primitive, .. } => Some(primitive.to_xml(None)),
        _ => None,
    })
    .await
}

/// What the server says to a question of romeo's other client.
async fn server_says(romeo: &mut XmppUser, id: &str, kind: &str, inner: &str) -> String {
    romeo.raw(&format!("<iq type='{kind}' id='{id}'>{inner}</iq>"));
    let answer = romeo
        .wait(id, |e| e["event"] == "iq" && e["id"] == id)
        .await;
    answer["xml"].as_str().unwrap().to_owned()
}

/// romeo has bob in a group, and the phone a list of that; whom the phone adds is in the group, if the
/// server writes what it lets be written.
async fn lists_are_groups(
    server: &str,
    c2s_port: u16,
    is_written: bool,
) -> (Cluster, Client, XmppUser) {
    let mut romeo = XmppUser::login_at(c2s_port, ROMEO, "pw").await;
    let item = "<query xmlns='jabber:iq:roster'><item jid='bob@village.test' name='Bob'>\
        <group>Friends</group></item></query>";
    server_says(&mut romeo, "set", "set", item).await;
    let (cluster, mut phone) = phone(server).await;
    // The server says what it grants some time after the link is up.
    let granted = async {
        loop {
            let lists = ask(&mut phone, GetListRequest { meta: meta() }).await;
            if lists.contains("wv:romeo/friends@xmpp.test") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, granted)
        .await
        .expect("the roster is read");
    let manage = ListManageRequest {
        list: Address::new("wv:romeo/friends@xmpp.test"),
        receive: true,
        meta: meta(),
        add: Some(vec![NickName {
            name: Some("Ann".to_owned()),
            user: Address::new("wv:ann@village.test"),
        }]),
        remove: None,
        properties: None,
    };
    let list = ask(&mut phone, manage).await;
    if !is_written {
        assert!(list.contains("code=\"500\""), "{list}");
        let lists = ask(&mut phone, GetListRequest { meta: meta() }).await;
        assert!(lists.contains("wv:romeo/friends@xmpp.test"), "{lists}");
        return (cluster, phone, romeo);
    }
    for part in ["wv:bob@village.test", "wv:ann@village.test", "\"Bob\""] {
        assert!(list.contains(part), "{part} in {list}");
    }
    let question = "<query xmlns='jabber:iq:roster'/>";
    let roster = server_says(&mut romeo, "get", "get", question).await;
    let ann = roster
        .split("<item")
        .find(|item| item.contains("ann@village.test"));
    let ann = ann.unwrap_or_else(|| panic!("ann is in {roster}"));
    assert!(ann.contains("Friends") && ann.contains("Ann"), "{roster}");
    (cluster, phone, romeo)
}

/// ejabberd 23.01 says that it grants `both`, and answers each change with an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contact_lists_are_groups_of_rosters_that_ejabberd_lets_be_read() {
    let listener = "  -\n    port: 5347\n    ip: \"127.0.0.1\"\n    module: ejabberd_service\n    \
        hosts:\n      village.test:\n        password: \"secret\"\n";
    let modules = "  mod_disco: {}\n  mod_privilege:\n    roster:\n      both: all\n  \
        mod_http_upload:\n    access: all\n    put_url: \"https://@HOST@:5443/upload\"\n";
    let server = Ejabberd::start_with(SETUP.host, SETUP.users, listener, modules);
    lists_are_groups(&server.component_address(), server.c2s_port, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contact_and_block_lists_are_those_that_prosody_lets_be_written() {
    assert!(
        Path::new(MODULE).exists(),
        "scripts/install-test-tools.sh installs prosody-modules"
    );
    let lines = "\tmodules_enabled = { \"privilege\" }\n\tprivileged_entities = { [\"village.test\"] = {\n\
        \t\troster = \"both\", iq = { [\"urn:xmpp:blocking\"] = \"both\" } } }\n\
        Component \"village.test\"\n\tcomponent_secret = \"secret\"\n\tmodules_enabled = { \"privilege\" }\n";
    let server = Prosody::build()
        .host(SETUP.host)
        .lines(lines)
        .user("romeo", SETUP.host, "pw")
        .start();
    let (_cluster, mut phone, mut romeo) =
        lists_are_groups(&server.component_address(), server.c2s_port, true).await;
    let block = BlockEntityRequest {
        meta: meta(),
        blocked: Some(EntityChanges {
            in_use: Some(true),
            add: Some(EntityList {
                in_use: None,
                users: vec![UserId {
                    user: Address::new("wv:bob@village.test"),
                }],
                screen_names: Vec::new(),
                groups: Vec::new(),
                lists: Vec::new(),
            }),
            remove: None,
        }),
        granted: None,
    };
    let done = ask(&mut phone, block).await;
    assert!(done.contains("200"), "{done}");
    let question = "<blocklist xmlns='urn:xmpp:blocking'/>";
    let list = server_says(&mut romeo, "blocked", "get", question).await;
    assert!(list.contains("bob@village.test"), "{list}");
    let more = "<block xmlns='urn:xmpp:blocking'><item jid='tim@village.test'/></block>";
    server_says(&mut romeo, "more", "set", more).await;
    let lists = ask(&mut phone, GetBlockedListRequest { meta: meta() }).await;
    for part in ["wv:bob@village.test", "wv:tim@village.test"] {
        assert!(lists.contains(part), "{part} in {lists}");
    }
}
