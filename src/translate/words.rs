//! What a person wrote in a message stanza, whatever form it has (xmpp-mapping, 4.2 and 6).
//!
//! Nothing that a person wrote vanishes: it becomes text, or its sender hears that it does not. Only
//! what programs tell each other is passed over, and is named so that it can be counted.

use minidom::Element;
use xmpp_parsers::message::{Message, MessageType};
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::stanza::{child_text, clean, ns, payload};
use super::tables::{WordsTable, text_of_html};
use crate::text::cut;

/// Links and invitations of one message that are told; our choice.
const MAX_LINKS: usize = 16;
/// Reactions of one message that are told, and bytes of each; our choice.
const MAX_REACTIONS: (usize, usize) = (16, 64);

/// What is in a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Words {
    /// A text that a person wrote.
    Text(String),
    /// Nothing by a person; the kind of what there is.
    Nothing(&'static str),
    /// Something that cannot be told here.
    Refuse(Box<StanzaError>),
}

/// The words of a message; `language` is the recipient's.
pub fn words(message: &Message, language: Option<&str>, table: &WordsTable) -> Words {
    let payloads = &message.payloads;
    let is_group = message.type_ == MessageType::Groupchat;
    let body = message
        .get_best_body(language.into_iter().collect())
        .map(|(_, body)| readable(body))
        .filter(|body| !body.trim().is_empty())
        .or_else(|| rich_text(payloads));
    let subject = message
        .get_best_subject(language.into_iter().collect())
        .map(|(_, subject)| readable(subject.trim()))
        .filter(|subject| !subject.is_empty());
    if is_encrypted(message) {
        let has_words = body.is_some() && !is_cipher(body.as_deref());
        if !has_words && is_key_transport(payloads) {
            return Words::Nothing("key transport");
        }
        if !has_words || !table.delivers_stand_in {
            return refuse(DefinedCondition::NotAcceptable, &table.refusal);
        }
    }
    let mut lines = Vec::new();
    if let Some(subject) = subject {
        if !is_group {
            lines.push(format!("{}{subject}", table.subject));
            if body.is_some() {
                lines.push(String::new());
            }
        } else if body.is_none() {
            return refuse(
                DefinedCondition::FeatureNotImplemented,
                "the topic of a group of this network cannot be changed",
            );
        }
    }
    if let Some(mut body) = body {
        if payload(payloads, "replace", ns::MESSAGE_CORRECT).is_some() {
            body.insert_str(0, &table.correction);
        }
        lines.push(body);
    }
    let told: String = lines.join("\n");
    for line in links(payloads).chain(invitations(message)).take(MAX_LINKS) {
        if !told.contains(&line.essential) && !lines.contains(&line.text) {
            lines.push(line.text);
        }
    }
    if !lines.is_empty() {
        return Words::Text(lines.join("\n"));
    }
    if let Some(line) = gesture(payloads, table) {
        return Words::Text(line);
    }
    let kinds: Option<Vec<&'static str>> = payloads.iter().map(silent).collect();
    match kinds {
        Some(kinds) => Words::Nothing(kinds.into_iter().find(|k| *k != "mark").unwrap_or("empty")),
        // Nobody answers a headline.
        None if message.type_ == MessageType::Headline => Words::Nothing("headline"),
        None => refuse(
            DefinedCondition::FeatureNotImplemented,
            "a message of this kind cannot be delivered to this network",
        ),
    }
}

fn refuse(condition: DefinedCondition, text: &str) -> Words {
    let kind = match condition {
        DefinedCondition::NotAcceptable => ErrorType::Modify,
        _ => ErrorType::Cancel,
    };
    Words::Refuse(Box::new(StanzaError::new(kind, condition, "en", text)))
}

/// Text that can be written again.
fn readable(text: &str) -> String {
    clean(text)
}

