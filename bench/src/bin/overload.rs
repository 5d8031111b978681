//! A function that is offered ten times what it can do: what the admitted calls take, what is refused, whether memory grows,
//! and how soon it is over.
//!
//! Build as `bench/README.md` says, then run `target/release/overload`. Every figure is the median of the rounds.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use cloudstate_bench::limited::{self, CAPACITY, WORK};
use cloudstate_bench::load;
use cloudstate_bench::open_loop::{self, Outcome};
use cloudstate_bench::process::{cpu_time, resident_bytes};
use cloudstate_bench::report::{Limit, median, micros, verdict};
use cloudstate_bench::stage::{self, Server};
use cloudstate_bench::wire::Connection;
use tokio::time::{interval, sleep};

/// A proxy admits 1,000 calls a connection; so none waits in the client.
const CONNECTIONS: usize = 16;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Parser)]
struct Arguments {
    /// Rounds; each starts a function and a proxy.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of overload.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Calls offered a second; the function can do 2,000.
    #[arg(long, default_value_t = 20_000.0)]
    offered: f64,
    /// `runtime.max_delay` of the proxy.
    #[arg(long, default_value = "50ms")]
    max_delay: String,
    /// Calls in flight that count as saturation: the function is never idle, and nobody is refused.
    #[arg(long, default_value_t = 64)]
    saturation: usize,
}

/// What is measured in one round. Times in milliseconds, memory in MiB.
#[derive(Debug, Clone, Copy)]
struct Sample {
    saturated_rate: f64,
    saturated_p99: f64,
    admitted_rate: f64,
    admitted_p50: f64,
    admitted_p99: f64,
    refused_rate: f64,
    refused_p99: f64,
    refused_cpu_micros: f64,
    memory_early: f64,
    memory_most: f64,
    recovery: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..arguments.rounds {
        samples.push(round(arguments).await?);
    }
    let of = |value: fn(&Sample) -> f64| median(&samples, value);
    println!(
        "saturated   {:6.0} calls/s, p99 {:6.1} ms ({} in flight)",
        of(|s| s.saturated_rate),
        of(|s| s.saturated_p99),
        arguments.saturation
    );
    println!(
        "overloaded  {:6.0} admitted/s, p50 {:6.1} ms, p99 {:6.1} ms",
        of(|s| s.admitted_rate),
        of(|s| s.admitted_p50),
        of(|s| s.admitted_p99)
    );
    println!(
        "            {:6.0} refused/s, p99 {:6.1} ms; proxy CPU {:.1} µs for each call offered",
        of(|s| s.refused_rate),
        of(|s| s.refused_p99),
        of(|s| s.refused_cpu_micros)
    );
    println!(
        "memory      {:.1} MiB after a tenth of the time, {:.1} at most",
        of(|s| s.memory_early),
        of(|s| s.memory_most)
    );
    println!();
    let ratio = |s: &Sample| s.admitted_p99 / s.saturated_p99;
    verdict(
        "p99 of the admitted ÷ p99 at saturation",
        median(&samples, ratio),
        Limit::AtMost(2.0),
    );
    let kept_busy = |s: &Sample| s.admitted_rate / CAPACITY;
    verdict(
        "admitted ÷ what the function can do",
        median(&samples, kept_busy),
        Limit::AtLeast(0.9),
    );
    let growth = |s: &Sample| s.memory_most / s.memory_early;
    verdict(
        "memory at most ÷ early",
        median(&samples, growth),
        Limit::AtMost(1.1),
    );
    verdict("recovery, seconds", of(|s| s.recovery), Limit::AtMost(1.0));
    Ok(())
}

async fn round(arguments: &Arguments) -> Result<Sample> {
    let function = stage::function(&stage::sibling("limited")?).await?;
    let proxy = stage::proxy_with(
        &stage::sibling("cloudstate")?,
        &function,
        "memory:",
        &[("CLOUDSTATE_RUNTIME_MAX_DELAY", arguments.max_delay.clone())],
    )?;
    proxy.answers(WORK, &limited::work()).await?;
    let mut saturated = load::run(&saturation(&proxy, arguments), &[]).await?;

    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Rc::new(Connection::open(&proxy.address).await?));
    }
    let plan = |rate, seconds| open_loop::Plan {
        connections: &connections,
        path: WORK,
        request: limited::work(),
        rate,
        duration: Duration::from_secs(seconds),
    };
    let overload = plan(arguments.offered, arguments.seconds);
    let slow = 3 * saturated.latencies.percentile(50.0);
    let (outcome, watched, after) = tokio::join!(
        open_loop::run(&overload, Duration::MAX),
        watch(&proxy, arguments.seconds),
        async {
            sleep(Duration::from_secs(arguments.seconds)).await;
            open_loop::run(&plan(CAPACITY / 2.0, 3), slow).await
        }
    );
    let (mut outcome, watched, after) = (outcome?, watched?, after?);
    ensure!(
        outcome.failed + after.failed == 0,
        "{} calls neither succeeded nor were refused, {} after the overload",
        outcome.failed,
        after.failed
    );
    Ok(sample(arguments, &mut saturated, &mut outcome, &after, &watched))
}

fn saturation(proxy: &Server, arguments: &Arguments) -> load::Plan {
    load::Plan {
        address: proxy.address.clone(),
        path: WORK.to_owned(),
        requests: vec![limited::work(); arguments.saturation],
        in_flight: arguments.saturation,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(5),
    }
}

/// What is seen of the proxy's process during the overload.
struct Watched {
    /// Resident bytes after a tenth of the time, and the most from then on.
    early: u64,
    most: u64,
    cpu: Duration,
}

async fn watch(proxy: &Server, seconds: u64) -> Result<Watched> {
    let before = cpu_time(proxy.pid())?;
    sleep(Duration::from_secs(seconds) / 10).await;
    let early = resident_bytes(proxy.pid())?;
    let mut most = early;
    let mut looks = interval(LOOK);
    for _ in 0..seconds * 9 {
        looks.tick().await;
        most = most.max(resident_bytes(proxy.pid())?);
    }
    let cpu = cpu_time(proxy.pid())? - before;
    Ok(Watched { early, most, cpu })
}

fn sample(
    arguments: &Arguments,
    saturated: &mut load::Outcome,
    outcome: &mut Outcome,
    after: &Outcome,
    watched: &Watched,
) -> Sample {
    let seconds = arguments.seconds as f64;
    let millis = |duration| micros(duration) / 1e3;
    let mebibytes = |bytes| bytes as f64 / f64::from(1 << 20);
    Sample {
        saturated_rate: saturated.throughput(),
        saturated_p99: millis(saturated.latencies.percentile(99.0)),
        admitted_rate: outcome.admitted.len() as f64 / seconds,
        admitted_p50: millis(outcome.admitted.percentile(50.0)),
        admitted_p99: millis(outcome.admitted.percentile(99.0)),
        refused_rate: outcome.refused.len() as f64 / seconds,
        refused_p99: millis(outcome.refused.percentile(99.0)),
        refused_cpu_micros: watched.cpu.as_secs_f64() * 1e6 / (arguments.offered * seconds),
        memory_early: mebibytes(watched.early),
        memory_most: mebibytes(watched.most),
        recovery: after.disturbed.unwrap_or_default().as_secs_f64(),
    }
}
