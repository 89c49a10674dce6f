//! The listening side: one port, plain HTTP or TLS or both, POST in and an empty answer out.
//!
//! What a peer may do wrong is answered here, before the floor above sees it: another method
//! (405), another content type (415), no body (400), too much of it (413), too slow (408 or a
//! closed connection), too many connections (503). What remains is an [`Inbound`], and the
//! [`Receiver`]'s [`Verdict`] becomes the HTTP status. The exchange itself is in `conn`.
//!
//! The first byte of a connection tells TLS from HTTP. A `ClientHello` on a port without TLS is
//! answered at once with `400` and a close: a deployed server tries https first on every port and
//! waits for minutes when nothing comes back (deployed server, section 2).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::REST_AFTER;
use super::conn;
use super::exchange::{Answers, Caller};
use super::known::KnownAddresses;
use super::places::{Bounds, Full, Place, Places};
use super::posts::Posts;
use super::stream::Wire;
use super::tls::certificate_dns_names;
use crate::text::Seldom;

/// How the listening side behaves.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Address and port to bind; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Serve plain HTTP on the port.
    pub plain: bool,
    /// Serve TLS on the port. With `plain` too, the first byte of a connection decides.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Largest request body, in bytes. More is answered 413 and not read.
    pub max_body: usize,
    /// Most connections at a time. One more is answered 503 and closed. Strangers leave a quarter
    /// of them to addresses of peers.
    pub max_connections: usize,
    /// Most connections of one address at a time (of the first 64 bits of an IPv6 address). One
    /// more is answered 503 and closed. An address of a peer has at least a quarter of all.
    pub max_of_one_address: usize,
    /// Most bytes of bodies that are being read or wait for their answer, in all. A body beyond
    /// them is answered 503. Strangers leave half of them to addresses of peers.
    pub max_bytes: usize,
    /// Bytes a second that a body must bring, after its first five seconds. A slower one is
    /// answered 408. 0: any pace.
    pub body_pace: u64,
    /// Which addresses are those of peers. `None`: nobody's are, and nothing is left to any.
    pub known: Option<Arc<KnownAddresses>>,
    /// From the first byte of a request to the end of its headers; also from the connection's
    /// opening to its first byte. When it is over the connection is closed.
    pub header_timeout: Duration,
    /// From the end of the headers to the end of the body. When it is over: 408 and a close.
    pub body_timeout: Duration,
    /// Between an answer and the next request. When it is over the connection is closed.
    pub idle_timeout: Duration,
    /// Between an answer and the next request, until the connection gives back the buffers of HTTP.
    pub rest_after: Duration,
    /// For the TLS handshake. When it is over the connection is closed.
    pub tls_handshake_timeout: Duration,
    /// The only path that is served (others get 404). `None` serves every path, as deployed
    /// servers do (wire profile, 2.1).
    pub path: Option<String>,
}

impl Default for ServerSettings {
    /// Plain HTTP on port 5280 of every address. The numbers are our choice: 1 MiB bodies, 64 MiB
    /// of them at a time, 4096 connections, 64 of one address, 10 s for headers and handshake,
    /// 30 s and at least 1 KiB/s for a body, 75 s idle (deployed servers drop idle connections
    /// after 60 s, so theirs go first).
    fn default() -> Self {
        ServerSettings {
            listen: SocketAddr::from(([0, 0, 0, 0], 5280)),
            plain: true,
            tls: None,
            max_body: 1024 * 1024,
            max_connections: 4096,
            max_of_one_address: 64,
            max_bytes: 64 << 20,
            body_pace: 1024,
            known: Some(Arc::default()),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            rest_after: REST_AFTER,
            tls_handshake_timeout: Duration::from_secs(10),
            path: None,
        }
    }
}

/// One accepted POST: complete, of the right type, within the limits, not yet looked into.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The whole body, never empty.
    pub body: Bytes,
    /// The other end of the TCP connection.
    pub remote: SocketAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// DNS names of the client's certificate, lower case, when it presented one and it was
    /// verified against the configured authority; else empty.
    pub client_names: Vec<String>,
    /// `Host`, at most 256 bytes of it.
    pub host: Option<String>,
    /// `User-Agent`, at most 256 bytes of it.
    pub user_agent: Option<String>,
    /// `x-wv-sessionid`. The body is authoritative; a difference is only worth a log line.
    pub session_header: Option<String>,
    /// `x-wv-transactionid`, likewise.
    pub transaction_header: Option<String>,
}

