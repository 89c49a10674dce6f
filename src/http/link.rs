//! The calling side: one link per peer, which owns the connections to it.
//!
//! POSTs come through a bounded queue and start in its order, at most `max_connections` at once;
//! the outcome of each goes to the owner, who alone decides about repeating. A link repeats
//! nothing by itself, with one exception: when a kept connection turns out to be closed before
//! any of the request was written, the POST goes out on a fresh one. Once a request was written,
//! a close without an answer is reported as [`PostOutcome::Closed`], on a kept connection too,
//! because deployed servers refuse that way and a repeated setup message may cost a login
//! (deployed server, sections 3 and 4). Choose `idle_timeout` shorter than the peer's, which is
//! 60 s for the deployed server, and a kept connection is practically never stale.
//!
//! To end a link softly close its queue: it finishes what is in flight and reports it. The `stop`
//! token ends it at once and without further reports.

mod candidates;
mod post;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use self::candidates::Candidates;
pub use self::post::{Post, PostOutcome, Posted, Target};
use super::answer::{self, Answered};
use super::endpoint::Endpoint;
use super::known::KnownAddresses;
use super::pool::{Body, Pool};
use super::shown::ShownCertificates;
use super::srv::SrvResolver;
use super::{CONTENT_TYPE, cause_chain, dial};
use crate::text::Shown;

/// How to reach one peer.
#[derive(Clone)]
pub struct LinkSettings {
    /// The peer's domain, for SRV and for logs.
    pub peer: String,
    /// Candidates in order; an http URL here is the operator's choice and needs no `allow_plain`.
    /// Empty: SRV.
    pub urls: Vec<String>,
    /// With SRV, hosts besides its targets to which an exact URL may lead.
    pub redirects: Vec<String>,
    /// With SRV, try each target by http too, after https; and let redirects and remembered URLs
    /// be http.
    pub allow_plain: bool,
    /// TLS towards this peer.
    pub tls: Arc<rustls::ClientConfig>,
    /// The name to expect in the peer's certificate instead of the URL's host or, with SRV, the
    /// peer's domain.
    pub server_name: Option<String>,
    /// For each of: name lookup, TCP connection per address, TLS handshake.
    pub connect_timeout: Duration,
    /// From the start of writing a request to the end of its answer.
    pub answer_timeout: Duration,
    /// How long a connection is kept unused. Zero keeps none.
    pub idle_timeout: Duration,
    /// Most POSTs at once, and most connections kept. At least 1.
    pub max_connections: usize,
    /// Value of the header `User-Agent`.
    pub user_agent: Arc<str>,
    /// Where SRV answers come from; shared by all links.
    pub srv: Arc<SrvResolver>,
    /// Learns the addresses at which the peer is reached.
    pub known: Option<Arc<KnownAddresses>>,
    /// Learns which certificates the peer shows.
    pub shown: Option<Arc<ShownCertificates>>,
}

/// Starts a link on `tracker`. It ends when `posts` is closed and everything has been reported, or
/// at once when `stop` is cancelled.
pub fn spawn(
    settings: LinkSettings,
    posts: mpsc::Receiver<Post>,
    done: mpsc::Sender<Posted>,
    tracker: &TaskTracker,
    stop: CancellationToken,
) {
    let link = Arc::new(Link::new(settings, tracker.clone(), stop));
    tracker.spawn(link.run(posts, done));
}

/// What a port that serves TLS only says to plain HTTP.
const UPGRADE_REQUIRED: u16 = 426;
/// Bytes that hyper may hold per connection and direction.
const MAX_BUFFER: usize = 16 * 1024;

type Sending =
    Pin<Box<dyn Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + Send>>;

struct Link {
    settings: LinkSettings,
    candidates: Candidates,
    /// Headers of every request.
    common: HeaderMap,
    pool: Pool,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// A request handed to a connection.
struct Started {
    endpoint: Endpoint,
    sender: SendRequest<Body>,
    sending: Sending,
}

/// How one attempt at one endpoint ended.
enum Attempt {
    Answered(Answered),
    /// The peer does not have the message; another candidate may be tried.
    NotReached(String),
    Closed,
    TimedOut,
}

impl Link {
    fn new(settings: LinkSettings, tracker: TaskTracker, stop: CancellationToken) -> Self {
        let mut common = HeaderMap::new();
        common.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        common.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
        if let Ok(agent) = HeaderValue::from_str(&settings.user_agent) {
            common.insert(header::USER_AGENT, agent);
        }
        let pool = Pool::new(settings.idle_timeout, settings.max_connections);
        Link {
            candidates: Candidates::new(&settings),
            settings,
            common,
            pool,
            tracker,
            stop,
        }
    }

