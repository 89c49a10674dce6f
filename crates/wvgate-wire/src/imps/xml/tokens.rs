//! The tokens of a document: quick-xml finds the pieces, this module checks what quick-xml leaves
//! to its caller, and hands out borrowed pieces.
//!
//! Both readers of a body, the tree ([`super::parse`]) and the envelope
//! ([`crate::ssp::envelope::scan`]), stand on it, so they accept the same
//! documents. It is stricter than SSP peers are and knows less than XML allows:
//! no document type with an internal subset, no entity but the five of XML, no
//! encoding but UTF-8. Prefixes need no declaration (wire profile, 3).

use std::borrow::Cow;

use memchr::{memchr, memchr3, memmem};
use quick_xml::Reader;
use quick_xml::errors::{Error, SyntaxError};
use quick_xml::events::Event;

use super::characters::{characters, is_space, plain_name, trim};
use super::limits::{Limits, within};
use super::open::Open;
use super::reader::{Malformed, syntax};
use super::references::{reference, references, resolve};

/// Nesting that no limit goes beyond: readers of trees are recursive.
pub(crate) const MAX_DEPTH: usize = 256;

/// One piece of a document. Comments, instructions and declarations are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A start tag. An empty element is followed by its own [`Token::End`].
    Start {
        /// Local name.
        name: &'a str,
        /// Byte offset of the `<`.
        at: usize,
    },
    /// The innermost open element ends.
    End,
    /// Character data of the innermost element, or one reference, not yet resolved.
    Text(&'a str),
    /// A CDATA section's content.
    Data(&'a str),
    /// The document is complete.
    Eof,
}

/// An attribute of the last start tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// Name as written.
    pub(crate) key: &'a str,
    /// Name without prefix.
    pub(crate) local: &'a str,
    /// Value as written.
    pub(crate) raw: &'a str,
    /// Whether there are references in it.
    referring: bool,
}

impl<'a> Attribute<'a> {
    /// Whether it declares a namespace.
    pub(crate) fn is_declaration(&self) -> bool {
        self.key.starts_with("xmlns") && matches!(self.key.as_bytes().get(5), None | Some(b':'))
    }

    /// The value with references resolved and white space normalised.
    pub(crate) fn value(&self) -> Cow<'a, str> {
        let raw = self.raw;
        if !self.referring && memchr3(b'\t', b'\n', b'\r', raw.as_bytes()).is_none() {
            return Cow::Borrowed(raw);
        }
        Cow::Owned(resolve(raw, ' '))
    }
}

/// Where in a document the tokenizer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Prolog,
    Inside,
    After,
}

/// The tokenizer's state.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    /// Byte offset behind the last piece.
    at: usize,
    place: Place,
    /// An empty element's end is still to be told.
    closing: bool,
    /// A document type declaration has been seen.
    declared: bool,
    /// Whether any element or attribute since the last [`Tokens::forget_prefixes`] had a prefix.
    prefixed: bool,
    open: Vec<Open<'a>>,
    attributes: Vec<Attribute<'a>>,
    elements: usize,
    limits: Limits,
}

impl<'a> Tokens<'a> {
    /// Tokens of `bytes`, after checking size, encoding and characters.
    pub(crate) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, Malformed> {
        let text = characters(bytes, limits)?;
        if text.starts_with('\u{feff}') {
            // quick-xml would pass over it, and count from behind it.
            return Err(syntax(0, "text outside the root element"));
        }
        Ok(Self {
            text,
            reader: Reader::from_str(text),
            at: 0,
            place: Place::Prolog,
            closing: false,
            declared: false,
            prefixed: false,
            open: Vec::with_capacity(16),
            attributes: Vec::with_capacity(8),
            elements: 0,
            limits: Limits {
                depth: limits.depth.min(MAX_DEPTH),
                ..*limits
            },
        })
    }

