//! Node leases: who may change one.

use cloudstate_store::{Lease, LeaseState, Store, block_on};

use crate::support::{Fresh, open};

fn lease(store: &Store, node: &str) -> Option<Lease> {
    let leases = block_on(store.leases().list()).expect("lists");
    leases.into_iter().find(|lease| &*lease.node == node)
}

fn claim(store: &Store, generation: u64) -> bool {
    block_on(store.leases().claim("n", generation)).expect("answers")
}

fn renew(store: &Store, generation: u64, beat: u64) -> bool {
    block_on(store.leases().renew("n", generation, beat)).expect("answers")
}

fn declare_dead(store: &Store, generation: u64, beat: u64) -> bool {
    block_on(store.leases().declare_dead("n", generation, beat)).expect("answers")
}

/// A restarted node need not wait for its former self.
pub fn a_higher_generation_takes_a_lease_over(fresh: Fresh<'_>) {
    let store = open(&fresh());
    assert!(claim(&store, 5));
    assert!(!claim(&store, 5), "the same generation twice");
    assert!(!claim(&store, 4), "an older one");
    assert!(renew(&store, 5, 1));
    assert!(claim(&store, 6));
    assert!(!renew(&store, 5, 2), "the former self learns it");
    let expected = Lease {
        node: "n".into(),
        generation: 6,
        beat: 0,
        state: LeaseState::Live,
    };
    assert_eq!(lease(&store, "n"), Some(expected));
}

/// Renewals count upwards and only while alive.
pub fn a_renewal_needs_a_live_lease_and_a_rising_beat(fresh: Fresh<'_>) {
    let store = open(&fresh());
    assert!(!renew(&store, 1, 1), "never claimed");
    assert!(claim(&store, 1));
    assert!(renew(&store, 1, 1));
    assert!(renew(&store, 1, 4));
    assert!(!renew(&store, 1, 4), "a repeated message");
    assert!(!renew(&store, 1, 3), "an old message");
    assert_eq!(lease(&store, "n").map(|l| l.beat), Some(4));
    assert!(declare_dead(&store, 1, 4));
    assert!(!renew(&store, 1, 5), "dead");
}

/// Whoever renewed in between lives.
pub fn only_an_unchanged_beat_can_be_declared_dead(fresh: Fresh<'_>) {
    let store = open(&fresh());
    assert!(!declare_dead(&store, 1, 0), "never claimed");
    assert!(claim(&store, 1));
    assert!(renew(&store, 1, 1));
    assert!(!declare_dead(&store, 1, 0));
    assert!(!declare_dead(&store, 2, 1));
    assert_eq!(lease(&store, "n").map(|l| l.state), Some(LeaseState::Live));
    assert!(declare_dead(&store, 1, 1));
    assert!(!declare_dead(&store, 1, 1), "only one contender succeeds");
    assert_eq!(lease(&store, "n").map(|l| l.state), Some(LeaseState::Dead));
}

/// Death is final for a generation, and known to the next process.
pub fn a_dead_lease_lives_again_in_a_higher_generation_only(fresh: Fresh<'_>) {
    let backend = fresh();
    let store = open(&backend);
    assert!(claim(&store, 3));
    assert!(declare_dead(&store, 3, 0));
    block_on(store.close()).expect("closes");
    let store = open(&backend);
    assert!(!claim(&store, 3));
    assert!(!renew(&store, 3, 9));
    assert!(claim(&store, 4));
    assert_eq!(lease(&store, "n").map(|l| l.state), Some(LeaseState::Live));
}
