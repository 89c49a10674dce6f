//! Known answers of the Client-Server Protocol: messages that an implementation of its own encoded,
//! each in XML and in WBXML, and, where they are there, the published samples of version 1.1.

use std::fs;
use std::path::{Path, PathBuf};

use wvgate_wire::csp::{Element, Encoding, Grammar, Message, Version, check, wbxml, xml};
use wvgate_wire::imps::xml::Limits;

/// Samples of a folder, each with its XML and its WBXML.
fn samples(folder: &Path) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "xml"))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let binary = fs::read(path.with_extension("wbxml")).unwrap();
        (name, fs::read(path).unwrap(), binary)
    };
    files.into_iter().map(read).collect()
}

fn ours() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    samples(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/csp"))
}

fn read(bytes: &[u8], encoding: Encoding) -> Message {
    Message::read(bytes, encoding, &Limits::STANDARD).unwrap()
}

/// Without namespaces, which one encoding may leave out.
fn bare(element: &mut Element<'_>) {
    element.namespace = None;
    element.children.iter_mut().for_each(bare);
}

/// Without white space around texts, as their encoder takes them.
fn trimmed(xml: &str) -> String {
    let pieces = xml.split_inclusive('>').map(|piece| {
        let (text, tag) = piece.split_at(piece.find('<').unwrap_or(0));
        text.trim().to_owned() + tag.trim_start()
    });
    pieces.collect()
}

#[test]
fn samples_say_the_same_in_xml_and_wbxml_and_are_written_as_they_came() {
    let samples = ours();
    assert!(samples.len() > 15, "{}", samples.len());
    for (name, text, binary) in samples {
        let message = read(&text, Encoding::Xml);
        // The encoder of this one wrote a minute less.
        if name != "12-newmessage" && name != "13-newmessage" {
            assert_eq!(read(&binary, Encoding::Wbxml), message, "{name}");
        }
        let version = if name.starts_with("12") {
            Version::V1_2
        } else {
            Version::V1_3
        };
        assert_eq!(message.version, version, "{name}");
        // The samples keep the grammar, so nothing is changed or lost.
        let element = xml::read(&text, &Limits::STANDARD).unwrap();
        assert_eq!(Grammar::of(version).check(&element), Ok(()), "{name}");
        assert_eq!(message.element().unwrap(), element, "{name}");
        for encoding in [Encoding::Xml, Encoding::Wbxml] {
            let written = message.write(encoding).unwrap();
            assert_eq!(read(&written, encoding), message, "{name}");
        }
    }
}

#[test]
fn damaged_samples_are_refused_or_read() {
    for (_, text, binary) in ours() {
        for at in 0..binary.len() {
            check::wbxml(&binary[..at]);
            for flip in [1, 0x40, 0x80, 0xFF] {
                let mut damaged = binary.clone();
                damaged[at] ^= flip;
                check::wbxml(&damaged);
            }
        }
        for at in (0..text.len()).step_by(7) {
            check::xml(&text[..at]);
            let mut damaged = text.clone();
            damaged[at] ^= 2;
            check::xml(&damaged);
        }
    }
}

#[test]
fn published_samples_are_understood_and_encoded_octet_by_octet() {
    let Some(folder) = std::env::var_os("WVGATE_CSP_SAMPLES") else {
        eprintln!("WVGATE_CSP_SAMPLES names no folder of published samples: nothing compared");
        return;
    };
    let samples = samples(Path::new(&folder));
    assert!(!samples.is_empty());
    for (name, text, binary) in samples {
        // Two slips of the samples, which their encoder takes for what is meant.
        let text = String::from_utf8(text).unwrap();
        let text = text.replace("PreferredContent", "ReferredContent");
        let text = text.replace("PreferredvCard", "ReferredvCard");
        let text = trimmed(&text).into_bytes();
        let message = read(&text, Encoding::Xml);
        assert_eq!(message.version, Version::V1_1, "{name}");
        let mut element = xml::read(&text, &Limits::STANDARD).unwrap();
        bare(&mut element);
        assert_eq!(read(&binary, Encoding::Wbxml), message, "{name}");
        // Their encoder writes times as text, and SMS among ways to communicate as it is among
        // bearers.
        if !["DateTime", "DeliveryTime", "PreferredContacts"]
            .iter()
            .any(|other| String::from_utf8_lossy(&text).contains(other))
        {
            assert_eq!(wbxml::write(&element, Version::V1_1), binary, "{name}");
        }
        let written = message.write(Encoding::Wbxml);
        if let Ok(written) = written {
            assert_eq!(read(&written, Encoding::Wbxml), message, "{name}");
        }
    }
}
