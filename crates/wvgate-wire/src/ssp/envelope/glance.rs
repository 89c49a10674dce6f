//! What is noted about a primitive of this node, while it is printed: it need not be read again.

use std::borrow::Cow;

use super::Peek;
use crate::imps::Primitive;
use crate::imps::primitive::{Outline, Walk, outline};
use crate::imps::xml::Listener;

/// Notes what [`super::scan`] would note of the text.
#[derive(Debug)]
struct Glance {
    peek: Peek,
    walk: Walk<'static>,
    /// Elements that are open.
    depth: usize,
    /// The start tag that is being written, if anything in it is minded, and its attributes.
    tag: Option<&'static Outline>,
    attributes: Vec<(String, String)>,
    /// Whether that is the primitive's own.
    is_first: bool,
    /// Something is written that may be read as something else.
    unclear: bool,
}

/// Prints a primitive, with what is noted about it; `None`: the text must be read for that.
pub(super) fn print(primitive: &Primitive) -> (String, Option<Peek>) {
    let mut glance = Glance::new(primitive);
    let xml = primitive.to_xml_heard(&mut glance);
    (xml, glance.noted())
}

/// The same without printing.
pub(super) fn look(primitive: &Primitive) -> Option<Peek> {
    let mut glance = Glance::new(primitive);
    primitive.tell(&mut glance);
    glance.noted()
}

impl Glance {
    fn new(primitive: &Primitive) -> Self {
        let outline = outline(primitive.name()).1;
        Self {
            peek: Peek::default(),
            walk: Walk::new(outline),
            depth: 0,
            tag: Some(outline),
            attributes: Vec::new(),
            is_first: true,
            unclear: false,
        }
    }

    fn noted(self) -> Option<Peek> {
        (!self.unclear).then_some(self.peek)
    }

    /// The start tag is complete.
    fn note(&mut self) {
        if let Some(outline) = self.tag.take() {
            let attributes = &self.attributes;
            let attribute = |name: &str| {
                let mut all = attributes.iter();
                let found = all.find(|(written, _)| written == name);
                found.map(|(_, value)| Cow::Borrowed(value.as_str()))
            };
            if std::mem::take(&mut self.is_first) {
                self.peek.note_head(attribute);
            }
            self.peek.note_tag(outline, attribute);
        }
        self.attributes.clear();
    }
}

impl Listener for Glance {
    fn start(&mut self, name: &str) {
        if self.depth > 0 {
            self.note();
            match self.walk.child(self.depth, name) {
                Ok(tag) => self.tag = tag,
                Err(_) => self.unclear = true,
            }
        }
        self.depth += 1;
    }

    fn attribute(&mut self, name: &str, value: &str) {
        if self.tag.is_some() {
            // Not all characters can be written, and prefixes mean something.
            let odd = |c: char| c < ' ' || c == '\u{fffe}' || c == '\u{ffff}';
            self.unclear |= name.contains(':') || value.contains(odd);
            self.attributes.push((name.to_owned(), value.to_owned()));
        }
    }

    fn end(&mut self) {
        self.note();
        self.depth -= 1;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::imps::primitive::message::SendMessageRequest;
    use crate::ssp::Mode;
    use crate::ssp::envelope::{STANDING_ALONE, Transaction, decode_fragment, scan};

    fn read(xml: &str) -> Option<Peek> {
        let raw = Bytes::from(xml.to_owned());
        scan::fragment(&raw, &STANDING_ALONE).ok()
    }

    #[test]
    fn what_is_noted_while_printing_is_what_is_read_in_the_text() {
        let xml = "<SendMessageRequest deliveryReport='Yes'><MetaInfo clientOriginated='Yes'><Requestor serviceID='wv:@a.test'>\
                   <User userID='wv:a@a.test'/></Requestor></MetaInfo><MessageInfo messageID='m' validity='60'>\
                   <Recipient><User userID='wv:b@b.test'/></Recipient>\
                   <Sender><User userID='wv:a@a.test'/></Sender></MessageInfo><ContentData>x</ContentData></SendMessageRequest>";
        let primitive = decode_fragment(xml.as_bytes()).ok();
        let printed = primitive.as_ref().map(print);
        let Some((xml, Some(peek))) = printed else {
            unreachable!("{primitive:?}")
        };
        assert_eq!(Some(&peek), read(&xml).as_ref());
        assert_eq!(Some(&peek), primitive.as_ref().and_then(look).as_ref());
        assert!(
            peek.report && peek.message_id.as_deref() == Some("m") && peek.recipients.len() == 1
        );
    }

    #[test]
    fn what_cannot_be_written_is_read_in_the_text() {
        let xml = "<SendMessageRequest><MetaInfo clientOriginated='Yes'><Requestor serviceID='wv:@a.test'/></MetaInfo>\
                   <MessageInfo messageID='m'><Recipient><User userID='wv:b@b.test'/></Recipient></MessageInfo></SendMessageRequest>";
        let Ok(Primitive::SendMessageRequest(message)) = decode_fragment(xml.as_bytes()) else {
            unreachable!()
        };
        let mut message: SendMessageRequest = *message;
        message.info.message_id = Some("m\u{1}".to_owned());
        let primitive = Primitive::from(message);
        assert_eq!(print(&primitive).1, None);
        assert_eq!(look(&primitive), None);
        let printed = Transaction::new(Mode::Request, "1", &primitive).peek;
        assert_eq!(Peek::of(&primitive), printed);
        let transaction = Transaction::new(Mode::Request, "1", &primitive);
        assert_eq!(transaction.peek.message_id.as_deref(), Some("m"));
    }
}
