//! Who may report on a message: only whom it was sent to, and only what was sent.
//!
//! As long as a message's row is in the Transaction Table, that says where it went. After
//! the duplicate window the row is forgotten, but a report may come as long as the message
//! is valid: what is needed then is kept in a record of its own, message id, sender and the
//! recipients' domains. So much is kept for each peer that asks for reports, the oldest are
//! given up first; as long as something has been given up that might still be reported on,
//! a report of which nothing is known passes if who reports is of the peer's domains.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::index::Index;
use super::record::{Origin, Place, Record};
use super::table::Table;
use crate::element::Time;
use crate::imps::Address;
use crate::imps::primitive::Name;
use crate::sap::presented_as::PeerId;
use crate::sap::settings::{Peer, Route, Settings};
use crate::ssp::envelope::Transaction;
use crate::store::Write;

/// Prefix of what is kept.
pub(in crate::sap) const PREFIX: &str = "sap/asked/";
/// Since when all is kept.
pub(in crate::sap) const SINCE: &str = "sap/asked-since";
/// Messages kept for one peer, or for this node. Our choice.
pub(in crate::sap) const MOST: usize = 50_000;
/// Bytes kept for one peer, or for this node. Our choice.
pub(in crate::sap) const MOST_BYTES: usize = 16 << 20;
/// A report about the end of a message comes a little after it.
const GRACE: Duration = Duration::from_secs(3_600);

/// Where a part of a message went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTo {
    /// The peer; `None` for a service element of this node.
    pub peer: Option<PeerId>,
    /// The recipients' domains.
    pub domains: Vec<String>,
}

/// What is kept of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sap) struct SentMessage {
    message: String,
    /// Who wants the report.
    sender: Address,
    /// The peer it came from; `None` for this node.
    from: Option<PeerId>,
    sent: Vec<SentTo>,
    until: Time,
}

impl SentMessage {
    fn key(&self) -> Key<'_> {
        (&self.message, &self.sender)
    }

    fn bytes(&self) -> usize {
        let sent = self.sent.iter().flat_map(|sent| &sent.domains);
        let sent: usize = sent.map(|domain| domain.len() + 32).sum();
        self.message.len() + self.sender.as_str().len() + sent + 128
    }
}

type Key<'k> = (&'k str, &'k Address);

/// Messages on which a report may come.
#[derive(Debug, Default)]
pub(super) struct SentMessages {
    /// Numbers of rows, and of what is kept, by message and sender.
    numbers: Index,
    kept: HashMap<u64, SentMessage>,
    /// What is kept for whom, and how many bytes.
    of: HashMap<Option<PeerId>, (BTreeSet<u64>, usize)>,
    /// Since when nothing was given up; `None`: nothing was kept yet.
    since: Option<Time>,
    /// The store is older than this memory.
    is_late: bool,
}

impl SentMessages {
    /// Takes back what was kept.
    pub(in crate::sap) fn restore(&mut self, number: u64, kept: SentMessage) {
        self.numbers.add(&kept.key(), number);
        let (of, bytes) = self.of.entry(kept.from.clone()).or_default();
        of.insert(number);
        *bytes += kept.bytes();
        self.kept.insert(number, kept);
    }

    /// Takes back since when all is kept.
    pub(in crate::sap) fn restore_since(&mut self, since: Time) {
        self.since = Some(since);
    }

    /// Times at which what is kept may be forgotten.
    pub(in crate::sap) fn ends(&self) -> impl Iterator<Item = (u64, Time)> {
        self.kept.iter().map(|(number, kept)| (*number, kept.until))
    }

    /// All records are back; `rows`: there were transactions.
    pub(in crate::sap) fn start(&mut self, rows: bool) {
        self.is_late = rows && self.since.is_none();
    }

    /// Takes note of a row written before a restart.
    pub(in crate::sap) fn restore_row(&mut self, number: u64, record: &Record) {
        if let Some(key) = key_of(record) {
            self.numbers.add(&key, number);
        }
    }

