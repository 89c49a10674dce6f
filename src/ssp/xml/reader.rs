//! The bounded reader: bytes to a tree of borrowed nodes.
//!
//! A [`Node`] borrows names and text from the input wherever nothing had to be
//! unescaped, so a message is read with few allocations.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

/// Bounds on one document. The defaults suit SSP traffic; the body's size is
/// bounded earlier, by the HTTP floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of elements, the root counting as one.
    pub depth: usize,
    /// Elements in one document.
    pub elements: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Bytes of the document.
    pub bytes: usize,
    /// `Transaction` elements in one `Session`.
    pub transactions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Our choice: a full PresenceNotification nests 11 deep, a group of a
        // thousand members lists about 4 000 elements.
        Self {
            depth: 32,
            elements: 50_000,
            attributes: 32,
            bytes: 1 << 20,
            transactions: 256,
        }
    }
}

/// Why bytes are not an acceptable XML document. The peer gets HTTP 400 (or
/// 413 where [`Malformed::is_size`] says so).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The body is not UTF-8.
    #[error("the body is not valid UTF-8 (first bad byte at {0})")]
    Encoding(usize),
    /// Not well-formed in the sense of XML 1.0.
    #[error("not well-formed XML at byte {at}: {why}")]
    Syntax {
        /// Byte offset.
        at: usize,
        /// What the tokenizer said.
        why: String,
    },
    /// A document type declaration with an internal subset, or one after the root began.
    #[error("document type definitions are not allowed")]
    Doctype,
    /// An entity that is not one of the five predefined ones.
    #[error("unknown entity &{0};")]
    Entity(String),
    /// A character that XML 1.0 does not allow.
    #[error("control character U+{0:04X}")]
    Control(u32),
    /// No root element.
    #[error("the document is empty")]
    Empty,
    /// An element is still open at the end.
    #[error("the document ends inside <{0}>")]
    Unclosed(String),
    /// A second root, or text after the root.
    #[error("content after the root element")]
    Trailing,
    /// Nested too deep.
    #[error("elements nest deeper than {0}")]
    Depth(usize),
    /// Too many elements, attributes or transactions.
    #[error("more than {limit} {what}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// Larger than the limit.
    #[error("larger than {0} bytes")]
    Size(usize),
    /// Well-formed, but not the envelope of SSP (wire profile, section 5).
    #[error("not an SSP message: {0}")]
    Envelope(&'static str),
}

impl Malformed {
    /// Whether the fault is the size of the input rather than its form.
    pub fn is_size(&self) -> bool {
        matches!(self, Self::Size(_))
    }
}

/// One element: local names, unescaped attribute values, trimmed text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node<'a> {
    /// Local name as written (any prefix removed).
    pub name: &'a str,
    /// Attributes by local name, `xmlns` declarations left out.
    pub attributes: Vec<(&'a str, Cow<'a, str>)>,
    /// Child elements in order.
    pub children: Vec<Node<'a>>,
    /// The element's own character data, joined and trimmed.
    pub text: Cow<'a, str>,
}

impl<'a> Node<'a> {
    /// The first attribute called one of `names` (case-sensitive, wire profile section 3).
    pub fn attribute(&self, names: &[&str]) -> Option<&Cow<'a, str>> {
        names
            .iter()
            .find_map(|name| self.attributes.iter().find(|(key, _)| key == name))
            .map(|(_, value)| value)
    }

    /// Children called one of `names`, without regard to case (wire profile section 3).
    pub fn children_named<'n>(
        &'n self,
        names: &'n [&'n str],
    ) -> impl Iterator<Item = &'n Node<'a>> + 'n {
        self.children.iter().filter(move |child| {
            names
                .iter()
                .any(|name| child.name.eq_ignore_ascii_case(name))
        })
    }

    /// The first child called `name`.
    pub fn child(&self, name: &str) -> Option<&Node<'a>> {
        self.children
            .iter()
            .find(|child| child.name.eq_ignore_ascii_case(name))
    }
}

/// Reads one document.
///
/// # Errors
/// See [`Malformed`]; nothing is repaired here.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Node<'a>, Malformed> {
    let text = decode(bytes, limits)?;
    let mut reader = reader(text);
    let mut elements = 0;
    let mut open: Vec<(Node<'a>, Text<'a>)> = Vec::with_capacity(12);
    let mut root = None;
    loop {
        let event = next(&mut reader)?;
        match event {
            Event::Start(ref tag) | Event::Empty(ref tag) => {
                if root.is_some() {
                    return Err(Malformed::Trailing);
                }
                count(&mut elements, limits.elements, "elements")?;
                if open.len() >= limits.depth {
                    return Err(Malformed::Depth(limits.depth));
                }
                let node = start(text, tag, &reader, limits)?;
                if matches!(event, Event::Empty(_)) {
                    close(&mut open, &mut root, node);
                } else {
                    open.push((node, Text::default()));
                }
            }
            Event::End(_) => {
                let Some((mut node, text)) = open.pop() else {
                    return Err(Malformed::Trailing);
                };
                node.text = text.finish();
                close(&mut open, &mut root, node);
            }
            Event::Eof => break,
            other => character_data(other, open.last_mut().map(|(_, text)| text), root.is_some())?,
        }
    }
    if let Some((node, _)) = open.last() {
        return Err(Malformed::Unclosed(node.name.to_owned()));
    }
    root.ok_or(Malformed::Empty)
}

