//! `wvgate explain` tells an operator where each message is, or how it ended.

use serde_json::{Value, json};

use crate::cli_node::{Node, free_port, json as ask, output, said};

/// The parts of the message in the answer, as `(state, what)`.
fn parts(told: &Value, message: &str) -> Vec<(String, String)> {
    let messages = told["messages"].as_array().unwrap();
    let found: Vec<&Value> = messages
        .iter()
        .filter(|found| found["message"] == message)
        .collect();
    assert_eq!(found.len(), 1, "{message} in {told}");
    let text = |part: &Value, name: &str| part[name].as_str().unwrap().to_owned();
    let parts = found[0]["parts"].as_array().unwrap().iter();
    parts
        .map(|part| (text(part, "state"), text(part, "what")))
        .collect()
}

#[test]
fn each_message_is_explained_by_id_user_and_time_and_over_a_restart() {
    let nobody = free_port();
    let mut node = Node::start_with(&format!(
        "[[peer]]\ndomain = \"away.test\"\nurl = \"http://127.0.0.1:{nobody}/\"\n\
         allow_plain = true\npassword = \"x\"\n"
    ));
    let mut alice = node.chat("alice");
    let sent = [
        ("m-delivered", "echo", "delivered", "delivered"),
        ("m-unknown", "nobody", "refused", "531 Unknown user"),
        (
            "m-nowhere",
            "bob@nowhere.test",
            "refused",
            "516 Domain not supported",
        ),
        (
            "m-offline",
            "carol",
            "waiting",
            "waits for a client of wv:carol@village.test since",
        ),
        (
            "m-away",
            "dave@away.test",
            "waiting",
            "waits for away.test since",
        ),
    ];
    for (id, to, ..) in sent {
        alice.tell(&json!({"do": "message", "to": to, "text": "x", "id": id}));
    }
    // The last one is answered when the node has taken it over.
    for (id, ..) in &sent[..4] {
        alice.wait("sent", |sent| sent["id"] == *id);
    }
    alice.wait("sent", |sent| {
        sent["id"] == "m-away" && sent["status"] == 202
    });
    alice.quit();
    let check = |node: &Node| {
        let all = ask(
            &node.config,
            &[
                "explain",
                "--user",
                "alice@village.test",
                "--since",
                "1h",
                "--format",
                "json",
            ],
        );
        for (id, _, state, words) in sent {
            let one = ask(&node.config, &["explain", id, "--format", "json"]);
            for told in [&all, &one] {
                let parts = parts(told, id);
                let (found, what) = &parts[0];
                assert_eq!((parts.len(), found.as_str()), (1, state), "{id}: {what}");
                assert!(what.contains(words), "{id}: {what}");
            }
            assert!(said(&node.config, &["explain", id]).contains(words));
        }
        let (_, what) = parts(&all, "m-away").remove(0);
        assert!(what.contains("no session"), "{what}");
        assert!(what.contains("its sender was told 202"), "{what}");
    };
    check(&node);
    let queue = said(&node.config, &["queue"]);
    assert!(queue.contains("no session"), "{queue}");
    let table = said(&node.config, &["transactions"]);
    assert!(table.contains("516 Domain not supported"), "{table}");
    assert!(table.contains("waits for away.test"), "{table}");
    let of_others = ask(
        &node.config,
        &[
            "explain",
            "--user",
            "carol@village.test",
            "--format",
            "json",
        ],
    );
    assert_eq!(of_others["messages"].as_array().unwrap().len(), 1);

    node.signal("TERM");
    node.wait();
    node.crash_and_restart();
    check(&node);
    let mut carol = node.chat("carol");
    carol.wait("message", |message| message["id"] == "m-offline");
    carol.quit();
    // The node may hear that she took it a moment after her end.
    let state = |id: &str| {
        let told = ask(&node.config, &["explain", id, "--format", "json"]);
        parts(&told, id)[0].0.clone()
    };
    for _ in 0..500 {
        if state("m-offline") == "delivered" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(state("m-offline"), "delivered");
    // What waits is told even if its history was lost with the process.
    node.crash_and_restart();
    assert_eq!(
        parts(
            &ask(&node.config, &["explain", "m-away", "--format", "json"]),
            "m-away"
        )[0]
        .0,
        "waiting"
    );
    let unknown = output(&node.config, &["explain", "no-such-message"]);
    assert_eq!(unknown.status.code(), Some(1));
}
