//! The bounded reader: bytes to a tree of borrowed nodes.
//!
//! A [`Node`] borrows names and text from the input wherever nothing had to be
//! unescaped, so a message is read with few allocations.

use std::borrow::Cow;

use super::Writer;
use super::characters::trim;
pub use super::limits::{Limits, Texts};
use super::references::{line_ends, unescape};
use super::tokens::{Token, Tokens};

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
        /// Byte offset in the body.
        at: usize,
        /// What the tokenizer said.
        why: String,
    },
    /// Not well-formed in the sense of WBXML.
    #[error("not well-formed WBXML at byte {at}: {why}")]
    Binary {
        /// Byte offset in the body.
        at: usize,
        /// What is wrong there.
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
        /// The most that is allowed.
        limit: usize,
    },
    /// A text that names something is too long.
    #[error("{what} longer than {limit} bytes")]
    Long {
        /// What there is too much of.
        what: &'static str,
        /// The most that is allowed.
        limit: usize,
    },
    /// An element, or an attribute in another spelling, stands again where it may stand once:
    /// who reads the one and who reads the other would not see the same.
    #[error("a second {0} where one may stand")]
    Twice(&'static str),
    /// Larger than the limit.
    #[error("larger than {0} bytes")]
    Size(usize),
    /// Repairs have mended the first fault, and another was behind it.
    #[error("{first}; with that mended: {left}")]
    Beyond {
        /// Of the body as it came.
        first: Box<Malformed>,
        /// Of the body as it was mended, in which places count.
        left: Box<Malformed>,
    },
    /// Well-formed, but not the envelope of SSP (wire profile, 5).
    #[error("not an SSP message: {0}")]
    Envelope(&'static str),
}

impl Malformed {
    /// Whether the fault is the size of the input rather than its form.
    pub fn is_size(&self) -> bool {
        matches!(self, Self::Size(_))
    }

    /// The fault of the body as it came.
    pub fn first(&self) -> &Self {
        match self {
            Self::Beyond { first, .. } => first,
            other => other,
        }
    }
}

/// What stands `at` is not well-formed.
pub(super) fn syntax(at: usize, why: &str) -> Malformed {
    Malformed::Syntax {
        at,
        why: why.to_owned(),
    }
}

/// One element: local names, unescaped attribute values, trimmed text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node<'a> {
    /// Local name as written (any prefix removed).
    pub name: &'a str,
    /// Attributes by local name, the first of each; `xmlns` declarations left out.
    pub attributes: Vec<(&'a str, Cow<'a, str>)>,
    /// Child elements in order.
    pub children: Vec<Node<'a>>,
    /// The element's own character data, joined and trimmed.
    pub text: Cow<'a, str>,
}

impl<'a> Node<'a> {
    /// The first attribute called one of `names` (case-sensitive, wire profile, 3).
    pub fn attribute(&self, names: &[&str]) -> Option<&Cow<'a, str>> {
        names
            .iter()
            .find_map(|name| self.attributes.iter().find(|(key, _)| key == name))
            .map(|(_, value)| value)
    }

    /// Children called one of `names`, without regard to case (wire profile, 3).
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

    /// One with this name and nothing in it.
    pub(super) fn named(name: &'a str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// The first child called `name`, to change it.
    pub(super) fn find(&mut self, name: &str) -> Option<&mut Node<'a>> {
        let mut children = self.children.iter_mut();
        children.find(|child| child.name.eq_ignore_ascii_case(name))
    }

    /// The same; made, if there is none.
    pub(super) fn find_or_make(&mut self, name: &'a str) -> &mut Node<'a> {
        let at = self.children.iter();
        let mut at = at.map(|child| child.name.eq_ignore_ascii_case(name));
        let at = at.position(|is_it| is_it).unwrap_or_else(|| {
            self.children.push(Self::named(name));
            self.children.len() - 1
        });
        &mut self.children[at]
    }

    /// Takes an attribute away.
    pub(super) fn take(&mut self, attribute: &str) -> Option<Cow<'a, str>> {
        let mut all = self.attributes.iter();
        let at = all.position(|(name, _)| *name == attribute)?;
        Some(self.attributes.remove(at).1)
    }

    /// Writes the element and all that is in it.
    pub fn write(&self, out: &mut Writer<'_>) {
        out.element(self.name, |out| {
            for (name, value) in &self.attributes {
                out.attribute(self.name, name, value);
            }
            out.text(&self.text);
            for child in &self.children {
                child.write(out);
            }
        });
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
    let mut tokens = Tokens::new(bytes, limits)?;
    let mut open: Vec<Node<'a>> = Vec::with_capacity(12);
    let mut root = None;
    loop {
        match tokens.next()? {
            Token::Start { name, .. } => open.push(start(name, &tokens)),
            Token::Text(raw) => text(&mut open, unescape(raw)),
            Token::Data(raw) => text(&mut open, line_ends(raw)),
            Token::End => {
                let Some(mut node) = open.pop() else { continue };
                trim_text(&mut node.text);
                match open.last_mut() {
                    Some(parent) => parent.children.push(node),
                    None => root = Some(node),
                }
            }
            Token::Eof => break,
        }
    }
    root.ok_or(Malformed::Empty)
}

fn start<'a>(name: &'a str, tokens: &Tokens<'a>) -> Node<'a> {
    let given = tokens.attributes();
    let mut attributes: Vec<(&'a str, Cow<'a, str>)> = Vec::with_capacity(given.len());
    for attribute in given.iter().filter(|a| !a.is_declaration()) {
        let key = attribute.local;
        if !attributes.iter().any(|(other, _)| *other == key) {
            attributes.push((key, attribute.value()));
        }
    }
    Node {
        name,
        attributes,
        ..Node::default()
    }
}

/// Adds character data to the innermost element. White space that would be
/// trimmed anyway is not stored, so indentation costs nothing.
fn text<'a>(open: &mut [Node<'a>], piece: Cow<'a, str>) {
    let Some(node) = open.last_mut() else { return };
    if !node.text.is_empty() {
        node.text.to_mut().push_str(&piece);
    } else if !trim(&piece).is_empty() {
        node.text = piece;
    }
}

fn trim_text(text: &mut Cow<'_, str>) {
    match text {
        Cow::Borrowed(borrowed) => *borrowed = trim(borrowed),
        Cow::Owned(owned) => {
            let trimmed = trim(owned);
            if trimmed.len() < owned.len() {
                *owned = trimmed.to_owned();
            }
        }
    }
}