    async fn run(self: Arc<Self>, mut posts: mpsc::Receiver<Post>, done: mpsc::Sender<Posted>) {
        let places = Arc::new(Semaphore::new(self.settings.max_connections.max(1)));
        let sweep_every = (self.settings.idle_timeout / 2).max(Duration::from_millis(100));
        loop {
            let place = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            let post = loop {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return,
                    post = posts.recv() => break post,
                    () = tokio::time::sleep(sweep_every) => self.pool.sweep(),
                }
            };
            let Some(post) = post else { return };
            // Handing the request to a kept connection here keeps the order of the queue.
            let started = self.start_on_kept(&post);
            let link = Arc::clone(&self);
            let done = done.clone();
            self.tracker.spawn(async move {
                let work = async {
                    let posted = link.deliver(post, started).await;
                    let _ = done.send(posted).await;
                };
                tokio::select! {
                    biased;
                    () = link.stop.cancelled() => {}
                    () = work => {}
                }
                drop(place);
            });
        }
    }

    async fn deliver(&self, post: Post, started: Option<Started>) -> Posted {
        let (outcome, url) = self.outcome(&post, started).await;
        debug!(
            ssp.peer = self.settings.peer,
            id = post.id,
            ?outcome,
            url,
            "posted"
        );
        Posted {
            peer: self.settings.peer.clone(),
            id: post.id,
            outcome,
            url,
        }
    }

    async fn candidates_for(&self, target: &Target) -> Result<Vec<Endpoint>, String> {
        self.candidates.of(target, self.pool.good()).await
    }

    /// Tries the candidates until one answers.
    async fn outcome(
        &self,
        post: &Post,
        started: Option<Started>,
    ) -> (PostOutcome, Option<String>) {
        if post.body.is_empty() {
            return (self.tried(&post.target).await, None);
        }
        let mut reasons = Vec::new();
        let mut tried = None;
        if let Some(started) = started {
            let endpoint = started.endpoint.clone();
            match self.attempt(&endpoint, post, Some(started)).await {
                Attempt::NotReached(reason) => reasons.push(format!("{endpoint}: {reason}")),
                other => return self.conclude(&endpoint, post, other).await,
            }
            tried = Some(endpoint);
        }
        let candidates = match self.candidates_for(&post.target).await {
            Ok(candidates) => candidates,
            Err(reason) => {
                reasons.push(reason);
                Vec::new()
            }
        };
        for endpoint in candidates {
            if tried.as_ref() == Some(&endpoint) {
                continue;
            }
            match self.attempt(&endpoint, post, None).await {
                Attempt::NotReached(reason) => reasons.push(format!("{endpoint}: {reason}")),
                other => return self.conclude(&endpoint, post, other).await,
            }
        }
        (
            PostOutcome::Unreachable {
                reason: reasons.join("; "),
            },
            None,
        )
    }

    /// Whether a connection can be had: what a POST without a body asks. None is kept, and nothing
    /// is written on it.
    async fn tried(&self, target: &Target) -> PostOutcome {
        let candidates = match self.candidates_for(target).await {
            Ok(candidates) => candidates,
            Err(reason) => return PostOutcome::Unreachable { reason },
        };
        let mut reasons = Vec::new();
        for endpoint in candidates {
            match dial::tcp(&endpoint, self.settings.connect_timeout).await {
                Ok(_) => return PostOutcome::Acknowledged,
                Err(reason) => reasons.push(format!("{endpoint}: {reason}")),
            }
        }
        PostOutcome::Unreachable {
            reason: reasons.join("; "),
        }
    }

    /// From an attempt that got through to the outcome; follows a redirect if there is one.
    async fn conclude(
        &self,
        endpoint: &Endpoint,
        post: &Post,
        attempt: Attempt,
    ) -> (PostOutcome, Option<String>) {
        let Attempt::Answered(answered) = &attempt else {
            return (outcome_of(attempt), None);
        };
        if answered.is_success() {
            self.remember(endpoint, &post.target);
            return (PostOutcome::Acknowledged, Some(endpoint.to_string()));
        }
        let Some(moved) = self.candidates.followed(endpoint, answered) else {
            return (outcome_of(attempt), None);
        };
        debug!(ssp.peer = self.settings.peer, id = post.id, to = %Shown(&moved.to_string()), "redirected");
        let kept = self.pool.take(&moved);
        let started = kept.map(|sender| self.start(sender, &moved, post));
        match self.attempt(&moved, post, started).await {
            Attempt::Answered(second) if second.is_success() => {
                (PostOutcome::Acknowledged, Some(moved.to_string()))
            }
            Attempt::NotReached(reason) => {
                let moved = moved.to_string();
                let reason = format!("redirected by {endpoint}: {}: {reason}", Shown(&moved));
                (PostOutcome::Unreachable { reason }, None)
            }
            other => (outcome_of(other), None),
        }
    }

    /// One attempt at one endpoint: on the connection on which it was started already, and on a
    /// fresh one if there was none or nothing could be written to it.
    async fn attempt(&self, endpoint: &Endpoint, post: &Post, started: Option<Started>) -> Attempt {
        if let Some(started) = started {
            match self.finish(started).await {
                Attempt::NotReached(reason) => {
                    debug!(
                        ssp.peer = self.settings.peer,
                        reason, "kept connection unusable"
                    );
                }
                other => return other,
            }
        }
        match self.open(endpoint).await {
            Ok(sender) => self.finish(self.start(sender, endpoint, post)).await,
            Err(reason) => Attempt::NotReached(reason),
        }
    }

