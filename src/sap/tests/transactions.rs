//! Transactions alone: without sessions and without posts.

use super::*;
use crate::sap::transaction::Transactions;
use crate::ssp::Mode;
use crate::ssp::envelope::Transaction;

/// Queues as transactions see them.
#[derive(Default)]
struct Shelf {
    full: bool,
    holds: bool,
}

impl Queues for Shelf {
    fn is_full(&self, _: &str, _: usize) -> bool {
        self.full
    }

    fn holds(&self, _: &str, _: &str) -> bool {
        self.holds
    }

    fn withdraw(&mut self, _: &str, _: &str, _: Time) -> Option<outbox::Item> {
        None
    }

    fn forsake(&mut self, _: &str, _: &str) {}
}

fn relay() -> (Transactions, Arc<Settings>) {
    let settings = Settings::new("r.test")
        .with_peer(speaking("a.test", &[]))
        .with_peer(speaking("b.test", &[]));
    let settings = Arc::new(settings);
    let random = Random::repeatable(1);
    let numbers = Arc::new(Numbers::new(&random, Shards::ONE));
    let transactions = Transactions::new(settings.clone(), numbers, random);
    (transactions, settings)
}

/// What is to be queued for whom.
fn queued(transactions: &mut Transactions) -> Vec<(PeerId, outbox::Item)> {
    let events = std::iter::from_fn(|| transactions.next_event());
    let queued = events.filter_map(|event| match event {
        transaction::Event::Enqueue(peer, item) => Some((peer, item)),
        _ => None,
    });
    queued.collect()
}

/// A message of a.test for b.test arrives, and what is queued for it.
fn arrives(
    transactions: &mut Transactions,
    settings: &Settings,
    shelf: &Shelf,
) -> Vec<(PeerId, outbox::Item)> {
    let message = message("alice@a.test", &["bob@b.test"], "m1");
    let message = Transaction::new(Mode::Request, "a1".to_owned(), &message);
    let peer = &settings.peers["a.test"];
    transactions.request_of_peer(peer, Some(&"session".into()), &message, shelf, Time(0));
    queued(transactions)
}

#[test]
fn a_request_goes_to_the_next_hop_and_its_answer_the_same_way_back() {
    let (mut transactions, settings) = relay();
    let shelf = Shelf::default();
    let went = arrives(&mut transactions, &settings, &shelf);
    let [(to, item)] = &went[..] else {
        panic!("{went:?}");
    };
    assert_eq!((to.as_str(), item.mode), ("b.test", Mode::Request));
    transactions.acknowledged(to, item.clone(), &shelf, Time(10));
    let answer = SendMessageResponse {
        message_id: "m1".to_owned(),
        status: Status::ok(),
    };
    let answer = Transaction::new(Mode::Response, item.id.to_string(), &answer.into());
    transactions.response_of_peer(&settings.peers["b.test"], &answer, Time(20));
    let back = queued(&mut transactions);
    let [(to, item)] = &back[..] else {
        panic!("{back:?}");
    };
    assert_eq!(
        (to.as_str(), item.mode, item.id.as_str()),
        ("a.test", Mode::Response, "a1")
    );
}

#[test]
fn what_no_queue_takes_is_refused_at_once() {
    let (mut transactions, settings) = relay();
    let shelf = Shelf {
        full: true,
        holds: false,
    };
    let went = arrives(&mut transactions, &settings, &shelf);
    let [(to, item)] = &went[..] else {
        panic!("{went:?}");
    };
    assert_eq!((to.as_str(), item.id.as_str()), ("a.test", "a1"));
    assert!(item.raw.contains("507"), "{}", item.raw);
}

#[test]
fn a_message_that_waits_is_taken_over_before_its_requestor_gives_up() {
    let (mut transactions, settings) = relay();
    let mut shelf = Shelf {
        full: false,
        holds: true,
    };
    arrives(&mut transactions, &settings, &shelf);
    let at = transactions.next_timeout().unwrap();
    assert!(at < Time(0).plus(settings.response_timeout));
    transactions.timeout(&mut shelf, at);
    let told = queued(&mut transactions);
    let [(to, item)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((to.as_str(), item.id.as_str()), ("a.test", "a1"));
    assert!(item.raw.contains("202") && item.raw.contains("queued"));
}
