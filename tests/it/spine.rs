//! The demo as a test: four real processes and a real XMPP server, on free ports, and the
//! same scenario that `make demo` shows.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::cluster::{Folder, free_port};
use crate::support::divided::divide;
use crate::support::prosody::Prosody;

const PROGRAM: &str = env!("CARGO_BIN_EXE_wvgate");
const PATIENCE: Duration = Duration::from_secs(60);

/// What must have happened, in order.
const STEPS: &[&str] = &[
    "romeo logs in at his XMPP server, alice at her home domain",
    "alice asks to see romeo's presence; he allows it, and she sees him online",
    "romeo goes away, and alice sees it",
    "alice sends romeo a message and asks for a report; he gets it",
    "the receipt of romeo's client comes back to alice as a delivery report",
    "romeo answers and asks for a receipt; alice gets the message, he the receipt",
    "romeo asks to see alice's presence; she allows it, and he sees her online",
    "alice changes her status text, and romeo sees it",
    "alice's message to an XMPP user who does not exist comes back as an error",
    "romeo's message to a home-domain user who does not exist comes back as one",
    "rosa logs in at relay.test, dora at town.test",
    "alice makes a group; rosa and dora join it, each from a domain of her own",
    "what each of them says in the group the two others hear",
    "alice invites dora, two domains away, to talk; she accepts, with a word",
    "alice shares a picture with dora, who is invited to its link and fetches it",
    "carol's phone logs in, in XML, and opens the channel on which it is woken",
    "her phone and romeo talk, and it speaks XML",
    "carol's phone logs in, in WBXML, and opens the channel on which it is woken",
    "her phone and romeo talk, and it speaks WBXML",
];

/// A node in a process of its own, ended with the value.
struct Running {
    name: &'static str,
    config: PathBuf,
    log: PathBuf,
    ready: u16,
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn presence_and_messages_travel_between_a_home_domain_and_xmpp_over_a_relay() {
    let folder = Folder::new("spine");
    let prosody = Prosody::build()
        .host("xmpp.test")
        .user("romeo", "xmpp.test", "romeo")
        .component("village.test", "demo")
        .muc("conference.xmpp.test")
        .start();
    make_certificates(&folder.0.join("certs"));
    let ports = ports(&prosody);
    let phones = format!("http://127.0.0.1:{}/", port_of(&ports, "15286"));
    let mut nodes = start_nodes(&folder.0, &ports);
    for node in &mut nodes {
        wait_until_ready(node);
    }

    let mut scenario = Command::new(python());
    scenario
        .arg(root().join("scripts/demo/scenario.py"))
        .args(["--wvgate", PROGRAM])
        .args(["--c2s-port", &prosody.c2s_port.to_string()])
        .args(["--phones", &phones])
        .stdin(Stdio::null());
    for node in &nodes {
        scenario.arg(format!("--{}", node.name)).arg(&node.config);
    }
    let output = scenario.output().expect("start the scenario");
    let told = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let logs: Vec<String> = nodes.iter().map(tail).collect();
        let complaints = String::from_utf8_lossy(&output.stderr);
        panic!(
            "the scenario failed:\n{told}\n{complaints}\n{}",
            logs.join("\n")
        );
    }
    let done: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .filter_map(|line| line.trim_start().split_once(' '))
        .filter_map(|(_, step)| step.split("  (").next())
        .collect();
    assert_eq!(done, STEPS, "{told}");
}

fn make_certificates(folder: &Path) {
    let made = Command::new(PROGRAM)
        .arg("certs")
        .arg(folder)
        .args(["village.test", "relay.test", "xmpp.test", "town.test"])
        .output()
        .expect("start the program");
    assert!(made.status.success(), "{made:?}");
}

/// A port for each of those of the demo.
fn ports(prosody: &Prosody) -> Vec<(String, u16)> {
    let mut ports = vec![("15347".to_owned(), prosody.component_port)];
    for port in (15281..=15287).chain(15291..=15294) {
        ports.push((port.to_string(), free_port()));
    }
    ports
}

fn port_of(ports: &[(String, u16)], shown: &str) -> u16 {
    ports.iter().find(|(from, _)| from == shown).expect(shown).1
}

/// The nodes of config/demo, with folders and ports of their own.
fn start_nodes(folder: &Path, ports: &[(String, u16)]) -> Vec<Running> {
    [
        ("village", "15291"),
        ("relay", "15292"),
        ("xmpp", "15293"),
        ("town", "15294"),
    ]
    .into_iter()
    .map(|(name, ready)| {
        let shipped = root().join(format!("config/demo/{name}.toml"));
        let mut text = fs::read_to_string(shipped).expect("the demo's configuration");
        text = text.replace("\"run/demo/", &format!("\"{}/", folder.display()));
        for (from, to) in ports {
            text = text.replace(&format!(":{from}"), &format!(":{to}"));
        }
        let config = folder.join(format!("{name}.toml"));
        fs::write(&config, text).expect("write the configuration");
        let log = folder.join(format!("{name}.log"));
        let output = fs::File::create(&log).expect("create the log");
        let mut program = Command::new(PROGRAM);
        divide(&mut program);
        let child = program
            .args(["run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log once more"))
            .stderr(output)
            .spawn()
            .expect("start a node");
        Running {
            name,
            config,
            log,
            ready: port_of(ports, ready),
            child,
        }
    })
    .collect()
}

fn wait_until_ready(node: &mut Running) {
    let deadline = Instant::now() + PATIENCE;
    while !is_ready(node.ready) {
        let ended = node.child.try_wait().ok().flatten();
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "{} is not ready ({ended:?}):\n{}",
            node.name,
            tail(node)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_ready(port: u16) -> bool {
    let mut answer = String::new();
    TcpStream::connect(("127.0.0.1", port))
        .and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(
                b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )?;
            stream.read_to_string(&mut answer)
        })
        .is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn tail(node: &Running) -> String {
    let log = fs::read_to_string(&node.log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(40);
    format!("--- {}\n{}", node.name, lines[from..].join("\n"))
}

pub(crate) fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir));
    let python = target.join("venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run scripts/install-test-tools.sh first",
        python.display()
    );
    python
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
