//! Relays and ends in processes of their own, and every way between two of them able to fail.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wvgate::imps::Primitive;

use super::cluster::{Folder, free_port_of};
use super::divided::divide;
use super::end::{ACTS, ANSWER, CONFIG, END};
use super::fault_proxy::FaultProxy;

/// How long anything may take that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which domains there are, and what they know of each other.
pub(crate) struct Picture {
    /// `wvgate run`.
    pub(crate) relays: &'static [&'static str],
    /// See [`super::end`].
    pub(crate) ends: &'static [&'static str],
    /// A domain, its peer, and for whom that may speak besides itself.
    pub(crate) links: &'static [(&'static str, &'static str, &'static [&'static str])],
    /// A domain, the target, and the peer that leads there.
    pub(crate) routes: &'static [(&'static str, &'static str, &'static str)],
    /// Function, home domain, provider; the same everywhere.
    pub(crate) services: &'static [(&'static str, &'static str, &'static str)],
    /// Whether the service elements act upon what they get.
    pub(crate) acts: bool,
    /// Everybody's `response_timeout`.
    pub(crate) response_timeout: &'static str,
    /// Further lines of every dialect.
    pub(crate) dialect: &'static str,
}

/// Something a service element got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) xml: String,
}

/// What an end has told so far.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) received: Vec<Received>,
    /// Token and answer of its own requests.
    pub(crate) results: Vec<(u64, String)>,
    /// Rows of its Transaction Table that wait for an answer.
    pub(crate) open: u64,
}

/// All processes, which end with the value.
pub(crate) struct Chain {
    picture: Picture,
    folder: Folder,
    addresses: BTreeMap<&'static str, SocketAddr>,
    ways: BTreeMap<(&'static str, &'static str), FaultProxy>,
    running: BTreeMap<&'static str, Running>,
    logs: BTreeMap<&'static str, Log>,
    last: u64,
}

struct Running {
    child: Child,
    /// Standard input and output of an end; a relay has none.
    pipes: Option<(ChildStdin, Receiver<String>)>,
    paused: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Chain {
    /// Starts everything.
    pub(crate) fn start(picture: Picture) -> Self {
        let folder = Folder::new("chain");
        let dialects = folder.0.join("mappings/dialects");
        std::fs::create_dir_all(&dialects).unwrap();
        // Repetitions without the long pauses that the world outside deserves.
        let dialect = format!("retry_step = 100\n{}", picture.dialect);
        std::fs::write(dialects.join("wvgate.toml"), dialect).unwrap();
        let own = own_address();
        let mut addresses = BTreeMap::new();
        for (domain, peer, _) in picture.links {
            for domain in [domain, peer] {
                addresses.entry(*domain).or_insert_with(|| free_at(own));
            }
        }
        let links = picture.links.iter();
        let ways = links.map(|(from, to, _)| ((*from, *to), FaultProxy::to(addresses[to])));
        let mut chain = Self {
            ways: ways.collect(),
            picture,
            folder,
            addresses,
            running: BTreeMap::new(),
            logs: BTreeMap::new(),
            last: 0,
        };
        let domains = chain.picture.relays.iter().chain(chain.picture.ends);
        for domain in domains.copied().collect::<Vec<_>>() {
            chain.configure(domain);
            chain.spawn(domain);
        }
        chain
    }

    /// The way from a domain to its peer.
    pub(crate) fn way(&self, from: &str, to: &str) -> &FaultProxy {
        let mut ways = self.ways.iter();
        let way = ways.find(|((a, b), _)| (*a, *b) == (from, to));
        way.unwrap_or_else(|| panic!("no way from {from} to {to}"))
            .1
    }

    pub(crate) fn ways(&self) -> impl Iterator<Item = (&'static str, &'static str, &FaultProxy)> {
        self.ways.iter().map(|((from, to), way)| (*from, *to, way))
    }

    /// Ends that can be told something.
    pub(crate) fn awake(&self) -> Vec<&'static str> {
        let ends = self.picture.ends.iter().copied();
        ends.filter(|end| self.running.get(end).is_some_and(|running| !running.paused))
            .collect()
    }

