//! Whole nodes on files of their own: in this process, or in one that can be killed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use wvgate::config::Config;
use wvgate::node::{Core, Node, Plan};
use wvgate::store::Store;

use super::client::Client;
use super::cluster::{Folder, free_port};
use super::divided::shards;
use super::talk::{self, Event};

/// Names the configuration of a node that runs in a process of its own.
const CONFIG: &str = "WVGATE_TEST_CONFIG";
/// The test that is such a node.
const NODE: &str = "faults::node_process";

/// What a node has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) ended: u64,
    pub(crate) open: u64,
}

impl Counts {
    fn of(core: &Core) -> Self {
        Self {
            accepted: core.metrics.accepted(),
            ended: core.metrics.ended(),
            open: core.messages_open(),
        }
    }

    /// Those of all shards together. What is on its way from one to another is open in both for a
    /// moment, and they are asked one after the other: then they are asked again.
    async fn of_node(node: &Node) -> Self {
        let mut counts = Self::of_shards(node).await;
        for _ in 0..200 {
            if node.handle().shards() == 1 || counts.accepted == counts.ended + counts.open {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            counts = Self::of_shards(node).await;
        }
        counts
    }

    async fn of_shards(node: &Node) -> Self {
        let counts = node.handle().ask_all(|core, _, _| Self::of(core)).await;
        let together = |a: Self, b: Self| Self {
            accepted: a.accepted + b.accepted,
            ended: a.ended + b.ended,
            open: a.open + b.open,
        };
        counts.unwrap().into_iter().reduce(together).unwrap()
    }
}

/// Some domains, each with a port and a folder, which outlive its node.
pub(crate) struct World {
    folder: Folder,
    ports: BTreeMap<String, u16>,
    files: BTreeMap<String, PathBuf>,
    nodes: BTreeMap<String, Node>,
    processes: BTreeMap<String, NodeProcess>,
}

impl World {
    pub(crate) fn new(domains: &[&str]) -> Self {
        let folder = Folder::new("world");
        // Repetitions without the long pauses that the world outside deserves.
        let dialects = folder.0.join("mappings/dialects");
        std::fs::create_dir_all(&dialects).unwrap();
        std::fs::write(dialects.join("wvgate.toml"), "retry_step = 100\n").unwrap();
        Self {
            folder,
            ports: domains
                .iter()
                .map(|domain| ((*domain).to_owned(), free_port()))
                .collect(),
            files: BTreeMap::new(),
            nodes: BTreeMap::new(),
            processes: BTreeMap::new(),
        }
    }

    pub(crate) fn port(&self, domain: &str) -> u16 {
        self.ports[domain]
    }

    /// A peer reached directly.
    pub(crate) fn peer(&self, domain: &str, speaks_for: &[&str]) -> String {
        peer_at(domain, self.ports[domain], speaks_for)
    }

    /// Writes a node's configuration. `ssp` are further keys of that section.
    pub(crate) fn configure(&mut self, domain: &str, ssp: &str, sections: &str) {
        let text = format!(
            "[node]\ndomain = \"{domain}\"\ndata = \"{}\"\nmappings = \"{}\"\n[ssp]\nlisten = \"127.0.0.1:{}\"\nplain = true\n{ssp}\n{sections}",
            self.data(domain).display(),
            self.folder.0.join("mappings").display(),
            self.ports[domain],
        );
        let file = self.folder.0.join(format!("{domain}.toml"));
        std::fs::write(&file, text).unwrap();
        self.files.insert(domain.to_owned(), file);
    }

    pub(crate) fn data(&self, domain: &str) -> PathBuf {
        self.folder.0.join(domain)
    }

    /// Starts a node in this process on its own files.
    pub(crate) async fn start(&mut self, domain: &str) {
        let node = Node::start(plan(&self.files[domain])).await.unwrap();
        self.nodes.insert(domain.to_owned(), node);
    }

    /// Starts a node in this process on this store.
    pub(crate) async fn start_on(&mut self, domain: &str, store: Arc<dyn Store>) {
        let plan = plan(&self.files[domain]);
        let node = Node::start_on(plan, store).await.unwrap();
        self.nodes.insert(domain.to_owned(), node);
    }

    pub(crate) async fn stop(&mut self, domain: &str) {
        let node = self.nodes.remove(domain).unwrap();
        node.stop(Duration::ZERO).await;
    }

    pub(crate) fn node(&self, domain: &str) -> &Node {
        &self.nodes[domain]
    }

