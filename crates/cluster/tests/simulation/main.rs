//! Whole clusters in one process and one thread: real nodes with real links over a simulated network, all from a seed. One file for
//! each invariant.
//!
//! `SIMULATION_SEED=<n>` runs one seed of each invariant; `SIMULATION_SEEDS=<n>` so many instead of the few that every run
//! of the tests does. What fails prints how to run it again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    unreachable_pub,
    reason = "a failure of a test is a panic, and all is one crate"
)]

mod bounded_memory;
mod convergence;
mod faults;
mod majority;
mod network;
mod no_zombies;
mod pruning;
mod soak;
mod world;

/// Runs an invariant for its seeds.
fn for_seeds(name: &str, run: fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(4),
    };
    for seed in seeds {
        run_seed(name, run, seed);
    }
}

fn run_seed(name: &str, run: fn(u64), seed: u64) {
    let outcome = std::panic::catch_unwind(|| run(seed));
    assert!(
        outcome.is_ok(),
        "again: SIMULATION_SEED={seed} cargo test -p cloudstate-cluster --test simulation {name}"
    );
}
