//! One connection of the component link: dial, handshake, then reading and writing side by side.
//!
//! Reader and writer never wait for each other. What the reader wants to have written (answers
//! to bad stanzas, pings) goes through a bounded queue and is dropped with a warning when that is
//! full, which takes a peer that sends rubbish and does not read.

use bytes::BytesMut;
use std::{
    collections::VecDeque,
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
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tokio_xmpp::{Stanza, jid::Jid};
use tracing::{debug, warn};
use xmpp_parsers::{iq::Iq, ping::Ping};

use super::{
    element::{Element, Limits},
    link::{ComponentSettings, DownReason, LinkEvent, Outgoing, Over},
    reply::{self, Unsendable},
    stream::{self, Item, StreamReader},
    text,
};

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
                    xmpp.stanza_id = bad.id.as_deref().unwrap_or_default(),
                    kind = ?bad.kind,
                    "a bad stanza came in: {}", bad.wrong
                );
                if let Some(answer) = reply::to_bad_stanza(&self.shared.settings.domain, &bad) {
                    self.shared.write_later(answer);
                }
            }
            Item::Element(Element::Unknown(name)) => {
                debug!(domain = %self.shared.settings.domain, name, "skipped an unknown element");
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

struct Writing<'a> {
    shared: &'a Shared<'a>,
    number: u64,
    write: OwnedWriteHalf,
    buffer: BytesMut,
    outgoing: &'a mut mpsc::Receiver<Outgoing>,
    own: mpsc::Receiver<Stanza>,
    /// The newest mark that no ping has been written for.
    unconfirmed: Option<u64>,
    /// The ping under way: by when its answer is due, and the stall count when that was set.
    barrier: Option<(Instant, u64)>,
}

impl Writing<'_> {
    async fn run(&mut self) -> Result<DownReason, Over> {
        let mut batch = Vec::new();
        let batch_size = self.shared.settings.queue.max(1);
        loop {
            let due = self.barrier.map(|(due, _)| due);
            tokio::select! {
                taken = self.outgoing.recv_many(&mut batch, batch_size) => {
                    if taken == 0 {
                        return Err(Over);
                    }
                }
                Some(stanza) = self.own.recv() => {
                    if let Err(why) = self.encode(&stanza) {
                        debug!(domain = %self.shared.settings.domain, "own answer not sent: {why}");
                    }
                }
                () = self.shared.answered.notified() => self.barrier = None,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some(reason) = self.overdue() {
                        return Ok(reason);
                    }
                }
            }
            if let Some(reason) = self.write_batch(&mut batch).await? {
                return Ok(reason);
            }
        }
    }

    /// Encodes a batch, sees to the ping behind its marks, and writes all in as few writes as
    /// the buffer's size allows.
    async fn write_batch(&mut self, batch: &mut Vec<Outgoing>) -> Result<Option<DownReason>, Over> {
        for outgoing in batch.drain(..) {
            if outgoing.connection != self.number {
                debug!(domain = %self.shared.settings.domain, "discarded stanzas of an earlier connection");
                continue;
            }
            let mut stanzas = VecDeque::from(outgoing.stanzas);
            while let Some(stanza) = stanzas.pop_front() {
                self.add(stanza).await?;
                if self.buffer.len() >= WRITE_SIZE
                    && let Some(reason) = self.flush().await
                {
                    return Ok(Some(reason));
                }
            }
            self.unconfirmed = outgoing.mark.or(self.unconfirmed);
        }
        if self.barrier.is_none()
            && let Some(mark) = self.unconfirmed.take()
        {
            match self.shared.ping(BARRIER, mark).map(|p| self.encode(&p)) {
                Some(Ok(())) => {
                    let due = Instant::now() + self.shared.patience();
                    self.barrier = Some((due, self.shared.stalls()));
                }
                Some(Err(_)) | None => {
                    return Ok(Some(lost(&"the address for pings is not a valid JID")));
                }
            }
        }
        Ok(self.flush().await)
    }

    /// Adds a stanza to the buffer, or hands its bounce to the owner.
    async fn add(&mut self, mut stanza: Stanza) -> Result<(), Over> {
        let settings = self.shared.settings;
        let outcome = address(&settings.domain, &mut stanza).and_then(|()| self.encode(&stanza));
        let Err(why) = outcome else {
            return Ok(());
        };
        warn!(domain = %settings.domain, "a stanza was not sent: {why}");
        match reply::bounce(stanza, &why) {
            Ok(stanza) => {
                let domain = settings.domain.clone();
                self.shared.tell(LinkEvent::Stanza { domain, stanza }).await
            }
            Err(_) => Ok(()),
        }
    }

    fn encode(&mut self, stanza: &Stanza) -> Result<(), Unsendable> {
        Ok(text::write_to_stream(stanza, &mut self.buffer)?)
    }

    /// Writes the buffer. Gives up when the server takes nothing for long, unless that is
    /// because we do not read ourselves.
    async fn flush(&mut self) -> Option<DownReason> {
        let patience = self.shared.patience();
        while !self.buffer.is_empty() {
            let before = self.shared.stalls();
            match timeout(patience, self.write.write_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return Some(lost(&"the connection takes no more bytes")),
                Ok(Ok(_)) => {}
                Ok(Err(e)) => return Some(lost(&e)),
                Err(_) if self.shared.stalled_since(before) => {}
                Err(_) => {
                    return Some(lost(&format!("the server took nothing for {patience:?}")));
                }
            }
        }
        None
    }

    /// The answer to the ping behind a mark did not come in time.
    fn overdue(&mut self) -> Option<DownReason> {
        let (_, before) = self.barrier?;
        let patience = self.shared.patience();
        if self.shared.stalled_since(before) {
            self.barrier = Some((Instant::now() + patience, self.shared.stalls()));
            return None;
        }
        let settings = self.shared.settings;
        let to = settings.barrier_to.as_ref().unwrap_or(&settings.domain);
        Some(lost(&format!(
            "{to} did not answer a ping within {patience:?}"
        )))
    }

    /// Writes what is queued and the end of the stream.
    async fn say_goodbye(&mut self) {
        while let Ok(outgoing) = self.outgoing.try_recv() {
            for mut stanza in outgoing.stanzas {
                let fits = address(&self.shared.settings.domain, &mut stanza).is_ok();
                if outgoing.connection == self.number && fits {
                    let _ = self.encode(&stanza);
                }
            }
        }
        self.buffer.extend_from_slice(stream::FOOTER);
        let _ = self.write.write_all_buf(&mut self.buffer).await;
        let _ = self.write.shutdown().await;
    }
}

/// Checks the addresses of a stanza of ours, and completes a missing sender.
fn address(domain: &str, stanza: &mut Stanza) -> Result<(), Unsendable> {
    let (from, to) = match stanza {
        Stanza::Message(message) => (&mut message.from, message.to.is_some()),
        Stanza::Presence(presence) => (&mut presence.from, presence.to.is_some()),
        Stanza::Iq(iq) => {
            let to = iq.to().is_some();
            (iq.from_mut(), to)
        }
    };
    if !to {
        return Err(Unsendable::NoRecipient);
    }
    match from {
        Some(jid) if jid.domain().as_str() == domain => Ok(()),
        Some(_) => Err(Unsendable::ForeignSender),
        None => {
            *from = Some(Jid::new(domain).map_err(|_| Unsendable::ForeignSender)?);
            Ok(())
        }
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
