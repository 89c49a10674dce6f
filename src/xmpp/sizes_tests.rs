//! Each kind of stanza with its largest allowed and its smallest forbidden size.

use bytes::BytesMut;
use proptest::prelude::*;

use super::element::{Element, Limits, Wrong};
use super::stream::{Item, StreamReader};

const LIMITS: Limits = Limits {
    bytes: 3000,
    depth: 10,
};
const HEAD: &str = "<stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' id='s1'>";

/// A stanza of exactly `bytes` bytes, which are in its id, a text or an attribute of a payload.
fn of_size(kind: &str, place: usize, bytes: usize) -> String {
    let with = |fill: &str| {
        let (id, text, attribute) = match place {
            0 => (fill, "", ""),
            1 => ("", fill, ""),
            _ => ("", "", fill),
        };
        let ends = format!("from='a@x.test/r' to='b@v.test' id='{id}'");
        let payload = format!("<f xmlns='urn:f' a='{attribute}'>{text}</f>");
        match kind {
            "message" => format!(
                "<message {ends}><body>{text}</body><f xmlns='urn:f' a='{attribute}'/></message>"
            ),
            "presence" => format!(
                "<presence {ends}><status>{text}</status><f xmlns='urn:f' a='{attribute}'/></presence>"
            ),
            _ => format!("<iq type='set' {ends}>{payload}</iq>"),
        }
    };
    let frame = with("").len();
    with(&"x".repeat(bytes - frame))
}

fn nested(kind: &str, depth: usize) -> String {
    let inner = depth - 1;
    let (open, close) = ("<f xmlns='urn:f'>".repeat(inner), "</f>".repeat(inner));
    let kind_of = if kind == "iq" { "type='set'" } else { "" };
    format!("<{kind} {kind_of} from='a@x.test/r' to='b@v.test' id='1'>{open}{close}</{kind}>")
}

/// What is read of a stream with the stanza, fed in pieces, and with a small one behind it.
fn read(stanza: &str, piece: usize) -> Vec<Element> {
    let bytes = format!("{HEAD}{stanza}<presence from='last@x.test' to='b@v.test'/>");
    let mut reader = StreamReader::new(LIMITS);
    let mut input = BytesMut::new();
    let mut found = Vec::new();
    for part in bytes.as_bytes().chunks(piece) {
        input.extend_from_slice(part);
        while let Some(item) = reader.next(&mut input).unwrap() {
            if let Item::Element(element) = item {
                found.push(element);
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn the_largest_stanza_is_taken_and_one_byte_more_is_refused_alone(
        kind in prop::sample::select(vec!["message", "presence", "iq"]),
        place in 0..3_usize,
        piece in prop::sample::select(vec![1, 7, 100, 4000]),
    ) {
        let taken = read(&of_size(kind, place, LIMITS.bytes), piece);
        prop_assert!(matches!(taken[..], [Element::Stanza(_), Element::Stanza(_)]), "{taken:?}");
        let refused = read(&of_size(kind, place, LIMITS.bytes + 1), piece);
        let [Element::BadStanza(bad), Element::Stanza(_)] = &refused[..] else {
            return Err(TestCaseError::fail(format!("{refused:?}")));
        };
        prop_assert_eq!(&bad.wrong, &Wrong::TooLarge(LIMITS.bytes));
    }

    #[test]
    fn the_deepest_stanza_is_taken_and_a_deeper_one_is_refused_alone(
        kind in prop::sample::select(vec!["message", "presence", "iq"]),
        piece in prop::sample::select(vec![1, 7, 4000]),
    ) {
        let taken = read(&nested(kind, LIMITS.depth), piece);
        prop_assert!(matches!(taken[..], [Element::Stanza(_), Element::Stanza(_)]), "{taken:?}");
        let refused = read(&nested(kind, LIMITS.depth + 1), piece);
        let [Element::BadStanza(bad), Element::Stanza(_)] = &refused[..] else {
            return Err(TestCaseError::fail(format!("{refused:?}")));
        };
        prop_assert_eq!(&bad.wrong, &Wrong::TooDeep(LIMITS.depth));
    }
}
