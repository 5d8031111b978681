//! Reading the logs of shards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cloudstate_store::{Cursor, LogChange, LogEntry, ShardId, Store, block_on, shard_of};

use crate::support::*;

fn start() -> Vec<Cursor> {
    (0..8)
        .map(|n| Cursor {
            shard: ShardId::new(n),
            after: 0,
        })
        .collect()
}

fn read_all(store: &Store, mut cursors: Vec<Cursor>, max_bytes: usize) -> (Vec<LogEntry>, Vec<Cursor>) {
    let mut entries = Vec::new();
    loop {
        let page = block_on(store.log(&cursors, max_bytes)).expect("reads");
        entries.extend(page.entries);
        cursors = page.cursors;
        if !page.more {
            return (entries, cursors);
        }
    }
}

/// All entries of all shards, each in its own shard's order; a second read from the cursors finds only what is new.
pub fn a_shard_log_is_read_in_order_after_its_cursor(fresh: Fresh<'_>) {
    let store = open(&fresh());
    for n in 0..30 {
        let cart = key(&format!("c{}", n % 10));
        applied(
            &store,
            write_events(
                &cart,
                2 * (n / 10),
                vec![event(format!("{n}a")), event(format!("{n}b"))],
            ),
        );
    }
    let (entries, cursors) = read_all(&store, start(), 1 << 20);
    assert_eq!(entries.len(), 60);
    check_order(&entries);
    assert!(entries.iter().all(|e| e.shard == shard_of(&e.entity, 8)));
    applied(&store, write_events(&key("c0"), 6, vec![event("new")]));
    let (new, _) = read_all(&store, cursors, 1 << 20);
    assert_eq!(new.len(), 1);
    assert_eq!(
        new[0].change,
        LogChange::Event {
            sequence: 7,
            payload: event("new")
        }
    );
    let one = vec![Cursor {
        shard: shard_of(&key("c0"), 8),
        after: 0,
    }];
    let (own, _) = read_all(&store, one.clone(), 1 << 20);
    assert!(own.iter().all(|e| e.shard == one[0].shard) && own.contains(&new[0]));
}

fn check_order(entries: &[LogEntry]) {
    let mut last: HashMap<ShardId, u64> = HashMap::new();
    for entry in entries {
        let before = last.insert(entry.shard, entry.offset).unwrap_or(0);
        assert!(entry.offset > before, "{entry:?} after {before}");
    }
}

/// While writers commit, a tail reader that never looks back misses nothing.
pub fn a_log_is_prefix_stable_while_commits_go_on(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let done = AtomicBool::new(false);
    let total = 4 * 60;
    std::thread::scope(|scope| {
        let tail = scope.spawn(|| {
            let (mut seen, mut cursors) = (Vec::new(), start());
            loop {
                let last = done.load(Ordering::SeqCst);
                let (entries, next) = read_all(&store, cursors, 300);
                seen.extend(entries);
                cursors = next;
                if last {
                    return seen;
                }
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..60 {
                        let cart = key(&format!("{writer}-{}", n % 5));
                        applied(store, write_events(&cart, n / 5, vec![event("x")]));
                    }
                })
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().expect("writes"));
        done.store(true, Ordering::SeqCst);
        let seen = tail.join().expect("reads");
        assert_eq!(seen.len(), total, "nothing appeared behind the reader");
        check_order(&seen);
    });
}

/// Of a value the log has one entry, at the offset of its latest change.
pub fn a_log_holds_only_the_latest_change_of_a_value(fresh: Fresh<'_>) {
    let store = open(&fresh());
    let first = applied(&store, put(&key("v"), None, event("one")));
    applied(&store, put(&key("w"), None, event("w")));
    let second = applied(&store, put(&key("v"), Some(first), event("two")));
    let of_v = |entries: Vec<LogEntry>| {
        entries
            .into_iter()
            .filter(|e| e.entity == key("v"))
            .collect::<Vec<_>>()
    };
    let entries = of_v(read_all(&store, start(), 1 << 20).0);
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].offset, &entries[0].change),
        (second, &LogChange::Put(event("two")))
    );
    let third = applied(&store, delete(&key("v"), Some(second)));
    let entries = of_v(read_all(&store, start(), 1 << 20).0);
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].offset, &entries[0].change),
        (third, &LogChange::Delete)
    );
}

/// However small the page, the log comes whole, without repetition.
pub fn a_small_page_goes_on_where_it_ended(fresh: Fresh<'_>) {
    let store = open(&fresh());
    for n in 0..40 {
        applied(
            &store,
            write_events(&key(&n.to_string()), 0, vec![event("e"), event("f")]),
        );
        applied(&store, put(&key(&format!("v{n}")), None, event("v")));
    }
    let (whole, _) = read_all(&store, start(), 1 << 20);
    assert_eq!(whole.len(), 120);
    for max_bytes in [1, 70, 500] {
        let (mut pieces, _) = read_all(&store, start(), max_bytes);
        check_order(&pieces);
        pieces.sort_by_key(|e| (e.shard, e.offset));
        let mut expected = whole.clone();
        expected.sort_by_key(|e| (e.shard, e.offset));
        assert_eq!(pieces, expected, "pages of {max_bytes} bytes");
    }
}

/// Offsets are kept for each consumer and shard, and survive the process.
pub fn a_consumer_keeps_an_offset_a_shard(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    let cursor = |shard, after| Cursor {
        shard: ShardId::new(shard),
        after,
    };
    for (consumer, at) in [
        ("one", cursor(0, 5)),
        ("one", cursor(3, 7)),
        ("two|\0", cursor(0, 9)),
        ("one", cursor(0, 6)),
    ] {
        block_on(store.put_offset(consumer, at)).expect("kept");
    }
    block_on(store.close()).expect("closes");
    let store = open(&Arc::clone(&backend));
    let read = |consumer| {
        let mut cursors = block_on(store.offsets(consumer)).expect("reads");
        cursors.sort_by_key(|c| c.shard);
        cursors
    };
    assert_eq!(read("one"), vec![cursor(0, 6), cursor(3, 7)]);
    assert_eq!(read("two|\0"), vec![cursor(0, 9)]);
    assert!(read("three").is_empty());
}
