//! One accepted connection, from its first request to its close.
//!
//! hyper reads and writes HTTP/1.1. Around it stands a watch with four phases, which tells an
//! idle connection (may wait long) from a request whose headers drip in (may not).

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::cause_chain;
use super::fields::{self, reported};
use super::places::{self, Place};
use super::server::{Inbound, Mishap, Receiver, ServerSettings, Verdict};
use super::stream::Wire;

/// Bytes of a request's line and headers; more is answered 431.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Bytes that hyper may hold per connection and direction.
const MAX_BUFFER: usize = 32 * 1024;
/// Bytes set aside for a body before any of it has come, whatever its declared length.
const FIRST_RESERVE: usize = 16 * 1024;
/// How long a body may take before it is held to the least pace.
const GRACE: Duration = Duration::from_secs(5);

/// Who is at the other end.
pub(crate) struct Caller {
    pub(crate) remote: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) names: Vec<String>,
    /// What of connections and bytes is theirs.
    pub(crate) place: Place,
}

/// Serves one connection until it ends by itself, is idle or slow for too long, or `soft` is
/// cancelled and the exchange in flight is over.
pub(crate) async fn serve<R: Receiver>(
    wire: Wire,
    caller: Caller,
    settings: Arc<ServerSettings>,
    receiver: Arc<R>,
    soft: CancellationToken,
) {
    let remote = caller.remote;
    let watch = Arc::new(Watch::new());
    let io = TokioIo::new(Watched {
        wire,
        watch: Arc::clone(&watch),
    });
    let exchange = Arc::new(Exchange {
        caller,
        settings,
        receiver,
        watch,
    });
    let service = {
        let exchange = Arc::clone(&exchange);
        hyper::service::service_fn(move |request| {
            let exchange = Arc::clone(&exchange);
            async move {
                let _busy = exchange.watch.busy();
                exchange.answer(request).await
            }
        })
    };
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_BUFFER)
        .max_header_size(MAX_HEADER_BYTES)
        .serve_connection(io, service);

    let limits = &exchange.settings;
    let mut soft = pin!(soft.cancelled());
    let mut stopping = false;
    let mut check = pin!(tokio::time::sleep(limits.header_timeout));
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut connection => break ended,
            () = &mut soft, if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = &mut check => match exchange.watch.left(limits) {
                Some(left) => check.as_mut().reset(Instant::now() + left),
                None => return debug!(%remote, "connection closed: idle or slow for too long"),
            },
        }
    };
    if let Err(error) = ended {
        if exchange.watch.is_dropped() {
            return;
        }
        debug!(%remote, error = cause_chain(&error), "connection ended by a fault");
    }
    let watched = connection.into_parts().io.into_inner();
    watched.wire.close_gently().await;
}

/// What the exchanges of one connection share.
struct Exchange<R> {
    caller: Caller,
    settings: Arc<ServerSettings>,
    receiver: Arc<R>,
    watch: Arc<Watch>,
}

type Answer = Response<Empty<Bytes>>;

/// The error that makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer, as decided")]
struct Dropped;

impl<R: Receiver> Exchange<R> {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Dropped> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            let mut answer = unread(&body, StatusCode::METHOD_NOT_ALLOWED);
            answer
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("POST"));
            return Ok(answer);
        }
        if self
            .settings
            .path
            .as_deref()
            .is_some_and(|path| path != head.uri.path())
        {
            return Ok(unread(&body, StatusCode::NOT_FOUND));
        }
        if let Err(status) = fields::check(&head.headers) {
            return Ok(unread(&body, status));
        }
        let limits = &self.settings;
        // Held until the answer, as the body is.
        let mut room = self.caller.place.bytes();
        let collected = timeout(limits.body_timeout, collect(body, limits, &mut room)).await;
        let body = match collected.unwrap_or(Err(BodyFault::Slow)) {
            Ok(body) => body,
            Err(BodyFault::TooLarge) => {
                let session = reported(&head.headers, "x-wv-sessionid");
                let remote = self.caller.remote;
                self.receiver.learn(Mishap::TooLarge, remote, session);
                return Ok(last(StatusCode::PAYLOAD_TOO_LARGE));
            }
            Err(BodyFault::Broken) => return Ok(last(StatusCode::BAD_REQUEST)),
            Err(BodyFault::Slow) => return Ok(last(StatusCode::REQUEST_TIMEOUT)),
            Err(BodyFault::NoRoom) => {
                debug!(remote = %self.caller.remote, "too many bytes of bodies are under way");
                let mut answer = last(StatusCode::SERVICE_UNAVAILABLE);
                let wait = HeaderValue::from_static("1");
                answer.headers_mut().insert(header::RETRY_AFTER, wait);
                return Ok(answer);
            }
        };
        if body.is_empty() {
            return Ok(plain(StatusCode::BAD_REQUEST));
        }
        let verdict = self
            .receiver
            .receive(Inbound {
                body,
                remote: self.caller.remote,
                tls: self.caller.tls,
                client_names: self.caller.names.clone(),
                host: reported(&head.headers, header::HOST.as_str()),
                user_agent: reported(&head.headers, header::USER_AGENT.as_str()),
                session_header: reported(&head.headers, "x-wv-sessionid"),
                transaction_header: reported(&head.headers, "x-wv-transactionid"),
            })
            .await;
        match verdict {
            Verdict::Accepted => Ok(plain(StatusCode::OK)),
            Verdict::Malformed => Ok(plain(StatusCode::BAD_REQUEST)),
            Verdict::Forbidden => Ok(plain(StatusCode::FORBIDDEN)),
            Verdict::TooLarge => Ok(plain(StatusCode::PAYLOAD_TOO_LARGE)),
            Verdict::UnsupportedType => Ok(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
            Verdict::Busy { retry_after } => {
                let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE);
                if let Some(wait) = retry_after {
                    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                    answer
                        .headers_mut()
                        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                Ok(answer)
            }
            Verdict::Drop => {
                self.watch.drop_it();
                Err(Dropped)
            }
        }
    }
}

