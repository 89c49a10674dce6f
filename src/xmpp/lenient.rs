//! What clients really send, made into what the typed stanzas take (RFC 6121, 4.7 and 5.2).
//!
//! A message of a type that does not exist is a normal one. Of several texts those count that
//! differ in language, the first of each; the text without a language is the default, else the one
//! in the stanza's language, else the first. Presence with a value that does not exist is presence
//! without it: a broadcast must not be lost for a `<show/>`.

use minidom::{Element, Node};
use tokio_xmpp::Stanza;
use xmpp_parsers::message::Message;
use xmpp_parsers::ns;
use xmpp_parsers::presence::Presence;
use xso::exports::rxml::Namespace;

use super::element::Kind;

/// Languages in which one text of a stanza is kept; our choice, more than any client sends.
pub const MAX_LANGUAGES: usize = 8;

/// The stanza in the element, or what is wrong with it. `language` is that of the stanza or the
/// stream.
pub(super) fn stanza(kind: Kind, element: Element, language: &str) -> Result<Stanza, String> {
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    match kind {
        Kind::Message => Message::try_from(message(element, language))
            .map(Stanza::Message)
            .map_err(|error| wrong(&error)),
        Kind::Presence => Presence::try_from(presence(element, language))
            .map(Stanza::Presence)
            .map_err(|error| wrong(&error)),
        Kind::Iq => xmpp_parsers::iq::Iq::try_from(element)
            .map(Stanza::Iq)
            .map_err(|error| wrong(&error)),
    }
}

fn message(mut element: Element, language: &str) -> Element {
    const TYPES: [&str; 5] = ["chat", "error", "groupchat", "headline", "normal"];
    if element
        .attr("type")
        .is_some_and(|kind| !TYPES.contains(&kind))
    {
        element.attrs_mut().remove(Namespace::none(), "type");
    }
    forget_language(&mut element);
    let mut nodes = children(&mut element);
    texts(&mut nodes, "body", language);
    texts(&mut nodes, "subject", language);
    first_only(&mut nodes, "thread");
    give(element, nodes)
}

fn presence(mut element: Element, language: &str) -> Element {
    if element.attr("type") == Some("") {
        element.attrs_mut().remove(Namespace::none(), "type");
    }
    forget_language(&mut element);
    let mut nodes = children(&mut element);
    texts(&mut nodes, "status", language);
    first_only(&mut nodes, "show");
    first_only(&mut nodes, "priority");
    nodes.retain_mut(|child| match child.name() {
        "show" if ours(child) => {
            let show = child.text().trim().to_ascii_lowercase();
            let known = matches!(show.as_str(), "away" | "chat" | "dnd" | "xa");
            *child = plain("show", &show);
            known
        }
        "priority" if ours(child) => match child.text().trim().parse::<i64>() {
            Ok(number) => {
                *child = plain("priority", &number.clamp(-128, 127).to_string());
                true
            }
            Err(_) => false,
        },
        _ => true,
    });
    give(element, nodes)
}

/// Text between the children of a stanza means nothing.
fn children(element: &mut Element) -> Vec<Element> {
    let nodes = element.take_nodes().into_iter();
    nodes
        .filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
        .collect()
}

fn give(mut element: Element, nodes: Vec<Element>) -> Element {
    for child in nodes {
        element.append_child(child);
    }
    element
}

fn ours(child: &Element) -> bool {
    child.has_ns(ns::DEFAULT_NS)
}

fn plain(name: &str, text: &str) -> Element {
    Element::builder(name, ns::DEFAULT_NS).append(text).build()
}

fn first_only(nodes: &mut Vec<Element>, name: &str) {
    let mut found = false;
    nodes.retain(|child| !child.is(name, ns::DEFAULT_NS) || !std::mem::replace(&mut found, true));
}

/// Keeps the first text of each language, and makes one of them the default: the one without a
/// language.
fn texts(nodes: &mut Vec<Element>, name: &str, language: &str) {
    let mut seen: Vec<String> = Vec::new();
    nodes.retain_mut(|child| {
        if !child.is(name, ns::DEFAULT_NS) {
            return true;
        }
        let own = language_of(child);
        if seen.contains(&own) || seen.len() >= MAX_LANGUAGES {
            return false;
        }
        // Nothing but text may stand in it.
        let mut fresh = plain(name, &child.text());
        std::mem::swap(fresh.attrs_mut(), child.attrs_mut());
        fresh
            .attrs_mut()
            .retain(|space, name, _| *space == Namespace::XML && name.as_str() == "lang");
        *child = fresh;
        if own.is_empty() {
            forget_language(child);
        }
        seen.push(own);
        true
    });
    if seen.is_empty() || seen.iter().any(String::is_empty) {
        return;
    }
    let wanted = seen
        .iter()
        .position(|own| own.eq_ignore_ascii_case(language));
    let default = wanted.unwrap_or(0);
    let mut of_name = nodes.iter_mut().filter(|c| c.is(name, ns::DEFAULT_NS));
    if let Some(child) = of_name.nth(default) {
        forget_language(child);
    }
}

