//! What is opened, what is refused, and with which words.

#![allow(clippy::unwrap_used, reason = "tests fail by a panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cloudstate_store::{Error, Idempotency, Options, Outcome, Reader, Snapshot, Store, Write, block_on};
use cloudstate_store_conformance::{applied, event, key, put, write_events};
use cloudstate_store_sqlite::Sqlite;
use proptest::prelude::*;
use tempfile::TempDir;

fn options() -> Options {
    Options {
        shards: 8,
        ..Options::default()
    }
}

fn try_open(directory: &Path) -> Result<Store, Error> {
    block_on(Store::open(Arc::new(Sqlite::open(directory)?), options()))
}

fn open(directory: &Path) -> Store {
    try_open(directory).unwrap()
}

fn refused(directory: &Path) -> Error {
    match try_open(directory) {
        Ok(_) => panic!("it opens"),
        Err(error) => error,
    }
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept/format-1/store.db")
}

/// A directory with a copy of the kept file.
fn kept_copy() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(kept(), directory.path().join("store.db")).unwrap();
    directory
}

fn record() -> Idempotency {
    Idempotency {
        key: "k".into(),
        recorded: 1,
        expires: 2,
        answer: b"answer".to_vec().into(),
    }
}

#[test]
#[ignore = "makes the kept file; only for a new format, in a new directory"]
fn make_the_kept_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    applied(
        &store,
        write_events(&key("a"), 0, vec![event("one"), event("two")]),
    );
    applied(
        &store,
        Write {
            idempotency: Some(record()),
            ..write_events(&key("a"), 2, vec![event("three")])
        },
    );
    store.save_snapshot(
        &key("a"),
        Snapshot {
            sequence: 2,
            payload: event("state"),
        },
    );
    applied(&store, put(&key("v\0|'"), None, event("value")));
    block_on(store.close()).unwrap();
    fs::copy(directory.path().join("store.db"), kept()).unwrap();
}

#[test]
fn a_kept_file_of_format_1_opens_and_goes_on() {
    let directory = kept_copy();
    let store = open(directory.path());
    let events = block_on(store.events(&key("a"), 0, 1000)).unwrap().events;
    assert_eq!(
        events,
        [(1, event("one")), (2, event("two")), (3, event("three"))]
    );
    let snapshot = block_on(store.snapshot(&key("a"))).unwrap();
    assert_eq!(
        snapshot,
        Some(Snapshot {
            sequence: 2,
            payload: event("state")
        })
    );
    assert_eq!(
        block_on(store.idempotency(&key("a"), "k")).unwrap(),
        Some(record())
    );
    let value = block_on(store.value(&key("v\0|'"))).unwrap().unwrap();
    assert_eq!((value.payload, value.version), (event("value"), 4));
    assert!(applied(&store, write_events(&key("a"), 3, vec![event("four")])) > 4);
    block_on(store.close()).unwrap();
    Sqlite::verify(directory.path()).unwrap();
}

fn change(directory: &Path, statement: &str) {
    rusqlite::Connection::open(directory.join("store.db"))
        .unwrap()
        .execute_batch(statement)
        .unwrap();
}

