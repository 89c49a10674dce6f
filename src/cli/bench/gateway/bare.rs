//! A component of the XMPP server that is nobody's: it says what it is told to, and counts what it
//! hears.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::super::super::Failure;
use crate::text::cut;
use crate::xmpp::element::{Element, Limits};
use crate::xmpp::stream::{self, Item, StreamReader};

/// The secret of all components.
pub(in super::super) const SECRET: &str = "bench";
/// Nothing new for so long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a component has heard.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    pub(super) messages: u64,
    pub(super) presences: u64,
    /// An error, or that the stream has ended.
    wrong: Option<String>,
}

/// A connection of a component.
pub(super) struct Bare {
    write: OwnedWriteHalf,
    heard: watch::Receiver<Heard>,
}

impl Bare {
    pub(super) async fn connect(port: u16, domain: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        let mut stream = stream.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let header = stream::header(domain);
        let written = stream.write_all(header.as_bytes()).await;
        written.map_err(|error| failed(&error))?;
        let mut reader = StreamReader::new(Limits::default());
        let mut input = BytesMut::new();
        loop {
            let item = reader.next(&mut input).map_err(|error| failed(&error))?;
            match item {
                Some(Item::Opened { id }) => {
                    let hash = stream::handshake(&id.unwrap_or_default(), SECRET);
                    let written = stream.write_all(hash.as_bytes()).await;
                    written.map_err(|error| failed(&error))?;
                }
                Some(Item::Element(Element::Handshake)) => break,
                Some(Item::Element(Element::StreamError { condition, .. })) => {
                    return Err(failed(&condition));
                }
                Some(_) => {}
                None => {
                    let read = stream.read_buf(&mut input).await;
                    if read.map_err(|error| failed(&error))? == 0 {
                        return Err(failed(&"the server closed the connection"));
                    }
                }
            }
        }
        let (read, write) = stream.into_split();
        let (telling, heard) = watch::channel(Heard::default());
        tokio::spawn(count(read, telling));
        Ok(Self { write, heard })
    }

    pub(super) async fn say(&mut self, xml: &str) -> Result<(), Failure> {
        let written = self.write.write_all(xml.as_bytes()).await;
        written.map_err(|error| failed(&error))
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.borrow().clone()
    }

    /// A second pair of ears, which may listen while this one speaks.
    pub(super) fn ears(&self) -> Ears {
        Ears(self.heard.clone())
    }
}

/// Hears what a component hears.
pub(super) struct Ears(watch::Receiver<Heard>);

impl Ears {
    /// Waits until it has heard what is wanted.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Heard) -> bool) -> Result<(), Failure> {
        loop {
            {
                let heard = self.0.borrow_and_update();
                if let Some(wrong) = &heard.wrong {
                    return Err(Failure::Failed(wrong.clone()));
                }
                if wanted(&heard) {
                    return Ok(());
                }
            }
            let more = tokio::time::timeout(PATIENCE, self.0.changed()).await;
            if !matches!(more, Ok(Ok(()))) {
                let heard = self.0.borrow();
                return Err(Failure::Failed(format!(
                    "no more came over XMPP: {} messages and {} presences so far",
                    heard.messages, heard.presences
                )));
            }
        }
    }
}

/// Counts stanzas by how they begin; what is between two reads is looked at again.
async fn count(mut read: OwnedReadHalf, telling: watch::Sender<Heard>) {
    const LONGEST: usize = 16;
    let mut text = Vec::with_capacity(256 * 1024);
    loop {
        let ended = !matches!(read.read_buf(&mut text).await, Ok(1..));
        // The last bytes may be the beginning of what is looked for.
        let keep = if ended { 0 } else { LONGEST };
        let Some(end) = text.len().checked_sub(keep) else {
            continue;
        };
        let all = text.len();
        let begins = |needle: &[u8]| {
            let found = memchr::memmem::find_iter(&text[..all], needle);
            found.filter(|at| *at < end).count() as u64
        };
        let (messages, presences) = (begins(b"<message "), begins(b"<presence "));
        let error = [&b"type='error'"[..], b"type=\"error\""]
            .iter()
            .find_map(|needle| memchr::memmem::find(&text, needle));
        telling.send_modify(|heard| {
            heard.messages += messages;
            heard.presences += presences;
            if let Some(at) = error {
                let around = String::from_utf8_lossy(&text[at.saturating_sub(300)..]).into_owned();
                let what = cut(&around, 800);
                heard
                    .wrong
                    .get_or_insert(format!("an error came over XMPP: {what}"));
            } else if ended {
                heard
                    .wrong
                    .get_or_insert("the XMPP server ended a stream".to_owned());
            }
        });
        if ended {
            return;
        }
        text.drain(..end);
    }
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("a component at the XMPP server broke: {error}"))
}
