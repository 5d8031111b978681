//! What a commit does, and when it is refused.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cloudstate_store::{
    Change, EntityKey, Error, Expected, Idempotency, Options, Outcome, Store, Write, block_on, shard_of,
};

use crate::support::*;

/// Sequences count from 1 and events come back in order.
pub fn events_apply_in_order_and_are_read_back(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let cart = key("a");
    applied(&store, write_events(&cart, 0, vec![event("one")]));
    applied(&store, write_events(&cart, 1, vec![event("two"), event("three")]));
    let expected = vec![(1, event("one")), (2, event("two")), (3, event("three"))];
    assert_eq!(all_events(&store, &cart), expected);
}

/// A commit that skips a sequence is refused and leaves nothing.
pub fn a_sequence_gap_conflicts(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let cart = key("a");
    assert_outcome!(
        outcome(&store, write_events(&cart, 1, vec![event("x")])),
        Outcome::Conflict
    );
    applied(&store, write_events(&cart, 0, vec![event("one")]));
    assert_outcome!(
        outcome(&store, write_events(&cart, 2, vec![event("x")])),
        Outcome::Conflict
    );
    assert_eq!(all_events(&store, &cart), vec![(1, event("one"))]);
}

/// The same sequence is written once, also when another store of the same backend asks.
pub fn a_repeated_sequence_conflicts(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let cart = key("a");
    applied(&store, write_events(&cart, 0, vec![event("one"), event("two")]));
    for after in [0, 1] {
        assert_outcome!(
            outcome(&store, write_events(&cart, after, vec![event("x")])),
            Outcome::Conflict
        );
    }
    let later = open(&backend);
    assert_outcome!(
        outcome(&later, write_events(&cart, 1, vec![event("x")])),
        Outcome::Conflict
    );
    applied(&later, write_events(&cart, 2, vec![event("three")]));
    assert_eq!(all_events(&later, &cart).len(), 3);
}

/// Of a refused commit no event is there; of an applied one all are.
pub fn a_commit_of_several_events_is_all_or_nothing(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let cart = key("a");
    let many: Vec<_> = (0..500).map(|n| event(n.to_string())).collect();
    assert_outcome!(
        outcome(&store, write_events(&cart, 3, many.clone())),
        Outcome::Conflict
    );
    assert!(all_events(&store, &cart).is_empty());
    applied(&store, write_events(&cart, 0, many));
    assert_eq!(all_events(&store, &cart).len(), 500);
}

/// Whatever is written, deleted or opened anew: the next offset of a shard is higher.
pub fn offsets_rise_in_each_shard_and_are_never_reused(fresh: Fresh<'_>) {
    let backend = fresh();
    let mut last: HashMap<u32, u64> = HashMap::new();
    let mut rises = |entity: &EntityKey, offset: u64| {
        let before = last.insert(shard_of(entity, 8).number(), offset).unwrap_or(0);
        assert!(offset > before, "{entity}: {offset} after {before}");
    };
    for round in 0..3u64 {
        let store = open(&backend);
        for number in 0..20 {
            let (cart, value) = (key(&format!("c{number}")), key(&format!("v{number}")));
            rises(
                &cart,
                applied(
                    &store,
                    write_events(&cart, 2 * round, vec![event("x"), event("y")]),
                ),
            );
            let version = applied(&store, put(&value, None, event("v")));
            rises(&value, version);
            rises(&value, applied(&store, delete(&value, Some(version))));
            rises(
                &cart,
                applied(&store, with_record(&cart, &format!("k{round}"), 0, 1)),
            );
        }
        block_on(store.close()).expect("closes");
    }
}

/// A value has the version of its last put.
pub fn a_value_is_put_replaced_and_deleted(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let user = key("u");
    let first = applied(&store, put(&user, None, event("one")));
    let second = applied(&store, put(&user, Some(first), event("two")));
    let stored = block_on(store.value(&user)).expect("reads").expect("is there");
    assert_eq!((stored.payload, stored.version), (event("two"), second));
    applied(&store, delete(&user, Some(second)));
    assert_eq!(block_on(store.value(&user)).expect("reads"), None);
}

