use std::time::Duration;

use super::bodies::HELD_OF_ONE;
use super::setback::REFUSALS;
use super::*;
use crate::imps::primitive::Name;
use crate::sap::post::Loaded;

fn item(id: &str, conversation: &str) -> Item {
    Item {
        mode: Mode::Request,
        id: id.into(),
        name: Name::SendMessageRequest.into(),
        raw: "<x/>".repeat(10),
        conversation: Some(conversation.to_owned()),
        expires: Time(1000),
        message: None,
        via: None,
    }
}

fn ids(outbox: &Outbox, numbers: &[u64]) -> Vec<String> {
    outbox
        .get(numbers)
        .iter()
        .map(|item| item.id.to_string())
        .collect()
}

const PACE: Pace = Pace {
    step: Duration::from_millis(100),
    jitter: 0,
};

/// What would be posted.
fn ids_at(outbox: &mut Outbox, now: u64) -> Vec<String> {
    let chosen = outbox.next_post(&Dialect::default(), 64, 10_000, Time(now));
    ids(outbox, &chosen)
}

/// Posts what may be posted.
fn post(outbox: &mut Outbox, number: u64, now: u64) -> Vec<String> {
    let chosen = outbox.next_post(&Dialect::default(), 64, 10_000, Time(now));
    let posted = ids(outbox, &chosen);
    outbox.fly(number, chosen, Time(now));
    posted
}

#[test]
fn one_post_carries_what_is_queued_up() {
    let mut outbox = Outbox::new("p");
    for id in ["1", "2", "3"] {
        outbox.push(item(id, "a>b"), Time(1));
    }
    let dialect = Dialect::default();
    let batch = outbox.next_post(&dialect, 64, 10_000, Time(0));
    assert_eq!(ids(&outbox, &batch), ["1", "2", "3"]);
    outbox.fly(1, batch, Time(0));
    outbox.push(item("4", "c>d"), Time(1));
    assert!(
        outbox.next_post(&dialect, 64, 10_000, Time(0)).is_empty(),
        "one post at a time"
    );
    let (gone, writes) = outbox.acknowledged(1);
    assert_eq!((gone.len(), writes.len(), outbox.len()), (3, 3, 1));
}

#[test]
fn a_conversation_is_never_under_way_twice() {
    let dialect = Dialect {
        batch: 1,
        posts: 4,
        ..Dialect::default()
    };
    let mut outbox = Outbox::new("p");
    for (id, conversation) in [("1", "a>b"), ("2", "a>b"), ("3", "c>d")] {
        outbox.push(item(id, conversation), Time(1));
    }
    let first = outbox.next_post(&dialect, 64, 10_000, Time(0));
    outbox.fly(1, first.clone(), Time(0));
    let second = outbox.next_post(&dialect, 64, 10_000, Time(0));
    assert_eq!(
        (ids(&outbox, &first), ids(&outbox, &second)),
        (vec!["1".to_owned()], vec!["3".to_owned()])
    );
    outbox.fly(2, second, Time(0));
    assert!(outbox.next_post(&dialect, 64, 10_000, Time(0)).is_empty());
}

#[test]
fn a_refused_batch_is_tried_one_by_one() {
    let mut outbox = Outbox::new("p");
    for id in ["1", "2", "3"] {
        outbox.push(item(id, "a>b"), Time(1));
    }
    let batch = outbox.next_post(&Dialect::default(), 64, 10_000, Time(0));
    outbox.fly(1, batch, Time(0));
    assert!(outbox.refused(1).0.is_empty());
    let batch = outbox.next_post(&Dialect::default(), 64, 10_000, Time(0));
    assert_eq!(ids(&outbox, &batch), ["1"]);
    outbox.fly(2, batch, Time(0));
    assert_eq!(outbox.refused(2).0.len(), 1);
}

