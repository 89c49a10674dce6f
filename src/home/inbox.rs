//! The inbox of one user: messages that wait for a login, and the memory of those that were
//! handed over, by which duplicates are recognised. Every arrival lives until its validity ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::sap::element::Time;
use crate::ssp::address::Address;
use crate::ssp::common::{decode_base64, encode_base64};
use crate::ssp::datetime::DateTime;

/// An arrival: a message that waits, or the trace of one that was handed over.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Arrival {
    /// Message id, unique together with the sender.
    pub(super) id: String,
    /// User or group.
    pub(super) sender: Address,
    /// When it ends.
    pub(super) until: Time,
    /// The message, as long as it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waiting: Option<Letter>,
}

/// A message as it is kept for its recipient.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Letter {
    /// The name to show for the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// MIME type.
    pub(super) content_type: String,
    /// The content.
    #[serde(with = "base64")]
    pub(super) content: Vec<u8>,
    /// Where the content is, if it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) uri: Option<String>,
    /// When it came.
    pub(super) arrived: Time,
    /// When it was sent, as the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<DateTime>,
    /// Whether the sender wants a report.
    pub(super) report: bool,
}

/// One user's arrivals.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// In order of arrival.
    arrivals: BTreeMap<u64, Arrival>,
    /// By sender and message id.
    known: HashMap<(Address, String), u64>,
    /// Those that wait.
    waiting: BTreeSet<u64>,
    /// Bytes of content that wait.
    bytes: usize,
}

impl Inbox {
    /// Whether the message has been accepted before.
    pub(super) fn knows(&self, sender: &Address, id: &str) -> bool {
        self.known.contains_key(&(sender.clone(), id.to_owned()))
    }

    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many arrivals are only remembered.
    pub(super) fn remembered(&self) -> usize {
        self.arrivals.len() - self.waiting.len()
    }

    /// Bytes of content that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first message that waits.
    pub(super) fn first_waiting(&self) -> Option<u64> {
        self.waiting.first().copied()
    }

    /// The oldest arrival that is only remembered.
    pub(super) fn first_remembered(&self) -> Option<u64> {
        self.arrivals
            .iter()
            .find(|(_, arrival)| arrival.waiting.is_none())
            .map(|(number, _)| *number)
    }

    /// Puts an arrival behind all others and says its number.
    pub(super) fn push(&mut self, arrival: Arrival) -> u64 {
        let number = self
            .arrivals
            .last_key_value()
            .map_or(0, |(last, _)| last + 1);
        self.insert(number, arrival);
        number
    }

    /// Puts an arrival at its number.
    pub(super) fn insert(&mut self, number: u64, arrival: Arrival) {
        self.remove(number);
        self.known
            .insert((arrival.sender.clone(), arrival.id.clone()), number);
        if let Some(letter) = &arrival.waiting {
            self.waiting.insert(number);
            self.bytes += letter.content.len();
        }
        self.arrivals.insert(number, arrival);
    }

    /// An arrival.
    pub(super) fn get(&self, number: u64) -> Option<&Arrival> {
        self.arrivals.get(&number)
    }

    /// Takes the message out of an arrival, which stays remembered.
    pub(super) fn take(&mut self, number: u64) -> Option<Letter> {
        let letter = self.arrivals.get_mut(&number)?.waiting.take()?;
        self.waiting.remove(&number);
        self.bytes -= letter.content.len();
        Some(letter)
    }

    /// Forgets an arrival.
    pub(super) fn remove(&mut self, number: u64) -> Option<Arrival> {
        let arrival = self.arrivals.remove(&number)?;
        self.known
            .remove(&(arrival.sender.clone(), arrival.id.clone()));
        if let Some(letter) = &arrival.waiting {
            self.waiting.remove(&number);
            self.bytes -= letter.content.len();
        }
        Some(arrival)
    }

    /// All numbers, in order.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.arrivals.keys().copied().collect()
    }
}

/// Content as base64 text within JSON.
mod base64 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::encode_base64(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        super::decode_base64(&text).ok_or_else(|| D::Error::custom("content is not base64"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn arrival(id: &str, content: &[u8]) -> Arrival {
        Arrival {
            id: id.to_owned(),
            sender: Address::new("a@b"),
            until: Time(1),
            waiting: Some(Letter {
                name: None,
                content_type: "text/plain".to_owned(),
                content: content.to_vec(),
                uri: None,
                arrived: Time(0),
                sent: None,
                report: false,
            }),
        }
    }

    #[test]
    fn counts_follow_what_comes_and_goes() {
        let mut inbox = Inbox::default();
        let first = inbox.push(arrival("1", b"abc"));
        let second = inbox.push(arrival("2", b"de"));
        assert_eq!((inbox.waiting(), inbox.bytes()), (2, 5));
        assert_eq!(inbox.first_waiting(), Some(first));
        assert_eq!(inbox.take(first).unwrap().content, b"abc");
        assert!(inbox.take(first).is_none());
        assert_eq!(
            (inbox.waiting(), inbox.bytes(), inbox.remembered()),
            (1, 2, 1)
        );
        assert!(inbox.knows(&Address::new("a@b"), "1"));
        inbox.remove(first);
        inbox.remove(second);
        assert!(!inbox.knows(&Address::new("a@b"), "1"));
        assert_eq!(
            (inbox.waiting(), inbox.bytes(), inbox.remembered()),
            (0, 0, 0)
        );
    }

    #[test]
    fn an_arrival_survives_its_record() {
        let arrival = arrival("1", &[0, 255, 7]);
        let record = serde_json::to_vec(&arrival).unwrap();
        assert_eq!(serde_json::from_slice::<Arrival>(&record).unwrap(), arrival);
    }
}
