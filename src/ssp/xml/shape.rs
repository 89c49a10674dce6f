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
    /// Nothing of the inside matters.
    opaque: bool,
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
        let (mut opaque, mut at) = (true, 0);
        while at < parts.len() {
            opaque &= parts[at].elements.is_empty();
            at += 1;
        }
        at = 0;
        while at < twins.len() {
            opaque &= twins[at].is_empty();
            at += 1;
        }
        Self {
            parts,
            twins,
            opaque,
        }
    }

    /// The known children.
    pub fn parts(&self) -> impl Iterator<Item = &'static Part> {
        self.parts.iter().filter(|part| !part.elements.is_empty())
    }

    /// The part that the child called `name` is, and the child.
    pub fn find(&self, name: &str) -> Option<(usize, &'static Part, &'static Known)> {
        // Plain loops: this is done for each element of each message.
        for (number, part) in self.parts.iter().enumerate() {
            for known in part.elements {
                for own in known.names {
                    if *own == name || own.eq_ignore_ascii_case(name) {
                        return Some((number, part, known));
                    }
                }
            }
        }
        None
    }

    /// Attributes whose spellings differ in case alone, with them: which one a reader takes is
    /// then up to the reader.
    pub fn twins(&self) -> impl Iterator<Item = &'static [&'static str]> {
        let same = |names: &&[&str]| matches!(names, [a, b, ..] if a.eq_ignore_ascii_case(b));
        self.twins.iter().copied().filter(same)
    }
}

/// Watches the children of an element, and theirs, while it is read.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The known elements open now, from the outermost on, and which of their parts
    /// have been met.
    open: Vec<(&'static Shape, u64)>,
}

impl Watch {
    /// Begins in an element of this shape.
    pub(crate) fn new(shape: &'static Shape) -> Self {
        let mut open = Vec::with_capacity(6);
        open.push((shape, 0));
        Self { open }
    }

    /// Takes note of a child called `name` that has begun `level` levels below the first
    /// element; gives its shape if something in it matters.
    ///
    /// # Errors
    /// The name of a child that may stand once and has stood before.
    pub(crate) fn child(
        &mut self,
        level: usize,
        name: &str,
    ) -> Result<Option<&'static Shape>, &'static str> {
        if self.open.len() < level {
            return Ok(None);
        }
        // What is deeper has ended.
        self.open.truncate(level);
        let Some((shape, met)) = self.open.last_mut() else {
            return Ok(None);
        };
        let Some((number, part, known)) = shape.find(name) else {
            return Ok(None);
        };
        if part.once {
            let bit = 1 << number;
            if *met & bit != 0 {
                return Err(known.names[0]);
            }
            *met |= bit;
        }
        if known.shape.opaque {
            return Ok(None);
        }
        self.open.push((known.shape, 0));
        Ok(Some(known.shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: Known = Known {
        names: &["Leaf"],
        shape: Shape::OPAQUE,
    };
    const fn part(elements: &'static [Known], once: bool) -> Part {
        Part { elements, once }
    }
    const BUD: Known = Known {
        names: &["Bud", "Blossom"],
        shape: Shape::OPAQUE,
    };
    const BRANCH: Known = Known {
        names: &["Branch"],
        shape: &Shape::new(&[part(&[LEAF, BUD], true)], &[]),
    };
    const TREE: Shape = Shape::new(&[part(&[LEAF], true), part(&[BRANCH], false)], &[]);

    fn walk(children: &[(usize, &str)]) -> Result<(), &'static str> {
        let mut watch = Watch::new(&TREE);
        for (level, name) in children {
            watch.child(*level, name)?;
        }
        Ok(())
    }

    #[test]
    fn what_may_stand_once_stands_once_in_each_element() {
        assert_eq!(
            walk(&[(1, "leaf"), (1, "x"), (2, "Leaf"), (1, "x")]),
            Ok(())
        );
        assert_eq!(walk(&[(1, "leaf"), (1, "x"), (1, "LEAF")]), Err("Leaf"));
        let branches = [(1, "Branch"), (2, "Leaf"), (1, "Branch"), (2, "Bud")];
        assert_eq!(walk(&branches), Ok(()));
        let choice = [(1, "Branch"), (2, "Blossom"), (3, "Leaf"), (2, "Leaf")];
        assert_eq!(walk(&choice), Err("Leaf"));
    }
}
