//! What the service elements of this node serve, as they say themselves.

use std::collections::BTreeMap;

use super::ServiceSet;
use crate::element::Element;

/// The elements behind this SAP.
#[derive(Debug, Clone, Default)]
pub struct Elements(BTreeMap<Element, Served>);

#[derive(Debug, Clone)]
struct Served {
    functions: ServiceSet,
    word: String,
}

impl Elements {
    /// Adds an element: what it serves, and what screens call it.
    pub fn add(&mut self, element: Element, functions: ServiceSet, word: &str) {
        let word = word.to_owned();
        self.0.insert(element, Served { functions, word });
    }

    /// What an element serves.
    pub fn functions(&self, element: Element) -> ServiceSet {
        let served = self.0.get(&element);
        served.map_or(ServiceSet::NONE, |served| served.functions)
    }

    /// What screens call an element.
    pub fn word(&self, element: Element) -> String {
        let served = self.0.get(&element);
        served.map_or_else(|| element.as_str().to_owned(), |s| s.word.clone())
    }
}
