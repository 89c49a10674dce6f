use super::{read, write};
use crate::csp::element::Element;
use crate::csp::version::Version;
use crate::imps::xml::{Limits, Malformed};

/// A document of 1.2 with these octets behind its head, and a string table.
fn with_table(table: &[u8], octets: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 0x11, 0x6A];
    super::number::put(&mut body, table.len().try_into().unwrap());
    body.extend(table);
    body.extend(octets);
    body
}

fn document(octets: &[u8]) -> Vec<u8> {
    with_table(&[], octets)
}

fn fault(body: &[u8]) -> Malformed {
    read(body, &Limits::STANDARD).unwrap_err()
}

#[test]
fn all_forms_of_text_are_read_and_joined() {
    let octets = [
        &[0x52][..],         // Description
        b"\x03a \0",         // inline
        &[0x83, 0],          // of the table
        &[0x02, 0x81, 0x60], // U+00E0
        &[0x80, 0x2C],       // the value T
        &[0xC3, 2],
        "\u{fc}".as_bytes(),
        &[0x81, 5, 0xC0, 0x41], // extensions that mean nothing here
        b"x\0",
        &[0x01],
    ]
    .concat();
    let body = with_table(b"of the table\0", &octets);
    let (version, element) = read(&body, &Limits::STANDARD).unwrap();
    assert_eq!(version, Some(Version::V1_2));
    assert_eq!(element.name, "Description");
    assert_eq!(element.text, "a of the table\u{e0}T\u{fc}");
}

#[test]
fn numbers_times_and_bytes_are_read_by_the_element() {
    let text = |octets: &[u8]| {
        let body = document(octets);
        let (_, element) = read(&body, &Limits::STANDARD).unwrap();
        (element.name.to_owned(), element.text.into_owned())
    };
    let of = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(text(&[0x4B, 0xC3, 1, 0xC8, 1]), of("Code", "200"));
    assert_eq!(text(&[0x4B, 0xC3, 0, 1]), of("Code", "0"));
    assert_eq!(text(b"\x4B\x03200\0\x01"), of("Code", "200"));
    let time = [0x51, 0xC3, 6, 0x1F, 0x46, 0x73, 0x0E, 0xBB, 0x5A, 1];
    assert_eq!(text(&time), of("DateTime", "20010925T165859Z"));
    assert_eq!(text(b"\x51\xC3\x03now\x01"), of("DateTime", "now"));
    let body = document(&[0x4D, 0xC3, 2, 0xFF, 0, 1]);
    let (_, content) = read(&body, &Limits::STANDARD).unwrap();
    assert_eq!(content.data.as_deref(), Some(&[0xFF, 0][..]));
    // Only content may be anything.
    let name = document(&[0x5E, 0xC3, 1, 0xFF, 1]);
    assert!(matches!(fault(&name), Malformed::Encoding(_)));
}

#[test]
fn names_that_have_no_token_are_in_the_table_both_ways() {
    let vendor = Element::of(
        "Vendor",
        vec![Element::leaf("Other", "x"), Element::leaf("Vendor", "")],
    );
    let root = Element::of("CapabilityList", vec![vendor]);
    let body = write(&root, Version::V1_2);
    assert_eq!(read(&body, &Limits::STANDARD).unwrap().1, root);
    let prefixed = with_table(b"v:Thing\0", &[0x04, 0]);
    let (_, element) = read(&prefixed, &Limits::STANDARD).unwrap();
    assert_eq!(element.name, "Thing");
    for name in [&b"<b>\0"[..], b"\0", b"1\0", b"a b\0", b"x:\0"] {
        let body = with_table(name, &[0x04, 0]);
        assert!(matches!(fault(&body), Malformed::Binary { .. }), "{name:?}");
    }
}

#[test]
fn the_version_is_named_by_number_or_by_a_text_of_the_table() {
    let version = |head: &[u8]| {
        let body = [head, &[0x09]].concat();
        read(&body, &Limits::STANDARD).unwrap().0
    };
    assert_eq!(version(&[3, 0x10, 0x6A, 0]), Some(Version::V1_1));
    assert_eq!(version(&[1, 0x12, 0x6A, 0]), Some(Version::V1_3));
    assert_eq!(version(&[3, 1, 0x6A, 0]), None);
    let id = b"x\0-//OMA//DTD WV-CSP 1.2//EN\0";
    let head = [&[3, 0, 2, 0x6A, 29][..], &id[..29]].concat();
    assert_eq!(version(&head), Some(Version::V1_2));
    let unknown = [4, 0x10, 0x6A, 0, 0x09];
    assert!(matches!(fault(&unknown), Malformed::Binary { .. }));
    let charset = [3, 0x10, 0x3F, 0, 0x09];
    assert!(matches!(fault(&charset), Malformed::Binary { .. }));
    // ISO 8859-1.
    let latin = b"\x03\x10\x04\0\x52\x03\xFC\0\x01";
    let (_, element) = read(latin, &Limits::STANDARD).unwrap();
    assert_eq!(element.text, "\u{fc}");
}