    /// Takes note of a row.
    pub(in crate::sap) fn note(
        &mut self,
        number: u64,
        record: &Record,
        now: Time,
    ) -> Option<Write> {
        let key = key_of(record)?;
        self.numbers.add(&key, number);
        if self.since.is_some() {
            return None;
        }
        let since = if self.is_late { now } else { Time(0) };
        Some(self.begin(since))
    }

    fn begin(&mut self, since: Time) -> Write {
        self.since = Some(since);
        Write::put_json(SINCE, &since)
    }

    /// A row is forgotten: what may still be reported on is kept. Tells until when.
    pub(super) fn keep(&mut self, number: u64, record: &Record) -> Option<(Time, Vec<Write>)> {
        let key = key_of(record)?;
        let kept = SentMessage {
            message: key.0.to_owned(),
            sender: key.1.clone(),
            from: match &record.origin {
                Origin::Peer { peer, .. } => Some(peer.clone()),
                Origin::Element { .. } => None,
            },
            sent: sent_to(record),
            until: record.expires.plus(GRACE),
        };
        if kept.sent.is_empty() {
            self.numbers.remove(&key, number);
            return None;
        }
        let until = kept.until;
        let mut writes = vec![Write::put_json(format!("{PREFIX}{number}"), &kept)];
        let from = kept.from.clone();
        self.restore(number, kept);
        let over = |(of, bytes): &(BTreeSet<u64>, usize)| {
            of.len() > MOST || (*bytes > MOST_BYTES && of.len() > 1)
        };
        let mut given_up = false;
        while self.of.get(&from).is_some_and(over) {
            let oldest = self.of.get(&from).and_then(|(of, _)| of.first());
            let Some(oldest) = oldest.copied() else { break };
            writes.extend(self.forget(oldest));
            given_up = true;
        }
        if given_up {
            // Accepted before the one that is forgotten now, at the latest.
            writes.push(self.begin(record.received));
        }
        Some((until, writes))
    }

    /// Forgets what is kept, if it has had its time.
    pub(super) fn forget_over(&mut self, number: u64, now: Time) -> Option<Write> {
        let kept = self.kept.get(&number)?;
        (kept.until <= now).then(|| self.forget(number))?
    }

    /// Forgets what is kept.
    fn forget(&mut self, number: u64) -> Option<Write> {
        let kept = self.kept.remove(&number)?;
        if let Some((of, bytes)) = self.of.get_mut(&kept.from) {
            of.remove(&number);
            *bytes = bytes.saturating_sub(kept.bytes());
            if of.is_empty() {
                self.of.remove(&kept.from);
            }
        }
        self.numbers.remove(&kept.key(), number);
        Some(Write::delete(format!("{PREFIX}{number}")))
    }

    /// Whether a peer reports on what was not sent to it.
    pub(super) fn is_unsent(
        &self,
        table: &Table,
        settings: &Settings,
        peer: &Peer,
        transaction: &Transaction,
        now: Time,
    ) -> bool {
        if transaction.name != Name::DeliveryStatusReport {
            return false;
        }
        let peek = &transaction.peek;
        let mut reporters = peek
            .claims
            .iter()
            .filter(|claim| claim.place.path.starts_with(&["MessageInfo", "Sender"]));
        let (Some(message), Some(reporter)) = (&peek.message_id, reporters.next()) else {
            // Without an id it is about nothing.
            return true;
        };
        let reporter = reporter.address.domain();
        let mut told = peek.recipients.iter();
        peek.recipients.is_empty()
            || told
                .any(|to| self.is_unsent_by((to, message), (peer, reporter), table, settings, now))
    }

