//! What who watches a WV user knows of them, as a card (presence-attributes, 3.6 to 3.8).

use crate::imps::address::is_domain;
use crate::imps::common::decode_base64;
use crate::imps::presence::{Attribute, AttributeName as Name, PresenceSubList};
use crate::translate::card::{Card, MAX_PHOTO, Photo};

/// The card that attributes make.
pub fn card_of(values: &PresenceSubList) -> Card {
    let simple = |name: &Name| {
        let text = values.get(name).and_then(Attribute::simple)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let link = values.get(&Name::InfoLink);
    let link = link.and_then(|link| link.item("Inf_link")?.child("Link"));
    let link = link.map(|link| link.text.trim().to_owned());
    let nick = simple(&Name::Alias);
    Card {
        name: nick.clone(),
        nick,
        phone: contact(values, &["CALL", "SMS", "MMS"], number),
        email: contact(values, &["EMAIL"], mail),
        url: link.filter(|link| link.starts_with("https://") || link.starts_with("http://")),
        photo: picture(values),
        ..Card::default()
    }
}

/// By what somebody says they are reached in one of these ways (presence-attributes, 2.9): the first
/// contact that `read` takes, of the first of the ways that has one.
fn contact(
    values: &PresenceSubList,
    ways: &[&str],
    read: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let abilities = values.get(&Name::CommCap).filter(|it| it.is_valid())?;
    let of = |way: &str| {
        let mut contacts = abilities.fields.iter().filter_map(|ability| {
            let is_way = ability.child("Cap")?.text.eq_ignore_ascii_case(way);
            read(&ability.child("Contact").filter(|_| is_way)?.text)
        });
        contacts.next()
    };
    ways.iter().find_map(|way| of(way))
}

/// Digits of the longest phone number (E.164), and signs between them.
const MAX_NUMBER: usize = 40;
/// Bytes of the longest address of e-mail (RFC 5321).
const MAX_MAIL: usize = 254;

fn number(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text).trim();
    let is_number = text.len() <= MAX_NUMBER
        && text.contains(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || "+-. ()*#".contains(c));
    is_number.then(|| text.to_owned())
}

fn mail(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("mailto:").unwrap_or(text).trim();
    let (local, domain) = text.rsplit_once('@')?;
    let is_mail = text.len() <= MAX_MAIL
        && !local.is_empty()
        && is_domain(domain)
        && text.chars().all(|c| c.is_ascii_graphic() && c != ':');
    is_mail.then(|| text.to_owned())
}

/// The picture that somebody shows of themselves.
pub fn picture(values: &PresenceSubList) -> Option<Photo> {
    let content = values.get(&Name::StatusContent).filter(|c| c.is_valid())?;
    let kind = content.field("ContentType")?.trim().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    // What can be run is no picture.
    if !kind.starts_with("image/") || kind.contains("svg") {
        return None;
    }
    let text = content.field("DirectContent")?;
    if text.len() > MAX_PHOTO * 3 / 2 {
        return None;
    }
    let bytes = decode_base64(text)?;
    let is_one = !bytes.is_empty() && bytes.len() <= MAX_PHOTO;
    is_one.then_some(Photo {
        content_type: kind,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::presence::Item;

    fn able(cap: &str, contact: &str) -> Item {
        let item = |name: &str, text: &str, children| Item {
            name: name.to_owned(),
            text: text.to_owned(),
            attributes: Vec::new(),
            children,
        };
        let parts = vec![
            item("Cap", cap, Vec::new()),
            item("Status", "OPEN", Vec::new()),
            item("Contact", contact, Vec::new()),
        ];
        item("CommC", "", parts)
    }

    fn card(abilities: Vec<Item>, is_valid: bool) -> Card {
        let attribute = Attribute {
            name: Name::CommCap,
            qualifier: Some(is_valid),
            fields: abilities,
        };
        card_of(&PresenceSubList {
            attributes: vec![attribute],
        })
    }

    #[test]
    fn by_what_somebody_is_reached_is_on_their_card() {
        let abilities = || {
            vec![
                able("IM", "wv:bob@village.test"),
                able("SMS", "+44 7700 900123"),
                able("CALL", "wv:bob@village.test"),
                able("CALL", "tel:+44-7700-900456"),
                able("email", "mailto:bob@village.test"),
            ]
        };
        let reached = card(abilities(), true);
        // A call before a short message, whichever comes first.
        assert_eq!(reached.phone.as_deref(), Some("+44-7700-900456"));
        assert_eq!(reached.email.as_deref(), Some("bob@village.test"));
        assert!(card(abilities(), false).is_empty());
        for (cap, contact) in [
            ("CALL", ""),
            ("CALL", "call me"),
            ("SMS", "( )"),
            ("MMS", &"1".repeat(41)),
            ("EMAIL", "bob"),
            ("EMAIL", "@village.test"),
            ("EMAIL", "wv:bob@village.test"),
            ("EMAIL", "bob <b@village.test>"),
            ("IM", "bob@village.test"),
        ] {
            let card = card(vec![able(cap, contact)], true);
            assert!(card.is_empty(), "{cap} {contact}: {card:?}");
        }
    }
}