#[test]
fn whatever_is_cut_or_claims_too_much_is_refused() {
    for octets in [
        &[][..],
        &[0x49],                      // no end
        &[0x52, 0x03, b'a'],          // a string without end
        &[0x52, 0x83, 0, 1],          // no table
        &[0x52, 0xC3, 0x7F, b'a', 1], // opaque longer than the body
        &[0x52, 0xC3, 0x8F, 0xFF, 0xFF, 0xFF, 0x7F, 1],
        &[0x52, 0xC3, 0x9F, 0xFF, 0xFF, 0xFF, 0x7F, 1], // beyond 32 bits
        &[0x52, 0x80, 0x81, 0x7F, 1],                   // no such value
        &[0x52, 0x02, 0x01, 1],                         // a control character
        &[0x52, 0x02, 0x83, 0xB0, 0x00, 1],             // half a surrogate pair
        &[0x05, 0x05],                                  // a second root
        &[0x05, 0x03, 0],                               // text behind the root
        &[0x01],                                        // an end of nothing
        &[0x03, b'a', 0],                               // text before the root
        &[0x00, 0x7F, 0x05],                            // no such page
        &[0xC9, 0x08],                                  // attributes without end
        &[0xC9, 0x03, 0x31],
        &[0x3F], // no such tag
    ] {
        assert!(
            read(&document(octets), &Limits::STANDARD).is_err(),
            "{octets:x?}"
        );
    }
    let endless = [3, 0x11, 0x6A, 0x8F, 0xFF, 0xFF, 0xFF, 0x7F, 0x09];
    assert!(matches!(fault(&endless), Malformed::Binary { .. }));
    for cut in 0..4 {
        assert!(read(&endless[..cut], &Limits::STANDARD).is_err());
    }
}

#[test]
fn a_body_cannot_make_the_reader_grow() {
    let limits = Limits::STANDARD;
    // A string of the table, again and again: a small body that says much.
    let table = [&vec![b'a'; 4000][..], &[0]].concat();
    let repeated = [&[0x4D][..], &[0x83, 0].repeat(300), &[0x01]].concat();
    assert_eq!(
        fault(&with_table(&table, &repeated)),
        Malformed::Size(limits.bytes)
    );
    // The same as an attribute.
    let repeated = [&[0xC9, 0x08][..], &[0x83, 0].repeat(300), &[0x01, 0x01]].concat();
    assert!(matches!(
        fault(&with_table(&table, &repeated)),
        Malformed::Long { .. }
    ));
    let deep = document(&[0x49; 40]);
    assert_eq!(fault(&deep), Malformed::Depth(limits.depth));
    let many = document(&[&[0x49][..], &[0x05; 10_001]].concat());
    assert!(matches!(fault(&many), Malformed::Count { .. }));
    let switches = document(&[0x00, 0x01].repeat(17));
    assert!(matches!(fault(&switches), Malformed::Count { .. }));
    let in_attributes = document(&[&[0xC9][..], &[0x00, 0x00].repeat(17)].concat());
    assert!(matches!(fault(&in_attributes), Malformed::Count { .. }));
    let attributes = document(&[&[0xC9][..], &[0x08; 33]].concat());
    assert!(matches!(fault(&attributes), Malformed::Count { .. }));
    let long = document(&[&[0x7A, 0x03][..], &[b'a'; 1000], &[0, 1]].concat());
    assert!(matches!(
        fault(&long),
        Malformed::Long {
            what: "an address",
            ..
        }
    ));
    let all = vec![0x05; limits.bytes + 1];
    assert_eq!(fault(&all), Malformed::Size(limits.bytes));
}

#[test]
fn elements_without_content_say_so_and_with_it_are_read_too() {
    let root = Element::of("Session", vec![Element::of("Poll", Vec::new())]);
    assert_eq!(
        write(&root, Version::V1_1),
        document_1_1(&[0x6D, 0x21, 0x01])
    );
    // Some encoders mark content where there is none.
    let marked = document_1_1(&[0x6D, 0x61, 0x01, 0x01]);
    assert_eq!(read(&marked, &Limits::STANDARD).unwrap().1, root);
}

fn document_1_1(octets: &[u8]) -> Vec<u8> {
    [&[3, 0x10, 0x6A, 0][..], octets].concat()
}
