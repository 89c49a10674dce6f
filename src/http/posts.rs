//! SSP's posts: the body is read, within limits, and the receiver's verdict becomes the answer.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tracing::debug;

use super::body::{self, BodyFault};
use super::exchange::{Answers, Dropped, Exchange};
use super::fields::{self, reported};
use super::server::{Inbound, Mishap, Receiver, Verdict};

type Answer = Response<Empty<Bytes>>;

/// Answers SSP's posts.
pub(super) struct Posts<R>(pub(super) Arc<R>);

impl<R: Receiver> Answers for Posts<R> {
    type Body = Empty<Bytes>;

    fn learn(&self, mishap: Mishap, remote: SocketAddr) {
        self.0.learn(mishap, remote, None);
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        exchange: &Exchange,
    ) -> Result<Answer, Dropped> {
        let Exchange {
            caller, settings, ..
        } = exchange;
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            let mut answer = unread(&body, StatusCode::METHOD_NOT_ALLOWED);
            answer
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("POST"));
            return Ok(answer);
        }
        if settings
            .path
            .as_deref()
            .is_some_and(|path| path != head.uri.path())
        {
            return Ok(unread(&body, StatusCode::NOT_FOUND));
        }
        if let Err(status) = fields::check(&head.headers) {
            return Ok(unread(&body, status));
        }
        // Held until the answer, as the body is.
        let mut room = caller.place.bytes();
        let body = match body::collect(body, settings, &mut room).await {
            Ok(body) => body,
            Err(BodyFault::TooLarge) => {
                let session = reported(&head.headers, "x-wv-sessionid");
                let remote = caller.remote;
                self.0.learn(Mishap::TooLarge, remote, session);
                return Ok(last(StatusCode::PAYLOAD_TOO_LARGE));
            }
            Err(BodyFault::Broken) => return Ok(last(StatusCode::BAD_REQUEST)),
            Err(BodyFault::Slow) => return Ok(last(StatusCode::REQUEST_TIMEOUT)),
            Err(BodyFault::NoRoom) => {
                debug!(remote = %caller.remote, "too many bytes of bodies are under way");
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
            .0
            .receive(Inbound {
                body,
                remote: caller.remote,
                tls: caller.tls,
                client_names: caller.names.clone(),
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
            Verdict::Drop => Err(Dropped),
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
