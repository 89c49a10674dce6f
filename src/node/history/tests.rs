use std::collections::BTreeMap;

use super::*;
use crate::imps::Address;
use crate::sap::Wait;
use crate::sap::transaction::history::{Ended, Said, Sent};
use crate::sap::{Origin, PeerId, Place, RequestId};

const START: u64 = 1_700_000_000_000;

fn at(millis: u64) -> Time {
    Time(START + millis)
}

fn step(message: &str, time: Time, what: What) -> Step {
    let message = message.to_owned();
    Step {
        message,
        time,
        what,
    }
}

fn peer(name: &str, id: &str) -> Place {
    Place::Peer {
        peer: PeerId::new(name),
        id: id.into(),
    }
}

fn local() -> Place {
    Place::Element {
        element: crate::home::ELEMENT,
        request: RequestId(7),
    }
}

fn said(code: u16, reason: Option<&str>) -> Said {
    let reason = reason.map(str::to_owned);
    Said { code, reason }
}

fn received(place: Place, refused: Option<Said>) -> What {
    What::Received {
        origin: Origin::Peer {
            peer: PeerId::new("a.test"),
            id: "ta".into(),
        },
        sender: Some(Address::new("wv:alice@a.test")),
        expires: at(3_600_000),
        parts: vec![Sent {
            place,
            to: vec![Address::new("wv:bob@b.test")],
            refused,
        }],
    }
}

fn ended(place: Place, result: Said, here: bool) -> What {
    What::Ended(Ended {
        place,
        result,
        here,
    })
}

/// The history of `m` as it is told.
fn told(steps: Vec<(u64, What)>, outcomes: &[(u64, Outcome)], present: &Present) -> super::Part {
    let mut history = History::default();
    for (time, what) in steps {
        history.note(step("m", at(time), what));
    }
    for (time, outcome) in outcomes {
        history.note_outcome("m", crate::home::ELEMENT, *outcome, at(*time));
    }
    let piece = history.pending().next().unwrap().clone();
    let story = Story::of(&piece, present);
    assert_eq!(story.sender.as_deref(), Some("wv:alice@a.test"));
    story.parts.into_iter().next().unwrap()
}

fn away() -> Present {
    let wait = Wait {
        peer: "b.test".to_owned(),
        session: false,
        logging_in: false,
        next_try: Some(at(70_000)),
        because: Some("connection refused".to_owned()),
        queued: 3,
    };
    Present {
        waits: BTreeMap::from([("b.test".to_owned(), wait)]),
        xmpp_up: false,
        now: at(60_000),
    }
}

#[test]
fn each_way_a_message_can_go_has_its_words() {
    let here = Place::Here;
    let b = || peer("b.test", "tb");
    let refused = |code, reason| vec![(0, received(here.clone(), Some(said(code, reason))))];
    let cases: Vec<(super::Part, &str, &str)> = vec![
        (
            told(refused(901, None), &[], &away()),
            "refused",
            "refused here: 901",
        ),
        (
            told(refused(516, Some("relay loop")), &[], &away()),
            "refused",
            "(relay loop)",
        ),
        (
            told(
                refused(506, Some("not in the agreement with b.test")),
                &[],
                &away(),
            ),
            "refused",
            "(not in the agreement with b.test)",
        ),
        (
            told(vec![(0, received(b(), None))], &[], &away()),
            "waiting",
            "waits for b.test since 2023-11-14 22:13:20, valid until 2023-11-14 23:13:20: \
             no session (connection refused), next login at 2023-11-14 22:14:30",
        ),
        (
            told(
                vec![(0, received(b(), None)), (15_000, What::TakenOver)],
                &[],
                &away(),
            ),
            "waiting",
            "; its sender was told 202 at 2023-11-14 22:13:35",
        ),
        (
            told(
                vec![
                    (0, received(b(), None)),
                    (10, What::Taken(b())),
                    (
                        20,
                        ended(b(), said(531, Some("nobody of that name")), false),
                    ),
                ],
                &[],
                &away(),
            ),
            "refused",
            "refused by b.test: 531 Unknown user (nobody of that name)",
        ),
        (
            told(
                vec![
                    (0, received(b(), None)),
                    (20, ended(b(), said(200, None), false)),
                ],
                &[],
                &away(),
            ),
            "delivered",
            "delivered, as b.test says: 200",
        ),
        (
            told(
                vec![
                    (0, received(b(), None)),
                    (20, ended(b(), said(202, None), false)),
                ],
                &[],
                &away(),
            ),
            "passed",
            "taken over by b.test, which will deliver it when it can: 202",
        ),
        (
            told(
                vec![
                    (0, received(b(), None)),
                    (20, ended(b(), said(542, None), true)),
                ],
                &[],
                &away(),
            ),
            "expired",
            "expired while it waited for b.test: 542",
        ),
        (
            told(
                vec![
                    (0, received(b(), None)),
                    (10, What::Taken(b())),
                    (20_000, ended(b(), said(504, None), true)),
                ],
                &[],
                &away(),
            ),
            "passed",
            "it may have arrived: 504",
        ),
        (
            told(
                vec![
                    (0, received(local(), None)),
                    (1, ended(local(), said(200, None), false)),
                ],
                &[],
                &away(),
            ),
            "waiting",
            "waits for a client of wv:bob@b.test since",
        ),
        (
            told(
                vec![
                    (0, received(local(), None)),
                    (1, ended(local(), said(200, None), false)),
                ],
                &[(5_000, Outcome::Delivered)],
                &away(),
            ),
            "delivered",
            "delivered to the user's client at 2023-11-14 22:13:25",
        ),
        (
            told(
                vec![
                    (0, received(local(), None)),
                    (1, ended(local(), said(531, None), false)),
                ],
                &[(1, Outcome::Refused(531))],
                &away(),
            ),
            "refused",
            "refused by the home domain: 531 Unknown user",
        ),
        (
            told(
                vec![
                    (0, received(b(), None)),
                    (20, ended(b(), said(202, None), false)),
                    (
                        900,
                        What::Reported {
                            by: Some(Address::new("wv:bob@b.test")),
                            result: said(200, None),
                        },
                    ),
                ],
                &[],
                &away(),
            ),
            "delivered",
            "delivered, as wv:bob@b.test reports: 200",
        ),
    ];
    for (part, state, words) in cases {
        assert_eq!(part.state, state, "{}", part.what);
        assert!(
            part.what.contains(words),
            "{} should hold {words}",
            part.what
        );
    }
    let gone = told(vec![(0, received(peer("z.test", "t"), None))], &[], &away());
    assert!(gone.what.contains("no peer any more"), "{}", gone.what);
    let xmpp = Place::Element {
        element: crate::gateway::ELEMENT,
        request: RequestId(1),
    };
    let waits = told(vec![(0, received(xmpp, None))], &[], &away());
    assert!(waits.what.contains("link is down"), "{}", waits.what);
}

