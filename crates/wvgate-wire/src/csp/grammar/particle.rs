//! A content model: elements in order, alternatives, and how often.

use std::collections::BTreeSet;

/// A part of a content model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Particle {
    pub(super) term: Term,
    /// Whether it may be left out.
    pub(super) optional: bool,
    /// Whether it may stand again.
    pub(super) repeated: bool,
}

/// What a particle is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// An element of this local name.
    Name(&'static str),
    /// One after the other.
    Sequence(Vec<Particle>),
    /// Exactly one of these.
    Choice(Vec<Particle>),
}

impl Particle {
    /// Reads a content model.
    pub(super) fn parse(text: &'static str) -> Self {
        let mut rest = text;
        Self::group(&mut rest)
    }

    /// The names it has, and their places in the order. Those that repeat together share a place,
    /// so that their own order stays.
    pub(super) fn places(&self, place: &mut u16, tell: &mut impl FnMut(&'static str, u16)) {
        self.places_in(place, false, tell);
    }

    fn places_in(&self, place: &mut u16, shared: bool, tell: &mut impl FnMut(&'static str, u16)) {
        match &self.term {
            Term::Name(name) => {
                tell(name, *place);
                *place += u16::from(!shared);
            }
            Term::Sequence(parts) | Term::Choice(parts) => {
                let together = shared || self.repeated;
                for part in parts {
                    part.places_in(place, together, tell);
                }
                *place += u16::from(together && !shared);
            }
        }
    }

    /// From the places in `from`, where in `names` the particle may have ended. `lenient`: a choice
    /// may be left out.
    pub(super) fn ends(
        &self,
        names: &[&str],
        from: &BTreeSet<usize>,
        lenient: bool,
    ) -> BTreeSet<usize> {
        let mut ends = self.once(names, from, lenient);
        if self.repeated {
            loop {
                let before = ends.len();
                let more = self.once(names, &ends, lenient);
                ends.extend(more);
                if ends.len() == before {
                    break;
                }
            }
        }
        if self.optional || lenient && matches!(self.term, Term::Choice(_)) {
            ends.extend(from);
        }
        ends
    }

    fn once(&self, names: &[&str], from: &BTreeSet<usize>, lenient: bool) -> BTreeSet<usize> {
        match &self.term {
            Term::Name(name) => {
                let there = from.iter().filter(|at| names.get(**at) == Some(name));
                there.map(|at| at + 1).collect()
            }
            Term::Sequence(parts) => parts
                .iter()
                .fold(from.clone(), |from, part| part.ends(names, &from, lenient)),
            Term::Choice(parts) => {
                let ends = parts.iter().map(|part| part.ends(names, from, lenient));
                ends.flatten().collect()
            }
        }
    }

    /// What stands up to the end or a closing bracket.
    fn group(rest: &mut &'static str) -> Self {
        let mut parts = Vec::new();
        let mut is_choice = false;
        loop {
            *rest = rest.trim_start();
            let Some(first) = rest.chars().next() else {
                break;
            };
            match first {
                ')' => {
                    *rest = &rest[1..];
                    break;
                }
                '|' => {
                    is_choice = true;
                    *rest = &rest[1..];
                }
                '(' => {
                    *rest = &rest[1..];
                    let inner = Self::group(rest);
                    parts.push(inner.often(rest));
                }
                _ => {
                    let end = rest
                        .find(|c: char| " ()|?*+".contains(c))
                        .unwrap_or(rest.len());
                    let (name, behind) = rest.split_at(end.max(1));
                    *rest = behind;
                    let named = Self {
                        term: Term::Name(name),
                        optional: false,
                        repeated: false,
                    };
                    parts.push(named.often(rest));
                }
            }
        }
        Self {
            term: if is_choice {
                Term::Choice(parts)
            } else {
                Term::Sequence(parts)
            },
            optional: false,
            repeated: false,
        }
    }

    /// Takes the mark of how often behind it.
    fn often(mut self, rest: &mut &'static str) -> Self {
        let mark = rest.chars().next();
        self.optional |= matches!(mark, Some('?' | '*'));
        self.repeated |= matches!(mark, Some('*' | '+'));
        if matches!(mark, Some('?' | '*' | '+')) {
            *rest = &rest[1..];
        }
        self
    }
}
