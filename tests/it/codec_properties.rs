//! Properties of the codec over mutated fixtures and generated values. The
//! mutations are deterministic, so a failure repeats; the same properties run
//! under libFuzzer in `tests/fuzz`.

mod generated;
mod tree;

use bytes::Bytes;
use proptest::prelude::*;
use quick_xml::events::Event;
use wvgate::imps::common::{
    ContentData, GroupId, MessageInfo, MetaInfo, PresenceValue, Recipient, ScreenName, Sender,
    User, UserId, VerUserId,
};
use wvgate::imps::datetime::DateTime;
use wvgate::imps::presence::{Attribute, AttributeName, Item, PresenceSubList};
use wvgate::imps::primitive::{Facts, facts, message, presence, session};
use wvgate::imps::xml::{self, Limits, Malformed, Node};
use wvgate::imps::{Address, Code, Primitive, Status};
use wvgate::ssp::envelope::{Transaction, decode_fragment, scan};
use wvgate::ssp::{Mode, check};

use self::tree::Tree;
use super::codec_captures::emitted;
use super::codec_fixtures::{fixtures, transactions};

/// A small generator of numbers: xorshift.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % sides.max(1)
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let samples = fixtures("profile")
        .into_iter()
        .map(|path| std::fs::read(path).unwrap());
    samples
        .chain(emitted().into_values().map(|(_, body)| body.to_vec()))
        .collect()
}

/// Pieces that matter to a reader of XML.
const PIECES: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "\"",
    "'",
    "=",
    "&",
    ";",
    "&amp;",
    "&#38;",
    "&#0;",
    "&#x1F;",
    "&eacute;",
    "&#xFFFE;",
    "]]>",
    "<![CDATA[",
    "<![CDATA[ x ]]>",
    "<!--",
    "-->",
    "<!-- x -->",
    "<?x y?>",
    "<?xml version='1.0'?>",
    "<!DOCTYPE a>",
    "<!DOCTYPE a [",
    " a='1' a='2'",
    " x:a='1'",
    "x:",
    "xmlns:x='y' ",
    "\u{1}",
    "\u{fffe}",
    "\u{feff}",
    "é",
    "\u{2028}",
    "\r\n",
    "\t",
    " ",
    "-",
    ":",
    "1",
    "<User userID='a@b'/>",
    "<Canceled/>",
    "<a>",
    "</a>",
];

fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[dice.roll(seeds.len())].clone();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(data.len() + 1);
        match dice.roll(7) {
            0 => drop(data.splice(at..at, PIECES[dice.roll(PIECES.len())].bytes())),
            1 => drop(data.drain(at..(at + dice.roll(9)).min(data.len()))),
            2 if at < data.len() => data[at] = u8::try_from(dice.roll(256)).unwrap(),
            3 => data.truncate(at),
            4 => {
                let copy = data[at..(at + dice.roll(80)).min(data.len())].to_vec();
                drop(data.splice(at..at, copy));
            }
            5 => {
                let other = &seeds[dice.roll(seeds.len())];
                let from = dice.roll(other.len());
                let part = other[from..(from + dice.roll(200)).min(other.len())].to_vec();
                drop(data.splice(at..at, part));
            }
            _ => {
                // Between two tags, where a mutation has a chance to be accepted.
                let tags: Vec<usize> = (0..data.len()).filter(|i| data[*i] == b'<').collect();
                if let Some(tag) = tags.get(dice.roll(tags.len())) {
                    let piece = PIECES[dice.roll(PIECES.len())];
                    drop(data.splice(tag..tag, piece.bytes()));
                }
            }
        }
    }
    data
}

pub(crate) fn families() -> Vec<&'static str> {
    let mut families: Vec<_> = Primitive::NAMES
        .iter()
        .filter_map(|name| facts(name))
        .map(|facts: &Facts| facts.family)
        .collect();
    families.sort_unstable();
    families.dedup();
    families
}

/// What the fuzz target `target` starts from.
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    fixtures(&format!("../fuzz/corpus/{target}"))
        .into_iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

