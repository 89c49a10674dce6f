//! Kinds of clients: by what they are known, and what is done otherwise for them. Data, one TOML
//! file each in `mappings/clients/`.

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::switches::Switches;
use crate::csp::primitive::FACTS;

const BUILT_IN: [&str; 3] = [
    include_str!("../../../mappings/clients/android.toml"),
    include_str!("../../../mappings/clients/colibria.toml"),
    include_str!("../../../mappings/clients/nokia.toml"),
];

/// The most names of primitives in one table.
const MAX_UNANSWERED: usize = 16;

/// One kind of client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientKind {
    /// Name, as the configuration refers to it.
    pub name: String,
    /// By what such clients are known; one of these is enough. None: by the configuration alone.
    pub known_by: Vec<Identity>,
    /// What is done otherwise for them.
    pub switches: Switches,
}

/// What is wrong with the table of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindFault {
    /// The key it is about.
    pub key: &'static str,
    /// What is wrong.
    pub what: String,
}

impl ClientKind {
    /// Reads a table.
    ///
    /// # Errors
    /// It is no such table: where and why.
    pub fn from_toml(text: &str) -> Result<Self, toml_edit::de::Error> {
        toml_edit::de::from_str(text)
    }

    /// The kinds that this program knows.
    ///
    /// # Errors
    /// Never: a test reads them.
    pub fn built_in() -> Result<Vec<Self>, toml_edit::de::Error> {
        BUILT_IN.iter().map(|text| Self::from_toml(text)).collect()
    }

    /// What makes no sense in a table that could be read.
    pub fn faults(&self) -> Vec<KindFault> {
        let mut faults = Vec::new();
        let mut fault = |key, what: &str| {
            let what = what.to_owned();
            faults.push(KindFault { key, what });
        };
        if self.known_by.iter().any(Identity::is_anybody) {
            fault("known_by", "an entry that says nothing is every client");
        }
        let unanswered = &self.switches.unanswered;
        let is_known = |name: &String| FACTS.iter().any(|facts| facts.name == name);
        if unanswered.len() > MAX_UNANSWERED || !unanswered.iter().all(is_known) {
            fault("switches.unanswered", "up to 16 names of primitives");
        }
        faults
    }

    /// Whether a client is of this kind by what it says of itself.
    pub fn is_of(&self, client: &Identity) -> bool {
        self.known_by.iter().any(|pattern| client.fits(pattern))
    }

    /// The switches for a client: those of the first kind that it is of.
    pub fn switches_for(kinds: &[Self], client: &Identity) -> Switches {
        let kind = kinds.iter().find(|kind| kind.is_of(client));
        kind.map(|kind| kind.switches.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_kinds_make_sense_and_each_is_known_by_its_own_marks() {
        let kinds = ClientKind::built_in().unwrap();
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
        assert_eq!(names, ["android", "colibria", "nokia"]);
        for kind in &kinds {
            assert_eq!(kind.faults(), [], "{}", kind.name);
            for marks in &kind.known_by {
                let of = kinds.iter().filter(|other| other.is_of(marks));
                let of: Vec<&str> = of.map(|other| other.name.as_str()).collect();
                assert_eq!(of, [kind.name.as_str()], "{marks:?}");
            }
        }
    }

    #[test]
    fn a_wrong_key_an_unknown_primitive_and_marks_that_everybody_has_are_told() {
        let error = ClientKind::from_toml("name = \"x\"\n[switches]\nflat = true\n");
        assert!(error.unwrap_err().to_string().contains("flat"));
        for wrong in ["[switches]\nunanswered = [\"Nothing\"]", "[[known_by]]\n"] {
            let kind = ClientKind::from_toml(wrong).unwrap();
            assert_eq!(kind.faults().len(), 1, "{wrong}");
        }
    }

    #[test]
    fn who_is_of_no_kind_has_no_switches() {
        let kinds = ClientKind::built_in().unwrap();
        let nobody = ClientKind::switches_for(&kinds, &Identity::default());
        assert_eq!(nobody, Switches::default());
    }
}
