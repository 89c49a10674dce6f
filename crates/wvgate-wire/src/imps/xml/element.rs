//! Typed elements: one table per element gives its struct, reader and writer.
//!
//! A primitive is written down once, by `element!`, in the order in which its
//! children are emitted; reading accepts any order and ignores what it does not
//! know (wire profile, 3). So what one side prints the other can parse.

use std::borrow::Cow;

use super::{Node, Shape, Writer};
use crate::imps::status::Status;

/// Why a well-formed element is not the primitive its name promises.
/// Answered with status 400 or 402 by the SAP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A required attribute or child is not there.
    #[error("<{element}> lacks {what}")]
    Missing {
        /// Name of the element.
        element: &'static str,
        /// The attribute or child.
        what: &'static str,
    },
    /// An attribute or text has no meaning in its place.
    #[error("<{element}> has an unusable {what}")]
    Invalid {
        /// Name of the element.
        element: &'static str,
        /// The attribute or child.
        what: &'static str,
    },
}

/// Content of an element: how it is read from, and written into, a tag whose
/// name the parent decides.
pub trait Content: Sized {
    /// What may stand in the element, and how often.
    const SHAPE: &'static Shape = Shape::OPAQUE;

    /// Reads the element.
    ///
    /// # Errors
    /// Something required is missing or unusable.
    fn read(node: &Node<'_>) -> Result<Self, DecodeError>;

    /// Writes the element as `<name …>`.
    fn write(&self, name: &str, out: &mut Writer<'_>);

    /// Tells each place below the element, which is `at`, where an address stands: the
    /// elements on the way down, and the attribute.
    fn places(_at: &mut Vec<&'static str>, _found: &mut dyn FnMut(&[&'static str], &'static str)) {}

    /// The `Status` that is a child of the element.
    fn verdict(&self) -> Option<&Status> {
        None
    }
}

/// A value that stands in an attribute or is the only text of an element.
pub trait Field: Sized {
    /// Whether the value is an address.
    const ADDRESS: bool = false;

    /// Reads the value; `None` if it has no meaning.
    fn parse(text: &str) -> Option<Self>;
    /// Writes the value.
    fn print(&self) -> Cow<'_, str>;
}

impl Field for String {
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn print(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

/// `Yes` or `No`, compared without regard to case; everything that is not yes
/// is no (wire profile, 3).
impl Field for bool {
    fn parse(text: &str) -> Option<Self> {
        Some(text.trim().eq_ignore_ascii_case("yes"))
    }
    fn print(&self) -> Cow<'_, str> {
        Cow::Borrowed(if *self { "Yes" } else { "No" })
    }
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn parse(text: &str) -> Option<Self> { text.trim().parse().ok() }
            fn print(&self) -> Cow<'_, str> { Cow::Owned(self.to_string()) }
        }
    )*};
}
number!(u16, u32, u64, i32);

impl Content for String {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        Ok(node.text.clone().into_owned())
    }
    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| out.text(self));
    }
}

impl Content for u32 {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        <u32 as Field>::parse(&node.text).ok_or(DecodeError::Invalid {
            element: "number",
            what: "value",
        })
    }
    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| out.text(&self.to_string()));
    }
}

/// An element without content, whose presence is all it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Empty;

impl Content for Empty {
    fn read(_: &Node<'_>) -> Result<Self, DecodeError> {
        Ok(Self)
    }
    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |_| {});
    }
}

