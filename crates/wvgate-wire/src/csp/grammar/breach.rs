//! What is wrong with an element.

use std::fmt;

/// Where a rule is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Local name of the element whose content is not as it must be.
    pub element: String,
    /// What is wrong with it.
    pub why: &'static str,
    /// What stands in it.
    pub found: String,
}

impl Breach {
    pub(super) fn new(element: &str, why: &'static str) -> Self {
        Self {
            element: element.to_owned(),
            why,
            found: String::new(),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>: {}", self.element, self.why)?;
        if !self.found.is_empty() {
            write!(f, " ({})", self.found)?;
        }
        Ok(())
    }
}
