//! One accepted connection, from its first request to its close.
//!
//! hyper reads and writes HTTP/1.1. Around it stands a watch with four phases, which tells an
//! idle connection (may wait long) from a request whose headers drip in (may not). A connection
//! that is idle for a while rests: hyper is put away with its buffers, until bytes come.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::cause_chain;
use super::exchange::{Answers, Caller, Exchange};
use super::server::ServerSettings;
use super::stream::Wire;
use super::watch::Watch;

/// Bytes of a request's line and headers; more is answered 431.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Bytes that hyper may hold per connection and direction.
const MAX_BUFFER: usize = 32 * 1024;
/// Between two looks at a connection.
const SHORTEST: Duration = Duration::from_millis(10);

/// Serves one connection until it ends by itself, is idle or slow for too long, or `soft` is
/// cancelled and the exchange in flight is over.
pub(crate) async fn serve<A: Answers>(
    wire: Wire,
    caller: Caller,
    settings: Arc<ServerSettings>,
    answers: Arc<A>,
    soft: CancellationToken,
) {
    let watch = Arc::new(Watch::new());
    let mut watched = Watched {
        wire,
        watch: Arc::clone(&watch),
        before: Bytes::new(),
    };
    let exchange = Arc::new(Exchange {
        caller,
        settings,
        watch,
    });
    loop {
        // In a box of its own: a connection that rests has none.
        let speaking = Box::pin(speak(watched, &exchange, &answers, &soft));
        watched = match speaking.await {
            Spoken::Rests(watched) => watched,
            Spoken::Over(wire) => return wire.close_gently().await,
            Spoken::Cut => return,
        };
        if !watched.before.is_empty() {
            // The beginning of a request, which came with the one before.
            exchange.watch.bytes_came();
            continue;
        }
        tokio::select! {
            biased;
            () = soft.cancelled() => return watched.wire.close_gently().await,
            // Whatever it is, hyper sees it.
            () = watched.wire.readable() => {}
            () = outlasted(&exchange) => return,
        }
    }
}

/// Until the connection has been idle for too long.
async fn outlasted(exchange: &Exchange) {
    while let Some(left) = exchange.watch.left(&exchange.settings) {
        tokio::time::sleep(left).await;
    }
    debug!(remote = %exchange.caller.remote, "connection closed: idle for too long");
}

/// How hyper's part of a connection ends.
enum Spoken {
    Rests(Watched),
    /// The answers have been written.
    Over(Wire),
    /// Closed at once.
    Cut,
}

async fn speak<A: Answers>(
    watched: Watched,
    exchange: &Arc<Exchange>,
    answers: &Arc<A>,
    soft: &CancellationToken,
) -> Spoken {
    let service = hyper::service::service_fn(move |request| {
        let (exchange, answers) = (Arc::clone(exchange), Arc::clone(answers));
        async move {
            let _busy = exchange.watch.busy();
            let answered = answers.answer(request, &exchange).await;
            if answered.is_err() {
                exchange.watch.drop_it();
            }
            answered
        }
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_BUFFER)
        .max_header_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(watched), service);

    let remote = exchange.caller.remote;
    let limits = &exchange.settings;
    let mut soft = pin!(soft.cancelled());
    let mut stopping = false;
    let mut check = pin!(tokio::time::sleep(
        limits.rest_after.min(limits.header_timeout)
    ));
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut connection => break ended,
            () = &mut soft, if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = &mut check => match exchange.watch.left(limits) {
                Some(left) => match exchange.watch.rests_in(limits.rest_after) {
                    Some(Duration::ZERO) if !stopping => {
                        let parts = connection.into_parts();
                        let mut watched = parts.io.into_inner();
                        watched.before = parts.read_buf;
                        return Spoken::Rests(watched);
                    }
                    rests_in => {
                        let wait = rests_in.map_or(left, |rests_in| left.min(rests_in));
                        check.as_mut().reset(Instant::now() + wait.max(SHORTEST));
                    }
                },
                None => {
                    debug!(%remote, "connection closed: idle or slow for too long");
                    return Spoken::Cut;
                }
            },
        }
    };
    if let Err(error) = ended {
        if exchange.watch.is_dropped() {
            return Spoken::Cut;
        }
        debug!(%remote, error = cause_chain(&error), "connection ended by a fault");
    }
    Spoken::Over(connection.into_parts().io.into_inner().wire)
}

/// A wire that tells the watch when bytes come in.
struct Watched {
    wire: Wire,
    watch: Arc<Watch>,
    /// What was read already.
    before: Bytes,
}

impl Watched {
    /// Notes whether bytes of an answer wait for the other side to read.
    fn noted<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.watch.writes(polled.is_pending());
        polled
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.before.is_empty() {
            let count = this.before.len().min(buffer.remaining());
            buffer.put_slice(&this.before.split_to(count));
            return Poll::Ready(Ok(()));
        }
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
        let this = self.get_mut();
        let polled = Pin::new(&mut this.wire).poll_write(cx, bytes);
        this.noted(polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.wire).poll_flush(cx);
        this.noted(polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.wire).poll_write_vectored(cx, slices);
        this.noted(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }
}
