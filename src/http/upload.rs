//! Uploads a file to a URL, for who has no browser at hand.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use super::endpoint::Endpoint;
use super::stream::Wire;
use super::tls::{ClientTls, client_config, public_client_config};
use super::{cause_chain, dial};

/// For each step of making the connection.
const CONNECT: Duration = Duration::from_secs(10);
/// For all of an upload; our choice.
const ALL: Duration = Duration::from_secs(3600);
/// Bytes that are read of a file at once.
const CHUNK: usize = 32 * 1024;

/// Why something was not put at a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutFault {
    /// The answer had this status.
    #[error("answered {0}")]
    Status(StatusCode),
    /// There was none, in words.
    #[error("{0}")]
    Unreached(String),
    /// It cannot be put there, in words.
    #[error("{0}")]
    Url(String),
}

/// Puts a file of `size` bytes at a URL.
///
/// # Errors
/// What has failed, in words.
pub async fn put(url: &str, content_type: &str, file: File, size: u64) -> Result<(), String> {
    let body = FileBytes::of(file, size);
    let tls = ClientTls::default();
    let put = send(url, &[], content_type, body, &tls);
    match tokio::time::timeout(ALL, put).await {
        Ok(done) => done.map_err(|fault| fault.to_string()),
        Err(_) => Err("it took too long".to_owned()),
    }
}

/// Puts bytes at a URL, with headers that whoever gave it wants to see.
///
/// # Errors
/// See [`PutFault`]; also if it takes longer than `limit`.
pub async fn put_bytes(
    url: &str,
    headers: &[(String, String)],
    (content_type, bytes): (&str, Bytes),
    tls: &ClientTls,
    limit: Duration,
) -> Result<(), PutFault> {
    let put = send(url, headers, content_type, Full::new(bytes), tls);
    match tokio::time::timeout(limit, put).await {
        Ok(done) => done,
        Err(_) => Err(PutFault::Unreached("it took too long".to_owned())),
    }
}

async fn send<B>(
    url: &str,
    headers: &[(String, String)],
    content_type: &str,
    body: B,
    tls: &ClientTls,
) -> Result<(), PutFault>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let endpoint = Endpoint::parse(url).map_err(|error| PutFault::Url(error.to_string()))?;
    let mut request = Request::put(&endpoint.path)
        .header(header::HOST, endpoint.authority())
        .header(header::CONTENT_TYPE, content_type);
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_str());
    }
    let request = request.body(body);
    let request = request.map_err(|error| PutFault::Url(error.to_string()))?;
    let wire = connect(&endpoint, tls).await.map_err(PutFault::Unreached)?;
    let answer = exchange(wire, request).await;
    let status = answer.map_err(PutFault::Unreached)?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(PutFault::Status(status))
    }
}

/// Sends a request over a connection of its own, and waits for the head of the answer.
pub(super) async fn exchange<B>(
    wire: Wire,
    request: Request<B>,
) -> Result<Response<Incoming>, String>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let connection = http1::handshake(TokioIo::new(wire)).await;
    let (mut sender, connection) = connection.map_err(|error| cause_chain(&error))?;
    let answer = sender.send_request(request);
    tokio::pin!(answer);
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error),
        },
    };
    answer.map_err(|error| cause_chain(&error))
}

/// A connection, with TLS if the URL says so.
pub(super) async fn connect(endpoint: &Endpoint, tls: &ClientTls) -> Result<Wire, String> {
    if !endpoint.tls {
        let stream = dial::tcp(endpoint, CONNECT).await?;
        return Ok(Wire::Plain(stream));
    }
    let config = if *tls == ClientTls::default() {
        public_client_config()
    } else {
        client_config(tls, &endpoint.host)
    };
    let config = config.map_err(|error| cause_chain(&error))?;
    dial::connect(endpoint, &config, CONNECT).await
}

/// The bytes of a file, as they are read from disk.
#[derive(Debug)]
pub struct FileBytes {
    file: File,
    left: u64,
    chunk: Vec<u8>,
}

impl FileBytes {
    /// The first so many bytes of a file.
    pub fn of(file: File, size: u64) -> Self {
        Self {
            file,
            left: size,
            chunk: Vec::new(),
        }
    }
}

impl Body for FileBytes {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let most = usize::try_from(this.left).unwrap_or(CHUNK).min(CHUNK);
        this.chunk.resize(most, 0);
        let mut buffer = ReadBuf::new(&mut this.chunk);
        match Pin::new(&mut this.file).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok(())) => {}
        }
        let read = buffer.filled();
        if read.is_empty() {
            let short = io::Error::new(io::ErrorKind::UnexpectedEof, "the file is too short");
            return Poll::Ready(Some(Err(short)));
        }
        this.left -= read.len() as u64;
        let data = Bytes::copy_from_slice(read);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
