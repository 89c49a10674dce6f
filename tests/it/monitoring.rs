//! What an operator watches: the metrics of a running node, the alerts and the dashboard on them.
//! Prometheus' own tool reads all three.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wvgate::http::devcerts::{self, Wanted};
use wvgate::http::tls;

use crate::cli_node::{Folder, Node, free_port, output, said, with_input, wvgate};
use crate::cli_partner::{config, peer};

/// Metrics that are not there where no certificate is shown.
const CERTIFICATES: [&str; 2] = [
    "wvgate_certificate_not_after_seconds",
    "wvgate_peer_certificate_not_after_seconds",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn promtool() -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir));
    let tool = target.join("tools/promtool");
    let missing = "run scripts/install-test-tools.sh first";
    assert!(tool.exists(), "{} is missing: {missing}", tool.display());
    Command::new(tool)
}

/// A node with all that can be measured, of which nobody answers.
fn node_with_everything() -> Node {
    let nobody = free_port();
    Node::start_with(&format!(
        "[clients]\nlisten = \"127.0.0.1:0\"\nplain_login = \"always\"\n{}\
         [xmpp]\nserver = \"127.0.0.1:{nobody}\"\ndomain = \"xmpp.test\"\n\
         [[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n",
        peer("other.test", nobody, "")
    ))
}

/// Names of the metrics of a text, as they stand in its lines.
fn metrics_of(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names = lines.map(|line| line.split(['{', ' ']).next().unwrap_or_default());
    names.map(str::to_owned).collect()
}

/// Names of metrics in an expression: words that begin as those of the node or of its process do.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| word.starts_with("wvgate_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

/// The value of a line of metrics.
fn value(text: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn every_family_has_its_values_from_the_start_and_prometheus_likes_them() {
    let node = node_with_everything();
    let (_, text) = node.get("/metrics");
    let metrics = metrics_of(&text);
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, kind) = line.split_once(' ').unwrap();
        let name = match kind {
            "histogram" => format!("{family}_count"),
            _ => family.to_owned(),
        };
        // No certificate is shown here.
        let is_there = metrics.contains(&name) || family.ends_with("certificate_not_after_seconds");
        assert!(is_there, "{family} has no value: {text}");
        assert_eq!(text.matches(&format!("# TYPE {family} ")).count(), 1);
    }
    for (name, wanted) in [
        ("wvgate_requests_refused_total{code=\"901\"}", 0.0),
        (
            "wvgate_messages_ended_total{outcome=\"refused\",code=\"531\"}",
            0.0,
        ),
        ("wvgate_bodies_too_large_total", 0.0),
        ("wvgate_xmpp_silent_total{kind=\"chat state\"}", 0.0),
        ("wvgate_peer_post_seconds_count{peer=\"other.test\"}", 0.0),
        ("wvgate_xmpp_link_waiting{component=\"village.test\"}", 0.0),
        ("wvgate_build_info{version=\"VERSION\"}", 1.0),
    ] {
        let name = name.replace("VERSION", env!("CARGO_PKG_VERSION"));
        assert_eq!(value(&text, &name), Some(wanted), "{name}: {text}");
    }
    for (name, least) in [
        ("process_resident_memory_bytes", 1e6),
        ("process_threads", 1.0),
        ("process_open_fds", 5.0),
        ("process_start_time_seconds", 1.7e9),
    ] {
        assert!(value(&text, name) >= Some(least), "{name}: {text}");
    }
    let mut check = promtool();
    check.args(["check", "metrics"]);
    let checked = with_input(check, &text);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
}

#[test]
fn what_a_peer_sends_and_answers_is_counted_and_timed() {
    let (near, far) = (free_port(), free_port());
    let folder = Folder::new();
    let far_config = config(&folder, "far.test", far, &peer("near.test", near, ""));
    let _far = Node::start_on(folder, far_config);
    let folder = Folder::new();
    let more = "[admin]\nlisten = \"127.0.0.1:0\"\n[home]\n[[home.user]]\nname = \"alice\"\n\
                password = \"alice\"\n";
    let text = peer("far.test", far, "") + more;
    let near_config = config(&folder, "near.test", near, &text);
    let node = Node::start_on(folder, near_config);
    let mut alice = node.chat("alice");
    alice.tell(&json!({"do": "message", "to": "echo@far.test", "text": "hello"}));
    // The echo is a message of its own, so all has gone both ways by then.
    alice.wait("message", |message| message["text"] == "hello");
    let (_, text) = node.get("/metrics");
    for name in [
        "wvgate_peer_received_transactions_total{peer=\"far.test\"}",
        "wvgate_peer_received_bytes_total{peer=\"far.test\"}",
        "wvgate_peer_posted_bytes_total{peer=\"far.test\"}",
        "wvgate_peer_answer_seconds_count{peer=\"far.test\"}",
        "wvgate_store_commit_seconds_count",
    ] {
        assert!(value(&text, name) >= Some(1.0), "{name}: {text}");
    }
    // The answer may come before the acknowledgement of the post.
    let sent = "wvgate_peer_sent_transactions_total{peer=\"far.test\"}";
    let deadline = std::time::Instant::now() + crate::cli_node::PATIENCE;
    let text = loop {
        let (_, text) = node.get("/metrics");
        if value(&text, sent) >= Some(1.0) {
            break text;
        }
        assert!(std::time::Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(20));
    };
    let posts = "wvgate_peer_post_seconds_count{peer=\"far.test\"}";
    assert!(value(&text, posts) >= Some(1.0), "{text}");
}

