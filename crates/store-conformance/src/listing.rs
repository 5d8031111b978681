//! Inspection.

use cloudstate_store::{EntityKey, Snapshot, block_on, shard_of};

use crate::support::*;

/// Pages of entities join without gap or overlap, and tell what each holds.
pub fn entities_are_listed_in_pages(fresh: Fresh<'_>) {
    let store = open(&fresh());
    for n in 0..25 {
        applied(
            &store,
            write_events(&key(&format!("{n:02}")), 0, vec![event("x"), event("y")]),
        );
        let other = EntityKey::new("carts", n.to_string()).expect("valid");
        applied(&store, put(&other, None, event("v")));
    }
    store.save_snapshot(
        &key("07"),
        Snapshot {
            sequence: 1,
            payload: event("s"),
        },
    );
    let version = applied(&store, put(&key("99"), None, event("v")));
    let mut listed = Vec::new();
    loop {
        let after = listed
            .last()
            .map(|info: &cloudstate_store::EntityInfo| info.entity.entity_id().to_string());
        let page = block_on(store.entities("cart", after.as_deref(), 10)).expect("lists");
        assert!(page.len() <= 10);
        if page.is_empty() {
            break;
        }
        listed.extend(page);
    }
    let ids: Vec<String> = listed
        .iter()
        .map(|info| info.entity.entity_id().to_string())
        .collect();
    let expected: Vec<String> = (0..25).chain([99]).map(|n| format!("{n:02}")).collect();
    assert_eq!(ids, expected);
    let seven = &listed[7];
    assert_eq!(
        (seven.sequence, seven.snapshot, seven.version),
        (2, Some(1), None)
    );
    assert_eq!(seven.shard, shard_of(&key("07"), 8));
    assert_eq!((listed[25].sequence, listed[25].version), (0, Some(version)));
}

/// Every persistence id once, in byte order.
pub fn persistence_ids_are_listed_in_pages(fresh: Fresh<'_>) {
    let store = open(&fresh());
    for persistence_id in ["b", "a", "c", "a\0", "B"] {
        for entity_id in ["1", "2"] {
            let entity = EntityKey::new(persistence_id, entity_id).expect("valid");
            applied(&store, write_events(&entity, 0, vec![event("x")]));
        }
    }
    let page = |after| {
        let ids = block_on(store.persistence_ids(after, 2)).expect("lists");
        ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None), ["B", "a"]);
    assert_eq!(page(Some("a")), ["a\0", "b"]);
    assert_eq!(page(Some("b")), ["c"]);
    assert!(page(Some("c")).is_empty());
}

/// All shards are listed, whoever has none of the entities too.
pub fn shards_tell_epoch_owner_and_entities(fresh: Fresh<'_>) {
    let backend = fresh();
    let first = block_on(open(&backend).shards()).expect("lists");
    let store = open(&backend);
    for n in 0..40 {
        applied(&store, write_events(&key(&n.to_string()), 0, vec![event("x")]));
    }
    let shards = block_on(store.shards()).expect("lists");
    assert_eq!(shards.len(), 8);
    assert_eq!(shards.iter().map(|s| s.entities).sum::<u64>(), 40);
    for (before, now) in first.iter().zip(&shards) {
        assert!(now.epoch > before.epoch);
        assert!(now.owner.is_some() && now.owner != before.owner);
        let own = (0..40)
            .filter(|n| shard_of(&key(&n.to_string()), 8) == now.shard)
            .count();
        assert_eq!(now.entities, own as u64);
    }
}
