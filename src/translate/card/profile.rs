//! A card as properties of a profile, and back (xmpp-mapping, 9).

use super::{Card, text};
use crate::imps::common::Property;
use crate::imps::datetime::DateTime;

/// What has no field in a card: the property, and what stands before it in a note.
const LINES: [(&str, &str); 3] = [
    ("PP_INTENTION", "Intention"),
    ("PP_INTERESTS", "Interests"),
    ("PP_MARITAL_STATUS", "Marital status"),
];

/// The properties that a card makes on the day `today`.
pub fn properties(card: &Card, today: DateTime) -> Vec<Property> {
    let age = card.birthday.as_ref().and_then(|day| age(day, today));
    // Some servers keep a description as a note.
    let note = card.notes.first();
    let all = [
        ("PP_FRIENDLY_NAME", card.nick.clone().or(card.name.clone())),
        ("PP_FIRST_NAME", card.given.clone()),
        ("PP_LAST_NAME", card.family.clone()),
        ("PP_AGE", age.map(|age| age.to_string())),
        ("PP_GENDER", card.gender.clone()),
        ("PP_CITY", card.city.clone()),
        ("PP_COUNTRY", card.country.clone()),
        ("PP_EMAIL_ADDRESS", card.email.clone()),
        ("PP_MOBILE_NUMBER", card.phone.clone()),
        ("PP_FREE_TEXT", card.description.as_ref().or(note).cloned()),
    ];
    let known = all.into_iter().filter_map(|(name, value)| {
        Some(Property {
            name: name.to_owned(),
            value: Some(value?),
        })
    });
    known.collect()
}

/// The card that properties make.
pub fn card(properties: &[Property]) -> Card {
    let value = |name: &str| {
        let mut all = properties.iter();
        let found = all.find(|p| p.name.trim().eq_ignore_ascii_case(name))?;
        text(found.value.as_deref()?)
    };
    let lines = LINES.iter();
    let lines = lines.filter_map(|(name, word)| Some(format!("{word}: {}", value(name)?)));
    let (given, family) = (value("PP_FIRST_NAME"), value("PP_LAST_NAME"));
    let nick = value("PP_FRIENDLY_NAME");
    let whole = [given.as_deref(), family.as_deref()];
    let whole: Vec<&str> = whole.into_iter().flatten().collect();
    let age = value("PP_AGE").map(|age| format!("Age: {age}"));
    let gender = value("PP_GENDER").map(|gender| format!("Gender: {gender}"));
    Card {
        name: text(&whole.join(" ")).or_else(|| nick.clone()),
        given,
        family,
        nick,
        city: value("PP_CITY"),
        country: value("PP_COUNTRY"),
        birthday: None,
        gender: None,
        email: value("PP_EMAIL_ADDRESS"),
        phone: value("PP_MOBILE_NUMBER"),
        description: value("PP_FREE_TEXT"),
        notes: age.into_iter().chain(gender).chain(lines).collect(),
        url: None,
        photo: None,
    }
}

/// Years from a day, as `YYYY-MM-DD`, to another.
fn age(birthday: &str, today: DateTime) -> Option<u32> {
    let number = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).take(8).collect();
        digits.parse::<u32>().ok()
    };
    let years = number(&today.to_string())?.checked_sub(number(birthday)?)? / 10_000;
    (years < 150).then_some(years)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_makes_properties_and_properties_a_card() {
        let today = DateTime::read("2024-05-01T12:00:00Z").unwrap();
        let some = |text: &str| Some(text.to_owned());
        let card = Card {
            nick: some("Monty"),
            family: some("Montague"),
            birthday: some("1990-05-02"),
            gender: some("M"),
            city: some("Verona"),
            description: some("In love"),
            notes: vec!["Poet".to_owned()],
            ..Card::default()
        };
        let told = properties(&card, today);
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|p| (p.name.as_str(), p.value.as_deref().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("PP_FRIENDLY_NAME", "Monty"),
                ("PP_LAST_NAME", "Montague"),
                ("PP_AGE", "33"),
                ("PP_GENDER", "M"),
                ("PP_CITY", "Verona"),
                ("PP_FREE_TEXT", "In love"),
            ]
        );
        let property = |(name, value): (&str, &str)| Property {
            name: name.to_owned(),
            value: some(value),
        };
        let all = [
            ("PP_FRIENDLY_NAME", "Bob"),
            ("PP_INTERESTS", "chess"),
            ("PP_AGE", "40"),
            ("PP_COUNTRY", "Norway"),
            ("PP_COLOUR", "red"),
        ];
        let back = super::card(&all.map(property));
        assert_eq!((back.name, back.nick), (some("Bob"), some("Bob")));
        assert_eq!(back.country, some("Norway"));
        assert_eq!(back.notes, ["Age: 40", "Interests: chess"]);
        for (day, years) in [
            ("1990-05-01", Some(34)),
            ("2030-01-01", None),
            ("0001-01-01", None),
        ] {
            assert_eq!(age(day, today), years, "{day}");
        }
    }
}