/// UTF-8 text of a body, without byte order mark.
pub(crate) fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str, Malformed> {
    if bytes.len() > limits.bytes {
        return Err(Malformed::Size(limits.bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| Malformed::Encoding(e.valid_up_to()))?;
    // XML 1.0, production 2. Tab, line feed and carriage return are the only
    // control characters allowed; U+FFFE and U+FFFF are not characters.
    let bad = text
        .bytes()
        .find(|b| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'));
    if let Some(b) = bad {
        return Err(Malformed::Control(u32::from(b)));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

pub(crate) fn reader(text: &str) -> Reader<&[u8]> {
    Reader::from_str(text)
}

pub(crate) fn next<'a>(reader: &mut Reader<&'a [u8]>) -> Result<Event<'a>, Malformed> {
    reader.read_event().map_err(|e| Malformed::Syntax {
        at: usize::try_from(reader.error_position()).unwrap_or(usize::MAX),
        why: e.to_string(),
    })
}

pub(crate) fn count(
    counter: &mut usize,
    limit: usize,
    what: &'static str,
) -> Result<(), Malformed> {
    *counter += 1;
    if *counter > limit {
        return Err(Malformed::Count { what, limit });
    }
    Ok(())
}

/// A name or value of `tag` as a slice of the input, which outlives the event.
fn within<'a>(input: &'a str, part: &str) -> &'a str {
    let offset = (part.as_ptr() as usize).wrapping_sub(input.as_ptr() as usize);
    input
        .get(offset..offset.saturating_add(part.len()))
        .unwrap_or_default()
}

/// The local part of a qualified name.
pub(crate) fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn start<'a>(
    input: &'a str,
    tag: &BytesStart<'_>,
    reader: &Reader<&[u8]>,
    limits: &Limits,
) -> Result<Node<'a>, Malformed> {
    let mut node = Node {
        name: local(within(input, tag.name().as_ref())),
        ..Node::default()
    };
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|e| syntax(reader, &e))?;
        let key = within(input, attribute.key.as_ref());
        if key == "xmlns" || key.starts_with("xmlns:") {
            continue;
        }
        if node.attributes.len() >= limits.attributes {
            return Err(Malformed::Count {
                what: "attributes",
                limit: limits.attributes,
            });
        }
        let value = match &attribute.value {
            Cow::Borrowed(raw) if plain(raw) => Cow::Borrowed(within(input, raw)),
            _ => Cow::Owned(
                attribute
                    .normalized_value(XmlVersion::Implicit1_0)
                    .map_err(|e| syntax(reader, &e))?
                    .into_owned(),
            ),
        };
        forbid_references_to_controls(&value)?;
        node.attributes.push((local(key), value));
    }
    Ok(node)
}

fn plain(raw: &str) -> bool {
    !raw.bytes()
        .any(|b| matches!(b, b'&' | b'\t' | b'\n' | b'\r'))
}

fn syntax(reader: &Reader<&[u8]>, why: &dyn std::fmt::Display) -> Malformed {
    Malformed::Syntax {
        at: usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX),
        why: why.to_string(),
    }
}

/// Handles everything that is not a tag: text, references, comments, prolog.
pub(crate) fn character_data<'a>(
    event: Event<'a>,
    into: Option<&mut Text<'a>>,
    after_root: bool,
) -> Result<(), Malformed> {
    match event {
        Event::Text(text) => match into {
            Some(into) => into.push(text.xml10_content()),
            None if text.trim_ascii().is_empty() => {}
            None if after_root => return Err(Malformed::Trailing),
            None => return Err(outside()),
        },
        Event::CData(data) => match into {
            Some(into) => into.push(data.xml10_content()),
            None => return Err(outside()),
        },
        Event::GeneralRef(reference) => {
            let character = reference
                .resolve_char_ref()
                .map_err(|e| Malformed::Syntax {
                    at: 0,
                    why: e.to_string(),
                })?;
            let resolved = match character {
                Some(c) => Cow::Owned(c.to_string()),
                None => Cow::Borrowed(
                    resolve_xml_entity(&reference)
                        .ok_or_else(|| Malformed::Entity(reference.to_string()))?,
                ),
            };
            forbid_references_to_controls(&resolved)?;
            into.ok_or_else(outside)?.push(resolved);
        }
        Event::DocType(declaration) => {
            // Old servers may name an external identifier, which is never
            // fetched. An internal subset could define entities: refused.
            if after_root || into.is_some() || declaration.contains('[') {
                return Err(Malformed::Doctype);
            }
        }
        _ => {}
    }
    Ok(())
}

fn outside() -> Malformed {
    Malformed::Syntax {
        at: 0,
        why: "text outside the root element".to_owned(),
    }
}

fn forbid_references_to_controls(text: &str) -> Result<(), Malformed> {
    text.chars()
        .find(|c| {
            (*c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
        })
        .map_or(Ok(()), |c| Err(Malformed::Control(u32::from(c))))
}

fn close<'a>(open: &mut [(Node<'a>, Text<'a>)], root: &mut Option<Node<'a>>, node: Node<'a>) {
    match open.last_mut() {
        Some((parent, _)) => parent.children.push(node),
        None => *root = Some(node),
    }
}

/// Character data of one element, joined from the pieces the tokenizer gives.
#[derive(Debug, Default)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    pub(crate) fn push(&mut self, piece: Cow<'a, str>) {
        if self.0.is_empty() {
            self.0 = piece;
        } else {
            self.0.to_mut().push_str(&piece);
        }
    }

    fn finish(self) -> Cow<'a, str> {
        match self.0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => {
                let trimmed = text.trim();
                if trimmed.len() == text.len() {
                    Cow::Owned(text)
                } else {
                    Cow::Owned(trimmed.to_owned())
                }
            }
        }
    }
}
