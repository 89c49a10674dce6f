//! One stanza as text: parsed from what a person or a queue holds, printed for either.
//!
//! Printed stanzas are in `jabber:client` form, the one that people and clients know; parsed are
//! `jabber:client`, `jabber:server`, `jabber:component:accept` and no namespace at all. A stanza
//! that was printed parses to the same stanza.

use bytes::BytesMut;
use tokio_xmpp::Stanza;
use xmpp_parsers::ns;
use xso::{
    AsXml, Item,
    exports::rxml::{
        self, Namespace, NcNameStr, Options, Parse, Parser, WithOptions,
        error::EndOrError,
        writer::{Encoder, SimpleNamespaces, TrackNamespace},
    },
};

use super::element::{Element, ElementReader, Limits, Wrong};

/// The most that is written to a server as one stanza, in bytes, unless its operator says another
/// number. Prosody ends the connection of a component that sends more than 512 KiB; this stays
/// below.
pub const MAX_OUT: usize = 500 * 1024;

/// Why a text is not a stanza.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// Not well-formed XML, or cut off.
    #[error("this is not well-formed XML: {0}")]
    Xml(rxml::Error),
    /// Ends before the stanza does.
    #[error("the stanza is incomplete")]
    Incomplete,
    /// Another element, or a stanza's name in a foreign namespace.
    #[error("this is no stanza but {0}")]
    NoStanza(String),
    /// It is a stanza that breaks the rules.
    #[error(transparent)]
    Wrong(#[from] Wrong),
    /// Something follows the stanza.
    #[error("there is more after the stanza")]
    Trailing,
}

/// Why a stanza cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrintError {
    /// It holds a character that XML does not have, such as U+0000.
    #[error("the stanza cannot be written as XML: {0}")]
    Unwritable(String),
    /// It has more bytes than the server takes.
    #[error("the stanza has {size} bytes, more than the {most} that the server takes")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// Bytes that it may have at most.
        most: usize,
    },
}

/// Parses one stanza, with the default limits.
pub fn parse(text: impl AsRef<[u8]>) -> Result<Stanza, ParseError> {
    parse_with(text.as_ref(), Limits::default())
}

/// Parses one stanza from `text` (UTF-8), with the given limits.
pub fn parse_with(text: &[u8], limits: Limits) -> Result<Stanza, ParseError> {
    if text.len() > limits.bytes {
        return Err(Wrong::TooLarge(limits.bytes).into());
    }
    let options = Options {
        max_token_length: limits.bytes,
        ..Options::default()
    };
    let mut parser = Parser::with_options(options);
    let mut reader = ElementReader::new(limits);
    let mut rest = text.trim_ascii();
    let element = loop {
        let event = match parser.parse(&mut rest, true) {
            Ok(Some(event)) => event,
            Ok(None) | Err(EndOrError::NeedMoreData) => return Err(ParseError::Incomplete),
            Err(EndOrError::Error(rxml::Error::InvalidEof(_))) => {
                return Err(ParseError::Incomplete);
            }
            Err(EndOrError::Error(e)) => return Err(ParseError::Xml(e)),
        };
        if let Some(element) = reader.feed(event) {
            break element;
        }
    };
    if !rest.is_empty() {
        return Err(ParseError::Trailing);
    }
    match element {
        Element::Stanza(stanza) => Ok(stanza),
        Element::BadStanza(bad) => Err(bad.wrong.into()),
        Element::Unknown(name) => Err(ParseError::NoStanza(name)),
        Element::Features { .. } => Err(ParseError::NoStanza("features".to_owned())),
        Element::Handshake => Err(ParseError::NoStanza("a handshake".to_owned())),
        Element::StreamError { .. } => Err(ParseError::NoStanza("a stream error".to_owned())),
    }
}

/// Prints a stanza in `jabber:client` form, on one line unless a text in it has line breaks.
pub fn print(stanza: &Stanza) -> Result<String, PrintError> {
    let mut out = BytesMut::new();
    encode(stanza, Form::Client, usize::MAX, &mut out)?;
    String::from_utf8(out.to_vec()).map_err(|e| PrintError::Unwritable(e.to_string()))
}

/// Appends a stanza as it goes onto a component stream, if it has at most `most` bytes. On an error
/// `out` is as it was.
pub(super) fn write_to_stream(
    stanza: &Stanza,
    most: usize,
    out: &mut BytesMut,
) -> Result<(), PrintError> {
    encode(stanza, Form::Component, most, out)
}

/// The bytes a stanza has on a component stream.
///
/// # Errors
/// It cannot be written as XML.
pub fn size(stanza: &Stanza) -> Result<usize, PrintError> {
    let mut out = BytesMut::new();
    encode(stanza, Form::Component, usize::MAX, &mut out)?;
    Ok(out.len())
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Client,
    Component,
}

