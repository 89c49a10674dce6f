//! Content types of the HTTP binding: which encoding a client writes, and how it is answered.

use super::message::Encoding;
use crate::text::media;

/// The content type of a client's message. The answer has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentType {
    /// How the message is written.
    pub encoding: Encoding,
    /// As it is written in the answer.
    name: &'static str,
}

/// Names without parameters, in lower case.
const NAMES: [(&str, Encoding); 7] = [
    ("application/vnd.wv.csp.xml", Encoding::Xml),
    ("application/vnd.wv.csp.wbxml", Encoding::Wbxml),
    ("application/vnd.wv.csp+xml", Encoding::Xml),
    ("application/vnd.wv.csp+wbxml", Encoding::Wbxml),
    ("application/xml", Encoding::Xml),
    ("text/xml", Encoding::Xml),
    ("application/vnd.wap.wbxml", Encoding::Wbxml),
];

impl ContentType {
    /// Reads a `Content-Type`: case and parameters do not count. `None` if it is not one of the
    /// protocol's; the plain text that goes by SMS is not.
    pub fn read(header: &str) -> Option<Self> {
        let essence = media::essence(header);
        let known = NAMES.iter().find(|(name, _)| *name == essence);
        known.map(|(name, encoding)| Self {
            encoding: *encoding,
            name,
        })
    }

    /// By the first octet of a message that came without a type, or with one that says nothing:
    /// WBXML begins with its version, a number that no text begins with.
    pub fn of_body(body: &[u8]) -> Self {
        let (name, encoding) = match body.first() {
            Some(1..=3) => NAMES[1],
            _ => NAMES[0],
        };
        Self { encoding, name }
    }

    /// The type that is written.
    pub fn as_str(self) -> &'static str {
        self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_has_the_type_of_the_request_in_every_spelling() {
        for (header, encoding, answer) in [
            (
                "application/vnd.wv.csp.xml",
                Encoding::Xml,
                "application/vnd.wv.csp.xml",
            ),
            (
                "Application/VND.WV.CSP+WBXML; charset=\"UTF-8\"",
                Encoding::Wbxml,
                "application/vnd.wv.csp+wbxml",
            ),
            (
                " application/vnd.wv.csp.wbxml ;x=y",
                Encoding::Wbxml,
                "application/vnd.wv.csp.wbxml",
            ),
            (
                "application/vnd.wv.csp+xml;charset=utf-8",
                Encoding::Xml,
                "application/vnd.wv.csp+xml",
            ),
            ("text/xml", Encoding::Xml, "text/xml"),
        ] {
            let read = ContentType::read(header).unwrap();
            assert_eq!(
                (read.encoding, read.as_str()),
                (encoding, answer),
                "{header}"
            );
        }
        for other in [
            "",
            "text/plain",
            "application/vnd.wv.csp.sms",
            "application",
        ] {
            assert_eq!(ContentType::read(other), None, "{other}");
        }
        assert_eq!(ContentType::of_body(&[3, 0x10]).encoding, Encoding::Wbxml);
        assert_eq!(ContentType::of_body(b"<?xml").encoding, Encoding::Xml);
        assert_eq!(
            ContentType::of_body(b"").as_str(),
            "application/vnd.wv.csp.xml"
        );
    }
}
