//! Users who are on disk alone while they are away, in a running node.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli_node::{Folder, Node, json, said};

/// A node whose users rest as soon as they can.
fn node() -> Node {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let users: String = ["alice", "bob", "carol"]
        .map(|name| format!("[[home.user]]\nname = \"{name}\"\npassword = \"{name}\"\n"))
        .concat();
    let text = format!(
        "[node]\ndomain = \"village.test\"\ndata = {data:?}\n[ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[home]\nrest_after = \"0s\"\nfound_by = [\"id\"]\n{users}"
    );
    let config = folder.file("node.toml", &text);
    Node::start_on(folder, config)
}

/// Waits until so many users are on disk alone.
fn rests(node: &Node, users: u64) {
    let since = Instant::now();
    while node.metric("wvgate_users_at_rest") != users {
        assert!(since.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn who_is_away_is_on_disk_alone_and_has_everything_when_they_come_back() {
    let mut node = node();
    let mut bob = node.chat("bob");
    bob.tell(&json!({"do": "add_contact", "user": "alice", "name": "Al"}));
    bob.tell(&json!({"do": "block", "user": "carol"}));
    bob.tell(&json!({"do": "contacts"}));
    bob.wait("contacts", |_| true);
    bob.quit();
    rests(&node, 3);
    // Whoever administers them finds them.
    assert_eq!(
        json(&node.config, &["user", "list", "--format", "json"])
            .as_array()
            .unwrap()
            .len(),
        3
    );
    said(&node.config, &["user", "set", "bob", "--alias", "Bobby"]);
    rests(&node, 3);
    node.crash_and_restart();
    rests(&node, 3);
    let mut alice = node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "bob", "text": "hi", "id": "m-1", "report": true}));
    alice.wait("sent", |_| true);
    rests(&node, 1);
    node.crash_and_restart();
    let mut bob = node.chat("bob");
    assert_eq!(bob.wait("message", |_| true)["text"], "hi");
    bob.tell(&json!({"do": "contacts"}));
    let contacts = bob.wait("contacts", |_| true);
    let contacts = contacts["contacts"].as_array().unwrap();
    let of = |user: &str| {
        let mut all = contacts.iter();
        all.find(|entry| entry["user"] == user).unwrap().clone()
    };
    assert_eq!(of("wv:alice@village.test")["name"], "Al");
    assert_eq!(of("wv:carol@village.test")["blocked"], true);
    let shown = json(&node.config, &["user", "show", "bob", "--format", "json"]);
    assert_eq!(shown["online"], true);
    let exported = said(&node.config, &["user", "export", "--format", "json"]);
    assert!(
        exported.contains("Bobby") && exported.lines().count() == 3,
        "{exported}"
    );
}
