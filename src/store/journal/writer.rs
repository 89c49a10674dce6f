//! The journal's thread: appends groups of commits, and passes them on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::job::{Batch, Job, Reply};
use super::overlay::{Known, Overlay};
use super::recovery::{MARKS, Mark};
use super::segment::{self, Segment};
use super::wait::{look, wait};
use super::{Options, begin, check_room, problem};
use crate::store::backlog::Jobs;
use crate::store::engine::Engine;
use crate::store::page::Page;
use crate::store::{CommitFuture, Records, Store, StoreError, Write};

/// Commits of one frame at most, and bytes of keys and values after which it takes no more.
const GROUP: (usize, usize) = (4096, 8 << 20);

/// While the engine is busy its answer is looked for that often.
const LOOK: Duration = Duration::from_millis(20);

/// The engine is offered again what it has refused.
const RETRY: Duration = Duration::from_millis(500);

/// Works until the queue is closed and drained, then passes everything on. `unfinished` are the jobs
/// queued and not yet done.
// By value: the receiver must go with the thread, so that a crashed one shows as closed.
#[expect(clippy::needless_pass_by_value)]
pub(super) fn run(writer: &Mutex<Writer>, jobs: Jobs<Job>, unfinished: &AtomicUsize) {
    let lock = || writer.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let pause = lock().pause();
        let Some(group) = jobs.next_group(GROUP.0, GROUP.1, pause) else {
            break;
        };
        let counts = |job: &&Job| !matches!(job, Job::LookAfter);
        let count = group.iter().filter(counts).count();
        let mut writer = lock();
        writer.take(group);
        unfinished.fetch_sub(count, Ordering::Release);
        writer.look_after();
    }
    lock().close();
}

/// What the engine behind is taking over.
#[derive(Debug)]
struct Flushing {
    overlay: Overlay,
    commit: CommitFuture,
}

/// Writes the files of the journal, and owns them.
#[derive(Debug)]
pub(super) struct Writer {
    behind: Arc<dyn Store>,
    engine: Arc<Engine>,
    paths: [PathBuf; 2],
    /// The one written to, and the other one. `None`: commits go to the engine behind until it
    /// has taken one.
    segments: Option<[Segment; 2]>,
    /// When it was last looked whether there can be a journal.
    tried: Instant,
    /// Whether frames of the first one may not be on disk yet.
    unsynced: bool,
    /// Sequence of the last frame.
    sequence: u64,
    /// Of the last frame that is on disk.
    synced: u64,
    overlay: Overlay,
    /// When the overlay got its first change.
    since: Instant,
    flushing: Option<Flushing>,
    options: Options,
}

impl Writer {
    pub(super) fn new(
        behind: Arc<dyn Store>,
        engine: Arc<Engine>,
        paths: [PathBuf; 2],
        segments: Option<[Segment; 2]>,
        sequence: u64,
        options: Options,
    ) -> Self {
        Self {
            behind,
            engine,
            paths,
            segments,
            tried: Instant::now(),
            unsynced: false,
            sequence,
            synced: sequence,
            overlay: Overlay::default(),
            since: Instant::now(),
            flushing: None,
            options,
        }
    }

    /// Commits without waiting for the disk, in the caller's thread, if that is a copy into the
    /// system's memory; else gives the writes back. Says whether the thread has to look after it.
    pub(super) fn commit_at_once(&mut self, writes: Vec<Write>) -> Result<bool, Vec<Write>> {
        let crowded = self.is_crowded();
        let Some([segment, _]) = self.segments.as_mut().filter(|_| !crowded) else {
            return Err(writes);
        };
        let (next, journal) = (self.sequence + 1, segment.journal());
        let frame = segment::of(&writes, journal, next, self.synced);
        if frame.len() > segment::EMPTY {
            // What an error leaves is written over by the thread, who tells it.
            if !segment.fits(frame.len()) || segment.append(&frame, false).is_err() {
                return Err(writes);
            }
            self.sequence += 1;
            self.unsynced = true;
        }
        let is_first = self.overlay.is_empty();
        let is_due = segment.len() >= self.options.flush_bytes;
        self.engine.committed(1, writes.iter());
        self.remember(writes);
        Ok(is_first || is_due)
    }

    /// Whether commits go to the engine behind.
    #[cfg(test)]
    pub(super) fn is_passed_by(&self) -> bool {
        self.segments.is_none()
    }

    /// Longest time to wait for a job; `None`: there is nothing else to do.
    fn pause(&self) -> Option<Duration> {
        if self.flushing.is_some() {
            return Some(LOOK);
        }
        if self.overlay.is_empty() {
            return None;
        }
        let due = if self.segments.is_some() {
            self.options.flush_after
        } else {
            RETRY
        };
        Some(due.saturating_sub(self.since.elapsed()))
    }

