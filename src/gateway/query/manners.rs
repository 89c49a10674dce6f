//! What the gateway's own address answers to people (XEP-0100): which address somebody has in XMPP,
//! and a few words.

use minidom::Element;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::message::{Lang, Message, MessageType};
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use crate::imps::Address;
use crate::imps::address::Kind;
use crate::translate::Translator;
use crate::translate::stanza::{child_text, element, ns, text_element};

/// What a client shows to who adds somebody.
pub(super) fn prompt() -> Element {
    let description = "Enter the Wireless Village address of whom you want to reach.";
    element("query", ns::GATEWAY)
        .append(text_element("desc", ns::GATEWAY, description))
        .append(text_element("prompt", ns::GATEWAY, "name@domain"))
        .build()
}

/// The JID of whom somebody has typed in.
///
/// # Errors
/// It is no address of the SSP side.
pub(super) fn address_of(
    query: &Element,
    translator: &Translator,
) -> Result<Element, Box<StanzaError>> {
    let typed = child_text(query, "prompt").unwrap_or_default();
    let address = Address::new(&typed);
    let is_one = address.is_valid()
        && address.kind() != Kind::Service
        && !translator.is_xmpp(&address)
        && translator.component_of(&address).is_some();
    let jid = translator.jid(&address).ok().filter(|_| is_one);
    let Some(jid) = jid else {
        let (kind, condition) = (ErrorType::Modify, DefinedCondition::NotAcceptable);
        let text = "this is no address of the network behind this gateway";
        return Err(Box::new(StanzaError::new(kind, condition, "en", text)));
    };
    let jid = text_element("jid", ns::GATEWAY, jid.as_str());
    Ok(element("query", ns::GATEWAY).append(jid).build())
}

/// The answer to what somebody writes to the gateway itself; `None` if it has none.
pub(in crate::gateway) fn words(message: &Message, translator: &Translator) -> Option<Message> {
    let (from, to) = (message.from.as_ref()?, message.to.as_ref()?);
    let is_talk = matches!(message.type_, MessageType::Chat | MessageType::Normal);
    if to.node().is_some() || !is_talk {
        return None;
    }
    let said = message.bodies.values().next()?.trim().to_lowercase();
    // To nothing else: two that answer everything would never end.
    let text = match said.as_str() {
        "help" | "?" => format!(
            "{} is a gateway to Wireless Village. Users there have addresses below it; add them as \
             contacts or write to them. \"whoami\" says who you are over there.",
            to.domain()
        ),
        "whoami" => format!("Over there you are {}.", translator.address(from).ok()?),
        _ => return None,
    };
    let mut answer = Message::new_with_type(MessageType::Chat, from.clone());
    answer.from = Some(Jid::from(to.to_bare()));
    answer.bodies.insert(Lang::from("en"), text);
    Some(answer)
}
