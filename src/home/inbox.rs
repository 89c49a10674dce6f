//! The inbox of one user: messages that wait until a client has taken them, and the memory of
//! those that were taken, by which duplicates are recognised. Every arrival lives until its
//! validity ends. Bodies are on disk ([`super::body`]): here is what is needed to decide.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::element::Time;
use crate::imps::address::Address;
use crate::imps::common::decode_base64;
use crate::imps::datetime::DateTime;
use crate::text::cut;

use super::body::Body;

/// How messages are called that are told apart by their numbers only.
const NUMBERED: char = '~';

/// Bytes of a content's type that are kept in memory, for reports; our choice.
const MAX_TYPE: usize = 256;

/// Bytes of a name that is kept in memory, for those who are told that a message waits.
const MAX_LABEL: usize = 256;
/// Bytes of a content's address likewise; a longer one is told with the message.
const MAX_URI: usize = 1024;

/// An arrival: a message that waits, or the trace of one that was taken.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Arrival {
    /// Message id, unique together with the sender.
    pub(super) id: String,
    /// The user or group that sent it.
    pub(super) sender: Address,
    /// Until when it is valid.
    pub(super) until: Time,
    /// The message, as long as it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) waiting: Option<Letter>,
    /// What is reported of it in the end, if the recipient blocks its sender: nobody is told of
    /// the message, and it has no content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blocked: Option<Letter>,
}

/// What is known of a message that waits; the rest is its [`Body`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Kept")]
pub(super) struct Letter {
    /// MIME type of the content as reports name it, at most [`MAX_TYPE`] bytes.
    pub(super) content_type: String,
    /// Bytes of the content.
    pub(super) size: usize,
    /// Bytes of the body with all that goes with it.
    pub(super) bytes: usize,
    /// When the node took it.
    pub(super) arrived: Time,
    /// When it was sent, as the sender says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sent: Option<DateTime>,
    /// Whether the sender wants a report.
    pub(super) report: bool,
    /// How it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels: Option<Box<Labels>>,
    /// An older version has written it: the body is in the same record.
    #[serde(skip)]
    pub(super) has_body: bool,
}

/// What somebody is told of a message besides, before they fetch it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Labels {
    /// The name to show for the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// What the content is called, as a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_name: Option<String>,
    /// Where the content is, if it is not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uri: Option<String>,
}

/// A letter in its record, as all versions have written it.
#[derive(serde::Deserialize)]
struct Kept {
    content_type: String,
    arrived: Time,
    sent: Option<DateTime>,
    report: bool,
    size: Option<usize>,
    bytes: Option<usize>,
    labels: Option<Box<Labels>>,
    // Of older versions.
    name: Option<String>,
    content: Option<String>,
    uri: Option<String>,
}

impl Kept {
    fn body(self) -> Result<Body, &'static str> {
        let content = decode_base64(self.content.as_deref().unwrap_or_default());
        Ok(Body {
            name: self.name,
            content_type: self.content_type,
            content: content.ok_or("content is not base64")?,
            uri: self.uri,
            content_name: None,
        })
    }
}

impl TryFrom<Kept> for Letter {
    type Error = &'static str;

    fn try_from(mut kept: Kept) -> Result<Self, Self::Error> {
        let labels = kept.labels.take();
        let (arrived, sent, report) = (kept.arrived, kept.sent, kept.report);
        let (size, bytes, has_content) = (kept.size, kept.bytes, kept.content.is_some());
        let body = kept.body()?;
        let letter = Self::of(&body, arrived, sent, report);
        Ok(Self {
            size: size.unwrap_or(letter.size),
            bytes: bytes.unwrap_or(letter.bytes),
            has_body: has_content && size.is_none(),
            labels: labels.or(letter.labels),
            ..letter
        })
    }
}

impl Letter {
    /// What is known of a message with this body.
    pub(super) fn of(body: &Body, arrived: Time, sent: Option<DateTime>, report: bool) -> Self {
        Self {
            content_type: cut(&body.content_type, MAX_TYPE).to_owned(),
            size: body.content.len(),
            bytes: body.bytes(),
            arrived,
            sent,
            report,
            labels: Labels::of(body),
            has_body: false,
        }
    }
}

impl Labels {
    fn of(body: &Body) -> Option<Box<Self>> {
        let label = |text: &Option<String>| {
            let text = text.as_ref()?;
            Some(cut(text, MAX_LABEL).to_owned())
        };
        let labels = Self {
            name: label(&body.name),
            content_name: label(&body.content_name),
            uri: body.uri.clone().filter(|uri| uri.len() <= MAX_URI),
        };
        (labels != Self::default()).then(|| Box::new(labels))
    }
}

