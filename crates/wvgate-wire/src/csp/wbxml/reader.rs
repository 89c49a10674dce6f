//! The bounded reader: octets to events.
//!
//! Whatever a stranger sends, the work grows with the length of the body alone: texts that a table
//! repeats count as often as they stand, an opaque length is held against what is there, switches of
//! the page and attributes are counted.

use std::borrow::Cow;

use super::tags::{Kind, Tags};
use super::text::Charset;
use super::values::Values;
use super::{NAMESPACES, global, number};
use crate::csp::datetime;
use crate::csp::element::Element;
use crate::csp::event::{Event, Source};
use crate::csp::version::Version;
use crate::imps::xml::tokens::MAX_DEPTH;
use crate::imps::xml::{Limits, Malformed, Texts};

/// Switches of the page that may follow each other.
const SWITCHES: usize = 16;

/// An element that has begun.
#[derive(Debug, Clone, Copy)]
struct Open<'a> {
    name: &'a str,
    kind: Kind,
    /// Elements directly in it so far.
    entries: usize,
}

/// The reader's state.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    /// The string table.
    table: &'a [u8],
    charset: Charset,
    /// What the public id says.
    version: Option<Version>,
    page: u8,
    open: Vec<Open<'a>>,
    /// An element without content is still to be ended.
    closing: bool,
    /// The namespace of the element that began last is still to be told.
    namespace: Option<Cow<'a, str>>,
    elements: usize,
    /// Bytes of text handed out.
    expanded: usize,
    limits: Limits,
}

/// Reads a document; with it the version that its public id names.
///
/// # Errors
/// See [`Malformed`].
pub fn read<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(Option<Version>, Element<'a>), Malformed> {
    let mut reader = Reader::new(bytes, limits)?;
    let named = reader.version;
    Element::build(&mut reader, limits).map(|element| (named, element))
}

impl<'a> Reader<'a> {
    /// Reads what stands before the root.
    fn new(body: &'a [u8], limits: &Limits) -> Result<Self, Malformed> {
        if body.len() > limits.bytes {
            return Err(Malformed::Size(limits.bytes));
        }
        if body.is_empty() {
            return Err(Malformed::Empty);
        }
        let mut reader = Self {
            body,
            at: 0,
            table: &[],
            charset: Charset::Utf8,
            version: None,
            page: 0,
            open: Vec::with_capacity(12),
            closing: false,
            namespace: None,
            elements: 0,
            expanded: 0,
            limits: Limits {
                depth: limits.depth.min(MAX_DEPTH),
                ..*limits
            },
        };
        if !matches!(reader.octet()?, 1..=3) {
            return Err(wrong(0, "no version of WBXML that is known"));
        }
        let id = reader.number()?;
        let id_text = if id == 0 {
            Some(reader.number()?)
        } else {
            None
        };
        let at = reader.at;
        let charset = Charset::of(reader.number()?);
        reader.charset = charset.ok_or_else(|| wrong(at, "an unknown character set"))?;
        let length = reader.length()?;
        reader.table = reader.take(length)?;
        reader.version = match (id, id_text) {
            (_, Some(index)) => version_of_id(reader.table_text(index)?.as_ref()),
            (0x10, _) => Some(Version::V1_1),
            (0x11, _) => Some(Version::V1_2),
            (0x12, _) => Some(Version::V1_3),
            _ => None,
        };
        Ok(reader)
    }

    fn octet(&mut self) -> Result<u8, Malformed> {
        let octet = self.body.get(self.at).copied();
        self.at += 1;
        octet.ok_or_else(|| self.cut())
    }

    /// A number of seven bits an octet.
    fn number(&mut self) -> Result<u32, Malformed> {
        let at = self.at;
        let mut number = 0u32;
        for _ in 0..5 {
            let octet = self.octet()?;
            if number >> 25 != 0 {
                break;
            }
            number = number << 7 | u32::from(octet & 0x7F);
            if octet & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(wrong(at, "a number that is too large"))
    }

    fn length(&mut self) -> Result<usize, Malformed> {
        let number = self.number()?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..length) else {
            return Err(wrong(self.at, "a length beyond the end of the body"));
        };
        self.at += length;
        Ok(taken)
    }

    /// A string that ends with a zero.
    fn inline(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let at = self.at;
        let rest = self.body.get(at..).unwrap_or_default();
        let Some(length) = memchr::memchr(0, rest) else {
            return Err(wrong(at, "a string that does not end"));
        };
        self.at += length + 1;
        self.charset.text(&rest[..length], at)
    }

