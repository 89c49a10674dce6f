//! The commands that look at one neighbour: `services`, `check peer`, `trace`, over real
//! processes: a home domain and a relay that hosts nobody.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use serde_json::{Value, json};
use wvgate::http::devcerts::{self, Wanted};

use crate::cli_node::{Folder, Node, PATIENCE, free_port, json as ask, output, said, wvgate};
use crate::support::dns::dns;

/// A home domain with alice, and a relay.
struct Pair {
    home: Node,
    relay: Node,
}

pub(crate) fn config(folder: &Folder, domain: &str, port: u16, more: &str) -> PathBuf {
    let data = folder.0.join("data");
    folder.file(
        "node.toml",
        &format!(
            "[node]\ndomain = \"{domain}\"\ndata = {data:?}\n\
             [ssp]\nlisten = \"127.0.0.1:{port}\"\nplain = true\n{more}"
        ),
    )
}

pub(crate) fn peer(domain: &str, port: u16, more: &str) -> String {
    format!(
        "[[peer]]\ndomain = \"{domain}\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         allow_plain = true\n{more}\n"
    )
}

impl Pair {
    fn start() -> Self {
        Self::start_with("", "")
    }

    /// With more keys of the peer on each side.
    fn start_with(of_home: &str, of_relay: &str) -> Self {
        let (home, relay) = (free_port(), free_port());
        let folder = Folder::new();
        let text = peer("home.test", home, of_relay);
        let relay_config = config(&folder, "relay.test", relay, &text);
        let relay_node = Node::start_on(folder, relay_config);
        let folder = Folder::new();
        let text = peer("relay.test", relay, of_home)
            + "[[route]]\ndomain = \"far.test\"\nvia = \"relay.test\"\n\
               [[service]]\nname = \"ContactList\"\nhome = \"home.test\"\npse = \"far.test\"\n\
               [home]\n[[home.user]]\nname = \"alice\"\npassword = \"alice\"\n";
        let home_config = config(&folder, "home.test", home, &text);
        Self {
            home: Node::start_on(folder, home_config),
            relay: relay_node,
        }
    }
}

/// Waits until every message that was accepted has ended.
pub(crate) fn ends(node: &Node) {
    let mut status = Value::Null;
    for _ in 0..PATIENCE.as_millis() / 100 {
        status = ask(&node.config, &["status", "--format", "json"]);
        if status["accepted"] == status["ended"] && status["queued"] == 0 {
            assert!(status["accepted"].as_u64() > Some(0));
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{status:#}");
}

/// The finding on a layer.
pub(crate) fn layer<'f>(findings: &'f Value, layer: &str) -> &'f Value {
    let mut findings = findings.as_array().unwrap().iter();
    findings.find(|finding| finding["layer"] == layer).unwrap()
}

pub(crate) fn verdicts(findings: &Value) -> Vec<(&str, &str)> {
    let text = |value: &'_ Value| -> &'static str { value.as_str().unwrap().to_owned().leak() };
    let findings = findings.as_array().unwrap().iter();
    findings
        .map(|finding| (text(&finding["layer"]), text(&finding["verdict"])))
        .collect()
}

pub(crate) fn failing(config: &Path, args: &[&str]) -> (i32, String) {
    let output = output(config, args);
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn every_layer_of_the_way_to_a_peer_is_checked() {
    let pair = Pair::start();
    let findings = ask(
        &pair.home.config,
        &["check", "peer", "relay.test", "--format", "json"],
    );
    assert_eq!(
        verdicts(&findings),
        [
            ("dns", "ok"),
            ("tcp", "ok"),
            ("tls", "warning"),
            ("handshake", "ok"),
            ("keep-alive", "ok"),
            ("discovery", "ok"),
            ("agreement", "ok"),
            ("echo", "ok"),
        ],
        "{findings:#}"
    );
    assert!(layer(&findings, "echo")["millis"].is_u64());
    // From the relay's side, which has no users: the session that stands is used.
    let before = ask(&pair.relay.config, &["sessions", "--format", "json"]);
    let text = said(&pair.relay.config, &["check", "peer", "home.test"]);
    assert!(
        text.contains("ok       echo        there and back in "),
        "{text}"
    );
    let after = ask(&pair.relay.config, &["sessions", "--format", "json"]);
    assert_eq!(before[0]["own_id"], after[0]["own_id"]);
    assert_eq!(after.as_array().unwrap().len(), 1);
    // Nothing is left of it.
    for node in [&pair.home, &pair.relay] {
        ends(node);
    }
}

#[test]
fn a_peer_found_by_dns_whose_port_is_plain_is_healthy_if_that_is_allowed() {
    let folder = Folder::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let dns = dns(0, &[(10, port, &["localhost"])]);
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            std::thread::spawn(move || answer_as_deployed(stream));
        }
    });
    let keys = format!(
        "dns_servers = [\"{dns}\"]\n[[peer]]\ndomain = \"deployed.test\"\ndialect = \"baraza\"\n"
    );
    let checked = |allowed: bool| {
        let more = format!("{keys}allow_plain = {allowed}\n");
        let config = config(&folder, "home.test", 0, &more);
        let output = output(&config, &["check"]);
        let report = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), report)
    };
    let (code, report) = checked(true);
    assert!(report.contains("ok    peer deployed.test: "), "{report}");
    assert_eq!(code, Some(0), "{report}");
    let (code, report) = checked(false);
    assert!(report.contains("FAIL  peer deployed.test: "), "{report}");
    assert_eq!(code, Some(1), "{report}");
}

