//! Who may have a connection, and how much of bodies may be under way: so many in all, so many of
//! one address, and a share that strangers cannot take from peers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::known::{KnownAddresses, network};

/// What strangers leave to addresses of peers: one place of four, and half of the bytes.
const RESERVE: usize = 4;

/// What a listener holds at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Connections of one address at a time. An address of a peer, where many peers may be behind
    /// one, has at least a quarter of all.
    pub(crate) of_one_address: usize,
    /// Bytes of bodies that are being read or wait for their answer.
    pub(crate) bytes: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The address has as many as one may have.
    Address,
    /// Strangers have as many as strangers may have.
    Strangers,
    /// All places are taken.
    All,
}

/// The places of one listener.
#[derive(Debug)]
pub(crate) struct Places {
    bounds: Bounds,
    /// Addresses of peers, if there are any.
    known: Option<Arc<KnownAddresses>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    of_strangers: usize,
    of: HashMap<IpAddr, usize>,
    bytes: usize,
    bytes_of_strangers: usize,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
    stranger: AtomicBool,
}

/// The bytes of one body; given back when dropped.
#[derive(Debug)]
pub(crate) struct Bytes<'a> {
    places: &'a Places,
    stranger: bool,
    held: usize,
}

impl Places {
    /// Without `known` there are no peers here, and all places are for all.
    pub(crate) fn new(bounds: Bounds, known: Option<Arc<KnownAddresses>>) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            known,
            state: Mutex::default(),
        })
    }

    /// A place for a connection from `remote`.
    pub(crate) fn take(self: &Arc<Self>, remote: IpAddr) -> Result<Place, Full> {
        let address = network(remote);
        let peer = self.known.as_ref().map(|known| known.knows(remote));
        let stranger = peer == Some(false);
        let Bounds {
            connections,
            of_one_address,
            ..
        } = self.bounds;
        let most = match peer {
            Some(true) => of_one_address.max(connections / RESERVE),
            Some(false) | None => of_one_address,
        };
        let mut state = self.state();
        if state.open >= connections {
            return Err(Full::All);
        }
        if stranger && state.of_strangers >= connections - connections / RESERVE {
            return Err(Full::Strangers);
        }
        let of = state.of.entry(address).or_default();
        if *of >= most {
            return Err(Full::Address);
        }
        *of += 1;
        state.open += 1;
        state.of_strangers += usize::from(stranger);
        drop(state);
        Ok(Place {
            places: Arc::clone(self),
            address,
            stranger: AtomicBool::new(stranger),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Room for the bytes of one body, none yet.
    pub(crate) fn bytes(&self) -> Bytes<'_> {
        Bytes {
            places: &self.places,
            stranger: self.is_stranger(),
            held: 0,
        }
    }

    /// Whether it still is a stranger's: a peer may have shown itself since the connection came,
    /// as a rule on this one.
    fn is_stranger(&self) -> bool {
        if !self.stranger.load(Ordering::Relaxed) {
            return false;
        }
        let known = self.places.known.as_ref();
        if !known.is_some_and(|known| known.knows(self.address)) {
            return true;
        }
        let mut state = self.places.state();
        if self.stranger.swap(false, Ordering::Relaxed) {
            state.of_strangers = state.of_strangers.saturating_sub(1);
        }
        false
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.open = state.open.saturating_sub(1);
        if self.stranger.load(Ordering::Relaxed) {
            state.of_strangers = state.of_strangers.saturating_sub(1);
        }
        if let Some(of) = state.of.get_mut(&self.address) {
            *of = of.saturating_sub(1);
            if *of == 0 {
                state.of.remove(&self.address);
            }
        }
    }
}

impl Bytes<'_> {
    /// Whether so many more bytes may be read; they are held from then on.
    pub(crate) fn take(&mut self, more: usize) -> bool {
        let most = self.places.bounds.bytes;
        let mut state = self.places.state();
        if state.bytes.saturating_add(more) > most {
            return false;
        }
        if self.stranger {
            if state.bytes_of_strangers.saturating_add(more) > most / 2 {
                return false;
            }
            state.bytes_of_strangers += more;
        }
        state.bytes += more;
        self.held += more;
        true
    }
}