fn language_of(element: &Element) -> String {
    let language = element.attr_ns(&Namespace::XML, "lang").unwrap_or_default();
    language.trim().to_ascii_lowercase()
}

fn forget_language(element: &mut Element) {
    element.attrs_mut().remove(&Namespace::XML, "lang");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::text;
    use xmpp_parsers::message::MessageType;

    fn read(xml: &str) -> Stanza {
        text::parse(xml).unwrap()
    }

    fn a_message(xml: &str) -> Message {
        match read(xml) {
            Stanza::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn a_presence(inner: &str) -> Presence {
        match read(&format!(
            "<presence from='r@x.test/a' to='b@b.test'>{inner}</presence>"
        )) {
            Stanza::Presence(presence) => presence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_of_an_unknown_type_is_a_normal_one() {
        for attributes in ["type='weird'", "type='Chat'", "type=''", ""] {
            let message = a_message(&format!(
                "<message {attributes}><body>hello</body></message>"
            ));
            assert_eq!(message.type_, MessageType::Normal, "{attributes}");
            assert_eq!(message.bodies[""], "hello", "{attributes}");
        }
        let message = a_message(
            "<message type='chat'><thread>a</thread><thread>b</thread><body>hello</body></message>",
        );
        assert_eq!(message.type_, MessageType::Chat);
        assert_eq!(message.thread.unwrap().id, "a");
    }

    #[test]
    fn presence_with_a_value_that_does_not_exist_is_presence_without_it() {
        use xmpp_parsers::presence::Show;
        for (inner, show, priority) in [
            ("<show/>", None, 0),
            ("<priority/>", None, 0),
            ("<priority>999</priority>", None, 127),
            ("<priority>-999</priority>", None, -128),
            ("<priority>high</priority>", None, 0),
            ("<show> away </show>", Some(Show::Away), 0),
            ("<show>Away</show>", Some(Show::Away), 0),
            ("<show>online</show>", None, 0),
            ("<show>dnd</show><show>xa</show>", Some(Show::Dnd), 0),
            (
                "<show>xa<b/></show><priority> 5 </priority>",
                Some(Show::Xa),
                5,
            ),
        ] {
            let presence = a_presence(inner);
            assert_eq!(presence.show, show, "{inner}");
            assert_eq!(presence.priority.0, priority, "{inner}");
        }
    }

    #[test]
    fn the_text_without_a_language_is_the_default_else_the_stanza_s_else_the_first() {
        for (attributes, bodies, default) in [
            (
                "",
                "<body>default</body><body xml:lang='de'>deutsch</body>",
                "default",
            ),
            (
                "",
                "<body xml:lang='aa'>a</body><body>default</body>",
                "default",
            ),
            (
                "xml:lang='en'",
                "<body>default</body><body xml:lang='en'>english</body>",
                "default",
            ),
            (
                "xml:lang='fr'",
                "<body xml:lang='de'>deutsch</body><body xml:lang='FR'>francais</body>",
                "francais",
            ),
            (
                "",
                "<body xml:lang='fr'>francais</body><body xml:lang='de'>deutsch</body>",
                "francais",
            ),
            (
                "",
                "<body xml:lang='de'>erstes</body><body xml:lang='de'>zweites</body>",
                "erstes",
            ),
            ("", "<body>first</body><body>second</body>", "first"),
        ] {
            let message = a_message(&format!("<message {attributes}>{bodies}</message>"));
            assert_eq!(message.bodies[""], default, "{attributes} {bodies}");
            let statuses = bodies.replace("body", "status");
            let presence = a_presence(&statuses);
            assert_eq!(presence.statuses.len(), message.bodies.len(), "{bodies}");
        }
        let message = a_message("<message><body>d</body><body xml:lang='de'>e</body></message>");
        assert_eq!(message.bodies["de"], "e");
    }

    #[test]
    fn texts_in_more_languages_than_anybody_speaks_are_left_out() {
        let bodies: Vec<String> = (0..50)
            .map(|n| format!("<body xml:lang='a{n}'>{n}</body>"))
            .collect();
        let bodies = bodies.concat();
        let message = a_message(&format!("<message>{bodies}</message>"));
        assert_eq!(message.bodies.len(), MAX_LANGUAGES);
        assert_eq!(message.bodies[""], "0");
    }
}
