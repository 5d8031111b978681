//! CRDT entities: how soon another node sees a change, what one costs beside a command of an event sourced entity, what it
//! takes on the wire, and how soon a node that was away has caught up.
//!
//! Build as `bench/README.md` says, then run `target/release/crdt`. Every figure is of one run; run it again for more.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use cloudstate_bench::crdt_examples::{self as example, CONNECT, GET, MONITOR, MUTATE, UPDATE};
use cloudstate_bench::latencies::Latencies;
use cloudstate_bench::nodes::{self, Node};
use cloudstate_bench::report::{Limit, median, micros, verdict};
use cloudstate_bench::shopping_cart as cart;
use cloudstate_bench::wire::{Connection, Watch};
use cloudstate_bench::{load, stage};
use tokio::time::sleep;

/// The program of the function.
const FUNCTION: &str = "crdt-examples";
/// What all nodes sent to each other.
const SENT: &str = "cloudstate_cluster_sent_bytes_total";

/// CRDT entities that a node has.
const REPLICAS: &str = "cloudstate_replica_entities";
/// How long a node may take to get what it missed.
const CATCHING_UP: Duration = Duration::from_secs(120);

#[derive(Parser)]
struct Arguments {
    /// Nodes of the cluster.
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// Changes of which the others' sight is timed.
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// Rounds of commands a second.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Elements of the set whose changes are weighed.
    #[arg(long, default_value_t = 1_000)]
    elements: usize,
    /// Entities that change while one node stands still.
    #[arg(long, default_value_t = 100_000)]
    entities: usize,
    /// Seconds that it stands still.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(async {
        commands(&arguments).await?;
        let nodes = nodes::start(arguments.nodes, FUNCTION, GET, &example::named("probe")).await?;
        visibility(&arguments, &nodes).await?;
        weight(&arguments, &nodes).await?;
        convergence(&arguments, &nodes).await
    })
}

/// Commands a second at 64 in flight on one node, beside those of the event sourced cart with the store in memory.
async fn commands(arguments: &Arguments) -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..arguments.rounds {
        let requests = (0..64).map(|n| example::update(format!("counter {n}"))).collect();
        let crdt = throughput(FUNCTION, UPDATE, requests).await?;
        let event_sourced = throughput("shopping-cart", cart::ADD_ITEM, cart::add_item_frames(0..64)).await?;
        samples.push((crdt, event_sourced));
    }
    let of = |value: fn(&(load::Outcome, load::Outcome)) -> f64| median(&samples, value);
    println!(
        "local commands at 64 in flight: {:.0}/s, proxy CPU {:.1} µs; event sourced in memory {:.0}/s, {:.1} µs",
        of(|(crdt, _)| crdt.throughput()),
        of(|(crdt, _)| crdt.cpu_micros_per_call(0)),
        of(|(_, cart)| cart.throughput()),
        of(|(_, cart)| cart.cpu_micros_per_call(0)),
    );
    println!(
        "CRDT commands/s ÷ event sourced: {:.2}",
        of(|(crdt, cart)| crdt.throughput() / cart.throughput())
    );
    Ok(())
}

async fn throughput(function: &str, path: &str, requests: Vec<Bytes>) -> Result<load::Outcome> {
    let function = stage::function(&stage::sibling(function)?).await?;
    let proxy = stage::proxy(&stage::sibling("cloudstate")?, &function, "memory:")?;
    proxy.answers(path, &requests[0]).await?;
    let plan = load::Plan {
        address: proxy.address.clone(),
        path: path.to_owned(),
        requests,
        in_flight: 64,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(3),
    };
    load::run(&plan, &[proxy.pid()]).await
}

/// From the time at which a user connects to the first node until all others have told their monitors; and the same of
/// the end of the connection.
async fn visibility(arguments: &Arguments, nodes: &[Node]) -> Result<()> {
    let mut connections = Vec::new();
    for node in nodes {
        connections.push(Connection::open(&node.proxy.address).await?);
    }
    let (first, others) = connections.split_first().context("a cluster has nodes")?;
    let mut monitors = Vec::new();
    for other in others {
        let mut monitor = Watch::open(other, MONITOR, example::named("user"))?;
        ensure!(
            !example::read_online(monitor.next().await?)?,
            "nobody is online yet"
        );
        monitors.push(monitor);
    }
    let mut latencies = Latencies::default();
    for _ in 0..arguments.changes / 2 {
        let start = Instant::now();
        let connected = Watch::open(first, CONNECT, example::named("user"))?;
        seen(&mut monitors, true, start, &mut latencies).await?;
        let start = Instant::now();
        drop(connected);
        seen(&mut monitors, false, start, &mut latencies).await?;
    }
    let millis = |duration| micros(duration) / 1e3;
    println!(
        "a change is seen on another of {} nodes: p50 {:.1} ms, p99 {:.1} ms",
        arguments.nodes,
        millis(latencies.percentile(50.0)),
        millis(latencies.percentile(99.0))
    );
    verdict(
        "p99 until a change is seen, ms",
        millis(latencies.percentile(99.0)),
        Limit::AtMost(20.0),
    );
    Ok(())
}

