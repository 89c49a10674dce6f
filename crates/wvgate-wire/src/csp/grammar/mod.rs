//! What may stand in which element, by version: the grammar that the writer keeps.
//!
//! The rules are data (`data/grammar.tsv`), read when the first message is written.

mod breach;
mod model;
mod particle;
mod rule;
#[cfg(test)]
pub(super) mod tests_only;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use breach::Breach;
use model::Model;
pub(super) use rule::Rule;

use super::element::Element;
use super::hash::Fnv;
use super::version::Version;

/// The rules of one version.
#[derive(Debug, Default)]
pub struct Grammar {
    rules: HashMap<&'static str, Rule, Fnv>,
    /// Of elements below `PresenceSubList`, where they are others.
    presence: HashMap<&'static str, Rule, Fnv>,
    is_lenient: bool,
}

static GRAMMARS: LazyLock<[Grammar; 3]> = LazyLock::new(|| Version::ALL.map(Grammar::load));

impl Grammar {
    /// The grammar of a version.
    pub fn of(version: Version) -> &'static Self {
        &GRAMMARS[version.index()]
    }

    /// The rule of an element; `presence`: below `PresenceSubList`.
    pub(super) fn rule(&self, name: &str, presence: bool) -> Option<&Rule> {
        let special = presence.then(|| self.presence.get(name)).flatten();
        // A rule that is only among those of presence holds for the list itself, too.
        special.or_else(|| self.rules.get(name).or_else(|| self.presence.get(name)))
    }

    /// Whether the version has an element of this name.
    pub fn has(&self, name: &str) -> bool {
        self.rules.contains_key(name)
    }

    /// Whether `child` may stand in `parent`.
    pub(super) fn allows(&self, parent: &str, child: &str) -> bool {
        let rule = self.rule(parent, false);
        let order = rule.and_then(Rule::order);
        order.is_some_and(|order| order.contains_key(child))
    }

    /// Names that have a rule, those of presence included.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.rules.keys().chain(self.presence.keys()).copied()
    }

    /// Holds an element and all in it against the rules, letter by letter.
    ///
    /// # Errors
    /// The first breach.
    pub fn check(&self, element: &Element<'_>) -> Result<(), Breach> {
        self.check_in(element, element.name == "PresenceSubList")
    }

    fn check_in(&self, element: &Element<'_>, presence: bool) -> Result<(), Breach> {
        let Some(rule) = self.rule(element.name, presence) else {
            return Err(Breach::new(element.name, "the version has no such element"));
        };
        rule.check(element, self)?;
        if rule.is_any() {
            return Ok(());
        }
        element
            .children
            .iter()
            .try_for_each(|child| self.check_in(child, presence || child.name == "PresenceSubList"))
    }

    /// Whether a choice may be left out though nothing says so.
    fn is_lenient(&self) -> bool {
        self.is_lenient
    }

    fn load(version: Version) -> Self {
        let mut grammar = Self {
            is_lenient: version == Version::V1_3,
            ..Self::default()
        };
        for line in include_str!("../data/grammar.tsv").lines() {
            let mut columns = line.split('\t');
            if columns.next() != Some(version.as_str()) {
                continue;
            }
            let (Some(scope), Some(name), Some(content)) =
                (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            let rules = match scope {
                "presence" => &mut grammar.presence,
                _ => &mut grammar.rules,
            };
            rules.insert(name, Rule::new(Model::parse(content)));
        }
        grammar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_child_that_a_rule_names_has_a_rule_of_its_own() {
        for version in Version::ALL {
            let grammar = Grammar::of(version);
            for (name, rule) in grammar.rules.iter().chain(&grammar.presence) {
                let presence = grammar.presence.contains_key(name);
                let children = rule.order().into_iter().flat_map(|order| order.keys());
                let unknown = children
                    .filter(|child| grammar.rule(child, presence).is_none())
                    .collect::<Vec<_>>();
                assert!(unknown.is_empty(), "{version} {name}: {unknown:?}");
            }
            assert!(grammar.names().count() > 250, "{version}");
        }
    }

    #[test]
    fn children_in_another_order_or_too_few_are_a_breach() {
        let grammar = Grammar::of(Version::V1_2);
        let url = || Element::leaf("URL", "u");
        let number = || Element::leaf("MSISDN", "1");
        let of = |children| Element::of("ClientID", children);
        assert_eq!(grammar.check(&of(vec![url(), number()])), Ok(()));
        assert_eq!(grammar.check(&of(vec![])), Ok(()));
        for wrong in [
            of(vec![number(), url()]),
            of(vec![url(), url()]),
            Element::of("Watcher", vec![]),
            Element::of("Group", vec![Element::leaf("GroupID", "g"), url()]),
            Element::leaf("ClientID", "text"),
            Element::leaf("Code", "many"),
            Element::leaf("Acceptance", "yes"),
            Element::leaf("CIRHTTPAddress", ""),
        ] {
            assert!(grammar.check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
