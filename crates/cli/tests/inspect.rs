//! `cloudstate inspect`: what it shows of a store in a directory, also of one in use.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use std::sync::Arc;

use cloudstate_protocol::Any;
use cloudstate_store::{Change, EntityKey, Expected, Options, Outcome, Payload, Store, Write, block_on};
use cloudstate_store_sqlite::Sqlite;
use prost::Message as _;
use support::{Ended, cloudstate, ended};
use tempfile::TempDir;

/// A store with one entity of two events, still open.
fn store_in_use() -> (TempDir, Store) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let event = |name: &str| {
        let entry = cloudstate_protocol::ServiceInfo {
            service_name: name.to_owned(),
            ..Default::default()
        };
        let any = Any::message("cloudstate.ServiceInfo", entry.encode_to_vec());
        Payload {
            type_url: any.type_url,
            value: any.value,
        }
    };
    let write = Write {
        entity: EntityKey::new("cart", "ann").expect("well-formed"),
        expected: Expected::Sequence(0),
        change: Change::Events(vec![event("one"), event("two")]),
        idempotency: None,
    };
    let store = block_on(async {
        let backend = Arc::new(Sqlite::open(directory.path()).expect("it opens"));
        let store = Store::open(backend, Options::default()).await.expect("it opens");
        let outcome = store.commit(write).await;
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        store
    });
    (directory, store)
}

fn inspect(directory: &TempDir, arguments: &[&str]) -> Ended {
    let url = format!("sqlite:{}", directory.path().display());
    ended(&mut cloudstate(
        &[&["inspect", "--store", &url], arguments].concat(),
    ))
}

#[test]
fn a_store_in_use_can_be_seen_and_is_the_same_after_its_end() {
    let (directory, store) = store_in_use();
    let while_open = inspect(&directory, &["entities"]);
    assert_eq!(while_open.code, Some(0), "{}", while_open.stderr);
    let lines: Vec<Vec<&str>> = while_open
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(&lines[1][..2], ["cart", "ann"]);
    assert_eq!(
        &lines[1][3..],
        ["2", "-", "-"],
        "two events, no snapshot, no value"
    );
    block_on(store.close()).expect("it closes");
    assert_eq!(inspect(&directory, &["entities"]).stdout, while_open.stdout);
}

#[test]
fn payloads_are_decoded_by_a_file_of_descriptors() {
    let (directory, _store) = store_in_use();
    let descriptors = directory.path().join("descriptors.bin");
    std::fs::write(&descriptors, cloudstate_protocol::FILE_DESCRIPTOR_SET).expect("it can be written");
    let arguments = ["events", "cart", "ann", "--json", "--limit", "1", "--descriptors"];
    let shown = inspect(
        &directory,
        &[&arguments[..], &[descriptors.to_str().expect("UTF-8")]].concat(),
    );
    let event: serde_json::Value = serde_json::from_str(&shown.stdout).expect("one line of JSON");
    assert_eq!(event["sequence"], 1);
    assert_eq!(event["type"], "type.googleapis.com/cloudstate.ServiceInfo");
    assert_eq!(event["payload"]["serviceName"], "one");
    assert_eq!(shown.stderr, "there is more; see --limit\n");
}

#[test]
fn a_directory_without_a_store_is_told_and_stays_as_it_is() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let missing = inspect(&directory, &["shards"]);
    assert_eq!(missing.code, Some(4));
    assert!(missing.stderr.contains("does not exist"), "{}", missing.stderr);
    assert_eq!(std::fs::read_dir(&directory).expect("it is there").count(), 0);
}

#[test]
fn a_store_in_memory_cannot_be_seen_from_outside() {
    let refused = ended(&mut cloudstate(&["inspect", "shards", "--store", "memory:"]));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("only be seen by its own process"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_database_is_migrated_once_and_its_entities_are_shown() {
    let Some(server) = cloudstate_test_support::PostgresServer::start("`cloudstate store migrate`", &[])
    else {
        return;
    };
    let url = server.fresh_url();
    let missing = ended(&mut cloudstate(&["inspect", "--store", &url, "entities"]));
    assert_eq!(missing.code, Some(4));
    assert!(missing.stderr.contains("store migrate"), "{}", missing.stderr);
    let made = ended(&mut cloudstate(&["store", "migrate", "--store", &url]));
    assert_eq!(
        (made.code, &*made.stdout),
        (Some(0), "made the tables, format 1\n"),
        "{}",
        made.stderr
    );
    let again = ended(&mut cloudstate(&["store", "migrate", "--store", &url]));
    assert_eq!(again.stdout, "the tables have format 1 already\n");
    let shown = ended(&mut cloudstate(&["inspect", "--store", &url, "entities"]));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let wrong = ended(&mut cloudstate(&[
        "store",
        "migrate",
        "--store",
        "postgres://ann:s3cret@db/x?sslmode=no",
    ]));
    assert_eq!(wrong.code, Some(4));
    assert!(
        wrong.stderr.contains("sslmode") && !wrong.stderr.contains("s3cret"),
        "{}",
        wrong.stderr
    );
}