#[test]
fn every_property_holds_for_the_fixtures() {
    for seed in seeds().iter().chain(&corpus("")) {
        check::envelope(seed);
        check::repair(seed);
        for family in families() {
            check::family(seed, family);
        }
    }
}

#[test]
fn family_properties_hold_for_mutated_bytes() {
    let mut dice = Dice(0x57_5647_4154_4536);
    for family in families() {
        let seeds = corpus(family);
        for _ in 0..400 {
            check::family(&mutated(&mut dice, &seeds), family);
        }
    }
}

#[test]
fn envelope_properties_hold_for_mutated_bytes() {
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4531), seeds());
    for _ in 0..4000 {
        check::envelope(&mutated(&mut dice, &seeds));
    }
}

#[test]
fn repair_properties_hold_for_mutated_bytes() {
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4532), seeds());
    for _ in 0..3000 {
        check::repair(&mutated(&mut dice, &seeds));
    }
}

#[test]
fn what_is_accepted_is_what_another_reader_sees() {
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4533), seeds());
    let mut accepted = 0;
    for _ in 0..4000 {
        let data = mutated(&mut dice, &seeds);
        if let Ok(node) = xml::parse(&data, &Limits::default()) {
            accepted += 1;
            let text = std::str::from_utf8(&data).unwrap();
            let mut theirs = Vec::new();
            other_reader(text.trim_start_matches('\u{feff}'), &mut theirs);
            let mut ours = Vec::new();
            events(&node, &mut ours);
            assert_eq!(ours, theirs, "{text}");
        }
    }
    assert!(accepted > 400, "only {accepted} were accepted at all");
}

/// An element's name, attributes and text.
type Seen = (String, Vec<(String, String)>, String);

/// Elements in order of start tags, by our reader.
fn events(node: &Node<'_>, out: &mut Vec<Seen>) {
    let attributes = node
        .attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_string()))
        .collect();
    out.push((node.name.to_owned(), attributes, node.text.to_string()));
    for child in &node.children {
        events(child, out);
    }
}

/// The same by quick-xml.
fn other_reader(text: &str, out: &mut Vec<Seen>) {
    let local = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<usize> = Vec::new();
    loop {
        let mut add = |piece: &str, open: &[usize]| {
            if let Some(innermost) = open.last() {
                out[*innermost].2.push_str(piece);
            }
        };
        match reader.read_event().unwrap() {
            Event::Start(tag) => {
                let mut attributes: Vec<(String, String)> = Vec::new();
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let key: &str = attribute.key.as_ref();
                    if key == "xmlns" || key.starts_with("xmlns:") {
                        continue;
                    }
                    let value = attribute
                        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                        .unwrap();
                    if attributes.iter().all(|(other, _)| *other != local(key)) {
                        attributes.push((local(key), value.into_owned()));
                    }
                }
                open.push(out.len());
                out.push((local(tag.name().as_ref()), attributes, String::new()));
            }
            Event::End(_) => drop(open.pop()),
            Event::Text(text) => add(&text.xml10_content(), &open),
            Event::CData(data) => add(&data.xml10_content(), &open),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().unwrap() {
                Some(c) => add(&c.to_string(), &open),
                None => add(
                    quick_xml::escape::resolve_xml_entity(&reference).unwrap(),
                    &open,
                ),
            },
            Event::Eof => break,
            _ => {}
        }
    }
    for (_, _, text) in out {
        *text = text.trim_matches([' ', '\t', '\r', '\n']).to_owned();
    }
}

