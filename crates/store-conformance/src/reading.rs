//! Loading an entity.

use std::sync::Arc;

use bytes::Bytes;
use cloudstate_store::{EntityKey, MAX_ID_BYTES, Payload, Recovery, Snapshot, block_on};

use crate::support::*;

/// Pages keep to their size, join without gap or overlap, and say when they end.
pub fn a_big_entity_is_read_in_pages(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let cart = key("big");
    for round in 0..10 {
        let events = (0..100)
            .map(|n| event(format!("{:050}", round * 100 + n)))
            .collect();
        applied(&store, write_events(&cart, round * 100, events));
    }
    let (mut after, mut pages) = (0, 0);
    loop {
        let page = block_on(store.events(&cart, after, 2000)).expect("reads");
        let bytes: usize = page.events.iter().map(|(_, payload)| payload.size()).sum();
        assert!(bytes <= 2000, "a page of {bytes}");
        for (sequence, payload) in page.events {
            assert_eq!((sequence, payload), (after + 1, event(format!("{after:050}"))));
            after += 1;
        }
        pages += 1;
        if !page.more {
            break;
        }
    }
    assert_eq!(after, 1000);
    assert!(pages > 10);
    assert_eq!(events_after(&store, &cart, 990).len(), 10);
    assert!(events_after(&store, &cart, 1000).is_empty());
}

/// The limit bounds a page, not a payload.
pub fn a_payload_larger_than_a_page_comes_alone(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let cart = key("fat");
    let fat = event("x".repeat(3 << 20));
    applied(
        &store,
        write_events(&cart, 0, vec![fat.clone(), event("small"), fat.clone()]),
    );
    let page = block_on(store.events(&cart, 0, 100)).expect("reads");
    assert_eq!((page.events, page.more), (vec![(1, fat)], true));
    let page = block_on(store.events(&cart, 1, 100)).expect("reads");
    assert_eq!((page.events, page.more), (vec![(2, event("small"))], true));
    assert!(!block_on(store.events(&cart, 2, 100)).expect("reads").more);
}

/// Empty bytes are not "nothing".
pub fn empty_payloads_come_back_empty(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let empty = Payload::default();
    applied(
        &store,
        write_events(&key("e"), 0, vec![empty.clone(), empty.clone()]),
    );
    applied(&store, put(&key("v"), None, empty.clone()));
    store.save_snapshot(
        &key("e"),
        Snapshot {
            sequence: 2,
            payload: empty.clone(),
        },
    );
    applied(&store, write_events(&key("later"), 0, vec![event("x")]));
    assert_eq!(
        all_events(&store, &key("e")),
        vec![(1, empty.clone()), (2, empty.clone())]
    );
    assert_eq!(
        block_on(store.value(&key("v")))
            .expect("reads")
            .expect("is there")
            .payload,
        empty
    );
    let snapshot = block_on(store.snapshot(&key("e")))
        .expect("reads")
        .expect("is there");
    assert_eq!(
        snapshot,
        Snapshot {
            sequence: 2,
            payload: empty
        }
    );
}

/// Ids are any text: nothing is a separator, a terminator, a wildcard or folded in case.
pub fn odd_ids_stay_apart_and_come_back_unchanged(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let odd = [
        "a",
        "A",
        "a ",
        " a",
        "a\0",
        "\0",
        "a\0b",
        "'",
        "\"",
        "''; DROP TABLE events; --",
        "|",
        "a|b",
        "-",
        "a-b",
        "%",
        "_",
        "\\",
        "żółw",
        "z\u{307}",
        "ż",
        "🐢",
        "\u{10ffff}",
        "\u{feff}a",
        "\r\n",
        "NULL",
        "0",
        "00",
        "1e0",
    ];
    let keys: Vec<EntityKey> = odd
        .iter()
        .flat_map(|id| [("p", *id), (*id, "e"), ("p|a", *id)])
        .map(|(p, e)| EntityKey::new(p, e).expect("valid"))
        .collect();
    for (number, entity) in keys.iter().enumerate() {
        applied(&store, write_events(entity, 0, vec![event(number.to_string())]));
    }
    let store = open(&backend);
    for (number, entity) in keys.iter().enumerate() {
        assert_eq!(
            all_events(&store, entity),
            vec![(1, event(number.to_string()))],
            "{entity}"
        );
    }
    let mut listed: Vec<String> = block_on(store.entities("p", None, 1000))
        .expect("lists")
        .into_iter()
        .map(|info| info.entity.entity_id().to_string())
        .collect();
    listed.sort();
    let mut expected: Vec<String> = odd.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(listed, expected);
}

