//! Properties that hold for every input whatever, as functions that panic where
//! they do not. Fuzz targets and tests share them.

use bytes::Bytes;

use super::envelope::{self, Message, NAMESPACE, Peek, Transaction};
use crate::imps::primitive;
use crate::imps::xml::{self, Limits, Malformed, Node, Repair, Texts};
use crate::imps::{Address, Primitive};

/// Limits for what is printed from something that kept the default ones:
/// escaping can make it longer.
const ROOMY: Limits = Limits {
    depth: 256,
    elements: usize::MAX,
    attributes: usize::MAX,
    bytes: usize::MAX,
    transactions: usize::MAX,
    entries: usize::MAX,
    texts: Texts::UNLIMITED,
};

/// The envelope scan accepts what the tree reader accepts, keeps the limits,
/// and what it accepts can be printed, scanned again, and decoded as noted.
pub fn envelope(data: &[u8]) {
    let limits = Limits::default();
    let body = Bytes::copy_from_slice(data);
    let Ok(text) = xml::encoding::utf_8(&body) else {
        assert!(envelope::scan(&body, &limits).is_err());
        return;
    };
    let parsed = xml::parse(&text, &limits);
    let scanned = envelope::scan(&body, &limits);
    match (&parsed, &scanned) {
        (Ok(node), _) => within(node, &limits),
        (Err(fault), Ok(_)) => panic!("the scan accepts what the reader refuses: {fault}"),
        (Err(_), Err(_)) => {}
    }
    match scanned {
        Ok(message) => accepted(&message),
        Err(
            Malformed::Envelope(_)
            | Malformed::Twice(_)
            | Malformed::Count {
                what: "transactions",
                ..
            },
        ) => {}
        Err(fault) => assert!(
            parsed.is_err(),
            "the reader accepts what the scan refuses: {fault}"
        ),
    }
}

/// Anything that decodes as a primitive of `family` (a module of
/// [`primitive`]) prints as XML that decodes to the same value.
pub fn family(data: &[u8], family: &str) {
    let Ok(root) = xml::parse(data, &Limits::default()) else {
        return;
    };
    // A message holds its primitive at depth 3 or 4; anything else is taken for
    // the content of each primitive of the family.
    let mut node = &root;
    while let Some(child) = node.children.first()
        && primitive::facts(node.name).is_none()
    {
        node = child;
    }
    if primitive::facts(node.name).is_none() {
        node = &root;
    }
    for facts in primitive::family(family) {
        let mut node = node.clone();
        node.name = facts.name;
        if let Ok(value) = Primitive::read(&node) {
            there_and_back(&value);
        }
    }
}

/// Repairs stay within their bound, leave a well-formed body alone, and what is
/// accepted after them is as good as any other message.
pub fn repair(data: &[u8]) {
    repair_with(data, Repair::ALL);
    let has_doctype = data.windows(2).any(|w| w == b"<!");
    if xml::parse(data, &Limits::default()).is_ok() && !has_doctype {
        let harmless = [
            Repair::Latin1,
            Repair::SurrogateReferences,
            Repair::BareAmpersand,
            Repair::AttributeQuote,
        ];
        let touched = xml::repair::repair(data, &harmless);
        assert!(touched.is_none(), "a good body was repaired: {touched:?}");
    }
}

/// The part of [`repair`] that holds whichever repairs are `allowed`.
pub fn repair_with(data: &[u8], allowed: &[Repair]) {
    let limits = Limits::default();
    let mended = xml::repair::repair(data, allowed);
    if let Some((mended, done)) = &mended {
        assert!(mended.len() <= data.len() * 6, "longer than promised");
        assert!(!done.is_empty(), "something was repaired, but what?");
        assert!(done.iter().all(|done| allowed.contains(done)), "{done:?}");
    }
    let body = Bytes::copy_from_slice(data);
    let strict = envelope::scan(&body, &limits);
    let lenient = envelope::scan_lenient(&body, &limits, allowed);
    match (strict, lenient) {
        (Ok(message), lenient) => assert_eq!(lenient, Ok((message, Vec::new()))),
        (Err(fault), Err(other)) => {
            assert_eq!(&fault, other.first(), "the fault is that of the body");
        }
        (Err(_), Ok((message, done))) => {
            assert!(!done.is_empty(), "accepted without repair");
            accepted(&message);
        }
    }
}

