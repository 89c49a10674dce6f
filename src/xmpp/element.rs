//! From XML events to stanzas: one top-level element at a time, with limits, never failing.
//!
//! Whatever a remote user puts into a stanza, the outcome is an [`Element`]: a typed stanza, a
//! stanza that is wrong but whose header is known (so that it can be answered), or something
//! that is no stanza at all. Only broken XML is an error, and that is the caller's to see.
//!
//! Stanzas are accepted in the namespaces `jabber:component:accept`, `jabber:client`,
//! `jabber:server` and in none; they come out in the first, which is what the typed stanzas use
//! throughout this program. Payloads keep their own namespaces.

mod rebase;

use minidom::Element as Tree;
use tokio_xmpp::{Stanza, xmlstream::XmppStreamElement};
use xmpp_parsers::ns;
use xso::{
    Context, FromEventsBuilder, FromXml,
    error::{Error, FromEventsError},
    exports::rxml::{AttrMap, Event, QName, xml_lang::XmlLangStack},
};

use self::rebase::Rebase;
use super::lenient;

/// XEP-0478: what a server says of the stanzas it takes.
const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";

/// Bounds on one stanza, for what comes in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one stanza, from the first to the last angle bracket.
    pub bytes: usize,
    /// Nesting of elements, the stanza itself counting as one.
    pub depth: usize,
}

impl Default for Limits {
    /// 1 MiB is twice what the usual servers let through; 64 levels are far more than any
    /// extension uses.
    fn default() -> Self {
        Self {
            bytes: 1024 * 1024,
            depth: 64,
        }
    }
}

/// Which of the three stanzas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `<iq/>`
    Iq,
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
}

/// What was wrong with a stanza.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// An address that is no JID, a type that does not exist, a payload that may not be there.
    #[error("the stanza is malformed: {0}")]
    Malformed(String),
    /// More bytes than [`Limits::bytes`].
    #[error("the stanza is larger than {0} bytes")]
    TooLarge(usize),
    /// Deeper than [`Limits::depth`].
    #[error("the stanza is nested deeper than {0} elements")]
    TooDeep(usize),
}

/// A stanza that could not be turned into a value: its attributes as they came, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadStanza {
    /// Which of the three stanzas it is.
    pub kind: Kind,
    /// The `from` attribute, unchecked.
    pub from: Option<String>,
    /// The `to` attribute, unchecked.
    pub to: Option<String>,
    /// The `type` attribute, unchecked.
    pub type_: Option<String>,
    /// The `id` attribute.
    pub id: Option<String>,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// One top-level element.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all values are stanzas; boxing each would cost more than it saves"
)]
#[derive(Debug)]
pub enum Element {
    /// A stanza.
    Stanza(Stanza),
    /// A stanza that breaks the rules; worth an answer.
    BadStanza(BadStanza),
    /// The server's answer to the component handshake.
    Handshake,
    /// The stream is about to end, with the condition's name and the server's text.
    StreamError {
        /// Name of the condition, e.g. `not-authorized` (RFC 6120, 4.9.3).
        condition: String,
        /// Text for humans; empty when there is none.
        text: String,
    },
    /// The server's features.
    Features {
        /// The largest stanza it takes, in bytes, if it says so (XEP-0478).
        max_bytes: Option<usize>,
    },
    /// Something that has no meaning on a component stream; it was skipped. Holds its name.
    Unknown(String),
}

/// Builds [`Element`]s from the events of one XML document.
pub struct ElementReader {
    limits: Limits,
    state: State,
    languages: XmlLangStack,
    depth: usize,
    bytes: usize,
}

enum State {
    Between,
    Building {
        builder: Builder,
        header: Header,
        rebase: Rebase,
    },
    Skipping(Element),
}

/// Messages, presence and features are read as trees first: what clients really send is made
/// into what the typed stanzas take.
enum Builder {
    Typed(Box<<Result<XmppStreamElement, Error> as FromXml>::Builder>),
    Tree(Box<<Tree as FromXml>::Builder>, String),
}

/// What a [`Builder`] has built.
#[expect(
    clippy::large_enum_variant,
    reason = "lives for a moment; boxing each stanza would cost more than it saves"
)]
enum Built {
    Typed(XmppStreamElement),
    Tree(Tree, String),
}

/// What is known of an element from its start tag.
struct Header {
    name: String,
    kind: Option<Kind>,
    from: Option<String>,
    to: Option<String>,
    type_: Option<String>,
    id: Option<String>,
}

