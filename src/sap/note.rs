//! What is noted of each thing that happens to a transaction or message: its texts in one piece,
//! because it is made for all of them, and hardly any is ever read.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::watch::{Direction, Trace};
use crate::element::Time;
use crate::text::{IdShown, cut};

/// Longest text kept of a field, in bytes; our choice: no id or address of ordinary length is
/// cut.
pub const LONGEST: usize = 256;
/// Says that there is no text.
const ABSENT: u16 = u16::MAX;
/// Room for the texts of most notes, in bytes.
const ROOM: usize = 192;

/// One thing that happened; [`Note::read`] makes a [`Trace`] of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    time: Time,
    direction: Direction,
    primitive: Cow<'static, str>,
    what: Cow<'static, str>,
    /// Recipients among the texts.
    recipients: usize,
    texts: Texts,
}

/// The texts of a note, one after the other, each behind its length in two bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Texts(Vec<u8>);

/// What a note is about. It has a session id as a whole, so it cannot be printed.
#[derive(Clone, Copy, Default)]
pub struct About<'a> {
    /// The domain of the peer; none inside the node.
    pub peer: Option<&'a str>,
    /// The session id used, of which only the beginning is noted.
    pub session: Option<&'a str>,
    /// The transaction id.
    pub transaction: Option<&'a str>,
    /// The message's id.
    pub message: Option<&'a str>,
    /// The user whom it is from.
    pub user: Option<&'a str>,
}

impl Note {
    /// Notes what happened to a primitive of that name, and for whom that is.
    pub fn new<'a>(
        (time, direction): (Time, Direction),
        primitive: impl Into<Cow<'static, str>>,
        what: impl Into<Cow<'static, str>>,
        about: About<'_>,
        to: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut texts = Texts(Vec::with_capacity(ROOM));
        texts.add(about.peer);
        match about.session {
            Some(id) => texts.add_shown(&IdShown(id)),
            None => texts.add(None),
        }
        texts.add(about.transaction);
        texts.add(about.message);
        texts.add(about.user);
        let mut recipients = 0;
        for recipient in to {
            texts.add(Some(recipient));
            recipients += 1;
        }
        Self {
            time,
            direction,
            primitive: shortened(primitive.into()),
            what: shortened(what.into()),
            recipients,
            texts,
        }
    }

    /// Takes the texts out, to be kept elsewhere. [`Note::with`] puts them back.
    pub fn apart(self) -> (Self, Vec<u8>) {
        let Self { texts, .. } = self;
        let rest = Self {
            texts: Texts::default(),
            ..self
        };
        (rest, texts.0)
    }

    /// The note with these texts.
    #[must_use]
    pub fn with(&self, texts: Vec<u8>) -> Self {
        Self {
            time: self.time,
            direction: self.direction,
            primitive: self.primitive.clone(),
            what: self.what.clone(),
            recipients: self.recipients,
            texts: Texts(texts),
        }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let owned = |text: &Cow<'static, str>| match text {
            Cow::Borrowed(_) => 0,
            Cow::Owned(text) => text.len(),
        };
        size_of::<Self>() + self.texts.0.len() + owned(&self.primitive) + owned(&self.what)
    }

    /// What it says.
    pub fn read(&self) -> Trace {
        let mut texts = self.texts.0.as_slice();
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

impl Texts {
    fn add(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            return self.0.extend_from_slice(&ABSENT.to_le_bytes());
        };
        let text = cut(text, LONGEST);
        let length = u16::try_from(text.len()).unwrap_or_default();
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// What is displayed is short.
    fn add_shown(&mut self, shown: &IdShown<'_>) {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        let beginning = shown.beginning();
        if beginning.bytes().all(|byte| byte.is_ascii_graphic()) {
            // Nearly all of them, and each post and each transaction has one.
            self.0.extend_from_slice(beginning.as_bytes());
            self.0.extend_from_slice("…".as_bytes());
        } else {
            // Writing to memory does not fail.
            let _ = write!(self, "{shown}");
        }
        let length = u16::try_from(self.0.len() - at - 2).unwrap_or_default();
        if let Some(place) = self.0.get_mut(at..at + 2) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }
}

impl Write for Texts {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

fn shortened(text: Cow<'static, str>) -> Cow<'static, str> {
    match text {
        Cow::Owned(text) if text.len() > LONGEST => Cow::Owned(cut(&text, LONGEST).to_owned()),
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_what_was_noted_but_not_the_whole_id_of_a_session() {
        let about = About {
            peer: Some("a.test"),
            session: Some("0123456789abcdef@a.test"),
            message: Some(""),
            user: Some("wv:ß@a.test"),
            ..About::default()
        };
        let to = ["wv:bob@b.test", "wv:zoë@c.test"];
        let note = Note::new(
            (Time(7), Direction::In),
            "GetList-Request",
            "received",
            about,
            to,
        );
        let some = |text: &str| Some(text.to_owned());
        let trace = Trace {
            time: Time(7),
            direction: Direction::In,
            peer: some("a.test"),
            session: some("012345…"),
            transaction: None,
            primitive: "GetList-Request".into(),
            message: some(""),
            user: some("wv:ß@a.test"),
            to: to.map(str::to_owned).into(),
            what: "received".into(),
        };
        assert_eq!(note.read(), trace);
        let (rest, texts) = note.apart();
        assert_eq!(rest.with(texts).read(), trace);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = "ß".repeat(100_000);
        let odd = format!("x{long}");
        let at = (Time(1), Direction::Here);
        let about = About {
            peer: Some(&odd),
            session: Some(&long),
            ..About::default()
        };
        let note = Note::new(at, long.clone(), odd.clone(), about, [long.as_str(); 3]);
        assert!(note.bytes() < 3_000);
        let trace = note.read();
        let lengths = [
            trace.peer.unwrap_or_default().len(),
            trace.primitive.len(),
            trace.what.len(),
        ];
        assert_eq!(lengths, [255, 256, 255]);
        assert!(trace.to.iter().all(|to| to.len() == 256));
    }
}
