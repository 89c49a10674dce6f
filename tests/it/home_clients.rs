//! Clients of a home domain over the control socket: what they acknowledge, and what becomes of
//! lines that cannot be read.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli_node::{Node, free_port, said, with_input, wvgate};
use crate::support::talk::Talk;

/// A client that acknowledges nothing by itself.
struct Raw {
    lines: BufReader<UnixStream>,
    talk: Talk,
    heard: VecDeque<Value>,
}

impl Raw {
    fn connect(node: &Node) -> Self {
        let socket = node.folder.0.join("data/wvgate.sock");
        let stream = UnixStream::connect(socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        Self {
            lines: BufReader::new(stream),
            talk: Talk::default(),
            heard: VecDeque::new(),
        }
    }

    fn chat(node: &Node, user: &str) -> Self {
        let mut raw = Self::connect(node);
        raw.say(&json!({"do": "chat", "user": user, "password": user}).to_string());
        raw.event("ready");
        raw
    }

    fn say(&mut self, line: &str) {
        writeln!(self.lines.get_mut(), "{line}").unwrap();
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Gives a command, as in [`crate::support::talk`].
    fn tell(&mut self, command: &Value) {
        let command = serde_json::from_value(command.clone()).unwrap();
        for said in self.talk.say(command) {
            self.say(&json!(said).to_string());
        }
    }

    /// The next event.
    fn next(&mut self) -> Value {
        while self.heard.is_empty() {
            let told = serde_json::from_value(self.line()).unwrap();
            let events = self.talk.hear(told).into_iter();
            self.heard.extend(events.map(|event| json!(event)));
        }
        self.heard.pop_front().unwrap()
    }

    /// The next event of that name; others are passed over.
    fn event(&mut self, name: &str) -> Value {
        loop {
            let event = self.next();
            if event["event"] == name {
                return event;
            }
        }
    }
}

#[test]
fn what_a_client_has_read_and_not_acknowledged_comes_again_and_is_not_reported() {
    let node = Node::start();
    let mut alice = node.chat("alice");
    let message =
        json!({"do": "message", "to": "carol", "text": "hi", "id": "m-1", "report": true});
    alice.tell(&message);
    alice.wait("sent", |_| true);
    let mut carol = Raw::chat(&node, "carol");
    let first = carol.event("message");
    drop(carol);
    let mut carol = Raw::chat(&node, "carol");
    assert_eq!(carol.event("message")["number"], first["number"]);
    carol.say(&json!({"do": "ack", "number": first["number"]}).to_string());
    let report = alice.wait("report", |_| true);
    assert_eq!(
        (&report["id"], &report["status"]),
        (&json!("m-1"), &json!(200))
    );
    // It was not reported before: a second report would have been the first.
    assert!(alice.quit().iter().all(|event| event["event"] != "report"));
    drop(carol);
    let mut carol = Raw::chat(&node, "carol");
    carol.tell(&json!({"do": "contacts"}));
    assert_eq!(carol.next()["event"], "contacts");
}

#[test]
fn who_sends_one_message_leaves_what_waits_to_the_chat() {
    let node = Node::start();
    let mut alice = node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "carol", "text": "hi", "id": "m-1"}));
    alice.wait("sent", |_| true);
    for format in ["text", "json"] {
        let args = ["--to", "echo", "--report", "--format", format, "hello"];
        let args = [&["send", "--from", "carol"][..], &args].concat();
        assert!(!said(&node.config, &args).contains("m-1"));
    }
    let mut carol = node.chat("carol");
    assert_eq!(carol.wait("message", |_| true)["id"], "m-1");
}

#[test]
fn a_typed_line_that_is_too_long_is_refused_and_the_chat_goes_on() {
    let node = Node::start();
    let mut command = wvgate(&node.config);
    command
        .args(["chat", "alice"])
        .env("WVGATE_PASSWORD", "alice");
    let long = "x".repeat(100_000);
    let output = with_input(command, &format!("/to echo\n{long}\nshort\n"));
    let (text, why) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{why}");
    assert!(why.contains("not sent: the line is longer than"), "{why}");
    assert_eq!(text.matches("* taken by village.test for echo").count(), 1);
}

