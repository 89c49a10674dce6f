//! `wvgate run` and what talks to the running node.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use wvgate::http::devcerts::{self, Wanted};

use crate::cli_node::{
    Folder, Node, PATIENCE, free_port, json as ask, output, said, with_input, wvgate,
};
use crate::cli_partner::{config, peer};
use crate::support::cluster::Cluster;

#[test]
fn two_users_talk() {
    let node = Node::start();
    let mut alice = node.chat("alice");
    let mut carol = node.chat("carol");
    alice.tell(&json!({"do": "message", "to": "carol", "text": "hello", "report": true}));
    let sent = alice.wait("sent", |_| true);
    assert_eq!(sent["status"], 200);
    let message = carol.wait("message", |_| true);
    assert_eq!(message["text"], "hello");
    assert_eq!(message["from"], "wv:alice@village.test");
    let report = alice.wait("report", |report| report["id"] == sent["id"]);
    assert_eq!(report["status"], 200);

    carol.tell(&json!({"do": "authorize", "user": "alice", "accept": true}));
    carol.wait("done", |_| true);
    alice.tell(&json!({"do": "subscribe", "user": "carol"}));
    alice.wait("presence", |event| event["online"] == true);
    carol.tell(&json!({"do": "presence", "availability": "discreet", "text": "brb"}));
    alice.wait("presence", |event| event["text"] == "brb");
    carol.quit();
    alice.wait("presence", |event| event["online"] == false);
}

#[test]
fn a_message_for_an_absent_user_survives_a_crash_and_comes_once() {
    let mut node = Node::start();
    let mut alice = node.chat("alice");
    alice.tell(
        &json!({"do": "message", "to": "carol", "text": "later", "id": "m-1", "report": true}),
    );
    assert_eq!(alice.wait("sent", |_| true)["status"], 200);
    node.crash_and_restart();
    let mut carol = node.chat("carol");
    assert_eq!(carol.wait("message", |_| true)["id"], "m-1");
    assert!(carol.quit().iter().all(|event| event["event"] != "message"));
    // Once that is reported the node has heard that she took it.
    let mut alice = node.chat("alice");
    assert_eq!(alice.wait("report", |_| true)["status"], 200);
    node.crash_and_restart();
    let carol = node.chat("carol");
    assert!(carol.quit().iter().all(|event| event["event"] != "message"));
}