#[test]
fn what_expired_leaves_unless_it_is_under_way() {
    let mut outbox = Outbox::new("p");
    outbox.push(item("1", "a>b"), Time(1));
    outbox.fly(9, vec![1], Time(0));
    outbox.push(item("2", "a>b"), Time(1));
    assert_eq!(outbox.expire(Time(1000)).0.len(), 1);
    assert_eq!(outbox.len(), 1);
    assert!(outbox.withdraw("1").is_none());
    assert_eq!(outbox.next_expiry(), None, "nothing to look after yet");
    outbox.failed(9, Why::Away, PACE, Time(0));
    assert_eq!(outbox.next_expiry(), Some(Time(1000)));
    assert!(ids_at(&mut outbox, 99).is_empty());
    assert!(outbox.withdraw("1").is_some());
}

#[test]
fn what_is_held_back_holds_its_conversation_back() {
    let mut outbox = Outbox::new("p");
    outbox.delay(1, Time(500));
    for (id, conversation) in [("1", "a>b"), ("2", "c>d"), ("3", "a>b")] {
        outbox.push(item(id, conversation), Time(1));
    }
    assert_eq!(ids_at(&mut outbox, 499), ["2"]);
    assert_eq!(outbox.next_delayed(Time(499)), Some(Time(500)));
    assert_eq!(ids_at(&mut outbox, 500), ["1", "2", "3"]);
    assert_eq!(outbox.next_delayed(Time(500)), None);
}

#[test]
fn what_nobody_waits_for_is_not_posted_again() {
    let mut outbox = Outbox::new("p");
    for id in ["1", "2", "3"] {
        outbox.push(item(id, "a>b"), Time(1));
    }
    outbox.fly(9, vec![1, 2], Time(0));
    assert!(outbox.forsake("3").is_some(), "it was not under way");
    assert!(outbox.forsake("1").is_none());
    assert_eq!(outbox.returned(9).len(), 1);
    let batch = outbox.next_post(&Dialect::default(), 64, 10_000, Time(0));
    assert_eq!(ids(&outbox, &batch), ["2"]);
}

#[test]
fn a_batch_stays_within_its_bytes() {
    let mut outbox = Outbox::new("p");
    for id in ["1", "2", "3"] {
        outbox.push(item(id, "a>b"), Time(1));
    }
    assert_eq!(
        outbox
            .next_post(&Dialect::default(), 64, 250, Time(0))
            .len(),
        2
    );
}

#[test]
fn others_pass_while_one_item_is_refused_and_it_ends_after_so_many_refusals() {
    let mut outbox = Outbox::new("p");
    for (id, conversation) in [("bad", "a>b"), ("behind", "a>b"), ("good", "c>d")] {
        outbox.push(item(id, conversation), Time(1));
    }
    assert_eq!(post(&mut outbox, 1, 0), ["bad", "behind", "good"]);
    let (setback, _) = outbox.failed(1, Why::Refused, PACE, Time(0));
    assert_eq!(setback, Setback::Peer(PACE.step));
    // Nobody waits for the peer who may show that it does well.
    outbox.push(item("fresh", "e>f"), Time(1));
    assert_eq!(post(&mut outbox, 2, 1), ["fresh"]);
    assert_eq!(outbox.acknowledged(2).0.len(), 1);
    // It is tried alone, is to blame, and waits; the others go, except what is behind it.
    assert_eq!(post(&mut outbox, 3, 2), ["bad"]);
    let (setback, _) = outbox.failed(3, Why::Refused, PACE, Time(2));
    assert!(matches!(setback, Setback::Item { ref id, wait } if id == "bad" && wait == PACE.step));
    assert_eq!(post(&mut outbox, 4, 3), ["good"]);
    outbox.acknowledged(4);
    assert!(ids_at(&mut outbox, 4).is_empty());
    let mut now = 100_000;
    for n in 2..=REFUSALS {
        outbox.push(item("other", "g>h"), Time(1));
        // As long as nobody else passes it is not blamed further.
        let number = u64::from(n) * 10;
        now += 100_000;
        assert_eq!(post(&mut outbox, number, now), ["bad"]);
        let (setback, writes) = outbox.failed(number, Why::Refused, PACE, Time(now));
        if n == REFUSALS {
            assert!(matches!(setback, Setback::Ended(item) if item.id == "bad"));
            assert_eq!(writes.len(), 1);
        } else {
            assert!(matches!(setback, Setback::Item { .. }), "{setback:?}");
        }
        assert_eq!(
            post(&mut outbox, number + 1, now)[0],
            if n == REFUSALS { "behind" } else { "other" }
        );
        outbox.acknowledged(number + 1);
    }
}

