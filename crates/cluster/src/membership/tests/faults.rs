//! Random faults, from seeds: `FAULT_SEED=<number> cargo test -p cloudstate-cluster faults` runs one again.

use super::*;

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

fn replay() -> Option<u64> {
    std::env::var("FAULT_SEED").ok()?.parse().ok()
}

/// Kills, restarts and partitions at random; then all is whole again, and all agree. That no number has two views is asserted
/// all along.
fn run(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let names = &NAMES[..rng.random_range(3..=7)];
    let mut cluster = Cluster::new(seed);
    names.iter().for_each(|name| cluster.start(name, 1_000));
    let mut generation = 100_000;
    for _ in 0..rng.random_range(3..12) {
        cluster.loss = [0.0, 0.0, 0.02, 0.1][rng.random_range(0..4)];
        let name = names[rng.random_range(0..names.len())];
        match rng.random_range(0..4) {
            0 => cluster.kill(name),
            1 if !cluster.nodes.contains_key(name) && !cluster.nodes.is_empty() => {
                generation += 1_000;
                cluster.start(name, generation);
            }
            2 => {
                let (one, other): (Vec<&str>, Vec<&str>) = names.iter().partition(|_| rng.random_bool(0.4));
                cluster.partition(&one, &other);
            }
            _ => cluster.cut.clear(),
        }
        cluster.run(Duration::from_millis(rng.random_range(50..9_000)));
    }
    cluster.cut.clear();
    cluster.loss = 0.0;
    for name in names {
        if !cluster.nodes.contains_key(*name) && !cluster.nodes.is_empty() {
            generation += 1_000;
            cluster.start(name, generation);
        }
    }
    // Until all members answer, SWIM has found them, and those that were ended are back.
    cluster.run(SECOND * 40);
    if !cluster.nodes.is_empty() {
        cluster.assert_members(names);
    }
}

#[test]
fn views_stay_one_chain_and_all_agree_when_all_is_whole_again() {
    let seeds = replay().map_or(0..60, |seed| seed..seed + 1);
    for seed in seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(
            outcome.is_ok(),
            "again: FAULT_SEED={seed} cargo test -p cloudstate-cluster faults"
        );
    }
}