#[test]
fn a_line_that_the_node_cannot_read_is_answered_and_the_next_is_served() {
    let node = Node::start();
    let mut raw = Raw::connect(&node);
    raw.say(&"x".repeat(100_000));
    assert!(
        raw.line()["error"]
            .as_str()
            .unwrap()
            .contains("longer than")
    );
    raw.say(r#"{"do":"user_list"}"#);
    assert!(raw.line()["result"].is_array());
    let mut alice = Raw::chat(&node, "alice");
    alice.say(&"x".repeat(100_000));
    let refusal = alice.event("error");
    assert_eq!(refusal["status"], 400);
    // The id is known, if it is nothing but the primitive that cannot be read.
    alice.say(r#"{"do":"request","id":"r-1","primitive":"<GetListRequest"}"#);
    let answer = alice.event("answer");
    assert_eq!(answer["id"], "r-1");
    alice.tell(&json!({"do": "contacts"}));
    alice.event("contacts");
}

#[test]
fn a_message_to_a_peer_that_is_away_is_said_to_be_kept() {
    let peer = format!(
        "[[peer]]\ndomain = \"away.test\"\nurl = \"http://127.0.0.1:{}/\"\nallow_plain = true\n",
        free_port()
    );
    let node = Node::start_with(&peer);
    let mut command = wvgate(&node.config);
    command
        .args(["chat", "alice"])
        .env("WVGATE_PASSWORD", "alice");
    let output = with_input(command, "/to bob@away.test hi\n");
    let text = String::from_utf8(output.stdout).unwrap();
    let told = "* no answer from away.test yet: the message to bob@away.test is kept here";
    assert_eq!(text.matches(told).count(), 1, "{text}");
}

#[test]
fn that_a_user_is_away_is_said_to_who_may_see_it() {
    let node = Node::start();
    let mut alice = node.chat("alice");
    let message = json!({"do": "message", "to": "carol", "text": "hi"});
    alice.tell(&message);
    assert_eq!(alice.wait("sent", |_| true)["description"], Value::Null);
    let mut carol = node.chat("carol");
    carol.tell(&json!({"do": "add_contact", "user": "alice"}));
    carol.wait("done", |_| true);
    alice.tell(&message);
    assert_eq!(alice.wait("sent", |_| true)["description"], Value::Null);
    carol.wait("message", |_| true);
    carol.quit();
    // Carol is gone when the session is.
    for _ in 0..600 {
        alice.tell(&message);
        let sent = alice.wait("sent", |_| true);
        assert_eq!(sent["status"], 200);
        if sent["description"].is_string() {
            let said = sent["description"].as_str().unwrap();
            assert!(said.contains("kept until he logs in"), "{said}");
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it was not said that carol is away");
}

#[test]
fn what_a_client_names_and_says_is_bounded_in_bytes() {
    let node = Node::start();
    let mut alice = Raw::chat(&node, "alice");
    let text = |bytes: usize| "é".repeat(bytes / 2);
    for (command, code) in [
        (
            json!({"do": "add_contact", "user": "carol", "name": text(256)}),
            None,
        ),
        (
            json!({"do": "add_contact", "user": "carol", "name": text(258)}),
            Some(402),
        ),
        (json!({"do": "presence", "text": text(1024)}), None),
        (json!({"do": "presence", "text": text(1026)}), Some(751)),
        (json!({"do": "presence", "alias": text(1026)}), Some(751)),
        (json!({"do": "subscribe", "user": text(1026)}), Some(901)),
        (
            json!({"do": "message", "to": "carol", "text": "x", "id": "i".repeat(129)}),
            Some(402),
        ),
    ] {
        alice.tell(&command);
        match code {
            None => alice.event("done"),
            Some(code) => {
                let refusal = alice.event("error");
                assert_eq!(refusal["status"], code, "{refusal}");
                refusal
            }
        };
    }
}
