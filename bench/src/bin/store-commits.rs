//! Acknowledged commits per second through the store contract, against a bare loop on the same engine.
//!
//! ```text
//!   store: n writers, each waits for its answer ──▶ Store ──▶ committer ──▶ SQLite, fsync
//!   bare:  one loop: BEGIN, n INSERTs of the same rows into the same tables, COMMIT ──▶ SQLite, fsync
//! ```

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Parser;
use cloudstate_bench::latencies::Latencies;
use cloudstate_store::{
    Backend, Change, EntityKey, Expected, Options, Outcome, Payload, Store, Write, block_on, shard_of,
};
use cloudstate_store_sqlite::Sqlite;
use rusqlite::Connection;
use tokio::task::LocalSet;

const TYPE_URL: &str = "type.googleapis.com/shoppingcart.persistence.ItemAdded";
const PAYLOAD_BYTES: usize = 200;
const ENTITIES_A_WRITER: usize = 16;

/// Acked commits per second: the store contract ÷ a bare loop of the same rows.
#[derive(Parser)]
struct Arguments {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Measurements of each kind; medians are printed.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Numbers of writers.
    #[arg(long, value_delimiter = ',', default_value = "1,16,256")]
    writers: Vec<usize>,
    /// Where the files are made; the disk decides the figures.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

struct Measured {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let time = Duration::from_secs_f64(arguments.seconds);
    println!("writers  store/s    bare/s  ratio   p50 us   p99 us");
    for writers in &arguments.writers {
        let (mut stores, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for _ in 0..arguments.runs {
            let bare = in_directory(&arguments.directory, |path| measure_bare(path, *writers, time))?;
            let store = in_directory(&arguments.directory, |path| measure_store(path, *writers, time))?;
            ratios.push(store.per_second / bare);
            bares.push(bare);
            stores.push(store.per_second);
            p50.push(store.p50_us);
            p99.push(store.p99_us);
        }
        let (store, bare, ratio) = (median(stores), median(bares), median(ratios));
        println!(
            "{writers:7} {store:8.0} {bare:9.0} {ratio:6.2} {:8.0} {:8.0}",
            median(p50),
            median(p99)
        );
    }
    Ok(())
}

/// The middle one of some measurements; 0 of none.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(0.0)
}

fn in_directory<T>(parent: &Path, measure: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let directory = tempfile::tempdir_in(parent).context("making a directory for the store")?;
    measure(&directory.path().join("data"))
}

fn entity(writer: usize, number: usize) -> Result<EntityKey> {
    Ok(EntityKey::new(
        "shopping-cart",
        format!("user-{writer:08}-cart-{number:08}"),
    )?)
}

fn payload() -> Payload {
    Payload {
        type_url: TYPE_URL.to_owned(),
        value: Bytes::from(vec![b'x'; PAYLOAD_BYTES]),
    }
}

fn append(entity: &EntityKey, after: u64) -> Write {
    let change = Change::Events(vec![payload()]);
    Write {
        entity: entity.clone(),
        expected: Expected::Sequence(after),
        change,
        idempotency: None,
    }
}

fn measure_store(path: &Path, writers: usize, time: Duration) -> Result<Measured> {
    let backend: Arc<dyn Backend> = Arc::new(Sqlite::open(path)?);
    let store = block_on(Store::open(backend, Options::default()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let latencies = Rc::new(RefCell::new(Latencies::default()));
    let stop = Rc::new(Cell::new(false));
    let local = LocalSet::new();
    let started = Instant::now();
    let elapsed = local.block_on(&runtime, async {
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                tokio::task::spawn_local(write(
                    store.clone(),
                    writer,
                    Rc::clone(&stop),
                    Rc::clone(&latencies),
                ))
            })
            .collect();
        tokio::time::sleep(time).await;
        stop.set(true);
        let elapsed = started.elapsed();
        for task in tasks {
            task.await??;
        }
        anyhow::Ok(elapsed)
    })?;
    block_on(store.close())?;
    let mut latencies = latencies.take();
    let per_second = latencies.len() as f64 / elapsed.as_secs_f64();
    let us = |duration: Duration| duration.as_micros() as f64;
    let (p50, p99) = (latencies.percentile(50.0), latencies.percentile(99.0));
    Ok(Measured {
        per_second,
        p50_us: us(p50),
        p99_us: us(p99),
    })
}

/// One writer: the next commit follows the answer to the last one, over its entities in turn.
async fn write(
    store: Store,
    writer: usize,
    stop: Rc<Cell<bool>>,
    latencies: Rc<RefCell<Latencies>>,
) -> Result<()> {
    let entities: Result<Vec<EntityKey>> = (0..ENTITIES_A_WRITER)
        .map(|number| entity(writer, number))
        .collect();
    let entities = entities?;
    for after in 0.. {
        for entity in &entities {
            if stop.get() {
                return Ok(());
            }
            let started = Instant::now();
            match store.commit(append(entity, after)).await {
                Outcome::Applied { .. } => {}
                other => bail!("a commit did not apply: {other:?}"),
            }
            latencies.borrow_mut().record(started.elapsed());
        }
    }
    Ok(())
}

/// The same rows in the same tables, in transactions of as many rows as there are writers.
fn measure_bare(path: &Path, writers: usize, time: Duration) -> Result<f64> {
    let backend: Arc<dyn Backend> = Arc::new(Sqlite::open(path)?);
    block_on(block_on(Store::open(backend, Options::default()))?.close())?;
    let connection = Connection::open(path.join("store.db"))?;
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;")?;
    make_entities(&connection, writers)?;
    let payload = payload();
    let started = Instant::now();
    let (mut ord, mut round) = (0u64, 0u64);
    while started.elapsed() < time {
        let number = round % ENTITIES_A_WRITER as u64;
        let sequence = round / ENTITIES_A_WRITER as u64 + 1;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut insert =
            connection.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        for writer in 0..writers as u64 {
            ord += 1;
            let eid = writer * ENTITIES_A_WRITER as u64 + number + 1;
            insert.execute((
                ord,
                eid,
                sequence,
                &payload.type_url,
                &payload.value[..],
                0x7fff_ffff_u32,
                1,
                ord,
            ))?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        round += 1;
    }
    Ok(ord as f64 / started.elapsed().as_secs_f64())
}

fn make_entities(connection: &Connection, writers: usize) -> Result<()> {
    let mut insert = connection.prepare("INSERT INTO entities VALUES (?1, ?2, ?3, ?4)")?;
    connection.execute_batch("BEGIN")?;
    for writer in 0..writers {
        for number in 0..ENTITIES_A_WRITER {
            let key = entity(writer, number)?;
            let eid = writer * ENTITIES_A_WRITER + number + 1;
            let (pid, id) = (key.persistence_id().as_bytes(), key.entity_id().as_bytes());
            insert.execute((eid, shard_of(&key, 128).number(), pid, id))?;
        }
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}
