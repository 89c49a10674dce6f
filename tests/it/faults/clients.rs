//! Home domains killed while a client reads, and clients that go away: a message is delivered when
//! a client has acknowledged it, and not before.
//!
//! ```text
//! alice — a.test (here) — b.test (a process) — bob
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use wvgate::imps::Address;

use super::{Heard, home, login, names};
use crate::support::client::Client;
use crate::support::process::World;
use crate::support::talk::Command;

const COUNT: usize = 400;
const PACE: Duration = Duration::from_millis(3);

async fn two_homes() -> (World, Client) {
    let mut world = World::new(&["a.test", "b.test"]);
    let a = world.peer("b.test", &[]) + &home("alice", "b.test");
    let b = world.peer("a.test", &[]) + &home("bob", "a.test");
    world.configure("a.test", "", &a);
    world.configure("b.test", "", &b);
    world.spawn("b.test");
    world.start("a.test").await;
    let alice = login(&world, "alice", "a.test").await;
    (world, alice)
}

async fn send(alice: &Client, id: &str) {
    let message = Command::Message {
        to: Address::new("wv:bob@b.test"),
        text: id.to_owned(),
        report: true,
        id: Some(id.to_owned()),
    };
    alice.command(message).await.unwrap();
}

/// What bob's clients were told, in order: the ids of messages with their numbers.
#[derive(Default)]
struct Told(Vec<(String, u64)>);

impl Told {
    /// Takes what has come, and acknowledges it.
    fn read(&mut self, world: &mut World) {
        for event in world.events("b.test") {
            if event["event"] == "message" {
                let number = event["number"].as_u64().unwrap();
                let id = event["id"].as_str().unwrap().to_owned();
                self.0.push((id, number));
                world.acknowledge("b.test", number);
            }
        }
    }

    /// Each message once, as it first came.
    fn first(&self) -> Vec<String> {
        let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
        let mut first = Vec::new();
        for (id, number) in &self.0 {
            if let Some(before) = seen.insert(id, *number) {
                assert_eq!(before, *number, "{id} came again under another number");
            } else {
                first.push(id.clone());
            }
        }
        first
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_home_domain_loses_nothing_that_it_reports_as_delivered() {
    let (mut world, mut alice) = two_homes().await;
    world.open("b.test", "bob");
    let (wanted, mut told, mut heard) = (names('m', COUNT), Told::default(), Heard::default());
    for (n, id) in wanted.iter().enumerate() {
        send(&alice, id).await;
        tokio::time::sleep(PACE).await;
        match n {
            80 | 180 | 280 => world.kill("b.test"),
            100 | 200 | 300 => {
                world.spawn("b.test");
                world.open("b.test", "bob");
            }
            81..100 | 181..200 | 281..300 => {}
            _ => told.read(&mut world),
        }
    }
    let mut tries = 0;
    while told.first().len() < COUNT {
        told.read(&mut world);
        tokio::time::sleep(Duration::from_millis(20)).await;
        tries += 1;
        assert!(tries < 3000, "{} came", told.first().len());
    }
    assert_eq!(told.first(), wanted, "all, in order");
    let enough = |heard: &Heard| heard.reports.len() >= COUNT && heard.sent.len() >= COUNT;
    heard.until(&mut alice, enough).await;
    heard.assert_all_taken(&wanted);
    let mut reported = heard.reports.clone();
    reported.sort();
    reported.dedup();
    assert_eq!(reported.len(), COUNT);
    assert!(reported.iter().all(|(_, status)| *status == 200));
    world.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_never_acknowledged_is_not_delivered_and_comes_to_the_next() {
    let (mut world, mut alice) = two_homes().await;
    world.open("b.test", "bob");
    let (wanted, mut heard) = (names('m', COUNT), Heard::default());
    for id in &wanted {
        send(&alice, id).await;
    }
    heard
        .until(&mut alice, |heard| heard.sent.len() >= COUNT)
        .await;
    // Bob's client has read some of it, and dies with its node.
    let mut seen = 0;
    for _ in 0..1000 {
        seen += world.events("b.test").len();
        if seen > 100 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(seen > 100, "{seen}");
    assert_eq!(heard.reports, []);
    assert_eq!(world.counts("b.test").await.open, COUNT as u64);
    world.kill("b.test");
    world.spawn("b.test");
    world.open("b.test", "bob");
    let mut told = Told::default();
    for _ in 0..3000 {
        told.read(&mut world);
        if told.0.len() >= COUNT {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(told.first(), wanted);
    assert_eq!(told.0.len(), COUNT, "each once");
    heard
        .until(&mut alice, |heard| heard.reports.len() >= COUNT)
        .await;
    assert!(heard.reports.iter().all(|(_, status)| *status == 200));
    world.rest().await;
}
