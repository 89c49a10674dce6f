//! vCard4 as XML (XEP-0292, RFC 6351).

use minidom::Element;

use super::{Card, day, link, text};

/// The card that an element is; pictures stand elsewhere.
pub(super) fn read(card: &Element) -> Card {
    // Properties may stand in groups.
    let groups = card.children().filter(|child| child.name() == "group");
    let inside = groups.flat_map(Element::children);
    let all: Vec<&Element> = card.children().chain(inside).take(256).collect();
    let property = |name: &str| all.iter().copied().find(|child| child.name() == name);
    let of = |property: Option<&Element>, name: &str| {
        let mut parts = property?.children();
        text(&parts.find(|part| part.name() == name)?.text())
    };
    let value = |name: &str| {
        let property = property(name)?;
        let is_value = |part: &&Element| part.name() != "parameters";
        text(&property.children().find(is_value)?.text())
    };
    let phone = value("tel");
    let phone = phone.map(|tel| tel.strip_prefix("tel:").unwrap_or(&tel).to_owned());
    let notes = all.iter().filter(|child| child.name() == "note");
    let notes = notes.filter_map(|note| text(&note.children().last()?.text()));
    Card {
        name: value("fn"),
        given: of(property("n"), "given"),
        family: of(property("n"), "surname"),
        nick: value("nickname"),
        city: of(property("adr"), "locality"),
        country: of(property("adr"), "country"),
        birthday: value("bday").and_then(|text| day(&text)),
        gender: of(property("gender"), "sex"),
        email: value("email"),
        phone,
        description: None,
        notes: notes.take(16).collect(),
        url: value("url").and_then(|text| link(&text)),
        photo: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_of_the_fourth_version_is_read() {
        let card = "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Romeo Montague</text></fn>\
            <n><surname>Montague</surname><given>Romeo</given></n><nickname><text>Monty</text></nickname>\
            <adr><parameters><type><text>home</text></type></parameters><locality>Verona</locality><country>Italy</country></adr>\
            <bday><date>19900131</date></bday><gender><sex>M</sex></gender><email><text>romeo@example.net</text></email>\
            <group name='a'><tel><parameters/><uri>tel:+39045</uri></tel></group><note><text>Poet</text></note></vcard>";
        let card = Card::read(&card.parse().unwrap()).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(card.name, some("Romeo Montague"));
        assert_eq!((card.given, card.family), (some("Romeo"), some("Montague")));
        assert_eq!((card.city, card.country), (some("Verona"), some("Italy")));
        assert_eq!(
            (card.birthday, card.gender),
            (some("1990-01-31"), some("M"))
        );
        assert_eq!(
            (card.phone, card.email),
            (some("+39045"), some("romeo@example.net"))
        );
        assert_eq!(card.notes, ["Poet"]);
    }
}
