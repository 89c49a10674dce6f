//! The writer: appends escaped XML to one growing string.

use std::collections::BTreeMap;

/// How a peer wants its XML: the output side of a dialect.
///
/// Keys of the tables are the names this crate uses, values the names written.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Style {
    /// The name to write, by ours.
    pub elements: BTreeMap<String, String>,
    /// Attribute renames, keyed `Element@attribute` or `@attribute`.
    pub attributes: BTreeMap<String, String>,
    /// Attributes written a second time under another name, keyed as above.
    pub twins: BTreeMap<String, String>,
    /// A `ClientID` is its `url` alone, never an `ApplicationID` inside (quirk D-14).
    pub flat_clients: bool,
}

impl Style {
    /// Whether the style changes nothing, so that raw fragments may pass.
    pub fn is_plain(&self) -> bool {
        self.elements.is_empty()
            && self.attributes.is_empty()
            && self.twins.is_empty()
            && !self.flat_clients
    }

    /// Whether the style may change something in `xml`, which is in our own.
    pub fn concerns(&self, xml: &[u8]) -> bool {
        let elements_alone =
            self.attributes.is_empty() && self.twins.is_empty() && !self.flat_clients;
        let mut elements = self.elements.keys();
        !elements_alone || elements.any(|name| super::names::may_stand_in(xml, name))
    }

    fn attribute<'s>(
        table: &'s BTreeMap<String, String>,
        element: &str,
        name: &str,
    ) -> Option<&'s str> {
        if table.is_empty() {
            return None;
        }
        table
            .get(&format!("{element}@{name}"))
            .or_else(|| table.get(&format!("@{name}")))
            .map(String::as_str)
    }
}

/// Hears what a writer writes, in the names of this crate.
pub(crate) trait Listener: std::fmt::Debug {
    /// A start tag has begun.
    fn start(&mut self, name: &str);
    /// An attribute of the start tag that has begun last.
    fn attribute(&mut self, name: &str, value: &str);
    /// The innermost element has ended.
    fn end(&mut self);
}

/// Writes elements in order. The caller closes what it opens; [`Writer::element`]
/// does both.
#[derive(Debug, Default)]
pub struct Writer<'s> {
    out: String,
    /// Whether the start tag of the innermost element still lacks its `>`.
    in_tag: bool,
    style: Option<&'s Style>,
    listener: Option<&'s mut dyn Listener>,
    /// Nothing is written: somebody hears what would be.
    is_silent: bool,
}

impl<'s> Writer<'s> {
    /// An empty writer in our own style.
    pub fn new() -> Self {
        Self {
            out: String::with_capacity(512),
            ..Self::default()
        }
    }

    /// An empty writer in our own style, and somebody who hears what is written.
    pub(crate) fn heard(listener: &'s mut dyn Listener) -> Self {
        Self {
            listener: Some(listener),
            ..Self::new()
        }
    }

    /// Writes nothing, for somebody who hears what would be written.
    pub(crate) fn silent(listener: &'s mut dyn Listener) -> Self {
        Self {
            listener: Some(listener),
            is_silent: true,
            ..Self::default()
        }
    }

    /// An empty writer in a peer's style.
    pub fn styled(style: &'s Style) -> Self {
        Self {
            style: (!style.is_plain()).then_some(style),
            ..Self::new()
        }
    }

    /// A writer of a whole document, which starts with an XML declaration.
    pub fn document() -> Self {
        Self::new().declared()
    }

    /// As [`Writer::document`], in a peer's style.
    pub fn styled_document(style: &'s Style) -> Self {
        Self::styled(style).declared()
    }

    /// Makes room for so many bytes more.
    pub fn reserve(&mut self, bytes: usize) {
        if !self.is_silent {
            self.out.reserve(bytes);
        }
    }

    /// Whether clients are written as their URL alone.
    pub fn has_flat_clients(&self) -> bool {
        self.style.is_some_and(|style| style.flat_clients)
    }

    fn declared(mut self) -> Self {
        self.out
            .push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self
    }

    /// What has been written.
    pub fn finish(self) -> String {
        self.out
    }

