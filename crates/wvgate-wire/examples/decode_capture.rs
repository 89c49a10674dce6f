//! Reads recorded SSP traffic, one HTTP request or plain body a file, and prints what is in it.
//!
//!     cargo run --example decode_capture [FILE...]
//!
//! Without a file it takes what two instances of a deployed server said to each other, which is
//! in `captured/` beside this program.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wvgate_wire::imps::common::ContentData;
use wvgate_wire::imps::xml::{Limits, Repair};
use wvgate_wire::imps::{Primitive, Status};
use wvgate_wire::ssp::envelope::{Transaction, scan_lenient};
use wvgate_wire::ssp::{Message, Mode};
use wvgate_wire::text::{IdShown, Shown};

fn main() -> std::io::Result<()> {
    let mut files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if files.is_empty() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/captured");
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            files.extend(path.extension().is_some().then_some(path));
        }
        files.sort();
    }
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("{name}");
        print_message(&body(fs::read(&file)?));
    }
    Ok(())
}

/// What follows the head of an HTTP request, or everything.
fn body(file: Vec<u8>) -> Bytes {
    let file = Bytes::from(file);
    let head = file.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    head.map_or_else(|| file.clone(), |end| file.slice(end + 4..))
}

fn print_message(body: &Bytes) {
    // Nothing is repaired if the body can be read as it is.
    let (message, repairs) = match scan_lenient(body, &Limits::default(), Repair::ALL) {
        Ok(read) => read,
        Err(fault) => return println!("  no message: {fault}"),
    };
    for repair in repairs {
        println!("  repaired: {}", repair.name());
    }
    match message {
        Message::Setup(transaction) => print_transaction(&transaction),
        Message::Session(session) => {
            println!("  session {}", IdShown(&session.session));
            for transaction in &session.transactions {
                print_transaction(transaction);
            }
        }
    }
}

fn print_transaction(transaction: &Transaction) {
    let Transaction { id, name, peek, .. } = transaction;
    let asks = match transaction.mode {
        Mode::Request => "asks",
        Mode::Response => "answers",
    };
    println!("  {} {asks}: {name}", Shown(id));
    // What a relay knows without decoding the primitive.
    for (what, address) in [("from", &peek.user), ("group", &peek.group)] {
        if let Some(address) = address {
            println!("    {what} {address}");
        }
    }
    for recipient in &peek.recipients {
        println!("    to {recipient}");
    }
    match transaction.primitive() {
        Ok(primitive) => print_primitive(&primitive),
        Err(fault) => println!("    not usable: {fault}"),
    }
}

/// A few primitives in their own words, the others as they would be printed.
fn print_primitive(primitive: &Primitive) {
    match primitive {
        Primitive::SendMessageRequest(request) => print_content(request.content.as_ref()),
        Primitive::SendMessageResponse(response) => print_status(&response.status),
        Primitive::DeliveryStatusReport(report) => print_status(&report.result.status),
        Primitive::Status(status) => print_status(status),
        Primitive::SendSecretToken(token) => println!(
            "    {} speaks version {}",
            token.service,
            Shown(token.version.as_deref().unwrap_or_default())
        ),
        Primitive::PresenceNotification(notification) => {
            for value in &notification.values {
                let attributes = value.presence.iter().flat_map(|list| &list.attributes);
                let names: Vec<&str> = attributes
                    .map(|attribute| attribute.name.as_str())
                    .collect();
                println!("    {} tells {}", value.user, names.join(", "));
            }
        }
        other => println!("    {}", Shown(&other.to_xml(None))),
    }
}

fn print_content(content: Option<&ContentData>) {
    match content {
        None => println!("    without content"),
        Some(content) => println!(
            "    {}: {}",
            Shown(&content.content_type),
            Shown(&String::from_utf8_lossy(&content.bytes))
        ),
    }
}

fn print_status(status: &Status) {
    let words = status.words().unwrap_or_default();
    println!("    status {} {}", status.code, Shown(words));
}
