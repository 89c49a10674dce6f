//! Looking into a running node and working it: the control socket and the HTTP
//! listener for health and metrics.
//!
//! # The control socket
//!
//! A unix socket of mode 0600; whoever may open it is the operator. A client sends one
//! request, a JSON object on one line of at most 96 KiB, and reads JSON lines until the
//! last one, which is `{"result":…}` or `{"error":"why not"}`. Then it may ask again.
//!
//! | request | what |
//! |---|---|
//! | `{"do":"status"}` | the node in one object |
//! | `{"do":"peers"}`, `sessions`, `routes` | lists |
//! | `{"do":"services","peer":"b.test"}` | the Service Table; `peer` may be left out |
//! | `{"do":"discover","peer":"b.test","of":"c.test","timeout":30}` | asks the peer for its services, or for those of a domain behind it, and waits; then as `services` |
//! | `{"do":"probe","peer":"b.test","probe":"echo","timeout":30}` | tries whether the peer answers; also `keep_alive` |
//! | `{"do":"transactions","limit":100}` | the newest rows of the Transaction Table |
//! | `{"do":"queue","peer":"b.test","limit":100}` | what waits for peers; `peer` may be left out |
//! | `{"do":"explain","id":"m-1","user":"a@b.test","since":7200000,"limit":100}` | what became of messages: by message or transaction id, by user, of the last so many milliseconds; all may be left out |
//! | `{"do":"trace","peer":…,"user":…,"transaction":…}` | `{"trace":{…}}` lines until the client hangs up; every filter may be left out |
//! | `{"do":"user_add","user":"bob","password":"…"}` | also `user_passwd` |
//! | `{"do":"user_list"}`, `{"do":"user_remove","user":"bob"}` | |
//! | `{"do":"client_disconnect","user":"bob"}` | ends the sessions of all clients of the user; how many there were |
//! | `{"do":"logout","peer":"b.test","reason":"…"}` | ends all sessions with a peer, which is told if it understands that |
//! | `{"do":"connect","peer":"b.test"}` | logs in to a peer now, unless there is a session, and waits for the outcome |
//! | `{"do":"chat","user":"bob","password":"…","takes":"everything"}` | see below |
//! | `{"do":"log","set":"info,wvgate::sap=debug","seconds":600}` | what is logged; without `set` only says it, `"reset":true` goes by the configuration again |
//! | `{"do":"reload"}`, `{"do":"stop"}` | as SIGHUP and SIGTERM |
//!
//! After `chat` the connection is a client session of that user until one side closes it:
//! lines of [`FromClient`](crate::home::FromClient) in, lines of
//! [`ToClient`](crate::home::ToClient) out. Without `password` it is not asked for, since the
//! operator could change it anyway. A session that `takes` only `own_answers` hears what becomes
//! of the messages it sends, and leaves what waits for the user to others. With `delivery` it says
//! which messages come to it, and of which it is only told ([`Delivery`](crate::home::Delivery)).
//!
//! Besides, a client may ask for a place for a file that its user wants to share:
//!
//! ```text
//! {"do":"share","id":"1","name":"cat.png","content_type":"image/png","size":1234}
//! {"event":"slot","id":"1","put":"https://…","get":"https://…/cat.png","seconds":300}
//! ```

mod accounts;
mod client;
mod clients;
mod connection;
mod explain;
mod filter;
mod groups;
mod http;
mod lists;
mod metrics;
mod ready;
mod request;
mod seats;
mod services;
mod session;
mod socket;
mod users;
mod views;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::node::NodeHandle;
use crate::sap::Time;

pub use crate::access::line::{LineError, Lines};
pub use accounts::{Imported, MAX_EXPORTED};
pub use client::{Client, ClientError};
pub use explain::Explained;
pub use request::{Line, ProbeKind, Request, Share, Shared as SharedFile};
pub use views::{QueueRow, SessionRow, Status, TransactionRow};

/// What the operator's side needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the control socket is made.
    pub socket: PathBuf,
    /// Most connections to it at once.
    pub max_connections: usize,
    /// Where health and metrics are served by HTTP.
    pub listen: Option<SocketAddr>,
    /// XMPP components that must be up for the node to be ready.
    pub components: Vec<String>,
    /// How the peers count for the node to be ready.
    pub ready_peers: crate::config::ReadyPeers,
    /// Whether the chat of an unknown user makes that user.
    pub open_registration: bool,
    /// The node's own domain.
    pub domain: String,
    /// The clients that are logged in, where they can.
    pub clients: Option<crate::access::Clients>,
    /// What is logged, where that can be changed.
    pub levels: Option<crate::node::Levels>,
}

/// What only the process around the node can do.
#[derive(Debug)]
pub enum Control {
    /// Read the configuration again; the answer has a line per remark, or per problem.
    Reload(oneshot::Sender<Result<Vec<String>, Vec<String>>>),
    /// Deliver what can be delivered, then end.
    Stop,
}

/// Why the operator's side cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Somebody answers on the socket.
    #[error("another node answers on {path}", path = .0.display())]
    Taken(PathBuf),
    /// The socket cannot be made.
    #[error("the control socket {path} cannot be made: {1}", path = .0.display())]
    Socket(PathBuf, std::io::Error),
    /// The HTTP port cannot be bound.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// The operator's side of a running node. Its tasks end with the token.
#[derive(Debug)]
pub struct Admin {
    /// Where health and metrics are served.
    pub http: Option<SocketAddr>,
    socket: PathBuf,
}

/// What all connections share.
struct Shared {
    node: NodeHandle,
    settings: Settings,
    control: mpsc::Sender<Control>,
    started: Time,
}

impl Admin {
    /// Makes the socket, binds the port, and serves both.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn start(
        settings: Settings,
        node: NodeHandle,
        control: mpsc::Sender<Control>,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Self, AdminError> {
        let listener = socket::bind(&settings.socket).await?;
        let http = match settings.listen {
            Some(listen) => {
                let listening = tokio::net::TcpListener::bind(listen).await;
                Some(listening.map_err(|error| AdminError::Listen(listen, error))?)
            }
            None => None,
        };
        let address = http
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let started = node.ask(|_, now, _| now).await.unwrap_or_default();
        let socket = settings.socket.clone();
        let shared = std::sync::Arc::new(Shared {
            node,
            settings,
            control,
            started,
        });
        tracker.spawn(socket::serve(
            listener,
            shared.clone(),
            tracker.clone(),
            stop.clone(),
        ));
        if let Some(listener) = http {
            tracker.spawn(http::serve(listener, shared, tracker.clone(), stop.clone()));
        }
        Ok(Self {
            http: address,
            socket,
        })
    }

    /// Takes the socket away, once nothing is served any more.
    pub fn remove_socket(&self) {
        if let Err(error) = std::fs::remove_file(&self.socket) {
            tracing::debug!("the control socket was gone already: {error}");
        }
    }
}
