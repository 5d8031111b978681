//! What a command costs the proxy on entities that are active, by how many others the store holds. What it costs to
//! activate an entity is measured apart.
//!
//! Build as `bench/README.md` says, then run `target/release/store-growth`. Every figure is the median of the
//! rounds; the sizes take turns, so that a slow minute of the machine hits all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use cloudstate_bench::report::{Limit, median, micros, verdict};
use cloudstate_bench::stage::{self, Server};
use cloudstate_bench::wire::PREFIX;
use cloudstate_bench::{load, shopping_cart, stored};

/// CPU time of a command on hot entities, in stores of different sizes.
#[derive(Parser)]
struct Arguments {
    /// Rounds; each starts a proxy on every store.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds measured for each run.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Carts in the stores, from the smallest store to the largest.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    sizes: Vec<usize>,
    /// Carts that commands are sent to, spread over the store.
    #[arg(long, default_value_t = 1_000)]
    hot: usize,
    /// Calls in flight.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Carts activated at most when that is measured, 16 at a time.
    #[arg(long, default_value_t = 10_000)]
    cold: usize,
    /// Where the stores are made; the disk decides the throughput.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

/// What is measured of a store in one round.
#[derive(Debug, Clone, Copy)]
struct Sample {
    hot_cpu: f64,
    throughput: f64,
    activation_cpu: f64,
    activation_p50: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(compare(&arguments))
}

async fn compare(arguments: &Arguments) -> Result<()> {
    let directory =
        tempfile::tempdir_in(&arguments.directory).context("making a directory for the stores")?;
    let path = |size: usize| directory.path().join(size.to_string());
    for &size in &arguments.sizes {
        stored::fill(&path(size), size)?;
    }
    let mut samples = vec![Vec::new(); arguments.sizes.len()];
    for _ in 0..arguments.rounds {
        for (samples, &size) in samples.iter_mut().zip(&arguments.sizes) {
            samples.push(measure(&path(size), size, arguments).await?);
        }
    }
    report(arguments, &samples);
    Ok(())
}

async fn measure(path: &Path, size: usize, arguments: &Arguments) -> Result<Sample> {
    let mut cold = activate(path, size, arguments).await?;
    let hot = command(path, size, arguments).await?;
    Ok(Sample {
        hot_cpu: hot.cpu_micros_per_call(0),
        throughput: hot.throughput(),
        activation_cpu: cold.cpu_micros_per_call(0),
        activation_p50: micros(cold.latencies.percentile(50.0)),
    })
}

/// The first command of entities that are not active.
async fn activate(path: &Path, size: usize, arguments: &Arguments) -> Result<load::Outcome> {
    let (_function, proxy) = stage_proxy(path).await?;
    let carts = spread(arguments.cold, size).filter(|cart| *cart != 0);
    let plan = load::Plan {
        address: proxy.address.clone(),
        path: shopping_cart::GET_CART.to_owned(),
        requests: shopping_cart::get_cart_frames(carts),
        in_flight: 16,
        warm_up: Duration::ZERO,
        duration: Duration::ZERO,
    };
    load::each_once(&plan, &[proxy.pid()]).await
}

/// Commands on the hot entities, all of which are active before the measurement.
async fn command(path: &Path, size: usize, arguments: &Arguments) -> Result<load::Outcome> {
    let (_function, proxy) = stage_proxy(path).await?;
    let plan = load::Plan {
        address: proxy.address.clone(),
        path: shopping_cart::ADD_ITEM.to_owned(),
        requests: shopping_cart::add_item_frames(spread(arguments.hot, size)),
        in_flight: arguments.in_flight,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(arguments.seconds),
    };
    load::run(&plan, &[proxy.pid()]).await
}

/// `count` numbers below `size` at equal distances, all of them if there are no more.
fn spread(count: usize, size: usize) -> impl Iterator<Item = usize> {
    let count = count.min(size);
    (0..count).map(move |index| index * size / count)
}

async fn stage_proxy(path: &Path) -> Result<(Server, Server)> {
    let function = stage::function(&stage::sibling("shopping-cart")?).await?;
    let store = format!("sqlite:{}", path.display());
    let proxy = stage::proxy(&stage::sibling("cloudstate")?, &function, &store)?;
    let request: Bytes = shopping_cart::get_cart_frames([0]).remove(0);
    let answer = proxy.first_answer(shopping_cart::GET_CART, &request).await?;
    ensure!(
        answer.len() > PREFIX,
        "the store does not hold the carts it was filled with"
    );
    Ok((function, proxy))
}

fn report(arguments: &Arguments, samples: &[Vec<Sample>]) {
    println!("  entities  hot: CPU µs  commands/s  activation: CPU µs   p50 µs");
    for (size, samples) in arguments.sizes.iter().zip(samples) {
        println!(
            "{size:10} {:12.2} {:11.0} {:19.1} {:8.0}",
            median(samples, |sample| sample.hot_cpu),
            median(samples, |sample| sample.throughput),
            median(samples, |sample| sample.activation_cpu),
            median(samples, |sample| sample.activation_p50),
        );
    }
    println!();
    if let (Some(smallest), Some(largest)) = (samples.first(), samples.last()) {
        let ratio = median(largest, |sample| sample.hot_cpu) / median(smallest, |sample| sample.hot_cpu);
        verdict(
            "proxy CPU a command, largest store ÷ smallest",
            ratio,
            Limit::AtMost(1.2),
        );
    }
}
