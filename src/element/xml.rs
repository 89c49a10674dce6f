//! Primitives in lines of JSON: as their XML.

use serde::{Deserialize, Deserializer, Serializer};

use crate::imps::Primitive;
use crate::ssp::envelope::decode_fragment;

pub(super) fn serialize<S: Serializer>(
    primitive: &Primitive,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&primitive.to_xml(None))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Box<Primitive>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let primitive = decode_fragment(text.as_bytes());
    primitive.map(Box::new).map_err(serde::de::Error::custom)
}