#[test]
fn who_fails_while_nobody_passes_is_not_to_blame() {
    let mut outbox = Outbox::new("p");
    for (id, conversation) in [("1", "a>b"), ("2", "c>d")] {
        outbox.push(item(id, conversation), Time(1));
    }
    let mut now = 0;
    for number in 1..100 {
        now += 1_000_000;
        assert_eq!(
            post(&mut outbox, number, now).len(),
            if number == 1 { 2 } else { 1 }
        );
        let (setback, _) = outbox.failed(number, Why::Closed, PACE, Time(now));
        assert!(matches!(setback, Setback::Peer(_)), "{setback:?}");
    }
    assert_eq!(outbox.len(), 2);
}

#[test]
fn a_long_conversation_that_waits_hides_nobody() {
    let mut outbox = Outbox::new("p");
    let (number, _) = outbox.push(item("0", "a>b"), Time(1));
    outbox.delay(number, Time(500));
    for n in 1..3000 {
        outbox.push(item(&n.to_string(), "a>b"), Time(1));
    }
    outbox.push(item("other", "c>d"), Time(1));
    assert!(
        ids_at(&mut outbox, 1).is_empty(),
        "what waits was put out of sight"
    );
    assert_eq!(ids_at(&mut outbox, 1), ["other"]);
    outbox.push(item("3000", "a>b"), Time(1));
    let all = ids_at(&mut outbox, 500);
    assert_eq!(
        (all.len(), all[0].as_str(), all[63].as_str()),
        (64, "0", "63")
    );
}

#[test]
fn what_fails_together_is_one_failure_and_a_sign_of_life_ends_the_wait() {
    let dialect = Dialect {
        posts: 4,
        batch: 1,
        ..Dialect::default()
    };
    let mut outbox = Outbox::new("p");
    for n in 1..=4 {
        outbox.push(item(&n.to_string(), &n.to_string()), Time(1));
        let chosen = outbox.next_post(&dialect, 1, 10_000, Time(0));
        outbox.fly(n, chosen, Time(0));
    }
    let slow = Pace {
        step: Duration::from_secs(10),
        jitter: 0,
    };
    for n in 1..=4 {
        let (setback, _) = outbox.failed(n, Why::Away, slow, Time(n));
        let first = n == 1;
        assert_eq!(setback == Setback::Known, !first, "{setback:?}");
    }
    assert_eq!(
        (outbox.failures(), outbox.health().not_before()),
        (1, Time(10_001))
    );
    assert!(outbox.health_mut().heard(Time(1_500)));
    assert_eq!(outbox.next_post(&dialect, 1, 10_000, Time(1_500)), [1]);
    assert!(!outbox.health_mut().heard(Time(1_501)), "it has ended");
}

#[test]
fn a_sign_of_life_says_nothing_of_a_peer_that_answers() {
    let mut outbox = Outbox::new("p");
    outbox.push(item("1", "a>b"), Time(1));
    post(&mut outbox, 1, 0);
    outbox.failed(1, Why::Busy(Some(Duration::from_secs(5))), PACE, Time(0));
    assert!(!outbox.health_mut().heard(Time(10)));
    assert_eq!(outbox.health().not_before(), Time(5_000));
    // Nor does "at once" mean without a pause.
    post(&mut outbox, 2, 5_000);
    outbox.failed(2, Why::Busy(Some(Duration::ZERO)), PACE, Time(5_000));
    assert!(outbox.health().not_before() > Time(5_050));
}

fn large(id: &str, bytes: usize) -> Item {
    Item {
        raw: id.repeat(bytes / id.len()),
        ..item(id, "a>b")
    }
}