/// XHTML-IM (XEP-0071) without a plain body.
fn rich_text(payloads: &[Element]) -> Option<String> {
    let html = payload(payloads, "html", ns::XHTML_IM)?;
    let text = text_of_html(&String::from(html));
    (!text.is_empty()).then_some(text)
}

/// A line, and what of it must not be told twice.
struct Line {
    essential: String,
    text: String,
}

fn links(payloads: &[Element]) -> impl Iterator<Item = Line> + '_ {
    let out_of_band = payloads.iter().filter(|link| link.is("x", ns::OOB));
    let out_of_band = out_of_band.filter_map(|link| {
        let url = child_text(link, "url");
        let text = child_text(link, "desc");
        match (url, text) {
            (Some(url), Some(text)) => Some((url.clone(), format!("{text}: {url}"))),
            (Some(url), None) => Some((url.clone(), url)),
            (None, Some(text)) => Some((text.clone(), text)),
            (None, None) => None,
        }
    });
    // XEP-0447: files in other places.
    let shared = payloads
        .iter()
        .filter(|shared| shared.is("file-sharing", ns::FILE_SHARING))
        .flat_map(|shared| shared.children())
        .filter(|child| child.name() == "sources")
        .flat_map(Element::children)
        .filter_map(|source| Some(source.attr("target")?.to_owned()))
        .map(|url| (url.clone(), url));
    out_of_band.chain(shared).map(|(essential, text)| Line {
        essential: readable(&essential),
        text: readable(&text),
    })
}

/// Invitations to rooms, direct (XEP-0249) and by the room (XEP-0045).
fn invitations(message: &Message) -> impl Iterator<Item = Line> + '_ {
    let line = |by: &str, room: String, reason: Option<String>| {
        let mut text = format!("Invitation{by} to the chat room {room}");
        if let Some(reason) = reason {
            text = format!("{text}: {reason}");
        }
        Line {
            essential: room,
            text: readable(&text),
        }
    };
    message.payloads.iter().filter_map(move |element| {
        if element.is("x", ns::CONFERENCE) {
            let room = element.attr("jid")?.to_owned();
            let reason = element.attr("reason").map(str::to_owned);
            return Some(line(
                "",
                room,
                reason.filter(|reason| !reason.trim().is_empty()),
            ));
        }
        let invite = element.get_child("invite", ns::MUC_USER)?;
        let room = message.from.as_ref()?.to_bare().to_string();
        let by = invite.attr("from").map(|by| format!(" of {by}"));
        Some(line(
            &by.unwrap_or_default(),
            room,
            child_text(invite, "reason"),
        ))
    })
}

/// A reaction or retraction, which stands alone, as a line of text.
fn gesture(payloads: &[Element], table: &WordsTable) -> Option<String> {
    if let Some(reactions) = payload(payloads, "reactions", ns::REACTIONS) {
        let reactions = reactions
            .children()
            .filter(|child| child.name() == "reaction");
        let reactions = reactions.take(MAX_REACTIONS.0).map(|reaction| {
            let text = reaction.text();
            readable(cut(text.trim(), MAX_REACTIONS.1))
        });
        let reactions: Vec<String> = reactions.filter(|text| !text.is_empty()).collect();
        // Without any they are taken back.
        let is_told = table.tells_reactions && !reactions.is_empty();
        return is_told.then(|| format!("{}{}", table.reaction, reactions.join(" ")));
    }
    let retracts = payloads.iter().any(|element| {
        element.is("retract", ns::RETRACT)
            || element.is("apply-to", ns::FASTEN)
                && element.has_child("retract", ns::RETRACT_BEFORE)
    });
    (retracts && table.tells_retractions).then(|| table.retraction.clone())
}

/// Whether a message was encrypted for the recipient.
pub fn is_encrypted(message: &Message) -> bool {
    let is_encrypted = |element: &Element| {
        matches!(element.name(), "encrypted" | "openpgp" | "encryption")
            || element.is("x", "jabber:x:encrypted")
    };
    message.payloads.iter().any(is_encrypted)
        || message.bodies.values().any(|body| is_cipher(Some(body)))
}