/// Declares typed elements.
///
/// Each field names its kind, the names it is read by (the first one is
/// written), and its type:
///
/// * `attr one "x" f: T` required attribute; `attr opt` is an `Option<T>`;
///   `attr def` falls back to the default and is always written;
/// * `child one "X" f: T` required child; `child opt`; `child many` is a `Vec<T>`;
/// * `list of "X" / "Y" f: T` a wrapper `X` holding `Y`s: an `Option<Vec<T>>`;
///   `list many` may stand several times, and is one list;
/// * `text own f: T` the element's own text;
/// * `choice one f: T` the first child that is one of an [`choice!`]'s
///   alternatives; `choice opt`, `choice many` likewise.
macro_rules! element {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$fmeta:meta])* $kind:ident $mode:ident $($xml:literal)|* $(/ $item:literal)? $field:ident : $type:ty ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$fmeta])* pub $field: $crate::imps::xml::element::field_type!($kind $mode, $type), )*
        }

        impl $crate::imps::xml::Content for $name {
            const SHAPE: &'static $crate::imps::xml::Shape = &$crate::imps::xml::Shape::new(
                &[$( $crate::imps::xml::element::part!(
                    $kind $mode, $type, [$($xml),*] $(, $item)?
                ), )*],
                &[$( $crate::imps::xml::element::twins!($kind, [$($xml),*]), )*],
            );

            fn read(node: &$crate::imps::xml::Node<'_>) -> Result<Self, $crate::imps::xml::DecodeError> {
                let _ = node;
                Ok(Self {
                    $( $field: $crate::imps::xml::element::read_field!(
                        $kind $mode, node, stringify!($name), $type, [$($xml),*] $(, $item)?
                    ), )*
                })
            }

            fn write(&self, name: &str, out: &mut $crate::imps::xml::Writer<'_>) {
                out.element(name, |out| {
                    let _ = &out;
                    $( $crate::imps::xml::element::write_field!(
                        $kind $mode, out, name, &self.$field, [$($xml),*] $(, $item)?
                    ); )*
                });
            }

            fn places(
                at: &mut Vec<&'static str>,
                found: &mut dyn FnMut(&[&'static str], &'static str),
            ) {
                let _ = (&at, &found);
                $( $crate::imps::xml::element::field_places!(
                    $kind $mode, at, found, $type, [$($xml),*] $(, $item)?
                ); )*
            }

            fn verdict(&self) -> Option<&$crate::imps::status::Status> {
                let found: &[Option<&$crate::imps::status::Status>] = &[$(
                    $crate::imps::xml::element::field_verdict!($kind $mode, $field, &self.$field),
                )*];
                found.iter().find_map(|verdict| *verdict)
            }
        }
    )*};
}

macro_rules! field_places {
    (attr $mode:ident, $at:ident, $found:ident, $t:ty, [$($xml:literal),*]) => {
        if <$t as $crate::imps::xml::Field>::ADDRESS { $( $found(&$at[..], $xml); )* }
    };
    (child $mode:ident, $at:ident, $found:ident, $t:ty, [$($xml:literal),*]) => {
        $(
            $at.push($xml);
            <$t as $crate::imps::xml::Content>::places($at, $found);
            $at.pop();
        )*
    };
    (list $mode:ident, $at:ident, $found:ident, $t:ty, [$($xml:literal),*], $item:literal) => {
        $(
            $at.extend([$xml, $item]);
            <$t as $crate::imps::xml::Content>::places($at, $found);
            $at.truncate($at.len() - 2);
        )*
    };
    // A text that is an address would have no place.
    (text own, $at:ident, $found:ident, $t:ty, []) => {
        const { assert!(!<$t as $crate::imps::xml::Field>::ADDRESS) }
    };
    (choice $mode:ident, $at:ident, $found:ident, $t:ty, []) => {
        <$t as $crate::imps::xml::Content>::places($at, $found);
    };
}

/// The field, if it is the element's `Status`.
macro_rules! field_verdict {
    (child one, status, $v:expr) => {
        Some($v)
    };
    (child opt, status, $v:expr) => {
        $v.as_ref()
    };
    ($kind:ident $mode:ident, $field:ident, $v:expr) => {
        None
    };
}

/// The part of a [`Shape`] that a field makes; of no element, if the field is no child.
macro_rules! part {
    (child many, $t:ty, [$($xml:literal),*]) => {
        $crate::imps::xml::element::part!(false, [$($xml),*], <$t as $crate::imps::xml::Content>::SHAPE)
    };
    (child $mode:ident, $t:ty, [$($xml:literal),*]) => {
        $crate::imps::xml::element::part!(true, [$($xml),*], <$t as $crate::imps::xml::Content>::SHAPE)
    };
    (list many, $t:ty, [$($xml:literal),*], $item:literal) => {
        $crate::imps::xml::element::part!(list false, $t, [$($xml),*], $item)
    };
    (list of, $t:ty, [$($xml:literal),*], $item:literal) => {
        $crate::imps::xml::element::part!(list true, $t, [$($xml),*], $item)
    };
    (list $once:literal, $t:ty, [$($xml:literal),*], $item:literal) => {
        $crate::imps::xml::element::part!($once, [$($xml),*], &$crate::imps::xml::Shape::new(
            &[$crate::imps::xml::element::part!(
                false, [$item], <$t as $crate::imps::xml::Content>::SHAPE
            )],
            &[],
        ))
    };
    (choice many, $t:ty, []) => {
        $crate::imps::xml::shape::Part { elements: <$t>::ALTERNATIVES, once: false }
    };
    (choice $mode:ident, $t:ty, []) => {
        $crate::imps::xml::shape::Part { elements: <$t>::ALTERNATIVES, once: true }
    };
    ($kind:ident $mode:ident, $t:ty, [$($xml:literal),*]) => {
        $crate::imps::xml::shape::Part { elements: &[], once: true }
    };
    ($once:literal, [$($xml:literal),*], $shape:expr) => {
        $crate::imps::xml::shape::Part {
            elements: &[$crate::imps::xml::shape::Known { names: &[$($xml),*], shape: $shape }],
            once: $once,
        }
    };
}