impl Drop for Bytes<'_> {
    fn drop(&mut self) {
        let mut state = self.places.state();
        state.bytes = state.bytes.saturating_sub(self.held);
        if self.stranger {
            state.bytes_of_strangers = state.bytes_of_strangers.saturating_sub(self.held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, of_one_address: usize, bytes: usize) -> Arc<Places> {
        let known = Arc::new(KnownAddresses::default());
        known.note(PEER);
        let bounds = Bounds {
            connections,
            of_one_address,
            bytes,
        };
        Places::new(bounds, Some(known))
    }

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn stranger(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn an_address_has_so_many_places_and_no_more() {
        let places = places(100, 3, 0);
        let mut held: Vec<Place> = (0..3).map(|_| places.take(stranger(1)).unwrap()).collect();
        assert_eq!(places.take(stranger(1)).unwrap_err(), Full::Address);
        held.push(places.take(stranger(2)).unwrap());
        held.remove(0);
        assert!(places.take(stranger(1)).is_ok());
    }

    #[test]
    fn strangers_leave_a_quarter_to_addresses_of_peers() {
        let places = places(8, 2, 0);
        let strangers: Vec<Place> = (0..6).map(|n| places.take(stranger(n)).unwrap()).collect();
        assert_eq!(places.take(stranger(7)).unwrap_err(), Full::Strangers);
        let peers: Vec<Place> = (0..2).map(|_| places.take(PEER).unwrap()).collect();
        assert_eq!(places.take(PEER).unwrap_err(), Full::All);
        drop((strangers, peers));
        assert!(places.state().of.is_empty());
        assert_eq!(places.state().open, 0);
    }

    #[test]
    fn where_there_are_no_peers_all_places_and_bytes_are_for_all_and_each_has_so_many() {
        let bounds = Bounds {
            connections: 8,
            of_one_address: 1,
            bytes: 1000,
        };
        let places = Places::new(bounds, None);
        let held: Vec<Place> = (0..8).map(|n| places.take(stranger(n)).unwrap()).collect();
        assert_eq!(places.take(stranger(8)).unwrap_err(), Full::All);
        let mut body = held[0].bytes();
        assert!(body.take(1000) && !body.take(1));
        drop(body);
        drop(held);
        let held = places.take(stranger(1)).unwrap();
        assert_eq!(places.take(stranger(1)).unwrap_err(), Full::Address);
        drop(held);
        assert!(places.state().of.is_empty());
    }

    #[test]
    fn strangers_leave_half_of_the_bytes_to_peers() {
        let places = places(8, 8, 1000);
        let (peer, other) = (
            places.take(PEER).unwrap(),
            places.take(stranger(1)).unwrap(),
        );
        let mut strange = other.bytes();
        assert!(strange.take(500) && !strange.take(1));
        let mut ours = peer.bytes();
        assert!(ours.take(500) && !ours.take(1));
        drop(strange);
        assert!(ours.take(500) && !ours.take(1));
        drop(ours);
        assert_eq!(places.state().bytes, 0);
        assert_eq!(places.state().bytes_of_strangers, 0);
    }

    #[test]
    fn a_connection_on_which_a_peer_has_shown_itself_is_no_stranger_s_any_more() {
        let places = places(4, 4, 1000);
        let mut held: Vec<Place> = (1..=3).map(|n| places.take(stranger(n)).unwrap()).collect();
        assert_eq!(places.take(stranger(4)).unwrap_err(), Full::Strangers);
        let before = held[0].bytes();
        places.known.as_ref().unwrap().note(stranger(1));
        let mut body = held[0].bytes();
        assert!(body.take(1000));
        drop((before, body));
        assert_eq!(places.state().bytes_of_strangers, 0);
        held.push(places.take(stranger(4)).unwrap());
        drop(held);
        assert_eq!(places.state().open, 0);
        assert_eq!(places.state().of_strangers, 0);
    }
}
