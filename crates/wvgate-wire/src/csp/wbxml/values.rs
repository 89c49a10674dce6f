//! Values: texts that have a number of their own.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::tags::rows;
use crate::csp::hash::Fnv;
use crate::csp::version::Version;

/// The values of all versions.
#[derive(Debug, Default)]
pub(super) struct Values {
    by_number: HashMap<u32, Vec<&'static str>, Fnv>,
    /// By text: numbers, and the versions that have them.
    by_text: HashMap<&'static str, Vec<(u32, [bool; 3])>, Fnv>,
}

static VALUES: LazyLock<Values> = LazyLock::new(Values::load);

impl Values {
    pub(super) fn all() -> &'static Self {
        &VALUES
    }

    /// The text of a number in `element`.
    pub(super) fn text(&self, number: u32, element: &str) -> Option<&'static str> {
        let texts = self.by_number.get(&number)?;
        let of_here = texts.iter().find(|text| is_of(number, text, element));
        of_here.or_else(|| texts.first()).copied()
    }

    /// The number of a text in `element`; `None` if the version has none for it.
    pub(super) fn number(&self, text: &str, element: &str, version: Version) -> Option<u32> {
        let numbers = self.by_text.get(text)?;
        let mut own = numbers.iter().filter(|(_, of)| of[version.index()]);
        own.find(|(number, _)| is_of(*number, text, element))
            .map(|(number, _)| *number)
    }

    fn load() -> Self {
        let mut values = Self::default();
        for [_, number, text, versions, _] in rows("value") {
            let Ok(number) = u32::from_str_radix(number, 16) else {
                continue;
            };
            let of = Version::ALL.map(|v| versions.split(',').any(|of| of == v.as_str()));
            values.by_number.entry(number).or_default().push(text);
            values.by_text.entry(text).or_default().push((number, of));
        }
        values
    }
}

/// Whether a number stands for the text in this element, where numbers or texts are there twice.
fn is_of(number: u32, text: &str, element: &str) -> bool {
    let in_presence = matches!(element, "Cap" | "PrefC");
    match (number, text) {
        (0x3D, "GROUP_ID") => element == "SearchElement",
        (0x3D, _) => element != "SearchElement",
        (0x68, "AP") => element == "InviteType",
        // The older of two numbers for one text.
        (0x68, _) => false,
        (0x43, _) => !in_presence,
        (0x75, _) => in_presence,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_twice_is_told_apart_by_the_element() {
        let values = Values::all();
        assert_eq!(values.text(0x3D, "SearchElement"), Some("GROUP_ID"));
        assert_eq!(values.text(0x3D, "Name"), Some("History"));
        assert_eq!(values.text(0x68, "InviteType"), Some("AP"));
        assert_eq!(values.text(0x68, "Cap"), Some("IM"));
        assert_eq!(values.text(0x92, "Cap"), None);
        let number = |text, element| values.number(text, element, Version::V1_3);
        assert_eq!(number("SMS", "SupportedBearer"), Some(0x43));
        assert_eq!(number("SMS", "Cap"), Some(0x75));
        assert_eq!(number("IM", "Cap"), Some(0x12));
        assert_eq!(number("GROUP_ID", "Name"), None);
        assert_eq!(values.number("Tiny", "Size", Version::V1_2), None);
    }

    #[test]
    fn every_number_of_a_version_is_read_as_the_text_it_was_written_for() {
        let values = Values::all();
        for version in Version::ALL {
            for element in [
                "SearchElement",
                "Name",
                "InviteType",
                "Cap",
                "SupportedBearer",
            ] {
                for text in values.by_text.keys() {
                    if let Some(number) = values.number(text, element, version) {
                        assert_eq!(values.text(number, element), Some(*text), "{element}");
                    }
                }
            }
        }
    }
}
