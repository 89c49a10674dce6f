//! A listener's loop: connections within bounds, each in a task of its own.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sessions::Sessions;
use crate::http::places::{Bounds, Places};

/// How many connections a listener takes, and when it ends.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Connections at a time.
    pub(super) all: usize,
    /// Connections of one address (of one /64 of IPv6) at a time.
    pub(super) of_one: usize,
    /// Has the tasks of the connections.
    pub(super) tracker: TaskTracker,
    /// No more are taken.
    pub(super) soft: CancellationToken,
    /// They are dropped.
    pub(super) hard: CancellationToken,
}

/// Accepts connections until it is stopped, and serves each in a task of its own.
pub(super) async fn accept<F>(
    listener: TcpListener,
    sessions: &Arc<Sessions>,
    terms: Terms,
    serve: impl Fn(TcpStream, IpAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let bounds = Bounds {
        connections: terms.all,
        of_one_address: terms.of_one,
        bytes: 0,
    };
    let places = Places::new(bounds, None);
    loop {
        let accepted = tokio::select! {
            biased;
            () = terms.hard.cancelled() => return,
            () = terms.soft.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(more) = sessions.may_tell("connection failed") {
                    tracing::warn!(%error, more, "cannot accept a connection of a client");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let address = remote.ip().to_canonical();
        let place = match places.take(address) {
            Ok(place) => place,
            Err(full) => {
                tracing::debug!(%remote, ?full, "too many connections of clients");
                continue;
            }
        };
        let (served, hard) = (serve(stream, address), terms.hard.clone());
        terms.tracker.spawn(async move {
            let _place = place;
            tokio::select! {
                biased;
                () = hard.cancelled() => {}
                () = served => {}
            }
        });
    }
}