#[test]
fn how_long_the_oldest_has_waited_is_told_and_survives_a_restart() {
    let nobody = free_port();
    let mut node = Node::start_with(&peer("gone.test", nobody, ""));
    let mut alice = node.chat("alice");
    let oldest = "wvgate_peer_outbox_oldest_seconds{peer=\"gone.test\"}";
    let (_, text) = node.get("/metrics");
    assert_eq!(value(&text, oldest), Some(0.0));
    alice.tell(&json!({"do": "message", "to": "bob@gone.test", "text": "later"}));
    alice.wait("sent", |_| true);
    let since = |node: &Node| {
        let rows: Value = serde_json::from_str(&said(&node.config, &["queue", "--format", "json"]))
            .expect("JSON");
        rows[0]["since"].as_u64().expect("since when it waits")
    };
    let before = since(&node);
    let (_, text) = node.get("/metrics");
    assert!(value(&text, oldest) > Some(0.0), "{text}");
    node.crash_and_restart();
    // A clock that is set meanwhile moves both.
    assert!(since(&node).abs_diff(before) < 60_000);
    let (_, text) = node.get("/metrics");
    assert!(value(&text, oldest) > Some(0.0), "{text}");
}

#[test]
fn each_alert_is_on_what_is_measured_and_leads_to_what_is_to_be_done() {
    let rules = read("packaging/prometheus/alerts.yml");
    let (_, text) = node_with_everything().get("/metrics");
    let mut measured = metrics_of(&text);
    measured.extend(CERTIFICATES.map(str::to_owned));
    let guide = read("docs/operating.md");
    let after = |line: &str, key: &str| {
        line.trim()
            .strip_prefix(key)
            .map(|rest| rest.trim().to_owned())
    };
    let all =
        |key: &str| -> Vec<String> { rules.lines().filter_map(|line| after(line, key)).collect() };
    let (names, expressions) = (all("- alert:"), all("expr:"));
    let runbooks = all("runbook_url:");
    assert!(names.len() > 20 && names.len() == expressions.len() && names.len() == runbooks.len());
    for ((name, expression), runbook) in names.iter().zip(&expressions).zip(&runbooks) {
        for metric in metrics_in(expression) {
            assert!(
                measured.contains(&metric),
                "{name}: nothing measures {metric}"
            );
        }
        let (_, anchor) = runbook.split_once("docs/operating.md#").unwrap();
        assert_eq!(*anchor, name.to_lowercase());
        assert!(
            guide.contains(&format!("\n### {name}\n")),
            "{name} is not explained"
        );
    }
    for args in [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts-test.yml"],
    ] {
        let output = promtool()
            .args(args)
            .current_dir(root().join("packaging/prometheus"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
}

#[test]
fn each_query_of_the_dashboard_is_on_what_is_measured() {
    let dashboard: Value = serde_json::from_str(&read("packaging/grafana/wvgate.json")).unwrap();
    let (_, text) = node_with_everything().get("/metrics");
    let mut measured = metrics_of(&text);
    measured.extend(CERTIFICATES.map(str::to_owned));
    let mut queries = Vec::new();
    collect(&dashboard, &mut queries);
    assert!(queries.len() > 40, "{queries:?}");
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (at, query) in queries.iter().enumerate() {
        let metrics = metrics_in(query);
        assert!(!metrics.is_empty() || query.starts_with("up{"), "{query}");
        for metric in metrics {
            assert!(
                measured.contains(&metric),
                "{query}: nothing measures {metric}"
            );
        }
        // Grafana puts a span in its place.
        let query = serde_json::to_string(&query.replace("$__rate_interval", "1m")).unwrap();
        rules += &format!("      - record: dashboard:{at}\n        expr: {query}\n");
    }
    let folder = Folder::new();
    let file: PathBuf = folder.file("dashboard.yml", &rules);
    let output = promtool()
        .args(["check", "rules"])
        .arg(file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// All expressions below a value.
fn collect(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(query) if key == "expr" => queries.push(query.to_owned()),
                    _ => collect(value, queries),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, queries)),
        _ => {}
    }
}

#[test]
fn when_a_certificate_ends_is_told_and_a_reload_tells_of_the_new_one() {
    let certs = Folder::new();
    let wanted = [Wanted::parse("localhost").unwrap()];
    let file = certs.0.join("localhost.pem");
    let ends = || {
        let facts = tls::certificate_facts(&file).unwrap();
        let since = facts.not_after.duration_since(UNIX_EPOCH).unwrap();
        Some(since.as_secs_f64())
    };
    devcerts::generate(&certs.0, &wanted, false, SystemTime::now()).unwrap();
    let node = Node::start_with(&format!(
        "[clients]\nlisten = \"127.0.0.1:0\"\ncertificate = {file:?}\nkey = {:?}\n",
        certs.0.join("localhost.key")
    ));
    let name = format!(
        "wvgate_certificate_not_after_seconds{{file=\"{}\"}}",
        file.display()
    );
    let told = || value(&node.get("/metrics").1, &name);
    let first = ends();
    assert_eq!(told(), first);
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    devcerts::generate(&certs.0, &wanted, true, yesterday).unwrap();
    assert_ne!(ends(), first);
    said(&node.config, &["reload"]);
    assert_eq!(told(), ends());
}

#[test]
fn when_the_certificate_of_a_peer_ends_is_told_as_soon_as_it_was_shown() {
    let (near, far) = (free_port(), free_port());
    let folder = Folder::new();
    let certs = folder.0.join("certs");
    let wanted = [Wanted::parse("localhost").unwrap()];
    devcerts::generate(&certs, &wanted, false, SystemTime::now()).unwrap();
    let (file, key) = (certs.join("localhost.pem"), certs.join("localhost.key"));
    let facts = tls::certificate_facts(&file).unwrap();
    let ends = facts.not_after.duration_since(UNIX_EPOCH).unwrap();
    let more = format!(
        "certificate = {file:?}\nkey = {key:?}\n{}",
        peer("near.test", near, "")
    );
    let ca = certs.join("ca.pem");
    let far_config = config(&folder, "far.test", far, &more);
    let _far = Node::start_on(folder, far_config);
    let folder = Folder::new();
    let more = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[[peer]]\ndomain = \"far.test\"\n\
         url = \"https://localhost:{far}/\"\nca = {ca:?}\n"
    );
    let near_config = config(&folder, "near.test", near, &more);
    let node = Node::start_on(folder, near_config);
    let name = "wvgate_peer_certificate_not_after_seconds{peer=\"far.test\"}";
    assert_eq!(value(&node.get("/metrics").1, name), None);
    said(&node.config, &["peer", "connect", "far.test"]);
    let (_, text) = node.get("/metrics");
    assert_eq!(value(&text, name), Some(ends.as_secs_f64()), "{text}");
}

#[test]
fn what_is_logged_changes_while_the_node_runs() {
    let node = Node::start();
    let log = |args: &[&str]| said(&node.config, &[&["log"], args].concat());
    assert_eq!(log(&[]), "info\n");
    let told = log(&["info,wvgate::sap=debug", "--for", "10m"]);
    assert!(told.starts_with("info,wvgate::sap=debug  (for "), "{told}");
    assert!(told.ends_with(", then info)\n"), "{told}");
    assert_eq!(log(&["warn"]), "warn  (usual: info)\n");
    let refused = output(&node.config, &["log", "warning"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(why.contains("did you mean \"warn\"?"), "{why}");
    assert_eq!(log(&["--reset"]), "info\n");

    let text = std::fs::read_to_string(&node.config).unwrap();
    std::fs::write(&node.config, format!("{text}[log]\nlevel = \"error\"\n")).unwrap();
    let remarks = said(&node.config, &["reload"]);
    assert_eq!(remarks, "the configuration was read again\n");
    assert_eq!(log(&[]), "error\n");
}

#[test]
fn a_log_in_logfmt_has_one_line_of_keys_and_values_for_each_event() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let config = folder.file(
        "node.toml",
        &format!(
            "[node]\ndomain = \"village.test\"\ndata = {data:?}\n[log]\nformat = \"logfmt\"\n\
             [ssp]\nlisten = \"127.0.0.1:0\"\nplain = true\n"
        ),
    );
    let mut child = wvgate(&config)
        .arg("run")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let running = lines.by_ref().map(Result::unwrap).find(|line| {
        assert!(line.starts_with("ts="), "{line}");
        assert!(
            line.contains(" level=") && line.contains(" target=wvgate"),
            "{line}"
        );
        line.contains("message=\"running: ")
    });
    assert!(running.is_some());
    child.kill().unwrap();
    child.wait().unwrap();
}
