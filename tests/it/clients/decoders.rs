//! What a node wrote in WBXML, held against other decoders: the dissector of Wireshark for all
//! versions, the tools of libwbxml for 1.1.

#[path = "../../../crates/wvgate-wire/src/csp/tests/tools.rs"]
mod tools;

use wvgate::csp::{Element, Encoding, Message, Version, wbxml};
use wvgate::imps::xml::Limits;

use tools::{capture, in_our_names, run, start_tag, typed};

const INSTALL: &str = "it is missing: run scripts/install-test-tools.sh first";

fn names<'e>(element: &'e Element<'_>, out: &mut Vec<&'e str>) {
    out.push(element.name);
    for child in &element.children {
        names(child, out);
    }
}

/// The dissector sees the elements that stand in these messages.
pub(crate) fn dissected(version: Version, bodies: &[Vec<u8>]) {
    let said = run("tshark", &["-r", "-", "-O", "wbxml"], &capture(bodies)).expect(INSTALL);
    let said = String::from_utf8_lossy(&said);
    let frames: Vec<&str> = said.split("\nFrame ").collect();
    assert_eq!(frames.len(), bodies.len(), "{version}");
    for (frame, body) in frames.into_iter().zip(bodies) {
        let (_, root) = wbxml::read(body, &Limits::STANDARD).unwrap();
        let mut expected = Vec::new();
        names(&root, &mut expected);
        let seen: Vec<&str> = frame.lines().filter_map(start_tag).collect();
        assert_eq!(seen, expected, "{version}\n{frame}");
        assert!(!frame.contains("Malformed"), "{frame}");
    }
}

/// The tools of libwbxml read the same in these messages of 1.1 as we do, and write what we read so.
pub(crate) fn read_and_written(bodies: &[Vec<u8>]) {
    let read = |bytes: &[u8], encoding| {
        let read = Message::read(bytes, encoding, &Limits::STANDARD);
        read.unwrap_or_else(|fault| panic!("{fault}: {bytes:x?}"))
    };
    for body in bodies {
        let message = read(body, Encoding::Wbxml);
        let theirs = run("wbxml2xml", &["-m", "0", "-o", "-", "-"], body).expect(INSTALL);
        assert_eq!(read(&in_our_names(&theirs), Encoding::Xml), message);
        let text = typed(&message.write(Encoding::Xml).unwrap());
        let theirs = run("xml2wbxml", &["-o", "-", "-"], &text).unwrap();
        assert_eq!(read(&theirs, Encoding::Wbxml), message);
    }
}
