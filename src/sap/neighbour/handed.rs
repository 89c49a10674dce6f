//! What one shard hands to another: a primitive, and what was decided about it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::element::Time;
use crate::imps::Address;
use crate::imps::primitive::{AnyName, Name};
use crate::ssp::Mode;
use crate::ssp::envelope::{Peek, Transaction};
use crate::store::described;

/// What an item takes besides its texts, about.
const OVERHEAD: usize = 1024;

/// A request, notice or answer on its way from shard to shard. Whether whoever asks may do so was
/// decided where they asked; how the next hop wants it is decided where that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The primitive. Its id is ours; an answer has that of the request.
    pub transaction: Transaction,
    /// The peer that asks, in its identity; `None` for this node, and for an answer.
    pub asking: Option<String>,
    /// The domain that asks.
    pub from_domain: String,
    /// For whom it is. Empty for an answer.
    pub targets: Vec<Address>,
    /// When it is of no use any more.
    pub expires: Time,
    /// How often it was handed on before.
    pub passed: u8,
}

/// All but the primitive, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    mode: Mode,
    id: String,
    name: AnyName,
    via: Option<String>,
    asking: Option<String>,
    from_domain: String,
    targets: Vec<Address>,
    expires: Time,
    passed: u8,
}

impl Handed {
    /// An answer, as XML, to the request that had this id.
    pub(in crate::sap) fn answer(id: String, name: AnyName, raw: String, expires: Time) -> Self {
        Self {
            transaction: Transaction {
                mode: Mode::Response,
                id,
                name,
                raw: Bytes::from(raw),
                peek: Peek::default(),
                via: None,
            },
            asking: None,
            from_domain: String::new(),
            targets: Vec::new(),
            expires,
            passed: 0,
        }
    }

    /// Whether it is a message.
    pub fn is_message(&self) -> bool {
        self.is_request() && self.transaction.name == Name::SendMessageRequest
    }

    /// Whether it asks or tells something, rather than answers.
    pub fn is_request(&self) -> bool {
        self.transaction.mode == Mode::Request
    }

    /// Bytes that it takes in a queue, about.
    pub(super) fn cost(&self) -> usize {
        self.transaction.raw.len() + self.targets.len() * 64 + OVERHEAD
    }

    /// As it is kept: the primitive, and what describes it.
    pub(super) fn to_record(&self) -> Vec<u8> {
        let transaction = &self.transaction;
        let kept = Kept {
            mode: transaction.mode,
            id: transaction.id.clone(),
            name: transaction.name.clone(),
            via: transaction.via.clone(),
            asking: self.asking.clone(),
            from_domain: self.from_domain.clone(),
            targets: self.targets.clone(),
            expires: self.expires,
            passed: self.passed,
        };
        described::written(&kept, &transaction.raw)
    }

    /// Reads what `to_record` has written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_record(record: &[u8]) -> Result<Self, String> {
        let (kept, raw) = described::parts(record);
        let raw = Bytes::copy_from_slice(raw.ok_or("it has no primitive")?);
        let kept: Kept = serde_json::from_slice(kept).map_err(|e| e.to_string())?;
        let transaction = Transaction::kept(kept.mode, kept.id, kept.name, raw, kept.via);
        Ok(Self {
            transaction: transaction.map_err(|error| error.to_string())?,
            asking: kept.asking,
            from_domain: kept.from_domain,
            targets: kept.targets,
            expires: kept.expires,
            passed: kept.passed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::{Code, Primitive};

    #[test]
    fn what_is_handed_is_read_as_it_was_written() {
        let primitive = Primitive::status(Code::OK);
        let transaction = Transaction::new(Mode::Request, "t-1", &primitive);
        let handed = Handed {
            transaction: Transaction {
                via: Some("a.test b.test".to_owned()),
                ..transaction
            },
            asking: Some("a.test+b.test".to_owned()),
            from_domain: "a.test".to_owned(),
            targets: vec![Address::new("wv:bob@b.test")],
            expires: Time(7),
            passed: 1,
        };
        assert_eq!(Handed::from_record(&handed.to_record()).unwrap(), handed);
        let answer = Handed::answer(
            "t-1".to_owned(),
            AnyName::new("Status"),
            primitive.to_xml(None),
            Time(9),
        );
        let read = Handed::from_record(&answer.to_record()).unwrap();
        assert_eq!(read.transaction.raw, answer.transaction.raw);
        assert!(!read.is_request());
        for damaged in [&b""[..], b"{}\n<Status/>", b"\n", b"{\"mode\""] {
            assert!(Handed::from_record(damaged).is_err());
        }
    }
}
