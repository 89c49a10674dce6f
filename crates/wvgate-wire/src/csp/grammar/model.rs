//! What a rule says of an element's content.

use super::particle::Particle;

/// The content of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Model {
    /// Has neither text nor children.
    Empty,
    /// Characters of any kind, without children.
    Text,
    /// A number without sign, in decimal digits.
    Integer,
    /// `T` or `F`.
    Boolean,
    /// A moment, in a form of ISO 8601.
    Date,
    /// Exactly one element that is a primitive of the version.
    Primitive,
    /// Not looked into: presence values and extensions.
    Any,
    /// Children only, in this arrangement.
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
