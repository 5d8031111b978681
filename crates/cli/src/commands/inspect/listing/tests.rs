use std::sync::Arc;

use cloudstate_store::{Backend, Change, Expected, Options, Outcome, Snapshot, Store, Write, block_on};
use cloudstate_store_memory::Memory;

use super::*;

fn payload(text: &str) -> Payload {
    let any = cloudstate_protocol::Any::primitive(&text.to_owned());
    Payload {
        type_url: any.type_url,
        value: any.value,
    }
}

fn key(persistence_id: &str, entity_id: &str) -> EntityKey {
    EntityKey::new(persistence_id, entity_id).expect("well-formed")
}

/// Two carts with events, one of them with a snapshot, and one value.
fn reader() -> Arc<dyn Reader> {
    let memory = Memory::new();
    block_on(async {
        let store = Store::open(Arc::new(memory.clone()), Options::default())
            .await
            .expect("it opens");
        let write = |entity, expected, change| Write {
            entity,
            expected,
            change,
            idempotency: None,
        };
        for entity_id in ["ann", "bob"] {
            let events = Change::Events(vec![payload("first"), payload("second")]);
            let outcome = store
                .commit(write(key("cart", entity_id), Expected::Sequence(0), events))
                .await;
            assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        }
        let put = Change::Put(payload("blue"));
        let outcome = store
            .commit(write(key("wish", "ann"), Expected::Version(None), put))
            .await;
        assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
        store.save_snapshot(
            &key("cart", "bob"),
            Snapshot {
                sequence: 2,
                payload: payload("both"),
            },
        );
        store.close().await.expect("it closes");
    });
    memory.reader()
}

fn listed(
    limit: usize,
    list: impl AsyncFnOnce(Listing<'_>) -> Result<Table, Failure>,
) -> (Vec<Vec<Json>>, bool) {
    let (reader, payloads) = (reader(), Payloads::default());
    let listing = Listing {
        reader: reader.as_ref(),
        payloads: &payloads,
        limit,
    };
    let table = block_on(list(listing)).expect("it can be read");
    (table.rows, table.more)
}

#[test]
fn entities_of_all_persistence_ids_are_listed_with_what_they_have() {
    let (rows, more) = listed(10, async |listing| listing.entities(None, None).await);
    let without_shard: Vec<Vec<Json>> = rows.iter().map(|row| [&row[..2], &row[3..5]].concat()).collect();
    assert_eq!(
        without_shard,
        [
            vec![json!("cart"), json!("ann"), json!(2), Json::Null],
            vec![json!("cart"), json!("bob"), json!(2), json!(2)],
            vec![json!("wish"), json!("ann"), json!(0), Json::Null],
        ]
    );
    assert!(
        rows[2][5].is_u64() && rows[0][5].is_null(),
        "only the value has a version: {rows:?}"
    );
    assert!(!more);
}

#[test]
fn a_listing_goes_on_behind_an_entity_and_stops_at_the_limit() {
    let (rows, more) = listed(10, async |listing| {
        listing.entities(Some("cart"), Some("ann")).await
    });
    assert_eq!((rows.len(), more), (1, false));
    let (rows, more) = listed(2, async |listing| listing.entities(None, None).await);
    assert_eq!((rows.len(), more), (2, true));
}

#[test]
fn events_come_in_order_behind_a_sequence() {
    let (rows, more) = listed(10, async |listing| listing.events("cart", "ann", 0).await);
    let type_url = json!("p.cloudstate.io/string");
    assert_eq!(
        rows,
        [
            vec![json!(1), type_url.clone(), json!(7), json!("first")],
            vec![json!(2), type_url, json!(8), json!("second")],
        ]
    );
    assert!(!more);
    let (rows, _) = listed(10, async |listing| listing.events("cart", "ann", 1).await);
    assert_eq!(rows.len(), 1);
    let (rows, more) = listed(1, async |listing| listing.events("cart", "ann", 0).await);
    assert_eq!((rows.len(), more), (1, true));
}

#[test]
fn snapshots_and_values_are_listed_for_all_entities_that_have_one() {
    let (rows, _) = listed(10, async |listing| listing.snapshots("cart", None).await);
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0][0], &rows[0][1], &rows[0][4]),
        (&json!("bob"), &json!(2), &json!("both"))
    );
    let (rows, _) = listed(10, async |listing| listing.values("wish", None).await);
    assert_eq!((&rows[0][0], &rows[0][4]), (&json!("ann"), &json!("blue")));
    let (rows, _) = listed(10, async |listing| listing.values("wish", Some("bob")).await);
    assert!(rows.is_empty());
}

#[test]
fn shards_are_listed_with_their_entities() {
    let (rows, more) = listed(1000, async |listing| listing.shards().await);
    assert_eq!((rows.len(), more), (128, false));
    assert_eq!(rows.iter().filter_map(|row| row[3].as_u64()).sum::<u64>(), 3);
}

#[test]
fn an_id_that_no_store_takes_is_an_error_of_usage() {
    let (reader, payloads) = (reader(), Payloads::default());
    let listing = Listing {
        reader: reader.as_ref(),
        payloads: &payloads,
        limit: 1,
    };
    let failure = block_on(listing.events("", "ann", 0)).expect_err("it is empty");
    assert_eq!(failure.exit(), Exit::Usage);
}
