//! The writer: appends escaped XML to one growing string.

use std::collections::BTreeMap;

/// How a peer wants its XML: the output side of a dialect.
///
/// Keys of the tables are the names this crate uses, values the names written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Style {
    /// Element renames.
    pub elements: BTreeMap<String, String>,
    /// Attribute renames, keyed `Element@attribute` or `@attribute`.
    pub attributes: BTreeMap<String, String>,
    /// Attributes written a second time under another name, keyed as above.
    pub twins: BTreeMap<String, String>,
}

impl Style {
    /// Whether the style changes nothing, so that raw fragments may pass.
    pub fn is_plain(&self) -> bool {
        self.elements.is_empty() && self.attributes.is_empty() && self.twins.is_empty()
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

/// Writes elements in order. The caller closes what it opens; [`Writer::element`]
/// does both.
#[derive(Debug, Default)]
pub struct Writer<'s> {
    out: String,
    /// Whether the start tag of the innermost element still lacks its `>`.
    in_tag: bool,
    style: Option<&'s Style>,
}

impl<'s> Writer<'s> {
    /// An empty writer in our own style.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer in a peer's style.
    pub fn styled(style: &'s Style) -> Self {
        Self {
            style: (!style.is_plain()).then_some(style),
            ..Self::default()
        }
    }

    /// A writer of a whole document, which starts with an XML declaration.
    pub fn document() -> Self {
        let mut out = String::with_capacity(1024);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self {
            out,
            ..Self::default()
        }
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
        self.out.push('<');
        self.out.push_str(written);
        self.in_tag = true;
        body(self);
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
        if text.is_empty() {
            return;
        }
        self.end_tag();
        escape_into(&mut self.out, text, false);
    }

    /// Adds a fragment that is XML already.
    pub fn raw(&mut self, fragment: &str) {
        if fragment.is_empty() {
            return;
        }
        self.end_tag();
        self.out.push_str(fragment);
    }

    fn raw_attribute(&mut self, name: &str, value: &str) {
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
    let mut rest = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' if attribute => "&quot;",
            b'\n' if attribute => "&#10;",
            b'\t' if attribute => "&#9;",
            b'\r' => "&#13;",
            b'\n' | b'\t' => continue,
            0..0x20 => "",
            // U+FFFE and U+FFFF: EF BF BE, EF BF BF.
            0xEF if matches!(
                text.as_bytes().get(at + 1..at + 3),
                Some([0xBF, 0xBE | 0xBF])
            ) =>
            {
                out.push_str(&text[rest..at]);
                rest = at + 3;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[rest..at]);
        out.push_str(escaped);
        rest = at + 1;
    }
    out.push_str(&text[rest..]);
}
