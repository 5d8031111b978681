//! The directory and its files: where they are, the lock, and how connections are made.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cloudstate_store::Error;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::failed;

/// How long a connection waits for another one's write transaction, such as that of a user's `sqlite3`.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

pub(crate) struct Files {
    directory: PathBuf,
    database: PathBuf,
    name: String,
}

/// Locked as long as it lives, or the process does.
pub(crate) struct LockFile {
    _file: File,
}

impl Files {
    pub(crate) fn new(directory: PathBuf) -> Files {
        let name = format!("sqlite:{}", directory.display());
        let database = directory.join("store.db");
        Files {
            directory,
            database,
            name,
        }
    }

    /// How the user names the store.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    pub(crate) fn write_ahead_log(&self) -> PathBuf {
        self.directory.join("store.db-wal")
    }

    /// Makes the directory and sees to it that it survives a loss of power.
    pub(crate) fn make_directory(&self) -> Result<(), Error> {
        if self.directory.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&self.directory).map_err(|cause| self.not_writable(&self.directory, cause))?;
        match self.directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
            _ => sync(Path::new(".")),
        }
        Ok(())
    }

    /// Makes the names of the files survive a loss of power.
    pub(crate) fn sync_directory(&self) {
        sync(&self.directory);
    }

    pub(crate) fn must_exist(&self) -> Result<(), Error> {
        if self.database.is_file() {
            return Ok(());
        }
        Err(Error::Missing {
            store: self.name.clone(),
            path: self.database.display().to_string(),
        })
    }

    /// Takes the lock of the directory and writes this process' id into it.
    pub(crate) fn lock(&self) -> Result<LockFile, Error> {
        let path = self.directory.join("lock");
        let refused = |cause| self.not_writable(&path, cause);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    store: self.name.clone(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(refused(cause)),
        }
        write_holder(&mut file).map_err(|cause| match cause.kind() {
            io::ErrorKind::StorageFull => Error::Full {
                store: self.name.clone(),
            },
            _ => self.not_writable(&path, cause),
        })?;
        Ok(LockFile { _file: file })
    }

    fn not_writable(&self, path: &Path, cause: io::Error) -> Error {
        let (store, path) = (self.name.clone(), path.display().to_string());
        Error::NotWritable {
            store,
            path,
            cause: Arc::new(cause),
        }
    }

    /// A connection that may write. Every commit is synced; checkpoints are made by [`crate::checkpoint`] alone.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(&self.database, flags)?;
            connection.busy_timeout(BUSY)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.set_prepared_statement_cache_capacity(64);
            connection.execute_batch(
                "PRAGMA journal_mode = WAL;
                 PRAGMA synchronous = FULL;
                 PRAGMA fullfsync = ON;
                 PRAGMA checkpoint_fullfsync = ON;
                 PRAGMA wal_autocheckpoint = 0;
                 PRAGMA cell_size_check = ON;
                 PRAGMA cache_size = -16384;
                 PRAGMA temp_store = MEMORY;",
            )?;
            Ok(connection)
        };
        connect().map_err(|error| failed(self, "opening the store", error))
    }

    /// A connection that only reads.
    pub(crate) fn connect_read_only(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let connection = Connection::open_with_flags(&self.database, flags)?;
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(32);
            connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA cache_size = -4096;")?;
            Ok(connection)
        };
        connect().map_err(|error| failed(self, "opening the store for reading", error))
    }
}

fn sync(directory: &Path) {
    // Where a directory cannot be synced there is nothing to gain by refusing.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(32).read_to_string(&mut text);
    match text.trim() {
        "" => "another process".to_owned(),
        id => format!("process {id}"),
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}
