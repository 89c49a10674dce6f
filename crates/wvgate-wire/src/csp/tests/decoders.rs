//! What others make of our WBXML, and we of theirs: the tools of libwbxml (1.1) and the dissector of
//! Wireshark (all versions). `scripts/install-test-tools.sh` installs them; without them these tests
//! say so and pass.

use crate::csp::grammar::tests_only::{Tape, make};
use crate::csp::primitive::FACTS;
use crate::csp::{
    Body, Element, Encoding, Grammar, Message, Mode, Primitive, Session, Transaction, Version,
};
use crate::imps::xml::Limits;

use super::tools::{capture, in_our_names, run, start_tag, typed};

fn message(version: Version, name: &'static str, tape: &[u32]) -> Message {
    let primitive = Primitive::read(&make(version, name, &mut Tape::plain(tape)));
    let transaction = Transaction::new(Mode::Request, "t-1", primitive);
    let session = Session::new(Some("s-1".into()), vec![transaction]);
    Message {
        version,
        body: Body::Session(session),
    }
}

/// Some messages of each primitive.
fn messages(version: Version) -> Vec<Message> {
    let names = FACTS.iter().map(|facts| facts.name);
    names
        .filter(|name| Grammar::of(version).has(name))
        .flat_map(|name| {
            let full = (0..200).map(|n| n * 7 + 1).collect::<Vec<u32>>();
            [
                message(version, name, &[1; 200]),
                message(version, name, &full),
            ]
        })
        .collect()
}

#[test]
fn libwbxml_reads_what_we_write_and_we_read_what_it_writes() {
    let mut checked = 0;
    for message in messages(Version::V1_1) {
        let name = match &message.body {
            Body::Session(session) => session.transactions[0].primitive.name().to_owned(),
            _ => unreachable!("sessions alone were made"),
        };
        let ours = message.write(Encoding::Wbxml).unwrap();
        let Some(xml) = run("wbxml2xml", &["-m", "0", "-o", "-", "-"], &ours) else {
            return;
        };
        let xml = in_our_names(&xml);
        let read = Message::read(&xml, Encoding::Xml, &Limits::STANDARD);
        let read = read
            .unwrap_or_else(|fault| panic!("{name}: {fault}: {}", String::from_utf8_lossy(&xml)));
        assert_eq!(read, message, "{}", String::from_utf8_lossy(&xml));
        checked += 1;
        let xml = message.write(Encoding::Xml).unwrap();
        let theirs = run("xml2wbxml", &["-o", "-", "-"], &typed(&xml)).unwrap();
        let read = Message::read(&theirs, Encoding::Wbxml, &Limits::STANDARD);
        assert_eq!(read.as_ref(), Ok(&message), "{name} {theirs:x?}");
    }
    assert!(checked > 100, "{checked}");
}

fn names<'e>(element: &'e Element<'_>, out: &mut Vec<&'e str>) {
    out.push(element.name);
    for child in &element.children {
        names(child, out);
    }
}

#[test]
fn the_dissector_of_wireshark_sees_the_elements_that_we_wrote() {
    for version in Version::ALL {
        let messages = messages(version);
        let bodies: Vec<_> = messages
            .iter()
            .map(|message| message.write(Encoding::Wbxml).unwrap())
            .collect();
        let Some(said) = run("tshark", &["-r", "-", "-O", "wbxml"], &capture(&bodies)) else {
            return;
        };
        let said = String::from_utf8_lossy(&said);
        let frames: Vec<&str> = said.split("\nFrame ").collect();
        assert_eq!(frames.len(), messages.len(), "{version}");
        for (frame, message) in frames.into_iter().zip(&messages) {
            let root = message.element().unwrap();
            let mut expected = Vec::new();
            names(&root, &mut expected);
            let seen: Vec<&str> = frame.lines().filter_map(start_tag).collect();
            assert_eq!(seen, expected, "{version}\n{frame}");
            assert!(!frame.contains("Malformed"), "{frame}");
        }
    }
}
