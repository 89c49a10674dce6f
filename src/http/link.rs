//! The calling side: one link per peer, which owns the connections to it.
//!
//! POSTs come to a desk with a bounded queue and start in its order, at most `max_connections` at
//! once; each connection is a lane, one task that writes a POST, reads the answer, and waits for the
//! next one. The outcome of each goes to the owner, who alone decides about repeating. A link
//! repeats nothing by itself, with one exception: when a kept connection turns out to be closed
//! before any of the request was written, the POST goes out on a fresh one. Once a request was
//! written, a close without an answer is reported as [`PostOutcome::Closed`], on a kept connection
//! too, because deployed servers refuse that way and a repeated setup message may cost a login
//! (deployed server, sections 3 and 4). Choose `idle_timeout` shorter than the peer's, which is
//! 60 s for the deployed server, and a kept connection is practically never stale.
//!
//! To end a link softly drop it: it finishes what is in flight and reports it. The `stop`
//! token ends it at once and without further reports.

mod alarm;
mod candidates;
mod connection;
mod desk;
mod lane;
mod post;
mod ways;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderValue};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::candidates::Candidates;
use self::desk::{Desk, Placed};
use self::lane::Lane;
pub use self::post::{Post, PostOutcome, Posted, Target};
use self::ways::Ways;
use super::CONTENT_TYPE;
use super::known::KnownAddresses;
use super::shown::ShownCertificates;
use super::srv::SrvResolver;

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
    /// How long it is kept unused with the buffers of HTTP.
    pub rest_after: Duration,
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

/// Learns what became of POSTs.
pub trait Report: Send + Sync + 'static {
    /// Takes the word on one. What is behind it in its lane waits until it is taken.
    fn report(&self, posted: Posted) -> impl Future<Output = ()> + Send;
}

impl Report for mpsc::Sender<Posted> {
    async fn report(&self, posted: Posted) {
        let _ = self.send(posted).await;
    }
}

/// The link to one peer. It costs nothing before its first POST.
pub struct Link<R>(Arc<Shared<R>>);

/// What its lanes have in common.
struct Shared<R> {
    settings: LinkSettings,
    /// Headers of every request.
    common: HeaderMap,
    ways: Ways,
    desk: Desk,
    report: R,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl<R: Report> Link<R> {
    /// A link whose lanes run on `tracker`, until it is dropped and everything has been reported, or
    /// `stop` is cancelled.
    pub fn new(
        settings: LinkSettings,
        report: R,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let mut common = HeaderMap::new();
        common.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        common.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
        if let Ok(agent) = HeaderValue::from_str(&settings.user_agent) {
            common.insert(header::USER_AGENT, agent);
        }
        Self(Arc::new(Shared {
            common,
            ways: Ways::new(Candidates::new(&settings)),
            desk: Desk::new(settings.max_connections),
            settings,
            report,
            stop,
            tracker,
        }))
    }

    /// Begins with a POST, or lets it wait. Must be called within a runtime.
    ///
    /// # Errors
    /// The POST, if too many wait.
    pub fn post(&self, post: Post) -> Result<(), Post> {
        let wanted = self.0.ways.wanted(&post.target);
        match self.0.desk.place(post, wanted.as_deref()) {
            Placed::Taken => Ok(()),
            Placed::Begins(post) => {
                let lane = Lane::new(Arc::clone(&self.0));
                self.0.tracker.spawn(lane.run(post));
                Ok(())
            }
            Placed::Full(post) => Err(post),
        }
    }
}

impl<R> Drop for Link<R> {
    fn drop(&mut self) {
        self.0.desk.close();
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