/// What holds for every accepted message.
fn accepted(message: &Message) {
    let transactions = match message {
        Message::Setup(transaction) => {
            let printed = envelope::print_setup(
                NAMESPACE,
                transaction.mode,
                &transaction.id,
                utf8(&transaction.raw),
            );
            assert_eq!(
                envelope::scan(&printed.into(), &ROOMY).as_ref(),
                Ok(message)
            );
            std::slice::from_ref(transaction)
        }
        Message::Session(session) => {
            let transactions = session.transactions.as_slice();
            let printed = envelope::print_session(
                NAMESPACE,
                &session.session,
                transactions
                    .iter()
                    .map(|t| (t.mode, t.id.as_str(), utf8(&t.raw))),
            );
            if !transactions.is_empty() {
                assert_eq!(
                    envelope::scan(&printed.into(), &ROOMY).as_ref(),
                    Ok(message)
                );
            }
            transactions
        }
    };
    for transaction in transactions {
        if let Ok(value) = transaction.primitive() {
            assert_eq!(value.name(), transaction.name);
            there_and_back(&value);
            let typed = Transaction::new(transaction.mode, transaction.id.as_str(), &value);
            seen(&transaction.peek, &typed.peek);
            assert_eq!(Peek::of(&value), typed.peek);
        }
    }
}

fn utf8(raw: &[u8]) -> &str {
    match std::str::from_utf8(raw) {
        Ok(text) => text,
        Err(fault) => panic!("a fragment is not UTF-8: {fault}"),
    }
}

fn there_and_back(value: &Primitive) {
    let printed = value.to_xml(None);
    match envelope::decode_fragment(printed.as_bytes()) {
        Ok(again) => assert_eq!(again, *value, "printed as {printed}"),
        Err(fault) => panic!("{fault}: {printed}"),
    }
}

/// Everything that the typed primitive will act upon (`typed`) was noted when
/// its message came in (`noted`). More may have been noted: children that the
/// type does not know.
fn seen(noted: &Peek, typed: &Peek) {
    let options = [
        (&noted.service, &typed.service),
        (&noted.user, &typed.user),
        (&noted.group, &typed.group),
        (&noted.subject, &typed.subject),
        (&noted.about, &typed.about),
        (&noted.sender, &typed.sender),
    ];
    for (noted, typed) in options {
        assert!(typed.is_none() || typed == noted, "{noted:?} {typed:?}");
    }
    assert!(typed.message_id.is_none() || typed.message_id == noted.message_id);
    assert!(typed.service.is_none() || typed.by_server == noted.by_server);
    assert_eq!(typed.report, noted.report);
    let lists: [(&[Address], &[Address]); 3] = [
        (&noted.users, &typed.users),
        (&noted.recipients, &typed.recipients),
        (&noted.publishers, &typed.publishers),
    ];
    for (noted, typed) in lists {
        let missed = typed.iter().find(|address| !noted.contains(address));
        assert_eq!(missed, None, "not among {noted:?}");
    }
}

/// Counts a tree against the limits it was read with.
pub fn within(node: &Node<'_>, limits: &Limits) {
    fn count(node: &Node<'_>, depth: usize, limits: &Limits) -> usize {
        assert!(depth <= limits.depth, "too deep");
        assert!(node.attributes.len() <= limits.attributes, "attributes");
        assert!(node.children.len() <= limits.entries, "entries");
        let is_short = node.text.len() <= limits.texts.text;
        assert!(is_short || Texts::is_content(node.name), "texts");
        let below: usize = node
            .children
            .iter()
            .map(|child| count(child, depth + 1, limits))
            .sum();
        below + 1
    }
    assert!(count(node, 1, limits) <= limits.elements, "elements");
}
