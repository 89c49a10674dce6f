//! The bounded queue in front of an engine's thread: bounded in jobs and in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::StoreError;

/// The sending side.
#[derive(Debug)]
pub(super) struct Backlog<J> {
    /// `None` once closed.
    jobs: Option<SyncSender<(usize, J)>>,
    waiting_bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The receiving side.
#[derive(Debug)]
pub(super) struct Jobs<J> {
    jobs: Receiver<(usize, J)>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// Makes one for so many jobs, and so many bytes of them.
pub(super) fn backlog<J>(jobs: usize, max_bytes: usize) -> (Backlog<J>, Jobs<J>) {
    let (sender, receiver) = sync_channel(jobs.max(1));
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let backlog = Backlog {
        jobs: Some(sender),
        waiting_bytes: Arc::clone(&waiting_bytes),
        max_bytes,
    };
    let jobs = Jobs {
        jobs: receiver,
        waiting_bytes,
    };
    (backlog, jobs)
}

impl<J> Backlog<J> {
    /// Queues a job without waiting. A job that alone is too large passes when nothing else waits.
    pub(super) fn push(&self, job: J, bytes: usize) -> Result<(), StoreError> {
        let Some(jobs) = &self.jobs else {
            return Err(StoreError::Closed);
        };
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let refusal = if before > 0 && before.saturating_add(bytes) > self.max_bytes {
            StoreError::Full(format!("{before} bytes wait to be written already"))
        } else {
            match jobs.try_send((bytes, job)) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => {
                    StoreError::Full("too many commits wait to be written already".to_owned())
                }
                Err(TrySendError::Disconnected(_)) => StoreError::Closed,
            }
        };
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(refusal)
    }

    /// Lets the thread end after what is queued.
    pub(super) fn close(&mut self) {
        self.jobs = None;
    }
}

impl<J> Jobs<J> {
    /// Waits for a job and takes those that are there besides, in order, up to `count` jobs or
    /// until they have `bytes`. Empty after `wait`; `None` when closed and drained.
    pub(super) fn next_group(
        &self,
        count: usize,
        bytes: usize,
        wait: Option<Duration>,
    ) -> Option<Vec<J>> {
        let first = match wait {
            None => self.jobs.recv().ok()?,
            Some(wait) => match self.jobs.recv_timeout(wait) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => return Some(Vec::new()),
                Err(RecvTimeoutError::Disconnected) => return None,
            },
        };
        let (mut size, first) = first;
        let mut group = vec![first];
        while group.len() < count && size < bytes {
            let Ok((more, job)) = self.jobs.try_recv() else {
                break;
            };
            size = size.saturating_add(more);
            group.push(job);
        }
        self.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(jobs: &Jobs<()>) -> Option<usize> {
        jobs.next_group(3, 100, None).map(|group| group.len())
    }

    #[test]
    fn a_full_backlog_refuses_until_a_group_is_taken() {
        let (mut backlog, jobs) = backlog(3, 100);
        let refused = |verdict| matches!(verdict, Err(StoreError::Full(_)));

        // Alone, even a job beyond the limit passes.
        assert_eq!(backlog.push((), 200), Ok(()));
        assert!(refused(backlog.push((), 1)));
        assert_eq!(group(&jobs), Some(1));

        assert_eq!(backlog.push((), 60), Ok(()));
        assert_eq!(backlog.push((), 40), Ok(()));
        assert!(refused(backlog.push((), 1)));
        assert_eq!(backlog.push((), 0), Ok(()));
        assert!(refused(backlog.push((), 0)));
        // The first two have all the bytes that a group takes.
        assert_eq!(group(&jobs), Some(2));
        assert_eq!(group(&jobs), Some(1));
        assert_eq!(backlog.push((), 100), Ok(()));

        backlog.close();
        assert_eq!(backlog.push((), 1), Err(StoreError::Closed));
        assert_eq!(group(&jobs), Some(1));
        assert_eq!(group(&jobs), None);
    }

    #[test]
    fn a_backlog_whose_thread_has_gone_is_closed() {
        let (backlog, jobs) = backlog(3, 100);
        drop(jobs);
        assert_eq!(backlog.push((), 1), Err(StoreError::Closed));
    }

    #[test]
    fn groups_are_bounded_in_jobs_and_bytes() {
        let (backlog, jobs) = backlog(16, 1000);
        for bytes in [1, 1, 1, 1, 99, 1, 1] {
            backlog.push((), bytes).unwrap();
        }
        assert_eq!(
            [group(&jobs), group(&jobs), group(&jobs)],
            [Some(3), Some(2), Some(2)]
        );
    }

    #[test]
    fn waiting_ends() {
        let (backlog, jobs) = backlog::<()>(1, 1);
        let wait = Some(Duration::from_millis(1));
        assert_eq!(jobs.next_group(1, 1, wait), Some(Vec::new()));
        drop(backlog);
        assert_eq!(jobs.next_group(1, 1, wait), None);
    }
}
