//! The access point: where clients of the home domain's users log in, by the Client-Server Protocol
//! over HTTP, and by which channels they are woken.
//!
//! ```text
//!   client ──POST──▶ web ──▶ entrance (logins)
//!                     │         │ begins
//!                     └──▶ attendant, one for each session ◀──▶ the user's domain
//!   client ◀──wake──── wake ◀───┘
//! ```
//!
//! Who has only text talks in lines, over a port of their own or by short messages ([`clp`]).
//!
//! What a session is, and who may begin one, decide the pure machines of [`crate::client`]; here is
//! what has sockets, a store and the time.

mod accept;
mod attendant;
mod clp;
mod entrance;
mod key;
mod limits;
pub(crate) mod line;
mod records;
mod road;
mod sessions;
mod tally;
mod udp;
mod wake_line;
mod wake_tcp;
mod web;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::session::Session;
use crate::http::server;
use crate::imps::{Code, Status};
use crate::node::NodeHandle;
use crate::node::build::ClientsPlan;

use attendant::Attendant;
use entrance::Entrance;
use sessions::Sessions;
pub use tally::ClientCount;
use udp::Datagrams;
use web::Web;

/// Why clients cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The port for clients cannot be bound.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// That of the channel that wakes.
    #[error("cannot listen on {0}: {1}")]
    Wake(SocketAddr, io::Error),
    /// That of text sessions.
    #[error("cannot listen on {0}: {1}")]
    Text(SocketAddr, io::Error),
    /// What is kept of sessions cannot be read.
    #[error("the sessions of clients cannot be read: {0}")]
    Store(crate::store::StoreError),
}

/// A running access point.
pub struct AccessPoint {
    sessions: Arc<Sessions>,
    local_addr: SocketAddr,
    wake_addr: Option<SocketAddr>,
    text: Option<Text>,
    tls: server::TlsSwitch,
    tracker: TaskTracker,
    soft: CancellationToken,
    hard: CancellationToken,
}

/// The port of text sessions, as it runs.
struct Text {
    local_addr: SocketAddr,
    /// Has its connections.
    tracker: TaskTracker,
    tls: watch::Sender<Option<Arc<rustls::ServerConfig>>>,
}

/// To work the sessions of clients.
#[derive(Debug, Clone)]
pub struct Clients(Arc<Sessions>);

impl Clients {
    /// Ends all sessions of a user, by the local part of the address; how many there were.
    pub async fn disconnect(&self, user: &str) -> usize {
        let why = "The operator has ended the session.";
        let status = Status::new(Code(601)).because(why);
        self.0.disconnect(&user.to_lowercase(), &status).await
    }

    /// What there is, and what was since the start.
    pub fn count(&self) -> ClientCount {
        self.0.tally.count(self.0.count())
    }
}

