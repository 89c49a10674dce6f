//! One connection of the component link: dial, handshake, then reading and writing side by side.
//!
//! Reader and writer never wait for each other. What the reader wants to have written (answers
//! to bad stanzas, pings) goes through a bounded queue and is dropped with a warning when that is
//! full, which takes a peer that sends rubbish and does not read.

mod writing;

use bytes::BytesMut;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tokio_xmpp::{Stanza, jid::Jid};
use tracing::{debug, warn};
use xmpp_parsers::{iq::Iq, ping::Ping};

use super::{
    element::{Element, Limits},
    link::{ComponentSettings, DownReason, LinkEvent, Outgoing, Over},
    reply::{self},
    stream::{self, Item, StreamReader},
};
use crate::text::Shown;
use writing::Writing;

/// Bytes collected before they are written, while there is more to write.
const WRITE_SIZE: usize = 64 * 1024;
/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;
/// Time for the last stanzas and the stream's end, when the link is stopped.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection on which the server has accepted the component.
pub(super) struct Opened {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    reader: StreamReader,
    input: BytesMut,
}

/// Dials the server and does the handshake. The caller sets the time limit.
pub(super) async fn open(settings: &ComponentSettings) -> Result<Opened, DownReason> {
    let unreachable = |e: std::io::Error| DownReason::Unreachable(e.to_string());
    let socket = TcpStream::connect(&settings.server)
        .await
        .map_err(unreachable)?;
    socket.set_nodelay(true).map_err(unreachable)?;
    let (read, write) = socket.into_split();
    let mut opened = Opened {
        read,
        write,
        reader: StreamReader::new(Limits::default()),
        input: BytesMut::with_capacity(READ_SIZE),
    };
    opened
        .send(stream::header(&settings.domain).as_bytes())
        .await?;
    let id = loop {
        match opened.receive().await? {
            Item::Opened { id } => break id.unwrap_or_default(),
            Item::Closed => return Err(DownReason::Lost("closed before the handshake".into())),
            Item::Element(_) => {}
        }
    };
    opened
        .send(stream::handshake(&id, settings.secret.expose()).as_bytes())
        .await?;
    loop {
        match opened.receive().await? {
            Item::Element(Element::Handshake) => return Ok(opened),
            Item::Element(Element::StreamError { condition, text }) => {
                return Err(refusal(settings, condition, text));
            }
            Item::Closed => {
                return Err(DownReason::Lost(
                    "the server closed the stream instead of answering the handshake".into(),
                ));
            }
            Item::Opened { .. } | Item::Element(_) => {}
        }
    }
}

impl Opened {
    /// Reads and writes until the connection ends; tells why it ended.
    pub(super) async fn serve(
        self,
        settings: &ComponentSettings,
        number: u64,
        outgoing: &mut mpsc::Receiver<Outgoing>,
        events: &mpsc::Sender<LinkEvent>,
        stop: &CancellationToken,
    ) -> Result<DownReason, Over> {
        let (own, own_receiver) = mpsc::channel(settings.queue.max(1));
        let shared = Shared {
            settings,
            events,
            own,
            nonce: nonce(),
            answered: Notify::new(),
            stalls: AtomicU64::new(0),
        };
        let reading = Reading {
            shared: &shared,
            read: self.read,
            reader: self.reader,
            input: self.input,
            pings: 0,
        };
        let mut writing = Writing {
            shared: &shared,
            number,
            write: self.write,
            buffer: BytesMut::new(),
            outgoing,
            own: own_receiver,
            unconfirmed: None,
            barrier: None,
        };
        let ended = tokio::select! {
            ended = reading.run() => ended,
            ended = writing.run() => ended,
            () = stop.cancelled() => Err(Over),
        };
        if ended.is_err() {
            // Best effort: the owner's queue is what keeps stanzas safe.
            let _ = timeout(FAREWELL, writing.say_goodbye()).await;
        }
        ended
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), DownReason> {
        self.write.write_all(bytes).await.map_err(|e| lost(&e))
    }

    async fn receive(&mut self) -> Result<Item, DownReason> {
        loop {
            match self.reader.next(&mut self.input) {
                Ok(Some(item)) => return Ok(item),
                Ok(None) => {}
                Err(e) => return Err(lost(&e)),
            }
            self.input.reserve(READ_SIZE);
            match self.read.read_buf(&mut self.input).await {
                Ok(0) => return Err(lost(&"the server closed the connection")),
                Ok(_) => {}
                Err(e) => return Err(lost(&e)),
            }
        }
    }
}

/// What reader and writer have in common.
struct Shared<'a> {
    settings: &'a ComponentSettings,
    events: &'a mpsc::Sender<LinkEvent>,
    /// Stanzas of the link's own making, for the writer.
    own: mpsc::Sender<Stanza>,
    /// Marks our pings, so that nobody else can answer them.
    nonce: String,
    /// The ping behind a mark has come back.
    answered: Notify,
    /// Counts up when the reader begins to wait for the owner and when it goes on, so it is odd
    /// while it waits.
    stalls: AtomicU64,
}

