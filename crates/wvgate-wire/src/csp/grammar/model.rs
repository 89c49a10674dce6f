//! What a rule says of an element's content.

use super::particle::Particle;

/// The content of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Model {
    /// Nothing.
    Empty,
    /// Any characters.
    Text,
    /// Digits.
    Integer,
    /// `T` or `F`.
    Boolean,
    /// A date and time.
    Date,
    /// One primitive.
    Primitive,
    /// Anything.
    Any,
    /// Elements.
    Elements(Particle),
}

impl Model {
    /// Reads the last column of a rule.
    pub(super) fn parse(text: &'static str) -> Self {
        match text {
            "EMPTY" => Self::Empty,
            "text" => Self::Text,
            "text:int" => Self::Integer,
            "text:bool" => Self::Boolean,
            "text:date" => Self::Date,
            "primitive" => Self::Primitive,
            "any" => Self::Any,
            _ => Self::Elements(Particle::parse(text)),
        }
    }
}
