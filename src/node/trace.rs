//! The last things that happened, for `wvgate explain`.
//!
//! Everything that happens is traced, hardly any of it is ever read, and what is forgotten was last
//! touched long ago. So traces are kept as bytes in one ring: no allocation for each of their texts,
//! and nothing to be given back.

use std::collections::VecDeque;

use tokio_xmpp::Stanza;
use tokio_xmpp::jid::Jid;

use crate::sap::note::LONGEST;
use crate::sap::{About, Direction, Note, Time, Trace};
use crate::text::cut;

/// Traces remembered.
const TRACES: usize = 20_000;
/// Bytes of all of them; our choice.
const BYTES: usize = 16 << 20;

/// A bounded memory of traces.
#[derive(Debug)]
pub struct TraceLog {
    ring: VecDeque<Entry>,
    /// The texts of all entries, one after the other.
    texts: VecDeque<u8>,
    /// Bytes that the entries take.
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    /// Without its texts.
    note: Note,
    /// Bytes of the texts.
    length: usize,
}

impl Default for TraceLog {
    fn default() -> Self {
        Self::new(TRACES, BYTES)
    }
}

impl TraceLog {
    /// A memory of the last `most` traces, and of `most_bytes` bytes at most.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            ring: VecDeque::new(),
            texts: VecDeque::new(),
            bytes: 0,
            most,
            most_bytes,
        }
    }

    /// Adds a note, forgetting the oldest ones if there are too many.
    pub fn push(&mut self, note: Note) {
        let (note, texts) = note.apart();
        let length = texts.len();
        let entry = Entry { note, length };
        self.texts.extend(texts);
        self.bytes += entry.bytes();
        self.ring.push_back(entry);
        while self.ring.len() > self.most || self.bytes > self.most_bytes {
            let Some(oldest) = self.ring.pop_front() else {
                break;
            };
            self.texts.drain(..oldest.length);
            self.bytes -= oldest.bytes();
        }
    }

    /// Bytes that are remembered.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All traces that concern `id`: a message id or a transaction id. The
    /// transactions of a message bring their own traces along.
    pub fn explain(&self, id: &str) -> Vec<Trace> {
        let id = cut(id, LONGEST);
        let is = |field: &Option<String>, wanted: &str| field.as_deref() == Some(wanted);
        let transactions: Vec<(Option<String>, String)> = self
            .iter()
            .filter(|trace| is(&trace.message, id))
            .filter_map(|trace| Some((trace.peer, trace.transaction?)))
            .collect();
        let concerns = |trace: &Trace| {
            is(&trace.message, id)
                || is(&trace.transaction, id)
                || transactions.iter().any(|(peer, transaction)| {
                    *peer == trace.peer && is(&trace.transaction, transaction)
                })
        };
        self.iter().filter(concerns).collect()
    }

    /// All traces, the oldest first.
    fn iter(&self) -> impl Iterator<Item = Trace> {
        let mut at = 0;
        self.ring.iter().map(move |entry| {
            let texts = self.texts.range(at..at + entry.length).copied();
            at += entry.length;
            entry.note.with(texts.collect()).read()
        })
    }
}

/// What happens to a stanza at the gateway's edge.
pub(super) fn stanza_note(direction: Direction, stanza: &Stanza, now: Time) -> Note {
    let (kind, id, from, to) = match stanza {
        Stanza::Message(message) => (
            "<message/>",
            message.id.as_ref().map(|id| id.0.as_str()),
            message.from.as_ref(),
            message.to.as_ref(),
        ),
        Stanza::Presence(presence) => (
            "<presence/>",
            presence.id.as_deref(),
            presence.from.as_ref(),
            presence.to.as_ref(),
        ),
        Stanza::Iq(iq) => ("<iq/>", Some(iq.id()), iq.from(), iq.to()),
    };
    let what = match direction {
        Direction::In => "stanza received",
        _ => "stanza sent",
    };
    let about = About {
        peer: Some("xmpp"),
        message: id,
        user: from.map(Jid::as_str),
        ..About::default()
    };
    Note::new((now, direction), kind, what, about, to.map(Jid::as_str))
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<usize>() + self.note.bytes() + self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(n: u64, to: &[&str]) -> Note {
        let (transaction, message) = (format!("t{n}"), format!("m{}", n / 2));
        let about = About {
            peer: Some("a.test"),
            transaction: Some(&transaction),
            message: Some(&message),
            user: Some(""),
            ..About::default()
        };
        let what = format!("no. {n}");
        let at = (Time(n), Direction::In);
        Note::new(at, "SendMessageRequest", what, about, to.iter().copied())
    }

    #[test]
    fn traces_are_found_as_they_were_until_they_are_forgotten() {
        let mut log = TraceLog::new(5, BYTES);
        let notes = (0..12).map(|n| {
            let to = ["wv:bob@b.test", "wv:ß@c.test"];
            note(n, &to[..usize::from(n % 3 > 0)])
        });
        let mut traces = Vec::new();
        for note in notes {
            traces.push(note.read());
            log.push(note);
        }
        assert_eq!(log.iter().collect::<Vec<_>>(), traces[7..]);
        assert_eq!(log.explain("m4"), traces[8..10]);
        assert_eq!(log.explain("t9"), traces[9..10]);
        assert_eq!(log.explain("m1"), []);
    }

    #[test]
    fn whatever_the_texts_are_the_memory_ends_at_its_bytes() {
        let mut log = TraceLog::new(TRACES, 100_000);
        let huge = "x".repeat(1_000_000);
        for n in 0..1_000 {
            let transaction = format!("{n}{huge}");
            let about = About {
                session: Some(&huge),
                transaction: Some(&transaction),
                user: Some(&huge),
                ..About::default()
            };
            let at = (Time(n), Direction::In);
            log.push(Note::new(at, huge.clone(), "", about, [huge.as_str(); 8]));
            assert!(log.bytes() <= 100_000);
        }
        // The newest ones are there.
        let kept: Vec<Trace> = log.iter().collect();
        assert!(kept.len() > 20);
        assert_eq!(kept.last().map(|trace| trace.time), Some(Time(999)));
        let whole = format!("999{huge}");
        assert_eq!(log.explain(&whole).len(), 1);
    }
}
