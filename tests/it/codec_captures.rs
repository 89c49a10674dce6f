//! The deployed server's own messages, byte for byte as they were on the wire
//! (`tests/fixtures/captures/`; a and b are instances of it).

use std::collections::BTreeMap;

use bytes::Bytes;
use wvgate::imps::presence::AttributeName;
use wvgate::imps::xml::{Limits, Repair};
use wvgate::imps::{Address, Primitive};
use wvgate::ssp::envelope::{scan, scan_lenient};

use super::codec_fixtures::{fixtures, reprint, transactions};

/// Captured messages which cannot be read as they are, and what each needs.
const REPAIRED: &[(&str, &[Repair])] = &[
    ("01/0117", &[Repair::BareAmpersand]),
    ("01/0121", &[Repair::CanceledEndTag]),
    ("01/0127", &[Repair::BareAmpersand]),
    ("01/0141", &[Repair::CanceledEndTag]),
    ("01/0159", &[Repair::BareAmpersand]),
    ("01/0163", &[Repair::CanceledEndTag]),
    ("11/0027", &[Repair::AttributeQuote]),
    ("13/0070", &[Repair::HtmlEntities]),
];

/// The bodies of the POSTs that an instance of the deployed server sent, by
/// set and number.
pub(crate) fn emitted() -> BTreeMap<String, (String, Bytes)> {
    let mut found = BTreeMap::new();
    for path in fixtures("captures") {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        if !(file.contains("-a-to-") || file.contains("-b-to-")) {
            continue;
        }
        let set = path
            .parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_string_lossy()[..2]
            .to_owned();
        let whole = std::fs::read(&path).unwrap();
        let head = whole.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let body = Bytes::from(whole[head + 4..].to_vec());
        let number = format!("{set}/{}", &file[..4]);
        assert!(found.insert(number, (file, body)).is_none());
    }
    found
}

#[test]
fn everything_the_deployed_server_sent_is_understood() {
    let mut repaired = BTreeMap::new();
    let emitted = emitted();
    assert_eq!(emitted.len(), 176);
    for (number, (file, body)) in &emitted {
        let (message, done) = scan_lenient(body, &Limits::default(), Repair::ALL)
            .unwrap_or_else(|e| panic!("{number} {file}: {e}"));
        assert_eq!(
            done.is_empty(),
            scan(body, &Limits::default()).is_ok(),
            "{number}"
        );
        if !done.is_empty() {
            repaired.insert(number.as_str(), done);
        }
        let (_, parts) = transactions(&message);
        assert_eq!(parts.len(), 1, "{number} {file}");
        let value = parts[0]
            .primitive()
            .unwrap_or_else(|e| panic!("{number} {file}: {e}"));
        assert!(!matches!(value, Primitive::Unknown(_)), "{number} {file}");
        // Named for its primitive; statuses carry their code.
        let named = file.split('-').nth(4).unwrap();
        assert!(named.starts_with(value.name()), "{number} {file}");

        let again = scan(&Bytes::from(reprint(&message)), &Limits::default()).unwrap();
        assert_eq!(
            transactions(&again).1[0].primitive().unwrap(),
            value,
            "{number}"
        );
        assert_eq!(transactions(&again).1[0].peek, parts[0].peek, "{number}");
    }
    let documented: BTreeMap<&str, Vec<Repair>> =
        REPAIRED.iter().map(|(n, r)| (*n, r.to_vec())).collect();
    assert_eq!(repaired, documented);
}

#[test]
fn no_repair_is_made_that_is_not_allowed() {
    let emitted = emitted();
    for (number, needed) in REPAIRED {
        let body = &emitted[*number].1;
        let others: Vec<Repair> = Repair::ALL
            .iter()
            .filter(|r| !needed.contains(r))
            .copied()
            .collect();
        let fault = scan_lenient(body, &Limits::default(), &others).unwrap_err();
        let strict = scan(body, &Limits::default()).unwrap_err();
        assert_eq!(*fault.first(), strict, "{number}");
    }
}

#[test]
fn repaired_messages_say_what_their_users_meant() {
    let emitted = emitted();
    let read = |number: &str| {
        let (message, _) =
            scan_lenient(&emitted[number].1, &Limits::default(), Repair::ALL).unwrap();
        transactions(&message).1[0].primitive().unwrap()
    };
    let Primitive::InviteRequest(invite) = read("01/0117") else {
        panic!("no invitation")
    };
    assert_eq!(invite.note.as_deref(), Some("come & chat"));

    let Primitive::CancelInviteRequest(cancel) = read("01/0121") else {
        panic!("no cancellation")
    };
    let canceled = cancel.canceled.map(|party| party.address().clone());
    assert_eq!(canceled, Some(Address::new("wv:bob@b.test")));
    let group = cancel.group.map(|group| group.group);
    assert_eq!(group, Some(Address::new("wv:alice/den@a.test")));

    let Primitive::SendMessageRequest(message) = read("11/0027") else {
        panic!("no message")
    };
    assert_eq!(
        message.info.recipients[0].address().as_str(),
        "wv:bo\"b<x@b.test"
    );

    let Primitive::PresenceNotification(presence) = read("13/0070") else {
        panic!("no presence")
    };
    let list = presence.values[0].presence.as_ref().unwrap();
    assert_eq!(
        list.get(&AttributeName::StatusText).unwrap().simple(),
        // The user wrote an entity, which the deployed server escaped.
        Some("café 日本 \u{a0}x &lt;")
    );
}