/// Ends a connection that does not begin like plain HTTP, as the deployed server's listener does.
fn answer_as_deployed(mut stream: std::net::TcpStream) {
    let mut head = [0; 1024];
    let count = std::io::Read::read(&mut stream, &mut head).unwrap_or_default();
    if head[..count].starts_with(b"POST ") {
        let _ =
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

#[test]
fn a_certificate_is_described_whether_it_is_trusted_or_not() {
    let folder = Folder::new();
    let certs = folder.0.join("certs");
    let wanted = [Wanted::parse("localhost").unwrap()];
    devcerts::generate(&certs, &wanted, false, SystemTime::now()).unwrap();
    let port = free_port();
    let (certificate, key) = (certs.join("localhost.pem"), certs.join("localhost.key"));
    let server = Folder::new();
    let server_config = server.file(
        "node.toml",
        &format!(
            "[node]\ndomain = \"relay.test\"\ndata = {:?}\n[ssp]\nlisten = \"127.0.0.1:{port}\"\n\
             certificate = {certificate:?}\nkey = {key:?}\n",
            server.0.join("data")
        ),
    );
    let _server = Node::start_on(server, server_config);
    let tls = |more: &str| {
        let text = format!(
            "[[peer]]\ndomain = \"relay.test\"\nurl = \"https://127.0.0.1:{port}/\"\n\
             server_name = \"localhost\"\n{more}\n"
        );
        let config = config(&folder, "home.test", 0, &text);
        let output = output(
            &config,
            &["check", "peer", "relay.test", "--format", "json"],
        );
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let tls = layer(&findings, "tls");
        let text = |field: &str| tls[field].as_str().unwrap_or_default().to_owned();
        (text("verdict"), text("what") + &text("fix"))
    };
    let (verdict, what) = tls(&format!("ca = {:?}", certs.join("ca.pem")));
    assert_eq!(verdict, "ok", "{what}");
    assert!(what.contains("TLS") && what.contains("days left"), "{what}");
    let (verdict, what) = tls("verify = false");
    assert_eq!(verdict, "warning");
    assert!(what.contains("not checked"), "{what}");
    let stranger = folder.0.join("stranger");
    devcerts::generate(&stranger, &wanted, false, SystemTime::now()).unwrap();
    let (verdict, what) = tls(&format!("ca = {:?}", stranger.join("ca.pem")));
    assert_eq!(verdict, "failed");
    assert!(
        what.contains("it shows: names localhost, issued by ") && what.contains("check ca"),
        "{what}"
    );
}

#[test]
fn the_service_table_tells_of_providers_offers_and_agreements() {
    let pair = Pair::start_with("wants = [\"IM\", \"SUBPR\"]", "offers = [\"IMSendFunc\"]");
    let config = &pair.home.config;
    let text = said(config, &["services"]);
    assert!(text.contains("not asked yet"), "{text}");
    assert!(
        text.contains("none yet; asked for when a session is up"),
        "{text}"
    );
    let asked = said(config, &["services", "relay.test", "--discover"]);
    for expected in [
        "ContactListFeat",
        "the peer",
        "BELIEVED UNTIL",
        "it here",
        "we there",
    ] {
        assert!(asked.contains(expected), "{expected} in {asked}");
    }
    // The agreement is made as soon as there is a session; the answer to this is later.
    said(config, &["services", "relay.test", "--refresh"]);
    let table = ask(config, &["services", "relay.test", "--format", "json"]);
    assert_eq!(
        table["peers"][0]["obtained"]["functions"],
        json!(["SENDM", "MDELIV"])
    );
    assert_eq!(table["providers"][0]["pse"], "far.test");
    assert_eq!(table["providers"][0]["via"], "relay.test");
    let other = ask(&pair.relay.config, &["services", "--format", "json"]);
    let (granted, obtained) = (
        &other["peers"][0]["granted"],
        &table["peers"][0]["obtained"],
    );
    assert_eq!(granted["id"], obtained["id"]);
    assert_eq!(granted["served"], json!(["home.test"]));
    let text = said(&pair.relay.config, &["services"]);
    assert!(text.contains(granted["id"].as_str().unwrap()), "{text}");
    // What the check says of it.
    let findings = output(config, &["check", "peer", "relay.test", "--format", "json"]);
    let findings: Value = serde_json::from_slice(&findings.stdout).unwrap();
    let agreement = layer(&findings, "agreement");
    assert_eq!(agreement["verdict"], "warning", "{findings:#}");
    assert!(
        agreement["what"]
            .as_str()
            .unwrap()
            .contains("not granted: SUBPR")
    );
}

#[test]
fn a_relay_is_asked_about_a_domain_behind_it() {
    let pair = Pair::start();
    let own = said(
        &pair.relay.config,
        &[
            "services",
            "home.test",
            "--of",
            "home.test",
            "--format",
            "json",
        ],
    );
    assert!(own.contains("\"domain\":\"home.test\""), "{own}");
    let args = ["services", "relay.test", "--of", "nowhere.test"];
    let (code, why) = failing(&pair.home.config, &args);
    assert_eq!(code, 1);
    assert!(why.contains("relay.test does not say: 516"), "{why}");
    let (code, why) = failing(&pair.home.config, &["services", "far.test"]);
    assert_eq!(code, 1);
    assert!(
        why.contains("far.test is reached through relay.test"),
        "{why}"
    );
    let (_, why) = failing(
        &pair.home.config,
        &["services", "nobody.test", "--discover"],
    );
    assert!(
        why.contains("there is no peer nobody.test; the peers are: relay.test"),
        "{why}"
    );
    assert_eq!(
        failing(&pair.home.config, &["services", "--discover"]).0,
        64
    );
}

#[test]
fn a_peer_that_cannot_be_asked_is_described_by_its_dialect() {
    let folder = Folder::new();
    let text = peer("old.test", free_port(), "dialect = \"baraza\"");
    let config = config(&folder, "home.test", 0, &text);
    let node = Node::start_on(folder, config);
    let text = said(&node.config, &["services"]);
    assert!(text.contains("built-in tree of the dialect"), "{text}");
    let (code, why) = failing(&node.config, &["services", "old.test", "--discover"]);
    assert_eq!(code, 1);
    assert!(why.contains("old.test cannot be asked"), "{why}");
}

#[test]
fn a_relay_echoes_to_a_user_and_can_be_told_not_to() {
    let pair = Pair::start();
    let args = [
        "send",
        "--from",
        "alice",
        "--to",
        "echo@relay.test",
        "--report",
        "hi",
    ];
    let text = said(&pair.home.config, &args);
    assert!(text.contains("echo@relay.test"), "{text}");
    let mut alice = pair.home.chat("alice");
    alice.tell(&json!({"do": "message", "to": "echo@relay.test", "text": "hello?"}));
    let back = alice.wait("message", |message| message["text"] == "hello?");
    assert_eq!(back["from"], "wv:echo@relay.test");
    // It is nobody's home for all that.
    let (code, why) = failing(&pair.relay.config, &["user", "list"]);
    assert_eq!(code, 1);
    assert!(why.contains("no home domain"), "{why}");
    let status = ask(&pair.relay.config, &["status", "--format", "json"]);
    assert_eq!(status["users"], Value::Null);

    let folder = Folder::new();
    let text = "echo = false\n[home]\n[[home.user]]\nname = \"echo\"\npassword = \"echo\"\n";
    let config = folder.file(
        "node.toml",
        &format!(
            "[ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n[node]\ndomain = \"quiet.test\"\n\
             data = {:?}\n{text}",
            folder.0.join("data")
        ),
    );
    let quiet = Node::start_on(folder, config);
    let users = ask(&quiet.config, &["user", "list", "--format", "json"]);
    assert_eq!(users[0]["user"], "echo");
}

#[test]
fn what_waits_for_a_peer_is_listed() {
    let folder = Folder::new();
    let text = "response_timeout = \"1s\"\n".to_owned()
        + &peer("relay.test", free_port(), "")
        + "[home]\n[[home.user]]\nname = \"alice\"\npassword = \"alice\"\n";
    let config = config(&folder, "home.test", free_port(), &text);
    let node = Node::start_on(folder, config);
    let mut alice = node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "echo@relay.test", "text": "hi", "id": "m-7"}));
    alice.wait("sent", |sent| sent["status"] == 202);
    let rows = ask(
        &node.config,
        &["queue", "--peer", "relay.test", "--format", "json"],
    );
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows:#}");
    assert_eq!(rows[0]["primitive"], "SendMessageRequest");
    assert_eq!(rows[0]["message"], "m-7");
    assert!(rows[0]["bytes"].as_u64() > Some(100), "{rows:#}");
    let nobody = ask(
        &node.config,
        &["queue", "--peer", "other.test", "--format", "json"],
    );
    assert_eq!(nobody, json!([]));
}