/// The spellings of an attribute that has several.
macro_rules! twins {
    (attr, [$first:literal, $($xml:literal),+]) => { &[$first, $($xml),+] };
    ($kind:ident, [$($xml:literal),*]) => { &[] };
}

macro_rules! field_type {
    (attr opt, $t:ty) => { Option<$t> };
    (child opt, $t:ty) => { Option<$t> };
    (child many, $t:ty) => { Vec<$t> };
    (choice opt, $t:ty) => { Option<$t> };
    (choice many, $t:ty) => { Vec<$t> };
    (list $mode:ident, $t:ty) => { Option<Vec<$t>> };
    ($kind:ident $mode:ident, $t:ty) => { $t };
}

macro_rules! read_field {
    (attr one, $node:ident, $el:expr, $t:ty, [$($xml:literal),*]) => {{
        const NAMES: &[&str] = &[$($xml),*];
        match $node.attribute(NAMES) {
            None => return Err($crate::imps::xml::DecodeError::Missing { element: $el, what: NAMES[0] }),
            Some(v) => <$t as $crate::imps::xml::Field>::parse(v)
                .ok_or($crate::imps::xml::DecodeError::Invalid { element: $el, what: NAMES[0] })?,
        }
    }};
    (attr opt, $node:ident, $el:expr, $t:ty, [$($xml:literal),*]) => {
        $node.attribute(&[$($xml),*]).and_then(|v| <$t as $crate::imps::xml::Field>::parse(v))
    };
    (attr def, $node:ident, $el:expr, $t:ty, [$($xml:literal),*]) => {
        $node.attribute(&[$($xml),*])
            .and_then(|v| <$t as $crate::imps::xml::Field>::parse(v)).unwrap_or_default()
    };
    (child one, $node:ident, $el:expr, $t:ty, [$($xml:literal),*]) => {{
        const NAMES: &[&str] = &[$($xml),*];
        match $node.children_named(NAMES).next() {
            None => return Err($crate::imps::xml::DecodeError::Missing { element: $el, what: NAMES[0] }),
            Some(child) => <$t as $crate::imps::xml::Content>::read(child)?,
        }
    }};
    (child opt, $node:ident, $el:expr, $t:ty, [$($xml:literal),*]) => {
        match $node.children_named(&[$($xml),*]).next() {
            None => None,
            Some(child) => Some(<$t as $crate::imps::xml::Content>::read(child)?),
        }
    };
    (child many, $node:ident, $el:expr, $t:ty, [$($xml:literal),*]) => {
        $node.children_named(&[$($xml),*])
            .map(<$t as $crate::imps::xml::Content>::read).collect::<Result<Vec<_>, _>>()?
    };
    (list of, $node:ident, $el:expr, $t:ty, [$($xml:literal),*], $item:literal) => {
        match $node.children_named(&[$($xml),*]).next() {
            None => None,
            Some(list) => Some(list.children_named(&[$item])
                .map(<$t as $crate::imps::xml::Content>::read).collect::<Result<Vec<_>, _>>()?),
        }
    };
    (list many, $node:ident, $el:expr, $t:ty, [$($xml:literal),*], $item:literal) => {{
        let mut items = None;
        for list in $node.children_named(&[$($xml),*]) {
            let items: &mut Vec<$t> = items.get_or_insert_default();
            for item in list.children_named(&[$item]) {
                items.push(<$t as $crate::imps::xml::Content>::read(item)?);
            }
        }
        items
    }};
    (text own, $node:ident, $el:expr, $t:ty, []) => {
        <$t as $crate::imps::xml::Field>::parse(&$node.text)
            .ok_or($crate::imps::xml::DecodeError::Invalid { element: $el, what: "text" })?
    };
    (choice one, $node:ident, $el:expr, $t:ty, []) => {
        match <$t>::pick_first($node)? {
            None => return Err($crate::imps::xml::DecodeError::Missing { element: $el, what: stringify!($t) }),
            Some(found) => found,
        }
    };
    (choice opt, $node:ident, $el:expr, $t:ty, []) => { <$t>::pick_first($node)? };
    (choice many, $node:ident, $el:expr, $t:ty, []) => {
        $node.children.iter().filter_map(|child| <$t>::pick(child).transpose())
            .collect::<Result<Vec<_>, _>>()?
    };
}