    /// Opens a connection and starts its driver.
    async fn open(&self, endpoint: &Endpoint) -> Result<SendRequest<Body>, String> {
        let settings = &self.settings;
        let wire = dial::connect(endpoint, &settings.tls, settings.connect_timeout).await?;
        if let (Some(known), Some(address)) = (&settings.known, wire.remote()) {
            known.note(address);
        }
        if let (Some(shown), Some(own)) = (&settings.shown, wire.peer_certificates().first()) {
            shown.note(&settings.peer, own);
        }
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_BUFFER)
            .handshake::<_, Body>(TokioIo::new(wire))
            .await
            .map_err(|error| format!("http: {}", cause_chain(&error)))?;
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = connection => {}
            }
        });
        Ok(sender)
    }

    /// Hands the request to a connection.
    fn start(&self, mut sender: SendRequest<Body>, endpoint: &Endpoint, post: &Post) -> Started {
        let sending = Box::pin(sender.try_send_request(self.request(endpoint, post)));
        Started {
            endpoint: endpoint.clone(),
            sender,
            sending,
        }
    }

    /// Waits for the answer, and keeps the connection if it can be used again.
    async fn finish(&self, started: Started) -> Attempt {
        let Started {
            endpoint,
            mut sender,
            sending,
        } = started;
        let deadline = Instant::now() + self.settings.answer_timeout;
        let response = match tokio::time::timeout_at(deadline, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(mut error)) => {
                let chain = cause_chain(error.error());
                if error.take_message().is_some() {
                    return Attempt::NotReached(format!("http: nothing could be sent: {chain}"));
                }
                return match answer::fault(error.error()) {
                    answer::Fault::Closed => Attempt::Closed,
                    answer::Fault::Tls => Attempt::NotReached(format!("tls: {chain}")),
                    answer::Fault::NotHttp => {
                        Attempt::NotReached(format!("http: the answer is not HTTP: {chain}"))
                    }
                };
            }
            Err(_) => return Attempt::TimedOut,
        };
        let (head, body) = response.into_parts();
        let answered = Answered::read(&head);
        let rest = deadline.saturating_duration_since(Instant::now());
        if answer::discard(body, rest).await
            && timeout(rest, sender.ready()).await.is_ok_and(|r| r.is_ok())
        {
            self.pool.keep(endpoint, sender);
        }
        Attempt::Answered(answered)
    }

    fn request(&self, endpoint: &Endpoint, post: &Post) -> Request<Body> {
        let mut request = Request::new(Full::new(post.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint
            .path
            .parse()
            .unwrap_or_else(|_| Uri::from_static("/"));
        let headers = request.headers_mut();
        *headers = self.common.clone();
        if let Ok(host) = HeaderValue::from_str(&endpoint.authority()) {
            headers.insert(header::HOST, host);
        }
        for (name, value) in &post.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            ) {
                headers.append(name, value);
            }
        }
        request
    }

    /// Starts a POST at once if a kept connection leads where it should go.
    fn start_on_kept(&self, post: &Post) -> Option<Started> {
        if post.body.is_empty() {
            return None;
        }
        let endpoint = match &post.target {
            Target::Url(url) => self.candidates.allowed(url).ok()?,
            Target::Usual => self.pool.good()?,
        };
        let kept = self.pool.take(&endpoint)?;
        Some(self.start(kept, &endpoint, post))
    }

    fn remember(&self, endpoint: &Endpoint, target: &Target) {
        if *target == Target::Usual
            && self.pool.remember(endpoint)
            && !endpoint.tls
            && self.settings.urls.is_empty()
        {
            warn!(ssp.peer = self.settings.peer, url = %endpoint, "the peer answers by plain http only");
        }
    }
}

impl fmt::Debug for LinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkSettings")
            .field("peer", &self.peer)
            .field("urls", &self.urls)
            .field("allow_plain", &self.allow_plain)
            .finish_non_exhaustive()
    }
}

fn outcome_of(attempt: Attempt) -> PostOutcome {
    match attempt {
        Attempt::Answered(answered) if answered.is_success() => PostOutcome::Acknowledged,
        Attempt::Answered(answered) if answered.status == UPGRADE_REQUIRED => {
            PostOutcome::Unreachable {
                reason: "HTTP 426: the port serves TLS only; the peer's url must be https"
                    .to_owned(),
            }
        }
        Attempt::Answered(answered) => PostOutcome::Refused {
            status: answered.status,
            retry_after: answered.retry_after,
        },
        Attempt::NotReached(reason) => PostOutcome::Unreachable { reason },
        Attempt::Closed => PostOutcome::Closed,
        Attempt::TimedOut => PostOutcome::TimedOut,
    }
}