/// What becomes the HTTP answer, always with an empty body (wire profile, 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 200: the message is ours now.
    Accepted,
    /// 400: not an SSP message, and never will be.
    Malformed,
    /// 403: not from you, or not in this session.
    Forbidden,
    /// 413: more than this peer may send.
    TooLarge,
    /// 415: the media type is not that of SSP.
    UnsupportedType,
    /// 503: cannot be taken now.
    Busy {
        /// Becomes `Retry-After`, rounded up to whole seconds.
        retry_after: Option<Duration>,
    },
    /// The connection is closed without an answer, which some dialects understand as a refusal.
    Drop,
}

/// The floor above: takes a POST, gives the verdict. Called concurrently, once per POST.
pub trait Receiver: Send + Sync + 'static {
    /// Decides about one POST. The answer leaves when the future is ready, so whatever must be
    /// durable before the acknowledgement is made so inside it. The future is dropped when the
    /// connection or the server ends before it is ready.
    fn receive(&self, inbound: Inbound) -> impl Future<Output = Verdict> + Send;

    /// Learns of what was answered without it, because it could never become an [`Inbound`].
    fn learn(&self, mishap: Mishap, remote: SocketAddr, session_header: Option<String>) {
        let _ = (mishap, remote, session_header);
    }
}

/// What a caller did that could never become an [`Inbound`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// A `ClientHello` on a port without TLS.
    TlsOnPlain,
    /// Plain HTTP on a port that serves TLS only.
    PlainOnTls,
    /// A body above `max_body`.
    TooLarge,
}

/// A bound port that is not being served yet.
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    settings: Arc<ServerSettings>,
    tls: watch::Sender<Option<Arc<rustls::ServerConfig>>>,
}

/// Changes the TLS configuration of a running server: connections accepted from then on use it.
#[derive(Clone)]
pub struct TlsSwitch(watch::Sender<Option<Arc<rustls::ServerConfig>>>);

impl TlsSwitch {
    /// Puts `config` in force. `None` ends TLS on the port.
    pub fn replace(&self, config: Option<Arc<rustls::ServerConfig>>) {
        self.0.send_replace(config);
    }
}

/// Binds the port, so that an address in use is found before anything else starts.
///
/// # Errors
/// The system's, and `InvalidInput` when neither plain HTTP nor TLS is to be served.
pub async fn bind(settings: ServerSettings) -> io::Result<Server> {
    if !settings.plain && settings.tls.is_none() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the SSP port serves neither plain HTTP nor TLS: allow plain HTTP or configure a certificate",
        ));
    }
    let listener = TcpListener::bind(settings.listen).await?;
    Ok(Server {
        local_addr: listener.local_addr()?,
        listener,
        tls: watch::Sender::new(settings.tls.clone()),
        settings: Arc::new(settings),
    })
}

impl Server {
    /// The address in use, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// A handle that replaces the TLS configuration while the server runs.
    pub fn tls_switch(&self) -> TlsSwitch {
        TlsSwitch(self.tls.clone())
    }

    /// Serves until stopped. `soft`: accept nothing more, finish the exchanges in flight, then
    /// return. `hard`: drop every connection and return.
    pub async fn run<R: Receiver>(
        self,
        receiver: Arc<R>,
        soft: CancellationToken,
        hard: CancellationToken,
    ) {
        self.serve(Arc::new(Posts(receiver)), soft, hard).await;
    }

