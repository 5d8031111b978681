//! The fence against an owner that is late: its statement waits while another takes the shard.
//!
//! ```text
//!   earlier owner:  commit ── waits (its shard's row is locked) ─────────────▶ goes on ── Fenced?
//!   blocker:        BEGIN; lock the row ────────────────────── COMMIT
//!   later owner:                          take ── waits behind ───────────────▶ taken, reads the tail
//! ```
//!
//! The same interleaving with `EXISTS` in the place of the lock lands a row after the tail was read: that the test can see it is tested too.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by a panic")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cloudstate_store::{Backend, Options as StoreOptions, Outcome, Store, block_on};
use cloudstate_store_conformance::{applied, event, key, write_events};
use cloudstate_store_postgres::{Options, Postgres};
use cloudstate_test_support::PostgresServer;
use tokio_postgres::{Client, NoTls};

fn server() -> Option<PostgresServer> {
    PostgresServer::start("the fence of PostgreSQL", &[])
}

fn backend(url: &str) -> Arc<dyn Backend> {
    Arc::new(Postgres::open(Options::from_url(url).unwrap()).unwrap())
}

fn open(url: &str) -> Store {
    let options = StoreOptions {
        shards: 1,
        ..StoreOptions::default()
    };
    block_on(Store::open(backend(url), options)).unwrap()
}

async fn connect(url: &str) -> Client {
    let (address, schema) = url.split_once("?schema=").unwrap();
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
        .batch_execute(&format!("SET search_path = {schema}"))
        .await
        .unwrap();
    client
}

/// Waits until so many statements of others wait for a lock.
async fn until_waiting(client: &Client, wanted: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let deadline = Instant::now() + Duration::from_secs(60);
    while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < wanted {
        assert!(Instant::now() < deadline, "nobody waits");
        tokio::task::yield_now().await;
    }
}

/// From now until this client commits, each insert of an event stops in the middle of its statement: a trigger looks at a
/// table that is locked.
async fn stop_inserts(client: &Client) {
    let trigger = "
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM count(*) FROM leases; RETURN NEW; END $$;
        CREATE TRIGGER wait BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION wait()";
    client.batch_execute(trigger).await.unwrap();
    client
        .batch_execute("BEGIN; LOCK TABLE leases IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
}

/// A commit that waits behind a take-over is fenced; nothing of it is there, then or later.
#[tokio::test]
async fn a_commit_that_waits_behind_a_take_over_is_fenced() {
    let Some(server) = server() else { return };
    let url = server.fresh_url();
    let long = format!("{url}&lock_timeout=60000&timeout=60000");
    let earlier = tokio::task::spawn_blocking(move || open(&long)).await.unwrap();
    let cart = key("a");
    assert!(matches!(
        earlier.commit(write_events(&cart, 0, vec![event("one")])).await,
        Outcome::Applied { .. }
    ));
    // The later owner's take-over, stopped before it is done.
    let later = connect(&url).await;
    later
        .batch_execute("BEGIN; UPDATE shards SET epoch = epoch + 1, owner = 'later'")
        .await
        .unwrap();
    let late = tokio::spawn(earlier.commit(write_events(&cart, 1, vec![event("late")])));
    let watcher = connect(&url).await;
    until_waiting(&watcher, 1).await;
    later.batch_execute("COMMIT").await.unwrap();
    let tail = later.query_one("SELECT max(seq) FROM events", &[]).await.unwrap();
    assert_eq!(tail.get::<_, i64>(0), 1);
    assert!(matches!(late.await.unwrap(), Outcome::Fenced));
    let tail = later.query_one("SELECT max(seq) FROM events", &[]).await.unwrap();
    assert_eq!(tail.get::<_, i64>(0), 1, "a row landed after the tail was read");
}

/// A take-over that comes while a commit's statement runs waits for it, and so reads a tail that holds it.
#[tokio::test]
async fn a_take_over_waits_for_a_commit_that_is_under_way() {
    let Some(server) = server() else { return };
    let url = server.fresh_url();
    let long = format!("{url}&lock_timeout=60000&timeout=60000");
    let earlier = tokio::task::spawn_blocking(move || open(&long)).await.unwrap();
    let cart = key("a");
    assert!(matches!(
        earlier.commit(write_events(&cart, 0, vec![event("one")])).await,
        Outcome::Applied { .. }
    ));
    let blocker = connect(&url).await;
    stop_inserts(&blocker).await;
    let running = tokio::spawn(earlier.commit(write_events(&cart, 1, vec![event("two")])));
    let watcher = connect(&url).await;
    until_waiting(&watcher, 1).await;
    let also = format!("{url}&lock_timeout=60000&timeout=60000");
    let taking = tokio::task::spawn_blocking(move || open(&also));
    until_waiting(&watcher, 2).await;
    blocker.batch_execute("COMMIT").await.unwrap();
    assert!(matches!(running.await.unwrap(), Outcome::Applied { .. }));
    let later = taking.await.unwrap();
    let third = write_events(&cart, 2, vec![event("three")]);
    tokio::task::spawn_blocking(move || applied(&later, third))
        .await
        .unwrap();
}

/// What the first test looks for does happen with a fence that takes no lock: the statement saw the old owner
/// when it began.
#[tokio::test]
async fn a_fence_without_a_lock_would_let_a_late_row_land() {
    let Some(server) = server() else { return };
    let url = server.fresh_url();
    let owner = url.clone();
    tokio::task::spawn_blocking(move || drop(open(&owner)))
        .await
        .unwrap();
    let (earlier, later, blocker) = (connect(&url).await, connect(&url).await, connect(&url).await);
    stop_inserts(&blocker).await;
    let late = tokio::spawn(async move {
        let unlocked = "INSERT INTO events SELECT 0, 1000, 1, 1, '', '', 0, 1, 1
             WHERE EXISTS (SELECT FROM shards WHERE shard = 0 AND epoch = 1)";
        earlier.batch_execute(unlocked).await.unwrap();
    });
    until_waiting(&later, 1).await;
    later
        .batch_execute("UPDATE shards SET epoch = epoch + 1")
        .await
        .unwrap();
    let tail = later.query_one("SELECT count(*) FROM events", &[]).await.unwrap();
    assert_eq!(tail.get::<_, i64>(0), 0, "the later owner reads its tail");
    blocker.batch_execute("COMMIT").await.unwrap();
    late.await.unwrap();
    let tail = later.query_one("SELECT count(*) FROM events", &[]).await.unwrap();
    assert_eq!(tail.get::<_, i64>(0), 1, "the late row landed");
}
