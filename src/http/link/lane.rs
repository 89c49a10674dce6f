//! One POST after the other, and the connection that is kept between them, in one task.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::alarm::Alarm;
use super::connection::{Body, Connection, Unanswered};
use super::desk::Next;
use super::{Post, PostOutcome, Posted, Report, Shared, Target};
use crate::http::answer::{self, Answered};
use crate::http::endpoint::Endpoint;
use crate::http::{cause_chain, dial};
use crate::text::Shown;

/// What a port that serves TLS only says to plain HTTP.
const UPGRADE_REQUIRED: u16 = 426;

/// A connection to a peer, and who uses it.
pub(super) struct Lane<R> {
    link: Arc<Shared<R>>,
    kept: Option<Connection>,
    alarm: Alarm,
}

/// How one attempt at one endpoint ended.
enum Attempt {
    Answered(Answered),
    /// The peer does not have the message; another candidate may be tried.
    NotReached(String),
    Closed,
    TimedOut,
}

impl<R: Report> Lane<R> {
    pub(super) fn new(link: Arc<Shared<R>>) -> Self {
        Self {
            link,
            kept: None,
            alarm: Alarm::new(),
        }
    }

    /// Delivers this POST and what comes after it, until the link ends, or nothing has come for
    /// its idle time.
    pub(super) async fn run(self, first: Post) {
        let link = Arc::clone(&self.link);
        tokio::select! {
            biased;
            () = self.work(first) => {}
            () = link.stop.cancelled() => {}
        }
    }

    async fn work(mut self, first: Post) {
        let mut post = first;
        loop {
            let posted = self.deliver(&post).await;
            // Free before whoever is told has the next one.
            let next = self
                .link
                .desk
                .next(self.kept.as_ref().map(Connection::endpoint));
            self.link.report.report(posted).await;
            let following = match next {
                Next::Post(post) => Some(post),
                Next::Wait(given) => self.wait(given).await,
                Next::Over => None,
            };
            match following {
                Some(following) => post = following,
                None => return,
            }
        }
    }

    async fn wait(&mut self, mut given: oneshot::Receiver<Post>) -> Option<Post> {
        let post = tokio::select! {
            biased;
            post = &mut given => post.ok(),
            () = self.rest() => None,
        };
        post.or_else(|| self.link.desk.leave(given))
    }

    /// Until the connection has been unused for too long, or the other side has ended it.
    async fn rest(&mut self) {
        let until = Instant::now() + self.link.settings.idle_timeout;
        let rests = Instant::now() + self.link.settings.rest_after;
        if rests < until && self.unused(rests).await {
            self.kept.iter_mut().for_each(Connection::rest);
        }
        if self.kept.is_some() {
            self.unused(until).await;
        }
        self.kept = None;
    }

    /// Whether the connection stands, unused, when `until` has come.
    async fn unused(&mut self, until: Instant) -> bool {
        let (kept, alarm) = (&mut self.kept, &mut self.alarm);
        let ended = poll_fn(|context| match kept {
            Some(connection) => connection.poll_ended(context),
            None => Poll::Ready(()),
        });
        let stands = alarm.before(until, ended).await.is_none();
        if !stands {
            self.kept = None;
        }
        stands
    }

    async fn deliver(&mut self, post: &Post) -> Posted {
        let (outcome, at) = self.outcome(post).await;
        let peer = &self.link.settings.peer;
        debug!(ssp.peer = peer, id = post.id, ?outcome, ?at, "posted");
        if self.link.settings.idle_timeout.is_zero() {
            self.kept = None;
        }
        Posted {
            id: post.id,
            outcome,
            at,
        }
    }

    /// Tries the candidates until one answers.
    async fn outcome(&mut self, post: &Post) -> (PostOutcome, Option<Arc<Endpoint>>) {
        if post.body.is_empty() {
            return (Box::pin(self.tried(&post.target)).await, None);
        }
        let mut reasons = Vec::new();
        let wanted = self.link.ways.wanted(&post.target);
        let started = wanted.filter(|wanted| self.leads_to(wanted));
        if let Some(endpoint) = &started {
            match self.attempt(endpoint, post).await {
                Attempt::NotReached(reason) => reasons.push(format!("{endpoint}: {reason}")),
                other => return self.conclude(endpoint, post, other).await,
            }
        }
        // What is done seldom is in boxes, so that a lane that waits is small.
        Box::pin(self.tries(post, started, reasons)).await
    }

    /// Tries the candidates that have not been tried.
    async fn tries(
        &mut self,
        post: &Post,
        started: Option<Arc<Endpoint>>,
        mut reasons: Vec<String>,
    ) -> (PostOutcome, Option<Arc<Endpoint>>) {
        let candidates = match self.candidates_for(&post.target).await {
            Ok(candidates) => candidates,
            Err(reason) => {
                reasons.push(reason);
                Vec::new()
            }
        };
        for endpoint in candidates {
            if started.as_deref() == Some(&endpoint) {
                continue;
            }
            let endpoint = Arc::new(endpoint);
            match self.attempt(&endpoint, post).await {
                Attempt::NotReached(reason) => reasons.push(format!("{endpoint}: {reason}")),
                other => return self.conclude(&endpoint, post, other).await,
            }
        }
        let reason = reasons.join("; ");
        (PostOutcome::Unreachable { reason }, None)
    }

