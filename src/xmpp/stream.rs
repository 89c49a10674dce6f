//! The component stream as bytes: what we write to open and close it, and the reader of what
//! the server sends (XEP-0114, RFC 6120 section 4).

use bytes::{Buf, BytesMut};
use sha1::{Digest, Sha1};
use std::fmt::Write as _;
use xmpp_parsers::ns;
use xso::exports::rxml::{self, Event, Options, Parse, Parser, WithOptions, error::EndOrError};

use super::element::{Element, ElementReader, Limits};

/// The bytes that end the stream from our side.
pub const FOOTER: &[u8] = b"</stream:stream>";

/// The header that asks for a stream as component `domain`, as XEP-0114 section 3 has it
/// (without a version).
pub fn header(domain: &str) -> String {
    let mut to = String::with_capacity(domain.len());
    for c in domain.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '\'' => to.push_str("&apos;"),
            c => to.push(c),
        }
    }
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' to='{to}'>",
        ns::COMPONENT_ACCEPT,
        ns::STREAM
    )
}

/// The handshake: SHA-1 over stream id and secret, in lower-case hexadecimal digits.
pub fn handshake(stream_id: &str, secret: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(stream_id.as_bytes());
    hash.update(secret.as_bytes());
    let mut hex = String::with_capacity(40);
    for byte in hash.finalize() {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    format!("<handshake>{hex}</handshake>")
}

/// What the server sent.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all values are stanzas; boxing each would cost more than it saves"
)]
#[derive(Debug)]
pub enum Item {
    /// The stream header, with the stream's id.
    Opened {
        /// The `id` attribute; needed for the handshake.
        id: Option<String>,
    },
    /// A top-level element.
    Element(Element),
    /// The server has closed the stream.
    Closed,
}

/// The bytes are no XMPP stream (any more); the connection cannot be used further.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Broken {
    /// Not well-formed, or XML that XMPP forbids.
    #[error("the server sent broken XML: {0}")]
    Xml(#[from] rxml::Error),
    /// The root element is not `<stream:stream>`.
    #[error("the server does not speak XMPP: its first element is {0}")]
    NotAStream(String),
    /// A single tag or text that does not end.
    #[error("the server sent a tag of more than {0} bytes")]
    Endless(usize),
}

/// Reads one stream: bytes in, [`Item`]s out.
pub struct StreamReader {
    parser: Parser,
    elements: ElementReader,
    opened: bool,
    limit: usize,
    since_event: usize,
    /// Bytes at the front of the input that were looked through already.
    looked: usize,
    /// The last two bytes that were looked through.
    before: [u8; 2],
}

impl StreamReader {
    /// A reader for a fresh connection.
    pub fn new(limits: Limits) -> Self {
        let options = Options {
            // The longest attribute; the default of 8 KiB would let a remote user end the stream.
            max_token_length: limits.bytes,
            ..Options::default()
        };
        let mut parser = Parser::with_options(options);
        parser.set_text_buffering(false);
        Self {
            parser,
            elements: ElementReader::new(limits),
            opened: false,
            limit: limits.bytes,
            since_event: 0,
            looked: 0,
            before: [0; 2],
        }
    }

