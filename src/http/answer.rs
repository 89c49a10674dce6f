//! Reading the answer to a POST: its status, the two headers that matter, and nothing of its body.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header;
use hyper::http::response::Parts;

/// Bytes of an answer's body that are read and forgotten; a connection with more to come is
/// closed instead. Answers never carry SSP (wire profile 2.2).
const MAX_DISCARDED: usize = 16 * 1024;
/// How long the rest of an answer may take.
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// What an HTTP answer said.
pub(crate) struct Answered {
    /// HTTP status.
    pub(crate) status: u16,
    /// `Retry-After`, if given in seconds.
    pub(crate) retry_after: Option<Duration>,
    location: Option<String>,
}

impl Answered {
    pub(crate) fn read(head: &Parts) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        Answered {
            status: head.status.as_u16(),
            retry_after: text(header::RETRY_AFTER)
                .and_then(|seconds| seconds.trim().parse().ok())
                .map(Duration::from_secs),
            location: text(header::LOCATION).map(str::to_owned),
        }
    }

    /// Any 2xx.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The location of a redirect that keeps the method, or did so with deployed clients.
    pub(crate) fn redirect(&self) -> Option<&str> {
        matches!(self.status, 301 | 302 | 307 | 308)
            .then_some(self.location.as_deref())
            .flatten()
    }
}

/// Reads and forgets the rest of an answer. Whether the connection is clean afterwards.
pub(crate) async fn discard(mut body: Incoming, limit: Duration) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let reading = async {
        let mut seen = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            seen += frame.data_ref().map_or(0, bytes::Bytes::len);
            if seen > MAX_DISCARDED {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(limit.min(DISCARD_TIME), reading)
        .await
        .unwrap_or(false)
}

/// Why there was no answer to a request that was (partly) written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ended.
    Closed,
    /// TLS failed; with TLS 1.3 a peer that refuses our certificate says so only now.
    Tls,
    /// Something answered that does not speak HTTP.
    NotHttp,
}

/// Which fault a client error is.
pub(crate) fn fault(error: &hyper::Error) -> Fault {
    if error.is_parse() {
        return Fault::NotHttp;
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let wrapped = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if cause.is::<rustls::Error>()
            || wrapped.is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>)
        {
            return Fault::Tls;
        }
        next = cause.source();
    }
    Fault::Closed
}
