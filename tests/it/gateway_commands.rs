//! Commands at the gateway's address, by a client of a real server, to a real process.

use std::time::Duration;

use serde_json::json;

use crate::cli_node::{Folder, Node, PATIENCE, UNDIVIDED, free_port};
use crate::support::prosody::Prosody;
use crate::support::xmpp_user::XmppUser;

fn prosody() -> Prosody {
    Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "pw")
        .user("juliet", "xmpp.test", "pw")
        .component("village.test", "secret")
        .start()
}

fn node(server: &str) -> Node {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let config = format!(
        "{UNDIVIDED}[node]\ndomain = \"village.test\"\ndata = {data:?}\n[ssp]\nlisten = \"127.0.0.1:{}\"\nplain = true\n\
         [[peer]]\ndomain = \"relay.test\"\nurl = \"http://127.0.0.1:{}/\"\nallow_plain = true\n\
         [home]\n[xmpp]\nserver = \"{server}\"\ndomain = \"xmpp.test\"\noperators = [\"romeo@xmpp.test\"]\n\
         [[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n",
        free_port(),
        free_port(),
    );
    let config = folder.file("node.toml", &config);
    Node::start_on(folder, config)
}

async fn commands(user: &mut XmppUser, node: &str, id: &str) -> String {
    user.raw(&format!(
        "<iq type='set' id='{id}' to='village.test'>\
         <command xmlns='http://jabber.org/protocol/commands' node='{node}' action='execute'/></iq>"
    ));
    let answer = user.wait(node, |event| event["id"] == id).await;
    answer["xml"].as_str().unwrap().to_owned()
}

/// Until the link is there the server refuses.
async fn until_linked(user: &mut XmppUser) {
    loop {
        user.message("echo@village.test", "there?", "e");
        let answer = user
            .wait("the gateway", |event| event["event"] == "message")
            .await;
        if answer["type"] != "error" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_ask_and_operators_command_the_node_from_their_clients() {
    let prosody = prosody();
    let mut node = node(&prosody.component_address());
    let mut romeo = XmppUser::login(&prosody, "romeo@xmpp.test", "pw").await;
    let mut juliet = XmppUser::login(&prosody, "juliet@xmpp.test", "pw").await;
    for user in [&mut romeo, &mut juliet] {
        user.tell(&json!({"do": "presence"}));
    }
    let linked = tokio::time::timeout(PATIENCE, until_linked(&mut juliet));
    linked.await.expect("the gateway answers");
    let said = commands(&mut juliet, "whoami", "c1").await;
    assert!(said.contains("wv:juliet@xmpp.test"), "{said}");
    let refused = commands(&mut juliet, "drain", "c2").await;
    assert!(refused.contains("forbidden"), "{refused}");
    let peers = commands(&mut romeo, "peers", "c3").await;
    assert!(peers.contains("relay.test: "), "{peers}");
    let reloaded = commands(&mut romeo, "reload", "c4").await;
    assert!(reloaded.contains("was read again"), "{reloaded}");
    let drained = commands(&mut romeo, "drain", "c5").await;
    assert!(drained.contains("and ends"), "{drained}");
    assert_eq!(node.wait(), Some(0));
}