    /// Starts a node in a process of its own.
    pub(crate) fn spawn(&mut self, domain: &str) {
        let log = self.folder.0.join(format!("{domain}.log"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let process = NodeProcess::start(&self.files[domain], log);
        self.processes.insert(domain.to_owned(), process);
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(&mut self, domain: &str) {
        drop(self.processes.remove(domain).unwrap());
    }

    /// Logs a user in at a node in a process of its own.
    pub(crate) fn open(&mut self, domain: &str, user: &str) {
        self.tell(domain, &format!("open {user}"));
    }

    /// Lets the user who is logged in there acknowledge something.
    pub(crate) fn acknowledge(&mut self, domain: &str, number: u64) {
        self.tell(domain, &format!("ack {number}"));
    }

    /// What the user who is logged in there was told since this was last asked.
    pub(crate) fn events(&mut self, domain: &str) -> Vec<Value> {
        let process = self.processes.get_mut(domain).unwrap();
        let lines: Vec<String> = process.lines.try_iter().collect();
        let events = lines.iter().filter_map(|line| line.split_once("EVENT "));
        events
            .map(|(_, json)| serde_json::from_str(json).unwrap())
            .collect()
    }

    fn tell(&mut self, domain: &str, line: &str) {
        let process = self.processes.get_mut(domain).unwrap();
        writeln!(process.stdin, "{line}").unwrap();
    }

    /// What a node in a process of its own has logged.
    pub(crate) fn log(&self, domain: &str) -> String {
        let log = self.folder.0.join(format!("{domain}.log"));
        std::fs::read_to_string(log).unwrap_or_default()
    }

    /// The values of all records under a prefix that a killed node has left.
    pub(crate) fn left_behind(&self, domain: &str, prefix: &str) -> Vec<Value> {
        let data = self.data(domain);
        let read = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.build().unwrap();
            let mut values = Vec::new();
            for folder in wvgate::node::shards::folders(&data) {
                let store = wvgate::store::open(&folder).unwrap();
                let loaded = wvgate::store::load_all(&store, prefix, |_, value| {
                    values.push(serde_json::from_slice(&value).unwrap());
                    Ok(())
                });
                runtime.block_on(loaded).unwrap();
            }
            values
        };
        // Not in the thread of the test, which has a runtime of its own.
        std::thread::scope(|scope| scope.spawn(read).join().unwrap())
    }

    /// What a node has counted. Nothing may be missing, and nothing counted twice.
    pub(crate) async fn counts(&mut self, domain: &str) -> Counts {
        let counts = match self.processes.get_mut(domain) {
            Some(process) => process.counts(),
            None => Counts::of_node(&self.nodes[domain]).await,
        };
        assert_eq!(
            counts.accepted,
            counts.ended + counts.open,
            "messages of {domain}"
        );
        counts
    }

    /// Waits until no message is under way anywhere.
    pub(crate) async fn rest(&mut self) {
        let domains: Vec<String> = self
            .nodes
            .keys()
            .chain(self.processes.keys())
            .cloned()
            .collect();
        for domain in domains {
            for attempt in 0.. {
                let counts = self.counts(&domain).await;
                if counts.open == 0 {
                    break;
                }
                assert!(attempt < 400, "{domain} has messages open: {counts:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// The section of a peer in a configuration.
pub(crate) fn peer_at(domain: &str, port: u16, speaks_for: &[&str]) -> String {
    format!(
        "[[peer]]\ndomain = \"{domain}\"\nurl = \"http://127.0.0.1:{port}/\"\nallow_plain = true\nspeaks_for = {speaks_for:?}\n"
    )
}

/// What a configuration file makes of a node.
pub(crate) fn plan(file: &std::path::Path) -> Plan {
    let loaded = Config::load(file, Vec::new()).unwrap_or_else(|error| panic!("{error}"));
    let plan = Plan::new(&loaded.config, &loaded.located).unwrap_or_else(|error| panic!("{error}"));
    Plan {
        shards: Some(plan.shards.unwrap_or_else(shards)),
        ..plan
    }
}

/// A node in a process of its own, which is killed when this is dropped.
struct NodeProcess {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl NodeProcess {
    fn start(config: &std::path::Path, log: File) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", NODE, "--nocapture"])
            .env(CONFIG, config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            lines,
        }
    }

    fn counts(&mut self) -> Counts {
        self.stdin.write_all(b"counts\n").unwrap();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).unwrap();
            if let Some((_, json)) = line.split_once("COUNTS ") {
                let counts: Value = serde_json::from_str(json).unwrap();
                let number = |name: &str| counts[name].as_u64().unwrap();
                return Counts {
                    accepted: number("accepted"),
                    ended: number("ended"),
                    open: number("open"),
                };
            }
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the node that the environment names, until its input ends or it is killed.
pub(crate) async fn serve() {
    let Some(file) = std::env::var_os(CONFIG) else {
        return;
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let node = Node::start(plan(&PathBuf::from(file))).await.unwrap();
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut session = None;
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            event = next_event(&mut session) => {
                println!("EVENT {}", serde_json::to_string(&event).unwrap());
                continue;
            }
        };
        let Some(line) = line else {
            return;
        };
        match line.split_once(' ') {
            Some(("open", user)) => session = Client::open(node.handle(), user).await.unwrap(),
            Some(("ack", number)) => {
                let number = number.parse().unwrap();
                let session = session.as_ref().unwrap();
                session
                    .command(talk::Command::Ack { number })
                    .await
                    .unwrap();
            }
            _ => print_counts(&node).await,
        }
    }
}

async fn next_event(session: &mut Option<Client>) -> Event {
    match session {
        Some(session) => session.event().await.unwrap(),
        None => std::future::pending().await,
    }
}

async fn print_counts(node: &Node) {
    let counts = Counts::of_node(node).await;
    let json = json!({
        "accepted": counts.accepted, "ended": counts.ended, "open": counts.open,
    });
    println!("COUNTS {json}");
}
