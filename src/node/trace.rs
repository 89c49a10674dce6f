//! The last things that happened, for `wvgate explain`.
//!
//! Everything that happens is traced, hardly any of it is ever read, and what is forgotten was last
//! touched long ago. So traces are kept as bytes in one ring: no allocation for each of their texts,
//! and nothing to be given back.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::sap::{Direction, Time, Trace};

/// Longest text kept of a field, in bytes.
const LONGEST: usize = 4096;
/// Says that there is no text.
const ABSENT: u16 = u16::MAX;

/// A bounded memory of traces.
#[derive(Debug)]
pub struct TraceLog {
    ring: VecDeque<Entry>,
    /// The texts of all entries, one after the other; each behind its length.
    texts: VecDeque<u8>,
    bound: usize,
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

impl TraceLog {
    /// A memory of the last `bound` traces.
    pub fn new(bound: usize) -> Self {
        Self {
            ring: VecDeque::new(),
            texts: VecDeque::new(),
            bound,
        }
    }

    /// Adds a trace, forgetting the oldest one if there are too many.
    pub fn push(&mut self, trace: &Trace) {
        if self.ring.len() >= self.bound
            && let Some(oldest) = self.ring.pop_front()
        {
            self.texts.drain(..oldest.length);
        }
        let before = self.texts.len();
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
        self.ring.push_back(Entry {
            time: trace.time,
            direction: trace.direction,
            primitive: trace.primitive.clone(),
            what: trace.what.clone(),
            recipients: trace.to.len(),
            length: self.texts.len() - before,
        });
    }

    fn add(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            return self.texts.extend(ABSENT.to_le_bytes());
        };
        let mut end = text.len().min(LONGEST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &text[..end];
        let length = u16::try_from(text.len()).unwrap_or_default();
        self.texts.extend(length.to_le_bytes());
        self.texts.extend(text.as_bytes());
    }

    /// All traces that concern `id`: a message id or a transaction id. The
    /// transactions of a message bring their own traces along.
    pub fn explain(&self, id: &str) -> Vec<Trace> {
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

impl Entry {
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
        let mut log = TraceLog::new(5);
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
        let mut log = TraceLog::new(5);
        let long = "ß".repeat(100_000);
        log.push(&trace(1, &[&format!("x{long}")]));
        log.push(&trace(2, &[&long]));
        let kept: Vec<usize> = log.iter().map(|trace| trace.to[0].len()).collect();
        assert_eq!(kept, [4095, 4096]);
    }
}