    /// The same for what is no SSP.
    pub async fn serve<A: Answers>(
        self,
        answers: Arc<A>,
        soft: CancellationToken,
        hard: CancellationToken,
    ) {
        let tracker = TaskTracker::new();
        let bounds = Bounds {
            connections: self.settings.max_connections,
            of_one_address: self.settings.max_of_one_address,
            bytes: self.settings.max_bytes,
        };
        let places = Places::new(bounds, self.settings.known.clone());
        let mut told = Told {
            seldom: Seldom::default(),
            began: Instant::now(),
        };
        // Refusals are polite only as long as they are few.
        let refusals = Arc::new(Semaphore::new(64));
        loop {
            let (stream, remote) = tokio::select! {
                biased;
                () = hard.cancelled() => break,
                () = soft.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(pair) => pair,
                    Err(error) => {
                        told.failed(&error);
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let _ = stream.set_nodelay(true);
            let hard = hard.clone();
            let place = match places.take(remote.ip()) {
                Ok(place) => place,
                Err(full) => {
                    told.refused(remote, full);
                    if let Ok(refusal) = Arc::clone(&refusals).try_acquire_owned() {
                        tracker.spawn(async move {
                            tokio::select! {
                                biased;
                                () = hard.cancelled() => {}
                                () = say_and_close(stream, TOO_MANY) => drop(refusal),
                            }
                        });
                    }
                    continue;
                }
            };
            let visit = Visit {
                settings: Arc::clone(&self.settings),
                tls: self.tls.borrow().clone(),
                answers: Arc::clone(&answers),
                remote,
                place,
                soft: soft.clone(),
            };
            tracker.spawn(async move {
                tokio::select! {
                    biased;
                    () = hard.cancelled() => {}
                    () = visit.serve(stream) => {}
                }
            });
        }
        drop(self.listener);
        tracker.close();
        tracker.wait().await;
    }
}

const TLS_ON_PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
// Not 400: the message is not at fault, and its sender must keep it.
const PLAIN_ON_TLS: &[u8] =
    b"HTTP/1.1 426 This port speaks TLS only\r\nUpgrade: TLS/1.2\r\nConnection: Upgrade, close\r\nContent-Length: 0\r\n\r\n";
const TOO_MANY: &[u8] = b"HTTP/1.1 503 Too Many Connections\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Says that connections are refused, or cannot be accepted, once in a while.
struct Told {
    seldom: Seldom,
    began: Instant,
}

impl Told {
    fn may(&mut self, kind: &'static str) -> Option<u64> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.seldom.may(kind, now)
    }

    fn failed(&mut self, error: &io::Error) {
        if let Some(more) = self.may("failed") {
            warn!(%error, more, "cannot accept a connection");
        }
    }

    fn refused(&mut self, remote: SocketAddr, full: Full) {
        let Some(more) = self.may("refused") else {
            return;
        };
        let why = match full {
            Full::Address => "the address has max_connections_per_address already",
            Full::Strangers => "strangers have three quarters of max_connections already",
            Full::All => "there are max_connections already",
        };
        warn!(%remote, refused = more + 1, "connections are refused: {why}");
    }
}

/// One connection's way from its first byte to HTTP.
struct Visit<A> {
    settings: Arc<ServerSettings>,
    tls: Option<Arc<rustls::ServerConfig>>,
    answers: Arc<A>,
    remote: SocketAddr,
    place: Place,
    soft: CancellationToken,
}

impl<A: Answers> Visit<A> {
    async fn serve(self, stream: TcpStream) {
        let remote = self.remote;
        let first = tokio::select! {
            biased;
            () = self.soft.cancelled() => return,
            first = first_byte(&stream, self.settings.header_timeout) => first,
        };
        let Some(first) = first else { return };
        let wire = match (looks_like_tls(first), self.tls) {
            (true, Some(config)) => {
                let handshake = Box::pin(TlsAcceptor::from(config).accept(stream));
                match tokio::time::timeout(self.settings.tls_handshake_timeout, handshake).await {
                    Ok(Ok(tls)) => Wire::Tls(Box::new(tls.into())),
                    Ok(Err(error)) => return debug!(%remote, %error, "TLS handshake failed"),
                    Err(_) => return debug!(%remote, "TLS handshake took too long"),
                }
            }
            (true, None) => {
                debug!(%remote, "TLS ClientHello on a plain port");
                self.answers.learn(Mishap::TlsOnPlain, remote);
                return say_and_close(stream, TLS_ON_PLAIN).await;
            }
            (false, _) if self.settings.plain => Wire::Plain(stream),
            (false, _) => {
                debug!(%remote, "plain HTTP on a TLS port");
                self.answers.learn(Mishap::PlainOnTls, remote);
                return say_and_close(stream, PLAIN_ON_TLS).await;
            }
        };
        let caller = Caller {
            remote,
            tls: wire.is_tls(),
            names: wire
                .peer_certificates()
                .first()
                .map(|certificate| certificate_dns_names(certificate))
                .unwrap_or_default(),
            place: self.place,
        };
        conn::serve(wire, caller, self.settings, self.answers, self.soft).await;
    }
}

/// The first byte of a connection, left in place. `None` when there is none in time.
async fn first_byte(stream: &TcpStream, limit: Duration) -> Option<u8> {
    let mut first = [0u8; 1];
    match tokio::time::timeout(limit, stream.peek(&mut first)).await {
        Ok(Ok(1)) => Some(first[0]),
        _ => None,
    }
}

/// A TLS record of type handshake (0x16), or the old two-byte length of an SSL 2 hello, which
/// has its high bit set. No HTTP method begins with either.
fn looks_like_tls(first: u8) -> bool {
    first == 0x16 || first & 0x80 != 0
}

async fn say_and_close(mut stream: TcpStream, answer: &[u8]) {
    if stream.write_all(answer).await.is_ok() {
        Wire::Plain(stream).close_gently().await;
    }
}
