use super::*;
use crate::imps::primitive::AnyName;
use crate::imps::{Code, Primitive};
use crate::sap::random::Random;

/// A shard: its neighbours, and its disk.
struct Shard {
    neighbours: Neighbours,
    disk: BTreeMap<String, Vec<u8>>,
    over: Vec<String>,
}

impl Shard {
    fn new(own: u16) -> Self {
        let shards = Shards::new(own, 2);
        let numbers = Arc::new(Numbers::new(&Random::repeatable(u64::from(own)), shards));
        let mut neighbours = Neighbours::new(shards, numbers);
        neighbours.start();
        Self {
            neighbours,
            disk: BTreeMap::new(),
            over: Vec::new(),
        }
    }

    fn send(&mut self, id: &str) {
        let raw = Primitive::status(Code::OK).to_xml(None);
        let mut handed = Handed::answer(id.to_owned(), AnyName::new("Status"), raw, Time(9));
        handed.transaction.mode = crate::ssp::Mode::Request;
        self.neighbours.enqueue(1, handed);
        self.commit();
    }

    fn commit(&mut self) {
        while let Some(event) = self.neighbours.next_event() {
            match event {
                Event::Write(write) => write.apply(&mut self.disk),
                Event::Taken(_, handed) => self.over.push(handed.transaction.id.clone()),
            }
        }
    }

    fn restart(&mut self) {
        let own = self.neighbours.own.own();
        let disk = std::mem::take(&mut self.disk);
        *self = Self::new(own);
        for (key, value) in &disk {
            self.neighbours.restore(key, value).unwrap();
        }
        self.disk = disk;
    }

    fn take(&mut self, hand: &Hand) -> Vec<String> {
        let taken = self.neighbours.take(hand);
        self.commit();
        taken.iter().map(|it| it.transaction.id.clone()).collect()
    }
}

#[test]
fn what_is_handed_over_goes_in_order_and_is_forgotten_when_it_was_taken() {
    let (mut a, mut b) = (Shard::new(0), Shard::new(1));
    for id in ["1", "2", "3"] {
        a.send(id);
    }
    assert!(a.neighbours.holds(1, "2"));
    let hand = a.neighbours.flush().unwrap();
    assert!(a.neighbours.flush().is_none(), "one batch at a time");
    a.send("4");
    assert_eq!(b.take(&hand), ["1", "2", "3"]);
    a.neighbours.handed(hand.number, true, Time(1));
    a.commit();
    assert_eq!(a.over, ["1", "2", "3"]);
    assert!(!a.neighbours.holds(1, "2") && a.neighbours.holds(1, "4"));
    let hand = a.neighbours.flush().unwrap();
    assert_eq!(b.take(&hand), ["4"]);
    a.neighbours.handed(hand.number, true, Time(2));
    a.commit();
    assert!(a.neighbours.is_idle());
}

#[test]
fn nothing_is_handed_over_before_all_records_are_back() {
    let mut a = Shard::new(0);
    a.send("1");
    let shards = Shards::new(0, 2);
    let numbers = Arc::new(Numbers::new(&Random::repeatable(0), shards));
    let mut again = Neighbours::new(shards, numbers);
    for (key, value) in &a.disk {
        again.restore(key, value).unwrap();
        assert!(again.flush().is_none());
    }
    again.start();
    assert_eq!(again.flush().unwrap().items.len(), 1);
}

#[test]
fn a_batch_that_was_not_taken_is_handed_over_again_later() {
    let mut a = Shard::new(0);
    a.send("1");
    let first = a.neighbours.flush().unwrap();
    a.neighbours.handed(first.number, false, Time(1_000));
    assert!(a.neighbours.flush().is_none());
    let at = a.neighbours.next_timeout().unwrap();
    assert!(at > Time(1_000));
    a.neighbours.timeout(at);
    assert_eq!(a.neighbours.flush().unwrap().items, first.items);
}

#[test]
fn after_a_crash_of_either_nothing_is_lost_and_nothing_comes_twice() {
    // The sender dies before the other shard has it.
    let (mut a, mut b) = (Shard::new(0), Shard::new(1));
    a.send("1");
    a.neighbours.flush().unwrap();
    a.restart();
    let hand = a.neighbours.flush().unwrap();
    assert_eq!(b.take(&hand), ["1"]);
    // Both die after it has it, and before the sender knows.
    a.restart();
    b.restart();
    a.send("2");
    let hand = a.neighbours.flush().unwrap();
    assert_eq!(b.take(&hand), ["2"]);
    a.neighbours.handed(hand.number, true, Time(1));
    a.commit();
    // Numbers go on though nothing waits.
    a.restart();
    a.send("3");
    let hand = a.neighbours.flush().unwrap();
    assert_eq!(b.take(&hand), ["3"]);
}

#[test]
fn numbers_go_on_behind_what_the_other_shard_has_though_a_power_cut_took_the_own_records() {
    let (mut a, mut b) = (Shard::new(0), Shard::new(1));
    a.send("1");
    let hand = a.neighbours.flush().unwrap();
    b.take(&hand);
    a.disk.clear();
    a.restart();
    a.neighbours.follow(1, b.neighbours.last_taken(0));
    a.send("2");
    let hand = a.neighbours.flush().unwrap();
    assert_eq!(b.take(&hand), ["2"]);
}

#[test]
fn a_batch_is_bounded_in_number_and_in_bytes() {
    let mut a = Shard::new(0);
    for number in 0..300 {
        a.send(&number.to_string());
    }
    assert_eq!(a.neighbours.flush().unwrap().items.len(), 256);
    let mut a = Shard::new(0);
    let large = "x".repeat(700 << 10);
    for id in ["1", "2"] {
        let handed = Handed::answer(
            id.to_owned(),
            AnyName::new("Status"),
            large.clone(),
            Time(9),
        );
        a.neighbours.enqueue(1, handed);
    }
    assert_eq!(a.neighbours.flush().unwrap().items.len(), 1);
    let mut settings = Settings::new("a.test");
    assert!(!a.neighbours.is_full(1, 1, &settings));
    settings.max_queue_bytes = 1 << 20;
    assert!(a.neighbours.is_full(1, 1, &settings));
}

#[test]
fn records_of_no_other_shard_are_not_taken_back() {
    let mut a = Shard::new(0);
    for key in [
        "sap/shard/to/0/1",
        "sap/shard/at/2",
        "sap/shard/from/x",
        "sap/shard/to/1",
    ] {
        assert!(a.neighbours.restore(key, b"1").is_err(), "{key}");
    }
}
