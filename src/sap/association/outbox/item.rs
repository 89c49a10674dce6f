//! One transaction to be posted, and how it is kept.

use serde::{Deserialize, Serialize};

use crate::element::Time;
use crate::imps::primitive::{AnyName, Name};
use crate::sap::transaction_id::TransactionId;
use crate::ssp::Mode;
use crate::store::described;
use crate::store::packed::{self, Packer, Unfit, Unpacker};

/// The form of its record.
const FORM: u8 = 2;
/// That of earlier versions, which does not say since when it waits.
const OLD_FORM: u8 = 1;
/// Room for what describes an item, usually.
const ROOM: usize = 256;
/// What an item takes besides its texts, about.
const OVERHEAD: usize = 512;

/// One transaction to be posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Request or response.
    pub mode: Mode,
    /// The transaction id, as it is posted.
    pub id: TransactionId,
    /// Primitive's name, for the log.
    pub name: AnyName,
    /// The primitive, in the peer's dialect.
    #[serde(default)]
    pub raw: String,
    /// Sender and recipient, where order matters.
    pub conversation: Option<String>,
    /// When it is of no use any more.
    pub expires: Time,
    /// The message's id, for tracing.
    pub message: Option<String>,
    /// Domains passed so far.
    pub via: Option<String>,
}

impl Item {
    /// Whether it is a message, whose ends are counted.
    pub(super) fn is_message(&self) -> bool {
        self.name == Name::SendMessageRequest
    }

    /// As it is kept: what describes it, since when it waits, and the primitive.
    pub(super) fn to_record(&self, since: Time) -> Vec<u8> {
        let mut record = Packer::new(FORM, ROOM + self.raw.len());
        record.number(since.0);
        record.number(match self.mode {
            Mode::Request => 0,
            Mode::Response => 1,
        });
        record.text(&self.id);
        record.text(&self.name);
        record.maybe(self.conversation.as_deref());
        record.number(self.expires.0);
        record.maybe(self.message.as_deref());
        record.maybe(self.via.as_deref());
        record.rest(self.raw.as_bytes())
    }

    /// Reads what `to_record` has written, or JSON of an earlier version: the item, and since when it
    /// waits; zero where that was not written down.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_record(record: &[u8]) -> Result<(Self, Time), String> {
        match packed::form(record) {
            Some(OLD_FORM) => {
                return Ok((Self::unpack(Unpacker::new(record))?, Time::default()));
            }
            Some(FORM) => {
                let mut record = Unpacker::new(record);
                let since = Time(record.number()?);
                return Ok((Self::unpack(record)?, since));
            }
            Some(_) => return Err("its form is that of a newer version".to_owned()),
            None => {}
        }
        // Without body as the oldest versions wrote it, all in JSON.
        let (kept, raw) = described::parts(record);
        let mut item: Self = serde_json::from_slice(kept).map_err(|error| error.to_string())?;
        if let Some(raw) = raw {
            item.raw = String::from_utf8(raw.to_vec()).map_err(|error| error.to_string())?;
        }
        Ok((item, Time::default()))
    }

    fn unpack(mut record: Unpacker<'_>) -> Result<Self, Unfit> {
        Ok(Self {
            mode: match record.number()? {
                0 => Mode::Request,
                1 => Mode::Response,
                _ => return Err(Unfit),
            },
            id: record.text()?.into(),
            name: AnyName::new(record.text()?),
            conversation: record.maybe()?.map(str::to_owned),
            expires: Time(record.number()?),
            message: record.maybe()?.map(str::to_owned),
            via: record.maybe()?.map(str::to_owned),
            raw: record.rest()?.to_owned(),
        })
    }

    /// What describes it.
    pub(in crate::sap) fn without_body(&self) -> Self {
        Self {
            mode: self.mode,
            id: self.id.clone(),
            name: self.name.clone(),
            raw: String::new(),
            conversation: self.conversation.clone(),
            expires: self.expires,
            message: self.message.clone(),
            via: self.via.clone(),
        }
    }

    /// Bytes that it takes in a queue, about.
    pub fn cost(&self) -> usize {
        let texts = [&self.conversation, &self.message, &self.via];
        let texts = texts.into_iter().flatten().map(String::len);
        self.raw.len() + self.id.len() + self.name.len() + texts.sum::<usize>() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_as_it_was_written_and_as_earlier_versions_wrote_it() {
        let item = Item {
            mode: Mode::Request,
            id: "t\t1".into(),
            name: AnyName::new("SendMessageRequest"),
            raw: "<SendMessageRequest/>\n".to_owned(),
            conversation: Some("wv:a@a.test wv:b@b.test".to_owned()),
            expires: Time(1_700_000_000_000),
            message: None,
            via: Some("a.test b.test".to_owned()),
        };
        let other = Item {
            mode: Mode::Response,
            name: AnyName::new("Strange"),
            raw: String::new(),
            conversation: None,
            message: Some(String::new()),
            via: None,
            ..item.clone()
        };
        for item in [item, other] {
            let since = Time(5);
            let record = item.to_record(since);
            assert_eq!(Item::from_record(&record), Ok((item.clone(), since)));
            let old = [&[OLD_FORM][..], &record[2..]].concat();
            let unknown = (item.clone(), Time::default());
            assert_eq!(Item::from_record(&old).as_ref(), Ok(&unknown));
            for end in 0..record.len().saturating_sub(item.raw.len()) {
                assert!(Item::from_record(&record[..end]).is_err(), "{end}");
            }
            let json = serde_json::to_vec(&item).unwrap();
            assert_eq!(Item::from_record(&json).as_ref(), Ok(&unknown));
            let described = described::written(&item.without_body(), item.raw.as_bytes());
            assert_eq!(Item::from_record(&described), Ok(unknown));
        }
    }
}
