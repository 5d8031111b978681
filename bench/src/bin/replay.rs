//! Replay: how fast the proxy brings entities back from their events, divided by a raw h2 sender of the same events to
//! the same function. One entity of many events, and many entities of few.
//!
//! Build as `bench/README.md` says, then run `target/release/replay`. Every figure is the median of the rounds.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::{Bytes, BytesMut};
use clap::Parser;
use cloudstate_bench::raw_stream::EntityStream;
use cloudstate_bench::stage::{self, Server};
use cloudstate_bench::wire::{self, Connection};
use cloudstate_bench::{load, tally};
use tokio::task::JoinSet;

#[derive(Parser)]
struct Arguments {
    /// Rounds; the proxy is started anew for each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Events of the one long entity.
    #[arg(long, default_value_t = 100_000)]
    long_events: i32,
    /// Short entities.
    #[arg(long, default_value_t = 1_000)]
    short_entities: usize,
    /// Events of each short entity.
    #[arg(long, default_value_t = 100)]
    short_events: i32,
    /// Activations at a time.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// Measure the raw sender alone.
    #[arg(long)]
    baseline_only: bool,
}

/// Entities of equal length.
#[derive(Debug, Clone)]
struct Case {
    name: &'static str,
    ids: Vec<String>,
    events: i32,
    in_flight: usize,
}

impl Case {
    fn total(&self) -> f64 {
        self.ids.len() as f64 * f64::from(self.events)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(compare(&arguments))
}

async fn compare(arguments: &Arguments) -> Result<()> {
    let short = (0..arguments.short_entities)
        .map(|index| format!("short-{index}"))
        .collect();
    let cases = [
        Case {
            name: "one long",
            ids: vec!["long".to_owned()],
            events: arguments.long_events,
            in_flight: 1,
        },
        Case {
            name: "many short",
            ids: short,
            events: arguments.short_events,
            in_flight: arguments.in_flight,
        },
    ];
    let data = tempfile::tempdir()?;
    let store = format!("sqlite:{}", data.path().display());
    if !arguments.baseline_only {
        fill(&cases, &store).await?;
    }
    for case in &cases {
        let (mut raw, mut proxy) = (Vec::new(), Vec::new());
        for _ in 0..arguments.rounds {
            raw.push(replay_raw(case).await?);
            if !arguments.baseline_only {
                proxy.push(replay_by_proxy(case, &store).await?);
            }
        }
        report(case, median(raw), (!proxy.is_empty()).then(|| median(proxy)));
    }
    Ok(())
}

/// Writes the events by commands of at most 1,000 events.
async fn fill(cases: &[Case], store: &str) -> Result<()> {
    let (_function, proxy) = stage_proxy(store).await?;
    let connection = Connection::open(&proxy.address).await?;
    for case in cases {
        for id in &case.ids {
            let mut left = case.events;
            while left > 0 {
                let events = left.min(1_000);
                connection.unary(tally::ADD, tally::add(id, events)).await?;
                left -= events;
            }
        }
    }
    Ok(())
}

async fn stage_proxy(store: &str) -> Result<(Server, Server)> {
    let function = stage::function(&stage::sibling("tally")?).await?;
    let proxy = stage::proxy(&stage::sibling("cloudstate")?, &function, store)?;
    proxy.answers(tally::SUM, &tally::sum("warm-up")).await?;
    Ok((function, proxy))
}

async fn replay_by_proxy(case: &Case, store: &str) -> Result<Duration> {
    let (_function, proxy) = stage_proxy(store).await?;
    let plan = load::Plan {
        address: proxy.address.clone(),
        path: tally::SUM.to_owned(),
        requests: case.ids.iter().map(|id| tally::sum(id)).collect(),
        in_flight: case.in_flight,
        warm_up: Duration::ZERO,
        duration: Duration::ZERO,
    };
    let elapsed = load::each_once(&plan, &[]).await?.elapsed;
    // The entity is active now, so that this costs nothing and proves that all was replayed.
    let mut answer: BytesMut = Connection::open(&proxy.address)
        .await?
        .unary(tally::SUM, tally::sum(&case.ids[0]))
        .await?;
    check(case, wire::cut(&mut answer).unwrap_or_default())?;
    Ok(elapsed)
}

async fn replay_raw(case: &Case) -> Result<Duration> {
    let function = stage::function(&stage::sibling("tally")?).await?;
    let connection = Rc::new(Connection::open(&function.address).await?);
    let mut replays = JoinSet::new();
    let start = Instant::now();
    for lane in 0..case.in_flight {
        let (connection, case) = (connection.clone(), case.clone());
        replays.spawn_local(async move {
            // Streams stay open until all have been replayed, as those of active entities do.
            let mut open = Vec::new();
            for id in case.ids.iter().skip(lane).step_by(case.in_flight) {
                let mut stream = EntityStream::open(&connection, tally::SERVICE, id)?;
                stream.replay(i64::from(case.events), &tally::event()).await?;
                check(&case, stream.command("Sum", tally::sum_payload(id)).await?)?;
                open.push(stream);
            }
            anyhow::Ok(open)
        });
    }
    let mut open = Vec::new();
    while let Some(replayed) = replays.join_next().await {
        open.push(replayed??);
    }
    Ok(start.elapsed())
}

fn check(case: &Case, answer: Bytes) -> Result<()> {
    let sum = tally::read_sum(answer)?;
    ensure!(
        sum == i64::from(case.events),
        "{sum} events instead of {} were replayed",
        case.events
    );
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn report(case: &Case, raw: Duration, proxy: Option<Duration>) {
    let rate = |time: Duration| case.total() / time.as_secs_f64() / 1e3;
    println!(
        "{}: {} × {} events: raw {:.0} k events/s",
        case.name,
        case.ids.len(),
        case.events,
        rate(raw)
    );
    if let Some(proxy) = proxy {
        let ratio = raw.as_secs_f64() / proxy.as_secs_f64();
        let verdict = if ratio >= 0.7 { "ok" } else { "MISSED" };
        println!(
            "  proxy {:.0} k events/s, ÷ raw = {ratio:.2} (≥ 0.7): {verdict}",
            rate(proxy)
        );
    }
}
