//! Who gets a POST: a lane whose connection leads there, a new one, or whoever is free next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Post;
use crate::http::endpoint::Endpoint;

/// POSTs that may wait for a lane; the core has one or a few under way for each peer.
const WAITING: usize = 64;

/// Shared by the lanes of one link; never locked across an await.
pub(super) struct Desk {
    /// Most lanes.
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For which there is no lane, in their order. While one waits, no lane is free.
    waiting: VecDeque<Post>,
    /// The lane that has been free for longest first.
    free: Vec<Free>,
    lanes: usize,
    closed: bool,
}

/// A lane that does nothing.
struct Free {
    /// Where its connection leads.
    endpoint: Arc<Endpoint>,
    give: oneshot::Sender<Post>,
}

/// What became of a POST at the desk.
pub(super) enum Placed {
    /// Somebody has it, or will.
    Taken,
    /// It is the first of a new lane.
    Begins(Post),
    /// Too many wait.
    Full(Post),
}

/// What a lane does next.
pub(super) enum Next {
    Post(Post),
    /// Waits for one.
    Wait(oneshot::Receiver<Post>),
    /// Ends.
    Over,
}

impl Desk {
    /// A desk for at most `most` lanes (at least one).
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            state: Mutex::default(),
        }
    }

    /// Gives a POST that goes to `to`, as far as that is known, to the lane that was busy last of
    /// those that lead there; else to a new one, else to any.
    pub(super) fn place(&self, mut post: Post, to: Option<&Endpoint>) -> Placed {
        let mut state = self.state();
        loop {
            let leads = |free: &Free| to.is_none_or(|to| free.endpoint.same_origin(to));
            let lane = match state.free.iter().rposition(leads) {
                Some(at) => state.free.remove(at),
                None if state.lanes < self.most => {
                    state.lanes += 1;
                    return Placed::Begins(post);
                }
                None if state.free.is_empty() => break,
                None => state.free.remove(0),
            };
            match lane.give.send(post) {
                Ok(()) => return Placed::Taken,
                // It was ended at once.
                Err(back) => post = back,
            }
        }
        if state.waiting.len() >= WAITING {
            return Placed::Full(post);
        }
        state.waiting.push_back(post);
        Placed::Taken
    }

    /// What a lane does that has done its last POST, and whose connection leads there.
    pub(super) fn next(&self, endpoint: Option<&Arc<Endpoint>>) -> Next {
        let mut state = self.state();
        if let Some(post) = state.waiting.pop_front() {
            return Next::Post(post);
        }
        match endpoint {
            Some(endpoint) if !state.closed => {
                let (give, given) = oneshot::channel();
                let endpoint = Arc::clone(endpoint);
                state.free.push(Free { endpoint, give });
                Next::Wait(given)
            }
            _ => {
                state.lanes -= 1;
                Next::Over
            }
        }
    }

    /// A lane waits no longer. It ends, unless it was given a POST meanwhile.
    pub(super) fn leave(&self, mut given: oneshot::Receiver<Post>) -> Option<Post> {
        let mut state = self.state();
        given.close();
        if let Ok(post) = given.try_recv() {
            return Some(post);
        }
        state.free.retain(|free| !free.give.is_closed());
        state.lanes -= 1;
        None
    }

    /// Nothing more will be placed: lanes end when nothing waits.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.free.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Target;
    use super::*;

    fn post(id: u64) -> Post {
        Post {
            id,
            body: Bytes::from_static(b"x"),
            headers: Vec::new(),
            target: Target::Usual,
        }
    }

    fn endpoint(host: &str) -> Arc<Endpoint> {
        Arc::new(Endpoint::new(false, host, 80))
    }

    fn begins(desk: &Desk, id: u64, to: &Endpoint) -> bool {
        matches!(desk.place(post(id), Some(to)), Placed::Begins(_))
    }

    fn waits(desk: &Desk, endpoint: &Arc<Endpoint>) -> oneshot::Receiver<Post> {
        match desk.next(Some(endpoint)) {
            Next::Wait(given) => given,
            Next::Post(post) => panic!("{post:?}"),
            Next::Over => panic!("it ends"),
        }
    }

    #[test]
    fn a_post_goes_to_the_lane_that_leads_there_then_to_a_new_one_then_to_any() {
        let desk = Desk::new(3);
        let (here, there, elsewhere) = (endpoint("here"), endpoint("there"), endpoint("else"));
        assert!(begins(&desk, 1, &here) && begins(&desk, 2, &there));
        let (mut first, mut second) = (waits(&desk, &here), waits(&desk, &there));
        assert!(!begins(&desk, 3, &here));
        assert_eq!(first.try_recv().unwrap().id, 3);
        assert!(begins(&desk, 4, &here), "the one that leads there is busy");
        assert!(!begins(&desk, 5, &elsewhere), "there are three");
        assert_eq!(second.try_recv().unwrap().id, 5);
    }

    #[test]
    fn posts_wait_in_order_and_not_too_many() {
        let desk = Desk::new(1);
        let here = endpoint("here");
        assert!(begins(&desk, 0, &here));
        for id in 1..=WAITING as u64 {
            assert!(matches!(desk.place(post(id), None), Placed::Taken));
        }
        assert!(matches!(desk.place(post(99), None), Placed::Full(post) if post.id == 99));
        for expected in 1..=WAITING as u64 {
            assert!(matches!(desk.next(None), Next::Post(post) if post.id == expected));
        }
        assert!(matches!(desk.next(None), Next::Over));
        assert!(begins(&desk, 100, &here), "the only lane has ended");
    }

    #[test]
    fn a_lane_that_leaves_takes_along_what_it_was_given() {
        let desk = Desk::new(1);
        let here = endpoint("here");
        assert!(begins(&desk, 1, &here));
        let given = waits(&desk, &here);
        assert!(!begins(&desk, 2, &here));
        assert_eq!(desk.leave(given).map(|post| post.id), Some(2));
        let given = waits(&desk, &here);
        assert!(desk.leave(given).is_none());
        assert!(begins(&desk, 3, &here));
    }

    #[test]
    fn lanes_of_a_closed_link_finish_what_waits() {
        let desk = Desk::new(1);
        let here = endpoint("here");
        assert!(begins(&desk, 1, &here));
        assert!(!begins(&desk, 2, &here));
        desk.close();
        assert!(matches!(desk.next(Some(&here)), Next::Post(post) if post.id == 2));
        assert!(matches!(desk.next(Some(&here)), Next::Over));
    }
}
