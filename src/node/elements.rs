//! The service elements of a node, as configuration files and screens call them.

use crate::element::Element;
use crate::sap::transaction::history::domain_of;
use crate::sap::{Origin, Place};

/// What an element is called.
pub fn word(element: Element) -> &'static str {
    if element == crate::gateway::ELEMENT {
        "xmpp"
    } else {
        "local"
    }
}

/// Where a part is, and its transaction there.
pub fn place_name(place: &Place) -> (&str, Option<&str>) {
    match place {
        Place::Peer { peer, id } => (domain_of(peer), Some(id)),
        Place::Element { element, .. } => (word(*element), None),
        Place::Here => ("here", None),
    }
}

/// Where a request came from, and its transaction there.
pub fn origin_name(origin: &Origin) -> (&str, Option<&str>) {
    match origin {
        Origin::Peer { peer, id } => (domain_of(peer), Some(id)),
        Origin::Element { element, .. } => (word(*element), None),
    }
}
