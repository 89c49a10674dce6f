//! Plain POSTs through a proxy: who sends them, and who swallows them behind it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::super::Failure;
use crate::http::tls::{self, ClientCertificates, ClientTls, ServerTls};

/// The name that a proxy with TLS is called by, and that of what is behind it. Both have
/// certificates in the folder, signed by the authority there.
pub(super) const FRONT: &str = "relay.test";
pub(super) const BEHIND: &str = "recipient.test";

/// A connection, plain or with TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// TLS with the certificates of a folder.
pub(super) struct Safe {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

/// Connections to a proxy that stay open.
pub(super) struct Driver {
    streams: Vec<Box<dyn Stream>>,
    requests: Arc<Vec<Vec<u8>>>,
}

impl Safe {
    /// # Errors
    /// A file is missing or cannot be used.
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        let file =
            |name: &str, ending: &str| -> PathBuf { folder.join(format!("{name}.{ending}")) };
        let client = ClientTls {
            ca: Some(file("ca", "pem")),
            ..ClientTls::default()
        };
        let server = ServerTls {
            certificate: file(BEHIND, "pem"),
            key: file(BEHIND, "key"),
            client_ca: None,
            client_certificates: ClientCertificates::None,
        };
        let failed = |error: tls::TlsError| Failure::Failed(error.to_string());
        Ok(Self {
            connector: tls::client_config(&client, FRONT).map_err(failed)?.into(),
            acceptor: tls::server_config(&server).map_err(failed)?.into(),
        })
    }

    async fn connect(&self, stream: TcpStream) -> std::io::Result<Box<dyn Stream>> {
        let name = ServerName::try_from(FRONT).map_err(std::io::Error::other)?;
        Ok(Box::new(self.connector.connect(name, stream).await?))
    }
}

impl Driver {
    /// So many connections, over which each of `bodies` goes in turn, one a request.
    pub(super) async fn connect(
        proxy: SocketAddr,
        bodies: &[Vec<u8>],
        connections: u64,
        safe: Option<&Safe>,
    ) -> Result<Self, Failure> {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = connect(proxy, safe).await;
            let failed = |error| Failure::Failed(format!("cannot connect to a proxy: {error}"));
            streams.push(stream.map_err(failed)?);
        }
        let requests = bodies.iter().map(|body| request(body)).collect();
        Ok(Self {
            streams,
            requests: Arc::new(requests),
        })
    }

    /// Sends all bodies `rounds` times, shared between the connections; how long it took for
    /// each round to be answered, sorted.
    pub(super) async fn carry(&mut self, rounds: u64) -> Result<Vec<Duration>, Failure> {
        let mut tasks = tokio::task::JoinSet::new();
        let connections = self.streams.len().max(1) as u64;
        for (number, stream) in (0..).zip(self.streams.drain(..)) {
            let share = rounds / connections + u64::from(number < rounds % connections);
            tasks.spawn(send(stream, Arc::clone(&self.requests), share));
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            let done = done.unwrap_or_else(|error| Err(std::io::Error::other(error)));
            let (stream, took) =
                done.map_err(|error| Failure::Failed(format!("a request failed: {error}")))?;
            self.streams.push(stream);
            times.extend(took);
        }
        times.sort_unstable();
        Ok(times)
    }
}

async fn connect(proxy: SocketAddr, safe: Option<&Safe>) -> std::io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(proxy).await?;
    stream.set_nodelay(true)?;
    match safe {
        Some(safe) => safe.connect(stream).await,
        None => Ok(Box::new(stream)),
    }
}

fn request(body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST / HTTP/1.1\r\nHost: relay.test\r\nConnection: keep-alive\r\n\
         Content-Type: application/vnd.wv.ssp+xml\r\nUser-Agent: wvgate\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

async fn send(
    mut stream: Box<dyn Stream>,
    requests: Arc<Vec<Vec<u8>>>,
    rounds: u64,
) -> std::io::Result<(Box<dyn Stream>, Vec<Duration>)> {
    let (mut buffer, mut times) = (Vec::with_capacity(4096), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        for request in requests.iter() {
            stream.write_all(request).await?;
            stream.flush().await?;
            let head = read_head(&mut stream, &mut buffer).await?;
            if !head.starts_with("HTTP/1.1 200") {
                return Err(std::io::Error::other(head));
            }
        }
        times.push(start.elapsed());
    }
    Ok((stream, times))
}

/// Reads up to the end of a head and takes it out; answers have no body here.
async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> std::io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = buffer.drain(..end + 4).collect::<Vec<u8>>();
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Answers every request 200 without a body.
pub(super) async fn sink(safe: Option<&Safe>) -> Result<SocketAddr, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("cannot listen: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let acceptor = safe.map(|safe| safe.acceptor.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                match acceptor {
                    Some(acceptor) => swallow(acceptor.accept(stream).await?).await,
                    None => swallow(stream).await,
                }
            });
        }
    });
    Ok(address)
}

async fn swallow(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let head = read_head(&mut stream, &mut buffer).await?;
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse::<usize>().ok())
            .unwrap_or(0);
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        buffer.drain(..length);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await?;
        stream.flush().await?;
    }
}