    /// The same of a message of this sender, reported on by a user of this domain.
    fn is_unsent_by(
        &self,
        (to, message): (&Address, &str),
        (peer, reporter): (&Peer, &str),
        table: &Table,
        settings: &Settings,
        now: Time,
    ) -> bool {
        let to = to.clone().or_domain(&settings.domain);
        let is_here = matches!(settings.route_to(&to), Some(Route::Local(_)));
        let key = (message, &to);
        let mut is_known = false;
        let mut sent: Vec<SentTo> = Vec::new();
        for number in self.numbers.candidates(&key) {
            if let Some(kept) = self.kept.get(&number) {
                if kept.key() == key {
                    is_known = true;
                    sent.extend(kept.sent.iter().cloned());
                }
            } else if let Some(record) = table.get(number)
                && key_of(&record) == Some(key)
            {
                is_known = true;
                sent.extend(sent_to(&record));
            }
        }
        if sent.is_empty() {
            // A row of an older version, or another way than this was taken there.
            let longest = settings
                .default_validity
                .saturating_mul(7)
                .saturating_add(GRACE);
            return !is_known && is_here && self.is_whole(longest, now);
        }
        let is_it = |sent: &SentTo| {
            let there = sent.peer.as_ref().map(PeerId::real);
            there == Some(peer.real())
                && sent
                    .domains
                    .iter()
                    .any(|domain| domain == reporter || (peer.is(domain) && peer.is(reporter)))
        };
        !sent.iter().any(is_it)
    }

    /// Whether all messages of the last `longest` are known.
    fn is_whole(&self, longest: Duration, now: Time) -> bool {
        match self.since {
            Some(since) => since == Time(0) || now.after(since) > longest,
            None => !self.is_late,
        }
    }
}

fn key_of(record: &Record) -> Option<Key<'_>> {
    let (Some(message), Some(sender)) = (&record.message, &record.report_to) else {
        return None;
    };
    Some((message, sender))
}

/// Where the parts of a message went, in few words.
pub(in crate::sap) fn sent_to(record: &Record) -> Vec<SentTo> {
    if !record.sent.is_empty() {
        return record.sent.clone();
    }
    let sent = record.parts.iter().filter_map(|part| {
        let peer = match &part.place {
            Place::Peer { peer, .. } => Some(peer.clone()),
            Place::Element { .. } => None,
            Place::Here => return None,
        };
        let mut domains: Vec<String> = Vec::new();
        for target in &part.targets {
            if domains.iter().all(|known| known != target.domain()) {
                domains.push(target.domain().to_owned());
            }
        }
        Some(SentTo { peer, domains })
    });
    sent.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(number: u64, id: String) -> SentMessage {
        SentMessage {
            message: id,
            sender: Address::new("alice@a.test"),
            from: Some(PeerId::new("a.test")),
            sent: vec![SentTo {
                peer: Some(PeerId::new("b.test")),
                domains: vec!["b.test".to_owned()],
            }],
            until: Time(number),
        }
    }

    fn row(id: &str, received: u64) -> Record {
        let origin = Origin::Peer {
            peer: PeerId::new("a.test"),
            id: "t".into(),
        };
        let (name, times) = (
            Name::SendMessageRequest.into(),
            (Time(received), Time(received + 10)),
        );
        Record {
            state: crate::sap::transaction::State::Answered(None),
            message: Some(id.to_owned()),
            report_to: Some(Address::new("alice@a.test")),
            sent: kept(0, String::new()).sent,
            ..Record::waiting(origin, name, times)
        }
    }

    #[test]
    fn the_oldest_are_given_up_at_the_bound_of_number_and_of_bytes() {
        for (id, most) in [("m".to_owned(), MOST), ("m".repeat(1 << 20), 15)] {
            let second = Duration::from_secs(1);
            let mut asked = SentMessages::default();
            assert!(asked.note(0, &row(&id, 5), Time(5)).is_some());
            assert!(asked.is_whole(second, Time(6)));
            for number in 0..most as u64 {
                asked.restore(number, kept(number, format!("{number}{id}")));
            }
            let last = most as u64;
            let (_, writes) = asked.keep(last, &row(&id, 7)).unwrap();
            let deleted = writes.iter().filter(|w| matches!(w, Write::Delete { .. }));
            assert_eq!(deleted.count(), 1, "{}", id.len());
            assert_eq!(asked.kept.len(), most);
            // Now there may be reports on what is not known any more; for a while.
            assert!(!asked.is_whole(second, Time(8)) && asked.is_whole(second, Time(1_008)));
            let (of, bytes) = &asked.of[&Some(PeerId::new("a.test"))];
            assert!(of.len() <= MOST && *bytes <= MOST_BYTES);
            for number in 0..=last {
                asked.forget(number);
            }
            assert!(asked.of.is_empty() && asked.kept.is_empty());
        }
    }
}