    /// Jobs in order; commits in a row share a frame.
    fn take(&mut self, group: Vec<Job>) {
        let mut batches = Vec::with_capacity(group.len());
        for job in group {
            if let Job::Commit(batch) = job {
                batches.push(batch);
                continue;
            }
            self.commit(std::mem::take(&mut batches));
            match job {
                Job::Commit(_) | Job::LookAfter => {}
                Job::Swap {
                    expected,
                    write,
                    reply,
                } => match self.get(write.key()) {
                    Ok(found) if found == expected => self.commit(vec![Batch {
                        writes: vec![write],
                        sync: true,
                        reply: Reply::Swap(reply),
                    }]),
                    Ok(_) => {
                        self.engine.committed(1, std::iter::empty());
                        drop(reply.send(Ok(false)));
                    }
                    Err(error) => drop(reply.send(Err(error))),
                },
                Job::Get { key, reply } => drop(reply.send(self.get(&key))),
                Job::Scan {
                    prefix,
                    after,
                    limit,
                    reply,
                } => drop(reply.send(self.scan(&prefix, after, limit))),
            }
        }
        self.commit(batches);
    }

    fn commit(&mut self, batches: Vec<Batch>) {
        if batches.is_empty() {
            return;
        }
        if self.segments.is_some() {
            match self.append(&batches) {
                Ok(()) => return self.succeed(batches),
                Err(error) => {
                    tracing::warn!(%error, "commits go past the journal until the store has taken one");
                    self.bypass();
                }
            }
        }
        for batch in batches {
            if self.segments.is_some() {
                // An earlier one of them has ended the trouble.
                self.commit(vec![batch]);
                continue;
            }
            match self.commit_behind(&batch.writes) {
                Ok(()) => {
                    self.engine.committed(1, batch.writes.iter());
                    batch.reply.settle(Ok(()));
                }
                Err(error) => {
                    if self.engine.failed(1, &error) {
                        tracing::warn!(%error, "a commit has failed");
                    }
                    batch.reply.settle(Err(error));
                }
            }
        }
    }

    /// Writes one frame. After an error nothing of it counts.
    fn append(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let Some([segment, _]) = &mut self.segments else {
            return Err(StoreError::Closed);
        };
        let writes = batches.iter().flat_map(|batch| &batch.writes);
        let frame = segment::of(writes, segment.journal(), self.sequence + 1, self.synced);
        let sync = batches.iter().any(|batch| batch.sync);
        // An empty commit only waits for those before it.
        if frame.len() == segment::EMPTY && !(sync && self.unsynced) {
            return Ok(());
        }
        segment
            .append(&frame, sync)
            .map_err(|error| problem("cannot write the journal", &self.paths[0], &error))?;
        self.sequence += 1;
        self.unsynced = !sync;
        if sync {
            self.synced = self.sequence;
        }
        Ok(())
    }

    fn succeed(&mut self, batches: Vec<Batch>) {
        let writes = batches.iter().flat_map(|batch| &batch.writes);
        self.engine.committed(batches.len() as u64, writes);
        for batch in batches {
            self.remember(batch.writes);
            batch.reply.settle(Ok(()));
        }
    }

    fn remember(&mut self, writes: Vec<Write>) {
        if self.overlay.is_empty() {
            self.since = Instant::now();
        }
        for write in writes {
            self.overlay.apply(write);
        }
    }

    /// A busy engine slows commits down before the files and the overlay grow out of bounds.
    fn is_crowded(&self) -> bool {
        let most = 4 * self.options.flush_bytes;
        let is_long = |[segment, _]: &[Segment; 2]| segment.len() >= most;
        self.segments.as_ref().is_some_and(is_long) || self.overlay.bytes() as u64 >= most
    }

    /// Passes on to the database what is due.
    fn look_after(&mut self) {
        let Some([segment, _]) = &self.segments else {
            if !self.overlay.is_empty() && self.since.elapsed() >= RETRY {
                self.since = Instant::now();
                if let Err(error) = self.commit_behind(&[]) {
                    tracing::debug!(%error, "the store still takes nothing");
                }
            }
            return;
        };
        let due = !self.overlay.is_empty()
            && (segment.len() >= self.options.flush_bytes
                || self.since.elapsed() >= self.options.flush_after);
        if !self.end_flush(self.is_crowded()) || !due {
            return;
        }
        match check_room(&self.paths[0], self.options.reserve_bytes) {
            Ok(()) => self.begin_flush(),
            Err(error) => {
                tracing::warn!(%error, "commits go past the journal");
                self.bypass();
                if let Err(error) = self.commit_behind(&[]) {
                    tracing::warn!(%error, "the store has not taken over what is in the journal");
                }
            }
        }
    }