/// Whether the body itself is encrypted (XEP-0364).
fn is_cipher(body: Option<&str>) -> bool {
    body.is_some_and(|body| body.trim_start().starts_with("?OTR:"))
}

/// Whether it only carries keys (XEP-0384): programs send that by themselves.
fn is_key_transport(payloads: &[Element]) -> bool {
    let omemo = |element: &&Element| {
        let namespace = element.ns();
        element.name() == "encrypted"
            && (namespace == ns::LEGACY_OMEMO || namespace.starts_with("urn:xmpp:omemo:"))
    };
    let mut encrypted = payloads.iter().filter(omemo).peekable();
    encrypted.peek().is_some()
        && encrypted.all(|element| {
            let has = |name: &str| element.children().any(|child| child.name() == name);
            has("header") && !has("payload")
        })
}

/// The kind of a payload that programs send by themselves; `None` for one that may be a person's.
/// A `mark` comes along with others.
fn silent(element: &Element) -> Option<&'static str> {
    let name = element.name();
    Some(match element.ns().as_str() {
        ns::CHATSTATES => "chat state",
        ns::RECEIPTS if name == "received" => "receipt",
        ns::RECEIPTS => "mark",
        ns::DISPLAYED_MARKERS => "marker",
        ns::PUBSUB_EVENT => "event",
        ns::CARBONS | ns::MAM => "copy",
        ns::MUC_USER | "http://jabber.org/protocol/muc" => "room notice",
        ns::REACTIONS => "reaction",
        ns::RETRACT
        | ns::RETRACT_BEFORE
        | ns::FASTEN
        | "urn:xmpp:message-moderate:0"
        | "urn:xmpp:message-moderate:1" => "retraction",
        "jabber:x:event" => "chat state",
        ns::DELAY
        | "jabber:x:delay"
        | ns::SID
        | ns::NICK
        | ns::CAPS
        | ns::HINTS
        | ns::AMP
        | ns::MESSAGE_CORRECT
        | ns::ENCRYPTED_HINT
        | "urn:xmpp:reply:0"
        | "urn:xmpp:fallback:0"
        | "http://jabber.org/protocol/address"
        | "vcard-temp:x:update"
        | ns::OOB
        | ns::XHTML_IM
        | "urn:xmpp:occupant-id:0"
        | "urn:xmpp:styling:0" => "mark",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::Mappings;

    fn of(attributes: &str, inner: &str) -> Words {
        let text = format!(
            "<message xmlns='{}' from='a@home.example/x' to='b@v.example' {attributes}>{inner}</message>",
            ns::DEFAULT_NS
        );
        let message: Message = text.parse::<Element>().unwrap().try_into().unwrap();
        words(&message, None, &Mappings::built_in().words)
    }

    fn text(inner: &str) -> String {
        match of("", inner) {
            Words::Text(text) => text,
            other => panic!("{inner}: {other:?}"),
        }
    }

    #[test]
    fn whatever_a_person_wrote_is_text() {
        for (inner, want) in [
            ("<body>hi</body>", "hi"),
            ("<subject>s</subject>", "Subject: s"),
            ("<subject>s</subject><body>hi</body>", "Subject: s\n\nhi"),
            (
                "<x xmlns='jabber:x:oob'><url>http://u/</url></x>",
                "http://u/",
            ),
            (
                "<x xmlns='jabber:x:oob'><url>http://u/</url><desc>cat</desc></x>",
                "cat: http://u/",
            ),
            (
                "<body>see http://u/</body><x xmlns='jabber:x:oob'><url>http://u/</url></x>",
                "see http://u/",
            ),
            (
                "<body>hi</body><received xmlns='urn:xmpp:receipts' id='1'/>",
                "hi",
            ),
            (
                "<html xmlns='http://jabber.org/protocol/xhtml-im'>\
                 <body xmlns='http://www.w3.org/1999/xhtml'><p>Hi <em>you</em></p></body></html>",
                "Hi you",
            ),
            (
                "<x xmlns='jabber:x:conference' jid='r@conf.x' reason='Come'/>",
                "Invitation to the chat room r@conf.x: Come",
            ),
            (
                "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='c@x'/></x>",
                "Invitation of c@x to the chat room a@home.example",
            ),
            (
                "<file-sharing xmlns='urn:xmpp:sfs:0'><sources>\
                 <url-data xmlns='http://jabber.org/protocol/url-data' target='http://f/'/>\
                 </sources></file-sharing>",
                "http://f/",
            ),
            (
                "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>\u{1f44b}</reaction><reaction>\u{1f422}</reaction></reactions>",
                "Reaction: \u{1f44b} \u{1f422}",
            ),
            (
                "<body>\u{1f44b}</body><reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>\u{1f44b}</reaction></reactions>\
                 <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reactions:0'/>",
                "\u{1f44b}",
            ),
            (
                "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>",
                "(An earlier message was taken back.)",
            ),
            (
                "<apply-to xmlns='urn:xmpp:fasten:0' id='1'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>",
                "(An earlier message was taken back.)",
            ),
            (
                "<body>&gt; Tea?\nYes</body><reply xmlns='urn:xmpp:reply:0' to='b@v.example' id='1'/>\
                 <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='7'/></fallback>",
                "> Tea?\nYes",
            ),
            (
                "<encrypted xmlns='eu.siacs.conversations.axolotl'><header/><payload>x</payload></encrypted>\
                 <encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/><body>Please use OMEMO</body>",
                "Please use OMEMO",
            ),
            (
                "<body>better</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>",
                "* better",
            ),
        ] {
            assert_eq!(text(inner), want, "{inner}");
        }
    }

    #[test]
    fn what_is_no_character_is_marked() {
        let mut message = Message::new(None);
        message.bodies.insert("".into(), "\u{fffe}".to_owned());
        assert_eq!(
            words(&message, None, &Mappings::built_in().words),
            Words::Text("\u{fffd}".to_owned())
        );
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        for (attributes, inner) in [
            ("type='groupchat'", "<subject>topic</subject>"),
            (
                "",
                "<encrypted xmlns='eu.siacs.conversations.axolotl'><header/><payload>x</payload></encrypted>",
            ),
            ("", "<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>"),
            ("", "<body>?OTR:AAMC</body>"),
            (
                "",
                "<poll xmlns='urn:example:poll'><question>Tea?</question></poll>",
            ),
        ] {
            let words = of(attributes, inner);
            assert!(matches!(words, Words::Refuse(_)), "{inner}: {words:?}");
        }
    }

    #[test]
    fn what_programs_say_is_passed_over_and_has_a_name() {
        for (attributes, inner, kind) in [
            ("", "", "empty"),
            ("", "<body>  </body>", "empty"),
            (
                "",
                "<composing xmlns='http://jabber.org/protocol/chatstates'/>",
                "chat state",
            ),
            (
                "",
                "<received xmlns='urn:xmpp:receipts' id='1'/>",
                "receipt",
            ),
            (
                "",
                "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>",
                "marker",
            ),
            (
                "",
                "<reactions xmlns='urn:xmpp:reactions:0' id='1'/>",
                "reaction",
            ),
            (
                "",
                "<encrypted xmlns='eu.siacs.conversations.axolotl'><header/></encrypted><store xmlns='urn:xmpp:hints'/>",
                "key transport",
            ),
            (
                "",
                "<encrypted xmlns='urn:xmpp:omemo:2'><header/></encrypted>",
                "key transport",
            ),
            (
                "type='headline'",
                "<news xmlns='urn:example:news'/>",
                "headline",
            ),
        ] {
            assert_eq!(of(attributes, inner), Words::Nothing(kind), "{inner}");
        }
    }
}
