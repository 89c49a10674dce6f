//! CSP in XML.

use std::borrow::Cow;

use super::element::Element;
use super::event::{Event, Source};
use super::fault::Unfit;
use super::version::Version;
use crate::imps::xml::tokens::{Attribute, Token, Tokens};
use crate::imps::xml::{Limits, Malformed, Writer, line_ends, unescape};

/// The tokens of an XML document as events.
struct Reader<'a> {
    tokens: Tokens<'a>,
    /// The namespace of the element that began last, if it declares one of ours.
    namespace: Option<Cow<'a, str>>,
}

impl<'a> Source<'a> for Reader<'a> {
    fn next(&mut self) -> Result<Option<Event<'a>>, Malformed> {
        if let Some(namespace) = self.namespace.take() {
            return Ok(Some(Event::Namespace(namespace)));
        }
        Ok(match self.tokens.next()? {
            Token::Start { name, .. } => {
                let attributes = self.tokens.attributes().iter();
                let declared = attributes.filter(|a| a.is_declaration());
                let mut declared = declared.map(Attribute::value);
                self.namespace = declared.find(|uri| Version::of_namespace(uri).is_some());
                Some(Event::Start(name))
            }
            Token::Text(raw) => Some(Event::Text(unescape(raw))),
            Token::Data(raw) => Some(Event::Text(line_ends(raw))),
            Token::End => Some(Event::End),
            Token::Eof => None,
        })
    }

    fn end(&mut self) -> Result<(), Malformed> {
        match self.tokens.next()? {
            Token::Eof => Ok(()),
            _ => Err(Malformed::Trailing),
        }
    }
}

/// Reads a document.
///
/// # Errors
/// See [`Malformed`].
pub fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Element<'a>, Malformed> {
    let mut reader = Reader {
        tokens: Tokens::new(bytes, limits)?,
        namespace: None,
    };
    Element::build(&mut reader, limits)
}

/// Writes a document.
///
/// # Errors
/// There is content in it that is no text.
pub fn write(element: &Element<'_>) -> Result<Vec<u8>, Unfit> {
    let mut out = Writer::document();
    write_element(element, &mut out)?;
    Ok(out.finish().into_bytes())
}

fn write_element(element: &Element<'_>, out: &mut Writer<'_>) -> Result<(), Unfit> {
    if element.data.is_some() {
        return Err(Unfit::NoText);
    }
    let mut done = Ok(());
    out.element(element.name, |out| {
        if let Some(namespace) = &element.namespace {
            out.attribute(element.name, "xmlns", namespace);
        }
        out.text(&element.text);
        for child in &element.children {
            if done.is_ok() {
                done = write_element(child, out);
            }
        }
    });
    done
}
