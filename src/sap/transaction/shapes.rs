//! What many answers have in common: all of their text but the message's id.

use std::collections::HashMap;
use std::sync::Arc;

/// Shapes that are known at most, and the longest one in bytes; our choice. Peers answer nearly always
/// in the same words.
const MOST: usize = 256;
const LONGEST: usize = 512;

/// Where the message's id stands in a shape. No XML has this character.
const ID: char = '\0';

/// Texts of answers without the id of the message that they answer, by number, each once.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    all: Vec<Shape>,
    by_text: HashMap<Arc<str>, usize>,
    /// Numbers that nobody uses.
    free: Vec<usize>,
    /// Room for the shape that is looked for.
    looked_for: String,
}

#[derive(Debug)]
struct Shape {
    text: Arc<str>,
    users: usize,
}

impl Shapes {
    /// The number of an answer's shape, which has one user more; `None`: it is kept whole.
    pub(super) fn take(&mut self, answer: &str, message: Option<&str>) -> Option<u64> {
        if answer.len() > LONGEST || answer.contains(ID) {
            return None;
        }
        let text = &mut self.looked_for;
        text.clear();
        let id = message.filter(|id| !id.is_empty());
        match id.and_then(|id| answer.split_once(id)) {
            Some((before, after)) => {
                text.push_str(before);
                text.push(ID);
                text.push_str(after);
            }
            None => text.push_str(answer),
        }
        let number = match self.by_text.get(text.as_str()) {
            Some(number) => *number,
            None => self.add()?,
        };
        self.all.get_mut(number)?.users += 1;
        Some(number as u64)
    }

    /// The answer of this shape to a message.
    pub(super) fn answer(&self, number: u64, message: Option<&str>) -> Option<String> {
        let shape = self.all.get(usize::try_from(number).ok()?)?;
        Some(match shape.text.split_once(ID) {
            Some((before, after)) => [before, message.unwrap_or_default(), after].concat(),
            None => shape.text.to_string(),
        })
    }

    /// A shape has one user less.
    pub(super) fn give_back(&mut self, number: u64) {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(shape) = self.all.get_mut(number) else {
            return;
        };
        shape.users = shape.users.saturating_sub(1);
        if shape.users == 0 {
            self.by_text.remove(&shape.text);
            self.free.push(number);
        }
    }

    fn add(&mut self) -> Option<usize> {
        let shape = Shape {
            text: self.looked_for.as_str().into(),
            users: 0,
        };
        let text = shape.text.clone();
        let number = match self.free.pop() {
            Some(number) => {
                *self.all.get_mut(number)? = shape;
                number
            }
            None if self.all.len() < MOST => {
                self.all.push(shape);
                self.all.len() - 1
            }
            None => return None,
        };
        self.by_text.insert(text, number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: &str) -> String {
        format!(
            "<SendMessageResponse messageID=\"{id}\"><Status code=\"200\"/></SendMessageResponse>"
        )
    }

    #[test]
    fn answers_that_differ_in_the_id_have_one_shape_and_are_the_same_again() {
        let mut shapes = Shapes::default();
        for id in ["m-1", "m-2", "200", "a", "m-1"] {
            let number = shapes.take(&answer(id), Some(id)).unwrap();
            assert_eq!(shapes.answer(number, Some(id)), Some(answer(id)));
        }
        // "a" stands in the name of the element already.
        assert_eq!(shapes.by_text.len(), 2);
        let status = "<Status code=\"200\"/>";
        for id in [None, Some(""), Some("m-3")] {
            let number = shapes.take(status, id).unwrap();
            assert_eq!(shapes.answer(number, id).as_deref(), Some(status));
        }
        assert_eq!(shapes.by_text.len(), 3);
    }

    #[test]
    fn a_shape_goes_with_its_last_user_and_there_are_only_so_many() {
        let mut shapes = Shapes::default();
        let text = |n: usize| format!("<Status code=\"{n}\"/>");
        let numbers: Vec<u64> = (0..MOST)
            .map(|n| shapes.take(&text(n), None).unwrap())
            .collect();
        assert_eq!(shapes.take(&text(MOST), None), None);
        assert_eq!(shapes.take(&text(7), None), Some(numbers[7]));
        shapes.give_back(numbers[7]);
        assert_eq!(shapes.take(&text(MOST), None), None);
        shapes.give_back(numbers[7]);
        assert_eq!(shapes.take(&text(MOST), None), Some(numbers[7]));
        assert_eq!(shapes.by_text.len(), MOST);
        for long in ["x".repeat(LONGEST + 1), "\0".to_owned()] {
            assert_eq!(Shapes::default().take(&long, None), None);
        }
    }
}
