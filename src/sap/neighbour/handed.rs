//! What one shard hands to another: a primitive, and what was decided about it.

use bytes::Bytes;
use serde::Deserialize;

use crate::element::Time;
use crate::imps::Address;
use crate::imps::primitive::{AnyName, Name};
use crate::ssp::Mode;
use crate::ssp::envelope::{Peek, Transaction};
use crate::store::described;
use crate::store::packed::{self, Packer, Unfit, Unpacker};

/// The form of its record.
const FORM: u8 = 1;
/// The form of one that another answer follows.
const FOLLOWED: u8 = 2;
/// Room for what describes it, usually.
const ROOM: usize = 256;
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
    /// Whether it is an answer that another one follows: a message was taken over.
    pub is_followed: bool,
}

/// All but the primitive, as it is kept.
#[derive(Deserialize)]
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
            is_followed: false,
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

    /// As it is kept: what describes it, and the primitive.
    pub(super) fn to_record(&self) -> Vec<u8> {
        let transaction = &self.transaction;
        let form = if self.is_followed { FOLLOWED } else { FORM };
        let mut record = Packer::new(form, ROOM + transaction.raw.len());
        record.text(transaction.mode.as_str());
        record.text(&transaction.id);
        record.text(&transaction.name);
        record.maybe(transaction.via.as_deref());
        record.maybe(self.asking.as_deref());
        record.text(&self.from_domain);
        record.number(self.targets.len() as u64);
        for target in &self.targets {
            record.text(target.as_str());
        }
        record.number(self.expires.0);
        record.number(self.passed.into());
        record.rest(&transaction.raw)
    }

    /// Reads what `to_record` has written, or JSON of an earlier version.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_record(record: &[u8]) -> Result<Self, String> {
        let form = packed::form(record);
        let (kept, raw) = match form {
            Some(FORM | FOLLOWED) => Kept::unpack(Unpacker::new(record))?,
            Some(_) => return Err("its form is that of a newer version".to_owned()),
            None => {
                let (kept, raw) = described::parts(record);
                let raw = Bytes::copy_from_slice(raw.ok_or("it has no primitive")?);
                (
                    serde_json::from_slice(kept).map_err(|e| e.to_string())?,
                    raw,
                )
            }
        };
        let transaction = Transaction::kept(kept.mode, kept.id, kept.name, raw, kept.via);
        Ok(Self {
            transaction: transaction.map_err(|error| error.to_string())?,
            asking: kept.asking,
            from_domain: kept.from_domain,
            targets: kept.targets,
            expires: kept.expires,
            passed: kept.passed,
            is_followed: form == Some(FOLLOWED),
        })
    }
}

impl Kept {
    fn unpack(mut record: Unpacker<'_>) -> Result<(Self, Bytes), Unfit> {
        let mode = Mode::read(record.text()?);
        let (id, name) = (record.text()?.to_owned(), AnyName::new(record.text()?));
        let (via, asking) = (record.maybe()?, record.maybe()?);
        let from_domain = record.text()?.to_owned();
        let mut targets = Vec::new();
        for _ in 0..record.count()? {
            targets.push(Address::new(record.text()?));
        }
        let kept = Self {
            mode,
            id,
            name,
            via: via.map(str::to_owned),
            asking: asking.map(str::to_owned),
            from_domain,
            targets,
            expires: Time(record.number()?),
            passed: u8::try_from(record.number()?).map_err(|_| Unfit)?,
        };
        Ok((kept, Bytes::copy_from_slice(record.rest()?.as_bytes())))
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
            is_followed: false,
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
        assert!(!read.is_request() && !read.is_followed);
        let followed = Handed {
            is_followed: true,
            ..answer
        };
        let read = Handed::from_record(&followed.to_record()).unwrap();
        assert_eq!((read.is_followed, read.expires), (true, Time(9)));
        // As earlier versions wrote it.
        let head = r#"{"mode":"Request","id":"t-1","name":"Status","via":"a.test b.test","asking":"a.test+b.test","from_domain":"a.test","targets":["wv:bob@b.test"],"expires":7,"passed":1}"#;
        let older = [head.as_bytes(), b"\n", &handed.transaction.raw].concat();
        assert_eq!(Handed::from_record(&older).unwrap(), handed);
        let record = handed.to_record();
        for end in 0..record.len() - handed.transaction.raw.len() {
            assert!(Handed::from_record(&record[..end]).is_err(), "{end}");
        }
        for damaged in [&b""[..], b"{}\n<Status/>", b"\n", b"{\"mode\""] {
            assert!(Handed::from_record(damaged).is_err());
        }
    }
}
