//! What is minded on the way through a primitive, in one table: which of its elements may stand
//! once, which spellings of attributes must agree, and where addresses stand. It is made of the
//! shapes and places that the elements declare, so that it cannot differ from what is decoded.

use std::sync::LazyLock;

use super::places::{ALL, Place, Role};
use super::{FACTS, Facts, UNKNOWN};
use crate::imps::xml::Shape;

/// An element, as far as anything in it is minded.
#[derive(Debug)]
pub(crate) struct Outline {
    /// Only those that may stand once, or in which something is minded.
    children: Vec<Child>,
    /// Its addresses that are noted, or that speak.
    pub(crate) places: Vec<&'static Place>,
    /// Its attributes whose spellings differ in case alone.
    pub(crate) twins: Vec<&'static [&'static str]>,
    /// Which one it is of those that tell more than addresses.
    pub(crate) info: Option<Info>,
}

/// An element that tells a relay more than addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Info {
    /// `MetaInfo`.
    Meta,
    /// `MessageInfo`.
    Message,
    /// The `Status` of an answer.
    Status,
}

#[derive(Debug)]
struct Child {
    name: &'static str,
    /// Its first spelling.
    usual: &'static str,
    /// The bit of what may stand once, common to spellings and alternatives; or none.
    once: u64,
    element: Outline,
}

/// In the order of [`FACTS`]; behind them, of a primitive that is not known.
static OUTLINES: LazyLock<Vec<Outline>> = LazyLock::new(|| {
    let shapes = FACTS.iter().map(|facts| facts.shape).chain([UNKNOWN]);
    let outline =
        |(shape, places): (_, &'static Vec<Place>)| Outline::new(shape, &mut Vec::new(), places);
    shapes.zip(ALL.iter()).map(outline).collect()
});

/// What is known of the primitive called `name`, in any case, and what is minded in it.
pub(crate) fn outline(name: &str) -> (Option<&'static Facts>, &'static Outline) {
    match position(FACTS, |facts| facts.name, name) {
        Some(number) => (Some(&FACTS[number]), &OUTLINES[number]),
        None => (None, &OUTLINES[FACTS.len()]),
    }
}

/// Where `name` is in a table, in any case.
fn position<T>(table: &[T], name_of: impl Fn(&T) -> &str, name: &str) -> Option<usize> {
    // As it stands in the table it is found sooner.
    let exact = table.iter().position(|row| name_of(row) == name);
    let any_case = |row: &T| name_of(row).eq_ignore_ascii_case(name);
    exact.or_else(|| table.iter().position(any_case))
}

impl Outline {
    /// Of an element of this shape that is `at` such a place of a primitive with these `places`.
    fn new(shape: &'static Shape, at: &mut Vec<&'static str>, places: &'static [Place]) -> Self {
        let is_minded = |place: &&Place| place.role != Role::Named || place.noted.is_some();
        let here = places.iter().filter(is_minded);
        let here = here.filter(|place| place.path == *at).collect();
        let mut children = Vec::new();
        for (number, part) in shape.parts().enumerate() {
            for known in part.elements {
                for name in known.names {
                    at.push(name);
                    let element = Self::new(known.shape, at, places);
                    at.pop();
                    let once = if part.once { 1 << number } else { 0 };
                    if once != 0 || element.is_noted() || !element.children.is_empty() {
                        children.push(Child {
                            name,
                            usual: known.names[0],
                            once,
                            element,
                        });
                    }
                }
            }
        }
        Self {
            children,
            places: here,
            twins: shape.twins().collect(),
            info: match at[..] {
                ["MetaInfo"] => Some(Info::Meta),
                ["MessageInfo"] => Some(Info::Message),
                ["Status"] => Some(Info::Status),
                _ => None,
            },
        }
    }

    /// Whether something in its tag is minded.
    fn is_noted(&self) -> bool {
        !self.places.is_empty() || !self.twins.is_empty() || self.info.is_some()
    }

    fn find(&self, name: &str) -> Option<&Child> {
        let number = position(&self.children, |child| child.name, name)?;
        self.children.get(number)
    }
}

/// Walks through a primitive while it is read, and watches that what may stand once does.
#[derive(Debug)]
pub(crate) struct Walk<'o> {
    /// The elements open now in which something is minded, from the primitive on, and which of
    /// their children have been met.
    open: Vec<(&'o Outline, u64)>,
}

impl<'o> Walk<'o> {
    /// Begins in a primitive.
    pub(crate) fn new(outline: &'o Outline) -> Self {
        let mut open = Vec::with_capacity(6);
        open.push((outline, 0));
        Self { open }
    }

    /// Goes on to a child called `name` that has begun `level` levels below the primitive; gives
    /// it if something in its tag is minded.
    ///
    /// # Errors
    /// The name of a child that may stand once and has stood before.
    pub(crate) fn child(
        &mut self,
        level: usize,
        name: &str,
    ) -> Result<Option<&'o Outline>, &'static str> {
        if self.open.len() < level {
            return Ok(None);
        }
        // What is deeper has ended.
        self.open.truncate(level);
        let Some((outline, met)) = self.open.last_mut() else {
            return Ok(None);
        };
        let Some(child) = outline.find(name) else {
            return Ok(None);
        };
        if *met & child.once != 0 {
            return Err(child.usual);
        }
        *met |= child.once;
        let element = &child.element;
        if !element.children.is_empty() {
            self.open.push((element, 0));
        }
        Ok(element.is_noted().then_some(element))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::xml::shape::{Known, Part};

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
    const TREE: &Shape = &Shape::new(&[part(&[LEAF], true), part(&[BRANCH], false)], &[]);

    fn walk(children: &[(usize, &str)]) -> Result<(), &'static str> {
        let outline = Outline::new(TREE, &mut Vec::new(), &[]);
        let mut walk = Walk::new(&outline);
        for (level, name) in children {
            walk.child(*level, name)?;
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

    /// Places and shapes are declared side by side: neither may lack what the other has.
    #[test]
    fn every_place_that_is_minded_is_in_the_outline() {
        fn count(outline: &Outline) -> usize {
            let below = outline.children.iter().map(|child| count(&child.element));
            outline.places.len() + below.sum::<usize>()
        }
        for (outline, places) in OUTLINES.iter().zip(ALL.iter()) {
            let is_minded = |place: &&Place| place.role != Role::Named || place.noted.is_some();
            let minded = places.iter().filter(is_minded);
            assert_eq!(count(outline), minded.count(), "{places:?}");
        }
    }
}
