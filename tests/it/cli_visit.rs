//! `check peer` without a running node: what is skipped, and the temporary node that does the
//! rest. Real processes.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli_node::{Folder, Node, free_port, json as ask, output};
use crate::cli_partner::{config, ends, failing, layer, peer, verdicts};

const ALICE: &str = "[home]\n[[home.user]]\nname = \"alice\"\npassword = \"alice\"\n";

/// Exit code and findings of `wvgate check peer`.
fn check(config: &Path, peer: &str, more: &[&str]) -> (i32, Value) {
    let args = [&["check", "peer", peer, "--format", "json"], more].concat();
    let output = output(config, &args);
    let findings = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), findings)
}

fn what<'f>(findings: &'f Value, of: &str) -> &'f str {
    layer(findings, of)["what"].as_str().unwrap()
}

fn all_are_skipped(findings: &Value, why: &str) {
    for skipped in ["handshake", "keep-alive", "discovery", "agreement", "echo"] {
        let finding = layer(findings, skipped);
        assert_eq!(finding["verdict"], "skipped", "{finding}");
        let said = finding["what"].as_str().unwrap();
        assert!(said.contains(why), "{why}: {said}");
    }
}

#[test]
fn without_a_running_node_the_login_is_skipped_and_what_fails_is_named() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    let text = peer("open.test", open, "") + &peer("closed.test", free_port(), "");
    let config = config(&folder, "home.test", 0, &text);
    let (code, findings) = check(&config, "open.test", &["--login", "never"]);
    assert_eq!(code, 0);
    assert_eq!(layer(&findings, "tcp")["verdict"], "ok");
    all_are_skipped(&findings, "no running node, and --login never");
    let (code, findings) = check(&config, "closed.test", &[]);
    assert_eq!(code, 1);
    all_are_skipped(&findings, "no running node, and no way to the peer");
    assert_eq!(layer(&findings, "tcp")["verdict"], "failed");
    assert_eq!(layer(&findings, "tls")["verdict"], "skipped");
    let (code, why) = failing(&config, &["check", "peer", "nobody.test"]);
    assert_eq!(code, 1);
    assert!(
        why.contains("there is no peer nobody.test; the peers are: open.test, closed.test"),
        "{why}"
    );
    assert_eq!(
        failing(&config, &["check", "--offline", "peer", "open.test"]).0,
        64
    );
}

#[test]
fn a_temporary_node_logs_in_tries_everything_and_logs_out() {
    let (home, relay) = (free_port(), free_port());
    let folder = Folder::new();
    let text = peer("home.test", home, "connect = \"always\"");
    let relay_config = config(&folder, "relay.test", relay, &text);
    let relay_node = Node::start_on(folder, relay_config);
    let folder = Folder::new();
    let others = peer("relay.test", relay, "") + &peer("other.test", free_port(), "") + ALICE;
    let config = config(&folder, "home.test", home, &others);
    let (code, findings) = check(&config, "relay.test", &[]);
    assert_eq!(
        verdicts(&findings),
        [
            ("dns", "ok"),
            ("tcp", "ok"),
            ("tls", "warning"),
            ("node", "ok"),
            ("handshake", "ok"),
            ("keep-alive", "ok"),
            ("discovery", "ok"),
            ("agreement", "ok"),
            ("echo", "ok"),
            ("logout", "ok"),
        ],
        "{findings:#}"
    );
    assert_eq!(code, 0);
    assert!(
        what(&findings, "node").contains(&format!("a temporary one on 127.0.0.1:{home}")),
        "{findings:#}"
    );
    // Nothing is left of it, on either side.
    let sessions = ask(&relay_node.config, &["sessions", "--format", "json"]);
    assert_eq!(sessions, json!([]));
    ends(&relay_node);
    assert!(!folder.0.join("data").exists());
}

