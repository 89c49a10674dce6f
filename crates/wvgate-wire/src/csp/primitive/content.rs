//! Content, and what is said about a message.

use std::borrow::Cow;

use crate::csp::element::Element;
use crate::csp::typed::{Content, element};
use crate::csp::version::Version;
use crate::imps::common::{MessageInfo, decode_base64};
use crate::imps::xml::{DecodeError, is_character};

element! {
    /// Content with its type: a logo, a welcome note, a map.
    ContentBlock {
        opt "ContentType" content_type: String,
        opt "ContentSize" size: u64,
        opt "ContentEncoding" encoding: Encoding,
        opt "ContentData" data: Data,
    }

    /// How a text is shown.
    Font {
        opt "Size" size: String,
        many "Style" styles: String,
        opt "Color" color: String,
    }
}

/// How content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The characters are the content.
    None,
    /// The characters are base64 of the content (RFC 4648).
    Base64,
}

impl Content for Encoding {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let is_base64 = element.text.trim().eq_ignore_ascii_case("base64");
        Ok(if is_base64 { Self::Base64 } else { Self::None })
    }

    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        let text = match self {
            Self::None => "None",
            Self::Base64 => "BASE64",
        };
        Element::leaf(name, text)
    }
}

/// Content as it is on the wire, which is base64 if the encoding beside it says so. Only WBXML has a
/// form for bytes that are no text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Data(pub Vec<u8>);

impl Data {
    /// The content itself; `None` if it should be base64 and is not.
    pub fn decoded(&self, encoding: Option<Encoding>) -> Option<Cow<'_, [u8]>> {
        match encoding {
            Some(Encoding::Base64) => {
                let text = std::str::from_utf8(&self.0).ok()?;
                decode_base64(text).map(Cow::Owned)
            }
            _ => Some(Cow::Borrowed(&self.0)),
        }
    }
}

impl Content for Data {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self(match &element.data {
            Some(data) => data.to_vec(),
            None => element.text.as_bytes().to_vec(),
        }))
    }

    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        match std::str::from_utf8(&self.0) {
            Ok(text) if text.chars().all(is_character) => Element::leaf(name, text),
            _ => Element {
                data: Some(Cow::Borrowed(&self.0)),
                ..Element::of(name, Vec::new())
            },
        }
    }
}

/// `MessageInfo`: what SSP says of a message, and what only clients say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// What is said in both protocols.
    pub message: MessageInfo,
    /// How the content is written; absent means as it is.
    pub encoding: Option<Encoding>,
    /// How the text is shown (1.3).
    pub font: Option<Font>,
    /// How the message is handled by those that extend it (1.3).
    pub extensions: Vec<String>,
}

impl From<MessageInfo> for Info {
    fn from(message: MessageInfo) -> Self {
        Self {
            message,
            encoding: None,
            font: None,
            extensions: Vec::new(),
        }
    }
}

fn optional<T: Content>(element: &Element<'_>, name: &str) -> Result<Option<T>, DecodeError> {
    element.child(name).map(T::read).transpose()
}

impl Content for Info {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            message: MessageInfo {
                message_id: optional(element, "MessageID")?,
                uri: optional(element, "MessageURI")?,
                content_type: optional(element, "ContentType")?,
                content_name: optional(element, "ContentName")?,
                // Clients are known for sizes that are none.
                content_size: optional(element, "ContentSize").unwrap_or_default(),
                validity: optional(element, "Validity")?,
                recipients: optional(element, "Recipient")?.unwrap_or_default(),
                recipient_display: None,
                sender: optional(element, "Sender")?,
                date_time: optional(element, "DateTime")?,
            },
            encoding: optional(element, "ContentEncoding")?,
            font: optional(element, "Font")?,
            extensions: element
                .named("ExtBlockETEM")
                .map(String::read)
                .collect::<Result<_, _>>()?,
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        fn add<'v, T: Content>(
            out: &mut Vec<Element<'v>>,
            value: Option<&'v T>,
            name: &'static str,
            version: Version,
        ) {
            out.extend(value.map(|value| value.element(name, version)));
        }
        let message = &self.message;
        let out = &mut Vec::with_capacity(10);
        add(out, message.message_id.as_ref(), "MessageID", version);
        add(out, message.uri.as_ref(), "MessageURI", version);
        add(out, message.content_type.as_ref(), "ContentType", version);
        add(out, self.encoding.as_ref(), "ContentEncoding", version);
        add(out, message.content_size.as_ref(), "ContentSize", version);
        add(out, message.content_name.as_ref(), "ContentName", version);
        // A message to nobody has a recipient without content, where one must stand.
        add(out, Some(&message.recipients), "Recipient", version);
        add(out, message.sender.as_ref(), "Sender", version);
        add(out, message.date_time.as_ref(), "DateTime", version);
        add(out, self.font.as_ref(), "Font", version);
        add(out, message.validity.as_ref(), "Validity", version);
        for extension in &self.extensions {
            add(out, Some(extension), "ExtBlockETEM", version);
        }
        Element::of(name, std::mem::take(out))
    }
}
