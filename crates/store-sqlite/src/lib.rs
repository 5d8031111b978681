//! The embedded durable store: a directory with one SQLite file.
//!
//! ```text
//!   <directory>/lock          held by the process that writes, with its process id inside
//!   <directory>/store.db      the store; readable with `sqlite3`, also while in use
//!   <directory>/store.db-wal  the newest commits, until a checkpoint moves them into store.db
//!
//!   committer ──▶ Writer: one connection, one transaction a batch, fsync before the answer
//!                   └ every few thousand commits ──▶ checkpoint thread (passive); inline only when the log gets long
//!   loading   ──▶ Pool: a few threads, each with a read connection ──▶ pages
//! ```
//!
//! * An entity's pair of ids is interned: `entities.eid`. Events are appended to a table whose row id is the offset, so
//!   payloads are written in order and only a small index of (eid, sequence) is random.
//! * Epoch: one for the whole file, raised at every open. The lock file keeps other processes out; the epoch in each
//!   transaction would find one that came in regardless.
//! * Every payload has a checksum, verified when it is read. What is damaged is an error, never an answer.
//!
//! Absent: any repair, any scan at open (except of the write-ahead log after a crash), more than one writing process.

mod checkpoint;
mod error;
mod files;
mod leases;
mod pool;
mod queries;
mod reader;
mod schema;
mod statements;
mod wal;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cloudstate_store::{Backend, Error, Layout, Leases, Reader, Writer};
use rusqlite::Connection;

use files::{Files, LockFile};

pub use schema::FORMAT;

/// A store in a directory.
pub struct Sqlite {
    files: Arc<Files>,
    /// The connection of the open, until a writer takes it. The only connection of a file reads the whole write-ahead log
    /// after a crash, and forgets what it learnt when it is closed: so one is kept from the open on. Before the lock: closed before that is released.
    first: Mutex<Option<Connection>>,
    lock: Mutex<Lock>,
}

/// The lock of the directory: held from the open on, and then as long as any writer lives.
struct Lock {
    unused: Option<Arc<LockFile>>,
    shared: Weak<LockFile>,
}

impl Sqlite {
    /// Opens the store in a directory, which is made if there is none. Takes milliseconds, however much the store holds;
    /// only after a crash the write-ahead log is read once.
    ///
    /// # Errors
    /// The directory cannot be written, another process has the lock, or what is there is foreign, of another format or
    /// damaged. Nothing is changed then.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Sqlite, Error> {
        let files = Files::new(directory.into());
        files.make_directory()?;
        let lock = Arc::new(files.lock()?);
        schema::check_untouched(&files)?;
        wal::check(&files)?;
        let first = schema::open_or_create(&files)?;
        let shared = Arc::downgrade(&lock);
        Ok(Sqlite {
            files: Arc::new(files),
            lock: Mutex::new(Lock {
                unused: Some(lock),
                shared,
            }),
            first: Mutex::new(Some(first)),
        })
    }

    /// Opens a store for reading only, also while another process writes it. Nothing is made or changed.
    ///
    /// # Errors
    /// There is no store in the directory, or what is there is foreign, of another format or damaged.
    pub fn open_read_only(directory: impl AsRef<Path>) -> Result<Arc<dyn Reader>, Error> {
        let files = Files::new(directory.as_ref().to_owned());
        files.must_exist()?;
        schema::check_untouched(&files)?;
        schema::check_read_only(&files)?;
        Ok(Arc::new(reader::SqliteReader::new(Arc::new(files))))
    }

    /// Reads everything in a store and checks it: structure, indexes, checksums. Takes time with its size; for operators.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with the first contradictions found, or as [`Sqlite::open_read_only`].
    pub fn verify(directory: impl AsRef<Path>) -> Result<(), Error> {
        let files = Files::new(directory.as_ref().to_owned());
        files.must_exist()?;
        schema::check_untouched(&files)?;
        wal::check(&files)?;
        queries::verify(&files, &files.connect_read_only()?)
    }

    fn first(&self) -> MutexGuard<'_, Option<Connection>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold_lock(&self) -> Result<Arc<LockFile>, Error> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = lock.unused.take().or_else(|| lock.shared.upgrade()) {
            return Ok(held);
        }
        let held = Arc::new(self.files.lock()?);
        lock.shared = Arc::downgrade(&held);
        Ok(held)
    }
}

impl Backend for Sqlite {
    fn name(&self) -> &str {
        self.files.name()
    }

    fn layout(&self, wanted: &Layout) -> Result<Layout, Error> {
        match &*self.first() {
            Some(first) => schema::layout(&self.files, first, wanted),
            None => schema::layout(&self.files, &self.files.connect()?, wanted),
        }
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        let lock = self.hold_lock()?;
        let first = self.first().take();
        let connection = first.map_or_else(|| self.files.connect(), Ok)?;
        let files = Arc::clone(&self.files);
        Ok(Box::new(writer::SqliteWriter::new(files, connection, lock)))
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(reader::SqliteReader::new(Arc::clone(&self.files)))
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(leases::SqliteLeases::new(Arc::clone(&self.files)))
    }
}
