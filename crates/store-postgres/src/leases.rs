//! Node leases, on a connection of their own: a slow page or a big batch does not hold up a renewal.

use std::sync::Arc;

use cloudstate_store::{BoxFuture, Error, Lease, LeaseState, Leases};
use tokio_postgres::Row;

use crate::error::corrupt;
use crate::link::{Link, Shared};
use crate::rows::{Raw, long};

pub(crate) struct PostgresLeases {
    link: Arc<Link>,
}

impl PostgresLeases {
    pub(crate) fn new(shared: Arc<Shared>) -> PostgresLeases {
        PostgresLeases {
            link: Arc::new(Link::new(shared)),
        }
    }

    /// Runs one conditional write; answers whether its condition held.
    fn change(
        &self,
        attempt: &'static str,
        sql: &'static str,
        node: &str,
        generation: u64,
        beat: u64,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        let (link, node) = (Arc::clone(&self.link), Raw::copy(node));
        let work = async move {
            let changed = link
                .read(attempt, sql, &[&node, &long(generation), &long(beat)])
                .await?;
            Ok(!changed.is_empty())
        };
        let answer = self.link.shared().run(work);
        Box::pin(async move { answer.await? })
    }
}

impl Leases for PostgresLeases {
    fn claim(&self, node: &str, generation: u64) -> BoxFuture<'static, Result<bool, Error>> {
        let claim = "INSERT INTO leases AS l (node, generation, beat, live) VALUES ($1, $2, $3, true)
             ON CONFLICT (node) DO UPDATE SET generation = excluded.generation, beat = excluded.beat, live = true
             WHERE l.generation < excluded.generation RETURNING 1";
        self.change("claiming a node lease", claim, node, generation, 0)
    }

    fn renew(&self, node: &str, generation: u64, beat: u64) -> BoxFuture<'static, Result<bool, Error>> {
        let renew = "UPDATE leases SET beat = $3 WHERE node = $1 AND generation = $2 AND beat < $3 AND live RETURNING 1";
        self.change("renewing a node lease", renew, node, generation, beat)
    }

    fn declare_dead(
        &self,
        node: &str,
        generation: u64,
        beat: u64,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        let declare = "UPDATE leases SET live = false WHERE node = $1 AND generation = $2 AND beat = $3 AND live RETURNING 1";
        self.change("declaring a node dead", declare, node, generation, beat)
    }

    fn list(&self) -> BoxFuture<'static, Result<Vec<Lease>, Error>> {
        let link = Arc::clone(&self.link);
        let work = async move {
            let sql = "SELECT node, generation, beat, live FROM leases ORDER BY node";
            let rows = link.read("reading node leases", sql, &[]).await?;
            let leases: Option<Vec<Lease>> = rows.iter().map(lease).collect();
            leases.ok_or_else(|| corrupt(link.shared().name(), "a node's lease is not one"))
        };
        let answer = self.link.shared().run(work);
        Box::pin(async move { answer.await? })
    }
}

fn lease(row: &Row) -> Option<Lease> {
    let node: &[u8] = row.try_get(0).ok()?;
    let number = |column| row.try_get::<_, i64>(column).ok().map(i64::cast_unsigned);
    let live = row.try_get(3).ok()?;
    Some(Lease {
        node: std::str::from_utf8(node).ok()?.into(),
        generation: number(1)?,
        beat: number(2)?,
        state: if live { LeaseState::Live } else { LeaseState::Dead },
    })
}
