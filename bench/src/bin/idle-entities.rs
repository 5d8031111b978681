//! Memory of the proxy for each entity that is active and idle, its stream to the function included.
//!
//! Build as `bench/README.md` says, then run `target/release/idle-entities`. Every figure is the median of the rounds.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use cloudstate_bench::process::resident_bytes;
use cloudstate_bench::report::{Limit, median, verdict};
use cloudstate_bench::{load, metrics, shopping_cart, stage};

/// How much the proxy's resident memory grows with each idle entity.
#[derive(Parser)]
struct Arguments {
    /// Rounds; the proxy is started anew for each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Carts that one command is sent to.
    #[arg(long, default_value_t = 100_000)]
    entities: usize,
    /// Calls in flight.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Where the stores are made.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

/// What activates the entities.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    durable: bool,
    path: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        name: "memory:, GetCart",
        durable: false,
        path: shopping_cart::GET_CART,
    },
    Case {
        name: "sqlite:, GetCart",
        durable: true,
        path: shopping_cart::GET_CART,
    },
    Case {
        name: "sqlite:, AddItem",
        durable: true,
        path: shopping_cart::ADD_ITEM,
    },
];

/// Resident memory, in KiB.
#[derive(Debug, Clone, Copy)]
struct Sample {
    before: f64,
    after: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    for case in CASES {
        let mut samples = Vec::new();
        for _ in 0..arguments.rounds {
            samples.push(round(case, arguments).await?);
        }
        println!(
            "{}: {:.1} MiB after the first answer, {:.1} MiB with {} idle entities",
            case.name,
            median(&samples, |sample| sample.before) / 1024.0,
            median(&samples, |sample| sample.after) / 1024.0,
            arguments.entities
        );
        let entities = arguments.entities as f64;
        verdict(
            "KiB an idle entity",
            median(&samples, |sample| (sample.after - sample.before) / entities),
            Limit::AtMost(4.0),
        );
    }
    Ok(())
}

async fn round(case: Case, arguments: &Arguments) -> Result<Sample> {
    let directory = tempfile::tempdir_in(&arguments.directory).context("making a directory for the store")?;
    let store = match case.durable {
        true => format!("sqlite:{}", directory.path().join("data").display()),
        false => "memory:".to_owned(),
    };
    let admin_port = stage::free_port()?;
    let settings = [
        ("METRICS_PORT", admin_port.to_string()),
        ("CLOUDSTATE_ENTITY_PASSIVATION_TIMEOUT", "1h".to_owned()),
    ];
    let function = stage::function(&stage::sibling("shopping-cart")?).await?;
    let proxy = stage::proxy_with(&stage::sibling("cloudstate")?, &function, &store, &settings)?;
    // One entity more, so that what the first command of all costs is not counted.
    let first = shopping_cart::get_cart_frames([arguments.entities]);
    proxy.answers(shopping_cart::GET_CART, &first[0]).await?;
    let requests = match case.path {
        shopping_cart::ADD_ITEM => shopping_cart::add_item_frames(0..arguments.entities),
        _ => shopping_cart::get_cart_frames(0..arguments.entities),
    };
    let plan = load::Plan {
        address: proxy.address.clone(),
        path: case.path.to_owned(),
        requests,
        in_flight: arguments.in_flight,
        warm_up: Duration::ZERO,
        duration: Duration::ZERO,
    };
    let before = resident_bytes(proxy.pid())?;
    load::each_once(&plan, &[]).await?;
    let after = resident_bytes(proxy.pid())?;
    all_active(&format!("127.0.0.1:{admin_port}"), arguments.entities + 1).await?;
    Ok(Sample {
        before: before as f64 / 1024.0,
        after: after as f64 / 1024.0,
    })
}

/// Checks that the proxy has not let go of any entity, or the figure would be too good.
async fn all_active(admin: &str, expected: usize) -> Result<()> {
    let activated = metrics::counter(admin, "cloudstate_eventsourced_activated_entities_total").await?;
    let passivated = metrics::counter(admin, "cloudstate_eventsourced_passivated_entities_total").await?;
    ensure!(
        activated == expected as u64 && passivated == 0,
        "{activated} entities were activated and {passivated} passivated, instead of {expected} and none"
    );
    Ok(())
}