impl ElementReader {
    /// A reader that stands before a top-level element.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Between,
            languages: XmlLangStack::new(),
            depth: 0,
            bytes: 0,
        }
    }

    /// Whether an element has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.depth > 0
    }

    /// Whether text is worth being collected in one piece (it is not while skipping).
    pub fn wants_text(&self) -> bool {
        matches!(self.state, State::Building { .. })
    }

    /// Tells how many bytes were consumed for the element under way, before their event is fed.
    /// Beyond the limit the rest of the element is skipped.
    pub fn consumed(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.is_inside() && self.bytes > self.limits.bytes {
            self.give_up(Wrong::TooLarge(self.limits.bytes));
        }
    }

    /// Notes the language declared on the stream's root element.
    pub fn enter_root(&mut self, attributes: &AttrMap) {
        self.bytes = 0;
        self.languages.push_from_attrs(attributes);
    }

    /// Takes the next event inside the root; gives an element when one is complete.
    ///
    /// Text between elements is ignored (keep-alive white space and the like). An end tag
    /// between elements is the caller's: it closes the root and must not be fed.
    pub fn feed(&mut self, event: Event) -> Option<Element> {
        match &event {
            Event::StartElement(..) => self.depth += 1,
            Event::EndElement(_) => self.depth = self.depth.saturating_sub(1),
            Event::Text(..) if self.depth == 0 => {
                self.bytes = 0;
                return None;
            }
            Event::XmlDeclaration(..) => return None,
            Event::Text(..) => {}
        }
        self.languages.handle_event(&event);
        if self.depth > self.limits.depth {
            self.give_up(Wrong::TooDeep(self.limits.depth));
        }
        match &self.state {
            State::Between => self.begin(event),
            State::Building { .. } => self.build(event),
            State::Skipping(_) => {}
        }
        if self.depth == 0 { self.finish() } else { None }
    }

    /// A start tag at top level.
    fn begin(&mut self, event: Event) {
        let Event::StartElement(_, name, attributes) = event else {
            return;
        };
        let original = format!("{{{}}}{}", name.0, name.1);
        let mut rebase = Rebase::default();
        let name = rebase.start(name);
        let header = Header::new(original, &name, &attributes);
        let context = Context::empty().with_language(self.languages.current());
        let is_tree = matches!(header.kind, Some(Kind::Message | Kind::Presence))
            || header.name == format!("{{{}}}features", ns::STREAM);
        let started = if is_tree {
            let language = self.languages.current().unwrap_or_default().to_owned();
            Tree::from_events(name, attributes, &context)
                .map(|tree| Builder::Tree(Box::new(tree), language))
        } else {
            Result::<XmppStreamElement, Error>::from_events(name, attributes, &context)
                .map(|typed| Builder::Typed(Box::new(typed)))
        };
        self.state = match started {
            Ok(builder) => State::Building {
                builder,
                header,
                rebase,
            },
            Err(FromEventsError::Mismatch { .. }) => State::Skipping(Element::Unknown(header.name)),
            Err(FromEventsError::Invalid(e)) => {
                State::Skipping(header.into_wrong(Wrong::Malformed(e.to_string())))
            }
        };
    }

    /// An event inside an element that is being built.
    fn build(&mut self, event: Event) {
        let State::Building {
            mut builder,
            header,
            mut rebase,
        } = std::mem::replace(&mut self.state, State::Between)
        else {
            return;
        };
        let event = match event {
            Event::StartElement(metrics, name, attributes) => {
                Event::StartElement(metrics, rebase.start(name), attributes)
            }
            Event::EndElement(metrics) => {
                rebase.end();
                Event::EndElement(metrics)
            }
            other => other,
        };
        let context = Context::empty().with_language(self.languages.current());
        let outcome = match &mut builder {
            Builder::Typed(typed) => match typed.feed(event, &context) {
                Ok(None) => Ok(None),
                Ok(Some(Ok(value))) => Ok(Some(Built::Typed(value))),
                Ok(Some(Err(e))) | Err(e) => Err(e),
            },
            Builder::Tree(tree, language) => match tree.feed(event, &context) {
                Ok(value) => Ok(value.map(|tree| Built::Tree(tree, std::mem::take(language)))),
                Err(e) => Err(e),
            },
        };
        self.state = match outcome {
            Ok(None) => State::Building {
                builder,
                header,
                rebase,
            },
            Ok(Some(Built::Typed(value))) => State::Skipping(header.into_element(value)),
            Ok(Some(Built::Tree(tree, language))) => {
                State::Skipping(header.into_lenient(tree, &language))
            }
            Err(e) => State::Skipping(header.into_wrong(Wrong::Malformed(e.to_string()))),
        };
    }

    /// The end tag of the top-level element has been seen.
    fn finish(&mut self) -> Option<Element> {
        self.bytes = 0;
        match std::mem::replace(&mut self.state, State::Between) {
            State::Skipping(element) => Some(element),
            // Every builder has given its outcome by its end tag.
            State::Building { header, .. } => {
                Some(header.into_wrong(Wrong::Malformed("incomplete".to_owned())))
            }
            State::Between => None,
        }
    }

    fn give_up(&mut self, wrong: Wrong) {
        self.state = match std::mem::replace(&mut self.state, State::Between) {
            State::Building { header, .. } => State::Skipping(header.into_wrong(wrong)),
            other => other,
        };
    }
}

impl Header {
    fn new(original: String, name: &QName, attributes: &AttrMap) -> Self {
        let get = |key: &str| {
            attributes
                .iter()
                .find(|((namespace, name), _)| namespace.is_none() && name.as_str() == key)
                .map(|(_, value)| value.clone())
        };
        let kind = match (name.0.as_str(), name.1.as_str()) {
            (ns::COMPONENT_ACCEPT, "iq") => Some(Kind::Iq),
            (ns::COMPONENT_ACCEPT, "message") => Some(Kind::Message),
            (ns::COMPONENT_ACCEPT, "presence") => Some(Kind::Presence),
            _ => None,
        };
        Self {
            name: original,
            kind,
            from: get("from"),
            to: get("to"),
            type_: get("type"),
            id: get("id"),
        }
    }