    /// A token for the next request.
    pub(crate) fn token(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Has an end send something, and waits until it has that on its disk.
    pub(crate) fn send(&mut self, end: &'static str, token: u64, primitive: &Primitive) {
        let command = json!({"send": token, "xml": primitive.to_xml(None)});
        let answer = self.tell(end, &command);
        assert_eq!(answer["sent"], token);
    }

    /// What an end has got so far, as far as it was asked.
    pub(crate) fn log(&self, end: &str) -> &Log {
        &self.logs[end]
    }

    /// Waits until nothing is missing any more, asking all ends that are awake again and again.
    pub(crate) fn until(&mut self, missing: impl Fn(&Self) -> Option<String>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.listen();
            let Some(missing) = missing(self) else {
                return;
            };
            if Instant::now() > deadline {
                let ends: Vec<String> = self.running.keys().map(|d| self.tail(d)).collect();
                panic!("still missing: {missing}\n{}", ends.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Ends a process at once.
    pub(crate) fn kill(&mut self, domain: &str) {
        self.running.remove(domain).unwrap();
    }

    /// Starts it, or starts it again on what it had written down.
    pub(crate) fn spawn(&mut self, domain: &'static str) {
        let is_end = self.picture.ends.contains(&domain);
        let file = self.file(domain);
        let log = self.folder.0.join(format!("{domain}.log"));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = if is_end {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command
                .args(["--ignored", "--exact", END, "--nocapture"])
                .env(CONFIG, file)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            if self.picture.acts {
                command.env(ACTS, "yes");
            }
            command
        } else {
            let mut command = Command::new(env!("CARGO_BIN_EXE_wvgate"));
            command
                .args(["run", "--config"])
                .arg(file)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap());
            command
        };
        divide(&mut command);
        let mut child = command.stderr(log).spawn().unwrap();
        let pipes = is_end.then(|| {
            let (sender, lines) = channel();
            let stdout = child.stdout.take().unwrap();
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
            (child.stdin.take().unwrap(), lines)
        });
        let running = Running {
            child,
            pipes,
            paused: false,
        };
        self.running.insert(domain, running);
        self.logs.entry(domain).or_default();
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.addresses[domain]).is_err() {
            let ended = self.running.get_mut(domain).unwrap().child.try_wait();
            let ended = ended.unwrap();
            let in_time = ended.is_none() && Instant::now() < deadline;
            assert!(in_time, "{domain} does not start:\n{}", self.tail(domain));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops a process where it is.
    pub(crate) fn pause(&mut self, domain: &str) {
        self.signal(domain, "STOP", true);
    }

    /// Lets a paused process go on.
    pub(crate) fn resume(&mut self, domain: &str) {
        self.signal(domain, "CONT", false);
    }

    fn signal(&mut self, domain: &str, signal: &str, paused: bool) {
        let running = self.running.get_mut(domain).unwrap();
        let command = format!("kill -{signal} {}", running.child.id());
        let done = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(done.success(), "{command}");
        running.paused = paused;
    }

    /// Asks all ends that are awake.
    fn listen(&mut self) {
        for end in self.awake() {
            let log = &self.logs[end];
            let command = json!({"received": log.received.len(), "results": log.results.len()});
            let answer = self.tell(end, &command);
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let log = self.logs.get_mut(end).unwrap();
            for received in answer["received"].as_array().unwrap() {
                log.received.push(Received {
                    name: text(&received["name"]),
                    xml: text(&received["xml"]),
                });
            }
            for result in answer["results"].as_array().unwrap() {
                let token = result["token"].as_u64().unwrap();
                log.results.push((token, text(&result["xml"])));
            }
            log.open = answer["open"].as_u64().unwrap();
        }
    }

    fn tell(&mut self, end: &str, command: &Value) -> Value {
        let running = self.running.get_mut(end).unwrap();
        let (stdin, lines) = running.pipes.as_mut().unwrap();
        let written = stdin.write_all(format!("{command}\n").as_bytes());
        if written.is_ok() {
            while let Ok(line) = lines.recv_timeout(PATIENCE) {
                // The test runner may have begun the line.
                if let Some((_, answer)) = line.split_once(ANSWER) {
                    return serde_json::from_str(answer).unwrap();
                }
            }
        }
        panic!("{end} does not answer:\n{}", self.tail(end));
    }

    fn file(&self, domain: &str) -> PathBuf {
        self.folder.0.join(format!("{domain}.toml"))
    }

    fn configure(&self, domain: &str) {
        let picture = &self.picture;
        let mut text = format!(
            "[node]\ndomain = \"{domain}\"\ndata = \"{}\"\nmappings = \"{}\"\n\
             [ssp]\nlisten = \"{}\"\nplain = true\nresponse_timeout = \"{}\"\n",
            self.folder.0.join(domain).display(),
            self.folder.0.join("mappings").display(),
            self.addresses[domain],
            picture.response_timeout,
        );
        for (_, peer, speaks_for) in picture.links.iter().filter(|(own, ..)| *own == domain) {
            let port = self.way(domain, peer).port;
            text += &super::process::peer_at(peer, port, speaks_for);
            text += "profiles = \"write\"\n";
        }
        for (_, target, via) in picture.routes.iter().filter(|(own, ..)| *own == domain) {
            text += &format!("[[route]]\ndomain = \"{target}\"\nvia = \"{via}\"\n");
        }
        let services = picture.services.iter();
        for (name, home, pse) in services.filter(|row| super::split::is_known(row, domain)) {
            text +=
                &format!("[[service]]\nname = \"{name}\"\nhome = \"{home}\"\npse = \"{pse}\"\n");
        }
        if picture.ends.contains(&domain) {
            text += "[home]\n";
        }
        std::fs::write(self.file(domain), text).unwrap();
    }

    fn tail(&self, domain: &str) -> String {
        let log = self.folder.0.join(format!("{domain}.log"));
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(30);
        format!("--- {domain}\n{}", lines[from..].join("\n"))
    }
}

/// A loopback address that nobody else uses: while a process is down, no outgoing connection may
/// take its port.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 128, low, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A free port of this address.
fn free_at(address: Ipv4Addr) -> SocketAddr {
    SocketAddr::from((address, free_port_of(address)))
}
