//! The statement of a batch: one transaction, with the fence inside.

use crate::error::Failure;
use crate::link::{Link, Params};
use crate::rows::{Fences, Rows};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// The shards that are still this writer's. `FOR SHARE` is the fence: it waits for a take-over that is under way, and looks
/// again; and a take-over waits for it until the transaction has ended. A look without a lock would let a row
/// land after the next owner has read the tail. An update here would leave a dead row for each commit.
const OK: &str = "WITH ok AS MATERIALIZED (
    SELECT s.shard, s.epoch FROM shards s JOIN unnest($1::int4[], $2::int8[], $3::bytea[]) AS f (shard, epoch, owner)
        ON s.shard = f.shard AND s.epoch = f.epoch AND s.owner = f.owner ORDER BY s.shard FOR SHARE OF s)";

/// A statement that grows with what a batch holds, with its parameters.
struct Statement<'r> {
    sql: String,
    params: Vec<&'r (dyn ToSql + Sync)>,
    /// Leaves out commits whose idempotency key is in use.
    unless_live: &'static str,
}

impl<'r> Statement<'r> {
    fn new(fences: &'r Fences) -> Statement<'r> {
        Statement {
            sql: OK.to_owned(),
            params: vec![&fences.shards, &fences.epochs, &fences.owners],
            unless_live: "",
        }
    }

    /// `unnest` of these columns, as `a`. They are (name, type, values).
    fn columns(&mut self, columns: Vec<(&str, &str, &'r (dyn ToSql + Sync))>) -> String {
        let (mut arrays, mut names) = (Vec::new(), Vec::new());
        for (name, kind, values) in columns {
            self.params.push(values);
            arrays.push(format!("${}::{kind}[]", self.params.len()));
            names.push(name);
        }
        format!("unnest({}) AS a ({})", arrays.join(", "), names.join(", "))
    }

    fn records(&mut self, rows: &'r Rows) {
        let r = &rows.records;
        let columns = self.columns(vec![
            ("n", "int4", &r.commits),
            ("shard", "int4", &r.shards),
            ("eid", "int8", &r.eids),
            ("key", "bytea", &r.keys),
            ("recorded", "int8", &r.recorded),
            ("expires", "int8", &r.expires),
            ("answer", "bytea", &r.answers),
            ("ord", "int8", &r.ords),
            ("counter", "int8", &r.counters),
        ]);
        // Nobody else writes these rows while the fence holds, so the statement's snapshot shows them as they are.
        self.sql += &format!(
            ", r AS MATERIALIZED (SELECT * FROM {columns}),
             live AS MATERIALIZED (SELECT r.n FROM r CROSS JOIN LATERAL (SELECT FROM idempotency i
                 WHERE i.shard = r.shard AND i.eid = r.eid AND i.key = r.key AND i.expires > r.recorded OFFSET 0) i),
             new_records AS (INSERT INTO idempotency (shard, eid, key, recorded, expires, answer, ord, epoch, counter)
                 SELECT a.shard, eid, key, recorded, expires, answer, ord, epoch, counter FROM r a JOIN ok USING (shard)
                 WHERE a.n NOT IN (SELECT n FROM live)
                 ON CONFLICT (shard, eid, key) DO UPDATE SET recorded = excluded.recorded, expires = excluded.expires,
                     answer = excluded.answer, ord = excluded.ord, epoch = excluded.epoch, counter = excluded.counter)"
        );
        self.unless_live = "WHERE a.n NOT IN (SELECT n FROM live)";
    }

    fn entities(&mut self, rows: &'r Rows) {
        let e = &rows.entities;
        let columns = self.columns(vec![
            ("shard", "int4", &e.shards),
            ("eid", "int8", &e.eids),
            ("pid", "bytea", &e.pids),
            ("id", "bytea", &e.ids),
        ]);
        self.sql += &format!(
            ", new_entities AS (INSERT INTO entities (shard, eid, pid, id)
                 SELECT a.shard, eid, pid, id FROM {columns} JOIN ok USING (shard))"
        );
    }

    fn events(&mut self, rows: &'r Rows) {
        let e = &rows.events;
        let columns = self.columns(vec![
            ("n", "int4", &e.commits),
            ("shard", "int4", &e.shards),
            ("eid", "int8", &e.eids),
            ("ord", "int8", &e.ords),
            ("seq", "int8", &e.seqs),
            ("type_url", "bytea", &e.type_urls),
            ("payload", "bytea", &e.payloads),
            ("checksum", "int8", &e.checksums),
            ("counter", "int8", &e.counters),
        ]);
        // Without ON CONFLICT: event 5 would be skipped, and event 6 written.
        self.sql += &format!(
            ", new_events AS (INSERT INTO events (shard, ord, eid, seq, type_url, payload, checksum, epoch, counter)
                 SELECT a.shard, ord, eid, seq, type_url, payload, checksum, epoch, counter
                 FROM {columns} JOIN ok USING (shard) {})",
            self.unless_live
        );
    }

