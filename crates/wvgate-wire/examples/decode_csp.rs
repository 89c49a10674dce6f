//! Reads messages of the Client-Server Protocol, one HTTP message or plain body a file, in XML or in
//! WBXML, and prints what is in them.
//!
//!     cargo run --example decode_csp FILE...

use std::fs;

use wvgate_wire::csp::{Body, Element, Encoding, Message, Primitive, wbxml, xml};
use wvgate_wire::imps::xml::{Limits, Malformed};
use wvgate_wire::text::{IdShown, Shown};

fn main() -> std::io::Result<()> {
    for file in std::env::args_os().skip(1) {
        println!("{}", file.to_string_lossy());
        let file = fs::read(&file)?;
        let body = body(&file);
        let encoding = encoding(body);
        match Message::read(body, encoding, &Limits::STANDARD) {
            Ok(message) => print_message(&message),
            Err(fault) => println!("  no message: {fault}"),
        }
        match tree(body, encoding) {
            Ok(root) => print_element(&root, 1),
            Err(fault) => println!("  not readable: {fault}"),
        }
    }
    Ok(())
}

/// What follows the head of an HTTP message, or everything.
fn body(file: &[u8]) -> &[u8] {
    let head = file.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    head.map_or(file, |end| &file[end + 4..])
}

/// WBXML begins with its version, a number that no text begins with.
fn encoding(body: &[u8]) -> Encoding {
    match body.first() {
        Some(0..=8) => Encoding::Wbxml,
        _ => Encoding::Xml,
    }
}

fn tree(body: &[u8], encoding: Encoding) -> Result<Element<'_>, Malformed> {
    match encoding {
        Encoding::Xml => xml::read(body, &Limits::STANDARD),
        Encoding::Wbxml => wbxml::read(body, &Limits::STANDARD).map(|(_, root)| root),
    }
}

fn print_message(message: &Message) {
    println!("  version {}", message.version);
    let Body::Session(session) = &message.body else {
        return println!("  version discovery");
    };
    if let Some(id) = &session.id {
        println!("  session {}", IdShown(id));
    }
    for transaction in &session.transactions {
        let id = transaction.id.as_deref().unwrap_or("without id");
        let (mode, name) = (transaction.mode.as_str(), transaction.primitive.name());
        println!("  {} {mode}: {}", Shown(id), Shown(name));
        if let Primitive::Unreadable(primitive) = &transaction.primitive {
            println!("    not usable: {}", primitive.why);
        }
    }
}

fn print_element(element: &Element<'_>, depth: usize) {
    let indent = "  ".repeat(depth);
    match &element.data {
        Some(data) => println!("{indent}{}: {} bytes", Shown(element.name), data.len()),
        None if element.text.is_empty() => println!("{indent}{}", Shown(element.name)),
        None => println!("{indent}{}: {}", Shown(element.name), Shown(&element.text)),
    }
    for child in &element.children {
        print_element(child, depth + 1);
    }
}