#[test]
fn what_was_gathered_is_one_record_and_its_pieces_make_the_history() {
    let mut history = History::default();
    assert_eq!(history.next(), None);
    for n in 0..100 {
        let place = peer("b.test", &format!("t{n}"));
        history.note(step(&format!("m{n}"), at(n), received(place, None)));
    }
    assert_eq!(history.next(), Some(at(1_000)));
    let first = history.flush(at(1_000));
    let later = peer("b.test", "t7");
    history.note(step("m7", at(5_000), ended(later, said(531, None), false)));
    let second = history.flush(at(6_000));
    let values: Vec<Vec<u8>> = first
        .iter()
        .chain(&second)
        .map(|write| match write {
            Write::Put { value, .. } => value.clone(),
            Write::Delete { key } => panic!("{key}"),
        })
        .collect();
    assert_eq!(values.len(), 2);
    assert_eq!(time_of(&values[1]), Some(at(6_000)));
    let mut whole: Option<Piece> = None;
    for piece in values.iter().flat_map(|value| pieces(value)) {
        let piece: Piece = serde_json::from_str(piece).unwrap();
        if piece.id == "m7" {
            match &mut whole {
                Some(known) => known.merge(piece),
                None => whole = Some(piece),
            }
        }
    }
    let story = Story::of(&whole.unwrap(), &away());
    assert_eq!(story.parts.len(), 1);
    assert_eq!(story.parts[0].code, Some(531));
    assert_eq!(story.received, Some(at(7)));
    // After a restart the records are known again, and go when they are old.
    let mut again = History::default();
    for write in first.iter().chain(&second) {
        if let Write::Put { key, value, .. } = write {
            again.restore(key, value).unwrap();
        }
    }
    again.start(at(7_000));
    assert_eq!(again.bytes(), history.bytes());
    let end = at(1_000).plus(Keep::default().time);
    assert_eq!(again.next(), Some(end));
    let gone = again.flush(end);
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].key(), first[0].key());
}

#[test]
fn the_log_ends_at_its_bytes_and_the_memory_at_its_own() {
    let keep = Keep {
        time: Duration::from_secs(3_600),
        bytes: 100_000,
    };
    let mut history = History::new(keep);
    let huge = "x".repeat(900_000);
    for n in 0..2_000_u64 {
        let place = peer(&huge, &format!("{n}{huge}"));
        history.note(step(&format!("{n}{huge}"), at(n), received(place, None)));
        if n % 10 == 0 {
            history.flush(at(n));
            assert!(history.bytes() <= 100_000);
        }
    }
    assert!(history.bytes() > 50_000);
    // A store that takes nothing costs no more than this, and what is lost is counted.
    for n in 0..20_000_u64 {
        history.note(step(&format!("n{n}"), at(n), received(Place::Here, None)));
    }
    let bytes: usize = history.pending().map(Piece::bytes).sum();
    assert!(bytes < TOO_MUCH + 10_000, "{bytes}");
    assert!(history.lost > 0);
    history.wait(at(50_000));
    assert_eq!(history.next(), Some(at(51_000)));
    // Many parts, ends and reports of one message are bounded as well.
    let mut one = History::new(Keep::default());
    for n in 0..1_000 {
        let place = peer("b.test", &format!("t{n}"));
        one.note(step(
            "m",
            at(n),
            ended(place, said(500, Some(&huge)), false),
        ));
        one.note_outcome("m", crate::home::ELEMENT, Outcome::Repeated, at(n));
    }
    assert!(one.pending().next().unwrap().bytes() < 20_000);
}

#[test]
fn with_nothing_to_be_kept_nothing_is_gathered() {
    let keep = Keep {
        time: Duration::ZERO,
        bytes: 1 << 20,
    };
    let mut history = History::new(keep);
    history.note(step("m", at(0), received(Place::Here, None)));
    assert_eq!(history.next(), None);
    assert_eq!(history.flush(at(1)), []);
}
