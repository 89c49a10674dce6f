//! Names of peers and elements, each once.

use std::collections::HashMap;

use crate::sap::presented_as::PeerId;

/// Names of those with whom this node has to do, by number. They are those of its configuration, so
/// none is forgotten.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<PeerId>,
    numbers: HashMap<PeerId, u64>,
}

impl Names {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &PeerId) -> u64 {
        match self.numbers.get(name) {
            Some(number) => *number,
            None => self.add(name.clone()),
        }
    }

    /// The number of the same as a text.
    pub(super) fn number_of(&mut self, name: &str) -> u64 {
        match self.numbers.get(name) {
            Some(number) => *number,
            None => self.add(PeerId::new(name)),
        }
    }

    /// The name of a number.
    pub(super) fn name(&self, number: u64) -> Option<&PeerId> {
        self.names.get(usize::try_from(number).ok()?)
    }

    /// Puts the known copy of a name in the place of this one.
    pub(super) fn share(&mut self, name: &mut PeerId) {
        let number = self.number(name);
        if let Some(known) = self.name(number) {
            *name = known.clone();
        }
    }

    fn add(&mut self, name: PeerId) -> u64 {
        let number = self.names.len() as u64;
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number() {
        let mut names = Names::default();
        let a = PeerId::presenting("a.test", "r.test");
        assert_eq!((names.number(&a), names.number_of("b.test")), (0, 1));
        assert_eq!(
            (names.number_of("a.test+r.test"), names.number_of("b.test")),
            (0, 1)
        );
        assert_eq!(names.name(0), Some(&a));
        assert_eq!(names.name(1).map(PeerId::real), Some("b.test"));
        assert_eq!(names.name(2), None);
    }
}