#[test]
fn a_script_may_chat_by_a_pipe() {
    let node = Node::start();
    let mut command = wvgate(&node.config);
    command
        .args(["chat", "alice"])
        .env("WVGATE_PASSWORD", "alice");
    let output = with_input(
        command,
        "/to nobody\nhello\n/to carol hi\n/who\n/nonsense\n",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for line in [
        "* you are alice@village.test",
        "* NOT sent to nobody@village.test: 531",
        "* taken by village.test for carol@village.test",
        "* no contacts",
        "there is no command /nonsense",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn users_are_made_listed_changed_and_removed() {
    let node = Node::start();
    let pass = |args: &[&str], password: &str| {
        let mut command = wvgate(&node.config);
        command.args(args).env("WVGATE_PASSWORD", password);
        command.output().unwrap()
    };
    assert!(pass(&["user", "add", "Bob"], "one").status.success());
    let again = pass(&["user", "add", "bob"], "one");
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    let bad = pass(&["user", "add", "a b"], "one");
    assert_eq!(bad.status.code(), Some(1));

    let users = ask(&node.config, &["user", "list", "--format", "json"]);
    let names: Vec<&str> = users
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["user"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["alice", "bob", "carol"]);
    assert!(said(&node.config, &["user", "list"]).contains("wv:bob@village.test"));

    let bob = ask(&node.config, &["user", "show", "bob", "--format", "json"]);
    assert_eq!(bob["address"], "wv:bob@village.test");
    let im = json!({"name": "IM", "status": "Active", "pse": null});
    assert_eq!(bob["services"][1], im);
    assert!(said(&node.config, &["user", "show", "bob"]).contains("UserLocation"));
    let nobody = output(&node.config, &["user", "show", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1));

    let chat = |password| pass(&["chat", "bob"], password).status.code();
    assert_eq!(chat("one"), Some(0));
    assert!(pass(&["user", "passwd", "bob"], "two").status.success());
    assert_eq!(chat("one"), Some(1));
    assert_eq!(chat("two"), Some(0));
    said(&node.config, &["user", "remove", "bob"]);
    assert_eq!(chat("two"), Some(1));
    let gone = output(&node.config, &["user", "remove", "bob"]);
    assert_eq!(gone.status.code(), Some(1));
}

#[test]
fn an_operator_makes_shows_and_ends_a_group() {
    let mut node = Node::start();
    let said = |node: &Node, args: &[&str]| said(&node.config, args);
    let set = [
        "--set",
        "Topic=What is new",
        "--set",
        "AccessType=Restricted",
    ];
    let add = [&["group", "add", "news", "--admin", "alice"][..], &set].concat();
    said(&node, &add);
    for wrong in [
        &add[..],
        &["group", "add", "a b"],
        &["group", "add", "x", "--set", "Hat=T"],
    ] {
        assert_eq!(
            output(&node.config, wrong).status.code(),
            Some(1),
            "{wrong:?}"
        );
    }
    node.crash_and_restart();
    let list = said(&node, &["group", "list"]);
    assert!(list.contains("wv:/news@village.test"), "{list}");
    let group = ask(&node.config, &["group", "show", "news", "--format", "json"]);
    assert_eq!(group["properties"]["Type"], "Public");
    assert_eq!(group["members"]["wv:alice@village.test"], "Admin");
    let shown = said(&node, &["group", "show", "/news@village.test"]);
    assert!(shown.contains("Restricted"), "{shown}");
    said(&node, &["group", "remove", "news"]);
    let gone = output(&node.config, &["group", "remove", "news"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(!said(&node, &["group", "list"]).contains("news"));
}

#[test]
fn passwords_survive_a_crash_right_after_they_were_set() {
    let mut node = Node::start();
    let mut command = wvgate(&node.config);
    command
        .args(["user", "passwd", "alice"])
        .env("WVGATE_PASSWORD", "new");
    assert!(command.status().unwrap().success());
    node.crash_and_restart();
    let mut command = wvgate(&node.config);
    command
        .args(["chat", "alice"])
        .env("WVGATE_PASSWORD", "new");
    assert!(command.output().unwrap().status.success());
}

#[test]
fn a_wrong_password_is_refused_like_an_unknown_user() {
    let node = Node::start();
    let try_as = |user: &str| {
        let mut command = wvgate(&node.config);
        command.args(["chat", user]).env("WVGATE_PASSWORD", "wrong");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(try_as("alice"), try_as("nobody"));
}

#[test]
fn a_message_is_sent_with_its_delivery_report_and_explained() {
    let node = Node::start();
    let args = [
        "send", "--from", "alice", "--to", "echo", "--report", "--format", "json", "hi",
    ];
    let sent = ask(&node.config, &args);
    assert_eq!(sent["sent"], 200);
    assert_eq!(sent["report"], 200);
    let id = sent["id"].as_str().unwrap();
    let told = ask(&node.config, &["explain", id, "--format", "json"]);
    assert_eq!(told["messages"][0]["message"], id);
    assert_eq!(told["messages"][0]["parts"][0]["state"], "delivered");
    assert!(!told["traces"].as_array().unwrap().is_empty());
    let words = said(&node.config, &["explain", id]);
    assert!(words.contains("delivered"), "{words}");
    assert!(words.contains("ended: delivered"), "{words}");

    let refused = output(
        &node.config,
        &["send", "--from", "alice", "--to", "nobody", "hi"],
    );
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("not taken: 531"), "{why}");
    let unknown = output(&node.config, &["explain", "no-such-id"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn counters_add_up_after_mixed_traffic() {
    let mut node = Node::start();
    let mut alice = node.chat("alice");
    for (to, text) in [
        ("echo", "one"),
        ("carol", "two"),
        ("nobody", "three"),
        ("someone@nowhere.test", "four"),
        ("carol", "five"),
    ] {
        alice.tell(&json!({"do": "message", "to": to, "text": text, "id": text}));
        alice.wait("sent", |sent| sent["id"] == text);
    }
    alice.tell(&json!({"do": "message", "to": "carol", "text": "two", "id": "two"}));
    alice.wait("sent", |sent| sent["id"] == "two");
    alice.quit();
    let sums = |node: &Node| {
        let status = ask(&node.config, &["status", "--format", "json"]);
        let number = |name: &str| status[name].as_u64().unwrap();
        (number("accepted"), number("ended"))
    };
    // Two messages wait for carol.
    let (accepted, ended) = sums(&node);
    assert_eq!(accepted, ended + 2);
    assert_eq!(node.metric("wvgate_messages_offline"), 2);
    assert_eq!(node.metric("wvgate_messages_queued"), 0);
    node.crash_and_restart();
    assert_eq!(sums(&node), (accepted, ended));
    let mut carol = node.chat("carol");
    for text in ["two", "five"] {
        carol.wait("message", |message| message["text"] == text);
    }
    carol.quit();
    // The node may hear that alice took them a moment after the end.
    for _ in 0..500 {
        if sums(&node) == (accepted, accepted) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(sums(&node), (accepted, accepted));
}

#[test]
fn health_and_metrics_are_served() {
    let node = Node::start();
    assert_eq!(node.get("/live"), (200, "ok\n".to_owned()));
    assert_eq!(node.get("/ready"), (200, "ok\n".to_owned()));
    assert_eq!(node.get("/else").0, 404);
    let (status, text) = node.get("/metrics");
    assert_eq!(status, 200);
    for family in [
        "wvgate_messages_queued",
        "wvgate_users",
        "wvgate_store_healthy",
        "wvgate_store_room",
    ] {
        assert!(text.contains(&format!("# TYPE {family} gauge")), "{text}");
    }
    // A rate can be made of what has not happened yet.
    for counter in [
        "wvgate_messages_accepted_total 0",
        "wvgate_messages_ended_total{outcome=\"expired\"} 0",
        "wvgate_posts_retried_total 0",
        "wvgate_handshakes_total{result=\"failed\"} 0",
        "wvgate_loops_cut_total 0",
    ] {
        assert!(
            text.lines().any(|line| line == counter),
            "{counter}: {text}"
        );
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn a_node_without_its_xmpp_server_lives_but_is_not_ready() {
    let nobody = crate::cli_node::free_port();
    let node = Node::start_with(&format!(
        "[xmpp]\nserver = \"127.0.0.1:{nobody}\"\ndomain = \"xmpp.test\"\n\
         [[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n"
    ));
    assert_eq!(node.get("/live").0, 200);
    let (status, why) = node.get("/ready");
    assert_eq!(status, 503);
    assert_eq!(why, "xmpp: component village.test is not connected\n");
    assert!(said(&node.config, &["status"]).contains("component village.test is DOWN"));
    assert_eq!(
        node.metric("wvgate_xmpp_component_up{component=\"village.test\"}"),
        0
    );
}

#[test]
fn a_signal_drains_and_ends_well() {
    for signal in ["TERM", "INT"] {
        let mut node = Node::start();
        node.signal(signal);
        assert_eq!(node.wait(), Some(0), "{signal}");
        assert!(!node.folder.0.join("data/wvgate.sock").exists());
        let status = output(&node.config, &["status"]);
        assert_eq!(status.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&status.stderr).contains("no node answers"));
    }
}

#[test]
fn stop_waits_for_the_end() {
    let mut node = Node::start();
    assert_eq!(said(&node.config, &["stop"]), "stopped\n");
    assert_eq!(node.wait(), Some(0));
}

#[test]
fn a_node_that_is_about_to_stop_is_not_ready() {
    let (home, relay) = (free_port(), free_port());
    let folder = Folder::new();
    let relay_config = config(&folder, "relay.test", relay, &peer("home.test", home, ""));
    let relay_node = Node::start_on(folder, relay_config);
    let folder = Folder::new();
    let more = "[admin]\nlisten = \"127.0.0.1:0\"\n[home]\n[[home.user]]\nname = \"alice\"\n\
                password = \"alice\"\n";
    let text = peer("relay.test", relay, "connect = \"always\"") + more;
    let home_config = config(&folder, "home.test", home, &text);
    let mut node = Node::start_on(folder, home_config);
    let until = |wanted: &dyn Fn(&Value) -> bool| {
        for _ in 0..PATIENCE.as_millis() / 20 {
            if wanted(&ask(&node.config, &["peers", "--format", "json"])[0]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{}", said(&node.config, &["peers"]));
    };
    until(&|peer| peer["state"] == "up");
    // It takes what comes and says nothing: the node waits for it a while.
    relay_node.signal("STOP");
    let mut alice = node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "echo@relay.test", "text": "hello?"}));
    until(&|peer| peer["posting"] == 1);
    assert_eq!(node.get("/ready"), (200, "ok\n".to_owned()));
    node.signal("TERM");
    let said = loop {
        let (status, body) = node.get("/ready");
        if status != 200 {
            break (status, body);
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(said, (503, "the node is about to stop\n".to_owned()));
    assert_eq!(node.get("/live").0, 200);
    relay_node.signal("CONT");
    assert_eq!(node.wait(), Some(0));
}

#[test]
fn a_bad_new_configuration_changes_nothing() {
    let node = Node::start();
    let good = std::fs::read_to_string(&node.config).unwrap();
    let peer =
        "[[peer]]\ndomain = \"other.test\"\nurl = \"http://127.0.0.1:1/\"\nallow_plain = true\n";
    std::fs::write(&node.config, format!("{good}{peer}")).unwrap();
    assert!(said(&node.config, &["reload"]).contains("was read again"));
    let peers = ask(&node.config, &["peers", "--format", "json"]);
    assert_eq!(peers[0]["domain"], "other.test");

    // The command line reads the file too, so it is told where the socket is.
    std::fs::write(&node.config, format!("{good}{peer}nonsense = 1\n")).unwrap();
    let socket = node.folder.0.join("data/wvgate.sock");
    let socket = socket.to_str().unwrap();
    let refused = output(&node.config, &["--socket", socket, "reload"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nonsense"));
    node.signal("HUP");
    let peers = said(&node.config, &["--socket", socket, "peers"]);
    assert!(peers.contains("other.test"), "{peers}");
}

#[test]
fn a_peer_is_added_to_the_file_and_to_the_node_that_runs() {
    use std::os::unix::fs::PermissionsExt as _;
    let node = Node::start();
    let before = std::fs::read_to_string(&node.config).unwrap();
    let private = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(&node.config, private).unwrap();
    let add = ["peer", "add", "relay.test", "--url", "http://127.0.0.1:1/"];
    let told = said(
        &node.config,
        &[&add[..], &["--plain", "--serves", "*"]].concat(),
    );
    assert!(
        told.ends_with("next: wvgate check peer relay.test\n"),
        "{told}"
    );
    let after = std::fs::read_to_string(&node.config).unwrap();
    assert!(after.starts_with(&before), "{after}");
    let mode = std::fs::metadata(&node.config)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let peers = ask(&node.config, &["peers", "--format", "json"]);
    assert_eq!(peers[0]["domain"], "relay.test");
    // Nothing is written that could not be read.
    let again = output(&node.config, &add);
    assert_eq!(again.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&again.stderr).contains("relay.test"));
    assert_eq!(std::fs::read_to_string(&node.config).unwrap(), after);
}

#[test]
fn a_renewed_certificate_is_taken_over_by_itself_and_with_it_nothing_else() {
    let folder = Folder::new();
    let certs = folder.0.join("certs");
    let wanted = [Wanted::parse("village.test").unwrap()];
    let make = |at: SystemTime| devcerts::generate(&certs, &wanted, true, at).unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    make(yesterday);
    let (certificate, key) = (
        certs.join("village.test.pem"),
        certs.join("village.test.key"),
    );
    let text = format!(
        "[node]\ndomain = \"village.test\"\ndata = {:?}\n\
         [ssp]\nlisten = \"127.0.0.1:0\"\ncertificate = {certificate:?}\nkey = {key:?}\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n",
        folder.0.join("data")
    );
    let config = folder.file("node.toml", &text);
    let node = Node::start_on(folder, config);
    let name = format!(
        "wvgate_certificate_not_after_seconds{{file=\"{}\"}}",
        certificate.display()
    );
    let before = node.metric(&name);
    assert_ne!(before, 0);
    // A change of the configuration waits until somebody wants it.
    let peer =
        "[[peer]]\ndomain = \"other.test\"\nurl = \"http://127.0.0.1:1/\"\nallow_plain = true\n";
    std::fs::write(&node.config, format!("{text}{peer}")).unwrap();
    make(SystemTime::now());
    for _ in 0..PATIENCE.as_millis() / 20 {
        if node.metric(&name) != before {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // As the clock of the certificates goes.
    assert!(node.metric(&name) >= before + 86_400);
    let peers = ask(&node.config, &["peers", "--format", "json"]);
    assert_eq!(peers, json!([]));
}

#[test]
fn the_control_socket_is_the_owners_alone_and_a_stale_one_is_replaced() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    let mut node = Node::start();
    let socket = node.folder.0.join("data/wvgate.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    node.crash_and_restart();
    said(&node.config, &["status"]);

    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(b"{\"do\":\"dance\"}\n").unwrap();
    // An endless line: the node answers and hangs up, perhaps before all is written.
    let _ = stream.write_all(&vec![b'x'; 70_000]);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("cannot be understood"), "{answer}");
    said(&node.config, &["status"]);
}

#[test]
fn what_happens_can_be_followed() {
    use std::io::BufRead as _;
    let node = Node::start();
    let mut trace = wvgate(&node.config)
        .args(["trace", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(trace.stdout.take().unwrap()).lines();
    // Messages go on until the first trace has come: there is no sign that it listens.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                said(
                    &node.config,
                    &["send", "--from", "alice", "--to", "echo", "x"],
                );
            }
        });
        let line = lines.next().unwrap().unwrap();
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        let trace: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(trace["time"].is_u64(), "{line}");
        assert!(!line.contains("\"x\""), "{line}");
    });
    trace.kill().unwrap();
    trace.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_and_ended_and_a_stopping_node_logs_out() {
    let mut cluster = Cluster::new(&["b.test"]);
    let peer = |domain: &str, url: &str| {
        format!("[[peer]]\ndomain = \"{domain}\"\nurl = \"{url}\"\nallow_plain = true\n")
    };
    let url = format!("http://127.0.0.1:{}/", cluster.ports["b.test"]);
    let mut node = Node::start_with(&peer("b.test", &url));
    let bound = node.bound.iter().find(|line| line.starts_with("SSP"));
    let bound = bound.unwrap().split_whitespace().last().unwrap().to_owned();
    cluster.start("b.test", &peer("village.test", &bound)).await;
    let there = cluster.node("b.test").handle().clone();
    let there = || there.ask_for_peer("village.test", |core, _, _| core.sap.session_views().len());

    let up = || {
        said(&node.config, &["peer", "connect", "b.test"]);
        for _ in 0..1_000 {
            let rows = ask(&node.config, &["sessions", "--format", "json"]);
            if let Some(row) = rows.as_array().unwrap().first() {
                return row.clone();
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("no session comes up")
    };
    let row = up();
    assert_eq!(
        (&row["peer"], &row["opened_by_us"]),
        (&"b.test".into(), &true.into())
    );
    assert!(row["idle"].is_u64() && row["ends_in"].is_u64(), "{row}");
    // Whoever knows a session's id may speak in it: it is never shown whole.
    let other = cluster.node("b.test").handle();
    let whole = other
        .ask_for_peer("village.test", |core, _, _| core.sap.session_views())
        .await
        .unwrap();
    for (field, id) in [("own_id", &whole[0].peer_id), ("peer_id", &whole[0].own_id)] {
        let id = id.as_str();
        let shown = row[field].as_str().unwrap();
        let begin = shown.strip_suffix('…').unwrap();
        assert!(
            id.starts_with(begin) && begin.len() < id.len() / 2,
            "{shown}"
        );
    }
    let table = said(&node.config, &["sessions"]);
    assert!(
        table.contains("OPENED BY") && table.contains("  us  "),
        "{table}"
    );
    let logout = ["peer", "logout", "b.test", "--reason", "a test"];
    let ended = said(&node.config, &logout);
    assert_eq!(ended, "b.test: 1 sessions ended, the peer was told\n");
    assert_eq!(there().await.unwrap(), 0);

    up();
    node.signal("TERM");
    assert_eq!(node.wait(), Some(0));
    assert_eq!(there().await.unwrap(), 0);
}

/// A connection to the admin port.
fn to_admin(node: &Node) -> std::net::TcpStream {
    let line = node.bound.iter().find(|line| line.starts_with("admin"));
    let address = line.unwrap().split("http://").nth(1).unwrap();
    std::net::TcpStream::connect(address.split('/').next().unwrap()).unwrap()
}

#[test]
fn idle_connections_keep_nobody_from_the_health_of_a_node() {
    let node = Node::start();
    let idle: Vec<_> = (0..200).map(|_| to_admin(&node)).collect();
    for _ in 0..10 {
        assert_eq!(node.get("/live"), (200, "ok\n".to_owned()));
    }
    drop(idle);
}

#[test]
fn another_machines_name_does_not_lead_to_the_health_of_a_node() {
    use std::io::{Read as _, Write as _};
    let node = Node::start();
    for (host, status) in [
        ("evil.test", "421"),
        ("evil.test:80", "421"),
        ("localhost.evil.test", "421"),
        ("127.0.0.1.evil.test", "421"),
        ("localhost", "200"),
        ("LOCALHOST:9090", "200"),
        ("127.0.0.1:1", "200"),
        ("[::1]:1", "200"),
    ] {
        let mut stream = to_admin(&node);
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status), "{host}: {answer}");
    }
}

#[test]
fn whether_a_node_without_its_peers_is_ready_is_policy() {
    let nobody = crate::cli_node::free_port();
    let peer = format!(
        "[[peer]]\ndomain = \"b.test\"\nurl = \"http://127.0.0.1:{nobody}/\"\nallow_plain = true\n"
    );
    for (policy, ready, why) in [
        ("none", true, ""),
        ("any", false, "peers: none is up"),
        ("all", false, "peers: 1 of 1 not up"),
    ] {
        let folder = crate::cli_node::Folder::new();
        let data = folder.0.join("data");
        let config = folder.file(
            "node.toml",
            &format!(
                "[node]\ndomain = \"village.test\"\ndata = {data:?}\n\
                 [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n\
                 [admin]\nlisten = \"127.0.0.1:0\"\nready_peers = \"{policy}\"\n{peer}"
            ),
        );
        let node = Node::start_on(folder, config);
        let (status, body) = node.get("/ready");
        assert_eq!(
            (status == 200, status == 503),
            (ready, !ready),
            "{policy}: {body}"
        );
        assert!(body.contains(why), "{policy}: {body}");
        let said = crate::cli_node::output(&node.config, &["status", "--ready"]);
        assert_eq!(said.status.code(), Some(i32::from(!ready)), "{policy}");
        assert!(
            String::from_utf8(said.stdout).unwrap().contains(why),
            "{policy}"
        );
    }
}

#[test]
fn a_login_is_tried_when_it_is_asked_for_and_its_exit_code_says_what_became_of_it() {
    let nobody = crate::cli_node::free_port();
    let node = Node::start_with(&format!(
        "[[peer]]\ndomain = \"b.test\"\nurl = \"http://127.0.0.1:{nobody}/\"\nallow_plain = true\n"
    ));
    for _ in 0..2 {
        let said = crate::cli_node::output(&node.config, &["peer", "connect", "b.test"]);
        let why = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(1), "{why}");
        assert!(why.contains("b.test: no session: step 1"), "{why}");
    }
    let peers = said(&node.config, &["peers"]);
    assert!(peers.contains("NO LOGIN BEFORE"), "{peers}");
}
