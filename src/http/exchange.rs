//! One request on a connection: who asks, and who answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response, StatusCode};

use super::body::{self, BodyFault};
use super::hold::Hold;
use super::places::Place;
use super::server::{Mishap, ServerSettings};
use super::watch::Watch;

/// Who is at the other end.
pub struct Caller {
    pub(crate) remote: SocketAddr,
    pub(crate) tls: bool,
    pub(crate) names: Vec<String>,
    /// What of connections and bytes is theirs.
    pub(crate) place: Place,
}

/// What the exchanges of one connection share.
pub struct Exchange {
    pub(crate) caller: Caller,
    pub(crate) settings: Arc<ServerSettings>,
    pub(crate) watch: Arc<Watch>,
}

impl Exchange {
    /// Where the request came from, and whether over TLS.
    pub fn origin(&self) -> (SocketAddr, bool) {
        (self.caller.remote, self.caller.tls)
    }

    /// Reads the body of a request, and hands it to `answer`; its bytes count until that is done.
    ///
    /// # Errors
    /// The answer to a body that was not read to its end. The connection is closed after it.
    pub async fn with_body<T>(
        &self,
        body: Incoming,
        answer: impl AsyncFnOnce(Bytes) -> T,
    ) -> Result<T, StatusCode> {
        let mut room = self.caller.place.bytes();
        match body::collect(body, &self.settings, &mut room).await {
            Ok(body) => Ok(answer(body).await),
            Err(BodyFault::TooLarge) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(BodyFault::Broken) => Err(StatusCode::BAD_REQUEST),
            Err(BodyFault::Slow) => Err(StatusCode::REQUEST_TIMEOUT),
            Err(BodyFault::NoRoom) => Err(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// Keeps the connection from being idle while an answer is under way, for so long at most.
    pub fn hold(&self, most: Duration) -> Hold {
        Hold::of(&self.watch, most)
    }
}

/// The error that makes hyper close the connection without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("closed without an answer, as decided")]
pub struct Dropped;

/// Answers the requests of a listener.
pub trait Answers: Send + Sync + 'static {
    /// The bodies of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// Answers one request. Called concurrently. The future is dropped when the connection or the
    /// server ends before it is ready.
    fn answer(
        &self,
        request: Request<Incoming>,
        exchange: &Exchange,
    ) -> impl Future<Output = Result<Response<Self::Body>, Dropped>> + Send;

    /// Learns of a connection on which no request was made.
    fn learn(&self, mishap: Mishap, remote: SocketAddr) {
        let _ = (mishap, remote);
    }
}
