//! A byte stream that is either plain TCP or TLS over TCP, in either role.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsStream;

/// How long a closing side waits for the other to close too, and how much it reads meanwhile.
/// A socket closed with unread bytes sends a reset, which may destroy an answer under way.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// One TCP connection, with or without TLS.
pub(crate) enum Wire {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS in either role; boxed because its state is large.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Whether the bytes are protected.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Wire::Tls(_))
    }

    /// The other side's address, as long as the connection is up.
    pub(crate) fn remote(&self) -> Option<IpAddr> {
        let stream = match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => tls.get_ref().0,
        };
        stream.peer_addr().ok().map(|address| address.ip())
    }

    /// The other side's certificate chain, empty when it presented none.
    pub(crate) fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        match self {
            Wire::Plain(_) => &[],
            Wire::Tls(tls) => tls.get_ref().1.peer_certificates().unwrap_or_default(),
        }
    }

    /// Until bytes or the end may have come from the other side. Bytes that TLS has taken in already
    /// do not count.
    pub(crate) async fn readable(&self) {
        let stream = match self {
            Wire::Plain(tcp) => tcp,
            Wire::Tls(tls) => tls.get_ref().0,
        };
        // An error is seen by whoever reads.
        let _ = stream.readable().await;
    }

    /// Says that nothing more will be sent, then reads and forgets what still comes, for a
    /// bounded time, so that the last answer reaches the other side.
    pub(crate) async fn close_gently(mut self) {
        // In a box: nobody but this needs room for it.
        let closing = Box::pin(async move {
            let _ = self.shutdown().await;
            let mut scrap = [0u8; 2048];
            let mut left = LINGER_BYTES;
            while left > 0 {
                match self.read(&mut scrap).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => left = left.saturating_sub(count),
                }
            }
        });
        let _ = timeout(LINGER, closing).await;
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(io) => Pin::new(io).poll_read(cx, buffer),
            Wire::Tls(io) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Wire::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(io) => Pin::new(io).poll_flush(cx),
            Wire::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Wire::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(io) => Pin::new(io).poll_write_vectored(cx, slices),
            Wire::Tls(io) => Pin::new(io).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Wire::Plain(io) => io.is_write_vectored(),
            Wire::Tls(io) => io.is_write_vectored(),
        }
    }
}
