//! Small helpers around stanzas: building, looking into, copying, keeping.

use minidom::{Element, ElementBuilder};
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xso::exports::rxml::NcName;

/// Namespaces that the protocol library has no name for.
pub mod ns {
    pub use xmpp_parsers::ns::*;
    /// XEP-0424.
    pub const RETRACT: &str = "urn:xmpp:message-retract:1";
    /// XEP-0424, before its version 0.4.
    pub const RETRACT_BEFORE: &str = "urn:xmpp:message-retract:0";
    /// XEP-0422.
    pub const FASTEN: &str = "urn:xmpp:fasten:0";
    /// XEP-0108.
    pub const ACTIVITY: &str = "http://jabber.org/protocol/activity";
    /// XEP-0012.
    pub const LAST: &str = "jabber:iq:last";
    /// XEP-0080.
    pub const GEOLOC: &str = "http://jabber.org/protocol/geoloc";
    /// XEP-0045, elements towards occupants.
    pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
    /// XEP-0380.
    pub const ENCRYPTED_HINT: &str = "urn:xmpp:eme:0";
    /// XEP-0249.
    pub const CONFERENCE: &str = "jabber:x:conference";
    /// XEP-0100.
    pub const GATEWAY: &str = "jabber:iq:gateway";
    /// XEP-0050.
    pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
    /// XEP-0066, as a question.
    pub const OOB_IQ: &str = "jabber:iq:oob";
    /// XEP-0447.
    pub const FILE_SHARING: &str = "urn:xmpp:sfs:0";
    /// XEP-0446.
    pub const FILE_METADATA: &str = "urn:xmpp:file:metadata:0";
    /// XEP-0103.
    pub const URL_DATA: &str = "http://jabber.org/protocol/url-data";
    /// XEP-0428.
    pub const FALLBACK: &str = "urn:xmpp:fallback:0";
    /// XEP-0334.
    pub const HINTS: &str = "urn:xmpp:hints";
    /// XEP-0079.
    pub const AMP: &str = "http://jabber.org/protocol/amp";
    /// Our condition within a stanza error, so that a second gateway can restore
    /// the code (xmpp-mapping, 12.1).
    pub const IMPS_STATUS: &str = "urn:x-imps:status";
}

/// An element under construction.
pub fn element(name: &str, namespace: &str) -> ElementBuilder {
    Element::builder(name, namespace)
}

/// An element with nothing but text.
pub fn text_element(name: &str, namespace: &str, text: &str) -> Element {
    element(name, namespace).append(clean(text)).build()
}

/// An element with one attribute.
pub fn attribute(builder: ElementBuilder, name: &str, value: &str) -> ElementBuilder {
    match NcName::try_from(name) {
        Ok(name) => builder.attr(name, clean(value)),
        Err(_) => builder,
    }
}

/// The text without the control characters that XML does not have, and with a mark for what is no
/// character at all: a text of nothing else must not vanish.
pub fn clean(text: &str) -> String {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}');
    let known = |c: char| match c {
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().filter(|c| !bad(*c)).map(known).collect()
}

/// The first payload of that name.
pub fn payload<'p>(payloads: &'p [Element], name: &str, namespace: &str) -> Option<&'p Element> {
    payloads.iter().find(|element| element.is(name, namespace))
}

/// The text of a child, trimmed, if there is any.
pub fn child_text(element: &Element, name: &str) -> Option<String> {
    let text = element
        .children()
        .find(|child| child.name() == name)?
        .text();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The stanza as text, to be kept in a record.
pub fn print(stanza: &Stanza) -> String {
    let element: Element = match copy(stanza) {
        Stanza::Message(message) => message.into(),
        Stanza::Presence(presence) => presence.into(),
        Stanza::Iq(iq) => iq.into(),
    };
    String::from(&element)
}

/// A stanza that [`print()`] wrote. Not for text from outside: nesting is not limited.
///
/// # Errors
/// It is no stanza; the text says why.
pub fn parse(text: &str) -> Result<Stanza, String> {
    let element: Element = text.parse().map_err(|error| format!("{error}"))?;
    let parsed = match element.name() {
        "message" => element.try_into().map(Stanza::Message),
        "presence" => element.try_into().map(Stanza::Presence),
        _ => element.try_into().map(Stanza::Iq),
    };
    parsed.map_err(|error| format!("{error}"))
}

/// A copy of a stanza.
pub fn copy(stanza: &Stanza) -> Stanza {
    match stanza {
        Stanza::Message(message) => Stanza::Message(message.clone()),
        Stanza::Presence(presence) => Stanza::Presence(presence.clone()),
        Stanza::Iq(iq) => Stanza::Iq(iq.clone()),
    }
}

/// Who sent it, and to whom.
pub fn ends(stanza: &Stanza) -> (Option<&Jid>, Option<&Jid>) {
    match stanza {
        Stanza::Message(message) => (message.from.as_ref(), message.to.as_ref()),
        Stanza::Presence(presence) => (presence.from.as_ref(), presence.to.as_ref()),
        Stanza::Iq(
            Iq::Get { from, to, .. }
            | Iq::Set { from, to, .. }
            | Iq::Result { from, to, .. }
            | Iq::Error { from, to, .. },
        ) => (from.as_ref(), to.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xmpp_parsers::message::Message;

    #[test]
    fn what_is_kept_comes_back_the_same() {
        let mut message = Message::chat(Jid::new("a@b.example").unwrap());
        message
            .bodies
            .insert(xmpp_parsers::message::Lang::new(), "<&> \"é\"".to_owned());
        message
            .payloads
            .push(attribute(element("x", "urn:test"), "a", "1<2").build());
        let stanza = Stanza::Message(message);
        assert_eq!(parse(&print(&stanza)).unwrap(), stanza);
    }

    #[test]
    fn characters_that_xml_lacks_are_removed_or_marked() {
        assert_eq!(clean("a\u{0}b\u{1b}c\n\u{ffff}d"), "abc\n\u{fffd}d");
    }
}