    async fn candidates_for(&self, target: &Target) -> Result<Vec<Endpoint>, String> {
        let good = self.link.ways.good();
        self.link.ways.candidates.of(target, good.as_deref()).await
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
            match dial::tcp(&endpoint, self.link.settings.connect_timeout).await {
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
        &mut self,
        endpoint: &Arc<Endpoint>,
        post: &Post,
        attempt: Attempt,
    ) -> (PostOutcome, Option<Arc<Endpoint>>) {
        let Attempt::Answered(answered) = &attempt else {
            return (outcome_of(attempt), None);
        };
        if answered.is_success() {
            self.remember(endpoint, &post.target);
            return (PostOutcome::Acknowledged, Some(Arc::clone(endpoint)));
        }
        let Some(moved) = self.link.ways.candidates.followed(endpoint, answered) else {
            return (outcome_of(attempt), None);
        };
        let peer = &self.link.settings.peer;
        debug!(ssp.peer = peer, id = post.id, to = %Shown(&moved.to_string()), "redirected");
        let moved = Arc::new(moved);
        match Box::pin(self.attempt(&moved, post)).await {
            Attempt::Answered(second) if second.is_success() => {
                (PostOutcome::Acknowledged, Some(moved))
            }
            Attempt::NotReached(reason) => {
                let moved = moved.to_string();
                let reason = format!("redirected by {endpoint}: {}: {reason}", Shown(&moved));
                (PostOutcome::Unreachable { reason }, None)
            }
            other => (outcome_of(other), None),
        }
    }

    fn leads_to(&self, endpoint: &Endpoint) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.endpoint().same_origin(endpoint))
    }

    /// One attempt at one endpoint: on the connection that is kept, if it leads there, and on a
    /// fresh one if nothing could be written to that.
    async fn attempt(&mut self, endpoint: &Arc<Endpoint>, post: &Post) -> Attempt {
        if self.leads_to(endpoint)
            && let Some(kept) = self.kept.take()
        {
            match self.exchange(kept, endpoint, post).await {
                Attempt::NotReached(reason) => {
                    let peer = &self.link.settings.peer;
                    debug!(ssp.peer = peer, reason, "kept connection unusable");
                }
                other => return other,
            }
        }
        match Box::pin(self.open(endpoint)).await {
            Ok(connection) => self.exchange(connection, endpoint, post).await,
            Err(reason) => Attempt::NotReached(reason),
        }
    }

    async fn open(&self, endpoint: &Arc<Endpoint>) -> Result<Connection, String> {
        let settings = &self.link.settings;
        let wire = dial::connect(endpoint, &settings.tls, settings.connect_timeout).await?;
        if let (Some(known), Some(address)) = (&settings.known, wire.remote()) {
            known.note(address);
        }
        if let (Some(shown), Some(own)) = (&settings.shown, wire.peer_certificates().first()) {
            shown.note(&settings.peer, own);
        }
        Ok(Connection::new(Arc::clone(endpoint), wire))
    }

    /// Sends the POST and waits for the answer, and keeps the connection if it can be used again.
    async fn exchange(
        &mut self,
        mut connection: Connection,
        endpoint: &Endpoint,
        post: &Post,
    ) -> Attempt {
        let deadline = Instant::now() + self.link.settings.answer_timeout;
        let asking = connection.ask(self.request(endpoint, post));
        let (head, body) = match self.alarm.before(deadline, asking).await {
            Some(Ok(response)) => response.into_parts(),
            Some(Err(unanswered)) => return unanswered.into(),
            None => return Attempt::TimedOut,
        };
        let answered = Answered::read(&head);
        let finishing = connection.finish(answer::discard(body));
        if self.alarm.before(deadline, finishing).await == Some(true) {
            self.kept = Some(connection);
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
        *headers = self.link.common.clone();
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

    fn remember(&self, endpoint: &Arc<Endpoint>, target: &Target) {
        let settings = &self.link.settings;
        if *target == Target::Usual
            && self.link.ways.remember(endpoint)
            && !endpoint.tls
            && settings.urls.is_empty()
        {
            warn!(ssp.peer = settings.peer, url = %endpoint, "the peer answers by plain http only");
        }
    }
}

impl From<Unanswered> for Attempt {
    fn from(unanswered: Unanswered) -> Self {
        let mut error = match unanswered {
            Unanswered::NotSent(why) => return Self::NotReached(format!("http: {why}")),
            Unanswered::Sent(error) => error,
        };
        let chain = cause_chain(error.error());
        if error.take_message().is_some() {
            return Self::NotReached(format!("http: nothing could be sent: {chain}"));
        }
        match answer::fault(error.error()) {
            answer::Fault::Closed => Self::Closed,
            answer::Fault::Tls => Self::NotReached(format!("tls: {chain}")),
            answer::Fault::NotHttp => {
                Self::NotReached(format!("http: the answer is not HTTP: {chain}"))
            }
        }
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
