//! The format of the file: how it is made, and how one tells that a file has it.

use std::fs::File;
use std::io::Read;

use cloudstate_store::{Error, Layout};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::error::{corrupt, failed};
use crate::files::Files;

/// The version of the format that this code writes and reads (`PRAGMA user_version`).
pub const FORMAT: i64 = 1;

/// `PRAGMA application_id`: "ClSt".
const APPLICATION: i64 = 0x436c_5374;

/// Ids are blobs because they are any text, U+0000 included; `CAST(id AS TEXT)` shows them. The views do that.
const FORMAT_1: &str = "
CREATE TABLE deployment (                -- one row, fixed for ever, except `high`
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    shards    INTEGER NOT NULL,
    algorithm TEXT    NOT NULL,
    high      INTEGER NOT NULL           -- an offset that was used, where no row tells so
);
CREATE TABLE epochs (                    -- one row an open; the last one owns all shards
    epoch INTEGER PRIMARY KEY,
    owner BLOB NOT NULL
);
CREATE TABLE entities (
    eid   INTEGER PRIMARY KEY,
    shard INTEGER NOT NULL,
    pid   BLOB NOT NULL,                 -- persistence id
    id    BLOB NOT NULL,                 -- entity id
    UNIQUE (pid, id)
);
CREATE TABLE events (
    ord      INTEGER PRIMARY KEY,        -- the offset
    eid      INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    type_url TEXT    NOT NULL,
    payload  BLOB    NOT NULL,
    checksum INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,           -- epoch and counter: the commit id
    counter  INTEGER NOT NULL,
    UNIQUE (eid, seq)
);
CREATE TABLE snapshots (
    eid      INTEGER PRIMARY KEY,
    seq      INTEGER NOT NULL,           -- of the last event that it includes
    type_url TEXT    NOT NULL,
    payload  BLOB    NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE entity_values (
    eid      INTEGER PRIMARY KEY,
    ord      INTEGER NOT NULL UNIQUE,    -- the offset of the last change: the version
    type_url TEXT    NOT NULL,
    payload  BLOB,                       -- NULL: deleted
    checksum INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    counter  INTEGER NOT NULL
);
CREATE TABLE idempotency (
    rid      INTEGER PRIMARY KEY,
    eid      INTEGER NOT NULL,
    key      BLOB    NOT NULL,
    recorded INTEGER NOT NULL,           -- milliseconds since 1970, like expires
    expires  INTEGER NOT NULL,
    answer   BLOB    NOT NULL,
    epoch    INTEGER NOT NULL,
    counter  INTEGER NOT NULL,
    UNIQUE (eid, key)
);
CREATE INDEX idempotency_expires ON idempotency (expires);
CREATE TABLE offsets (
    consumer BLOB    NOT NULL,
    shard    INTEGER NOT NULL,
    ord      INTEGER NOT NULL,
    PRIMARY KEY (consumer, shard)
) WITHOUT ROWID;
CREATE TABLE leases (
    node       BLOB PRIMARY KEY,
    generation INTEGER NOT NULL,
    beat       INTEGER NOT NULL,
    live       INTEGER NOT NULL
) WITHOUT ROWID;
CREATE VIEW event_log AS
    SELECT ord, shard, CAST(pid AS TEXT) AS persistence_id, CAST(id AS TEXT) AS entity_id, seq, type_url, payload
    FROM events JOIN entities USING (eid);
CREATE VIEW value_log AS
    SELECT ord, shard, CAST(pid AS TEXT) AS persistence_id, CAST(id AS TEXT) AS entity_id, type_url, payload
    FROM entity_values JOIN entities USING (eid);
";

/// Where SQLite's file header has what, big endian.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const USER_VERSION: usize = 60;
const APPLICATION_ID: usize = 68;

/// Refuses a file of somebody else, or of another format, by a look at its first bytes: opening it with SQLite could
/// already change it.
pub(crate) fn check_untouched(files: &Files) -> Result<(), Error> {
    let mut header = Vec::new();
    match File::open(files.database()) {
        Ok(file) => file
            .take(100)
            .read_to_end(&mut header)
            .map_err(|cause| unreadable(files, cause))?,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(unreadable(files, cause)),
    };
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(MAGIC) || header.len() < 100 {
        return Err(foreign(files, "it is not an SQLite database"));
    }
    match (number(&header, APPLICATION_ID), number(&header, USER_VERSION)) {
        (APPLICATION, FORMAT) => Ok(()),
        (APPLICATION, found) => Err(other_format(files, found)),
        // The mark may still be in the write-ahead log only.
        (0, 0) => Ok(()),
        _ => Err(foreign(files, "it is the SQLite database of another program")),
    }
}

fn number(header: &[u8], at: usize) -> i64 {
    header[at..at + 4]
        .iter()
        .fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// Makes the tables in a new file; else makes sure that the file has them. Answers the connection, which may write.
pub(crate) fn open_or_create(files: &Files) -> Result<Connection, Error> {
    let mut connection = files.connect()?;
    if !is_new(files, &connection)? {
        check_format(files, &connection)?;
        return Ok(connection);
    }
    create(&mut connection).map_err(|error| failed(files, "making the store", error))?;
    files.sync_directory();
    Ok(connection)
}

pub(crate) fn check_read_only(files: &Files) -> Result<(), Error> {
    check_format(files, &files.connect_read_only()?)
}

fn create(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(FORMAT_1)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn is_new(files: &Files, connection: &Connection) -> Result<bool, Error> {
    let tables: Result<i64, _> =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
    let tables = tables.map_err(|error| failed(files, "reading the store's tables", error))?;
    Ok(tables == 0 && pragma(files, connection, "application_id")? == 0)
}

fn check_format(files: &Files, connection: &Connection) -> Result<(), Error> {
    if pragma(files, connection, "application_id")? != APPLICATION {
        return Err(foreign(files, "it is the SQLite database of another program"));
    }
    match pragma(files, connection, "user_version")? {
        FORMAT => Ok(()),
        found => Err(other_format(files, found)),
    }
}

fn pragma(files: &Files, connection: &Connection, name: &str) -> Result<i64, Error> {
    let value = connection.pragma_query_value(None, name, |row| row.get(0));
    value.map_err(|error| failed(files, "reading the store's format", error))
}

/// Keeps the layout if none is kept, and answers the kept one.
pub(crate) fn layout(files: &Files, connection: &Connection, wanted: &Layout) -> Result<Layout, Error> {
    let keep = "INSERT INTO deployment (id, shards, algorithm, high) VALUES (1, ?1, ?2, 0)";
    if let Some(stored) = stored_layout(files, connection)? {
        return Ok(stored);
    }
    let kept = connection.execute(keep, (wanted.shards, &wanted.algorithm));
    kept.map_err(|error| failed(files, "keeping the number of shards", error))?;
    Ok(wanted.clone())
}

/// `None`: the store was made, and never used.
pub(crate) fn stored_layout(files: &Files, connection: &Connection) -> Result<Option<Layout>, Error> {
    let stored = connection
        .query_row("SELECT shards, algorithm FROM deployment", [], |row| {
            Ok(Layout {
                shards: row.get(0)?,
                algorithm: row.get(1)?,
            })
        })
        .optional()
        .map_err(|error| failed(files, "reading the number of shards", error))?;
    match stored {
        Some(Layout { shards: 0, .. }) => Err(corrupt(files, "it has no shards")),
        stored => Ok(stored),
    }
}

fn foreign(files: &Files, reason: &str) -> Error {
    let path = files.database().display().to_string();
    Error::Foreign {
        store: files.name().to_owned(),
        path,
        reason: reason.to_owned(),
    }
}

fn other_format(files: &Files, found: i64) -> Error {
    Error::Format {
        store: files.name().to_owned(),
        found,
        supported: FORMAT,
    }
}

fn unreadable(files: &Files, cause: std::io::Error) -> Error {
    Error::Failed {
        store: files.name().to_owned(),
        attempt: "reading the store's file",
        cause: std::sync::Arc::new(cause),
    }
}