    /// Takes bytes from the front of `input`; `None` means that more are needed, and all that
    /// were there have been taken.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Option<Item>, Broken> {
        self.replace_no_characters(input);
        loop {
            let mut rest = &input[..];
            let outcome = self.parser.parse(&mut rest, false);
            let used = input.len() - rest.len();
            input.advance(used);
            self.looked = self.looked.saturating_sub(used);
            self.elements.consumed(used);
            self.since_event += used;
            if self.since_event > self.limit.saturating_mul(2) {
                return Err(Broken::Endless(self.limit));
            }
            let event = match outcome {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(Some(Item::Closed)),
                Err(EndOrError::NeedMoreData) => return Ok(None),
                Err(EndOrError::Error(e)) => return Err(e.into()),
            };
            self.since_event = 0;
            let item = self.take(event)?;
            self.parser.set_text_buffering(self.elements.wants_text());
            if item.is_some() {
                return Ok(item);
            }
        }
    }

    /// U+FFFE and U+FFFF are no characters, and the parser ends the stream at them. Not every server
    /// keeps them from us: they become U+FFFD, so that no user can cut the link.
    fn replace_no_characters(&mut self, input: &mut BytesMut) {
        for byte in input.iter_mut().skip(self.looked) {
            if self.before == [0xef, 0xbf] && matches!(*byte, 0xbe | 0xbf) {
                *byte = 0xbd;
            }
            self.before = [self.before[1], *byte];
        }
        self.looked = input.len();
    }

    fn take(&mut self, event: Event) -> Result<Option<Item>, Broken> {
        match event {
            Event::XmlDeclaration(..) => Ok(None),
            Event::StartElement(_, name, attributes) if !self.opened => {
                if name.0.as_str() != ns::STREAM || name.1.as_str() != "stream" {
                    return Err(Broken::NotAStream(format!("{{{}}}{}", name.0, name.1)));
                }
                self.opened = true;
                self.elements.enter_root(&attributes);
                let id = attributes
                    .iter()
                    .find(|((space, name), _)| space.is_none() && name.as_str() == "id")
                    .map(|(_, value)| value.clone());
                Ok(Some(Item::Opened { id }))
            }
            Event::EndElement(_) if !self.elements.is_inside() => Ok(Some(Item::Closed)),
            event => Ok(self.elements.feed(event).map(Item::Element)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
        xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='c' extra='1'>";

    fn read_in_pieces(xml: &str, size: usize) -> Result<Vec<String>, Broken> {
        let mut reader = StreamReader::new(Limits::default());
        let mut input = BytesMut::new();
        let mut out = Vec::new();
        for piece in xml.as_bytes().chunks(size) {
            input.extend_from_slice(piece);
            while let Some(item) = reader.next(&mut input)? {
                let closed = matches!(item, Item::Closed);
                out.push(format!("{item:?}"));
                if closed {
                    return Ok(out);
                }
            }
        }
        Ok(out)
    }

    #[test]
    fn the_handshake_is_the_hash_of_stream_id_and_secret() {
        // Known answer of `printf 3BF96D32secret | sha1sum`.
        assert_eq!(
            handshake("3BF96D32", "secret"),
            "<handshake>b09ea9b3b7f586be8a08d0a3dd7466f110aeb136</handshake>"
        );
    }

    #[test]
    fn the_cut_of_the_bytes_does_not_matter() {
        let xml = format!(
            "{HEAD}<handshake/> \n<message from='a@b'><body>h&amp;i</body></message> <odd/></stream:stream>"
        );
        let whole = read_in_pieces(&xml, xml.len()).unwrap();
        assert_eq!(whole.len(), 5, "{whole:?}");
        assert!(whole[2].contains("h&i"));
        for size in [1, 2, 7, 64] {
            assert_eq!(read_in_pieces(&xml, size).unwrap(), whole);
        }
    }

    #[test]
    fn an_attribute_longer_than_the_parser_default_is_read() {
        let xml = format!("{HEAD}<message from='a@b' id='{}'/>", "x".repeat(20_000));
        assert!(read_in_pieces(&xml, 4096).unwrap()[1].starts_with("Element(Stanza("));
    }

    #[test]
    fn a_stream_error_is_read_with_condition_and_text() {
        let xml = format!(
            "{HEAD}<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no</text></stream:error>"
        );
        let got = read_in_pieces(&xml, 9).unwrap();
        assert!(
            got[1].contains("\"not-authorized\"") && got[1].contains("\"no\""),
            "{got:?}"
        );
    }

    #[test]
    fn what_is_no_character_does_not_end_the_stream() {
        let xml =
            format!("{HEAD}<message from='a@b' to='c@d'><body>\u{fffe}a\u{ffff}</body></message>");
        for piece in [1, 2, 3, 1000] {
            let got = read_in_pieces(&xml, piece).unwrap();
            assert!(got[1].contains("\u{fffd}a\u{fffd}"), "{piece}: {got:?}");
        }
    }

    #[test]
    fn what_is_no_stream_is_refused() {
        assert!(matches!(
            read_in_pieces("<html><body/>", 5),
            Err(Broken::NotAStream(_))
        ));
        assert!(matches!(
            read_in_pieces("HTTP/1.1 400 Bad Request", 5),
            Err(Broken::Xml(_))
        ));
    }

    #[test]
    fn a_tag_without_end_is_given_up() {
        let mut reader = StreamReader::new(Limits {
            bytes: 1000,
            depth: 8,
        });
        let mut input = BytesMut::from(HEAD);
        assert!(matches!(
            reader.next(&mut input),
            Ok(Some(Item::Opened { .. }))
        ));
        let mut tag = String::from("<message ");
        for n in 0..500 {
            let _ = write!(tag, "a{n}='b' ");
        }
        input.extend_from_slice(tag.as_bytes());
        assert_eq!(reader.next(&mut input).unwrap_err(), Broken::Endless(1000));
    }
}
