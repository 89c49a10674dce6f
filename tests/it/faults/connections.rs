//! Broken connections between two domains, and a peer that forgets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wvgate::store::MemoryStore;

use super::{Heard, home, login, names, send};
use crate::support::cluster::free_port;
use crate::support::process::{World, peer_at};

/// What becomes of one POST.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The connection is closed before anything is read.
    Unread,
    /// The request is read, and goes nowhere.
    Swallowed,
    /// The peer has it; its answer never comes.
    AnswerLost,
    /// Half of the answer comes.
    AnswerCut,
    /// The answer comes late.
    Late,
}

/// A way to a peer that breaks as told.
#[derive(Clone)]
struct Way {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Each is followed by a POST without a fault.
    faults: VecDeque<Fault>,
    pass: bool,
    /// Nobody listens.
    closed: bool,
    happened: usize,
}

impl Way {
    async fn to(peer: u16) -> Self {
        let way = Self {
            port: free_port(),
            state: Arc::default(),
        };
        tokio::spawn(way.clone().listen(peer));
        way
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn listen(self, peer: u16) {
        loop {
            if self.state().closed {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
            while !self.state().closed {
                let accepted =
                    tokio::time::timeout(Duration::from_millis(10), listener.accept()).await;
                if let Ok(Ok((socket, _))) = accepted {
                    tokio::spawn(self.clone().serve(socket, peer));
                }
            }
        }
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut state = self.state();
        state.pass = !state.pass;
        if state.pass {
            return None;
        }
        let fault = state.faults.pop_front();
        state.happened += usize::from(fault.is_some());
        fault
    }

    /// One connection, one POST after the other.
    async fn serve(self, mut socket: TcpStream, peer: u16) -> Option<()> {
        loop {
            let mut first = [0];
            socket.peek(&mut first).await.ok().filter(|n| *n > 0)?;
            let fault = if self.state().closed {
                Some(Fault::Unread)
            } else {
                self.next_fault()
            };
            if matches!(fault, Some(Fault::Unread)) {
                return None;
            }
            let request = read_http(&mut socket).await?;
            if matches!(fault, Some(Fault::Swallowed)) {
                return None;
            }
            let mut onward = TcpStream::connect(("127.0.0.1", peer)).await.ok()?;
            onward.write_all(&request).await.ok()?;
            let answer = read_http(&mut onward).await?;
            match fault {
                Some(Fault::AnswerLost) => return None,
                Some(Fault::AnswerCut) => {
                    socket.write_all(&answer[..answer.len() / 2]).await.ok()?;
                    return None;
                }
                Some(Fault::Late) => tokio::time::sleep(Duration::from_millis(700)).await,
                _ => {}
            }
            socket.write_all(&answer).await.ok()?;
        }
    }
}

/// One message with its body.
async fn read_http(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some(head) = text.find("\r\n\r\n") {
            let length: usize = text[..head]
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= head + 4 + length {
                return Some(bytes);
            }
        }
        let mut part = [0; 4096];
        let count = socket.read(&mut part).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&part[..count]);
    }
}

