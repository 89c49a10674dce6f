//! Which address somebody has in XMPP, for who types it (XEP-0100).

use minidom::Element;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

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
    let Some(jid) = translator.typed(&typed) else {
        let (kind, condition) = (ErrorType::Modify, DefinedCondition::NotAcceptable);
        let text = "this is no address of the network behind this gateway";
        return Err(Box::new(StanzaError::new(kind, condition, "en", text)));
    };
    let jid = text_element("jid", ns::GATEWAY, jid.as_str());
    Ok(element("query", ns::GATEWAY).append(jid).build())
}
