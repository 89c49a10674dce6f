//! Clients over HTTP: a message in each POST, and one in the answer if there is something to say.
//!
//! What is wrong with a message itself is said by HTTP; everything else by a status in a message,
//! because clients take any other answer than 200 for a broken connection.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;

use super::clp::Desk;
use super::entrance::Entrance;
use super::key::Key;
use super::limits;
use super::sessions::{Order, Sessions};
use crate::client::login::Origin;
use crate::client::session::{Said, not_logged_in};
use crate::csp::discovery::{DiscoveryResponse, VersionList};
use crate::csp::version::Scope;
use crate::csp::{Body, ContentType, Message, Primitive, Version};
use crate::http::exchange::{Answers, Dropped, Exchange};
use crate::imps::{Code, Status};
use crate::node::build::NumberProxies;

/// For an answer; the session gives one earlier.
const PATIENCE: Duration = Duration::from_secs(40);
/// Where clients ask whether something waits.
const WAKE: &str = "/wake/";
/// Where gateways hand over short messages.
const SMS: &str = "/sms";
/// Bytes of a message, before the listener's bound is known to be less.
const MOST: usize = 16 << 20;

/// Answers clients.
pub(super) struct Web {
    sessions: Arc<Sessions>,
    entrance: Arc<Entrance>,
    desk: Desk,
    proxies: NumberProxies,
}

type Answer = Response<Full<Bytes>>;

impl Web {
    pub(super) fn new(
        sessions: Arc<Sessions>,
        entrance: Arc<Entrance>,
        desk: Desk,
        proxies: NumberProxies,
    ) -> Self {
        Self {
            sessions,
            entrance,
            desk,
            proxies,
        }
    }

    /// The number from which a request comes, if a proxy that is known says so. Two are none.
    fn number(&self, head: &HeaderMap, from: IpAddr) -> Option<String> {
        let header = self.proxies.header.as_deref()?;
        if !self.proxies.from.iter().any(|known| known.contains(from)) {
            return None;
        }
        let mut values = head.get_all(header).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let number = value.to_str().ok()?.trim().trim_start_matches('+');
        let is_number = number.len() <= 15 && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.to_owned())
    }

    async fn post(&self, head: &HeaderMap, body: Bytes, from: (SocketAddr, bool)) -> Answer {
        let content_type = match head.get(header::CONTENT_TYPE) {
            Some(value) => match value.to_str().ok().and_then(ContentType::read) {
                Some(content_type) => content_type,
                None => return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            },
            None => ContentType::of_body(&body),
        };
        let encoding = content_type.encoding;
        let (remote, tls) = from;
        let message = match Message::read(&body, encoding, &limits::of(MOST)) {
            Ok(message) => message,
            Err(fault) => {
                tracing::debug!(%remote, "a message of a client cannot be read: {fault}");
                let is_large = fault.is_size();
                return plain(if is_large {
                    StatusCode::PAYLOAD_TOO_LARGE
                } else {
                    StatusCode::BAD_REQUEST
                });
            }
        };
        let version = message.version;
        let answer = match message.body {
            Body::Session(session) => {
                let mut mark = DefaultHasher::new();
                body.hash(&mut mark);
                let said = Said {
                    session,
                    version,
                    encoding,
                    mark: mark.finish(),
                    address: remote.ip().to_canonical(),
                };
                let number = self.number(head, said.address);
                self.hear(said, tls, number).await
            }
            Body::DiscoveryRequest(_) => {
                let message = Message {
                    version,
                    body: Body::DiscoveryResponse(versions()),
                };
                message.write(encoding).ok().map(Bytes::from)
            }
            Body::DiscoveryResponse(_) => return plain(StatusCode::BAD_REQUEST),
        };
        let mut response = Response::new(Full::new(answer.unwrap_or_default()));
        let kind = HeaderValue::from_static(content_type.as_str());
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    async fn hear(&self, said: Said, tls: bool, number: Option<String>) -> Option<Bytes> {
        self.sessions.tally.post();
        let first = said.session.transactions.first();
        if let Some(Primitive::LoginRequest(request)) = first.map(|first| &first.primitive) {
            let origin = Origin {
                address: said.address,
                tls,
                number,
            };
            let mut request = request.clone();
            // Inside an old session it is that one that is meant.
            request.session = request.session.or_else(|| said.session.id.clone());
            let answer = self
                .entrance
                .enter(&request, (said.version, said.encoding), origin)
                .await;
            self.sessions.tally.login(&answer);
            return said.answered(Primitive::LoginResponse(Box::new(answer)));
        }
        let id = said.session.id.as_deref();
        let Some(handle) = id.and_then(|id| self.sessions.find(Key::of(id))) else {
            return said.refused(&not_logged_in());
        };
        let (reply, answer) = oneshot::channel();
        let unanswered = said.clone();
        let _busy = self.sessions.busy();
        if !handle.order(Order::Post { said, reply }).await {
            return unanswered.refused(&not_logged_in());
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => unanswered.refused(&not_logged_in()),
            Err(_) => {
                let why = "There was no answer in time.";
                unanswered.refused(&Status::new(Code::TIMEOUT).because(why))
            }
        }
    }

    /// Whether something waits for the client that has this URL: 200, or 204.
    fn wake(&self, path: &str) -> Answer {
        let token = path.rsplit_once(WAKE).map(|(_, token)| token);
        let handle = token.and_then(|token| self.sessions.find_by_token(token));
        plain(match handle {
            Some(handle) if handle.is_waiting.load(Ordering::Relaxed) => StatusCode::OK,
            Some(_) => StatusCode::NO_CONTENT,
            None => StatusCode::NOT_FOUND,
        })
    }
}

impl Answers for Web {
    type Body = Full<Bytes>;

    async fn answer(
        &self,
        request: Request<Incoming>,
        exchange: &Exchange,
    ) -> Result<Answer, Dropped> {
        let (head, body) = request.into_parts();
        if head.method == Method::GET && head.uri.path() == SMS {
            let query = head.uri.query().unwrap_or_default();
            let _hold = exchange.hold(PATIENCE);
            let _busy = self.sessions.busy();
            let from = exchange.origin().0.ip().to_canonical();
            return Ok(plain(self.desk.take(query, from).await));
        }
        if head.method == Method::GET && body.is_end_stream() {
            return Ok(self.wake(head.uri.path()));
        }
        if head.method != Method::POST {
            let mut answer = last(StatusCode::METHOD_NOT_ALLOWED);
            let allow = HeaderValue::from_static("GET, POST");
            answer.headers_mut().insert(header::ALLOW, allow);
            return Ok(answer);
        }
        let from = exchange.origin();
        let _hold = exchange.hold(PATIENCE);
        let answered = exchange.with_body(body, async |body: Bytes| {
            if body.is_empty() {
                return plain(StatusCode::BAD_REQUEST);
            }
            self.post(&head.headers, body, from).await
        });
        Ok(answered.await.unwrap_or_else(last))
    }
}

/// The versions that are served.
fn versions() -> DiscoveryResponse {
    let names = |scope| {
        let all = Version::ALL.into_iter();
        all.map(|version| version.namespace(scope).to_owned())
            .collect()
    };
    DiscoveryResponse {
        versions: Some(VersionList {
            sessions: names(Scope::Message),
            transactions: names(Scope::Transaction),
            presence: names(Scope::Presence),
        }),
        servers: Vec::new(),
        extended: Vec::new(),
    }
}

fn plain(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// An answer after which the connection is closed: a body may not have been read.
fn last(status: StatusCode) -> Answer {
    let mut answer = plain(status);
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}
