//! Primitives in lines of JSON: as their XML.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

use crate::imps::Primitive;
use crate::imps::xml::{Limits, Texts, parse};
use crate::ssp::envelope::decode_fragment;

/// Of a request of a client, so that what it asks passes at peers. What names something has bounds
/// of its own where it is used, and the answer says so.
const OF_CLIENTS: Limits = Limits {
    texts: Texts {
        text: Texts::STANDARD.text,
        ..Texts::UNLIMITED
    },
    ..Limits::STANDARD
};

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

/// For what a client asks: within bounds.
pub(super) mod of_client {
    use super::{Deserialize, Deserializer, Error, OF_CLIENTS, Primitive, parse};

    pub(in crate::element) use super::serialize;

    pub(in crate::element) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<Primitive>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let node = parse(text.as_bytes(), &OF_CLIENTS).map_err(D::Error::custom)?;
        Primitive::read(&node)
            .map(Box::new)
            .map_err(D::Error::custom)
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use crate::element::{FromClient, ToClient};
    use crate::imps::Primitive;
    use crate::imps::common::MetaInfo;
    use crate::imps::primitive::invitation::InviteResponse;
    use crate::imps::xml::Texts;
    use crate::imps::{Address, Status};
    use crate::ssp::envelope::decode_fragment;

    fn read(primitive: impl Into<Primitive>) -> Result<FromClient, String> {
        let request = FromClient::Request {
            id: "1".to_owned(),
            primitive: Box::new(primitive.into()),
        };
        let line = serde_json::to_string(&request).unwrap();
        let read = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        assert_eq!(read, request);
        Ok(read)
    }

    fn meta() -> MetaInfo {
        MetaInfo::of_user("b.test", Address::new("wv:bob@b.test"))
    }

    fn response(note: usize) -> InviteResponse {
        InviteResponse {
            invite_id: "i".to_owned(),
            acceptance: true,
            meta: Some(meta()),
            status: None,
            inviting: None,
            responding: None,
            note: Some("x".repeat(note)),
            screen_name: None,
        }
    }

    #[test]
    fn a_client_asks_with_texts_up_to_their_bound_and_contents_of_any_size() {
        let limit = Texts::STANDARD.text;
        assert!(read(response(limit)).is_ok());
        let refused = read(response(limit + 1)).unwrap_err();
        assert!(
            refused.contains("a text longer than 8192 bytes"),
            "{refused}"
        );
        let content = "x".repeat(10 * limit);
        let message = format!(
            "<SendMessageRequest><MessageInfo/><ContentData>{content}</ContentData></SendMessageRequest>"
        );
        let message = decode_fragment(message.as_bytes()).unwrap();
        assert!(read(message).is_ok());
    }

    #[test]
    fn a_client_is_told_texts_of_any_length() {
        let told = ToClient::now(Status::ok().because("x".repeat(100_000)));
        let line = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<ToClient>(&line).unwrap(), told);
    }
}