#[test]
fn typed_properties_hold_for_mutated_trees() {
    let mut trees = Vec::new();
    for path in fixtures("profile") {
        let body = Bytes::from(std::fs::read(path).unwrap());
        let message = scan(&body, &Limits::default()).unwrap();
        for part in transactions(&message).1 {
            trees.push(Tree::of(
                &xml::parse(&part.raw, &Limits::default()).unwrap(),
            ));
        }
    }
    let donors: Vec<Tree> = trees
        .iter()
        .flat_map(|tree| tree.children.clone())
        .collect();
    let mut dice = Dice(0x57_5647_4154_4534);
    let (mut typed, mut doubled) = (0, 0);
    for round in 0..5000 {
        let mut tree = trees[round % trees.len()].clone();
        for _ in 0..=dice.roll(3) {
            tree.mutate(&mut dice, &donors);
        }
        let mut text = String::from(
            "<WV-SSP-Message xmlns:p='p'><Session sessionID='1@a'><Transaction transactionID='7'>",
        );
        tree.print(&mut text);
        text.push_str("</Transaction></Session></WV-SSP-Message>");
        check::envelope(text.as_bytes());
        let message = match scan(&Bytes::from(text), &Limits::default()) {
            Err(Malformed::Twice(_)) => {
                doubled += 1;
                continue;
            }
            other => other.unwrap(),
        };
        typed += usize::from(transactions(&message).1[0].primitive().is_ok());
    }
    assert!(
        typed > 2500 && doubled > 100,
        "only {typed} could be decoded, {doubled} had something twice"
    );
}

#[test]
fn limits_are_kept_whatever_comes() {
    let limits = Limits {
        depth: 6,
        elements: 20,
        attributes: 3,
        bytes: 4000,
        transactions: 2,
        ..Limits::default()
    };
    let (mut dice, seeds) = (Dice(0x57_5647_4154_4535), seeds());
    let mut faults = [0; 5];
    for _ in 0..2000 {
        let data = mutated(&mut dice, &seeds);
        let scanned = scan(&Bytes::copy_from_slice(&data), &limits);
        let parsed = xml::parse(&data, &limits);
        if let Ok(node) = &parsed {
            check::within(node, &limits);
        }
        for fault in [scanned.err(), parsed.err()].into_iter().flatten() {
            match fault {
                Malformed::Depth(6) => faults[0] += 1,
                Malformed::Count {
                    what: "elements",
                    limit: 20,
                } => faults[1] += 1,
                Malformed::Count {
                    what: "attributes",
                    limit: 3,
                } => faults[2] += 1,
                Malformed::Size(4000) => faults[3] += 1,
                _ => faults[4] += 1,
            }
        }
    }
    assert!(
        faults[..4].iter().filter(|n| **n > 0).count() >= 3,
        "{faults:?}"
    );
}

#[test]
fn floods_are_refused_by_their_own_limit() {
    let limits = Limits::default();
    let attributes: String = (0..100).map(|n| format!(" a{n}='1'")).collect();
    let session = |inner: &str| {
        format!("<WV-SSP-Message><Session sessionID='1'>{inner}</Session></WV-SSP-Message>")
    };
    let deep = |n| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    for (body, fault) in [
        (
            session(&format!("<a{attributes}/>")),
            Malformed::Count {
                what: "attributes",
                limit: 32,
            },
        ),
        (
            session(&"<a/>".repeat(60_000)),
            Malformed::Count {
                what: "elements within one",
                limit: 10_000,
            },
        ),
        (
            session(&format!("<a>{}</a>", "<b/>".repeat(9)).repeat(6_000)),
            Malformed::Count {
                what: "elements",
                limit: 50_000,
            },
        ),
        (session(&deep(100_000)), Malformed::Depth(32)),
        (session(&"x".repeat(1 << 20)), Malformed::Size(1 << 20)),
    ] {
        assert_eq!(
            xml::parse(body.as_bytes(), &limits).err(),
            Some(fault.clone())
        );
        assert_eq!(scan(&Bytes::from(body), &limits), Err(fault));
    }
    let many = session(&"<Transaction transactionID='1'><a/></Transaction>".repeat(257));
    assert_eq!(
        scan(&Bytes::from(many), &limits),
        Err(Malformed::Count {
            what: "transactions",
            limit: 256
        })
    );
    let unlimited = Limits {
        depth: usize::MAX,
        bytes: usize::MAX,
        elements: usize::MAX,
        ..limits
    };
    assert_eq!(
        xml::parse(deep(100_000).as_bytes(), &unlimited).err(),
        Some(Malformed::Depth(256)),
        "recursion is bounded whatever is configured"
    );
}