impl AccessPoint {
    /// Binds, takes back the sessions that were kept, and serves.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub async fn start(plan: ClientsPlan, node: NodeHandle) -> Result<Self, AccessError> {
        let ClientsPlan {
            mut settings,
            server,
            wake_listen,
            proxies,
            text,
            sms,
        } = plan;
        let listen = server.listen;
        let most = server.max_connections;
        let of_one = server.max_of_one_address;
        let server = server::bind(server).await;
        let server = server.map_err(|error| AccessError::Listen(listen, error))?;
        let wake = match wake_listen {
            Some(at) => {
                let bound = TcpListener::bind(at).await;
                let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
                Some(bound.map_err(|error| AccessError::Wake(at, error))?)
            }
            None => None,
        };
        if let (Some((at, _)), Some((_, port))) =
            (&wake, &mut Arc::make_mut(&mut settings).offer.tcp)
        {
            // Where the system has chosen the port, clients are told that one.
            *port = at.port();
        }
        let text = match text {
            Some(plan) => {
                let bound = clp::Listener::bind(&plan).await;
                let bound = bound.map_err(|error| AccessError::Text(plan.listen, error))?;
                Some((bound, plan.max_connections, plan.max_of_one_address))
            }
            None => None,
        };
        let datagrams = if settings.offer.udp {
            let bound = Datagrams::bind(listen.ip()).await;
            Some(bound.map_err(|error| AccessError::Wake(listen, error))?)
        } else {
            None
        };
        let (tracker, soft, hard) = (
            TaskTracker::new(),
            CancellationToken::new(),
            CancellationToken::new(),
        );
        let sessions = Arc::new(Sessions::new(
            settings.clone(),
            node.clone(),
            datagrams,
            tracker.clone(),
            hard.clone(),
        ));
        let kept = records::all(&node).await.map_err(AccessError::Store)?;
        let now = node.clock().now();
        tracing::info!(sessions = kept.len(), "sessions of clients taken back");
        for (key, record) in kept {
            let mut session = Session::new(settings.clone(), record, now);
            session.resume();
            Attendant::resume(&sessions, key, session);
        }
        let (local_addr, tls) = (server.local_addr(), server.tls_switch());
        let entrance = Entrance::new(settings.clone(), Arc::clone(&sessions), node.clone());
        let entrance = Arc::new(entrance);
        let desk = clp::Desk::new(sms, Arc::clone(&sessions), Arc::clone(&entrance));
        desk.resume().await.map_err(AccessError::Store)?;
        let terms = |all: usize, of_one: usize, tracker: &TaskTracker| accept::Terms {
            all,
            of_one,
            tracker: tracker.clone(),
            soft: soft.clone(),
            hard: hard.clone(),
        };
        let text = text.map(|(listener, all, of_one)| {
            let text = Text {
                local_addr: listener.local_addr(),
                tracker: TaskTracker::new(),
                tls: listener.tls(),
            };
            let terms = terms(all, of_one, &text.tracker);
            let (sessions, entrance) = (Arc::clone(&sessions), Arc::clone(&entrance));
            tracker.spawn(listener.serve(sessions, entrance, terms));
            text
        });
        let web = Web::new(Arc::clone(&sessions), entrance, desk, proxies);
        tracker.spawn(server.serve(Arc::new(web), soft.clone(), hard.clone()));
        let wake_addr = wake.as_ref().map(|(at, _)| *at);
        if let Some((_, listener)) = wake {
            let terms = terms(most, of_one, &tracker);
            tracker.spawn(wake_tcp::serve(Arc::clone(&sessions), listener, terms));
        }
        Ok(Self {
            sessions,
            local_addr,
            wake_addr,
            text,
            tls,
            tracker,
            soft,
            hard,
        })
    }

    /// Where clients are served.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where the channel is that wakes over TCP.
    pub fn wake_addr(&self) -> Option<SocketAddr> {
        self.wake_addr
    }

    /// Where text sessions are, and whether over TLS.
    pub fn text_addr(&self) -> Option<(SocketAddr, bool)> {
        let text = self.text.as_ref()?;
        Some((text.local_addr, text.tls.borrow().is_some()))
    }

    /// To work its sessions.
    pub fn clients(&self) -> Clients {
        Clients(Arc::clone(&self.sessions))
    }

    /// Takes over another certificate; everything else needs a restart.
    pub fn reload(&self, plan: &ClientsPlan) {
        self.tls.replace(plan.server.tls.clone());
        if let (Some(text), Some(plan)) = (&self.text, &plan.text) {
            // A port that protects what it takes never stops to.
            if plan.tls.is_some() {
                text.tls.send_replace(plan.tls.clone());
            }
        }
    }

    /// Takes nothing new, answers what is under way, and stops. Sessions stay as they are.
    pub async fn stop(self, grace: std::time::Duration) {
        self.soft.cancel();
        let done = async {
            if let Some(text) = &self.text {
                text.tracker.close();
                text.tracker.wait().await;
            }
            while self.sessions.is_busy() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(grace, done).await;
        self.hard.cancel();
        self.tracker.close();
        let patience = std::time::Duration::from_secs(5);
        let _ = tokio::time::timeout(patience, self.tracker.wait()).await;
    }
}