/// a.test and b.test, each a home domain, on ways that can break.
async fn pair() -> (World, [Way; 2]) {
    let mut world = World::new(&["a.test", "b.test"]);
    let to_a = Way::to(world.port("a.test")).await;
    let to_b = Way::to(world.port("b.test")).await;
    let a = peer_at("b.test", to_b.port, &[]) + &home("alice", "b.test");
    world.configure("a.test", "batch_count = 4", &a);
    let b = peer_at("a.test", to_a.port, &[]) + &home("bob", "a.test");
    world.configure("b.test", "batch_count = 4", &b);
    (world, [to_a, to_b])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_posts_messages_arrive_once_and_in_order() {
    let (mut world, [to_a, to_b]) = pair().await;
    // Down before: a message waits for the first session.
    to_b.state().closed = true;
    world.start("a.test").await;
    world.start("b.test").await;
    let mut alice = login(&world, "alice", "a.test").await;
    let mut bob = login(&world, "bob", "b.test").await;
    let (mut at_alice, mut at_bob) = (Heard::default(), Heard::default());
    let (to_bob, to_alice) = (names('a', 60), names('b', 60));
    send(&alice, "wv:bob@b.test", &to_bob[0], &to_bob[0]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    to_b.state().closed = false;
    at_bob.until(&mut bob, |heard| heard.texts.len() == 1).await;
    send(&bob, "wv:alice@a.test", &to_alice[0], &to_alice[0]).await;
    at_alice
        .until(&mut alice, |heard| {
            heard.texts.len() == 1 && heard.sent.len() == 1
        })
        .await;
    // During: everything that can happen to a POST, in both directions.
    use Fault::{AnswerCut, AnswerLost, Late, Swallowed, Unread};
    let faults = [
        AnswerLost, Unread, Swallowed, AnswerCut, Late, AnswerLost, AnswerCut,
    ];
    to_a.state().faults.extend(faults);
    to_b.state().faults.extend(faults);
    for n in 1..60 {
        send(&alice, "wv:bob@b.test", &to_bob[n], &to_bob[n]).await;
        send(&bob, "wv:alice@a.test", &to_alice[n], &to_alice[n]).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        // And a peer that is gone for a while.
        match n {
            20 => to_a.state().closed = true,
            30 => to_b.state().closed = true,
            40 => {
                to_a.state().closed = false;
                to_b.state().closed = false;
            }
            _ => {}
        }
    }
    let all = |heard: &Heard| heard.texts.len() >= 60 && heard.sent.len() >= 60;
    at_bob.until(&mut bob, all).await;
    at_alice.until(&mut alice, all).await;
    assert_eq!(at_bob.texts, to_bob);
    assert_eq!(at_alice.texts, to_alice);
    at_alice.assert_all_taken(&to_bob);
    at_bob.assert_all_taken(&to_alice);
    world.rest().await;
    // After: what is left of the faults, with one message each.
    let mut extra = 0;
    while to_a.state().happened < faults.len() || to_b.state().happened < faults.len() {
        extra += 1;
        let id = format!("x{extra}");
        send(&alice, "wv:bob@b.test", &id, &id).await;
        send(&bob, "wv:alice@a.test", &id, &id).await;
        at_bob
            .until(&mut bob, |heard| {
                heard.texts.len() == 60 + extra && heard.sent.len() == 60 + extra
            })
            .await;
        at_alice
            .until(&mut alice, |heard| {
                heard.texts.len() == 60 + extra && heard.sent.len() == 60 + extra
            })
            .await;
        assert_eq!(at_bob.texts.last(), Some(&id));
        assert_eq!(at_alice.texts.last(), Some(&id));
    }
    world.rest().await;
    let duplicates = |core: &mut wvgate::node::Core, _, _: &mut _| {
        core.metrics.get("wvgate_transactions_duplicate_total")
    };
    let handle = world.node("b.test").handle();
    let duplicates = handle.ask_all(duplicates).await.unwrap();
    assert!(duplicates.iter().sum::<u64>() > 0, "some came twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_lost_its_state_is_logged_in_to_anew() {
    let (mut world, [_, to_b]) = pair().await;
    world.start("a.test").await;
    world.start_on("b.test", Arc::new(MemoryStore::new())).await;
    let mut alice = login(&world, "alice", "a.test").await;
    let mut bob = login(&world, "bob", "b.test").await;
    let (mut at_alice, mut at_bob) = (Heard::default(), Heard::default());
    send(&alice, "wv:bob@b.test", "one", "one").await;
    send(&bob, "wv:alice@a.test", "uno", "uno").await;
    let first = |heard: &Heard| heard.texts.len() == 1 && heard.sent.len() == 1;
    at_bob.until(&mut bob, first).await;
    at_alice.until(&mut alice, first).await;
    world.rest().await;

    world.stop("b.test").await;
    world.start_on("b.test", Arc::new(MemoryStore::new())).await;
    let mut bob = login(&world, "bob", "b.test").await;
    let mut at_bob = Heard::default();
    // a.test uses the session that b.test has forgotten; the acknowledgement of
    // the first POST on the new one is lost.
    send(&alice, "wv:bob@b.test", "two", "two").await;
    at_bob.until(&mut bob, |heard| heard.texts.len() == 1).await;
    to_b.state().faults.extend([Fault::AnswerLost; 2]);
    for (n, id) in ["three", "four", "five"].into_iter().enumerate() {
        send(&alice, "wv:bob@b.test", id, id).await;
        at_bob
            .until(&mut bob, |heard| heard.texts.len() == n + 2)
            .await;
    }
    send(&bob, "wv:alice@a.test", "due", "due").await;
    at_alice
        .until(&mut alice, |heard| {
            heard.texts.len() == 2 && heard.sent.len() == 5
        })
        .await;
    assert_eq!(at_bob.texts, ["two", "three", "four", "five"]);
    assert_eq!(at_alice.texts, ["uno", "due"]);
    let ids = ["one", "two", "three", "four", "five"].map(str::to_owned);
    at_alice.assert_all_taken(&ids);
    world.rest().await;
}