async fn seen(monitors: &mut [Watch], online: bool, start: Instant, into: &mut Latencies) -> Result<()> {
    for monitor in monitors {
        ensure!(
            example::read_online(monitor.next().await?)? == online,
            "the monitor is out of step"
        );
        into.record(start.elapsed());
    }
    Ok(())
}

/// What an addition to a large set takes on the wire, for each other node, beside the whole set.
async fn weight(arguments: &Arguments, nodes: &[Node]) -> Result<()> {
    let connection = Connection::open(&nodes[0].proxy.address).await?;
    for n in 0..arguments.elements {
        connection.unary(MUTATE, example::add("set", n)).await?;
    }
    sleep(Duration::from_secs(3)).await;
    // Gossip goes on meanwhile, and is counted apart.
    let quiet = sent_while(nodes, sleep(Duration::from_secs(5))).await? / 5.0;
    let start = Instant::now();
    const CHANGES: usize = 500;
    let changes = async {
        for n in 0..CHANGES {
            // One by one, so that each is a message of its own.
            connection
                .unary(MUTATE, example::add("set", arguments.elements + n))
                .await?;
            sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    let mut done = Ok(());
    let sent = sent_while(nodes, async { done = changes.await }).await?;
    done?;
    let others = (nodes.len() - 1) as f64;
    let each = (sent - quiet * start.elapsed().as_secs_f64()) / CHANGES as f64 / others;
    let whole = example::set_state_bytes(arguments.elements + CHANGES / 2)?;
    println!(
        "an addition to a set of {} elements: {each:.0} bytes to each other node; the whole set {whole} bytes: {:.0} times as much",
        arguments.elements,
        whole as f64 / each
    );
    println!(
        "gossip and comparison when nothing happens: {:.0} bytes a second and node",
        quiet / nodes.len() as f64
    );
    Ok(())
}

async fn sent_while(nodes: &[Node], happening: impl Future<Output = ()>) -> Result<f64> {
    let before = sent(nodes).await?;
    happening.await;
    Ok((sent(nodes).await? - before) as f64)
}

async fn sent(nodes: &[Node]) -> Result<u64> {
    let mut sum = 0;
    for node in nodes {
        sum += node.counter(SENT).await?;
    }
    Ok(sum)
}

/// How long a node takes to get what changed while it stood still.
async fn convergence(arguments: &Arguments, nodes: &[Node]) -> Result<()> {
    let (last, others) = nodes.split_last().context("a cluster has nodes")?;
    signal("STOP", last)?;
    let away = Instant::now();
    let requests = (0..arguments.entities)
        .map(|n| example::update(format!("late {n}")))
        .collect();
    let plan = load::Plan {
        address: others[0].proxy.address.clone(),
        path: UPDATE.to_owned(),
        requests,
        in_flight: 64,
        warm_up: Duration::ZERO,
        duration: Duration::ZERO,
    };
    load::each_once(&plan, &[]).await?;
    let all = others[0].counter(REPLICAS).await?;
    sleep(Duration::from_secs(arguments.seconds).saturating_sub(away.elapsed())).await;
    let before = sent(others).await?;
    signal("CONT", last)?;
    let back = Instant::now();
    // Not by asking for them: an entity that is used is asked of a majority first.
    while last.counter(REPLICAS).await? < all {
        ensure!(back.elapsed() < CATCHING_UP, "the node does not catch up");
        sleep(Duration::from_millis(10)).await;
    }
    println!(
        "{} entities that changed in {:.0} s without a node: it has them {:.2} s after, for {:.1} MB sent by the others",
        arguments.entities,
        back.duration_since(away).as_secs_f64(),
        back.elapsed().as_secs_f64(),
        (sent(others).await? - before) as f64 / 1e6
    );
    Ok(())
}

fn signal(name: &str, node: &Node) -> Result<()> {
    let mut kill = Command::new("kill");
    let status = kill
        .args([format!("-{name}"), node.proxy.pid().to_string()])
        .status()?;
    ensure!(status.success(), "kill -{name} failed");
    Ok(())
}
