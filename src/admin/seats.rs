//! Places for connections: when all are taken, one that has said nothing gives way, so that idle
//! connections keep nobody out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// A connection's place; free again when it is dropped.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    /// Cancelled when the connection has to go.
    pub(super) gone: CancellationToken,
    busy: Arc<AtomicBool>,
}

impl Seat {
    /// A request is being answered, or not any more.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }
}

/// All places, the oldest first.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    taken: Mutex<VecDeque<Seat>>,
}

impl Seats {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let taken = Mutex::default();
        Arc::new(Self { most, taken })
    }

    /// A place; `None` if all are taken by connections that are busy.
    pub(super) fn take(&self) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= self.most {
            let idle = taken
                .iter()
                .position(|seat| !seat.busy.load(Ordering::Relaxed))?;
            taken.remove(idle)?.gone.cancel();
        }
        let seat = Seat {
            gone: CancellationToken::new(),
            busy: Arc::default(),
        };
        taken.push_back(seat.clone());
        Some(seat)
    }

    /// Frees the seat of a connection that has ended.
    pub(super) fn leave(&self, seat: &Seat) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|other| !Arc::ptr_eq(&other.busy, &seat.busy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_idle_one_gives_way_and_a_busy_one_never() {
        let seats = Seats::new(2);
        let (first, second) = (seats.take().unwrap(), seats.take().unwrap());
        first.set_busy(true);
        let third = seats.take().unwrap();
        assert!(second.gone.is_cancelled() && !first.gone.is_cancelled());
        third.set_busy(true);
        assert!(seats.take().is_none());
        seats.leave(&first);
        assert!(seats.take().is_some());
        assert!(!third.gone.is_cancelled());
    }
}
