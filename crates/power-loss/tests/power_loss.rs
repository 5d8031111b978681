//! A SQLite store on a disk that loses power, runs full, or fails to sync.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by a panic")]

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use cloudstate_power_loss::{PowerDisk, Random, Survival};
use cloudstate_store::{Error, Options, Outcome, Store, block_on};
use cloudstate_store_conformance::workload::{self, Acknowledged};
use cloudstate_store_conformance::{applied, event, key, write_events};
use cloudstate_store_sqlite::Sqlite;

const DIRECTORY: &str = "CLOUDSTATE_POWER_LOSS_DIRECTORY";
const ROUNDS: u64 = 30;

fn try_open(directory: &Path) -> Result<Store, Error> {
    let options = Options {
        shards: 16,
        ..Options::default()
    };
    block_on(Store::open(Arc::new(Sqlite::open(directory)?), options))
}

fn open(directory: &Path) -> Store {
    try_open(directory).unwrap()
}

#[test]
#[ignore = "the process that loses its disk; it never ends by itself"]
fn writer_process() {
    let directory = std::env::var_os(DIRECTORY).unwrap();
    // The power may be cut while it opens.
    if let Ok(store) = try_open(Path::new(&directory)) {
        workload::run(&store);
    }
}

/// Runs a writer on the disk until the power is cut; answers what it had acknowledged.
fn write_until_cut(disk: &PowerDisk) -> Acknowledged {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "writer_process"])
        .env(DIRECTORY, disk.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut acknowledged = Acknowledged::default();
        output
            .lines()
            .map_while(Result::ok)
            .for_each(|line| acknowledged.line(&line));
        acknowledged
    });
    disk.disk().wait_for_cut();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn every_acknowledged_commit_survives_a_loss_of_power_and_none_is_partial() {
    let seed = RandomState::new().hash_one(0);
    let mut random = Random::new(seed);
    eprintln!("seed {seed}");
    let mut total = 0;
    for round in 0..ROUNDS {
        let Some(disk) = PowerDisk::mount_or_skip("every_acknowledged_commit_survives_a_loss_of_power")
        else {
            return;
        };
        // Some early cuts hit the making of the store.
        let most = if round % 5 == 0 { 60 } else { 6000 };
        disk.disk().cut_after(random.below(most));
        let acknowledged = write_until_cut(&disk);
        for survival in [
            Survival::None,
            Survival::All,
            Survival::Some,
            Survival::Some,
            Survival::Some,
        ] {
            let image = tempfile::tempdir().unwrap();
            disk.disk().image(survival, &mut random, image.path()).unwrap();
            let store = try_open(image.path()).unwrap_or_else(|error| {
                panic!("round {round} of seed {seed}, {survival:?}: the store does not open: {error}")
            });
            acknowledged.verify(&store);
            // And it goes on.
            applied(&store, write_events(&key("after"), 0, vec![event("x")]));
            block_on(store.close()).unwrap();
        }
        total += acknowledged.count();
    }
    assert!(
        total > 10 * ROUNDS,
        "only {total} commits were acknowledged in {ROUNDS} rounds"
    );
}

/// The proof that the proof works.
#[test]
fn commits_of_a_database_that_does_not_sync_are_lost() {
    let Some(disk) = PowerDisk::mount_or_skip("commits_of_a_database_that_does_not_sync_are_lost") else {
        return;
    };
    let connect = |directory: &Path| rusqlite::Connection::open(directory.join("db")).unwrap();
    let connection = connect(disk.path());
    connection
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x); PRAGMA synchronous = OFF")
        .unwrap();
    connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
    disk.disk().cut();
    let rows = |survival| {
        let image = tempfile::tempdir().unwrap();
        disk.disk()
            .image(survival, &mut Random::new(0), image.path())
            .unwrap();
        let count = connect(image.path()).query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        count.unwrap_or(0)
    };
    assert_eq!(rows(Survival::None), 0, "the row was never synced");
    assert_eq!(rows(Survival::All), 1, "but it was written");
}

#[test]
fn a_full_disk_refuses_commits_as_not_applied_and_recovers_with_room() {
    let Some(disk) = PowerDisk::mount_or_skip("a_full_disk_refuses_commits") else {
        return;
    };
    let store = open(disk.path());
    let cart = key("a");
    applied(&store, write_events(&cart, 0, vec![event("one")]));
    disk.disk().set_capacity(Some(disk.disk().used() + 100_000));
    let mut sequence = 1;
    let refused = loop {
        match block_on(store.commit(write_events(&cart, sequence, vec![event("x".repeat(5000))]))) {
            Outcome::Applied { .. } => sequence += 1,
            Outcome::NotApplied(error) => break error,
            other => panic!("{other:?}"),
        }
        assert!(sequence < 1000, "the disk never got full");
    };
    assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
    assert!(refused.to_string().contains("disk is full"), "{refused}");
    assert!(store.stats().failing.is_some());
    assert_eq!(
        block_on(store.events(&cart, sequence - 1, 10_000))
            .unwrap()
            .events
            .len(),
        1,
        "reading goes on"
    );
    disk.disk().set_capacity(None);
    applied(&store, write_events(&cart, sequence, vec![event("room")]));
    assert!(store.stats().failing.is_none());
    block_on(store.close()).unwrap();
}

#[test]
fn a_commit_whose_sync_fails_is_resolved_and_the_store_goes_on() {
    let Some(disk) = PowerDisk::mount_or_skip("a_commit_whose_sync_fails_is_resolved") else {
        return;
    };
    let store = open(disk.path());
    let cart = key("a");
    applied(&store, write_events(&cart, 0, vec![event("one")]));
    let mut there = 1;
    for failures in [1, 2, 3] {
        disk.disk().fail_syncs(failures);
        match block_on(store.commit(write_events(&cart, there, vec![event("two")]))) {
            Outcome::Applied { .. } => there += 1,
            Outcome::NotApplied(_) => {}
            other => panic!("{other:?}"),
        }
        disk.disk().fail_syncs(0);
        applied(&store, write_events(&cart, there, vec![event("three")]));
        there += 1;
    }
    disk.disk().cut();
    let image = tempfile::tempdir().unwrap();
    disk.disk()
        .image(Survival::None, &mut Random::new(0), image.path())
        .unwrap();
    drop(store);
    let store = open(image.path());
    assert_eq!(
        block_on(store.events(&cart, 0, 1 << 20)).unwrap().events.len() as u64,
        there
    );
}
