//! How messages are written for clients that read only what the grammar does not have.

use serde::{Deserialize, Serialize};

use super::element::Element;

/// What is written otherwise than the version says. Nothing, at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// Each `Mapping` stands in `UserMapList` itself, without `UserMapping` around them.
    pub flat_mappings: bool,
    /// The list of capabilities is the first element of its response (1.1).
    pub capabilities_first: bool,
    /// Contact lists stand in `GetList-Response` once more, as before 1.3.
    pub bare_contact_lists: bool,
}

impl Style {
    /// Rewrites an element and all in it, which keep the grammar.
    pub(super) fn apply(&self, element: &mut Element<'_>) {
        if *self == Self::default() {
            return;
        }
        match element.name {
            "UserMapList" if self.flat_mappings => {
                let children = std::mem::take(&mut element.children).into_iter();
                element.children = children.flat_map(|child| child.children).collect();
            }
            "ClientCapability-Response" if self.capabilities_first => {
                element
                    .children
                    .sort_by_key(|child| child.name == "ClientID");
            }
            "GetList-Response" if self.bare_contact_lists => {
                let wrapper = element.child("ContactListIDList");
                let mut lists = wrapper.map(|w| w.children.clone()).unwrap_or_default();
                lists.append(&mut element.children);
                element.children = lists;
            }
            _ => {}
        }
        for child in &mut element.children {
            self.apply(child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csp::{Encoding, Message, Version};
    use crate::imps::xml::Limits;

    /// The content of a message that is read and written again in a style.
    fn rewritten(version: Version, content: &str, style: Style) -> String {
        let namespace = version.namespace(crate::csp::version::Scope::Message);
        let xml = format!(
            "<WV-CSP-Message xmlns='{namespace}'><Session><Transaction><TransactionDescriptor>\
             <TransactionID>1</TransactionID></TransactionDescriptor><TransactionContent>{content}\
             </TransactionContent></Transaction></Session></WV-CSP-Message>"
        );
        let message = Message::read(xml.as_bytes(), Encoding::Xml, &Limits::STANDARD).unwrap();
        // WBXML has the same elements in the same order.
        let octets = message.write_in(Encoding::Wbxml, &style).unwrap();
        let back = Message::read(&octets, Encoding::Wbxml, &Limits::STANDARD).unwrap();
        assert_eq!(back.version, version);
        let text = message.write_in(Encoding::Xml, &style).unwrap();
        let text = String::from_utf8(text).unwrap();
        let (_, behind) = text.split_once("<TransactionContent").unwrap();
        let (content, _) = behind.split_once("</TransactionContent>").unwrap();
        content.split_once('>').unwrap().1.to_owned()
    }

    #[test]
    fn users_stand_in_their_list_without_a_wrapper() {
        let list = "<UserMapList><UserMapping><Mapping><SName>a</SName></Mapping><Mapping><SName>b\
                    </SName></Mapping></UserMapping></UserMapList>";
        let content = format!("<JoinGroup-Response>{list}</JoinGroup-Response>");
        let flat = Style {
            flat_mappings: true,
            ..Style::default()
        };
        let written = rewritten(Version::V1_2, &content, flat);
        assert_eq!(
            written,
            "<JoinGroup-Response><UserMapList><Mapping><SName>a</SName></Mapping><Mapping>\
             <SName>b</SName></Mapping></UserMapList></JoinGroup-Response>"
        );
        assert_eq!(
            rewritten(Version::V1_2, &content, Style::default()),
            content
        );
    }

    #[test]
    fn the_list_of_capabilities_comes_first() {
        let content = "<ClientCapability-Response><ClientID><URL>u</URL></ClientID><CapabilityList>\
             <ClientType>PDA</ClientType><InitialDeliveryMethod>P</InitialDeliveryMethod>\
             <AcceptedContentLength>1</AcceptedContentLength><MultiTrans>1</MultiTrans>\
             <ParserSize>1</ParserSize></CapabilityList></ClientCapability-Response>";
        let first = Style {
            capabilities_first: true,
            ..Style::default()
        };
        let written = rewritten(Version::V1_1, content, first);
        assert!(
            written.starts_with("<ClientCapability-Response><CapabilityList>"),
            "{written}"
        );
        assert!(written.contains("</CapabilityList><ClientID>"), "{written}");
        assert_eq!(rewritten(Version::V1_1, content, Style::default()), content);
    }

    #[test]
    fn contact_lists_stand_beside_their_wrapper_too() {
        let content = "<GetList-Response><ContactListIDList><ContactList>wv:a/b@c</ContactList>\
             </ContactListIDList><DefaultContactList>wv:a/d@c</DefaultContactList>\
             </GetList-Response>";
        let bare = Style {
            bare_contact_lists: true,
            ..Style::default()
        };
        let written = rewritten(Version::V1_3, content, bare);
        let expected = content.replacen(
            "<ContactListIDList>",
            "<ContactList>wv:a/b@c</ContactList><ContactListIDList>",
            1,
        );
        assert_eq!(written, expected);
    }
}