/// An answer after which the connection may go on.
fn plain(status: StatusCode) -> Answer {
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = status;
    answer
}

/// An answer after which the connection is closed.
fn last(status: StatusCode) -> Answer {
    let mut answer = plain(status);
    answer
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// An answer to a request whose body was not read: the last one, if there is a body.
fn unread(body: &Incoming, status: StatusCode) -> Answer {
    if body.is_end_stream() {
        plain(status)
    } else {
        last(status)
    }
}

/// Why a body was not read to its end.
enum BodyFault {
    TooLarge,
    Broken,
    /// It comes at less than the least pace, or takes too long in all.
    Slow,
    /// Too much of other bodies is under way.
    NoRoom,
}

/// Reads a body of at most `max_body` bytes. A body that declares more is not read at all.
async fn collect(
    mut body: Incoming,
    limits: &ServerSettings,
    room: &mut places::Bytes<'_>,
) -> Result<Bytes, BodyFault> {
    let max = limits.max_body;
    let declared = body.size_hint().lower();
    if declared > max as u64 {
        return Err(BodyFault::TooLarge);
    }
    // Copied out of hyper's buffer, which so serves the next request too, and which a message
    // that waits somewhere would otherwise keep alive.
    let expected = usize::try_from(declared).unwrap_or(max).min(FIRST_RESERVE);
    let mut whole = BytesMut::with_capacity(expected);
    let start = Instant::now();
    loop {
        let seconds = whole.len() as u64 / limits.body_pace.max(1);
        let until = start + GRACE + Duration::from_secs(seconds);
        let frame = match limits.body_pace {
            0 => body.frame().await,
            _ => timeout_at(until, body.frame())
                .await
                .map_err(|_| BodyFault::Slow)?,
        };
        let Some(frame) = frame else {
            return Ok(whole.freeze());
        };
        let Ok(data) = frame.map_err(|_| BodyFault::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > max {
            return Err(BodyFault::TooLarge);
        }
        if !room.take(data.len()) {
            return Err(BodyFault::NoRoom);
        }
        whole.extend_from_slice(&data);
    }
}

/// The phase of a connection and since when it lasts.
struct Watch {
    phase: AtomicU8,
    /// Milliseconds from `start`.
    since: AtomicU64,
    start: Instant,
}

/// Open, and not one byte of HTTP yet.
const FRESH: u8 = 0;
/// Between an answer and the next request.
const IDLE: u8 = 1;
/// Within a request's headers.
const HEAD: u8 = 2;
/// From the end of the headers to the answer; has limits of its own.
const BUSY: u8 = 3;
/// To be closed without an answer.
const DROPPED: u8 = 4;

impl Watch {
    fn new() -> Self {
        Watch {
            phase: AtomicU8::new(FRESH),
            since: AtomicU64::new(0),
            start: Instant::now(),
        }
    }

    fn enter(&self, phase: u8) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(now, Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }

    fn bytes_came(&self) {
        if matches!(self.phase.load(Ordering::Relaxed), FRESH | IDLE) {
            self.enter(HEAD);
        }
    }

    /// Busy for as long as the returned guard lives, then idle.
    fn busy(&self) -> impl Drop + use<'_> {
        struct Guard<'a>(&'a Watch);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                if !self.0.is_dropped() {
                    self.0.enter(IDLE);
                }
            }
        }
        self.enter(BUSY);
        Guard(self)
    }

    fn drop_it(&self) {
        self.phase.store(DROPPED, Ordering::Relaxed);
    }

    fn is_dropped(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == DROPPED
    }

    /// When to look again, or `None` when the phase has lasted too long. Looks at least as often
    /// as headers may take, since headers may begin at any moment of an idle time.
    fn left(&self, limits: &ServerSettings) -> Option<Duration> {
        let since = self.start + Duration::from_millis(self.since.load(Ordering::Relaxed));
        let limit = match self.phase.load(Ordering::Relaxed) {
            FRESH | HEAD => limits.header_timeout,
            IDLE => limits.idle_timeout,
            _ => return Some(limits.header_timeout),
        };
        let left = limit.checked_sub(since.elapsed())?;
        (!left.is_zero()).then_some(left.min(limits.header_timeout))
    }
}

/// A wire that tells the watch when bytes come in.
struct Watched {
    wire: Wire,
    watch: Arc<Watch>,
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.wire).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.watch.bytes_came();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().wire).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }
}