macro_rules! write_field {
    (attr opt, $out:ident, $el:ident, $v:expr, [$first:literal $(, $xml:literal)*]) => {
        if let Some(value) = $v {
            $out.attribute($el, $first, &$crate::imps::xml::Field::print(value));
        }
    };
    (attr $mode:ident, $out:ident, $el:ident, $v:expr, [$first:literal $(, $xml:literal)*]) => {
        $out.attribute($el, $first, &$crate::imps::xml::Field::print($v))
    };
    (child one, $out:ident, $el:ident, $v:expr, [$first:literal $(, $xml:literal)*]) => {
        $crate::imps::xml::Content::write($v, $first, $out)
    };
    (child $mode:ident, $out:ident, $el:ident, $v:expr, [$first:literal $(, $xml:literal)*]) => {
        for value in $v.iter() {
            $crate::imps::xml::Content::write(value, $first, $out);
        }
    };
    (list $mode:ident, $out:ident, $el:ident, $v:expr, [$first:literal $(, $xml:literal)*], $item:literal) => {
        if let Some(items) = $v {
            $out.element($first, |out| {
                for item in items {
                    $crate::imps::xml::Content::write(item, $item, out);
                }
            });
        }
    };
    (text own, $out:ident, $el:ident, $v:expr, []) => {
        $out.text(&$crate::imps::xml::Field::print($v))
    };
    (choice one, $out:ident, $el:ident, $v:expr, []) => {
        $v.write_choice($out)
    };
    (choice $mode:ident, $out:ident, $el:ident, $v:expr, []) => {
        for value in $v.iter() {
            value.write_choice($out);
        }
    };
}

/// Declares an enum of alternatives, each an element name and its content.
macro_rules! choice {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $(#[$vmeta:meta])* $xml:literal => $variant:ident($type:ty) ),* $(,)? }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $( $(#[$vmeta])* $variant($type), )*
        }

        impl $name {
            /// What the alternatives may hold.
            pub(crate) const ALTERNATIVES: &'static [$crate::imps::xml::shape::Known] = &[
                $( $crate::imps::xml::shape::Known {
                    names: &[$xml],
                    shape: <$type as $crate::imps::xml::Content>::SHAPE,
                }, )*
            ];

            /// The alternative that `node` is, if any.
            pub(crate) fn pick(node: &$crate::imps::xml::Node<'_>)
                -> Result<Option<Self>, $crate::imps::xml::DecodeError>
            {
                $( if node.name.eq_ignore_ascii_case($xml) {
                    return <$type as $crate::imps::xml::Content>::read(node)
                        .map(|value| Some(Self::$variant(value)));
                } )*
                Ok(None)
            }

            /// The first child of `node` that is one of the alternatives.
            pub(crate) fn pick_first(node: &$crate::imps::xml::Node<'_>)
                -> Result<Option<Self>, $crate::imps::xml::DecodeError>
            {
                node.children.iter().find_map(|child| Self::pick(child).transpose()).transpose()
            }

            /// Writes the alternative under its own name.
            pub(crate) fn write_choice(&self, out: &mut $crate::imps::xml::Writer<'_>) {
                match self {
                    $( Self::$variant(value) => $crate::imps::xml::Content::write(value, $xml, out), )*
                }
            }
        }

        /// A wrapper element that holds exactly one alternative.
        impl $crate::imps::xml::Content for $name {
            const SHAPE: &'static $crate::imps::xml::Shape = &$crate::imps::xml::Shape::new(
                &[$crate::imps::xml::shape::Part { elements: Self::ALTERNATIVES, once: true }],
                &[],
            );

            fn read(node: &$crate::imps::xml::Node<'_>) -> Result<Self, $crate::imps::xml::DecodeError> {
                Self::pick_first(node)?.ok_or(
                    $crate::imps::xml::DecodeError::Missing { element: stringify!($name), what: "content" })
            }
            fn write(&self, name: &str, out: &mut $crate::imps::xml::Writer<'_>) {
                out.element(name, |out| self.write_choice(out));
            }
            fn places(
                at: &mut Vec<&'static str>,
                found: &mut dyn FnMut(&[&'static str], &'static str),
            ) {
                $(
                    at.push($xml);
                    <$type as $crate::imps::xml::Content>::places(at, found);
                    at.pop();
                )*
            }
        }
    )*};
}

pub(crate) use {
    choice, element, field_places, field_type, field_verdict, part, read_field, twins, write_field,
};
