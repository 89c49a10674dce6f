//! The writer: an element to octets, with the tokens of one version.

use super::tags::{Kind, Tags};
use super::values::Values;
use super::{NAMESPACES, global, number};
use crate::csp::datetime;
use crate::csp::element::Element;
use crate::csp::version::Version;
use crate::imps::xml::{Texts, is_character};

/// What has been written so far.
struct Writer {
    out: Vec<u8>,
    version: Version,
    page: u8,
    /// Names without a token, each with a zero behind it.
    table: Vec<u8>,
}

/// Writes a document.
pub fn write(element: &Element<'_>, version: Version) -> Vec<u8> {
    let mut writer = Writer {
        out: Vec::with_capacity(256),
        version,
        page: 0,
        table: Vec::new(),
    };
    writer.element(element);
    let public_id = match version {
        Version::V1_1 => 0x10,
        Version::V1_2 => 0x11,
        Version::V1_3 => 0x12,
    };
    let mut out = Vec::with_capacity(writer.out.len() + writer.table.len() + 8);
    out.extend([0x03, public_id, 0x6A]);
    number::put(&mut out, length(&writer.table));
    out.extend(writer.table);
    out.extend(writer.out);
    out
}

impl Writer {
    fn element(&mut self, element: &Element<'_>) {
        let is_empty =
            element.text.is_empty() && element.data.is_none() && element.children.is_empty();
        let namespace = element.namespace.as_deref().and_then(split);
        let mut flags = if is_empty { 0 } else { global::WITH_CONTENT };
        if namespace.is_some() {
            flags |= global::WITH_ATTRIBUTES;
        }
        let tag = Tags::of(self.version).by_name(element.name);
        match tag {
            Some(tag) => {
                if tag.page != self.page {
                    self.page = tag.page;
                    self.out.extend([global::SWITCH_PAGE, tag.page]);
                }
                self.out.push(tag.token | flags);
            }
            None => {
                let index = self.literal(element.name);
                self.out.push(global::LITERAL | flags);
                number::put(&mut self.out, index);
            }
        }
        if let Some((token, rest)) = namespace {
            self.out.push(token);
            self.inline(rest);
            self.out.push(global::END);
        }
        if is_empty {
            return;
        }
        match &element.data {
            Some(data) => self.opaque(data),
            None => self.text(
                &element.text,
                element.name,
                tag.map_or(Kind::Plain, |tag| tag.kind),
            ),
        }
        for child in &element.children {
            self.element(child);
        }
        self.out.push(global::END);
    }

    fn text(&mut self, text: &str, element: &str, kind: Kind) {
        if text.is_empty() {
            return;
        }
        let octets = match kind {
            Kind::Plain => None,
            Kind::Integer => number::to_octets(text),
            Kind::Date => datetime::to_octets(text).map(Vec::from),
        };
        if let Some(octets) = octets {
            return self.opaque(&octets);
        }
        if !Texts::is_content(element)
            && let Some(value) = Values::all().number(text, element, self.version)
        {
            self.out.push(global::EXT_T_0);
            return number::put(&mut self.out, value);
        }
        self.inline(text);
    }

    /// A string with a zero behind it. Characters that XML does not have are left out, as in XML.
    fn inline(&mut self, text: &str) {
        self.out.push(global::STR_I);
        if text.chars().all(is_character) {
            self.out.extend_from_slice(text.as_bytes());
        } else {
            let kept: String = text.chars().filter(|c| is_character(*c)).collect();
            self.out.extend_from_slice(kept.as_bytes());
        }
        self.out.push(0);
    }

    fn opaque(&mut self, data: &[u8]) {
        self.out.push(global::OPAQUE);
        number::put(&mut self.out, length(data));
        self.out.extend_from_slice(data);
    }

    /// Where in the table a name stands.
    fn literal(&mut self, name: &str) -> u32 {
        let mut at = 0;
        for known in self.table.split_inclusive(|b| *b == 0) {
            if known.strip_suffix(&[0]) == Some(name.as_bytes()) {
                return u32::try_from(at).unwrap_or(u32::MAX);
            }
            at += known.len();
        }
        self.table.extend_from_slice(name.as_bytes());
        self.table.push(0);
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

/// The token that begins a namespace, and what stands behind it.
fn split(namespace: &str) -> Option<(u8, &str)> {
    NAMESPACES
        .iter()
        .find_map(|(token, prefix)| Some((*token, namespace.strip_prefix(prefix)?)))
}

fn length(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}
