//! The rule of one element.

use std::collections::{BTreeSet, HashMap};

use super::{Breach, Grammar, Model};
use crate::csp::datetime;
use crate::csp::element::Element;
use crate::csp::hash::Fnv;
use crate::csp::primitive::Primitive;

/// What may stand in an element, and in which order.
#[derive(Debug)]
pub(in crate::csp) struct Rule {
    model: Model,
    /// The place of each child that may stand in it.
    order: HashMap<&'static str, u16, Fnv>,
}

impl Rule {
    pub(super) fn new(model: Model) -> Self {
        let mut order = HashMap::default();
        if let Model::Elements(particle) = &model {
            particle.places(&mut 0, &mut |name, place| {
                order.entry(name).or_insert(place);
            });
        }
        Self { model, order }
    }

    /// The children that may stand in it; `None` if they need not be known.
    pub(in crate::csp) fn order(&self) -> Option<&HashMap<&'static str, u16, Fnv>> {
        match self.model {
            Model::Primitive | Model::Any => None,
            _ => Some(&self.order),
        }
    }

    #[cfg(test)]
    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// Whether nobody looks inside.
    pub(super) fn is_any(&self) -> bool {
        self.model == Model::Any
    }

    /// Holds the element against the rule, without what stands in its children.
    pub(super) fn check(&self, element: &Element<'_>, grammar: &Grammar) -> Result<(), Breach> {
        let text = &element.text;
        let is_text = match &self.model {
            Model::Text | Model::Any => true,
            Model::Integer => !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()),
            Model::Boolean => matches!(text.as_ref(), "T" | "F"),
            Model::Date => datetime::read(text).is_some(),
            Model::Empty | Model::Primitive | Model::Elements(_) => {
                text.is_empty() && element.data.is_none()
            }
        };
        if !is_text {
            let mut breach = Breach::new(element.name, "a text that may not stand there");
            breach.found = text.chars().take(40).collect();
            return Err(breach);
        }
        let names: Vec<&str> = element.children.iter().map(|child| child.name).collect();
        let are_children = match &self.model {
            Model::Any => true,
            Model::Primitive => matches!(names[..], [name] if Primitive::is_known(name)),
            Model::Elements(particle) => {
                let ends = particle.ends(&names, &BTreeSet::from([0]), grammar.is_lenient());
                ends.contains(&names.len())
            }
            _ => names.is_empty(),
        };
        if !are_children {
            let mut breach = Breach::new(element.name, "not the elements it must have");
            breach.found = names.join(" ");
            return Err(breach);
        }
        Ok(())
    }
}