/// A put or delete from an old version is refused.
pub fn a_stale_version_conflicts(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let user = key("u");
    let first = applied(&store, put(&user, None, event("one")));
    applied(&store, put(&user, Some(first), event("two")));
    for stale in [None, Some(first), Some(first + 1000)] {
        assert_outcome!(outcome(&store, put(&user, stale, event("x"))), Outcome::Conflict);
        assert_outcome!(outcome(&store, delete(&user, stale)), Outcome::Conflict);
    }
    let stored = block_on(store.value(&user)).expect("reads").expect("is there");
    assert_eq!(stored.payload, event("two"));
}

/// After a delete the entity is as one that never was, also for a later owner.
pub fn a_deleted_value_can_be_created_again(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let user = key("u");
    let first = applied(&store, put(&user, None, event("one")));
    applied(&store, delete(&user, Some(first)));
    assert_outcome!(
        outcome(&store, put(&user, Some(first), event("x"))),
        Outcome::Conflict
    );
    applied(&store, delete(&user, None));
    let store = open(&backend);
    let again = applied(&store, put(&user, None, event("two")));
    let stored = block_on(store.value(&user)).expect("reads").expect("is there");
    assert_eq!((stored.payload, stored.version), (event("two"), again));
}

/// Events with an expected version, or a value with an expected sequence, is a bug of the caller.
pub fn events_and_values_do_not_mix(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let wrong = Write {
        expected: Expected::Version(None),
        ..write_events(&key("a"), 0, vec![event("x")])
    };
    assert_outcome!(
        outcome(&store, wrong),
        Outcome::NotApplied(Error::InvalidWrite { .. })
    );
    let wrong = Write {
        expected: Expected::Sequence(0),
        ..put(&key("a"), None, event("x"))
    };
    assert_outcome!(
        outcome(&store, wrong),
        Outcome::NotApplied(Error::InvalidWrite { .. })
    );
}

/// The first owner's commits are refused from the moment that another has taken the shards.
pub fn a_later_owner_fences_the_earlier(fresh: Fresh<'_>) {
    let backend = fresh();
    let earlier = open(&backend);
    let (cart, user) = (key("a"), key("u"));
    applied(&earlier, write_events(&cart, 0, vec![event("one")]));
    let later = open(&backend);
    assert_outcome!(
        outcome(&earlier, write_events(&cart, 1, vec![event("lost")])),
        Outcome::Fenced
    );
    assert_outcome!(
        outcome(&earlier, put(&user, None, event("lost"))),
        Outcome::Fenced
    );
    assert_outcome!(outcome(&earlier, with_record(&cart, "k", 0, 9)), Outcome::Fenced);
    applied(&later, write_events(&cart, 1, vec![event("two")]));
    assert_outcome!(
        outcome(&earlier, write_events(&cart, 2, vec![event("lost")])),
        Outcome::Fenced
    );
    assert_eq!(
        all_events(&later, &cart),
        vec![(1, event("one")), (2, event("two"))]
    );
    assert_eq!(block_on(later.value(&user)).expect("reads"), None);
    assert_eq!(block_on(later.idempotency(&cart, "k")).expect("reads"), None);
}

/// The number of shards is fixed; the refusal names both numbers.
pub fn another_layout_is_refused(fresh: Fresh<'_>) {
    let backend = fresh();
    block_on(open(&backend).close()).expect("closes");
    let other = Options {
        shards: 9,
        ..options()
    };
    let refused = block_on(Store::open(Arc::clone(&backend), other))
        .err()
        .expect("refused")
        .to_string();
    assert!(
        refused.contains("8 shards") && refused.contains("9 shards"),
        "{refused}"
    );
    drop(open(&backend));
}

/// A caller may commit again before the answer: the order of calls holds.
pub fn commits_of_one_entity_keep_their_order_without_waiting(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let (cart, other) = (key("a"), key("b"));
    let waiting: Vec<_> = (0..200)
        .flat_map(|n| [&cart, &other].map(|k| store.commit(write_events(k, n, vec![event(n.to_string())]))))
        .collect();
    let offsets: Vec<u64> = waiting
        .into_iter()
        .map(|commit| match block_on(commit) {
            Outcome::Applied { offset } => offset,
            other => panic!("not applied: {other:?}"),
        })
        .collect();
    assert!(offsets.is_sorted(), "offsets follow the order of calls");
    let texts: Vec<_> = all_events(&store, &cart)
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    assert_eq!(texts, (0..200).map(|n| event(n.to_string())).collect::<Vec<_>>());
}