/// Both ids at 1,024 bytes, differing in the last byte only.
pub fn ids_at_the_size_limit_are_stored(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let long = |last: char| format!("{}{last}", "x".repeat(MAX_ID_BYTES - 1));
    for last in ['a', 'b'] {
        let entity = EntityKey::new(long('p'), long(last)).expect("valid");
        applied(&store, write_events(&entity, 0, vec![event(last.to_string())]));
    }
    let store = open(&backend);
    for last in ['a', 'b'] {
        let entity = EntityKey::new(long('p'), long(last)).expect("valid");
        assert_eq!(all_events(&store, &entity), vec![(1, event(last.to_string()))]);
    }
}

/// Reading makes nothing.
pub fn an_absent_entity_reads_as_nothing(fresh: Fresh<'_>) {
    let store = open(&fresh());
    assert!(all_events(&store, &key("none")).is_empty());
    assert_eq!(block_on(store.snapshot(&key("none"))).expect("reads"), None);
    assert_eq!(block_on(store.value(&key("none"))).expect("reads"), None);
    assert!(
        block_on(store.entities("cart", None, 10))
            .expect("lists")
            .is_empty()
    );
}

/// What an activation reads is the newest snapshot and the events behind it, in pages.
pub fn a_recovery_is_the_snapshot_and_what_follows(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let (cart, other) = (key("a"), key("b"));
    let recovery = |entity, max_bytes| block_on(store.recovery(entity, max_bytes)).expect("reads");
    assert_eq!(recovery(&cart, 1 << 20), Recovery::default(), "an absent entity");
    applied(
        &store,
        write_events(&cart, 0, (1..=30).map(|n| event(n.to_string())).collect()),
    );
    let all = recovery(&cart, 1 << 20);
    assert_eq!((all.snapshot, all.page.more), (None, false));
    assert_eq!(all.page.events, all_events(&store, &cart));
    let snapshot = Snapshot {
        sequence: 28,
        payload: event("state"),
    };
    store.save_snapshot(&cart, snapshot.clone());
    applied(
        &store,
        write_events(&other, 0, vec![event("behind the snapshot")]),
    );
    let rest = recovery(&cart, 1 << 20);
    assert_eq!((rest.snapshot, rest.page.more), (Some(snapshot), false));
    assert_eq!(rest.page.events, [(29, event("29")), (30, event("30"))]);
    let first = recovery(&cart, 1);
    assert_eq!(
        (first.page.events, first.page.more),
        (vec![(29, event("29"))], true)
    );
}

/// A late, older snapshot does not replace a newer one.
pub fn the_newest_snapshot_wins(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let cart = key("a");
    applied(
        &store,
        write_events(&cart, 0, (0..30).map(|n| event(n.to_string())).collect()),
    );
    for sequence in [10, 30, 20] {
        store.save_snapshot(
            &cart,
            Snapshot {
                sequence,
                payload: event(sequence.to_string()),
            },
        );
        applied(
            &store,
            write_events(&key(&sequence.to_string()), 0, vec![event("flush")]),
        );
    }
    block_on(store.close()).expect("closes");
    let store = open(&backend);
    let snapshot = block_on(store.snapshot(&cart)).expect("reads");
    assert_eq!(
        snapshot,
        Some(Snapshot {
            sequence: 30,
            payload: event("30")
        })
    );
    assert_eq!(all_events(&store, &cart).len(), 30, "events stay");
}

/// Snapshots from several threads beside commits.
pub fn concurrent_snapshots_leave_the_newest(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let cart = key("a");
    applied(
        &store,
        write_events(&cart, 0, (0..400).map(|n| event(n.to_string())).collect()),
    );
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (store, cart) = (&store, &cart);
            scope.spawn(move || {
                for n in 0..100 {
                    let sequence = 4 * n + thread + 1;
                    store.save_snapshot(
                        cart,
                        Snapshot {
                            sequence,
                            payload: event(sequence.to_string()),
                        },
                    );
                    if n % 10 == 0 {
                        let own = key(&format!("{thread}-{n}"));
                        applied(store, write_events(&own, 0, vec![event("x")]));
                    }
                }
            });
        }
    });
    block_on(store.close()).expect("closes");
    let snapshot = block_on(open(&backend).snapshot(&cart)).expect("reads");
    assert_eq!(
        snapshot,
        Some(Snapshot {
            sequence: 400,
            payload: event("400")
        })
    );
}

/// Everything that was applied is there for the next owner.
pub fn a_store_opened_again_holds_what_was_committed(fresh: Fresh<'_>) {
    let backend = fresh();
    let binary = Payload {
        type_url: "json.cloudstate.io/x".into(),
        value: Bytes::from(vec![0u8, 255, 1, 0]),
    };
    let store = open(&backend);
    applied(&store, write_events(&key("a"), 0, vec![binary.clone()]));
    let version = applied(&store, put(&key("v"), None, binary.clone()));
    block_on(store.close()).expect("closes");
    let store = open(&Arc::clone(&backend));
    assert_eq!(all_events(&store, &key("a")), vec![(1, binary.clone())]);
    let value = block_on(store.value(&key("v")))
        .expect("reads")
        .expect("is there");
    assert_eq!((value.payload, value.version), (binary, version));
}
