//! Who runs a domain (xmpp-mapping, 8; XEP-0128, XEP-0157).

use minidom::Element;

use super::{Card, Photo, link, text};
use crate::imps::common::ContentData;
use crate::imps::primitive::common::{GetSPInfoResponse, Logo};
use crate::imps::{Address, Status};
use crate::translate::stanza::{attribute, element, ns, text_element};

use super::MAX_PHOTO;

/// The form with which a server tells whom to write to.
const SERVER_INFO: &str = "http://jabber.org/network/serverinfo";

/// What is told of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provider {
    /// Its name.
    pub name: Option<String>,
    /// What it offers.
    pub description: Option<String>,
    /// Its web site.
    pub url: Option<String>,
    /// A picture that stands for it.
    pub logo: Option<Photo>,
}

impl Provider {
    /// What a server tells: by disco#info, and by the card of its domain.
    pub fn of_xmpp(info: Option<&Element>, card: Option<Card>) -> Self {
        let card = card.unwrap_or_default();
        let identity =
            |c: &&Element| c.name() == "identity" && c.attr("category") == Some("server");
        let name = info.and_then(|info| info.children().find(identity));
        let name = name.and_then(|identity| text(identity.attr("name")?));
        let forms = info.into_iter().flat_map(Element::children);
        let forms = forms.filter(|c| c.is("x", ns::DATA_FORMS)).take(8);
        let fields: Vec<&Element> = forms.flat_map(Element::children).take(64).collect();
        let of = |is_it: &dyn Fn(&str) -> bool| {
            let fields = fields.iter();
            let fields = fields.filter(|field| field.attr("var").is_some_and(is_it));
            let values = fields.flat_map(|field| field.children());
            values.map(Element::text).collect::<Vec<String>>()
        };
        let description = of(&|var| var == "description");
        let description = description.iter().find_map(|words| text(words));
        let contacts = of(&|var| var.ends_with("-addresses"));
        Self {
            name: name.or(card.name),
            description: card.description.or(description),
            url: card
                .url
                .or_else(|| contacts.iter().find_map(|contact| link(contact))),
            logo: card.photo,
        }
    }

    /// What an SSP domain tells.
    pub fn of_ssp(response: &GetSPInfoResponse) -> Self {
        let part = |words: &Option<String>| text(words.as_deref()?);
        let logo = response
            .logo
            .as_ref()
            .and_then(|logo| logo.content.as_ref());
        let logo = logo.filter(|content| {
            content.content_type.starts_with("image/") && content.bytes.len() <= MAX_PHOTO
        });
        Self {
            name: part(&response.name),
            description: part(&response.description),
            url: response.url.as_ref().and_then(|url| link(url)),
            logo: logo.map(|content| Photo {
                content_type: content.content_type.clone(),
                bytes: content.bytes.clone(),
            }),
        }
    }

    /// The answer to a question of the SSP side about `service`.
    pub fn to_ssp(self, service: Address) -> GetSPInfoResponse {
        let logo = self.logo.map(|photo| Logo {
            url: None,
            content: Some(ContentData {
                content_type: photo.content_type,
                bytes: photo.bytes,
            }),
        });
        GetSPInfoResponse {
            service: Some(service),
            status: Status::ok(),
            name: self.name,
            logo,
            description: self.description,
            url: self.url,
        }
    }

    /// The form that stands in the answer to disco#info, if there is anything to say.
    pub fn form(&self) -> Option<Element> {
        let field = |var: &str, kind: &str, words: &str| {
            let field = attribute(element("field", ns::DATA_FORMS), "var", var);
            let value = text_element("value", ns::DATA_FORMS, words);
            attribute(field, "type", kind).append(value).build()
        };
        let fields = [
            self.description
                .as_ref()
                .map(|words| field("description", "text-single", words)),
            self.url
                .as_ref()
                .map(|url| field("support-addresses", "list-multi", url)),
        ];
        let fields: Vec<Element> = fields.into_iter().flatten().collect();
        if fields.is_empty() {
            return None;
        }
        let x = attribute(element("x", ns::DATA_FORMS), "type", "result");
        let x = x.append(field("FORM_TYPE", "hidden", SERVER_INFO));
        Some(x.append_all(fields).build())
    }

    /// The card of the domain `domain`; `words` describe it if it does not do so itself.
    pub fn card(&self, domain: &str, words: &str) -> Element {
        let card = Card {
            name: self.name.clone().or_else(|| Some(domain.to_owned())),
            description: self.description.clone().or_else(|| Some(words.to_owned())),
            url: self.url.clone(),
            photo: self.logo.clone(),
            ..Card::default()
        };
        let mut card = card.to_temp();
        card.append_child(text_element("JABBERID", ns::VCARD, domain));
        card
    }

    /// Whether a server tells nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::stanza::child_text;

    fn value(form: &Element, var: &str) -> Option<String> {
        let mut fields = form.children();
        child_text(
            fields.find(|field| field.attr("var") == Some(var))?,
            "value",
        )
    }

    #[test]
    fn a_server_is_told_of_by_its_identity_its_forms_and_its_card() {
        let info = format!(
            "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='pubsub' name='x'/>\
             <identity category='server' type='im' name='Verona'/><x xmlns='jabber:x:data'><field var='FORM_TYPE'>\
             <value>{SERVER_INFO}</value></field><field var='abuse-addresses'><value>mailto:a@b</value>\
             <value>https://b/</value></field></x><x xmlns='jabber:x:data'><field var='description'><value>For all</value></field></x></query>"
        );
        let info: Element = info.parse().unwrap();
        let provider = Provider::of_xmpp(Some(&info), None);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(provider.name, some("Verona"));
        assert_eq!(provider.description, some("For all"));
        assert_eq!(provider.url, some("https://b/"));
        let card = Card {
            description: some("More"),
            url: some("https://c/"),
            ..Card::default()
        };
        let provider = Provider::of_xmpp(Some(&info), Some(card));
        assert_eq!(provider.description, some("More"));
        let form = provider.form().unwrap();
        assert_eq!(value(&form, "description"), some("More"));
        assert_eq!(value(&form, "support-addresses"), some("https://c/"));
        let response = provider.clone().to_ssp(Address::service("home.example"));
        assert_eq!(Provider::of_ssp(&response), provider);
        assert!(Provider::default().form().is_none());
    }
}
