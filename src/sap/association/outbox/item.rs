//! One transaction to be posted, and how it is kept.

use serde::{Deserialize, Serialize};

use crate::element::Time;
use crate::imps::primitive::{AnyName, Name};
use crate::sap::transaction_id::TransactionId;
use crate::ssp::Mode;
use crate::store::described;

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

    /// As it is kept: the primitive, and what describes it.
    pub(super) fn to_record(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Kept<'a> {
            mode: Mode,
            id: &'a str,
            name: &'a AnyName,
            conversation: Option<&'a str>,
            expires: Time,
            message: Option<&'a str>,
            via: Option<&'a str>,
        }
        let kept = Kept {
            mode: self.mode,
            id: &self.id,
            name: &self.name,
            conversation: self.conversation.as_deref(),
            expires: self.expires,
            message: self.message.as_deref(),
            via: self.via.as_deref(),
        };
        described::written(&kept, self.raw.as_bytes())
    }

    /// Reads what `to_record` has written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_record(record: &[u8]) -> Result<Self, String> {
        // Without body as older versions wrote it, all in JSON.
        let (kept, raw) = described::parts(record);
        let mut item: Self = serde_json::from_slice(kept).map_err(|error| error.to_string())?;
        if let Some(raw) = raw {
            item.raw = String::from_utf8(raw.to_vec()).map_err(|error| error.to_string())?;
        }
        Ok(item)
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
