//! The chain under measurement, and the sender and recipient at its ends.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::super::Failure;
use super::process::Node;
use crate::admin::{Client, Line, Request};
use crate::home::{Command, Event};
use crate::http::devcerts::{self, Wanted};
use crate::node::clock::Clock;
use crate::ssp::Address;

/// Three running nodes.
pub(super) struct Chain {
    nodes: Vec<Node>,
    _folder: Folder,
}

/// What one run gave.
pub(super) struct Run {
    pub(super) total: Duration,
    pub(super) latencies: Vec<Duration>,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// No answer for so long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(60);

impl Chain {
    pub(super) async fn start(strict: bool, tls: bool) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("wvgate-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| failed("make a folder", &error))?;
        let folder = Folder(folder);
        let ports = [free_port()?, free_port()?, free_port()?];
        if tls {
            let wanted: Result<Vec<Wanted>, _> =
                DOMAINS.iter().map(|domain| Wanted::parse(domain)).collect();
            let wanted = wanted.map_err(|error| failed("make certificates", &error))?;
            devcerts::generate(&folder.0, &wanted, false, Clock::wall())
                .map_err(|error| failed("make certificates", &error))?;
        }
        let mut nodes = Vec::new();
        for (number, role) in ["relay", "sender", "recipient"].into_iter().enumerate() {
            let domain = DOMAINS[number];
            let socket = folder.0.join(format!("{domain}.sock"));
            let text = config(&folder.0, number, &ports, strict, tls);
            let file = folder.0.join(format!("{domain}.toml"));
            std::fs::write(&file, text).map_err(|error| failed("write a configuration", &error))?;
            let start = tokio::task::spawn_blocking(move || Node::start(role, &file, socket));
            nodes.push(
                start
                    .await
                    .map_err(|error| failed("start a node", &error))??,
            );
        }
        Ok(Self {
            nodes,
            _folder: folder,
        })
    }

    pub(super) fn processes(&self) -> &[Node] {
        &self.nodes
    }

    /// CPU seconds of each process.
    pub(super) fn cpu(&self) -> Vec<f64> {
        self.nodes.iter().map(Node::cpu).collect()
    }

    /// Sends so many messages, `window` at a time, and waits for all answers.
    pub(super) async fn carry(&self, messages: u64, window: u64) -> Result<Run, Failure> {
        let mut recipient = login(&self.nodes[2], "bob").await?;
        let mut sender = login(&self.nodes[1], "alice").await?;
        let reading = tokio::spawn(async move {
            let mut received = 0;
            while received < messages {
                match recipient.next().await {
                    Ok(Line::Event(Event::Message { .. })) => received += 1,
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            received
        });
        let start = Instant::now();
        let mut under_way: HashMap<String, Instant> = HashMap::new();
        let mut latencies = Vec::new();
        let (mut sent, mut answered) = (0, 0);
        while answered < messages {
            while sent < messages && (under_way.len() as u64) < window {
                let id = format!("{}-{sent}", start.elapsed().as_nanos());
                let text =
                    "a message of about the length of a short message, to be relayed".to_owned();
                let command = Command::Message {
                    to: Address::user("bob", DOMAINS[2]),
                    text,
                    report: false,
                    id: Some(id.clone()),
                };
                under_way.insert(id, Instant::now());
                sender.say(&command).await?;
                sent += 1;
            }
            let line = tokio::time::timeout(PATIENCE, sender.next()).await;
            let Ok(line) = line else {
                return Err(Failure::Failed("no answer for a minute".to_owned()));
            };
            if let Line::Event(Event::Sent { id, status, .. }) = line? {
                let Some(at) = under_way.remove(&id) else {
                    continue;
                };
                if status != 200 {
                    return Err(Failure::Failed(format!("a message was answered {status}")));
                }
                latencies.push(at.elapsed());
                answered += 1;
            }
        }
        let total = start.elapsed();
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(Ok(received)) if received == messages => Ok(Run { total, latencies }),
            _ => Err(Failure::Failed("not all messages arrived".to_owned())),
        }
    }
}

/// The relay, the sender's domain, the recipient's.
const DOMAINS: [&str; 3] = ["relay.test", "sender.test", "recipient.test"];

async fn login(node: &Node, user: &str) -> Result<Client, Failure> {
    let mut client = Client::connect(&node.socket).await?;
    client
        .say(&Request::Chat {
            user: user.to_owned(),
            password: None,
        })
        .await?;
    Ok(client)
}

fn config(folder: &Path, number: usize, ports: &[u16; 3], strict: bool, tls: bool) -> String {
    let domain = DOMAINS[number];
    let mut text = format!(
        "[node]\ndomain = \"{domain}\"\ndata = \"{0}/{domain}\"\n[admin]\nsocket = \"{0}/{domain}.sock\"\n[log]\nlevel = \"error\"\n[ssp]\nlisten = \"127.0.0.1:{1}\"\n",
        folder.display(),
        ports[number]
    );
    if tls {
        text += &format!(
            "certificate = \"{0}/{domain}.pem\"\nkey = \"{0}/{domain}.key\"\n",
            folder.display()
        );
    } else {
        text += "plain = true\n";
    }
    let durability = if strict { "strict" } else { "relaxed" };
    let peers: &[usize] = if number == 0 { &[1, 2] } else { &[0] };
    for peer in peers {
        let (scheme, more) = if tls {
            (
                "https",
                format!(
                    "ca = \"{}/ca.pem\"\nserver_name = \"{}\"\n",
                    folder.display(),
                    DOMAINS[*peer]
                ),
            )
        } else {
            ("http", "allow_plain = true\n".to_owned())
        };
        text += &format!(
            "[[peer]]\ndomain = \"{}\"\nurl = \"{scheme}://127.0.0.1:{}/\"\n{more}durability = \"{durability}\"\n",
            DOMAINS[*peer], ports[*peer]
        );
        if number != 0 {
            text += &format!("speaks_for = [\"{}\"]\n", DOMAINS[3 - number]);
        }
    }
    if number != 0 {
        let user = if number == 1 { "alice" } else { "bob" };
        text += &format!(
            "[[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n[home]\n[[home.user]]\nname = \"{user}\"\npassword = \"bench\"\n"
        );
    }
    text
}

fn free_port() -> Result<u16, Failure> {
    let listener =
        TcpListener::bind("127.0.0.1:0").map_err(|error| failed("find a free port", &error))?;
    Ok(listener
        .local_addr()
        .map_err(|error| failed("find a free port", &error))?
        .port())
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("cannot {what}: {error}"))
}
