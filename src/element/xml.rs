//! Primitives in lines of JSON: as their XML.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::imps::Primitive;
use crate::ssp::envelope::decode_fragment;

pub(crate) fn serialize<S: Serializer>(
    primitive: &Primitive,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&primitive.to_xml(None))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Box<Primitive>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let primitive = decode_fragment(text.as_bytes());
    primitive.map(Box::new).map_err(D::Error::custom)
}

/// For a primitive that may be absent.
pub(super) mod optional {
    use serde::{Deserializer, Serializer};

    use crate::imps::Primitive;

    #[expect(clippy::ref_option, reason = "so serde calls it")]
    pub(in crate::element) fn serialize<S: Serializer>(
        primitive: &Option<Box<Primitive>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match primitive {
            Some(primitive) => super::serialize(primitive, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::element) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Box<Primitive>>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}
