//! Presence attributes, whose structure SSP has from CSP.

use super::element::Element;
use super::grammar::Grammar;
use super::version::Version;
use crate::imps::presence::{Attribute, AttributeName, Item, PresenceSubList};

/// Whether a version can write a list: what it has no element for is left out, and the rest keeps
/// its grammar.
pub fn fits(list: &PresenceSubList, version: Version) -> bool {
    let mut written = element(list, "PresenceSubList");
    written.arrange(version);
    Grammar::of(version).check(&written).is_ok()
}

/// Reads a `PresenceSubList`.
pub(super) fn read(element: &Element<'_>) -> PresenceSubList {
    let attributes = element.children.iter().map(|child| {
        let qualifier = child.child("Qualifier");
        Attribute {
            name: AttributeName::from_name(child.name),
            qualifier: qualifier.map(|q| matches!(q.text.as_ref(), "T" | "t")),
            fields: child
                .children
                .iter()
                .filter(|field| field.name != "Qualifier")
                .map(read_item)
                .collect(),
        }
    });
    PresenceSubList {
        attributes: attributes.collect(),
    }
}

fn read_item(element: &Element<'_>) -> Item {
    Item {
        name: element.name.to_owned(),
        text: element.text.clone().into_owned(),
        attributes: Vec::new(),
        children: element.children.iter().map(read_item).collect(),
    }
}

/// A `PresenceSubList` as an element.
pub(super) fn element<'v>(list: &'v PresenceSubList, name: &'static str) -> Element<'v> {
    let attribute = |attribute: &'v Attribute| {
        let qualifier = attribute.qualifier.map(|q| if q { "T" } else { "F" });
        let qualifier = qualifier.map(|text| Element::leaf("Qualifier", text));
        let fields = attribute.fields.iter().map(item);
        Element::of(
            attribute.name.as_str(),
            qualifier.into_iter().chain(fields).collect(),
        )
    };
    Element::of(name, list.attributes.iter().map(attribute).collect())
}

fn item(item: &Item) -> Element<'_> {
    Element {
        text: item.text.as_str().into(),
        children: item.children.iter().map(self::item).collect(),
        ..Element::of(&item.name, Vec::new())
    }
}
