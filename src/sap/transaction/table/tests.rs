//! How rows are found, and what they take.

use super::*;
use crate::imps::Address;
use crate::imps::primitive::Name;
use crate::sap::body::Body;
use crate::sap::transaction::record::Part;

fn peer(name: &str) -> PeerId {
    PeerId::new(name)
}

fn message(n: u64, now: Time) -> Record {
    let part = Part {
        place: Place::at(
            &peer("recipient.example"),
            &format!("r{n:06}-{n:06}").as_str().into(),
        ),
        targets: vec![Address::new("wv:bob@recipient.example")],
        answer: None,
        acknowledged: None,
    };
    let origin = Origin::Peer {
        peer: peer("sender.example"),
        id: format!("s{n:06}-{n:06}").as_str().into(),
    };
    let name = Name::SendMessageRequest.into();
    Record {
        parts: vec![part],
        message: Some(id(n)),
        fingerprint: n,
        ..Record::waiting(origin, name, (now, now.plus_seconds(86_400)))
    }
}

fn id(n: u64) -> String {
    format!("m-20261122-071500-{n:06}")
}

fn answer(n: u64) -> Body {
    Body::raw(&format!(
        "<SendMessageResponse messageID=\"{}\"><Status code=\"200\"/></SendMessageResponse>",
        id(n)
    ))
}

/// The index keeps the hash and number of each, and the order in which rows are forgotten the
/// number and time.
#[test]
fn an_answered_message_takes_two_hundred_bytes_at_most() {
    // As many as make all tables grow once more.
    let (number, now) = (57_345, Time(1_700_000_000_000));
    let mut table = Table::default();
    let mut numbers = Vec::new();
    for n in 0..number {
        let row = table.next_number(now);
        table.insert(row, message(n, now));
        table.close(row, Some(answer(n)), |_| false);
        numbers.push(row);
    }
    assert!(table.rows.is_empty() && table.by_fingerprint.is_empty());
    let order = number.next_power_of_two() * size_of::<(u64, Time)>() as u64;
    let bytes = table.remembered.bytes() + table.by_origin.bytes() + table.by_place.bytes();
    let each = (bytes as u64 + order) / number;
    assert!(each <= 200, "{each} bytes a message");
    // What the bound counts is near that.
    let counted = table.answered().bytes as u64 / number;
    assert!(counted.abs_diff(each) < 60, "{counted} for {each} bytes");
    for (n, row) in (0..).zip(numbers) {
        let origin = message(n, now).origin;
        assert_eq!(table.by_origin(&origin), Some(row));
        let (record, _) = table.remove(row).unwrap();
        assert_eq!(record.state, State::Answered(Some(answer(n))));
        assert_eq!((record.origin, record.message), (origin, Some(id(n))));
    }
    assert_eq!(table.answered(), Sum::default());
}

#[test]
fn a_record_of_the_future_is_of_now_after_the_clock_was_put_back() {
    let (before, now) = (Time(9_000_000), Time(1_000_000));
    let mut table = Table::default();
    table.insert(1, message(1, before));
    table.insert(2, message(2, before));
    table.close(2, Some(answer(2)), |_| false);
    let all = table.answered();
    table.set_right(now);
    for number in [1, 2] {
        let record = table.get(number).unwrap();
        let expected = (now, now.plus_seconds(86_400));
        assert_eq!((record.received, record.expires), expected);
    }
    assert_eq!(table.answered().number, all.number);
    let newest: Vec<u64> = table.newest(1).iter().map(|(number, _)| *number).collect();
    assert_eq!(newest, [2]);
}