fn encode(stanza: &Stanza, form: Form, most: usize, out: &mut BytesMut) -> Result<(), PrintError> {
    let start = out.len();
    let result = encode_unchecked(stanza, form, out).and_then(|()| {
        let size = out.len() - start;
        if size > most {
            Err(PrintError::TooLarge { size, most })
        } else {
            Ok(())
        }
    });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn encode_unchecked(stanza: &Stanza, form: Form, out: &mut BytesMut) -> Result<(), PrintError> {
    let unwritable = |e: &dyn std::fmt::Display| PrintError::Unwritable(e.to_string());
    let mut encoder = Encoder::<SimpleNamespaces>::new();
    if form == Form::Component {
        // The encoder must believe that the stream's root, which declares the namespace, has
        // been written.
        let namespace = || Namespace::from(ns::COMPONENT_ACCEPT);
        encoder.ns_tracker_mut().declare_fixed(None, namespace());
        let mut root = BytesMut::new();
        let name = <&NcNameStr>::try_from("stream").map_err(|e| unwritable(&e))?;
        for item in [
            rxml::Item::ElementHeadStart(namespace(), name),
            rxml::Item::ElementHeadEnd,
        ] {
            encoder
                .encode_into_bytes(item, &mut root)
                .map_err(|e| unwritable(&e))?;
        }
    }
    // Depth, and the depth at which a payload of another namespace began.
    let mut depth = 0_usize;
    let mut foreign_from = None;
    for item in stanza.as_xml_iter().map_err(|e| unwritable(&e))? {
        let mut item = item.map_err(|e| unwritable(&e))?;
        match &mut item {
            Item::ElementHeadStart(namespace, _) => {
                depth += 1;
                if foreign_from.is_none() {
                    if namespace.as_str() != ns::COMPONENT_ACCEPT {
                        foreign_from = Some(depth);
                    } else if form == Form::Client {
                        *namespace = Namespace::from(ns::JABBER_CLIENT);
                    }
                }
            }
            Item::ElementFoot => {
                if foreign_from == Some(depth) {
                    foreign_from = None;
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        encoder
            .encode_into_bytes(item.as_rxml_item(), out)
            .map_err(|e| unwritable(&e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xmpp_parsers::message::Message;

    const RICH: &str = "<message xmlns='jabber:client' from='a@b/c' to='d@e' id='1' type='chat'>\
        <body>x &lt; y &amp; \u{1F600}</body><body xml:lang='de'>hallo</body>\
        <request xmlns='urn:xmpp:receipts'/>\
        <forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='q@r'/></forwarded>\
        </message>";

    #[test]
    fn what_is_printed_parses_to_the_same_stanza() {
        for xml in [
            RICH,
            "<presence xmlns='jabber:client' from='a@b/c' to='d@e'><show>away</show><status>s</status></presence>",
            "<iq xmlns='jabber:client' type='error' id='1' from='a@b' to='c@d'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
        ] {
            let stanza = parse(xml).unwrap();
            let text = print(&stanza).unwrap();
            assert!(text.contains("xmlns='jabber:client'"), "{text}");
            assert!(!text.contains("component"), "{text}");
            assert_eq!(parse(&text).unwrap(), stanza);
        }
    }

    #[test]
    fn the_namespaces_of_clients_servers_components_and_none_are_taken() {
        let want = parse("<message to='a@b'><body>x</body></message>").unwrap();
        for ns in ["jabber:client", "jabber:server", "jabber:component:accept"] {
            let text = format!("<message xmlns='{ns}' to='a@b'><body>x</body></message>");
            assert_eq!(parse(text).unwrap(), want);
        }
        assert_eq!(
            parse(b"<?xml version='1.0'?>\n <m:message xmlns:m='jabber:client' to='a@b'><m:body>x</m:body></m:message>\n").unwrap(),
            want
        );
    }

    #[test]
    fn on_the_stream_a_stanza_needs_no_namespace() {
        let mut out = BytesMut::new();
        write_to_stream(
            &parse("<message to='a@b'><body>x</body></message>").unwrap(),
            MAX_OUT,
            &mut out,
        )
        .unwrap();
        let text = String::from_utf8(out.to_vec()).unwrap();
        assert!(!text.contains("xmlns"), "{text}");
    }

    #[test]
    fn what_is_no_stanza_is_refused_with_the_reason() {
        assert_eq!(parse("<a/>"), Err(ParseError::NoStanza("{}a".to_owned())));
        assert_eq!(parse("<message>"), Err(ParseError::Incomplete));
        assert_eq!(parse(""), Err(ParseError::Incomplete));
        assert_eq!(parse("<presence/><presence/>"), Err(ParseError::Trailing));
        assert!(matches!(
            parse("<message to='@'/>"),
            Err(ParseError::Wrong(Wrong::Malformed(_)))
        ));
        assert!(matches!(parse("<message></iq>"), Err(ParseError::Xml(_))));
        let limits = Limits {
            bytes: 10,
            depth: 3,
        };
        assert_eq!(
            parse_with(b"<message></message>", limits),
            Err(ParseError::Wrong(Wrong::TooLarge(10)))
        );
    }

    #[test]
    fn a_stanza_that_cannot_be_written_leaves_nothing_behind() {
        let mut bad = Message::new(None);
        bad.bodies.insert("".into(), "a\u{1}b".to_owned());
        let mut out = BytesMut::from("before");
        let error = write_to_stream(&bad.into(), MAX_OUT, &mut out).unwrap_err();
        assert!(matches!(error, PrintError::Unwritable(_)));
        let mut large = Message::new(None);
        large.bodies.insert("".into(), "a".repeat(MAX_OUT));
        let error = write_to_stream(&large.into(), MAX_OUT, &mut out).unwrap_err();
        assert!(matches!(error, PrintError::TooLarge { .. }));
        assert_eq!(&out[..], b"before");
    }
}