    fn values(&mut self, rows: &'r Rows) {
        let v = &rows.values;
        let columns = self.columns(vec![
            ("n", "int4", &v.commits),
            ("shard", "int4", &v.shards),
            ("eid", "int8", &v.eids),
            ("ord", "int8", &v.ords),
            ("type_url", "bytea", &v.type_urls),
            ("payload", "bytea", &v.payloads),
            ("checksum", "int8", &v.checksums),
            ("counter", "int8", &v.counters),
        ]);
        self.sql += &format!(
            ", new_values AS (INSERT INTO entity_values (shard, eid, ord, type_url, payload, checksum, epoch, counter)
                 SELECT a.shard, eid, ord, type_url, payload, checksum, epoch, counter
                 FROM {columns} JOIN ok USING (shard) {}
                 ON CONFLICT (shard, eid) DO UPDATE SET ord = excluded.ord, type_url = excluded.type_url,
                     payload = excluded.payload, checksum = excluded.checksum, epoch = excluded.epoch,
                     counter = excluded.counter)",
            self.unless_live
        );
    }

    async fn run(self, link: &Link) -> Result<Vec<Row>, Failure> {
        let params: Params<'_> = &self.params;
        link.query(&self.sql, params).await
    }
}

/// What became of a statement's commits: the shards whose fence held, and the commits whose key is in use.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) shards: Vec<i32>,
    pub(crate) live: Vec<i32>,
}

/// Writes commits.
pub(crate) async fn write(link: &Link, rows: &Rows) -> Result<Written, Failure> {
    let mut statement = Statement::new(&rows.fences);
    // First, as the others leave out what it finds.
    let with_records = !rows.records.commits.is_empty();
    if with_records {
        statement.records(rows);
    }
    if !rows.entities.shards.is_empty() {
        statement.entities(rows);
    }
    if !rows.events.commits.is_empty() {
        statement.events(rows);
    }
    if !rows.values.commits.is_empty() {
        statement.values(rows);
    }
    statement.sql += " SELECT shard, NULL::int4 FROM ok";
    if with_records {
        statement.sql += " UNION ALL SELECT NULL::int4, n FROM live";
    }
    let mut written = Written::default();
    for row in statement.run(link).await? {
        written
            .shards
            .extend(row.try_get::<_, Option<i32>>(0).ok().flatten());
        written
            .live
            .extend(row.try_get::<_, Option<i32>>(1).ok().flatten());
    }
    Ok(written)
}

/// Writes consumers' offsets; answers the shards whose fence held.
pub(crate) async fn write_offsets(
    link: &Link,
    fences: &Fences,
    consumers: &Vec<crate::rows::Raw>,
    shards: &Vec<i32>,
    ords: &Vec<i64>,
) -> Result<usize, Failure> {
    let mut statement = Statement::new(fences);
    let columns = statement.columns(vec![
        ("consumer", "bytea", consumers),
        ("shard", "int4", shards),
        ("ord", "int8", ords),
    ]);
    statement.sql += &format!(
        ", put AS (INSERT INTO offsets (consumer, shard, ord) SELECT consumer, shard, ord FROM {columns} JOIN ok USING (shard)
             ON CONFLICT (consumer, shard) DO UPDATE SET ord = excluded.ord)
         SELECT shard FROM ok"
    );
    Ok(statement.run(link).await?.len())
}
