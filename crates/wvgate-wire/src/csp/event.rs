//! What a document is made of, whatever its encoding: the one stream that XML and WBXML are read
//! into.

use std::borrow::Cow;

use crate::imps::xml::Malformed;

/// One piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// An element of this local name begins.
    Start(&'a str),
    /// The element that began last declares a namespace.
    Namespace(Cow<'a, str>),
    /// Characters of the innermost element.
    Text(Cow<'a, str>),
    /// Bytes of the innermost element that are no text.
    Data(Cow<'a, [u8]>),
    /// The innermost element ends.
    End,
}

/// A reader of one encoding.
pub(super) trait Source<'a> {
    /// The next piece; `None` if nothing is left.
    fn next(&mut self) -> Result<Option<Event<'a>>, Malformed>;

    /// The root has ended: nothing that counts may follow.
    fn end(&mut self) -> Result<(), Malformed>;
}
