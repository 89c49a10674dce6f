//! Those whom a request of a user is for.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::imps::address::Address;

/// One address or several; in records one stands alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Addresses(pub(super) Vec<Address>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Record {
    One(Address),
    Many(Vec<Address>),
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Record::deserialize(deserializer)? {
            Record::One(one) => vec![one],
            Record::Many(many) => many,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_kept_as_it_was_before_there_were_several() {
        for (text, count) in [
            (r#""wv:zoe@far.test""#, 1),
            (r#"["wv:zoe@far.test","wv:yan@far.test"]"#, 2),
        ] {
            let addresses: Addresses = serde_json::from_str(text).unwrap();
            assert_eq!(addresses.0.len(), count);
            assert_eq!(serde_json::to_string(&addresses).unwrap(), text);
        }
    }
}
