//! Threads that read, so that no thread of the runtime waits for a disk.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use cloudstate_store::{BoxFuture, Error};
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::files::Files;

/// Reads are short, and mostly served from the page cache.
const THREADS: usize = 2;
/// More reads than that wait only if the disk stands still.
const QUEUE: usize = 65_536;

type Job = Box<dyn FnOnce(Result<&mut Connection, Error>) + Send>;

/// A few threads, started at the first read, each with a connection of its own. They end with the pool.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    files: Arc<Files>,
    state: Mutex<State>,
    wake: Condvar,
    /// How a thread makes its connection.
    connect: fn(&Files) -> Result<Connection, Error>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Pool {
    pub(crate) fn new(files: Arc<Files>, connect: fn(&Files) -> Result<Connection, Error>) -> Pool {
        let shared = Shared {
            files,
            state: Mutex::default(),
            wake: Condvar::new(),
            connect,
        };
        Pool {
            shared: Arc::new(shared),
        }
    }

    /// Runs a job on one of the threads. It runs even if the future is dropped.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Files, &mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Error>> {
        let (reply, answer) = oneshot::channel();
        let files = Arc::clone(&self.shared.files);
        let work = move |connection: Result<&mut Connection, Error>| {
            let _ = reply.send(connection.and_then(|connection| job(&files, connection)));
        };
        let refused = self.push(Box::new(work)).err();
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                None => answer.await.unwrap_or(Err(Error::Closed)),
            }
        })
    }

    fn push(&self, job: Job) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let waiting = state.jobs.len();
        if waiting >= QUEUE {
            return Err(Error::Overloaded { waiting, bytes: 0 });
        }
        state.jobs.push_back(job);
        if state.idle > 0 {
            self.shared.wake.notify_one();
        } else if state.threads < THREADS {
            state.threads += 1;
            drop(state);
            self.start()?;
        }
        Ok(())
    }

    fn start(&self) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("store-reader".to_owned());
        if let Err(cause) = thread.spawn(move || work(&shared)) {
            let mut state = self.shared.lock();
            state.threads -= 1;
            if state.threads == 0 {
                state.jobs.clear();
                let store = self.shared.files.name().to_owned();
                return Err(Error::Failed {
                    store,
                    attempt: "starting a thread",
                    cause: Arc::new(cause),
                });
            }
        }
        Ok(())
    }
}

fn work(shared: &Shared) {
    let mut connection = None;
    while let Some(job) = next(shared) {
        if connection.is_none() {
            match (shared.connect)(&shared.files) {
                Ok(open) => connection = Some(open),
                Err(error) => {
                    job(Err(error));
                    continue;
                }
            }
        }
        if let Some(open) = &mut connection {
            job(Ok(open));
        }
    }
}

fn next(shared: &Shared) -> Option<Job> {
    let mut state = shared.lock();
    loop {
        if let Some(job) = state.jobs.pop_front() {
            return Some(job);
        }
        if state.closed {
            return None;
        }
        state.idle += 1;
        state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
    }
}
