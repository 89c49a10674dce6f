//! Known answers: the sample messages of the wire profile, one or more for each
//! primitive (`tests/fixtures/profile/`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wvgate::imps::Primitive;
use wvgate::imps::xml::{self, Limits, Node, Style};
use wvgate::ssp::envelope::{NAMESPACE, Transaction, print_session, print_setup, scan};
use wvgate::ssp::{Message, Mode};

/// Files below `tests/fixtures/<folder>`, sorted by path.
pub(crate) fn fixtures(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no fixtures in {folder}");
    found
}

/// The transactions of a message, and its session id.
pub(crate) fn transactions(message: &Message) -> (Option<&str>, Vec<&Transaction>) {
    match message {
        Message::Setup(transaction) => (None, vec![transaction]),
        Message::Session(session) => (
            Some(&session.session),
            session.transactions.iter().collect(),
        ),
    }
}

/// The message with every primitive decoded and printed anew.
pub(crate) fn reprint(message: &Message) -> String {
    let (session, transactions) = transactions(message);
    let printed: Vec<(Mode, &str, String)> = transactions
        .iter()
        .map(|t| (t.mode, t.id.as_str(), t.primitive().unwrap().to_xml(None)))
        .collect();
    match session {
        None => print_setup(NAMESPACE, printed[0].0, printed[0].1, &printed[0].2),
        Some(session) => print_session(
            NAMESPACE,
            session,
            printed
                .iter()
                .map(|(mode, id, raw)| (*mode, *id, raw.as_str())),
        ),
    }
}

pub(crate) fn samples() -> Vec<(String, Bytes)> {
    fixtures("profile")
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, Bytes::from(std::fs::read(path).unwrap()))
        })
        .collect()
}

#[test]
fn every_sample_survives_decoding_and_printing() {
    for (name, body) in samples() {
        let message = scan(&body, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (_, parts) = transactions(&message);
        let [_, primitive, mode] = name.split('-').collect::<Vec<_>>()[..] else {
            panic!("{name}: not named NNN-Primitive-Mode");
        };
        assert_eq!(
            (parts[0].name.as_ref(), parts[0].mode.as_str()),
            (primitive, mode),
            "{name}"
        );
        let again = Bytes::from(reprint(&message));
        let again = scan(&again, &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (_, others) = transactions(&again);
        assert_eq!(parts.len(), others.len(), "{name}");
        for (part, other) in parts.iter().zip(others) {
            let value = part.primitive().unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(!matches!(value, Primitive::Unknown(_)), "{name}");
            assert_eq!(value, other.primitive().unwrap(), "{name}");
            assert_eq!(
                (part.mode, &part.id, &part.name, &part.peek),
                (other.mode, &other.id, &other.name, &other.peek),
                "{name}"
            );
        }
    }
}

/// Where our output differs from a sample on purpose: what the sample has, and
/// what we write instead.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // A misspelling of the deployed server.
    ("003", "procotolVersion=", "protocolVersion="),
    // The deployed server leaves out the prefix.
    ("017", "\"alice@home.example\"", "\"wv:alice@home.example\""),
    ("022", "\"alice@home.example\"", "\"wv:alice@home.example\""),
    ("038", "\"alice@home.example\"", "\"wv:alice@home.example\""),
    ("041", "\"alice@home.example\"", "\"wv:alice@home.example\""),
    // It also writes one attribute in lower case.
    ("032", " userid=", " userID="),
];

/// Samples written for the deployed server, in its style.
const FOR_DEPLOYED: &[&str] = &["020", "021", "023", "033"];

/// The output side of the deployed server's dialect.
pub(crate) fn deployed_style() -> Style {
    let table = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect()
    };
    Style {
        elements: table(&[("JoinedUser", "JoinedUsers")]),
        attributes: table(&[]),
        twins: table(&[
            ("MessageInfo@validity", "validlity"),
            ("MessageInfo@messageURI", "MessageURI"),
            ("MessageInfo@contentName", "ContentName"),
            ("UserID@userID", "userid"),
        ]),
        flat_clients: false,
    }
}

#[test]
fn printed_primitives_have_the_structure_of_the_samples() {
    let style = deployed_style();
    for (name, body) in samples() {
        let number = &name[..3];
        let message = scan(&body, &Limits::default()).unwrap();
        let (_, parts) = transactions(&message);
        for part in parts {
            let mut sample = canonical(&part.raw);
            for (_, theirs, ours) in DIFFERENCES.iter().filter(|d| d.0 == number) {
                assert!(sample.contains(theirs), "{name}: {theirs} is not there");
                sample = sample.replace(theirs, ours);
            }
            let style = FOR_DEPLOYED.contains(&number).then_some(&style);
            let printed = part.primitive().unwrap().to_xml(style);
            assert_eq!(canonical(printed.as_bytes()), sample, "{name}");
        }
    }
}

#[test]
fn each_primitive_has_a_sample() {
    let sampled: BTreeSet<String> = samples()
        .iter()
        .flat_map(|(_, body)| {
            let message = scan(body, &Limits::default()).unwrap();
            let (_, parts) = transactions(&message);
            parts.iter().map(|p| p.name.to_string()).collect::<Vec<_>>()
        })
        .collect();
    let missing: Vec<_> = Primitive::NAMES
        .iter()
        .filter(|name| !sampled.contains(**name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// One line per start tag or text, indented: white space and the choice between
/// `<a/>` and `<a></a>` do not show, order does.
fn canonical(raw: &[u8]) -> String {
    fn write(node: &Node<'_>, depth: usize, out: &mut String) {
        use std::fmt::Write as _;
        let _ = write!(out, "{:1$}{2}", "", depth, node.name);
        for (name, value) in &node.attributes {
            let _ = write!(out, " {name}={value:?}");
        }
        let text: String = node.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, " {text:?}");
        for child in &node.children {
            write(child, depth + 1, out);
        }
    }
    let mut out = String::new();
    write(&xml::parse(raw, &Limits::default()).unwrap(), 0, &mut out);
    out
}