    /// A string of the table.
    fn table_text(&self, index: u32) -> Result<Cow<'a, str>, Malformed> {
        let start = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(rest) = self.table.get(start..).filter(|rest| !rest.is_empty()) else {
            return Err(wrong(self.at, "a string beyond the end of the table"));
        };
        let end = memchr::memchr(0, rest).unwrap_or(rest.len());
        self.charset.text(&rest[..end], self.at)
    }

    /// A name of the table, without prefix.
    fn literal(&mut self) -> Result<&'a str, Malformed> {
        let at = self.at;
        let index = self.number()?;
        let limit = self.limits.texts.name;
        let name = match self.table_text(index)? {
            Cow::Borrowed(name) => name.rsplit(':').next().unwrap_or(name),
            Cow::Owned(_) => "",
        };
        if name.len() > limit {
            let what = "a name";
            return Err(Malformed::Long { what, limit });
        }
        let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.') || b > 0x7F;
        let begins = name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !begins || !name.bytes().all(part) {
            return Err(wrong(at, "a name that is none"));
        }
        Ok(name)
    }

    /// An element begins.
    fn tag(&mut self, token: u8) -> Result<Event<'a>, Malformed> {
        let at = self.at - 1;
        let (name, kind) = match token & 0x3F {
            global::LITERAL => (self.literal()?, Kind::Plain),
            low => {
                // Whatever the version, the root's token is the same.
                let tags = Tags::of(self.version.unwrap_or(Version::V1_3));
                let tag = tags.by_token(self.page, low);
                let tag = tag.ok_or_else(|| wrong(at, "an unknown tag"))?;
                (tag.name, tag.kind)
            }
        };
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(Malformed::Count {
                what: "elements",
                limit: self.limits.elements,
            });
        }
        if self.open.len() >= self.limits.depth {
            return Err(Malformed::Depth(self.limits.depth));
        }
        if let Some(parent) = self.open.last_mut() {
            parent.entries += 1;
            if parent.entries > self.limits.entries {
                return Err(Malformed::Count {
                    what: "elements within one",
                    limit: self.limits.entries,
                });
            }
        }
        self.open.push(Open {
            name,
            kind,
            entries: 0,
        });
        if token & global::WITH_ATTRIBUTES != 0 {
            self.namespace = self.attributes()?;
            if let Some(version) = self.namespace.as_deref().and_then(Version::of_namespace) {
                self.version = Some(version);
            }
        }
        self.closing = token & global::WITH_CONTENT == 0;
        Ok(Event::Start(name))
    }

    /// Attributes up to their end: the namespace of ours that one of them declares.
    fn attributes(&mut self) -> Result<Option<Cow<'a, str>>, Malformed> {
        let mut found = None;
        let mut value: Option<String> = None;
        let mut count = 0;
        let mut switches = 0;
        let keep = |value: Option<String>| value.filter(|v| Version::of_namespace(v).is_some());
        loop {
            let at = self.at;
            let token = self.octet()?;
            switches = if token == global::SWITCH_PAGE {
                switches + 1
            } else {
                0
            };
            let piece = match token {
                global::END => {
                    return Ok(found.or_else(|| keep(value)).map(Cow::Owned));
                }
                global::SWITCH_PAGE => {
                    self.octet()?;
                    within_switches(switches)?;
                    continue;
                }
                global::STR_I => self.inline()?,
                global::STR_T => {
                    let index = self.number()?;
                    self.table_text(index)?
                }
                global::ENTITY => self.entity()?,
                global::OPAQUE => {
                    let length = self.length()?;
                    let data = self.take(length)?;
                    self.charset.text(data, at)?
                }
                global::EXT_T_0 | global::EXT_T_1 | global::EXT_T_2 => {
                    self.number()?;
                    continue;
                }
                global::EXT_I_0..=global::EXT_I_2 => {
                    self.inline()?;
                    continue;
                }
                0x80.. => continue,
                start => {
                    count += 1;
                    if count > self.limits.attributes {
                        return Err(Malformed::Count {
                            what: "attributes",
                            limit: self.limits.attributes,
                        });
                    }
                    found = found.or_else(|| keep(value.take()));
                    if start == global::LITERAL {
                        let index = self.number()?;
                        self.table_text(index)?;
                    }
                    let known = NAMESPACES.iter().find(|(token, _)| *token == start);
                    value = Some(known.map_or_else(String::new, |(_, uri)| (*uri).to_owned()));
                    continue;
                }
            };
            self.expand(piece.len())?;
            if let Some(value) = &mut value {
                let limit = self.limits.texts.value;
                if value.len() + piece.len() > limit {
                    let what = "an attribute";
                    return Err(Malformed::Long { what, limit });
                }
                value.push_str(&piece);
            }
        }
    }

    fn entity(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let at = self.at;
        let code = self.number()?;
        match char::from_u32(code) {
            Some(c) if crate::imps::xml::is_character(c) => Ok(Cow::Owned(c.to_string())),
            Some(_) => Err(Malformed::Control(code)),
            None => Err(wrong(at, "an entity that is no character")),
        }
    }

    /// Opaque octets: a number, a time, or text; content may be anything.
    fn opaque(&mut self) -> Result<Event<'a>, Malformed> {
        let length = self.length()?;
        let at = self.at;
        let data = self.take(length)?;
        self.expand(length)?;
        let Some(open) = self.open.last() else {
            return Err(wrong(at, "data outside the root element"));
        };
        let text = match open.kind {
            Kind::Integer => match number::of_octets(data) {
                Some(number) => Cow::Owned(number.to_string()),
                None => return Err(wrong(at, "a number that is too large")),
            },
            Kind::Date => match <&[u8; 6]>::try_from(data).ok().map(datetime::of_octets) {
                Some(Some(text)) => Cow::Owned(text),
                _ => self.charset.text(data, at)?,
            },
            Kind::Plain => match self.charset.text(data, at) {
                Ok(text) => text,
                Err(_) if Texts::is_content(open.name) => {
                    return Ok(Event::Data(Cow::Borrowed(data)));
                }
                Err(fault) => return Err(fault),
            },
        };
        Ok(Event::Text(text))
    }

    fn value(&mut self) -> Result<Event<'a>, Malformed> {
        let at = self.at;
        let number = self.number()?;
        let element = self.open.last().map_or("", |open| open.name);
        let text = Values::all().text(number, element);
        let text = text.ok_or_else(|| wrong(at, "an unknown value"))?;
        Ok(Event::Text(Cow::Borrowed(text)))
    }

    /// Counts text that is handed out.
    fn expand(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.expanded += bytes;
        if self.expanded > self.limits.bytes {
            return Err(Malformed::Size(self.limits.bytes));
        }
        Ok(())
    }

    fn cut(&self) -> Malformed {
        match self.open.last() {
            Some(open) => Malformed::Unclosed(open.name.to_owned()),
            None => Malformed::Empty,
        }
    }
}

