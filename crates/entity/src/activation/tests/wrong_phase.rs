//! Inputs that nothing asked for change nothing.

use crate::harness::*;
use crate::{CommitOutcome, Input};

for_both_kinds!(
    what_nobody_asked_for_is_ignored,
    a_turn_survives_what_nobody_asked_for,
    a_stopped_entity_hears_nothing,
);

type Build<K> = fn() -> Entity<K>;

/// Every phase but the one that waits for it.
fn phases<K: Subject>(but: &str) -> Vec<(&'static str, Build<K>)> {
    let phases: [(_, Build<K>); 7] = [
        ("stopped", Entity::unused),
        ("opening", Entity::opening),
        ("loading", Entity::loading),
        ("running", Entity::busy),
        ("committing", Entity::committing),
        ("idle", Entity::idle),
        ("closing", Entity::closing),
    ];
    phases.into_iter().filter(|(phase, _)| *phase != but).collect()
}

type Answers<K> = fn() -> Input<K, Client>;

fn answers<K: Subject>() -> [(&'static str, Answers<K>); 6] {
    [
        ("opening", || Input::Opened),
        ("opening", || Input::OpenFailed("refused".to_owned())),
        ("loading", || Input::Loaded(K::nothing_stored().swap_remove(0))),
        ("loading", || Input::LoadFailed("torn".to_owned())),
        ("committing", || applied(7)),
        ("committing", || Input::Committed(CommitOutcome::Unknown)),
    ]
}

fn what_nobody_asked_for_is_ignored<K: Subject>() {
    for (awaited_in, answer) in answers::<K>() {
        for (phase, entity) in phases::<K>(awaited_in) {
            let lines = entity().when(answer());
            assert!(lines.is_empty(), "{:?} while {phase}: {lines:?}", answer());
        }
    }
}

fn a_turn_survives_what_nobody_asked_for<K: Subject>() {
    let mut entity = Entity::<K>::busy();
    for (_, answer) in answers::<K>() {
        entity.when(answer());
    }
    assert_eq!(
        entity.when(replies(1, Change::Nothing)),
        ["answer a: ok", "send command 2 b", "turn"]
    );
}

fn a_stopped_entity_hears_nothing<K: Subject>() {
    let inputs = [
        replies(1, Change::Some),
        fails(0),
        Input::Message(K::empty()),
        Input::Closed(None),
        Input::TimedOut,
        Input::Passivate,
        Input::Drain,
    ];
    let mut entity = Entity::<K>::unused();
    for input in inputs {
        assert!(entity.when(input).is_empty());
    }
    assert!(entity.machine().is_stopped());
}
