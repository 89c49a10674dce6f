//! The codec on one instant message of 1.3 kB.
//!
//! `cargo bench --bench codec` measures time. To count instructions, run one
//! operation a thousand times under callgrind:
//! `valgrind --tool=callgrind target/release/deps/codec-… count scan`.
#![expect(clippy::unwrap_used)]

use std::hint::black_box;

use bytes::Bytes;
use criterion::Criterion;
use wvgate_wire::imps::xml::{Limits, parse};
use wvgate_wire::ssp::envelope::{NAMESPACE, Transaction, decode_fragment, print_session, scan};
use wvgate_wire::ssp::{Message, Mode};

const MESSAGE: &[u8] = include_bytes!("../../../tests/fixtures/message.xml");

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
        (
            "print_64",
            Box::new(move || {
                let batch = (0..64).map(|_| (Mode::Request, "IMApp01-12345", text.as_str()));
                black_box(print_session(NAMESPACE, "7f31c2@imps.example.com", batch));
            }),
        ),
    ]
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
    let mut criterion = Criterion::default().configure_from_args();
    for (name, run) in operations() {
        criterion.bench_function(name, |bencher| bencher.iter(&run));
    }
    criterion.final_summary();
}