impl Arrival {
    /// Bytes that its message takes up as long as it waits.
    pub(super) fn bytes(&self) -> usize {
        let named = self.id.len() + self.sender.as_str().len();
        self.waiting
            .as_ref()
            .map_or(0, |letter| letter.bytes + named)
    }

    /// The body in a record of an older version.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub(super) fn body_of(record: &[u8]) -> Result<Body, String> {
        #[derive(serde::Deserialize)]
        struct Record {
            waiting: Kept,
        }
        let record = serde_json::from_slice::<Record>(record).map_err(|error| error.to_string())?;
        Ok(record.waiting.body()?)
    }
}

/// One user's arrivals.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// In order of arrival.
    arrivals: BTreeMap<u64, Arrival>,
    /// By sender and message id.
    known: HashMap<(Address, String), u64>,
    /// Arrivals that wait for a client.
    waiting: Stored,
    /// Those that wait, of each domain of senders.
    of_domain: HashMap<String, Stored>,
    /// Those that are only remembered, by domain of senders.
    remembered: BTreeMap<String, BTreeSet<u64>>,
    /// Messages that one client has taken and another has still to be told: their bodies stay on
    /// disk until that.
    copies: BTreeMap<u64, Arrival>,
    copied_bytes: usize,
}

/// Messages that wait.
#[derive(Debug, Default)]
struct Stored {
    numbers: BTreeSet<u64>,
    bytes: usize,
}

impl Inbox {
    /// Whether the message has been accepted before.
    pub(super) fn knows(&self, sender: &Address, id: &str) -> bool {
        self.known.contains_key(&(sender.clone(), id.to_owned()))
    }

