//! A closed loop of `AddItem` calls against anything that serves the shopping cart:
//! `load --address 127.0.0.1:9000 --in-flight 64 --entities 64 --pid 4711`.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use cloudstate_bench::{load, shopping_cart};

#[derive(Parser)]
struct Arguments {
    /// Host and port that take the calls.
    #[arg(long)]
    address: String,
    /// Calls in flight.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Carts, each called in turn.
    #[arg(long, default_value_t = 64)]
    entities: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// A process whose CPU time is shown for each call; repeat for more.
    #[arg(long)]
    pid: Vec<u32>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let plan = load::Plan {
        address: arguments.address,
        path: shopping_cart::ADD_ITEM.to_owned(),
        requests: shopping_cart::add_item_frames(0..arguments.entities),
        in_flight: arguments.in_flight,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(arguments.seconds),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    let mut outcome = runtime.block_on(load::run(&plan, &arguments.pid))?;
    let (p50, p99) = (
        outcome.latencies.percentile(50.0),
        outcome.latencies.percentile(99.0),
    );
    println!(
        "{:.0} calls/s, p50 {p50:.1?}, p99 {p99:.1?}",
        outcome.throughput()
    );
    for (index, pid) in arguments.pid.iter().enumerate() {
        println!(
            "process {pid}: {:.2} µs CPU a call",
            outcome.cpu_micros_per_call(index)
        );
    }
    Ok(())
}
