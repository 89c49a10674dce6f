//! One connection of the component link: dial, handshake, then reading and writing side by side.
//!
//! Reader and writer never wait for each other. What the reader wants to have written (answers
//! to bad stanzas, pings) goes through a bounded queue and is dropped with a warning when that is
//! full, which takes a peer that sends rubbish and does not read.

mod reading;
mod writing;

use bytes::BytesMut;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, mpsc},
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tokio_xmpp::{Stanza, jid::Jid};
use tracing::warn;
use xmpp_parsers::{iq::Iq, ping::Ping};

use super::{
    element::{Element, Limits},
    link::{ComponentSettings, DownReason, LinkEvent, Outgoing, Over},
    names,
    siblings::{Pong, Sibling, Stray},
    stream::{self, Item, StreamReader},
};
use crate::text::Seldom;
use reading::Reading;
use writing::Writing;

/// Bytes collected before they are written, while there is more to write.
const WRITE_SIZE: usize = 64 * 1024;
/// Bytes read at once.
const READ_SIZE: usize = 16 * 1024;
/// Time for the last stanzas and the stream's end on both sides, when the link is stopped.
const FAREWELL: Duration = Duration::from_secs(3);
/// How much of that may go by until nothing is under way from the server any more.
const DRAIN: Duration = Duration::from_millis(1500);
/// Time to read why the server has ended a connection that takes no more bytes.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A connection on which the server has accepted the component.
pub(super) struct Opened {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    reader: StreamReader,
    input: BytesMut,
    /// The component's domain as the server writes it.
    wire: String,
    /// The largest stanza the server says it takes.
    announced: Option<usize>,
}

