//! A listener's loop: connections within bounds, each in a task of its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::known::network;

/// How many connections there may be, in all and of one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) all: usize,
    pub(super) of_one: usize,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// The connections of one listener.
#[derive(Debug)]
pub(super) struct Room {
    bounds: Bounds,
    open: Mutex<Open>,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    address: IpAddr,
}

impl Room {
    pub(super) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            open: Mutex::default(),
        })
    }

    /// A place for one more connection of an address (of one /64 of IPv6), if there is one.
    pub(super) fn place(self: &Arc<Self>, remote: IpAddr) -> Option<Place> {
        let address = network(remote);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.of.get(&address).copied().unwrap_or_default();
        if open.all >= self.bounds.all || own >= self.bounds.of_one {
            return None;
        }
        open.all += 1;
        open.of.insert(address, own + 1);
        drop(open);
        Some(Place {
            room: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .room
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(count) = open.of.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.of.remove(&self.address);
            }
        }
    }
}

/// Accepts connections until it is stopped, and serves each in a task of its own.
pub(super) async fn accept<F>(
    listener: TcpListener,
    room: Arc<Room>,
    (tracker, stop): (TaskTracker, CancellationToken),
    serve: impl Fn(TcpStream, IpAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of a client");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let address = remote.ip().to_canonical();
        let Some(place) = room.place(address) else {
            tracing::debug!(%remote, "too many connections of clients");
            continue;
        };
        let (served, stop) = (serve(stream, address), stop.clone());
        tracker.spawn(async move {
            let _place = place;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = served => {}
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_all_have_so_many() {
        let room = Room::new(Bounds { all: 3, of_one: 2 });
        let at = |last: u8| IpAddr::from([192, 0, 2, last]);
        let held: Vec<_> = (0..2).map(|_| room.place(at(1)).unwrap()).collect();
        assert!(room.place(at(1)).is_none());
        let other = room.place(at(2)).unwrap();
        assert!(room.place(at(3)).is_none());
        drop(held);
        assert!(room.place(at(1)).is_some());
        drop(other);
        assert!(room.open.lock().unwrap().of.is_empty());
    }
}
