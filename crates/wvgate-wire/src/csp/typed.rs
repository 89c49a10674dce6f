//! Typed elements: one table per element gives its struct, its reader and its writer.
//!
//! A field names the forms it has on the wire. Reading takes any of them, in any order. Writing
//! takes the first that the version has in this place, so one table serves all versions.

use super::element::Element;
use super::grammar::Grammar;
use super::version::Version;
use crate::imps::xml::DecodeError;

/// What stands in an element, read from it and written as it.
pub(crate) trait Content: Sized {
    /// Reads the element.
    fn read(element: &Element<'_>) -> Result<Self, DecodeError>;

    /// The element called `name`.
    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v>;
}

/// What stands in an element as several children, or as one that is not like others.
pub(crate) trait Part: Sized {
    /// Reads it from the children of the element.
    fn read_in(parent: &Element<'_>) -> Result<Self, DecodeError>;

    /// Adds its elements to those of `parent`.
    fn add<'v>(&'v self, parent: &'static str, version: Version, out: &mut Vec<Element<'v>>);
}

/// A form that a field has: an element, or an element in one that wraps it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// The child.
    pub(crate) name: &'static str,
    /// What stands in the child, if that is a wrapper.
    pub(crate) item: Option<&'static str>,
}

impl Form {
    /// The elements that have this form.
    fn find<'e, 'a>(self, parent: &'e Element<'a>) -> Vec<&'e Element<'a>> {
        let outer = parent.children.iter().filter(|c| c.name == self.name);
        match self.item {
            None => outer.collect(),
            Some(item) => outer
                .flat_map(|wrapper| wrapper.children.iter().filter(|c| c.name == item))
                .collect(),
        }
    }

    /// The form that the version has in `parent`; the first, if it has none.
    fn choose(forms: &[Self], parent: &str, version: Version) -> Self {
        let grammar = Grammar::of(version);
        let allowed = forms.iter().find(|form| grammar.allows(parent, form.name));
        *allowed.unwrap_or(&forms[0])
    }
}

/// Reads what may stand once; the first counts.
pub(crate) fn read_optional<T: Content>(
    parent: &Element<'_>,
    forms: &[Form],
) -> Result<Option<T>, DecodeError> {
    let mut found = forms.iter().flat_map(|form| form.find(parent));
    found.next().map(T::read).transpose()
}

/// Reads what must stand once.
pub(crate) fn read_required<T: Content>(
    parent: &Element<'_>,
    owner: &'static str,
    forms: &[Form],
) -> Result<T, DecodeError> {
    read_optional(parent, forms)?.ok_or(DecodeError::Missing {
        element: owner,
        what: forms[0].name,
    })
}

/// Reads what may stand in any number.
pub(crate) fn read_many<T: Content>(
    parent: &Element<'_>,
    forms: &[Form],
) -> Result<Vec<T>, DecodeError> {
    let found = forms.iter().flat_map(|form| form.find(parent));
    found.map(T::read).collect()
}

/// Reads a wrapped list; `None` if the wrapper is not there.
pub(crate) fn read_list<T: Content>(
    parent: &Element<'_>,
    forms: &[Form],
) -> Result<Option<Vec<T>>, DecodeError> {
    let is_there = forms.iter().any(|form| parent.child(form.name).is_some());
    if !is_there {
        return Ok(None);
    }
    read_many(parent, forms).map(Some)
}

/// Writes one value.
pub(crate) fn write_one<'v, T: Content>(
    value: &'v T,
    forms: &'static [Form],
    parent: &'static str,
    version: Version,
    out: &mut Vec<Element<'v>>,
) {
    let form = Form::choose(forms, parent, version);
    out.push(match form.item {
        None => value.element(form.name, version),
        Some(item) => Element::of(form.name, vec![value.element(item, version)]),
    });
}

/// Writes any number of values.
pub(crate) fn write_many<'v, T: Content>(
    values: &'v [T],
    forms: &'static [Form],
    parent: &'static str,
    version: Version,
    out: &mut Vec<Element<'v>>,
) {
    if values.is_empty() {
        return;
    }
    let form = Form::choose(forms, parent, version);
    match form.item {
        None => out.extend(values.iter().map(|v| v.element(form.name, version))),
        Some(_) => write_list(values, forms, parent, version, out),
    }
}

/// Writes a wrapped list.
pub(crate) fn write_list<'v, T: Content>(
    values: &'v [T],
    forms: &'static [Form],
    parent: &'static str,
    version: Version,
    out: &mut Vec<Element<'v>>,
) {
    let form = Form::choose(forms, parent, version);
    let name = form.item.unwrap_or(form.name);
    let items = values.iter().map(|v| v.element(name, version)).collect();
    out.push(Element::of(form.name, items));
}

