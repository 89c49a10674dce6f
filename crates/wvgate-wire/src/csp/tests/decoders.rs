//! What others make of our WBXML, and we of theirs: the tools of libwbxml (1.1) and the dissector of
//! Wireshark (all versions). `scripts/install-test-tools.sh` installs them; without them these tests
//! say so and pass.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::csp::grammar::tests_only::{Tape, make};
use crate::csp::primitive::FACTS;
use crate::csp::{
    Body, Element, Encoding, Grammar, Message, Mode, Primitive, Session, Transaction, Version,
};
use crate::imps::xml::Limits;

/// What a tool says to this input; `None` if it is not installed.
fn run(tool: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("{tool} is not installed: scripts/install-test-tools.sh");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The tool may answer before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    Some(output.stdout)
}

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

/// The names of the specification for two that the tools write as its samples do.
fn in_our_names(xml: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(xml).unwrap();
    let text = text.replace("PreferredContent", "ReferredContent");
    text.replace("PreferredvCard", "ReferredvCard").into()
}

/// With the document type by which the tools know the language, and in their names.
fn typed(xml: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(xml).unwrap();
    let text = text.replace("ReferredContent", "PreferredContent");
    let text = text.replace("ReferredvCard", "PreferredvCard");
    let kind = "<!DOCTYPE WV-CSP-Message PUBLIC \"-//OMA//DTD WV-CSP 1.1//EN\" \"x\">";
    text.replacen("<WV-CSP-Message", &format!("{kind}<WV-CSP-Message"), 1)
        .into_bytes()
}

/// A capture of HTTP requests with these bodies, one packet each.
fn capture(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        out.extend(field.to_le_bytes());
    }
    for (number, body) in (0u16..).zip(bodies) {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/vnd.wv.csp.wbxml\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let length = u16::try_from(40 + head.len() + body.len()).unwrap();
        for field in [u32::from(number), 0, u32::from(length), u32::from(length)] {
            out.extend(field.to_le_bytes());
        }
        out.extend([0x45, 0]);
        out.extend(length.to_be_bytes());
        out.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        out.extend((1024 + number).to_be_bytes());
        out.extend([
            0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0,
        ]);
        out.extend(head.as_bytes());
        out.extend(body);
    }
    out
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

/// What the dissector calls otherwise.
const OTHERS: [(&str, &str); 2] = [
    ("BlockUser-Request", "BlockEntity-Request"),
    ("Auto-Subscribe", "AutoSubscribe"),
];

/// The name in a line of the dissector that shows a start tag.
fn start_tag(line: &str) -> Option<&str> {
    let (_, shown) = line.split_once(") |")?;
    let name = shown.trim_start().strip_prefix('<')?;
    let name = name.trim_end_matches(['>', '/', ' ']);
    if name.starts_with('/') {
        return None;
    }
    let other = OTHERS.iter().find(|(theirs, _)| *theirs == name);
    Some(other.map_or(name, |(_, ours)| ours))
}
