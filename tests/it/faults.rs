//! What happens when processes are killed, connections break and disks are full:
//! nothing acknowledged is lost, nothing arrives twice, order holds, counts add up.

mod clients;
mod connections;
mod groups;
mod kills;
mod stores;

use std::collections::BTreeSet;
use std::time::Duration;

use wvgate::imps::Address;

use crate::support::client::Client;
use crate::support::process::{self, World};
use crate::support::talk::{Command, Event};

/// Not a test: a node that the tests here start and kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a node in a process of its own, for the tests of faults"]
async fn node_process() {
    process::serve().await;
}

/// A home domain with one user, whose way to everybody else is `via`.
fn home(user: &str, via: &str) -> String {
    format!(
        "[[route]]\ndomain = \"*\"\nvia = \"{via}\"\n[home]\n[[home.user]]\nname = \"{user}\"\npassword = \"secret\"\n"
    )
}

async fn login(world: &World, user: &str, domain: &str) -> Client {
    let handle = world.node(domain).handle().clone();
    for _ in 0..200 {
        // A node whose store has just failed takes nobody for a moment.
        if let Ok(session) = Client::open(&handle, user).await {
            return session.expect("a known user");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{user} cannot log in");
}

async fn send(client: &Client, to: &str, text: &str, id: &str) {
    let message = Command::Message {
        to: Address::new(to),
        text: text.to_owned(),
        report: false,
        id: Some(id.to_owned()),
    };
    client.command(message).await.unwrap();
}

/// What a client heard.
#[derive(Debug, Default)]
struct Heard {
    /// Texts in order; what comes again under its number is no other message.
    texts: Vec<String>,
    /// The numbers of messages.
    numbers: BTreeSet<u64>,
    /// Message ids with the status of each answer.
    sent: Vec<(String, u16)>,
    /// Message ids with the status of each delivery report.
    reports: Vec<(String, u16)>,
}

impl Heard {
    /// Takes in a message.
    fn note(&mut self, event: Event) {
        if let Event::Message { number, text, .. } = event
            && self.numbers.insert(number.unwrap())
        {
            self.texts.push(text);
        }
    }

    /// Listens until `enough`.
    async fn until(&mut self, client: &mut Client, enough: impl Fn(&Self) -> bool) {
        let listening = async {
            while !enough(self) {
                match client.take().await.expect("the session lives") {
                    event @ Event::Message { .. } => self.note(event),
                    Event::Sent { id, status, .. } => self.sent.push((id, status)),
                    Event::Report { id, status, .. } => self.reports.push((id, status)),
                    _ => {}
                }
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(40), listening).await;
        if in_time.is_err() {
            panic!("it did not come; heard: {self:?}");
        }
    }

    fn assert_all_taken(&self, ids: &[String]) {
        let heard: Vec<&String> = self.sent.iter().map(|(id, _)| id).collect();
        let mut sorted = heard.clone();
        sorted.sort();
        let mut wanted: Vec<&String> = ids.iter().collect();
        wanted.sort();
        assert_eq!(sorted, wanted, "each message is answered once");
        for (id, status) in &self.sent {
            assert!(matches!(status, 200 | 202), "{id} was answered {status}");
        }
    }
}

fn names(letter: char, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{letter}{n}")).collect()
}