    fn into_wrong(self, wrong: Wrong) -> Element {
        let Some(kind) = self.kind else {
            // A stream error of a kind we cannot read ends the stream all the same.
            if self.name == format!("{{{}}}error", ns::STREAM) {
                return Element::StreamError {
                    condition: "undefined-condition".to_owned(),
                    text: wrong.to_string(),
                };
            }
            return Element::Unknown(self.name);
        };
        Element::BadStanza(BadStanza {
            kind,
            from: self.from,
            to: self.to,
            type_: self.type_,
            id: self.id,
            wrong,
        })
    }

    fn into_lenient(self, tree: Tree, language: &str) -> Element {
        let Some(kind) = self.kind else {
            let limits = tree.get_child("limits", STREAM_LIMITS);
            let most = limits.and_then(|limits| limits.get_child("max-bytes", STREAM_LIMITS));
            return Element::Features {
                max_bytes: most.and_then(|most| most.text().trim().parse().ok()),
            };
        };
        match lenient::stanza(kind, tree, language) {
            Ok(stanza) => Element::Stanza(stanza),
            Err(why) => self.into_wrong(Wrong::Malformed(why)),
        }
    }

    fn into_element(self, value: XmppStreamElement) -> Element {
        match value {
            XmppStreamElement::Stanza(stanza) => Element::Stanza(stanza),
            XmppStreamElement::ComponentHandshake(_) => Element::Handshake,
            XmppStreamElement::StreamError(error) => Element::StreamError {
                condition: error.0.condition.to_string(),
                text: error.0.texts.into_values().next().unwrap_or_default(),
            },
            _ => Element::Unknown(self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xso::exports::rxml::{Parse, Parser};

    fn read(xml: &str, limits: Limits) -> Vec<Element> {
        let mut parser = Parser::new();
        let mut reader = ElementReader::new(limits);
        let mut rest = xml.as_bytes();
        let mut root_seen = false;
        let mut out = Vec::new();
        loop {
            let before = rest.len();
            let Ok(Some(event)) = parser.parse(&mut rest, false) else {
                return out;
            };
            if !root_seen {
                root_seen = true;
                continue;
            }
            reader.consumed(before - rest.len());
            out.extend(reader.feed(event));
        }
    }

    fn stream(inner: &str) -> String {
        format!("<s xmlns='jabber:component:accept'>{inner}")
    }

    #[test]
    fn a_wrong_stanza_is_reported_with_its_header_and_the_next_is_read() {
        let got = read(
            &stream(
                "<message from='a@b' to='@@' id='1'><body>x</body></message>\
                 <iq type='odd' from='a@b' id='2'/><unknown><a/></unknown>\
                 <message from='a@b' to='c@d'/>",
            ),
            Limits::default(),
        );
        let [
            Element::BadStanza(jid),
            Element::BadStanza(iq),
            Element::Unknown(name),
            Element::Stanza(_),
        ] = &got[..]
        else {
            panic!("{got:?}");
        };
        assert_eq!((jid.kind, jid.to.as_deref()), (Kind::Message, Some("@@")));
        assert_eq!((iq.kind, iq.type_.as_deref()), (Kind::Iq, Some("odd")));
        assert_eq!(name, "{jabber:component:accept}unknown");
    }

    #[test]
    fn a_stanza_beyond_the_limits_is_skipped_and_reported() {
        let limits = Limits {
            bytes: 200,
            depth: 5,
        };
        let deep = format!(
            "<iq from='a@b' id='1' type='get'>{}{}</iq>",
            "<x>".repeat(9),
            "</x>".repeat(9)
        );
        let long = format!(
            "<message from='a@b'><body>{}</body><z/></message>",
            "y".repeat(300)
        );
        let got = read(&stream(&format!("{deep}{long}<presence/>")), limits);
        let [
            Element::BadStanza(deep),
            Element::BadStanza(long),
            Element::Stanza(_),
        ] = &got[..]
        else {
            panic!("{got:?}");
        };
        assert_eq!(deep.wrong, Wrong::TooDeep(5));
        assert_eq!(long.wrong, Wrong::TooLarge(200));
    }

    #[test]
    fn stanzas_of_the_client_namespace_are_taken_and_payloads_keep_theirs() {
        let got = read(
            &stream(
                "<message xmlns='jabber:client' from='a@b'><body>hi</body>\
                 <f xmlns='urn:f'><message xmlns='jabber:client'/></f></message>",
            ),
            Limits::default(),
        );
        let [Element::Stanza(Stanza::Message(message))] = &got[..] else {
            panic!("{got:?}");
        };
        assert_eq!(message.bodies.values().next().unwrap(), "hi");
        let inner = message.payloads[0].children().next().unwrap();
        assert_eq!(inner.ns(), "jabber:client");
    }
}
