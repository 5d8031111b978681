//! The format of the schema: how it is made, migrated and recognized.

use cloudstate_store::{Error, Layout};

use crate::error::corrupt;
use crate::link::Link;

/// The version of the format that this code writes and reads.
pub const FORMAT: i64 = 1;

/// What leads from each format to the next, from none on. Forward only; never changed once it was released.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// The advisory lock of whoever changes a schema: "ClSt", then its name's hash.
const LOCK: i32 = 0x436c_5374;

/// Makes the schema or brings it to the format of this version, in one transaction; others that start wait for it.
pub(crate) async fn migrate(link: &Link) -> Result<(), Error> {
    match stored_format(link).await? {
        Some(FORMAT) => return Ok(()),
        Some(newer) if newer > FORMAT => return Err(other_format(link, newer)),
        _ => {}
    }
    link.batch(
        "making the store's schema",
        &script(link.shared().options().schema()),
    )
    .await?;
    check(link).await
}

/// Refuses a schema that is missing or of another format.
pub(crate) async fn check(link: &Link) -> Result<(), Error> {
    match stored_format(link).await? {
        Some(FORMAT) => Ok(()),
        Some(found) => Err(other_format(link, found)),
        None => Err(Error::Missing {
            store: link.shared().name().to_owned(),
            path: format!(
                "table format in schema {}; run `cloudstate store migrate`",
                link.shared().options().schema()
            ),
        }),
    }
}

/// Sent at once, and so one transaction. The server decides what is left to do after it has the lock.
fn script(schema: &str) -> String {
    let (quoted, lock) = (quoted(schema), LOCK);
    let literal = schema.replace('\'', "''");
    let mut steps = String::new();
    for (from, step) in (0..).zip(STEPS) {
        steps.push_str(&format!(
            "IF found = {from} THEN EXECUTE $step${step}$step$; found := {from} + 1; UPDATE format SET version = found; END IF;\n"
        ));
    }
    format!(
        "SELECT set_config('lock_timeout', '60s', true);
         SELECT pg_advisory_xact_lock({lock}, hashtext('{literal}'));
         DO $make$ BEGIN
             IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '{literal}') THEN CREATE SCHEMA {quoted}; END IF;
         END $make$;
         CREATE TABLE IF NOT EXISTS {quoted}.format (version bigint NOT NULL);
         INSERT INTO format SELECT 0 WHERE NOT EXISTS (SELECT FROM format);
         DO $make$ DECLARE found bigint := (SELECT version FROM format); BEGIN
         {steps}
         END $make$;"
    )
}

/// The format of the schema; `None`: there is none.
pub(crate) async fn stored_format(link: &Link) -> Result<Option<i64>, Error> {
    let attempt = "reading the store's format";
    let schema = link.shared().options().schema();
    let there = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'format')";
    let rows = link.read(attempt, there, &[&schema]).await?;
    if !rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        return Ok(None);
    }
    let rows = link.read(attempt, "SELECT version FROM format", &[]).await?;
    Ok(rows
        .first()
        .and_then(|row| row.try_get(0).ok())
        .filter(|version| *version > 0))
}

/// Keeps the layout and makes the shards' rows if there are none, and answers the kept one.
pub(crate) async fn layout(link: &Link, wanted: &Layout) -> Result<Layout, Error> {
    if let Some(stored) = stored_layout(link).await? {
        return Ok(stored);
    }
    let attempt = "keeping the number of shards";
    // One statement: of several processes at once, one writes both, the others neither.
    let keep =
        "WITH kept AS (INSERT INTO deployment VALUES (1, $1, $2) ON CONFLICT DO NOTHING RETURNING shards)
                INSERT INTO shards SELECT generate_series(0, shards - 1), 0, '' FROM kept";
    let shards =
        i32::try_from(wanted.shards).map_err(|_| corrupt(link.shared().name(), "too many shards"))?;
    link.read(attempt, keep, &[&shards, &wanted.algorithm]).await?;
    let stored = stored_layout(link).await?;
    stored.ok_or_else(|| corrupt(link.shared().name(), "its number of shards is not kept"))
}

/// `None`: the store was made, and never used.
pub(crate) async fn stored_layout(link: &Link) -> Result<Option<Layout>, Error> {
    let attempt = "reading the number of shards";
    let rows = link
        .read(attempt, "SELECT shards, algorithm FROM deployment", &[])
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let shards: Option<u32> = row
        .try_get::<_, i32>(0)
        .ok()
        .and_then(|shards| shards.try_into().ok());
    match (shards, row.try_get(1)) {
        (Some(shards @ 1..), Ok(algorithm)) => Ok(Some(Layout { shards, algorithm })),
        _ => Err(corrupt(link.shared().name(), "it has no shards")),
    }
}

/// An identifier as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn other_format(link: &Link, found: i64) -> Error {
    Error::Format {
        store: link.shared().name().to_owned(),
        found,
        supported: FORMAT,
    }
}
