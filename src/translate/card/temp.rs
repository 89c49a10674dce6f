//! vcard-temp (XEP-0054).

use minidom::Element;

use super::{Card, MAX_PHOTO, Photo, day, kind_of, link, text};
use crate::imps::common::{decode_base64, encode_base64};
use crate::translate::stanza::{element, ns, text_element};

/// Types of pictures that are taken.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Lines of notes; our choice.
const MAX_NOTES: usize = 16;

/// The card that an element is.
pub(super) fn read(card: &Element) -> Card {
    let child = |name: &str| card.children().find(|child| child.name() == name);
    let of = |child: Option<&Element>, name: &str| {
        let mut parts = child?.children();
        text(&parts.find(|part| part.name() == name)?.text())
    };
    let own = |name: &str| text(&child(name)?.text());
    // The address at home, if the card tells where it is.
    let addresses = || card.children().filter(|child| child.name() == "ADR");
    let is_home = |child: &&Element| child.children().any(|part| part.name() == "HOME");
    let address = addresses().find(is_home).or_else(|| addresses().next());
    let notes = card.children().filter(|child| child.name() == "NOTE");
    let notes = notes.filter_map(|note| text(&note.text()));
    Card {
        name: own("FN"),
        given: of(child("N"), "GIVEN"),
        family: of(child("N"), "FAMILY"),
        nick: own("NICKNAME"),
        city: of(address, "LOCALITY"),
        country: of(address, "CTRY"),
        birthday: own("BDAY").and_then(|text| day(&text)),
        gender: None,
        email: of(child("EMAIL"), "USERID"),
        phone: of(child("TEL"), "NUMBER"),
        description: own("DESC"),
        notes: notes.take(MAX_NOTES).collect(),
        url: own("URL").and_then(|text| link(&text)),
        photo: child("PHOTO").and_then(photo),
    }
}

fn photo(photo: &Element) -> Option<Photo> {
    let part = |name: &str| photo.children().find(|part| part.name() == name);
    let data = part("BINVAL")?.text();
    // A third more than what is in it, and line breaks.
    if data.len() > MAX_PHOTO * 3 / 2 {
        return None;
    }
    let bytes = decode_base64(&data)?;
    if bytes.is_empty() || bytes.len() > MAX_PHOTO {
        return None;
    }
    let said = part("TYPE").map(Element::text).unwrap_or_default();
    let said = said.trim().to_ascii_lowercase();
    let known = PICTURES.iter().find(|known| **known == said);
    let content_type = known.copied().or_else(|| kind_of(&bytes))?.to_owned();
    Some(Photo {
        content_type,
        bytes,
    })
}

/// The element for a card.
pub(super) fn write(card: &Card) -> Element {
    let own =
        |name: &str, text: Option<&String>| text.map(|text| text_element(name, ns::VCARD, text));
    let within = |name: &str, parts: &[(&str, Option<&String>)]| {
        let parts = parts.iter();
        let parts: Vec<Element> = parts.filter_map(|(name, text)| own(name, *text)).collect();
        let is_there = !parts.is_empty();
        is_there.then(|| element(name, ns::VCARD).append_all(parts).build())
    };
    let tagged = |name: &str, tags: &[&str], part: &str, text: Option<&String>| {
        let tags = tags.iter().map(|tag| element(tag, ns::VCARD).build());
        let text = own(part, text)?;
        Some(
            element(name, ns::VCARD)
                .append_all(tags)
                .append(text)
                .build(),
        )
    };
    let address = within(
        "ADR",
        &[
            ("LOCALITY", card.city.as_ref()),
            ("CTRY", card.country.as_ref()),
        ],
    );
    let photo = card.photo.as_ref().map(|photo| {
        element("PHOTO", ns::VCARD)
            .append(text_element("TYPE", ns::VCARD, &photo.content_type))
            .append(text_element(
                "BINVAL",
                ns::VCARD,
                &encode_base64(&photo.bytes),
            ))
            .build()
    });
    let name = within(
        "N",
        &[
            ("FAMILY", card.family.as_ref()),
            ("GIVEN", card.given.as_ref()),
        ],
    );
    let parts = [
        own("FN", card.name.as_ref()),
        name,
        own("NICKNAME", card.nick.as_ref()),
        photo,
        own("BDAY", card.birthday.as_ref()),
        address,
        tagged("TEL", &["CELL"], "NUMBER", card.phone.as_ref()),
        tagged("EMAIL", &["INTERNET"], "USERID", card.email.as_ref()),
        own("URL", card.url.as_ref()),
        own("DESC", card.description.as_ref()),
    ];
    let notes = card.notes.iter();
    let notes = notes.map(|note| text_element("NOTE", ns::VCARD, note));
    element("vCard", ns::VCARD)
        .append_all(parts.into_iter().flatten())
        .append_all(notes)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_comes_back_as_it_was_written() {
        let some = |text: &str| Some(text.to_owned());
        let card = Card {
            name: some("Romeo Montague"),
            given: some("Romeo"),
            family: some("Montague"),
            nick: some("Monty"),
            city: some("Verona"),
            country: some("Italy"),
            birthday: some("1990-01-31"),
            gender: None,
            email: some("romeo@example.net"),
            phone: some("+39045"),
            description: some("In love <3"),
            notes: vec!["Interests: poetry".to_owned()],
            url: some("https://example.net/"),
            photo: Some(Photo {
                content_type: "image/png".to_owned(),
                bytes: b"\x89PNG...".to_vec(),
            }),
        };
        assert_eq!(Card::read(&card.to_temp()), Some(card));
        assert!(Card::default().to_temp().children().next().is_none());
    }

    #[test]
    fn what_makes_no_sense_in_a_card_is_left_out() {
        let big = encode_base64(&vec![0; MAX_PHOTO + 1]);
        for inner in [
            "<NICKNAME> </NICKNAME>",
            "<BDAY>soon</BDAY>",
            "<BDAY>1990-13-01</BDAY>",
            "<URL>javascript:alert(1)</URL>",
            "<PHOTO><TYPE>image/png</TYPE><BINVAL>%%</BINVAL></PHOTO>",
            "<PHOTO><TYPE>text/html</TYPE><BINVAL>PGI+</BINVAL></PHOTO>",
            &format!("<PHOTO><TYPE>image/png</TYPE><BINVAL>{big}</BINVAL></PHOTO>"),
        ] {
            let card = format!("<vCard xmlns='vcard-temp'>{inner}</vCard>");
            let card = Card::read(&card.parse().unwrap()).unwrap();
            assert!(card.is_empty(), "{inner}");
        }
        let day = "<vCard xmlns='vcard-temp'><BDAY>19900131T00:00:00Z</BDAY></vCard>";
        let card = Card::read(&day.parse().unwrap()).unwrap();
        assert_eq!(card.birthday.as_deref(), Some("1990-01-31"));
        assert_eq!(Card::read(&"<x xmlns='urn:x'/>".parse().unwrap()), None);
    }
}
