//! The chain under measurement, and the sender and recipient at its ends.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::super::Failure;
use super::process::{Node, Watched};
use crate::access::line::Requests;
use crate::admin::{Client, ClientError, Line, Request};
use crate::home::{Delivery, FromClient, Takes, ToClient};
use crate::http::devcerts;
use crate::imps::{Address, Code, Primitive};
use crate::node::clock::Clock;

/// Three running nodes.
pub(super) struct Chain {
    nodes: Vec<Node>,
    recipients: usize,
    folder: Folder,
}

/// How the chain is made.
pub(super) struct Wanted {
    pub(super) strict: bool,
    pub(super) tls: bool,
    /// The relay's neighbours post one message at a time, to so many recipients at once; messages
    /// of one conversation wait for each other.
    pub(super) single: Option<usize>,
}

/// What one run gave.
pub(super) struct Run {
    pub(super) total: Duration,
    pub(super) latencies: Vec<Duration>,
}

/// A folder for one run; removed in the end.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make(what: &str) -> Result<Self, Failure> {
        let name = format!("wvgate-bench-{what}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| failed("make a folder", &error))?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// KiB of the store in it.
    pub(super) fn data_kib(&self) -> u64 {
        let files = std::fs::read_dir(self.0.join("data"));
        let sizes = files.into_iter().flatten().flatten();
        let sizes = sizes.filter_map(|file| Some(file.metadata().ok()?.len()));
        sizes.sum::<u64>() / 1024
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// No answer for so long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(60);

impl Chain {
    pub(super) async fn start(wanted: &Wanted) -> Result<Self, Failure> {
        let folder = Folder::make("relay")?;
        let ports = [free_port()?, free_port()?, free_port()?];
        if wanted.tls {
            let hosts: Result<Vec<_>, _> = DOMAINS
                .iter()
                .map(|domain| devcerts::Wanted::parse(domain))
                .collect();
            let hosts = hosts.map_err(|error| failed("make certificates", &error))?;
            devcerts::generate(&folder.0, &hosts, false, Clock::wall())
                .map_err(|error| failed("make certificates", &error))?;
        }
        if let Some(posts) = wanted.single {
            let dialects = folder.0.join("mappings/dialects");
            std::fs::create_dir_all(&dialects)
                .and_then(|()| std::fs::write(dialects.join("single.toml"), single(posts)))
                .map_err(|error| failed("write a dialect", &error))?;
        }
        let mut nodes = Vec::new();
        for (number, role) in ["relay", "sender", "recipient"].into_iter().enumerate() {
            let domain = DOMAINS[number];
            let socket = folder.0.join(format!("{domain}.sock"));
            let text = config(&folder.0, number, &ports, wanted);
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
            recipients: wanted.single.unwrap_or(1),
            folder,
        })
    }

    pub(super) fn processes(&self) -> impl Iterator<Item = &Watched> {
        self.nodes.iter().map(Node::process)
    }

    /// CPU seconds of each process.
    pub(super) fn cpu(&self) -> Vec<f64> {
        self.processes().map(Watched::cpu).collect()
    }

    /// A place for files of others.
    pub(super) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Sends so many messages, `window` at a time, and waits for all answers.
    pub(super) async fn carry(&self, messages: u64, window: u64) -> Result<Run, Failure> {
        let mut reading = tokio::task::JoinSet::new();
        for number in 0..self.recipients {
            let mut recipient = login(&self.nodes[2], &format!("bob{number}")).await?;
            let share = share(messages, self.recipients, number);
            reading.spawn(async move {
                let mut received = 0;
                while received < share {
                    match recipient.next().await {
                        Ok(Line::Event(ToClient::Take { number, primitive })) => {
                            received += u64::from(matches!(*primitive, Primitive::NewMessage(_)));
                            recipient.say(&FromClient::Ack { number }).await?;
                        }
                        Ok(_) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            });
        }
        let mut sender = login(&self.nodes[1], "alice").await?;
        let requests = Requests::of(Address::user("alice", DOMAINS[1]));
        let start = Instant::now();
        let mut under_way: HashMap<String, Instant> = HashMap::new();
        let mut latencies = Vec::new();
        let (mut sent, mut answered) = (0, 0);
        let recipients = self.recipients as u64;
        while answered < messages {
            while sent < messages && (under_way.len() as u64) < window {
                let id = format!("{}-{sent}", start.elapsed().as_nanos());
                let text =
                    "a message of about the length of a short message, to be relayed".to_owned();
                let to = Address::user(&format!("bob{}", sent % recipients), DOMAINS[2]);
                let message = requests.message(to, &text, false, Some(id.clone()));
                let request = FromClient::Request {
                    id: id.clone(),
                    primitive: Box::new(message),
                };
                under_way.insert(id, Instant::now());
                sender.say(&request).await?;
                sent += 1;
            }
            let line = tokio::time::timeout(PATIENCE, sender.next()).await;
            let Ok(line) = line else {
                return Err(Failure::Failed("no answer for a minute".to_owned()));
            };
            if let Line::Event(ToClient::Answer { id, primitive, .. }) = line? {
                let Some(at) = under_way.remove(&id) else {
                    continue;
                };
                let code = primitive.verdict().map_or(Code::INTERNAL, |s| s.code);
                if code != Code::OK {
                    return Err(Failure::Failed(format!(
                        "a message was answered {}",
                        code.0
                    )));
                }
                latencies.push(at.elapsed());
                answered += 1;
            }
        }
        let total = start.elapsed();
        let Ok(read) = tokio::time::timeout(PATIENCE, reading.join_all()).await else {
            return Err(Failure::Failed("not all messages arrived".to_owned()));
        };
        // A recipient that was cut off says why.
        let read: Result<Vec<()>, ClientError> = read.into_iter().collect();
        read?;
        Ok(Run { total, latencies })
    }
}

/// The relay, the sender's domain, the recipient's.
const DOMAINS: [&str; 3] = ["relay.test", "sender.test", "recipient.test"];

/// A session of a user, which is open.
async fn login(node: &Node, user: &str) -> Result<Client, Failure> {
    let mut client = Client::connect(&node.socket).await?;
    client
        .say(&Request::Chat {
            user: user.to_owned(),
            password: None,
            takes: Takes::Everything,
            delivery: Delivery::default(),
        })
        .await?;
    while !matches!(client.next().await?, Line::Event(ToClient::Opened { .. })) {}
    Ok(client)
}

/// So many of `messages` in turn go to this recipient.
fn share(messages: u64, recipients: usize, number: usize) -> u64 {
    let (recipients, number) = (recipients as u64, number as u64);
    messages / recipients + u64::from(number < messages % recipients)
}

/// A dialect like ours, but one message in a POST, and so many POSTs at once.
fn single(posts: usize) -> String {
    format!("name = \"single\"\nbatch = 1\nposts = {posts}\n")
}

fn config(folder: &Path, number: usize, ports: &[u16; 3], wanted: &Wanted) -> String {
    let domain = DOMAINS[number];
    let tls = wanted.tls;
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
    if wanted.single.is_some() {
        text = text.replacen(
            "[admin]",
            &format!("mappings = \"{}/mappings\"\n[admin]", folder.display()),
            1,
        );
    }
    let durability = if wanted.strict { "strict" } else { "relaxed" };
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
            if wanted.single.is_some() {
                text += "dialect = \"single\"\n";
            }
        }
    }
    if number != 0 {
        text += "[[route]]\ndomain = \"*\"\nvia = \"relay.test\"\n[home]\n";
        let users: Vec<String> = if number == 1 {
            vec!["alice".to_owned()]
        } else {
            let recipients = wanted.single.unwrap_or(1);
            (0..recipients)
                .map(|number| format!("bob{number}"))
                .collect()
        };
        for user in users {
            text += &format!("[[home.user]]\nname = \"{user}\"\npassword = \"bench\"\n");
        }
    }
    text
}

pub(super) fn free_port() -> Result<u16, Failure> {
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
