//! The ways to hash a password that a client knows.

use crate::csp::element::Element;
use crate::csp::typed::Part;
use crate::csp::version::Version;
use crate::imps::xml::DecodeError;

/// Names such as `MD5`: one element with commas in 1.1, one element each later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schemas(pub Vec<String>);

impl Part for Schemas {
    fn read_in(parent: &Element<'_>) -> Result<Self, DecodeError> {
        let texts = parent.named("DigestSchema").flat_map(|e| e.text.split(','));
        let names = texts.map(str::trim).filter(|name| !name.is_empty());
        Ok(Self(names.map(str::to_owned).collect()))
    }

    fn add<'v>(&'v self, _: &'static str, version: Version, out: &mut Vec<Element<'v>>) {
        if self.0.is_empty() {
            return;
        }
        if version == Version::V1_1 {
            out.push(Element::leaf("DigestSchema", self.0.join(",")));
        } else {
            let each = self.0.iter();
            out.extend(each.map(|name| Element::leaf("DigestSchema", name.as_str())));
        }
    }
}
