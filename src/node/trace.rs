//! The last things that happened, for `wvgate explain`.
//!
//! Everything that happens is traced, hardly any of it is ever read, and what is forgotten was last
//! touched long ago. So traces are kept as bytes in one ring: no allocation for each of their texts,
//! and nothing to be given back.

use std::borrow::Cow;
use std::collections::VecDeque;

use tokio_xmpp::Stanza;

use crate::sap::{Direction, Time, Trace};
use crate::text::cut;

/// Longest text kept of a field, in bytes; our choice: no id or address of ordinary length is
/// cut.
const LONGEST: usize = 256;
/// Says that there is no text.
const ABSENT: u16 = u16::MAX;
/// Traces remembered.
const TRACES: usize = 20_000;
/// Bytes of all of them; our choice.
const BYTES: usize = 16 << 20;

/// A bounded memory of traces.
#[derive(Debug)]
pub struct TraceLog {
    ring: VecDeque<Entry>,
    /// The texts of all entries, one after the other; each behind its length.
    texts: VecDeque<u8>,
    /// Those of the one that is added.
    adding: Vec<u8>,
    /// Bytes that the entries take.
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    time: Time,
    direction: Direction,
    primitive: Cow<'static, str>,
    what: Cow<'static, str>,
    /// Recipients among the texts.
    recipients: usize,
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
            adding: Vec::new(),
            bytes: 0,
            most,
            most_bytes,
        }
    }

    /// Adds a trace, forgetting the oldest ones if there are too many.
    pub fn push(&mut self, trace: &Trace) {
        self.adding.clear();
        for text in [
            &trace.peer,
            &trace.session,
            &trace.transaction,
            &trace.message,
            &trace.user,
        ] {
            self.add(text.as_deref());
        }
        for recipient in &trace.to {
            self.add(Some(recipient));
        }
        let entry = Entry {
            time: trace.time,
            direction: trace.direction,
            primitive: shortened(&trace.primitive),
            what: shortened(&trace.what),
            recipients: trace.to.len(),
            length: self.adding.len(),
        };
        self.texts.extend(&self.adding);
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

    fn add(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            return self.adding.extend(ABSENT.to_le_bytes());
        };
        let text = cut(text, LONGEST);
        let length = u16::try_from(text.len()).unwrap_or_default();
        self.adding.extend(length.to_le_bytes());
        self.adding.extend(text.as_bytes());
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
            entry.read(&texts.collect::<Vec<u8>>())
        })
    }
}

/// A trace as it is kept and told: no text of it longer than 256 bytes.
pub(super) fn bounded(mut trace: Trace) -> Trace {
    let shorten = |text: &mut String| {
        let end = cut(text, LONGEST).len();
        text.truncate(end);
    };
    let texts = [
        &mut trace.peer,
        &mut trace.session,
        &mut trace.transaction,
        &mut trace.message,
        &mut trace.user,
    ];
    texts.into_iter().flatten().for_each(shorten);
    trace.to.iter_mut().for_each(shorten);
    trace.primitive = shortened(&trace.primitive);
    trace.what = shortened(&trace.what);
    trace
}

#[expect(clippy::ptr_arg, reason = "a borrowed one stays borrowed for ever")]
fn shortened(text: &Cow<'static, str>) -> Cow<'static, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(cut(text, LONGEST).to_owned()),
    }
}

/// What happens to a stanza at the gateway's edge.
pub(super) fn stanza_trace(direction: Direction, stanza: &Stanza, now: Time) -> Trace {
    let (kind, id, from, to) = match stanza {
        Stanza::Message(message) => (
            "message",
            message.id.as_ref().map(|id| id.0.clone()),
            message.from.as_ref(),
            message.to.as_ref(),
        ),
        Stanza::Presence(presence) => (
            "presence",
            presence.id.clone(),
            presence.from.as_ref(),
            presence.to.as_ref(),
        ),
        Stanza::Iq(iq) => ("iq", Some(iq.id().to_owned()), iq.from(), iq.to()),
    };
    Trace {
        time: now,
        direction,
        peer: Some("xmpp".to_owned()),
        session: None,
        transaction: None,
        primitive: format!("<{kind}/>").into(),
        message: id,
        user: from.map(ToString::to_string),
        to: to.map(ToString::to_string).into_iter().collect(),
        what: match direction {
            Direction::In => "stanza received".into(),
            _ => "stanza sent".into(),
        },
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        let owned = |text: &Cow<'static, str>| match text {
            Cow::Borrowed(_) => 0,
            Cow::Owned(text) => text.len(),
        };
        size_of::<Self>() + self.length + owned(&self.primitive) + owned(&self.what)
    }

    fn read(&self, mut texts: &[u8]) -> Trace {
        let mut next = || {
            let (length, rest) = texts.split_first_chunk::<2>()?;
            let length = u16::from_le_bytes(*length);
            if length == ABSENT {
                texts = rest;
                return None;
            }
            let (text, rest) = rest.split_at_checked(usize::from(length))?;
            texts = rest;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        Trace {
            time: self.time,
            direction: self.direction,
            peer: next(),
            session: next(),
            transaction: next(),
            primitive: self.primitive.clone(),
            message: next(),
            user: next(),
            to: (0..self.recipients).filter_map(|_| next()).collect(),
            what: self.what.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(n: u64, to: &[&str]) -> Trace {
        Trace {
            time: Time(n),
            direction: Direction::In,
            peer: Some("a.test".to_owned()),
            session: None,
            transaction: Some(format!("t{n}")),
            primitive: "SendMessageRequest".into(),
            message: Some(format!("m{}", n / 2)),
            user: Some(String::new()),
            to: to.iter().map(|to| (*to).to_owned()).collect(),
            what: format!("no. {n}").into(),
        }
    }

    #[test]
    fn traces_are_found_as_they_were_until_they_are_forgotten() {
        let mut log = TraceLog::new(5, BYTES);
        let traces: Vec<Trace> = (0..12)
            .map(|n| {
                trace(
                    n,
                    &["wv:bob@b.test", "wv:ß@c.test"][..usize::from(n % 3 > 0)],
                )
            })
            .collect();
        for trace in &traces {
            log.push(trace);
        }
        assert_eq!(log.iter().collect::<Vec<_>>(), traces[7..]);
        assert_eq!(log.explain("m4"), traces[8..10]);
        assert_eq!(log.explain("t9"), traces[9..10]);
        assert_eq!(log.explain("m1"), []);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let mut log = TraceLog::new(5, BYTES);
        let long = "ß".repeat(100_000);
        log.push(&trace(1, &[&format!("x{long}")]));
        log.push(&trace(2, &[&long]));
        let kept: Vec<usize> = log.iter().map(|trace| trace.to[0].len()).collect();
        assert_eq!(kept, [255, 256]);
    }

    #[test]
    fn whatever_the_texts_are_the_memory_ends_at_its_bytes() {
        let mut log = TraceLog::new(TRACES, 100_000);
        let huge = "x".repeat(1_000_000);
        for n in 0..1_000 {
            let mut trace = trace(n, &[huge.as_str(); 8]);
            trace.primitive = Cow::Owned(huge.clone());
            trace.transaction = Some(format!("{n}{huge}"));
            trace.session = Some(huge.clone());
            trace.user = Some(huge.clone());
            assert!(bounded(trace.clone()).to.iter().all(|to| to.len() == 256));
            log.push(&trace);
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
