//! Properties of the codec, for generated and for damaged input.

use super::{Body, Encoding, Message};
use crate::imps::xml::{Limits, Texts};

/// What is read in XML can be written in what its version has, and is read again as the same, in
/// both encodings.
///
/// # Panics
/// It is not.
pub fn xml(bytes: &[u8]) {
    read(bytes, Encoding::Xml);
}

/// The same of WBXML.
///
/// # Panics
/// It is not.
pub fn wbxml(bytes: &[u8]) {
    read(bytes, Encoding::Wbxml);
}

fn read(bytes: &[u8], encoding: Encoding) {
    let limits = Limits::STANDARD;
    let Ok(message) = Message::read(bytes, encoding, &limits) else {
        return;
    };
    if let Body::Session(session) = &message.body {
        assert!(!session.transactions.is_empty());
    }
    // What a version lacks is left out the first time, and nothing more the second time.
    let Some(first) = again(&message, Encoding::Wbxml) else {
        return;
    };
    for encoding in [Encoding::Wbxml, Encoding::Xml] {
        if let Some(second) = again(&first, encoding) {
            assert_eq!(second, first);
        }
    }
}

/// Written and read again; `None` if it cannot be written. The whole may have become longer than
/// what may be read, and so may an address in its normal form; nothing else in it.
fn again(message: &Message, encoding: Encoding) -> Option<Message> {
    let written = message.write(encoding).ok()?;
    let limits = Limits {
        bytes: usize::MAX,
        elements: usize::MAX,
        texts: Texts {
            address: usize::MAX,
            ..Texts::STANDARD
        },
        ..Limits::STANDARD
    };
    match Message::read(&written, encoding, &limits) {
        Ok(message) => Some(message),
        Err(fault) => panic!("{fault}: {}", String::from_utf8_lossy(&written)),
    }
}
