//! Names that a peer writes otherwise than the wire profile: the input side of a
//! dialect.

use std::collections::BTreeMap;

use memchr::memmem;

use super::Node;

/// Elements and attributes under other names. Keys are the names as the peer
/// writes them, letter for letter, values the names of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Names {
    /// The profile's name of an element, by the peer's.
    pub elements: BTreeMap<String, String>,
    /// Attributes, keyed `Element@attribute`, with the profile's name of the
    /// element, or `@attribute` for those of every element.
    pub attributes: BTreeMap<String, String>,
}

/// Nothing is called otherwise.
pub(crate) static NO_NAMES: Names = Names {
    elements: BTreeMap::new(),
    attributes: BTreeMap::new(),
};

/// Elements around a primitive, and their attributes.
const ENVELOPE: &[&str] = &[
    "WV-SSP-Message",
    "Session",
    "SetupTransaction",
    "Transaction",
];
const ENVELOPE_ATTRIBUTES: &[&str] = &["sessionID", "transactionID", "mode"];

/// Whether an element called `name`, in any case, may stand in `xml` without prefixes: a glance
/// that saves reading it.
pub fn may_stand_in(xml: &[u8], name: &str) -> bool {
    memchr::memchr_iter(b'<', xml).any(|at| {
        let rest = &xml[at + 1..];
        let starts = rest.get(..name.len());
        starts.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
            && rest
                .get(name.len())
                .is_none_or(|next| matches!(next, b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r'))
    })
}

impl Names {
    /// Whether everything is called as in the profile.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty() && self.attributes.is_empty()
    }

    /// The profile's name of an element that has another one.
    pub fn element(&self, written: &str) -> Option<&str> {
        self.elements.get(written).map(String::as_str)
    }

    /// The profile's name of an attribute of `element` that has another one.
    pub fn attribute(&self, element: &str, written: &str) -> Option<&str> {
        if self.attributes.is_empty() {
            return None;
        }
        self.attributes
            .get(&format!("{element}@{written}"))
            .or_else(|| self.attributes.get(&format!("@{written}")))
            .map(String::as_str)
    }

    /// The part of the names that concerns the envelope: it is read before anybody
    /// knows whose message it is, so for all peers alike.
    #[must_use]
    pub fn of_envelope(&self) -> Self {
        let own = |name: &str| name.is_empty() || ENVELOPE.contains(&name);
        let elements = self.elements.iter();
        let attributes = self.attributes.iter();
        Self {
            elements: elements
                .filter(|(_, ours)| ENVELOPE.contains(&ours.as_str()))
                .map(|(theirs, ours)| (theirs.clone(), ours.clone()))
                .collect(),
            attributes: attributes
                .filter(|(theirs, ours)| {
                    own(theirs.split('@').next().unwrap_or_default())
                        && ENVELOPE_ATTRIBUTES.contains(&ours.as_str())
                })
                .map(|(theirs, ours)| (theirs.clone(), ours.clone()))
                .collect(),
        }
    }

    /// Adds the names of another peer; those here already stay.
    pub fn extend(&mut self, other: Self) {
        for (theirs, ours) in other.elements {
            self.elements.entry(theirs).or_insert(ours);
        }
        for (theirs, ours) in other.attributes {
            self.attributes.entry(theirs).or_insert(ours);
        }
    }

    /// Whether any of the names may stand in `xml`.
    pub fn may_occur(&self, xml: &[u8]) -> bool {
        let attributes = self.attributes.keys();
        self.elements
            .keys()
            .map(String::as_str)
            .chain(attributes.map(|key| key.rsplit('@').next().unwrap_or_default()))
            .any(|name| memmem::find(xml, name.as_bytes()).is_some())
    }

    /// Gives `node` the profile's names. An attribute that is there under both names is taken
    /// under the right one.
    pub fn read<'n>(&'n self, node: &mut Node<'n>) {
        let name = self.element(node.name).unwrap_or(node.name);
        node.name = name;
        let attributes = std::mem::take(&mut node.attributes);
        let is_there = |ours: &str| attributes.iter().any(|(written, _)| *written == ours);
        for (written, value) in &attributes {
            match self.attribute(name, written) {
                Some(ours) if is_there(ours) => {}
                Some(ours) => node.attributes.push((ours, value.clone())),
                None => node.attributes.push((*written, value.clone())),
            }
        }
        for child in &mut node.children {
            self.read(child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_seen_in_any_case_and_no_other_is_taken_for_it() {
        for (xml, seen) in [
            ("<a><Status code='1'/></a>", true),
            ("<a><STATUS>x</STATUS></a>", true),
            ("<a><status\n/></a>", true),
            ("<a><StatusText/></a>", false),
            ("<a Status=''>Status</a>", false),
            ("", false),
        ] {
            assert_eq!(may_stand_in(xml.as_bytes(), "Status"), seen, "{xml}");
        }
    }
}