impl Shared<'_> {
    /// Hands an event to the owner, waiting for room.
    async fn tell(&self, event: LinkEvent) -> Result<(), Over> {
        match self.events.try_send(event) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Over),
            Err(mpsc::error::TrySendError::Full(event)) => {
                self.stalls.fetch_add(1, Ordering::Relaxed);
                let sent = self.events.send(event).await;
                self.stalls.fetch_add(1, Ordering::Relaxed);
                sent.map_err(|_| Over)
            }
        }
    }

    /// Whether the reader has waited for the owner since `before` was read, or still waits. The
    /// server's silence means nothing then.
    fn stalled_since(&self, before: u64) -> bool {
        let now = self.stalls();
        now != before || now % 2 == 1
    }

    fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::Relaxed)
    }

    /// How long an answer may take while the connection is otherwise alive.
    fn patience(&self) -> Duration {
        self.settings.ping_interval + self.settings.ping_timeout
    }

    fn write_later(&self, stanza: Stanza) {
        if self.own.try_send(stanza).is_err() {
            warn!(domain = %self.settings.domain, "dropped an answer: too many wait for writing");
        }
    }

    fn ping(&self, what: &str, number: u64) -> Option<Stanza> {
        let settings = self.settings;
        let to = settings.barrier_to.as_ref().unwrap_or(&settings.domain);
        let ping = Iq::from_get(format!("{what}-{}-{number}", self.nonce), Ping)
            .with_from(Jid::new(&settings.domain).ok()?)
            .with_to(Jid::new(to).ok()?);
        Some(ping.into())
    }

    /// The number in the id of a ping of ours that has come back, as an answer or as itself.
    fn ping_number(&self, iq: &Iq, what: &str) -> Option<u64> {
        iq.id()
            .strip_prefix(what)?
            .strip_prefix('-')?
            .strip_prefix(&self.nonce)?
            .strip_prefix('-')?
            .parse()
            .ok()
    }
}

const BARRIER: &str = "mark";
const ALIVE: &str = "alive";

struct Reading<'a> {
    shared: &'a Shared<'a>,
    read: OwnedReadHalf,
    reader: StreamReader,
    input: BytesMut,
    pings: u64,
}

impl Reading<'_> {
    async fn run(mut self) -> Result<DownReason, Over> {
        loop {
            match self.reader.next(&mut self.input) {
                Ok(Some(item)) => {
                    if let Some(reason) = self.handle(item).await? {
                        return Ok(reason);
                    }
                }
                Ok(None) => {
                    if let Some(reason) = self.fill().await {
                        return Ok(reason);
                    }
                }
                Err(e) => return Ok(lost(&e)),
            }
        }
    }

    /// Reads more bytes; pings when there are none for long, and gives up when that does not
    /// help.
    async fn fill(&mut self) -> Option<DownReason> {
        let settings = self.shared.settings;
        self.input.reserve(READ_SIZE);
        let mut pinged = false;
        loop {
            let patience = if pinged {
                settings.ping_timeout
            } else {
                settings.ping_interval
            };
            match timeout(patience, self.read.read_buf(&mut self.input)).await {
                Ok(Ok(0)) => return Some(lost(&"the server closed the connection")),
                Ok(Ok(_)) => return None,
                Ok(Err(e)) => return Some(lost(&e)),
                Err(_) if pinged => {
                    return Some(lost(&format!("no answer to a ping within {patience:?}")));
                }
                Err(_) => {
                    pinged = true;
                    self.pings += 1;
                    if let Some(ping) = self.shared.ping(ALIVE, self.pings) {
                        self.shared.write_later(ping);
                    }
                }
            }
        }
    }

    async fn handle(&mut self, item: Item) -> Result<Option<DownReason>, Over> {
        let domain = || self.shared.settings.domain.clone();
        match item {
            Item::Element(Element::Stanza(Stanza::Iq(iq)))
                if self.shared.ping_number(&iq, ALIVE).is_some() => {}
            Item::Element(Element::Stanza(stanza)) => {
                let mark = match &stanza {
                    Stanza::Iq(iq) => self.shared.ping_number(iq, BARRIER),
                    _ => None,
                };
                let event = match mark {
                    Some(mark) => LinkEvent::Confirmed {
                        domain: domain(),
                        mark,
                    },
                    None => LinkEvent::Stanza {
                        domain: domain(),
                        stanza,
                    },
                };
                self.shared.tell(event).await?;
                if mark.is_some() {
                    self.shared.answered.notify_one();
                }
            }
            Item::Element(Element::BadStanza(bad)) => {
                debug!(
                    domain = %self.shared.settings.domain,
                    xmpp.stanza_id = %Shown(bad.id.as_deref().unwrap_or_default()),
                    kind = ?bad.kind,
                    "a bad stanza came in: {}", bad.wrong
                );
                if let Some(answer) = reply::to_bad_stanza(&self.shared.settings.domain, &bad) {
                    self.shared.write_later(answer);
                }
            }
            Item::Element(Element::Unknown(name)) => {
                debug!(domain = %self.shared.settings.domain, name = %Shown(&name), "skipped an unknown element");
            }
            Item::Element(Element::StreamError { condition, text }) => {
                return Ok(Some(DownReason::StreamError { condition, text }));
            }
            Item::Closed => return Ok(Some(lost(&"the server closed the stream"))),
            Item::Opened { .. } | Item::Element(Element::Handshake) => {}
        }
        Ok(None)
    }
}

/// What the server's answer to the handshake means for the operator.
fn refusal(settings: &ComponentSettings, condition: String, text: String) -> DownReason {
    let (domain, server) = (&settings.domain, &settings.server);
    let advice = match condition.as_str() {
        "not-authorized" => format!(
            "make the secret for {domain} here the same as the component secret for {domain} in \
             the configuration of the XMPP server at {server}"
        ),
        "host-unknown" => format!(
            "add {domain} as an external component (XEP-0114) to the configuration of the XMPP \
             server at {server}"
        ),
        _ => return DownReason::StreamError { condition, text },
    };
    DownReason::Refused { condition, advice }
}

fn lost(why: &dyn std::fmt::Display) -> DownReason {
    DownReason::Lost(why.to_string())
}

fn nonce() -> String {
    format!("{:016x}", getrandom::u64().unwrap_or_default())
}
