//! The codec on one instant message of 1.3 kB between servers, and on one for a client, in XML and
//! in WBXML.
//!
//! `cargo bench --bench codec` measures time. To count instructions, run one
//! operation a thousand times under callgrind:
//! `valgrind --tool=callgrind target/release/deps/codec-… count scan`. `codec-… messages FOLDER` writes
//! the message for a client to `message.xml` and `message.wbxml` there, for other decoders.
#![expect(clippy::unwrap_used)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use wvgate_wire::csp::{self, Encoding, Version};
use wvgate_wire::imps::xml::{Limits, parse};
use wvgate_wire::ssp::envelope::{NAMESPACE, Transaction, decode_fragment, print_session, scan};
use wvgate_wire::ssp::{Message, Mode};

const MESSAGE: &[u8] = include_bytes!("../../../tests/fixtures/message.xml");

const NEW_MESSAGE: &[u8] = include_bytes!("../../../tests/fixtures/csp/12-newmessage.xml");

type Operation = (&'static str, Box<dyn Fn()>);

fn operations() -> Vec<Operation> {
    let body = Bytes::from_static(MESSAGE);
    let limits = Limits::default();
    let transaction = only(&body);
    let raw = transaction.raw;
    let text = String::from_utf8(raw.to_vec()).unwrap();
    let scanned = body.clone();
    let value = decode_fragment(&raw).unwrap();
    let copied = value.clone();
    vec![
        ("nothing", Box::new(|| ())),
        (
            "scan",
            Box::new(move || drop(black_box(scan(&scanned, &limits)))),
        ),
        (
            "tree",
            Box::new(move || drop(black_box(parse(MESSAGE, &limits)))),
        ),
        (
            "typed_parse_and_write",
            Box::new(move || {
                let raw = only(&body).raw;
                black_box(decode_fragment(&raw).unwrap().to_xml(None));
            }),
        ),
        (
            "typed_parse",
            Box::new(move || drop(black_box(decode_fragment(&raw)))),
        ),
        (
            "transaction_of_value",
            Box::new(move || drop(black_box(Transaction::new(Mode::Request, "1", &value)))),
        ),
        (
            "value_copied",
            Box::new(move || drop(black_box(copied.clone()))),
        ),
        read_by_client("csp_xml_read", Encoding::Xml),
        read_by_client("csp_wbxml_read", Encoding::Wbxml),
        written_for_client("csp_xml_write", Encoding::Xml),
        written_for_client("csp_wbxml_write", Encoding::Wbxml),
        (
            "print_64",
            Box::new(move || {
                let batch = (0..64).map(|_| (Mode::Request, "IMApp01-12345", text.as_str()));
                black_box(print_session(NAMESPACE, "7f31c2@imps.example.com", batch));
            }),
        ),
    ]
}

/// A message for a client, in the version that other decoders know as well: 1.1.
fn new_message() -> csp::Message {
    let read = csp::Message::read(NEW_MESSAGE, Encoding::Xml, &Limits::STANDARD);
    csp::Message {
        version: Version::V1_1,
        ..read.unwrap()
    }
}

fn read_by_client(name: &'static str, encoding: Encoding) -> Operation {
    let bytes = new_message().write(encoding).unwrap();
    let read = move || {
        black_box(csp::Message::read(&bytes, encoding, &Limits::STANDARD).unwrap());
    };
    (name, Box::new(read))
}

fn written_for_client(name: &'static str, encoding: Encoding) -> Operation {
    let message = new_message();
    let write = move || {
        black_box(message.write(encoding).unwrap());
    };
    (name, Box::new(write))
}

/// Writes the message for a client to a folder. Decoders of XML know its language by the document
/// type.
fn messages(folder: &std::path::Path) {
    let message = new_message();
    let wbxml = message.write(Encoding::Wbxml).unwrap();
    std::fs::write(folder.join("message.wbxml"), wbxml).unwrap();
    let xml = String::from_utf8(message.write(Encoding::Xml).unwrap()).unwrap();
    let kind =
        "<!DOCTYPE WV-CSP-Message PUBLIC \"-//OMA//DTD WV-CSP 1.1//EN\" \"x\"><WV-CSP-Message";
    let xml = xml.replacen("<WV-CSP-Message", kind, 1);
    std::fs::write(folder.join("message.xml"), xml).unwrap();
}

fn only(body: &Bytes) -> Transaction {
    match scan(body, &Limits::default()).unwrap() {
        Message::Setup(transaction) => transaction,
        Message::Session(mut session) => session.transactions.remove(0),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "count") {
        let wanted = &arguments[at + 1];
        let operations = operations();
        let (_, run) = operations.iter().find(|(name, _)| name == wanted).unwrap();
        for _ in 0..1000 {
            run();
        }
        return;
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "messages") {
        return messages(arguments[at + 1].as_ref());
    }
    let mut criterion = Criterion::default().configure_from_args();
    for (name, run) in operations() {
        criterion.bench_function(name, |bencher| bencher.iter(&run));
    }
    criterion.final_summary();
}
