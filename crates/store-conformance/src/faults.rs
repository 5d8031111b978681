//! Outcomes that the store did not say at once.

use std::sync::Arc;
use std::time::Duration;

use cloudstate_store::{Backend, Options, Outcome, Store, Verdict, block_on};

use crate::commits::{record, with_record};
use crate::support::*;
use crate::{Fault, Faulty};

fn faulty(fresh: Fresh<'_>) -> (Faulty, Store) {
    let faulty = Faulty::new(fresh());
    let backend: Arc<dyn Backend> = Arc::new(faulty.clone());
    let options = Options {
        resolve_within: Duration::from_millis(50),
        ..options()
    };
    (faulty, open_with(&backend, options))
}

/// The commit is there, so it is answered as applied, once.
pub fn a_lost_answer_is_found_by_the_commit_id(fresh: Fresh<'_>) {
    let (faulty, store) = faulty(fresh);
    let (cart, user) = (key("a"), key("u"));
    faulty.next_batches([Fault::LoseAnswer, Fault::LoseAnswer]);
    applied(&store, write_events(&cart, 0, vec![event("one"), event("two")]));
    let version = applied(&store, put(&user, None, event("v")));
    assert_eq!(
        block_on(store.value(&user)).expect("reads").map(|v| v.version),
        Some(version)
    );
    applied(&store, write_events(&cart, 2, vec![event("three")]));
    assert_eq!(all_events(&store, &cart).len(), 3);
}

/// The commit is not there, so it is answered as not applied, and can be tried again.
pub fn a_lost_write_is_known_not_to_have_applied(fresh: Fresh<'_>) {
    let (faulty, store) = faulty(fresh);
    let cart = key("a");
    applied(&store, write_events(&cart, 0, vec![event("one")]));
    faulty.next_batches([Fault::LoseBatch]);
    assert_outcome!(
        outcome(&store, write_events(&cart, 1, vec![event("two")])),
        Outcome::NotApplied(_)
    );
    applied(&store, write_events(&cart, 1, vec![event("again")]));
    assert_eq!(
        all_events(&store, &cart),
        vec![(1, event("one")), (2, event("again"))]
    );
}

/// As long as the shard cannot be taken, nobody knows; later commits are refused, known not executed.
pub fn an_outcome_that_cannot_be_learned_is_unknown(fresh: Fresh<'_>) {
    let (faulty, store) = faulty(fresh);
    let cart = key("a");
    faulty.next_batches([Fault::LoseAnswer]);
    faulty.fail_takes(usize::MAX);
    assert_outcome!(
        outcome(&store, write_events(&cart, 0, vec![event("one")])),
        Outcome::Unknown
    );
    assert_outcome!(
        outcome(&store, write_events(&cart, 0, vec![event("x")])),
        Outcome::NotApplied(_)
    );
    assert_eq!(store.stats().unknown, 1);
    assert!(store.stats().failing.is_some());
}

/// Once the shard can be taken, it is, and what the unknown commit did counts.
pub fn after_an_unknown_outcome_the_store_goes_on(fresh: Fresh<'_>) {
    for (fault, there) in [(Fault::LoseAnswer, 1), (Fault::LoseBatch, 0)] {
        let (faulty, store) = faulty(fresh);
        let cart = key("a");
        faulty.next_batches([fault]);
        faulty.fail_takes(usize::MAX);
        assert_outcome!(
            outcome(&store, write_events(&cart, 0, vec![event("one")])),
            Outcome::Unknown
        );
        faulty.fail_takes(0);
        assert_outcome!(
            outcome(&store, write_events(&cart, 1 - there, vec![event("x")])),
            Outcome::Conflict
        );
        applied(&store, write_events(&cart, there, vec![event("next")]));
        assert_eq!(all_events(&store, &cart).len() as u64, there + 1);
        assert!(store.stats().failing.is_none());
    }
}

/// A batch that was answered as not applied does not apply later.
pub fn a_write_in_flight_is_fenced_by_the_search_for_it(fresh: Fresh<'_>) {
    let (faulty, store) = faulty(fresh);
    let cart = key("a");
    faulty.next_batches([Fault::Delay]);
    assert_outcome!(
        outcome(&store, write_events(&cart, 0, vec![event("late")])),
        Outcome::NotApplied(_)
    );
    let arrived = faulty.arrived();
    assert!(matches!(arrived[..], [Verdict::Fenced]), "{arrived:?}");
    assert!(all_events(&store, &cart).is_empty());
    applied(&store, write_events(&cart, 0, vec![event("one")]));
}

/// After a known failure the same commit can be tried again.
pub fn a_failing_batch_leaves_the_entity_as_it_was(fresh: Fresh<'_>) {
    let (faulty, store) = faulty(fresh);
    let (cart, user) = (key("a"), key("u"));
    for round in 0..3 {
        faulty.next_batches([Fault::Refuse, Fault::Refuse]);
        assert_outcome!(
            outcome(&store, write_events(&cart, round, vec![event("x")])),
            Outcome::NotApplied(_)
        );
        assert_outcome!(
            outcome(&store, put(&user, None, event("x"))),
            Outcome::NotApplied(_)
        );
        assert!(store.stats().failing.is_some());
        applied(&store, write_events(&cart, round, vec![event("x")]));
        assert!(store.stats().failing.is_none());
    }
    assert_eq!(all_events(&store, &cart).len(), 3);
    // What was refused is not counted as stored.
    let (stats, size) = (store.stats(), event("x").size() as u64);
    assert_eq!((stats.applied, stats.failed), (3, 6));
    assert_eq!((stats.events, stats.bytes), (3, 3 * size));
    assert_eq!(block_on(store.value(&user)).expect("reads"), None);
}

/// A commit needs no event to be found.
pub fn lost_idempotency_records_and_deletes_are_found_too(fresh: Fresh<'_>) {
    let (faulty, store) = faulty(fresh);
    let user = key("u");
    let version = applied(&store, put(&user, None, event("v")));
    faulty.next_batches([Fault::LoseAnswer]);
    applied(&store, delete(&user, Some(version)));
    assert_eq!(block_on(store.value(&user)).expect("reads"), None);
    faulty.next_batches([Fault::LoseAnswer]);
    applied(&store, with_record(&user, "k", 1, 2));
    assert_eq!(
        block_on(store.idempotency(&user, "k")).expect("reads"),
        Some(record("k", 1, 2))
    );
    faulty.next_batches([Fault::LoseBatch]);
    assert_outcome!(
        outcome(&store, with_record(&user, "l", 1, 2)),
        Outcome::NotApplied(_)
    );
    assert_eq!(block_on(store.idempotency(&user, "l")).expect("reads"), None);
}