#[test]
fn a_key_that_has_moved_says_where() {
    let folder = Folder::new();
    let config = config(&folder, "home.test", 0, "[home]\necho = false\n");
    let (code, why) = failing(&config, &["run"]);
    assert_eq!(code, 64);
    assert!(
        why.contains("home.echo") && why.contains("write echo in [node]"),
        "{why}"
    );
}

/// `wvgate trace --format json` with these conditions.
struct Watching {
    child: Child,
    lines: Receiver<Value>,
}

impl Watching {
    fn start(node: &Node, conditions: &[&str]) -> Self {
        let mut child = wvgate(&node.config)
            .args(["trace", "--format", "json"])
            .args(conditions)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, lines }
    }

    /// All that was shown until this was.
    fn until(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => seen.push(line),
                Err(error) => panic!("{error}; saw {seen:#?}"),
            }
            if seen.last().is_some_and(&wanted) {
                return seen;
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn traces_are_narrowed_to_a_peer_a_user_or_a_message() {
    let pair = Pair::start();
    let everything = Watching::start(&pair.home, &[]);
    let of_peer = Watching::start(&pair.home, &["--peer", "relay.test"]);
    let of_alice = Watching::start(&pair.home, &["--user", "Alice@home.test"]);
    let of_message = Watching::start(&pair.home, &["--transaction", "m-1"]);
    let mut alice = pair.home.chat("alice");
    // Until all four are surely listening, a message each time.
    let mut heard = |watching: &Watching, id: &str| {
        for _ in 0..PATIENCE.as_millis() / 100 {
            alice.tell(&json!({"do": "message", "to": "echo@relay.test", "text": "x", "id": id}));
            let sent = alice.wait("sent", |sent| sent["id"] == id);
            assert_eq!(sent["status"], 200);
            if watching.lines.try_recv().is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("nothing is shown");
    };
    heard(&everything, "m-0");
    heard(&of_peer, "m-0");
    heard(&of_alice, "m-0");
    heard(&of_message, "m-1");
    alice.tell(&json!({"do": "message", "to": "alice", "text": "x", "id": "m-2"}));
    alice.wait("sent", |sent| sent["id"] == "m-2");
    alice.tell(&json!({"do": "message", "to": "echo@relay.test", "text": "last", "id": "m-3"}));
    alice.wait("message", |message| message["text"] == "last");

    let last = |line: &Value| line["message"] == "m-3";
    assert!(
        of_peer
            .until(last)
            .iter()
            .all(|line| line["peer"] == "relay.test")
    );
    let seen = of_alice.until(last);
    assert!(seen.iter().any(|line| line["user"] == "wv:alice@home.test"));
    of_alice.until(|line| {
        line["user"] == "wv:echo@relay.test" && line["to"] == json!(["wv:alice@home.test"])
    });
    everything.until(last);
    let shown: Vec<Value> = of_message.lines.try_iter().collect();
    assert!(!shown.iter().any(last), "{shown:#?}");
    let (code, why) = failing(&pair.home.config, &["trace", "--peer", "nobody.test"]);
    assert_eq!(code, 1);
    assert!(why.contains("the peers are: relay.test"), "{why}");
}