/// Beyond the limit commits are refused at once, known not executed, and the store goes on.
pub fn a_full_queue_sheds_and_recovers(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open_with(
        &backend,
        Options {
            queue_commits: 4,
            ..options()
        },
    );
    let carts: Vec<EntityKey> = (0..2000).map(|n| key(&n.to_string())).collect();
    let waiting: Vec<_> = carts
        .iter()
        .map(|cart| store.commit(write_events(cart, 0, vec![event("x")])))
        .collect();
    let mut shed = 0;
    for (cart, commit) in carts.iter().zip(waiting) {
        let there = match block_on(commit) {
            Outcome::Applied { .. } => 1,
            Outcome::NotApplied(Error::Overloaded { .. }) => 0,
            other => panic!("{other:?}"),
        };
        shed += 1 - there;
        assert_eq!(all_events(&store, cart).len(), there, "{cart}");
    }
    assert_eq!(store.stats().shed, shed as u64);
    assert_eq!(store.stats().queued, 0);
    applied(&store, write_events(&key("after"), 0, vec![event("x")]));
}

/// Closing writes what was accepted; afterwards nothing is.
pub fn a_closed_store_refuses_and_has_written_what_waited(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let waiting: Vec<_> = (0..50)
        .map(|n| store.commit(write_events(&key(&n.to_string()), 0, vec![event("x")])))
        .collect();
    block_on(store.close()).expect("closes");
    for commit in waiting {
        assert_outcome!(block_on(commit), Outcome::Applied { .. });
    }
    assert_outcome!(
        outcome(&store, write_events(&key("late"), 0, vec![event("x")])),
        Outcome::NotApplied(Error::Closed)
    );
    block_on(store.close()).expect("closing twice is fine");
}

pub(crate) fn record(key: &str, recorded: u64, expires: u64) -> Idempotency {
    Idempotency {
        key: key.to_owned(),
        recorded,
        expires,
        answer: Bytes::from(format!("answer to {key}")),
    }
}

/// A commit of nothing but a record.
pub(crate) fn with_record(entity: &EntityKey, key: &str, recorded: u64, expires: u64) -> Write {
    let idempotency = Some(record(key, recorded, expires));
    Write {
        entity: entity.clone(),
        expected: Expected::Version(None),
        change: Change::None,
        idempotency,
    }
}

/// Events and record are there together, byte for byte.
pub fn an_idempotency_record_is_written_with_its_commit(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let cart = key("a");
    let idempotency = Some(record("k'|\0", 10, 20));
    applied(
        &store,
        Write {
            idempotency,
            ..write_events(&cart, 0, vec![event("one")])
        },
    );
    let refused = Write {
        idempotency: Some(record("other", 10, 20)),
        ..write_events(&cart, 0, vec![event("x")])
    };
    assert_outcome!(outcome(&store, refused), Outcome::Conflict);
    let store = open(&backend);
    assert_eq!(
        block_on(store.idempotency(&cart, "k'|\0")).expect("reads"),
        Some(record("k'|\0", 10, 20))
    );
    assert_eq!(
        block_on(store.idempotency(&cart, "other")).expect("reads"),
        None,
        "refused with its events"
    );
    assert_eq!(
        block_on(store.idempotency(&key("b"), "k'|\0")).expect("reads"),
        None,
        "a key is of its entity"
    );
}

/// A command without events is remembered too, and changes neither sequence nor version.
pub fn an_idempotency_record_is_written_without_events(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let cart = key("a");
    applied(&store, with_record(&cart, "k", 10, 20));
    assert_eq!(
        block_on(store.idempotency(&cart, "k")).expect("reads"),
        Some(record("k", 10, 20))
    );
    applied(&store, write_events(&cart, 0, vec![event("one")]));
}

/// Whether a key may be used again depends on the times in the records alone.
pub fn a_live_idempotency_key_conflicts_and_an_expired_one_is_replaced(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let cart = key("a");
    applied(&store, with_record(&cart, "k", 10, 20));
    let again = |recorded| Write {
        idempotency: Some(record("k", recorded, 40)),
        ..write_events(&cart, 0, vec![event("one")])
    };
    assert_outcome!(outcome(&store, again(19)), Outcome::Conflict);
    assert!(
        all_events(&store, &cart).is_empty(),
        "the events of a refused commit are not there"
    );
    applied(&store, again(20));
    assert_eq!(
        block_on(store.idempotency(&cart, "k")).expect("reads"),
        Some(record("k", 20, 40))
    );
}
