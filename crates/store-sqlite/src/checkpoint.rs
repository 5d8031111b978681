//! Moves commits from the write-ahead log into the main file, beside the committer as far as possible.
//!
//! ```text
//!   log grows ──PASSIVE pages──▶ background: a passive checkpoint, which blocks nobody and never restarts the log
//!   log longer than LONGEST ──▶ inline: moves what the background left, then the log starts over in place
//! ```
//!
//! Under steady load a passive checkpoint never reaches the end of a log that grows meanwhile; the inline one has only that
//! rest to move, so its pause is short. The file keeps its size, as writing in place syncs faster than growing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use cloudstate_store::Batch;
use rusqlite::Connection;

use crate::files::{BUSY, Files};

/// After about so many pages written, the background makes a checkpoint. 16 MiB: enough for a page that changes often
/// to be moved once for many changes.
const PASSIVE: u64 = 4096;
/// So many pages in the log (64 MiB) make the committer restart it.
const LONGEST: u64 = 16_384;
/// How long the committer waits for readers when it restarts the log; if they take longer, the next batch tries again.
const PATIENCE: Duration = Duration::from_millis(20);

pub(crate) struct Checkpoints {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    files: Arc<Files>,
    /// Pages written since the background was last asked, estimated from above: the log tells nobody its length.
    pages: u64,
    /// After a restart that failed: how many batches to wait before the next try.
    pause: u32,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Asked>,
    wake: Condvar,
    /// Pages in the log, as of the last checkpoint.
    log: AtomicU64,
}

#[derive(Default)]
struct Asked {
    checkpoint: bool,
    end: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkpoints {
    pub(crate) fn new(files: Arc<Files>) -> Checkpoints {
        Checkpoints {
            shared: Arc::default(),
            thread: None,
            files,
            pages: 0,
            pause: 0,
        }
    }

    /// Counts what a batch may have added to the log; asks for a checkpoint when it is enough.
    pub(crate) fn written(&mut self, batch: &Batch) {
        let commits: u64 = batch
            .commits
            .iter()
            .map(|c| 1 + (c.write.change.size() as u64) / 2048)
            .sum();
        self.pages += 2 + commits + 2 * batch.snapshots.len() as u64 + batch.offsets.len() as u64;
        if self.pages < PASSIVE {
            return;
        }
        self.pages = 0;
        if self.thread.is_none() {
            let (shared, files) = (Arc::clone(&self.shared), Arc::clone(&self.files));
            let thread = std::thread::Builder::new().name("store-checkpoint".to_owned());
            self.thread = thread.spawn(move || run(&shared, &files)).ok();
        }
        self.shared.lock().checkpoint = true;
        self.shared.wake.notify_one();
    }

    /// Restarts the log if it is too long. Called between transactions.
    pub(crate) fn bound(&mut self, connection: &Connection) {
        if self.shared.log.load(Relaxed) < LONGEST {
            return;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        let restart = || {
            connection.busy_timeout(PATIENCE)?;
            let done = checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)");
            connection.busy_timeout(BUSY)?;
            done
        };
        match restart() {
            Ok((false, _)) => self.shared.log.store(0, Relaxed),
            Ok((true, _)) => self.pause = 100,
            Err(error) => {
                self.pause = 1000;
                tracing::warn!(%error, store = self.files.name(), "cannot shorten the write-ahead log");
            }
        }
    }

    /// Ends the background thread.
    pub(crate) fn end(&mut self) {
        self.shared.lock().end = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has reported whatever went wrong.
            let _ = thread.join();
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(shared: &Shared, files: &Files) {
    let mut connection = None;
    loop {
        let mut asked = shared.lock();
        while !asked.checkpoint && !asked.end {
            asked = shared.wake.wait(asked).unwrap_or_else(PoisonError::into_inner);
        }
        if asked.end {
            return;
        }
        asked.checkpoint = false;
        drop(asked);
        if connection.is_none() {
            connection = files
                .connect()
                .map_err(|error| tracing::warn!(%error, "no checkpoint"))
                .ok();
        }
        let Some(open) = &connection else { continue };
        match checkpoint(open, "PRAGMA wal_checkpoint(PASSIVE)") {
            Ok((_, log)) => shared.log.store(log, Relaxed),
            Err(error) => tracing::warn!(%error, store = files.name(), "a checkpoint failed"),
        }
    }
}

/// Answers whether others were in the way, and the pages in the log.
fn checkpoint(connection: &Connection, pragma: &str) -> Result<(bool, u64), rusqlite::Error> {
    connection.query_row(pragma, [], |row| {
        let log: i64 = row.get(1)?;
        Ok((row.get::<_, i64>(0)? != 0, u64::try_from(log).unwrap_or(0)))
    })
}
