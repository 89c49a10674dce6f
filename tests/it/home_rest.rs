//! Users who are on disk alone while they are away, in a running node.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wvgate::store::{self, Store as _, Write};

use crate::cli_node::{Folder, Node, UNDIVIDED, json, output, said};

/// A node whose users rest as soon as they can.
fn node() -> Node {
    node_with("")
}

fn node_with(first: &str) -> Node {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let users: String = ["alice", "bob", "carol"]
        .map(|name| format!("[[home.user]]\nname = \"{name}\"\npassword = \"{name}\"\n"))
        .concat();
    let text = format!(
        "{first}[node]\ndomain = \"village.test\"\ndata = {data:?}\n[ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
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

/// Changes what the store of a node that does not run has under a key.
fn change(data: &Path, key: &str, change: impl FnOnce(&str) -> String) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let changed = runtime.build().unwrap().block_on(async {
        let store = store::open(data).unwrap();
        let record = store.get(key).await.unwrap().unwrap();
        let record = change(std::str::from_utf8(&record).unwrap());
        store.commit(vec![Write::put(key, record)]).await
    });
    changed.unwrap();
}

/// What the socket says to a login.
fn login(data: &Path, user: &str) -> Value {
    let mut stream = UnixStream::connect(data.join("wvgate.sock")).unwrap();
    let chat = json!({"do": "chat", "user": user, "password": user, "takes": "everything"});
    writeln!(stream, "{chat}").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn who_is_damaged_at_rest_is_unavailable_and_the_check_says_so() {
    let mut node = node_with(UNDIVIDED);
    let data = node.folder.0.join("data");
    let mut carol = node.chat("carol");
    carol.tell(&json!({"do": "add_contact", "user": "alice", "name": "Al"}));
    carol.tell(&json!({"do": "contacts"}));
    carol.wait("contacts", |_| true);
    carol.quit();
    rests(&node, 3);
    // Who is counted as at rest may not be on disk yet; a node that is stopped has everything there.
    node.signal("TERM");
    assert_eq!(node.wait(), Some(0));
    let check = || {
        let checked = output(&node.config, &["store", "check", "--format", "json"]);
        let found: Value = serde_json::from_slice(&checked.stdout).unwrap();
        (checked.status.code(), found["partly_damaged"].clone())
    };
    assert_eq!(check(), (Some(0), json!([])));
    // Of one the account, of the other a contact.
    change(&data, "home/rest/bob", |record| {
        record.replacen("password_hash", "password-hash", 1)
    });
    change(&data, "home/rest/carol", |record| {
        let changed = record.replacen(r#"{"on":"#, r#"{"on":7,"off":"#, 1);
        assert_ne!(changed, record);
        changed
    });
    let (code, partly) = check();
    assert_eq!(code, Some(1));
    assert_eq!(partly[0]["key"], "home/rest/bob");
    assert_eq!(partly[1]["key"], "home/rest/carol");
    let why = partly[1]["why"].as_str().unwrap();
    assert!(
        why.contains("home/user/carol/relation/wv:alice@village.test"),
        "{why}"
    );
    let text = String::from_utf8(output(&node.config, &["store", "check"]).stdout).unwrap();
    for part in [
        "IN PART  home/rest/bob: ",
        "2 records are damaged in part",
        "the rest is whole",
    ] {
        assert!(text.contains(part), "{text}");
    }

    node.crash_and_restart();
    let unavailable = json!({"error": "the account of bob is temporarily unavailable"});
    assert_eq!(login(&data, "bob"), unavailable);
    assert_eq!(login(&data, "carol")["event"], "opened");
    let nobody = json!({"error": "wrong user name or password"});
    assert_eq!(login(&data, "zoe"), nobody);
    let shown = output(&node.config, &["user", "show", "bob"]);
    assert_eq!(shown.status.code(), Some(1));
    let why = String::from_utf8(shown.stderr).unwrap();
    assert!(why.contains("temporarily unavailable"), "{why}");
}

#[test]
fn the_socket_serves_as_many_connections_as_it_is_told_and_closes_the_next() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let text = format!(
        "[node]\ndomain = \"village.test\"\ndata = {data:?}\n[ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
         [admin]\nmax_connections = 2\n[home]\n"
    );
    let config = folder.file("node.toml", &text);
    let _node = Node::start_on(folder, config);
    let ask = || {
        let mut stream = UnixStream::connect(data.join("wvgate.sock")).unwrap();
        // It may be closed before it has asked.
        let _ = stream.write_all(b"{\"do\":\"routes\"}\n");
        let mut line = String::new();
        let read = BufReader::new(stream.try_clone().unwrap()).read_line(&mut line);
        (stream, read.is_ok_and(|bytes| bytes > 0))
    };
    let (first, second) = (ask(), ask());
    assert!(first.1 && second.1);
    assert!(!ask().1);
    // With one that goes there is room, as soon as the node has seen it go.
    drop(first);
    let since = Instant::now();
    while !ask().1 {
        assert!(since.elapsed() < Duration::from_secs(60));
    }
}
