//! Durable commands a second, end to end: client, proxy and function on this machine, every command one event that is
//! on the disk before its answer.
//!
//! Build as `bench/README.md` says, then run `target/release/durable`. Every figure is the median of the rounds.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use cloudstate_bench::report::{Limit, median, micros, verdict};
use cloudstate_bench::{load, shopping_cart, stage};

/// Acknowledged durable commands a second at different numbers in flight.
#[derive(Parser)]
struct Arguments {
    /// Rounds; each starts a proxy on a new store and runs all numbers in flight.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds measured for each run.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Carts, each called in turn.
    #[arg(long, default_value_t = 1_024)]
    entities: usize,
    /// Calls in flight.
    #[arg(long, value_delimiter = ',', default_value = "1,16,256")]
    in_flight: Vec<usize>,
    /// Where the stores are made; the disk decides the figures.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

/// What is measured at one number in flight in one round.
#[derive(Debug, Clone, Copy)]
struct Sample {
    throughput: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
    function_cpu: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let mut samples = vec![Vec::new(); arguments.in_flight.len()];
    for _ in 0..arguments.rounds {
        for (samples, sample) in samples.iter_mut().zip(round(arguments).await?) {
            samples.push(sample);
        }
    }
    println!("in flight  commands/s   p50 µs   p99 µs  proxy CPU µs  function CPU µs");
    for (in_flight, samples) in arguments.in_flight.iter().zip(&samples) {
        println!(
            "{in_flight:9} {:11.0} {:8.0} {:8.0} {:13.2} {:16.2}",
            median(samples, |sample| sample.throughput),
            median(samples, |sample| sample.p50),
            median(samples, |sample| sample.p99),
            median(samples, |sample| sample.cpu),
            median(samples, |sample| sample.function_cpu),
        );
    }
    println!();
    for (_, samples) in arguments
        .in_flight
        .iter()
        .zip(&samples)
        .filter(|(n, _)| **n == 256)
    {
        verdict(
            "durable commands/s at 256 in flight, thousands",
            median(samples, |sample| sample.throughput) / 1e3,
            Limit::AtLeast(50.0),
        );
    }
    Ok(())
}

/// All numbers in flight, one after the other, on a store that is new.
async fn round(arguments: &Arguments) -> Result<Vec<Sample>> {
    let directory = tempfile::tempdir_in(&arguments.directory).context("making a directory for the store")?;
    let store = format!("sqlite:{}", directory.path().join("data").display());
    let function = stage::function(&stage::sibling("shopping-cart")?).await?;
    let proxy = stage::proxy(&stage::sibling("cloudstate")?, &function, &store)?;
    let requests = shopping_cart::add_item_frames(0..arguments.entities);
    proxy.answers(shopping_cart::ADD_ITEM, &requests[0]).await?;
    let mut plan = load::Plan {
        address: proxy.address.clone(),
        path: shopping_cart::ADD_ITEM.to_owned(),
        requests,
        in_flight: 1,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(arguments.seconds),
    };
    let mut samples = Vec::new();
    for &in_flight in &arguments.in_flight {
        plan.in_flight = in_flight;
        let mut outcome = load::run(&plan, &[proxy.pid(), function.pid()]).await?;
        samples.push(Sample {
            throughput: outcome.throughput(),
            p50: micros(outcome.latencies.percentile(50.0)),
            p99: micros(outcome.latencies.percentile(99.0)),
            cpu: outcome.cpu_micros_per_call(0),
            function_cpu: outcome.cpu_micros_per_call(1),
        });
    }
    Ok(samples)
}
