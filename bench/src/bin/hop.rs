//! The cost of a command: the proxy, with its store in memory, divided by the raw hop before the same function.
//!
//! Build as `bench/README.md` says, then run `target/release/hop`. Every figure is the median of the rounds; the
//! two take turns, so that a slow minute of the machine hits both.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use cloudstate_bench::report::{Limit, micros, verdict};
use cloudstate_bench::{load, report, shopping_cart, stage};

#[derive(Parser)]
struct Arguments {
    /// Rounds; each runs both, at 1 and at 64 in flight.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds measured for each run.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Carts, each called in turn.
    #[arg(long, default_value_t = 64)]
    entities: usize,
    /// Store of the proxy.
    #[arg(long, default_value = "memory:")]
    store: String,
    /// Measure the raw hop alone.
    #[arg(long)]
    baseline_only: bool,
}

#[derive(Debug, Clone, Copy)]
enum Subject {
    RawHop,
    Proxy,
}

/// What is measured of a subject in one round.
#[derive(Debug, Clone, Copy)]
struct Sample {
    p50_at_1: f64,
    throughput_at_64: f64,
    p99_at_64: f64,
    cpu_at_64: f64,
    function_cpu_at_64: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(compare(&arguments))
}

async fn compare(arguments: &Arguments) -> Result<()> {
    let (mut raw, mut proxy) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        raw.push(measure(Subject::RawHop, arguments).await?);
        if !arguments.baseline_only {
            proxy.push(measure(Subject::Proxy, arguments).await?);
        }
    }
    let raw = median(&raw);
    print("raw hop", raw);
    if !arguments.baseline_only {
        let proxy = median(&proxy);
        print("proxy", proxy);
        println!();
        verdict(
            "proxy CPU a command ÷ raw",
            proxy.cpu_at_64 / raw.cpu_at_64,
            Limit::AtMost(1.8),
        );
        verdict(
            "p50 at 1 in flight ÷ raw",
            proxy.p50_at_1 / raw.p50_at_1,
            Limit::AtMost(1.3),
        );
        let throughput = proxy.throughput_at_64 / raw.throughput_at_64;
        verdict(
            "throughput at 64 in flight ÷ raw",
            throughput,
            Limit::AtLeast(0.6),
        );
        verdict("proxy CPU a command, µs", proxy.cpu_at_64, Limit::AtMost(12.0));
    }
    Ok(())
}

async fn measure(subject: Subject, arguments: &Arguments) -> Result<Sample> {
    let function = stage::function(&stage::sibling("shopping-cart")?).await?;
    let server = match subject {
        Subject::RawHop => stage::raw_hop(&function).await?,
        Subject::Proxy => stage::proxy(&stage::sibling("cloudstate")?, &function, &arguments.store)?,
    };
    let requests = shopping_cart::add_item_frames(0..arguments.entities);
    server.answers(shopping_cart::ADD_ITEM, &requests[0]).await?;
    let mut plan = load::Plan {
        address: server.address.clone(),
        path: shopping_cart::ADD_ITEM.to_owned(),
        requests,
        in_flight: 1,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(arguments.seconds),
    };
    let mut one = load::run(&plan, &[]).await?;
    plan.in_flight = 64;
    let mut many = load::run(&plan, &[server.pid(), function.pid()]).await?;
    Ok(Sample {
        p50_at_1: micros(one.latencies.percentile(50.0)),
        throughput_at_64: many.throughput(),
        p99_at_64: micros(many.latencies.percentile(99.0)),
        cpu_at_64: many.cpu_micros_per_call(0),
        function_cpu_at_64: many.cpu_micros_per_call(1),
    })
}

fn median(samples: &[Sample]) -> Sample {
    let of = |value: fn(&Sample) -> f64| report::median(samples, value);
    Sample {
        p50_at_1: of(|sample| sample.p50_at_1),
        throughput_at_64: of(|sample| sample.throughput_at_64),
        p99_at_64: of(|sample| sample.p99_at_64),
        cpu_at_64: of(|sample| sample.cpu_at_64),
        function_cpu_at_64: of(|sample| sample.function_cpu_at_64),
    }
}

fn print(name: &str, sample: Sample) {
    println!(
        "{name:8} p50 at 1: {:6.0} µs   at 64: {:7.0} commands/s, p99 {:6.0} µs, CPU {:5.2} µs (function {:.2} µs)",
        sample.p50_at_1,
        sample.throughput_at_64,
        sample.p99_at_64,
        sample.cpu_at_64,
        sample.function_cpu_at_64
    );
}
