//! The store in a PostgreSQL that the user runs.
//!
//! ```text
//!   committer ──▶ Writer: 1 or 2 connections (shard mod connections) ── one statement a batch, fence inside
//!   loading   ──▶ Reader: 2 connections, pipelined                   ── one statement a page
//!   leases    ──▶ Leases: a connection of their own                  ── one statement a beat
//!                    └── all driven by one thread with a runtime of its own, which reconnects and times out
//! ```
//!
//! * **Fence.** Shard rows hold (epoch, owner). A commit locks those of its shards with `FOR SHARE` and joins what it inserts
//!   with the rows that match: shards that do not are fenced, the rest commits. A take-over is an `UPDATE` of the same
//!   rows, which waits for statements that are under way and makes later ones find nothing. Only a later statement reads the tails.
//! * **Unknown.** A statement whose answer is lost may have been written. The committer takes its shards in a new epoch,
//!   and looks for its commit ids.
//! * An entity's pair of ids is interned: `entities.eid`, numbered by the owner of its shard. Ids are `bytea`: any text.
//! * Every payload has a checksum, verified when it is read. What is damaged is an error, never an answer.
//!
//! Absent: a connection pool, retries of commits, and anything that would make an unsafe server safe: `fsync = off` is
//! refused, and failover without synchronous replication loses what the lost server alone had.

mod error;
mod io;
mod leases;
mod link;
mod options;
mod queries;
mod reader;
mod rows;
mod schema;
mod statements;
mod tls;
mod writer;

use std::sync::Arc;

use cloudstate_store::{Backend, Error, Layout, Leases, Reader, Writer, block_on};

use crate::link::{Link, Shared};

pub use options::{InvalidUrl, Options};
pub use schema::FORMAT;

/// A store in a schema of a PostgreSQL database.
pub struct Postgres {
    shared: Arc<Shared>,
    admin: Arc<Link>,
}

impl Postgres {
    /// Connects, checks the server's settings, and makes or migrates the schema unless the options say to check only.
    /// Several processes may do this at once. Blocks the thread.
    ///
    /// # Errors
    /// The server cannot be reached or refuses this user, does not keep what it acknowledges (`fsync = off`), or its
    /// schema is of a newer format, foreign, or missing where it may not be made.
    pub fn open(options: Options) -> Result<Postgres, Error> {
        let migrates = options.migrates();
        let store = Postgres::connect(options)?;
        let link = Arc::clone(&store.admin);
        let ready = async move {
            if migrates {
                schema::migrate(&link).await
            } else {
                schema::check(&link).await
            }
        };
        block_on(store.shared.run(ready))??;
        Ok(store)
    }

    /// Makes or migrates the schema, whatever the options say; answers the format found, 0 for none, and the format that it has now.
    /// Blocks the thread.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub fn migrate(options: Options) -> Result<(i64, i64), Error> {
        let store = Postgres::connect(options)?;
        let link = Arc::clone(&store.admin);
        let found = block_on(store.shared.run(async move {
            let found = schema::stored_format(&link).await?;
            schema::migrate(&link).await.map(|()| found)
        }))??;
        Ok((found.unwrap_or(0), FORMAT))
    }

    /// Opens a store for reading only. Nothing is made or changed. Blocks the thread.
    ///
    /// # Errors
    /// As [`Postgres::open`]; a schema that is missing or of another format is not changed.
    pub fn open_read_only(options: Options) -> Result<Arc<dyn Reader>, Error> {
        let store = Postgres::connect(options)?;
        let link = Arc::clone(&store.admin);
        block_on(store.shared.run(async move { schema::check(&link).await }))??;
        Ok(store.reader())
    }

    fn connect(options: Options) -> Result<Postgres, Error> {
        let shared = Arc::new(Shared::start(options)?);
        let admin = Arc::new(Link::new(Arc::clone(&shared)));
        Ok(Postgres { shared, admin })
    }
}

impl Backend for Postgres {
    fn name(&self) -> &str {
        self.shared.name()
    }

    fn layout(&self, wanted: &Layout) -> Result<Layout, Error> {
        let (link, wanted) = (Arc::clone(&self.admin), wanted.clone());
        block_on(
            self.shared
                .run(async move { schema::layout(&link, &wanted).await }),
        )?
    }

    fn writer(&self) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(writer::PostgresWriter::new(Arc::clone(&self.shared))))
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(reader::PostgresReader::new(&self.shared))
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(leases::PostgresLeases::new(Arc::clone(&self.shared)))
    }
}