fn records(writes: Vec<Write>) -> BTreeMap<String, Vec<u8>> {
    let kept = writes.into_iter().filter_map(|write| match write {
        Write::Put { key, value, .. } => Some((key, value)),
        Write::Delete { .. } => None,
    });
    kept.collect()
}

#[test]
fn bodies_beyond_the_bound_are_on_disk_and_come_back_in_order() {
    let mut outbox = Outbox::new("p");
    let size = HELD_OF_ONE / 4;
    let mut writes = Vec::new();
    for n in 10..30 {
        writes.push(outbox.push(large(&n.to_string(), size), Time(1)).1);
    }
    assert!(outbox.held() <= HELD_OF_ONE && outbox.bytes() > 20 * size);
    let disk = records(writes);
    let (mut posted, mut number) = (Vec::new(), 0);
    while !outbox.is_empty() {
        number += 1;
        let mut chosen = outbox.next_post(&Dialect::default(), 3, 10 * size, Time(0));
        let load = outbox.load(&chosen, number);
        outbox.keep_readable(&mut chosen);
        for item in outbox.get(&chosen) {
            assert_eq!(item.raw, large(&item.id, size).raw);
            posted.push(item.id.to_string());
        }
        if !chosen.is_empty() {
            outbox.fly(number, chosen, Time(0));
            outbox.acknowledged(number);
        }
        if let Some(load) = load {
            let filled = outbox.loaded(load.from_disk(&disk)).unwrap();
            assert!(filled.damaged.is_empty() && filled.later.is_none());
        }
        assert!(outbox.held() <= HELD_OF_ONE + 3 * size);
        assert!(number < 100, "nothing moves");
    }
    let expected: Vec<String> = (10..30).map(|n| n.to_string()).collect();
    assert_eq!(posted, expected);
    assert_eq!((outbox.held(), outbox.bytes()), (0, 0));
}

#[test]
fn a_body_that_is_damaged_ends_alone() {
    let mut outbox = Outbox::new("p");
    let mut writes = Vec::new();
    for n in 10..20 {
        writes.push(
            outbox
                .push(large(&n.to_string(), HELD_OF_ONE / 2), Time(1))
                .1,
        );
    }
    let mut disk = records(writes);
    disk.remove("sap/out/p/00000000000000000003");
    let other = disk["sap/out/p/00000000000000000005"].clone();
    disk.insert("sap/out/p/00000000000000000004".to_owned(), other);
    let load = outbox.load(&[3, 4, 5], 1).unwrap();
    assert!(outbox.load(&[6], 2).is_none(), "one at a time");
    let stale = Loaded {
        number: 7,
        ..load.clone().from_disk(&disk)
    };
    assert!(outbox.loaded(stale).is_none());
    let filled = outbox.loaded(load.from_disk(&disk)).unwrap();
    let damaged: Vec<&str> = filled
        .damaged
        .iter()
        .map(|(item, _)| item.id.as_str())
        .collect();
    assert_eq!(damaged, ["12", "13"]);
    assert_eq!(filled.writes.len(), 2);
    assert_eq!(ids_at(&mut outbox, 0)[..1], ["10"]);
    let mut chosen = vec![5];
    assert!(outbox.keep_readable(&mut chosen));
}

#[test]
fn bodies_of_all_peers_are_bounded_and_a_short_queue_is_never_read() {
    const HELD_OF_ALL: usize = 64 * 1024 * 1024;
    let totals = Arc::new(Totals::new(HELD_OF_ALL));
    let mut outboxes: Vec<Outbox> = (0..100)
        .map(|n| Outbox::new(&format!("p{n}")).sharing(&totals))
        .collect();
    for outbox in &mut outboxes {
        for n in 10..30 {
            outbox.push(large(&n.to_string(), 1024 * 1024), Time(1));
        }
    }
    assert!(totals.held() <= HELD_OF_ALL);
    assert!(totals.queued() > 2000 * 1024 * 1024);
    let mut late = Outbox::new("late").sharing(&totals);
    late.push(item("1", "a>b"), Time(1));
    assert!(late.held() > 0);
    drop(outboxes);
    assert_eq!(totals.held(), late.held());
    assert_eq!(totals.queued(), late.bytes());
}
