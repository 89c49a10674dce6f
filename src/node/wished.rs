//! What elements want of the process around the node, and the way back.

use tokio::sync::mpsc;

use super::releaser::Back;
use crate::element::{Element, Wish};

/// What an element wants of the process around the node.
///
/// What came of it is with the owner before [`Wished::grant`] returns, so that whoever then ends the
/// node ends it after the answer has gone out. One that is dropped is answered without a line.
#[derive(Debug)]
pub struct Wished {
    wish: Wish,
    by: Element,
    number: u64,
    lines: Vec<String>,
    back: mpsc::UnboundedSender<Back>,
}

impl Wished {
    pub(super) fn new(
        wish: Wish,
        by: Element,
        number: u64,
        back: mpsc::UnboundedSender<Back>,
    ) -> Self {
        Self {
            wish,
            by,
            number,
            lines: Vec::new(),
            back,
        }
    }

    /// What it wants.
    pub fn wish(&self) -> Wish {
        self.wish
    }

    /// Tells what came of it, in lines.
    pub fn grant(mut self, lines: Vec<String>) {
        self.lines = lines;
    }
}

impl Drop for Wished {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let granted = Back::Granted(self.by, self.number, lines);
        // Without an owner nobody waits for it.
        let _ = self.back.send(granted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_a_wish_is_with_the_owner_at_once_and_one_that_nobody_takes_is_answered() {
        let (back, mut owner) = mpsc::unbounded_channel();
        let by = Element::named("Gateway");
        let wished = |number| Wished::new(Wish::Drain, by, number, back.clone());
        wished(1).grant(vec!["Done.".to_owned()]);
        drop(wished(2));
        for (number, said) in [(1, 1), (2, 0)] {
            let Ok(Back::Granted(to, of, lines)) = owner.try_recv() else {
                panic!("wish {number} is not answered");
            };
            assert_eq!((to, of, lines.len()), (by, number, said));
        }
    }
}