    /// How many messages wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.numbers.len()
    }

    /// Whether nothing waits, for a client or for its end.
    pub(super) fn is_only_remembered(&self) -> bool {
        let mut arrivals = self.arrivals.values();
        self.waiting.numbers.is_empty()
            && self.copies.is_empty()
            && arrivals.all(|arrival| arrival.blocked.is_none())
    }

    /// All arrivals, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Arrival)> {
        self.arrivals
            .iter()
            .map(|(number, arrival)| (*number, arrival))
    }

    /// Bytes of what waits.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.bytes
    }

    /// How many messages of a domain wait, and their bytes.
    pub(super) fn waiting_of(&self, domain: &str) -> (usize, usize) {
        let stored = self.of_domain.get(domain);
        stored.map_or((0, 0), |stored| (stored.numbers.len(), stored.bytes))
    }

    /// How many arrivals are only remembered.
    pub(super) fn remembered(&self) -> usize {
        self.arrivals.len() - self.waiting()
    }

    /// The oldest arrival that is only remembered, of the domain of which most are: what one
    /// domain sends does not displace the memory of the others'.
    pub(super) fn first_remembered(&self) -> Option<u64> {
        let most = self.remembered.values().max_by_key(|numbers| numbers.len());
        most.and_then(|numbers| numbers.first().copied())
    }

    /// The first message from this number on that waits, or was taken by one client only.
    pub(super) fn next(&self, from: u64) -> Option<(u64, &Arrival)> {
        let waiting = self.waiting.numbers.range(from..).next();
        let waiting = waiting.and_then(|number| self.arrivals.get_key_value(number));
        let copy = self.copies.range(from..).next();
        let both = [waiting, copy].into_iter().flatten();
        both.min_by_key(|(number, _)| **number)
            .map(|(number, arrival)| (*number, arrival))
    }

    /// The messages that wait, in order.
    pub(super) fn all_waiting(&self) -> impl Iterator<Item = (u64, &Arrival)> {
        let numbers = self.waiting.numbers.iter();
        numbers.filter_map(|number| Some((*number, self.arrivals.get(number)?)))
    }

    /// What is known of the message with this number, if it waits.
    pub(super) fn letter(&self, number: u64) -> Option<&Letter> {
        self.arrivals.get(&number)?.waiting.as_ref()
    }

    /// By which id its user asks for a message that waits: its own, unless an older one of another
    /// sender has the same.
    pub(super) fn name(&self, number: u64) -> Option<String> {
        let arrival = self.arrivals.get(&number)?;
        let is_free = self.first_of(&arrival.id) == Some(number);
        let own = Some(&arrival.id).filter(|id| is_free && !id.starts_with(NUMBERED));
        Some(own.map_or_else(|| format!("{NUMBERED}{number:x}"), Clone::clone))
    }

    /// The message that waits and is called so by [`Self::name`].
    pub(super) fn named(&self, name: &str) -> Option<u64> {
        match name.strip_prefix(NUMBERED) {
            Some(number) => {
                let number = u64::from_str_radix(number, 16).ok()?;
                self.letter(number).map(|_| number)
            }
            None => self.first_of(name),
        }
    }

    /// The oldest message that waits and has this id.
    fn first_of(&self, id: &str) -> Option<u64> {
        let mut waiting = self.all_waiting();
        let (number, _) = waiting.find(|(_, arrival)| arrival.id == id)?;
        Some(number)
    }

    /// The highest number given so far.
    pub(super) fn last(&self) -> Option<u64> {
        self.arrivals.last_key_value().map(|(last, _)| *last)
    }

    /// Puts an arrival at its number.
    pub(super) fn insert(&mut self, number: u64, arrival: Arrival) {
        self.remove(number);
        self.known
            .insert((arrival.sender.clone(), arrival.id.clone()), number);
        let domain = arrival.sender.domain().to_owned();
        if arrival.waiting.is_some() {
            self.waiting.insert(number, arrival.bytes());
            let own = self.of_domain.entry(domain).or_default();
            own.insert(number, arrival.bytes());
        } else {
            self.remembered.entry(domain).or_default().insert(number);
        }
        self.arrivals.insert(number, arrival);
    }

    pub(super) fn get(&self, number: u64) -> Option<&Arrival> {
        self.arrivals.get(&number)
    }

    /// Takes the message out of an arrival, which stays remembered.
    pub(super) fn take(&mut self, number: u64) -> Option<Letter> {
        let mut arrival = self.remove(number)?;
        let letter = arrival.waiting.take();
        self.insert(number, arrival);
        letter
    }

    /// Forgets that something is to be reported of an arrival that is only remembered.
    pub(super) fn forget_report(&mut self, number: u64) {
        if let Some(arrival) = self.arrivals.get_mut(&number) {
            arrival.blocked = None;
        }
    }

    /// Forgets an arrival.
    pub(super) fn remove(&mut self, number: u64) -> Option<Arrival> {
        let arrival = self.arrivals.remove(&number)?;
        self.known
            .remove(&(arrival.sender.clone(), arrival.id.clone()));
        let domain = arrival.sender.domain();
        if arrival.waiting.is_some() {
            self.waiting.remove(number, arrival.bytes());
            if let Some(own) = self.of_domain.get_mut(domain) {
                own.remove(number, arrival.bytes());
                if own.numbers.is_empty() {
                    self.of_domain.remove(domain);
                }
            }
        } else if let Some(own) = self.remembered.get_mut(domain) {
            own.remove(&number);
            if own.is_empty() {
                self.remembered.remove(domain);
            }
        }
        Some(arrival)
    }

    /// Keeps a message that was taken for a client that was not told of it yet. It is no longer
    /// waiting: it goes with those clients.
    pub(super) fn copy(&mut self, number: u64, letter: Letter) {
        let Some(arrival) = self.arrivals.get(&number) else {
            return;
        };
        let copy = Arrival {
            waiting: Some(letter),
            ..arrival.clone()
        };
        self.copied_bytes += copy.bytes();
        self.copies.insert(number, copy);
    }

    /// How many copies are kept, and their bytes.
    pub(super) fn copies(&self) -> (usize, usize) {
        (self.copies.len(), self.copied_bytes)
    }

    /// Forgets the first of the copies that every client was told of: those before this number.
    pub(super) fn forget_copy(&mut self, before: u64) -> Option<u64> {
        let first = self.copies.first_key_value();
        let (number, _) = first.filter(|(number, _)| **number < before)?;
        let number = *number;
        self.remove_copy(number);
        Some(number)
    }

    /// Forgets a copy. Says whether there was one.
    pub(super) fn remove_copy(&mut self, number: u64) -> bool {
        let copy = self.copies.remove(&number);
        self.copied_bytes -= copy.as_ref().map_or(0, Arrival::bytes);
        copy.is_some()
    }

    /// The message with this number, if a client has still to be told of it.
    pub(super) fn untold(&self, number: u64) -> Option<&Arrival> {
        let waiting = self.arrivals.get(&number).filter(|a| a.waiting.is_some());
        waiting.or_else(|| self.copies.get(&number))
    }

    /// The body of a message is in a record of its own now.
    pub(super) fn body_moved(&mut self, number: u64) {
        let arrival = self.arrivals.get_mut(&number);
        if let Some(letter) = arrival.and_then(|arrival| arrival.waiting.as_mut()) {
            letter.has_body = false;
        }
    }

    /// All numbers, in order.
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.arrivals.keys().copied().collect()
    }
}

impl Stored {
    fn insert(&mut self, number: u64, bytes: usize) {
        self.numbers.insert(number);
        self.bytes += bytes;
    }

    fn remove(&mut self, number: u64, bytes: usize) {
        self.numbers.remove(&number);
        self.bytes -= bytes;
    }
}
