//! What may stand where, and how often: made from the tables of the typed elements,
//! so that a body that is only passed on is held to them too.

/// The children an element knows.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// Known children, and nothing where an attribute stands. Others may stand there in any
    /// number.
    parts: &'static [Part],
    /// Spellings of one attribute.
    twins: &'static [&'static [&'static str]],
}

/// One kind of child.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// The elements that are it: spellings, or the alternatives of a choice.
    pub elements: &'static [Known],
    /// Whether one of them may stand, rather than any number.
    pub once: bool,
}

/// An element that is known in its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// Its names; case does not count.
    pub names: &'static [&'static str],
    /// What may stand in it.
    pub shape: &'static Shape,
}

impl Shape {
    /// Of an element whose inside nobody looks at.
    pub const OPAQUE: &'static Self = &Self::new(&[], &[]);

    /// Of an element with these children and spellings of attributes.
    ///
    /// # Panics
    /// When compiled, with more than 64 children.
    pub const fn new(parts: &'static [Part], twins: &'static [&'static [&'static str]]) -> Self {
        assert!(parts.len() <= 64, "one bit for each");
        Self { parts, twins }
    }

    /// The known children.
    pub fn parts(&self) -> impl Iterator<Item = &'static Part> {
        self.parts.iter().filter(|part| !part.elements.is_empty())
    }

    /// Attributes whose spellings differ in case alone, with them: which one a reader takes is
    /// then up to the reader.
    pub fn twins(&self) -> impl Iterator<Item = &'static [&'static str]> {
        let same = |names: &&[&str]| matches!(names, [a, b, ..] if a.eq_ignore_ascii_case(b));
        self.twins.iter().copied().filter(same)
    }
}