#[test]
fn what_the_peer_has_for_the_domain_is_left_to_the_real_node() {
    let (home, relay) = (free_port(), free_port());
    let folder = Folder::new();
    let home_config = config(
        &folder,
        "home.test",
        home,
        &format!(
            "response_timeout = \"2s\"\n{}{ALICE}",
            peer("relay.test", relay, "")
        ),
    );
    let home_node = Node::start_on(folder, home_config);
    let folder = Folder::new();
    let relay_config = config(&folder, "relay.test", relay, &peer("home.test", home, ""));
    let mut alice = home_node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "echo@relay.test", "text": "hello?"}));
    alice.wait("sent", |_| true);
    let waiting = || ask(&home_node.config, &["queue", "--format", "json"]);
    let (_, findings) = check(&relay_config, "home.test", &["--timeout", "3"]);
    assert_eq!(layer(&findings, "handshake")["verdict"], "ok");
    assert_eq!(layer(&findings, "logout")["verdict"], "ok");
    assert!(
        !verdicts(&findings)
            .iter()
            .any(|(_, verdict)| *verdict == "failed"),
        "{findings:#}"
    );
    let left = waiting();
    assert_eq!(left[0]["primitive"], "SendMessageRequest", "{left:#}");
    // The real one takes it.
    let _relay = Node::start_on(folder, relay_config);
    let back = alice.wait("message", |message| message["text"] == "hello?");
    assert_eq!(back["from"], "wv:echo@relay.test");
}

#[test]
fn a_peer_without_logout_is_logged_in_to_only_when_that_is_wanted() {
    let (home, relay) = (free_port(), free_port());
    let folder = Folder::new();
    let relay_config = config(&folder, "relay.test", relay, &peer("home.test", home, ""));
    let relay_node = Node::start_on(folder, relay_config);
    let folder = Folder::new();
    std::fs::create_dir_all(folder.0.join("dialects")).unwrap();
    folder.file("dialects/stays.toml", "logout = false\n");
    let text = peer("relay.test", relay, "dialect = \"stays\"");
    let config = config(&folder, "home.test", home, &text);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[ssp]\n", &format!("mappings = {:?}\n[ssp]\n", folder.0));
    std::fs::write(&config, text).unwrap();
    let sessions = || ask(&relay_node.config, &["sessions", "--format", "json"]);
    let (code, findings) = check(&config, "relay.test", &[]);
    assert_eq!(code, 0);
    all_are_skipped(&findings, "the peer's dialect has no logout");
    assert_eq!(sessions(), json!([]));
    let (code, findings) = check(&config, "relay.test", &["--login", "always"]);
    assert_eq!(code, 0, "{findings:#}");
    assert_eq!(layer(&findings, "echo")["verdict"], "ok");
    assert_eq!(layer(&findings, "logout")["verdict"], "warning");
    assert!(what(&findings, "logout").contains("keeps its session"));
    assert_eq!(sessions().as_array().unwrap().len(), 1);
}

#[test]
fn a_port_in_use_leaves_no_room_for_a_temporary_node() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let config = config(&folder, "home.test", port, &peer("open.test", port, ""));
    let (code, findings) = check(&config, "open.test", &[]);
    assert_eq!(code, 0);
    all_are_skipped(&findings, "no temporary one: cannot listen on 127.0.0.1:");
}

#[test]
fn a_peer_whose_dialect_has_no_echo_user_is_healthy_without_one() {
    let (home, relay) = (free_port(), free_port());
    let folder = Folder::new();
    let relay_config = config(&folder, "relay.test", relay, &peer("home.test", home, ""));
    let _relay = Node::start_on(folder, relay_config);
    let folder = Folder::new();
    std::fs::create_dir_all(folder.0.join("dialects")).unwrap();
    folder.file(
        "dialects/mute.toml",
        "echo = false\ndiscovery = false\nkeep_alive = false\n",
    );
    let text = peer("relay.test", relay, "dialect = \"mute\"");
    let config = config(&folder, "home.test", home, &text);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[ssp]\n", &format!("mappings = {:?}\n[ssp]\n", folder.0));
    std::fs::write(&config, text).unwrap();
    let (code, findings) = check(&config, "relay.test", &[]);
    assert_eq!(code, 0, "{findings:#}");
    for (name, verdict) in [
        ("handshake", "ok"),
        ("keep-alive", "skipped"),
        ("discovery", "skipped"),
        ("echo", "skipped"),
    ] {
        assert_eq!(layer(&findings, name)["verdict"], verdict, "{findings:#}");
    }
    assert!(what(&findings, "echo").contains("have no echo user"));
}