/// Dials the server and does the handshake, as the component `wire`. The caller sets the time
/// limit.
pub(super) async fn open(settings: &ComponentSettings, wire: &str) -> Result<Opened, DownReason> {
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
        wire: wire.to_owned(),
        announced: None,
    };
    opened.send(stream::header(wire).as_bytes()).await?;
    let id = loop {
        match opened.receive().await? {
            Item::Opened { id } => break id.unwrap_or_default(),
            Item::Closed => return Err(DownReason::Lost("closed before the handshake".into())),
            Item::Element(Element::StreamError { condition, text }) => {
                return Err(refusal(settings, condition, text));
            }
            Item::Element(element) => opened.note(&element),
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
            Item::Opened { .. } => {}
            Item::Element(element) => opened.note(&element),
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
        let nonce = settings.siblings.nonce();
        let answered = Arc::new(Notify::new());
        let drained = Arc::new(Notify::new());
        let pinged = settings.barrier_to.as_ref().unwrap_or(&settings.domain);
        let _listed = settings.siblings.list(
            &nonce,
            Sibling {
                domain: settings.domain.clone(),
                pinged: pinged.clone(),
                answered: answered.clone(),
                drained: drained.clone(),
            },
        );
        let shared = Shared {
            settings,
            events,
            own,
            nonce,
            wire: self.wire,
            most: AtomicUsize::new(settings.max_stanza),
            answered,
            drained,
            came: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            seldom: Mutex::default(),
            began: Instant::now(),
            strayed: Mutex::default(),
        };
        if let Some(bytes) = self.announced {
            shared.limited(bytes).await?;
        }
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
        let mut reading = std::pin::pin!(reading.run());
        let ended = tokio::select! {
            ended = &mut reading => return ended,
            ended = writing.run() => ended,
            () = stop.cancelled() => {
                // What the server has under way to us is read until it closes: it would be lost,
                // and nobody told. What is not written is safe in the owner's queue.
                let goodbye = async {
                    let _ = timeout(DRAIN, writing.drain()).await;
                    writing.say_goodbye().await;
                };
                let farewell = async { tokio::join!(goodbye, reading) };
                let _ = timeout(FAREWELL, farewell).await;
                return Err(Over);
            }
        };
        match ended {
            // The server may have said why before it stopped taking bytes.
            Ok(closed @ DownReason::Closed(_)) => {
                timeout(LAST_WORDS, reading).await.unwrap_or(Ok(closed))
            }
            Err(Over) => {
                let _ = timeout(FAREWELL, writing.say_goodbye()).await;
                Err(Over)
            }
            ended => ended,
        }
    }

    /// Features may come before the handshake and after it.
    fn note(&mut self, element: &Element) {
        if let Element::Features { max_bytes } = element {
            self.announced = max_bytes.or(self.announced);
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), DownReason> {
        self.write.write_all(bytes).await.map_err(|e| closed(&e))
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
                Ok(0) => return Err(closed(&"the server closed the connection")),
                Ok(_) => {}
                Err(e) => return Err(closed(&e)),
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
    /// The component's domain as the server writes it.
    wire: String,
    /// The most bytes of a stanza.
    most: AtomicUsize,
    /// The ping behind a mark has come back.
    answered: Arc<Notify>,
    /// The ping before the end of the stream has come back.
    drained: Arc<Notify>,
    /// Stanzas that came in, without our own pings.
    came: AtomicU64,
    /// Counts up when the reader begins to wait for the owner and when it goes on, so it is odd
    /// while it waits.
    stalls: AtomicU64,
    seldom: Mutex<Seldom>,
    began: Instant,
    /// When there was a sign of another process under this name last.
    strayed: Mutex<Option<Instant>>,
}

impl Shared<'_> {
    /// The server takes stanzas of at most so many bytes.
    async fn limited(&self, bytes: usize) -> Result<(), Over> {
        self.most.fetch_min(bytes, Ordering::Relaxed);
        let domain = self.settings.domain.clone();
        self.tell(LinkEvent::Limit { domain, bytes }).await
    }

    /// How many lines of the kind were held back, if one is to be written now.
    fn may_log(&self, kind: &'static str) -> Option<u64> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut seldom = self.seldom.lock().unwrap_or_else(PoisonError::into_inner);
        seldom.may(kind, now)
    }

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
        if self.own.try_send(stanza).is_err()
            && let Some(more) = self.may_log("answer")
        {
            warn!(domain = %self.settings.domain, more, "dropped an answer: too many wait for writing");
        }
    }

    fn ping(&self, what: &str, number: u64) -> Option<Stanza> {
        self.ping_of(format!("{what}-{}-{number}", self.nonce))
    }

    fn ping_of(&self, id: String) -> Option<Stanza> {
        let to = self.settings.barrier_to.as_ref().unwrap_or(&self.wire);
        let ping = Iq::from_get(id, Ping)
            .with_from(Jid::new(&self.wire).ok()?)
            .with_to(Jid::new(to).ok()?);
        Some(ping.into())
    }

    /// The ping of this process, or of another one, that the iq is: as an answer or as itself, from
    /// where pings go. Nothing if it is something else.
    fn pinged<'i>(&self, iq: &'i Iq) -> Option<Pinged<'i>> {
        let from = iq.from()?.as_str();
        let is_from = |pinged: &str| names::forms(pinged).iter().any(|form| form == from);
        let siblings = &self.settings.siblings;
        if let Some(pong) = siblings.find(iq.id()) {
            return is_from(&pong.sibling.pinged).then_some(Pinged::Own(pong));
        }
        let stray = siblings.stray(iq.id())?;
        let settings = self.settings;
        is_from(settings.barrier_to.as_ref().unwrap_or(&settings.domain))
            .then_some(Pinged::Stray(stray))
    }

    /// A ping of another process has come: it is sent on.
    fn send_on(&self, stray: Stray) {
        if let Some(ping) = stray.onward.and_then(|id| self.ping_of(id)) {
            self.write_later(ping);
        }
    }

    /// There is a sign that another process is connected under this name.
    async fn has_strayed(&self) -> Result<(), Over> {
        *self.strayed() = Some(Instant::now());
        let domain = self.settings.domain.clone();
        self.tell(LinkEvent::Stray { domain }).await
    }

    fn strayed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.strayed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The silence after which the server is pinged: less where another process is suspected, so that
    /// it shows whether that is there.
    fn silence(&self) -> Duration {
        let interval = self.settings.ping_interval;
        let is_suspected = self.strayed().is_some_and(|at| at.elapsed() < SUSPECTS);
        if is_suspected {
            interval.min(LOOK)
        } else {
            interval
        }
    }
}

/// A ping that has come.
enum Pinged<'i> {
    Own(Pong<'i>),
    Stray(Stray),
}

/// For so long after a sign another process is suspected, and silence after which the server is pinged
/// then; our choice.
const SUSPECTS: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(5);

const BARRIER: &str = "mark";
const ALIVE: &str = "alive";
const LAST: &str = "last";

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
        "conflict" => format!(
            "another process is connected to the XMPP server at {server} as {domain}: stop it, or \
             give it a component of its own"
        ),
        _ => return DownReason::StreamError { condition, text },
    };
    DownReason::Refused { condition, advice }
}

fn lost(why: &dyn std::fmt::Display) -> DownReason {
    DownReason::Lost(why.to_string())
}

fn closed(why: &dyn std::fmt::Display) -> DownReason {
    DownReason::Closed(why.to_string())
}