impl<'a> Source<'a> for Reader<'a> {
    fn next(&mut self) -> Result<Option<Event<'a>>, Malformed> {
        if let Some(namespace) = self.namespace.take() {
            return Ok(Some(Event::Namespace(namespace)));
        }
        if self.closing {
            self.closing = false;
            self.open.pop();
            return Ok(Some(Event::End));
        }
        let mut switches = 0;
        loop {
            let at = self.at;
            let token = self.octet()?;
            let event = match token {
                global::SWITCH_PAGE => {
                    self.page = self.octet()?;
                    switches += 1;
                    within_switches(switches)?;
                    continue;
                }
                global::END => match self.open.pop() {
                    Some(_) => Event::End,
                    None => return Err(wrong(at, "an end without an element")),
                },
                global::PI => {
                    self.attributes()?;
                    continue;
                }
                global::EXT_I_0..=global::EXT_I_2 => {
                    self.inline()?;
                    continue;
                }
                global::EXT_T_1 | global::EXT_T_2 => {
                    self.number()?;
                    continue;
                }
                global::EXT_0..=global::EXT_2 => continue,
                global::ENTITY => Event::Text(self.entity()?),
                global::STR_I => Event::Text(self.inline()?),
                global::STR_T => {
                    let index = self.number()?;
                    Event::Text(self.table_text(index)?)
                }
                global::OPAQUE => return self.opaque().map(Some),
                global::EXT_T_0 => self.value()?,
                tag => return self.tag(tag).map(Some),
            };
            if let Event::Text(text) = &event {
                if self.open.is_empty() {
                    return Err(wrong(at, "text outside the root element"));
                }
                self.expand(text.len())?;
            }
            return Ok(Some(event));
        }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        if self.at == self.body.len() {
            Ok(())
        } else {
            Err(Malformed::Trailing)
        }
    }
}

/// The version in a public id such as `-//OMA//DTD WV-CSP 1.2//EN`.
fn version_of_id(id: &str) -> Option<Version> {
    let (_, behind) = id.split_once("CSP ")?;
    Version::parse(behind.split('/').next()?)
}

fn within_switches(switches: usize) -> Result<(), Malformed> {
    if switches > SWITCHES {
        return Err(Malformed::Count {
            what: "switches of the page in a row",
            limit: SWITCHES,
        });
    }
    Ok(())
}

/// What stands `at` is not well-formed.
fn wrong(at: usize, why: &str) -> Malformed {
    Malformed::Binary {
        at,
        why: why.to_owned(),
    }
}