    /// Opens `name`, lets `body` write attributes and then content, closes it.
    pub fn element(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        self.end_tag();
        let written = match self.style.and_then(|style| style.elements.get(name)) {
            Some(renamed) => renamed.as_str(),
            None => name,
        };
        if !self.is_silent {
            self.out.push('<');
            self.out.push_str(written);
            self.in_tag = true;
        }
        if let Some(listener) = &mut self.listener {
            listener.start(name);
        }
        body(self);
        if let Some(listener) = &mut self.listener {
            listener.end();
        }
        if self.is_silent {
            return;
        }
        if self.in_tag {
            self.out.push_str("/>");
            self.in_tag = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(written);
            self.out.push('>');
        }
    }

    /// Adds an attribute to the start tag just opened for `element`.
    pub fn attribute(&mut self, element: &str, name: &str, value: &str) {
        if let Some(listener) = &mut self.listener {
            listener.attribute(name, value);
        }
        let Some(style) = self.style else {
            return self.raw_attribute(name, value);
        };
        let written = Style::attribute(&style.attributes, element, name).unwrap_or(name);
        self.raw_attribute(written, value);
        if let Some(twin) = Style::attribute(&style.twins, element, name) {
            self.raw_attribute(twin, value);
        }
    }

    /// Adds escaped text.
    pub fn text(&mut self, text: &str) {
        if text.is_empty() || self.is_silent {
            return;
        }
        self.end_tag();
        escape_into(&mut self.out, text, false);
    }

    /// Adds a fragment that is XML already.
    pub fn raw(&mut self, fragment: &str) {
        if fragment.is_empty() || self.is_silent {
            return;
        }
        self.end_tag();
        self.out.push_str(fragment);
    }

    fn raw_attribute(&mut self, name: &str, value: &str) {
        if self.is_silent {
            return;
        }
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape_into(&mut self.out, value, true);
        self.out.push('"');
    }

    fn end_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }
}

/// Appends `text` with markup characters escaped; characters XML 1.0 does not
/// allow are dropped, so whatever a value holds the output is well-formed.
pub(crate) fn escape_into(out: &mut String, text: &str, attribute: bool) {
    let special = if attribute { IN_VALUE } else { IN_TEXT };
    let mut rest = text;
    while let Some(at) = first_escaped(rest.as_bytes(), special) {
        out.push_str(&rest[..at]);
        let (escaped, used) = match rest.as_bytes()[at] {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' => ("&quot;", 1),
            b'\n' => ("&#10;", 1),
            b'\t' => ("&#9;", 1),
            b'\r' => ("&#13;", 1),
            0..0x20 => ("", 1),
            // U+FFFE and U+FFFF are no characters; others begin like them.
            _ if rest[at..].starts_with(['\u{fffe}', '\u{ffff}']) => ("", 3),
            _ => (&rest[at..at + 3], 3),
        };
        out.push_str(escaped);
        rest = &rest[at + used..];
    }
    out.push_str(rest);
}

/// Where the first byte stands that cannot be copied as it is.
fn first_escaped(bytes: &[u8], special: u8) -> Option<usize> {
    let class = |b: u8| ESCAPED[usize::from(b)];
    // Four at a time: most texts need nothing.
    let mut at = 0;
    while let Some([a, b, c, d]) = bytes.get(at..at + 4) {
        if (class(*a) | class(*b) | class(*c) | class(*d)) & special != 0 {
            break;
        }
        at += 4;
    }
    bytes[at..]
        .iter()
        .position(|b| class(*b) & special != 0)
        .map(|step| at + step)
}

const IN_TEXT: u8 = 1;
const IN_VALUE: u8 = 2;

/// Bytes that cannot be copied as they are: into texts, into attribute values.
#[expect(clippy::cast_possible_truncation)] // no larger than a byte
const ESCAPED: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'\n' | b'\t' | b'"' => IN_VALUE,
            // 0xEF begins U+F000 to U+FFFF.
            0..0x20 | b'&' | b'<' | b'>' | 0xEF => IN_TEXT | IN_VALUE,
            _ => 0,
        };
        b += 1;
    }
    table
};