    /// Gives the overlay to the engine and turns to the other file.
    fn begin_flush(&mut self) {
        let Some(segments) = &mut self.segments else {
            return;
        };
        // Frames of the next file must not be on disk without those of this one.
        if self.unsynced {
            if let Err(error) = segments[0].sync() {
                tracing::warn!(%error, "the journal cannot be written");
                self.bypass();
                return;
            }
            self.unsynced = false;
            self.synced = self.sequence;
        }
        // When the engine says that it has everything up to here, the other file must begin behind.
        let [_, next] = segments;
        let journal = next.journal();
        next.rewind();
        let first = segment::of([], journal, self.sequence + 1, self.synced);
        if let Err(error) = next.append(&first, false) {
            tracing::warn!(%error, "the journal cannot be written");
            self.bypass();
            return;
        }
        segments.swap(0, 1);
        self.paths.swap(0, 1);
        let overlay = std::mem::take(&mut self.overlay);
        let mut writes = overlay.writes();
        let mark = Mark {
            applied: self.sequence,
            journal: Some(journal),
        };
        writes.extend(mark.writes());
        self.sequence += 1;
        self.unsynced = true;
        let commit = self.behind.commit(writes);
        self.flushing = Some(Flushing { overlay, commit });
    }

    /// Whether the engine has taken over what it was given, or there was nothing.
    fn end_flush(&mut self, block: bool) -> bool {
        let Some(mut flushing) = self.flushing.take() else {
            return true;
        };
        let verdict = if block {
            Some(wait(&mut flushing.commit))
        } else {
            look(&mut flushing.commit)
        };
        match verdict {
            Some(Ok(())) => true,
            None => {
                self.flushing = Some(flushing);
                false
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the store has not taken over what is in the journal");
                flushing.overlay.extend(std::mem::take(&mut self.overlay));
                self.overlay = flushing.overlay;
                self.since = Instant::now();
                self.tried = self.since;
                self.segments = None;
                false
            }
        }
    }

    /// From now on commits go to the engine behind. The files stay: they hold the overlay.
    fn bypass(&mut self) {
        self.end_flush(true);
        self.since = Instant::now();
        self.tried = self.since;
        self.segments = None;
    }

    /// Commits to the engine behind, together with the overlay. When that succeeds the journal is
    /// begun anew.
    fn commit_behind(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let mut all = self.overlay.writes();
        all.extend_from_slice(writes);
        // A frame that failed may be on disk all the same; it counts as passed.
        let mark = Mark {
            applied: self.sequence + 1,
            journal: None,
        };
        all.extend(mark.writes());
        if let Err(error) = wait(self.behind.commit(all)) {
            self.overlay.doubt();
            return Err(error);
        }
        self.sequence += 1;
        self.overlay = Overlay::default();
        if self.tried.elapsed() < RETRY {
            return Ok(());
        }
        self.tried = Instant::now();
        let (behind, reserve) = (Arc::clone(&self.behind), self.options.reserve_bytes);
        match begin(&self.paths, reserve, behind.as_ref(), &mut self.sequence) {
            Ok(segments) => {
                tracing::info!("commits go through the journal again");
                self.segments = Some(segments);
                self.unsynced = false;
                self.synced = self.sequence;
            }
            Err(StoreError::Full(_)) => {}
            Err(error) => tracing::warn!(%error, "commits go past the journal"),
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let known = self.overlay.get(key).or_else(|| {
            let flushing = self.flushing.as_ref()?;
            flushing.overlay.get(key)
        });
        match known {
            Some(Known::Value(value)) => Ok(Some(value.to_vec())),
            Some(Known::Deleted) => Ok(None),
            None => wait(self.behind.get(key)),
        }
    }

    /// A page of the engine behind, seen through the overlay.
    fn scan(
        &self,
        prefix: &str,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<Records, StoreError> {
        let flushing = self.flushing.as_ref().map(|flushing| &flushing.overlay);
        let mut page = Page::new(limit);
        while !page.is_full() {
            let behind = wait(self.behind.scan(prefix, after.as_deref(), limit))?;
            // `None`: from here on there is only what the overlays have.
            let until = behind.last().map(|(key, _)| key.clone());
            let mut records: BTreeMap<String, Vec<u8>> = behind.into_iter().collect();
            for overlay in flushing.into_iter().chain([&self.overlay]) {
                let changes = overlay
                    .range(prefix, after.as_deref())
                    .take_while(|(key, _)| until.as_deref().is_none_or(|until| *key <= until));
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(records.insert(key.to_owned(), value.to_vec())),
                        None => drop(records.remove(key)),
                    }
                }
            }
            for mark in MARKS {
                records.remove(mark);
            }
            for (key, value) in records {
                if page.is_full() {
                    break;
                }
                page.push(key, value);
            }
            if until.is_none() {
                break;
            }
            after = until;
        }
        Ok(page.records())
    }

    fn close(&mut self) {
        self.end_flush(true);
        let mut writes = self.overlay.writes();
        // The frame of a commit that failed may be on disk all the same; it counts as passed.
        let failed = u64::from(self.segments.is_none());
        let mark = Mark {
            applied: self.sequence + failed,
            journal: None,
        };
        writes.extend(mark.writes());
        let kept = wait(self.behind.commit(writes));
        let removed = match (kept, self.segments.take()) {
            (Ok(()), Some(segments)) => segments
                .into_iter()
                .try_for_each(Segment::remove)
                .map_err(|error| error.to_string()),
            (Ok(()), None) => Ok(()),
            (Err(error), _) => Err(error.to_string()),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "the journal was not closed tidily; it will be read at the next start");
        }
    }
}
