//! The port of text sessions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use crate::access::accept::{Terms, accept};
use crate::access::entrance::Entrance;
use crate::access::sessions::Sessions;
use crate::client::login::Origin;
use crate::node::build::TextPlan;

/// A TLS configuration, as it is now.
type Tls = Option<Arc<ServerConfig>>;

/// A port that is bound.
pub(in crate::access) struct Listener {
    socket: TcpListener,
    local_addr: SocketAddr,
    handshake: Duration,
    tls: watch::Sender<Tls>,
}

impl Listener {
    /// Binds the port.
    ///
    /// # Errors
    /// Those of the system.
    pub(in crate::access) async fn bind(plan: &TextPlan) -> std::io::Result<Self> {
        let listener = TcpListener::bind(plan.listen).await?;
        Ok(Self {
            local_addr: listener.local_addr()?,
            socket: listener,
            handshake: plan.handshake,
            tls: watch::Sender::new(plan.tls.clone()),
        })
    }

    /// The address in use, with the real port.
    pub(in crate::access) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// To replace its certificate. What is plain stays so.
    pub(in crate::access) fn tls(&self) -> watch::Sender<Tls> {
        self.tls.clone()
    }

    /// Serves until it is stopped. Then connections end when all that was said is answered.
    pub(in crate::access) async fn serve(
        self,
        sessions: Arc<Sessions>,
        entrance: Arc<Entrance>,
        terms: Terms,
    ) {
        let (handshake, soft) = (self.handshake, terms.soft.clone());
        let shared = Arc::clone(&sessions);
        accept(self.socket, &shared, terms, |stream, address| {
            let (sessions, entrance) = (Arc::clone(&sessions), Arc::clone(&entrance));
            let soft = soft.clone();
            let tls = self.tls.borrow().clone();
            let origin = Origin {
                address,
                tls: tls.is_some(),
                number: None,
            };
            let _ = stream.set_nodelay(true);
            async move {
                let Some(config) = tls else {
                    return Connection::new(stream, sessions, entrance, origin, soft)
                        .serve()
                        .await;
                };
                if let Some(stream) = protected(stream, config, handshake).await {
                    Connection::new(stream, sessions, entrance, origin, soft)
                        .serve()
                        .await;
                }
            }
        })
        .await;
    }
}

/// The connection after its handshake, if that succeeds in time.
async fn protected(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    most: Duration,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let accepted = TlsAcceptor::from(config).accept(stream);
    match tokio::time::timeout(most, accepted).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a text session has no TLS");
            None
        }
        Err(_) => None,
    }
}
