//! The tokenizer: one pass over a document that checks everything that makes it
//! well-formed and within limits, and hands out borrowed pieces.
//!
//! Both readers of a body, the tree ([`super::parse`]) and the envelope
//! ([`crate::ssp::envelope::scan`]), stand on it, so they accept the same
//! documents. It is stricter than SSP peers are and knows less than XML allows:
//! no document type with an internal subset, no entity but the five of XML, no
//! encoding but UTF-8. Prefixes need no declaration (wire profile, 3).

use std::borrow::Cow;

use memchr::{memchr, memchr3, memmem};

use super::characters::{
    ANY, BEYOND, LATER, NAME, characters, is_name_later, is_name_start, is_space, name_length,
};
use super::limits::{Limits, Texts, within};
use super::reader::Malformed;
use super::references::{Unresolved, resolve, resolve_one};

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
    /// Character data of the innermost element, references not yet resolved.
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

/// An element that is open.
#[derive(Debug, Clone, Copy)]
struct Open<'a> {
    /// Name as written.
    name: &'a str,
    /// Byte offset behind its start tag.
    content: usize,
}

/// The tokenizer's state.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
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
        let mut tokens = Self {
            text,
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
        };
        tokens.xml_declaration()?;
        Ok(tokens)
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

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, Malformed> {
        if self.closing {
            self.closing = false;
            return Ok(self.pop());
        }
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            match (rest.first(), rest.get(1)) {
                (None, _) => return self.eof(),
                (Some(b'<'), Some(b'/')) => return self.end_tag(),
                (Some(b'<'), Some(b'!')) => {
                    if let Some(data) = self.declaration()? {
                        return Ok(Token::Data(data));
                    }
                }
                (Some(b'<'), Some(b'?')) => self.instruction()?,
                (Some(b'<'), _) => return self.start_tag(),
                _ => {
                    if let Some(text) = self.character_data()? {
                        return Ok(Token::Text(text));
                    }
                }
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

    fn start_tag(&mut self) -> Result<Token<'a>, Malformed> {
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
        let at = self.at;
        self.at += 1;
        let (name, local) = self.name()?;
        self.attributes.clear();
        loop {
            let spaced = self.skip_space();
            match self.text.as_bytes().get(self.at) {
                Some(b'>') => {
                    self.at += 1;
                    break;
                }
                Some(b'/') if self.text.as_bytes().get(self.at + 1) == Some(&b'>') => {
                    self.at += 2;
                    self.closing = true;
                    break;
                }
                None => return Err(Malformed::Unclosed(name.to_owned())),
                Some(_) if !spaced => return Err(self.syntax("no white space before an attribute")),
                Some(_) => self.attribute()?,
            }
        }
        self.place = Place::Inside;
        self.open.push(Open {
            name,
            content: self.at,
        });
        Ok(Token::Start { name: local, at })
    }

    fn attribute(&mut self) -> Result<(), Malformed> {
        let (key, local) = self.name()?;
        self.skip_space();
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'=') {
            return Err(self.syntax("an attribute without value"));
        }
        self.at += 1;
        self.skip_space();
        let quote = match bytes.get(self.at) {
            Some(quote @ (b'"' | b'\'')) => *quote,
            _ => return Err(self.syntax("an attribute value without quotes")),
        };
        self.at += 1;
        let start = self.at;
        let mut referring = false;
        loop {
            let Some(step) = memchr3(quote, b'<', b'&', &bytes[self.at..]) else {
                return Err(self.syntax("an attribute value without end"));
            };
            self.at += step;
            match bytes[self.at] {
                b'<' => return Err(self.syntax("'<' in an attribute value")),
                b'&' => {
                    referring = true;
                    self.at += self.reference()?;
                }
                _ => break,
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
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
            return Err(self.syntax("an attribute given twice"));
        }
        self.attributes.push(Attribute {
            key,
            local,
            raw,
            referring,
        });
        Ok(())
    }

    fn end_tag(&mut self) -> Result<Token<'a>, Malformed> {
        let Some(&Open { name, content }) = self.open.last() else {
            return Err(if self.place == Place::After {
                Malformed::Trailing
            } else {
                self.syntax("an end tag without start tag")
            });
        };
        let bytes = self.text.as_bytes();
        let start = self.at + 2;
        let mut end = start + name.len();
        if bytes.get(start..end) != Some(name.as_bytes()) {
            return Err(self.syntax("an end tag that closes another element"));
        }
        while bytes.get(end).is_some_and(|b| is_space(*b)) {
            end += 1;
        }
        if bytes.get(end) != Some(&b'>') {
            return Err(self.syntax("an end tag that closes another element"));
        }
        if self.at - content > self.limits.texts.label {
            let local = name.rsplit(':').next().unwrap_or(name);
            if Texts::is_label(local) {
                within("a name", self.at - content, self.limits.texts.label)?;
            }
        }
        self.at = end + 1;
        Ok(self.pop())
    }

    /// Text up to the next `<`; `None` where it stands outside the root.
    fn character_data(&mut self) -> Result<Option<&'a str>, Malformed> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        if self.place != Place::Inside {
            self.skip_space();
            return match (bytes.get(self.at), self.place) {
                (None | Some(b'<'), _) => Ok(None),
                (_, Place::After) => Err(Malformed::Trailing),
                _ => Err(self.syntax("text outside the root element")),
            };
        }
        loop {
            match memchr3(b'<', b'&', b'>', &bytes[self.at..]) {
                None => {
                    self.at = bytes.len();
                    break;
                }
                Some(step) => self.at += step,
            }
            match bytes[self.at] {
                b'<' => break,
                b'&' => self.at += self.reference()?,
                _ if bytes[start..self.at].ends_with(b"]]") => {
                    return Err(self.syntax("']]>' outside a CDATA section"));
                }
                _ => self.at += 1,
            }
        }
        Ok(Some(&self.text[start..self.at]))
    }

    /// Length of the reference that starts here, if it is one.
    fn reference(&self) -> Result<usize, Malformed> {
        let bytes = &self.text.as_bytes()[self.at..];
        // Longer than any reference that means something.
        let window = &bytes[..bytes.len().min(40)];
        let Some(end) = memchr(b';', window) else {
            return Err(self.syntax("'&' that starts no reference"));
        };
        let name = &self.text[self.at + 1..self.at + end];
        match resolve_one(name) {
            Ok(_) => Ok(end + 1),
            Err(Unresolved::Name) => Err(Malformed::Entity(name.to_owned())),
            Err(Unresolved::Character(c)) => Err(Malformed::Control(c)),
            Err(Unresolved::Form) => Err(self.syntax("'&' that starts no reference")),
        }
    }

    /// What starts with `<!`: a comment, a CDATA section or a document type.
    fn declaration(&mut self) -> Result<Option<&'a str>, Malformed> {
        let rest = &self.text[self.at..];
        if let Some(body) = rest.strip_prefix("<!--") {
            return match memmem::find(body.as_bytes(), b"--") {
                Some(end) if body.as_bytes().get(end + 2) == Some(&b'>') => {
                    self.at += 4 + end + 3;
                    Ok(None)
                }
                _ => Err(self.syntax("a comment without end, or with '--' inside")),
            };
        }
        if let Some(body) = rest.strip_prefix("<![CDATA[") {
            if self.place != Place::Inside {
                return Err(self.syntax("text outside the root element"));
            }
            let Some(end) = memmem::find(body.as_bytes(), b"]]>") else {
                return Err(self.syntax("a CDATA section without end"));
            };
            self.at += 9 + end + 3;
            return Ok(Some(&body[..end]));
        }
        if rest.starts_with("<!DOCTYPE") {
            return self.document_type().map(|()| None);
        }
        Err(self.syntax("an unknown declaration"))
    }

    /// Old servers may name an external identifier, which is never fetched. An
    /// internal subset could define entities: refused.
    fn document_type(&mut self) -> Result<(), Malformed> {
        if self.place != Place::Prolog || self.declared {
            return Err(Malformed::Doctype);
        }
        self.declared = true;
        self.at += "<!DOCTYPE".len();
        let bytes = self.text.as_bytes();
        if !bytes.get(self.at).is_some_and(|b| is_space(*b)) {
            return Err(self.syntax("a broken document type declaration"));
        }
        loop {
            match bytes.get(self.at) {
                None => return Err(self.syntax("a document type declaration without end")),
                Some(b'[') => return Err(Malformed::Doctype),
                Some(b'<') => return Err(self.syntax("a broken document type declaration")),
                Some(b'>') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(quote @ (b'"' | b'\'')) => match memchr(*quote, &bytes[self.at + 1..]) {
                    None => return Err(self.syntax("a document type declaration without end")),
                    Some(length) => self.at += length + 2,
                },
                Some(_) => self.at += 1,
            }
        }
    }

    /// A processing instruction, which is ignored.
    fn instruction(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        self.at += 2;
        let target = self.plain_name()?;
        if target.eq_ignore_ascii_case("xml") || target.contains(':') {
            self.at = start;
            return Err(self.syntax("an XML declaration in a wrong place"));
        }
        self.instruction_end(start)
    }

    /// The `<?xml …?>` at the very start.
    fn xml_declaration(&mut self) -> Result<(), Malformed> {
        let Some(rest) = self.text.strip_prefix("<?xml") else {
            return Ok(());
        };
        if rest.bytes().next().is_some_and(is_space) {
            self.at = 5;
            return self.instruction_end(0);
        }
        Ok(())
    }

    fn instruction_end(&mut self, start: usize) -> Result<(), Malformed> {
        let rest = &self.text.as_bytes()[self.at..];
        let end = memchr::memchr_iter(b'>', rest).find(|at| *at > 0 && rest[at - 1] == b'?');
        match end.map(|at| at - 1) {
            Some(0) => self.at += 2,
            Some(end) if is_space(rest[0]) => self.at += end + 2,
            _ => {
                self.at = start;
                return Err(self.syntax("a broken processing instruction"));
            }
        }
        Ok(())
    }

    /// A name and its local part; both parts around an optional colon are names.
    fn name(&mut self) -> Result<(&'a str, &'a str), Malformed> {
        let start = self.at;
        let first = self.plain_name()?;
        let longest = self.limits.texts.name;
        within("a name of an element or attribute", first.len(), longest)?;
        if self.text.as_bytes().get(self.at) != Some(&b':') {
            return Ok((first, first));
        }
        self.at += 1;
        let local = self.plain_name()?;
        let length = self.at - start;
        within("a name of an element or attribute", length, longest)?;
        self.prefixed |= !matches!(first, "xmlns" | "xml");
        Ok((&self.text[start..self.at], local))
    }

    /// A name without colon.
    fn plain_name(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let ascii = name_length(rest);
        let mut end = start + ascii;
        match rest.first() {
            Some(b) if NAME[usize::from(*b)] == LATER => end = start,
            _ if rest
                .get(ascii)
                .is_some_and(|b| NAME[usize::from(*b)] == BEYOND) =>
            {
                end = self.beyond_ascii(end, start);
            }
            _ => {}
        }
        if end == start {
            return Err(self.syntax("a name was expected"));
        }
        self.at = end;
        Ok(&self.text[start..end])
    }

    /// Where the name from `start`, which is ASCII up to `end`, ends.
    fn beyond_ascii(&self, end: usize, start: usize) -> usize {
        let first = end == start;
        let more = self.text[end..].char_indices().find(|(at, c)| match c {
            '\0'..='\x7f' => NAME[*c as usize] & ANY == 0,
            c => !is_name_start(*c) && (first && *at == 0 || !is_name_later(*c)),
        });
        more.map_or(self.text.len(), |(at, _)| end + at)
    }

    /// Passes white space; whether there was any.
    fn skip_space(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while bytes.get(self.at).is_some_and(|b| is_space(*b)) {
            self.at += 1;
        }
        self.at > start
    }

    fn syntax(&self, why: &str) -> Malformed {
        Malformed::Syntax {
            at: self.at,
            why: why.to_owned(),
        }
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
