//! Node leases, kept for completeness: one process writes this store, by its lock file.

use std::sync::Arc;

use cloudstate_store::{BoxFuture, Error, Lease, LeaseState, Leases};
use rusqlite::{Connection, Params};

use crate::error::{corrupt, failed};
use crate::files::Files;
use crate::pool::Pool;

pub(crate) struct SqliteLeases {
    pool: Pool,
}

impl SqliteLeases {
    pub(crate) fn new(files: Arc<Files>) -> SqliteLeases {
        SqliteLeases {
            pool: Pool::new(files, Files::connect),
        }
    }
}

/// Runs one conditional write; answers whether its condition held.
fn change(
    files: &Files,
    connection: &Connection,
    statement: &'static str,
    params: impl Params,
) -> Result<bool, Error> {
    let changed = connection
        .prepare_cached(statement)
        .and_then(|mut statement| statement.execute(params));
    changed
        .map(|rows| rows > 0)
        .map_err(|error| failed(files, "changing a node lease", error))
}

impl Leases for SqliteLeases {
    fn claim(&self, node: &str, generation: u64) -> BoxFuture<'static, Result<bool, Error>> {
        const CLAIM: &str = "INSERT INTO leases VALUES (?1, ?2, 0, 1) ON CONFLICT DO UPDATE SET
            generation = excluded.generation, beat = 0, live = 1 WHERE excluded.generation > generation";
        let node = node.to_owned();
        self.pool
            .run(move |files, connection| change(files, connection, CLAIM, (node.as_bytes(), generation)))
    }

    fn renew(&self, node: &str, generation: u64, beat: u64) -> BoxFuture<'static, Result<bool, Error>> {
        const RENEW: &str =
            "UPDATE leases SET beat = ?3 WHERE node = ?1 AND generation = ?2 AND live = 1 AND beat < ?3";
        let node = node.to_owned();
        self.pool.run(move |files, connection| {
            change(files, connection, RENEW, (node.as_bytes(), generation, beat))
        })
    }

    fn declare_dead(
        &self,
        node: &str,
        generation: u64,
        beat: u64,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        const DIE: &str =
            "UPDATE leases SET live = 0 WHERE node = ?1 AND generation = ?2 AND live = 1 AND beat = ?3";
        let node = node.to_owned();
        self.pool
            .run(move |files, connection| change(files, connection, DIE, (node.as_bytes(), generation, beat)))
    }

    fn list(&self) -> BoxFuture<'static, Result<Vec<Lease>, Error>> {
        self.pool.run(|files, connection| {
            let rows = list(connection).map_err(|error| failed(files, "reading node leases", error))?;
            let lease = |(node, generation, beat, live): (Vec<u8>, u64, u64, bool)| {
                let node =
                    String::from_utf8(node).map_err(|_| corrupt(files, "a node's name is not text"))?;
                let state = if live { LeaseState::Live } else { LeaseState::Dead };
                Ok(Lease {
                    node: node.into(),
                    generation,
                    beat,
                    state,
                })
            };
            rows.into_iter().map(lease).collect()
        })
    }
}

type LeaseRow = (Vec<u8>, u64, u64, bool);

fn list(connection: &Connection) -> Result<Vec<LeaseRow>, rusqlite::Error> {
    let mut query =
        connection.prepare_cached("SELECT node, generation, beat, live FROM leases ORDER BY node")?;
    query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect()
}