/// Declares typed elements. Each field has a mode, its forms and its type:
///
/// * `one "X" f: T` must be there; `opt` is an `Option<T>`; `many` is a `Vec<T>`; `def` is the
///   default if it is not there, and always written where the version has it;
/// * `list "X" / "Y" f: T` is a wrapper `X` of `Y`s: an `Option<Vec<T>>`;
/// * `part f: T` reads and writes itself.
///
/// Forms are separated by `|`; each is `"X"`, or `"X" / "Y"` for a `Y` within an `X`.
macro_rules! element {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $( $mode:ident $( $xml:literal $(/ $item:literal)? )|* $field:ident : $type:ty ),* $(,)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $(
                #[doc = $crate::csp::typed::field_doc!([$( $xml $(/ $item)? ),*])]
                pub $field: $crate::csp::typed::field_type!($mode, $type),
            )*
        }

        impl $crate::csp::typed::Content for $name {
            fn read(
                element: &$crate::csp::element::Element<'_>,
            ) -> Result<Self, $crate::imps::xml::DecodeError> {
                let _ = element;
                Ok(Self { $(
                    $field: $crate::csp::typed::read_field!(
                        $mode, element, stringify!($name), $type, [$( $xml $(/ $item)? ),*]
                    ),
                )* })
            }

            fn element<'v>(
                &'v self,
                name: &'static str,
                version: $crate::csp::version::Version,
            ) -> $crate::csp::element::Element<'v> {
                let mut children: Vec<$crate::csp::element::Element<'v>> = Vec::new();
                let _ = (version, &mut children);
                $( $crate::csp::typed::write_field!(
                    $mode, &self.$field, name, version, children, [$( $xml $(/ $item)? ),*]
                ); )*
                $crate::csp::element::Element::of(name, children)
            }
        }
    )*};
}

macro_rules! field_doc {
    ([]) => {
        "In forms of its own."
    };
    ([$first:literal $(/ $within:literal)? $(, $xml:literal $(/ $item:literal)? )*]) => {
        concat!("`", $first, $( "/", $within, )? "`" $(, ", `", $xml, $( "/", $item, )? "`" )*, ".")
    };
}

macro_rules! field_type {
    (opt, $t:ty) => { Option<$t> };
    (many, $t:ty) => { Vec<$t> };
    (list, $t:ty) => { Option<Vec<$t>> };
    ($mode:ident, $t:ty) => { $t };
}

macro_rules! forms {
    ([$( $xml:literal $(/ $item:literal)? ),*]) => {
        &[$( $crate::csp::typed::Form {
            name: $xml,
            item: $crate::csp::typed::item!($($item)?),
        } ),*]
    };
}

macro_rules! item {
    () => {
        None
    };
    ($item:literal) => {
        Some($item)
    };
}

macro_rules! read_field {
    (one, $e:ident, $owner:expr, $t:ty, $forms:tt) => {
        $crate::csp::typed::read_required::<$t>($e, $owner, $crate::csp::typed::forms!($forms))?
    };
    (opt, $e:ident, $owner:expr, $t:ty, $forms:tt) => {
        $crate::csp::typed::read_optional::<$t>($e, $crate::csp::typed::forms!($forms))?
    };
    (def, $e:ident, $owner:expr, $t:ty, $forms:tt) => {
        $crate::csp::typed::read_optional::<$t>($e, $crate::csp::typed::forms!($forms))?
            .unwrap_or_default()
    };
    (many, $e:ident, $owner:expr, $t:ty, $forms:tt) => {
        $crate::csp::typed::read_many::<$t>($e, $crate::csp::typed::forms!($forms))?
    };
    (list, $e:ident, $owner:expr, $t:ty, $forms:tt) => {
        $crate::csp::typed::read_list::<$t>($e, $crate::csp::typed::forms!($forms))?
    };
    (part, $e:ident, $owner:expr, $t:ty, $forms:tt) => {
        <$t as $crate::csp::typed::Part>::read_in($e)?
    };
}

macro_rules! write_field {
    (opt, $v:expr, $name:ident, $version:ident, $out:ident, $forms:tt) => {
        if let Some(value) = $v {
            $crate::csp::typed::write_one(
                value,
                $crate::csp::typed::forms!($forms),
                $name,
                $version,
                &mut $out,
            );
        }
    };
    (many, $v:expr, $name:ident, $version:ident, $out:ident, $forms:tt) => {
        $crate::csp::typed::write_many(
            $v,
            $crate::csp::typed::forms!($forms),
            $name,
            $version,
            &mut $out,
        )
    };
    (list, $v:expr, $name:ident, $version:ident, $out:ident, $forms:tt) => {
        if let Some(values) = $v {
            $crate::csp::typed::write_list(
                values,
                $crate::csp::typed::forms!($forms),
                $name,
                $version,
                &mut $out,
            );
        }
    };
    (part, $v:expr, $name:ident, $version:ident, $out:ident, $forms:tt) => {
        $crate::csp::typed::Part::add($v, $name, $version, &mut $out)
    };
    ($mode:ident, $v:expr, $name:ident, $version:ident, $out:ident, $forms:tt) => {
        $crate::csp::typed::write_one(
            $v,
            $crate::csp::typed::forms!($forms),
            $name,
            $version,
            &mut $out,
        )
    };
}

pub(crate) use {element, field_doc, field_type, forms, item, read_field, write_field};
