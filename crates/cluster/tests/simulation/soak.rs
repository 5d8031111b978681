//! Seeds without end: `SOAK_SECONDS=600 cargo test -p cloudstate-cluster --release --test simulation soak -- --ignored` goes on where
//! the last one ended. How many seeds have passed is kept beside this file.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::{convergence, majority, no_zombies, run_seed};

#[test]
#[ignore = "runs as long as it is told"]
fn soak() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/soak.txt");
    let passed = std::fs::read_to_string(&path).unwrap_or_default();
    let mut seed: u64 = passed.trim().parse().unwrap_or(0);
    let seconds = std::env::var("SOAK_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        match seed % 3 {
            0 => run_seed("convergence", convergence::run, seed),
            1 => run_seed("majority", majority::run, seed),
            _ => run_seed("no_zombies", no_zombies::run, seed),
        }
        seed += 1;
        std::fs::write(&path, format!("{seed}\n")).expect("the count can be kept");
    }
    println!("{seed} seeds have passed");
}