#[test]
fn format_2_is_refused_by_name_and_left_alone() {
    let directory = kept_copy();
    change(
        directory.path(),
        "PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE)",
    );
    let before = fs::read(directory.path().join("store.db")).unwrap();
    let error = refused(directory.path());
    assert!(
        matches!(
            error,
            Error::Format {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("has format 2, this version reads format 1"),
        "{error}"
    );
    assert!(Sqlite::open_read_only(directory.path()).is_err());
    assert_eq!(fs::read(directory.path().join("store.db")).unwrap(), before);
}

#[test]
fn a_file_of_somebody_else_is_refused_and_left_alone() {
    let contents: [(&str, Vec<u8>); 3] = [
        ("text", b"# my notes, no database at all\n".repeat(100)),
        ("short", b"x".to_vec()),
        ("torn header", fs::read(kept()).unwrap()[..50].to_vec()),
    ];
    for (what, content) in contents {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("store.db"), &content).unwrap();
        let error = refused(directory.path());
        assert!(matches!(error, Error::Foreign { .. }), "{what}: {error:?}");
        assert!(
            error.to_string().contains("not a Cloudstate store"),
            "{what}: {error}"
        );
        assert_eq!(
            fs::read(directory.path().join("store.db")).unwrap(),
            content,
            "{what}"
        );
    }
}

#[test]
fn a_database_of_another_program_is_refused() {
    for statement in [
        "CREATE TABLE t (x)",
        "PRAGMA application_id = 7",
        "CREATE TABLE t (x); PRAGMA user_version = 1",
    ] {
        let directory = tempfile::tempdir().unwrap();
        change(directory.path(), statement);
        let error = refused(directory.path());
        assert!(matches!(error, Error::Foreign { .. }), "{statement}: {error:?}");
    }
}

#[test]
fn a_cut_off_file_is_refused_as_damaged() {
    let directory = kept_copy();
    let path = directory.path().join("store.db");
    let size = fs::metadata(&path).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(size / 2)
        .unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(
        error.to_string().contains("is damaged") && error.to_string().contains("backup"),
        "{error}"
    );
}

#[test]
fn a_changed_payload_is_an_error_and_no_answer() {
    let directory = kept_copy();
    let path = directory.path().join("store.db");
    let mut content = fs::read(&path).unwrap();
    let at = content.windows(5).position(|window| window == b"three").unwrap();
    content[at] = b'T';
    fs::write(&path, content).unwrap();
    let store = open(directory.path());
    let error = block_on(store.events(&key("a"), 0, 1000)).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert_eq!(
        block_on(store.value(&key("v\0|'"))).unwrap().unwrap().payload,
        event("value"),
        "others are fine"
    );
    assert!(matches!(
        Sqlite::verify(directory.path()),
        Err(Error::Corrupt { .. })
    ));
}

#[test]
fn a_missing_event_is_an_error_and_no_shorter_history() {
    let directory = kept_copy();
    change(directory.path(), "DELETE FROM events WHERE seq = 2");
    let store = open(directory.path());
    let error = block_on(store.events(&key("a"), 0, 1000)).unwrap_err();
    assert!(
        error.to_string().contains("no event 2, but an event 3"),
        "{error}"
    );
}

#[test]
fn a_second_process_is_told_who_holds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = refused(directory.path());
    let holder = format!("is locked by process {}", std::process::id());
    assert!(
        matches!(error, Error::Locked { .. }) && error.to_string().contains(&holder),
        "{error}"
    );
    block_on(store.close()).unwrap();
    drop(open(directory.path()));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = refused(&path);
        assert!(matches!(error, Error::NotWritable { .. }), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

fn event_count(reader: &Arc<dyn Reader>, entity: &str) -> usize {
    block_on(reader.events(&key(entity), 0, 1 << 20))
        .unwrap()
        .events
        .len()
}

#[test]
fn a_store_in_use_can_be_read_by_others() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    applied(&store, write_events(&key("a"), 0, vec![event("one")]));
    let reader = Sqlite::open_read_only(directory.path()).unwrap();
    assert_eq!(event_count(&reader, "a"), 1);
    applied(&store, write_events(&key("a"), 1, vec![event("two")]));
    assert_eq!(event_count(&reader, "a"), 2, "what is committed is seen");
    block_on(store.close()).unwrap();
    drop(store);
    let reader = Sqlite::open_read_only(directory.path()).unwrap();
    assert_eq!(event_count(&reader, "a"), 2, "and when nobody writes");
}

#[test]
fn reading_where_no_store_is_makes_none() {
    let directory = tempfile::tempdir().unwrap();
    let error = Sqlite::open_read_only(directory.path()).err().unwrap();
    assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

const COMMITS: u64 = 40;

/// What a crash leaves: everything is in the write-ahead log.
fn crashed() -> (TempDir, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for after in 0..COMMITS {
        let outcome = block_on(store.commit(write_events(&key("a"), after, vec![event(after.to_string())])));
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
    }
    let left = tempfile::tempdir().unwrap();
    let log = fs::read(directory.path().join("store.db-wal")).unwrap();
    fs::copy(directory.path().join("store.db"), left.path().join("store.db")).unwrap();
    (left, log)
}

fn open_with_log(left: &TempDir, log: &[u8]) -> (TempDir, Result<usize, Error>) {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(left.path().join("store.db"), directory.path().join("store.db")).unwrap();
    fs::write(directory.path().join("store.db-wal"), log).unwrap();
    let count = try_open(directory.path())
        .and_then(|store| block_on(store.events(&key("a"), 0, 1 << 20)))
        .map(|page| page.events.len());
    (directory, count)
}

#[test]
fn a_log_torn_at_its_end_opens_with_what_was_whole() {
    let (left, log) = crashed();
    assert_eq!(open_with_log(&left, &log).1.unwrap(), COMMITS as usize);
    let torn = &log[..log.len() - 100];
    assert_eq!(open_with_log(&left, torn).1.unwrap(), COMMITS as usize - 1);
}

#[test]
fn a_log_damaged_in_the_middle_is_refused_and_left_alone() {
    let (left, mut log) = crashed();
    let middle = log.len() / 2;
    log[middle] ^= 1;
    let (directory, opened) = open_with_log(&left, &log);
    let error = opened.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("commits follow"), "{error}");
    assert_eq!(fs::read(directory.path().join("store.db-wal")).unwrap(), log);
}

#[test]
fn any_damaged_bit_of_the_log_is_refused_or_costs_the_last_commit_alone() {
    let (left, log) = crashed();
    let bits = log.len() * 8;
    let header = 32_usize * 8;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let places = prop_oneof![3 => 0_usize..bits, 1 => 0_usize..header, 1 => bits - 9000..bits];
    let result = runner.run(&places, |bit| {
        let mut damaged = log.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match open_with_log(&left, &damaged).1 {
            Ok(count) => prop_assert!(count + 1 >= COMMITS as usize, "bit {}: {} are there", bit, count),
            Err(error) => prop_assert!(matches!(error, Error::Corrupt { .. }), "bit {}: {:?}", bit, error),
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