    /// Byte offset behind the last token.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The document's text without byte order mark, in which offsets count.
    pub(crate) fn input(&self) -> &'a str {
        self.text
    }

    /// Attributes of the last start tag.
    pub(crate) fn attributes(&self) -> &[Attribute<'a>] {
        &self.attributes
    }

    /// Elements open now.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Starts watching for prefixes anew; see [`Tokens::prefixes_seen`].
    pub(crate) fn forget_prefixes(&mut self) {
        self.prefixed = false;
    }

    /// Whether a name with a prefix has been met.
    pub(crate) fn prefixes_seen(&self) -> bool {
        self.prefixed
    }

    pub(crate) fn next(&mut self) -> Result<Token<'a>, Malformed> {
        if self.closing {
            self.closing = false;
            return Ok(self.pop());
        }
        loop {
            let at = self.at;
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(fault) => return Err(self.fault(&fault)),
            };
            self.at = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            let raw = self.text.get(at..self.at).unwrap_or_default();
            match event {
                Event::Start(tag) => {
                    let inner = within_marks(raw, 1, 1);
                    return self.start_tag(at, inner, tag.name().0.len());
                }
                Event::Empty(tag) => {
                    let inner = within_marks(raw, 1, 2);
                    self.closing = true;
                    return self.start_tag(at, inner, tag.name().0.len());
                }
                Event::End(_) => return self.end_tag(at),
                Event::Text(_) => {
                    if let Some(text) = self.character_data(at, raw)? {
                        self.measure(text);
                        return Ok(Token::Text(text));
                    }
                }
                Event::GeneralRef(_) => {
                    self.inside(at)?;
                    reference(raw).map_err(|why| why.at(at))?;
                    self.measure(raw);
                    return Ok(Token::Text(raw));
                }
                Event::CData(_) => {
                    if self.place != Place::Inside {
                        return Err(syntax(at, "text outside the root element"));
                    }
                    let data = within_marks(raw, 9, 3);
                    self.measure(data);
                    return Ok(Token::Data(data));
                }
                Event::Comment(_) => {
                    let body = raw.get(4..).unwrap_or_default();
                    if memmem::find(body.as_bytes(), b"--") != body.len().checked_sub(3) {
                        return Err(syntax(at, "a comment with '--' inside"));
                    }
                }
                Event::Decl(_) => {
                    if at > 0 || !raw.as_bytes().get(5).is_some_and(|b| is_space(*b)) {
                        return Err(syntax(at, "an XML declaration in a wrong place"));
                    }
                }
                Event::PI(_) => instruction(at, raw)?,
                Event::DocType(_) => self.document_type(at, raw)?,
                Event::Eof => return self.eof(),
            }
        }
    }

    fn pop(&mut self) -> Token<'a> {
        self.open.pop();
        if self.open.is_empty() {
            self.place = Place::After;
        }
        Token::End
    }

    fn eof(&self) -> Result<Token<'a>, Malformed> {
        match (self.place, self.open.last()) {
            (Place::Prolog, _) => Err(Malformed::Empty),
            (Place::Inside, name) => Err(Malformed::Unclosed(
                name.map_or("", |open| open.name).to_owned(),
            )),
            (Place::After, _) => Ok(Token::Eof),
        }
    }

    /// A start tag: what stands between its brackets, and how long the name in it is.
    fn start_tag(
        &mut self,
        at: usize,
        inner: &'a str,
        name_length: usize,
    ) -> Result<Token<'a>, Malformed> {
        if self.place == Place::After {
            return Err(Malformed::Trailing);
        }
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
            parent.enter(&self.limits)?;
        }
        let name = inner.get(..name_length).unwrap_or_default();
        let local = self.name(at + 1, name)?;
        self.attributes.clear();
        if name_length < inner.len() {
            self.read_attributes(at + 1, inner, name_length)?;
        }
        self.place = Place::Inside;
        self.open.push(Open::new(name, self.at));
        Ok(Token::Start { name: local, at })
    }

    /// The attributes of a tag whose inside begins `at`. Each is `name="value"` behind white space
    /// (productions 40, 41 and 25).
    fn read_attributes(
        &mut self,
        at: usize,
        inner: &'a str,
        name_length: usize,
    ) -> Result<(), Malformed> {
        let mut rest = inner.get(name_length..).unwrap_or_default();
        loop {
            let here = |rest: &str| at + inner.len() - rest.len();
            let next = skip_space(rest);
            if next.is_empty() {
                return Ok(());
            }
            if next.len() == rest.len() {
                return Err(syntax(here(next), "no white space before an attribute"));
            }
            let start = here(next);
            let (key, local, behind) = self.name_in(start, next)?;
            let behind = skip_space(behind);
            let Some(behind) = behind.strip_prefix('=') else {
                return Err(syntax(
                    here(behind),
                    "'=' was expected behind an attribute's name",
                ));
            };
            let behind = skip_space(behind);
            let Some((&quote @ (b'"' | b'\''), _)) = behind.as_bytes().split_first() else {
                return Err(syntax(here(behind), "an attribute value without quotes"));
            };
            let value = here(behind) + 1;
            let Some(length) = memchr(quote, &behind.as_bytes()[1..]) else {
                return Err(syntax(value, "an attribute value that does not end"));
            };
            let raw = &behind[1..=length];
            rest = &behind[length + 2..];
            let referring = references(raw).map_err(|(step, why)| why.at(value + step))?;
            if raw.len() > self.limits.texts.shortest_value() {
                let (what, limit) = self.limits.texts.of_attribute(local);
                within(what, raw.len(), limit)?;
            }
            if self.attributes.len() >= self.limits.attributes {
                return Err(Malformed::Count {
                    what: "attributes",
                    limit: self.limits.attributes,
                });
            }
            if self.attributes.iter().any(|other| other.key == key) {
                return Err(syntax(start, "an attribute given twice"));
            }
            self.attributes.push(Attribute {
                key,
                local,
                raw,
                referring,
            });
        }
    }

    /// An end tag, which quick-xml has compared with the start tag.
    fn end_tag(&mut self, at: usize) -> Result<Token<'a>, Malformed> {
        let Some(open) = self.open.last() else {
            return Err(syntax(at, "an end tag without start tag"));
        };
        open.end(at, &self.limits.texts)?;
        Ok(self.pop())
    }

    /// Counts text of the innermost element.
    fn measure(&mut self, text: &str) {
        if let Some(open) = self.open.last_mut() {
            open.measure(text);
        }
    }

    /// Text between two pieces of markup; `None` where it stands outside the root.
    fn character_data(&self, at: usize, raw: &'a str) -> Result<Option<&'a str>, Malformed> {
        if self.place != Place::Inside {
            if trim(raw).is_empty() {
                return Ok(None);
            }
            self.inside(at)?;
        }
        for end in memchr::memchr_iter(b'>', raw.as_bytes()) {
            if raw.as_bytes()[..end].ends_with(b"]]") {
                return Err(syntax(at + end, "']]>' outside a CDATA section"));
            }
        }
        Ok(Some(raw))
    }

    /// Refuses what has a place in the root element only.
    fn inside(&self, at: usize) -> Result<(), Malformed> {
        match self.place {
            Place::Inside => Ok(()),
            Place::After => Err(Malformed::Trailing),
            Place::Prolog => Err(syntax(at, "text outside the root element")),
        }
    }

    /// Old servers may name an external identifier, which is never fetched. An
    /// internal subset could define entities: refused.
    fn document_type(&mut self, at: usize, raw: &str) -> Result<(), Malformed> {
        let Some(body) = raw.strip_prefix("<!DOCTYPE") else {
            return Err(syntax(at, "an unknown declaration"));
        };
        if self.place != Place::Prolog || self.declared {
            return Err(Malformed::Doctype);
        }
        self.declared = true;
        let mut rest = body.as_bytes();
        if !rest.first().is_some_and(|b| is_space(*b)) {
            return Err(syntax(at, "a broken document type declaration"));
        }
        while let Some((first, behind)) = rest.split_first() {
            rest = match first {
                b'[' => return Err(Malformed::Doctype),
                b'<' => return Err(syntax(at, "a broken document type declaration")),
                b'"' | b'\'' => {
                    let end = memchr(*first, behind).map_or(behind.len(), |end| end + 1);
                    &behind[end..]
                }
                _ => behind,
            };
        }
        Ok(())
    }

    /// What quick-xml does not take, in the words of this crate.
    fn fault(&self, fault: &Error) -> Malformed {
        let markup = self.text.get(self.at..).unwrap_or_default();
        let tag = markup
            .strip_prefix('<')
            .filter(|tag| !tag.starts_with(['!', '?']));
        if self.place == Place::After && (tag.is_some() || markup.starts_with('&')) {
            return Malformed::Trailing;
        }
        if markup.starts_with("<!DOCTYPE")
            && (self.place != Place::Prolog || self.declared || markup.contains('['))
        {
            return Malformed::Doctype;
        }
        if let (Error::Syntax(SyntaxError::UnclosedTag), Some(tag)) = (fault, tag) {
            let (name, _) = plain_name(tag);
            if !name.is_empty() {
                return Malformed::Unclosed(name.to_owned());
            }
        }
        syntax(self.at, &fault.to_string())
    }

    /// Checks a name that stands `at`, both of whose parts around an optional colon are names;
    /// gives the local part.
    fn name(&mut self, at: usize, name: &'a str) -> Result<&'a str, Malformed> {
        let (_, local, rest) = self.name_in(at, name)?;
        if !rest.is_empty() {
            return Err(syntax(at + name.len() - rest.len(), "a name was expected"));
        }
        Ok(local)
    }

    /// The name that stands `at`, as which `text` begins, both of whose parts around an optional
    /// colon are names; its local part; what follows.
    fn name_in(
        &mut self,
        at: usize,
        text: &'a str,
    ) -> Result<(&'a str, &'a str, &'a str), Malformed> {
        let (first, rest) = plain_name(text);
        if first.is_empty() {
            return Err(syntax(at, "a name was expected"));
        }
        let (local, rest) = match rest.strip_prefix(':') {
            None => (first, rest),
            Some(behind) => {
                let (second, rest) = plain_name(behind);
                if second.is_empty() {
                    return Err(syntax(at + first.len(), "a name was expected"));
                }
                self.prefixed |= !matches!(first, "xmlns" | "xml");
                (second, rest)
            }
        };
        let name = &text[..text.len() - rest.len()];
        let longest = self.limits.texts.name;
        within("a name of an element or attribute", name.len(), longest)?;
        Ok((name, local, rest))
    }
}

/// What follows the white space at the beginning.
fn skip_space(text: &str) -> &str {
    // White space is ASCII; mostly there is one, or none.
    let spaces = text.bytes().take_while(|byte| is_space(*byte)).count();
    text.get(spaces..).unwrap_or_default()
}

/// A piece of markup without so many bytes before and after.
fn within_marks(raw: &str, before: usize, after: usize) -> &str {
    let end = raw.len().saturating_sub(after);
    raw.get(before..end).unwrap_or_default()
}

/// A processing instruction, which is ignored.
fn instruction(at: usize, raw: &str) -> Result<(), Malformed> {
    let inner = within_marks(raw, 2, 2);
    let (target, rest) = plain_name(inner);
    if target.eq_ignore_ascii_case("xml") {
        return Err(syntax(at, "an XML declaration in a wrong place"));
    }
    if target.is_empty() || !rest.is_empty() && !is_space(rest.as_bytes()[0]) {
        return Err(syntax(at, "a broken processing instruction"));
    }
    Ok(())
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
