//! The tree that every encoding is read into and written from.

use std::borrow::Cow;

use super::event::{Event, Source};
use super::grammar::{Grammar, Rule};
use super::version::Version;
use crate::imps::xml::{Limits, Malformed, Texts};

/// One element. What is read borrows from the body, what is written from the value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element<'a> {
    /// Without prefix and namespace.
    pub name: &'a str,
    /// The namespace it declares.
    pub namespace: Option<Cow<'a, str>>,
    /// Its own characters. Without white space at both ends, unless it is content.
    pub text: Cow<'a, str>,
    /// Content that is no text: bytes that are not UTF-8, or characters that XML does not have.
    pub data: Option<Cow<'a, [u8]>>,
    /// The elements in it, in order.
    pub children: Vec<Element<'a>>,
}

impl<'a> Element<'a> {
    /// An element with text alone.
    pub fn leaf(name: &'a str, text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            name,
            text: text.into(),
            ..Self::default()
        }
    }

    /// An element with others in it.
    pub fn of(name: &'a str, children: Vec<Element<'a>>) -> Self {
        Self {
            name,
            children,
            ..Self::default()
        }
    }

    /// The first child called `name`.
    pub fn child(&self, name: &str) -> Option<&Element<'a>> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Children called `name`.
    pub fn named<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element<'a>> + 'e {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Reads one document.
    pub(super) fn build(
        source: &mut impl Source<'a>,
        limits: &Limits,
    ) -> Result<Element<'a>, Malformed> {
        let mut open: Vec<Element<'a>> = Vec::with_capacity(12);
        while let Some(event) = source.next()? {
            match event {
                Event::Start(name) => open.push(Element {
                    name,
                    ..Element::default()
                }),
                Event::Namespace(namespace) => {
                    if let Some(element) = open.last_mut() {
                        element.namespace.get_or_insert(namespace);
                    }
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.add_text(text);
                    }
                }
                Event::Data(data) => {
                    if let Some(element) = open.last_mut() {
                        element.add_data(data);
                    }
                }
                Event::End => {
                    let Some(mut element) = open.pop() else {
                        continue;
                    };
                    element.finish(&limits.texts)?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => return source.end().map(|()| element),
                    }
                }
            }
        }
        Err(Malformed::Empty)
    }

    /// Puts the children into the order of the version, and leaves out what the version has not.
    pub(super) fn arrange(&mut self, version: Version) {
        self.arrange_in(Grammar::of(version), self.name == "PresenceSubList");
    }

    fn arrange_in(&mut self, grammar: &Grammar, presence: bool) {
        let rule = grammar.rule(self.name, presence);
        if let Some(order) = rule.and_then(Rule::order) {
            self.children.retain(|child| order.contains_key(child.name));
            self.children.sort_by_key(|child| order.get(child.name));
        }
        for child in &mut self.children {
            child.arrange_in(grammar, presence || child.name == "PresenceSubList");
        }
    }

    fn add_text(&mut self, text: Cow<'a, str>) {
        // White space between elements is kept by nobody.
        let is_first = self.text.is_empty() && self.data.is_none();
        if is_first && trim(&text).is_empty() && !Texts::is_content(self.name) {
            return;
        }
        match &mut self.data {
            Some(data) => data.to_mut().extend_from_slice(text.as_bytes()),
            None if self.text.is_empty() => self.text = text,
            None => self.text.to_mut().push_str(&text),
        }
    }

    fn add_data(&mut self, piece: Cow<'a, [u8]>) {
        match &mut self.data {
            Some(data) => data.to_mut().extend_from_slice(&piece),
            None if self.text.is_empty() => self.data = Some(piece),
            None => {
                let mut bytes = std::mem::take(&mut self.text).into_owned().into_bytes();
                bytes.extend_from_slice(&piece);
                self.data = Some(bytes.into());
            }
        }
    }

    /// The element is complete.
    fn finish(&mut self, texts: &Texts) -> Result<(), Malformed> {
        if Texts::is_content(self.name) {
            return Ok(());
        }
        match &mut self.text {
            Cow::Borrowed(text) => *text = trim(text),
            Cow::Owned(text) => {
                let trimmed = trim(text);
                if trimmed.len() < text.len() {
                    *text = trimmed.to_owned();
                }
            }
        }
        let (what, limit) = match self.name {
            name if ADDRESSES.contains(&name) => ("an address", texts.address),
            name if name.ends_with("ID") => ("an id", texts.id),
            name if Texts::is_label(name) => ("a name", texts.label),
            _ => ("a text", texts.text),
        };
        if self.text.len() > limit {
            return Err(Malformed::Long { what, limit });
        }
        Ok(())
    }
}

/// Elements whose text is an address.
const ADDRESSES: &[&str] = &["UserID", "GroupID", "ContactList", "DefaultContactList"];

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}
