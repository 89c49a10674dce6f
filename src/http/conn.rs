//! One accepted connection, from its first request to its close.
//!
//! hyper reads and writes HTTP/1.1. Around it stands a watch with four phases, which tells an
//! idle connection (may wait long) from a request whose headers drip in (may not).

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

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

/// Serves one connection until it ends by itself, is idle or slow for too long, or `soft` is
/// cancelled and the exchange in flight is over.
pub(crate) async fn serve<A: Answers>(
    wire: Wire,
    caller: Caller,
    settings: Arc<ServerSettings>,
    answers: Arc<A>,
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
        watch,
    });
    let service = {
        let exchange = Arc::clone(&exchange);
        hyper::service::service_fn(move |request| {
            let (exchange, answers) = (Arc::clone(&exchange), Arc::clone(&answers));
            async move {
                let _busy = exchange.watch.busy();
                let answered = answers.answer(request, &exchange).await;
                if answered.is_err() {
                    exchange.watch.drop_it();
                }
                answered
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
