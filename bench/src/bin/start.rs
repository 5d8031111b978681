//! From the start of the proxy's process to its first answer, the function already running, and its memory then.
//!
//! Build as `bench/README.md` says, then run `target/release/start`. The proxies are killed, so that each start but
//! the first on a store is one after a crash.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use cloudstate_bench::process::resident_bytes;
use cloudstate_bench::report::{Limit, median, verdict};
use cloudstate_bench::stage::{self, Server};
use cloudstate_bench::wire::PREFIX;
use cloudstate_bench::{shopping_cart, stored};

/// Time from process start to first answer, and memory then.
#[derive(Parser)]
struct Arguments {
    /// Starts of each kind; medians are printed.
    #[arg(long, default_value_t = 21)]
    starts: usize,
    /// Carts in the large store.
    #[arg(long, default_value_t = 1_000_000)]
    entities: usize,
    /// Where the stores are made.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
}

/// One start.
#[derive(Debug, Clone, Copy)]
struct Sample {
    milliseconds: f64,
    resident_mib: f64,
}

/// Starts on one kind of store.
struct Case {
    name: String,
    path: PathBuf,
    /// Whether the cart that is asked for has an item.
    filled: bool,
    judged: bool,
    samples: Vec<Sample>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let directory =
        tempfile::tempdir_in(&arguments.directory).context("making a directory for the stores")?;
    let mut cases = prepare(directory.path(), arguments)?;
    let function = stage::function(&stage::sibling("shopping-cart")?).await?;
    for _ in 0..arguments.starts {
        for case in &mut cases {
            case.samples.push(start(case, &function).await?);
            if !case.judged {
                std::fs::remove_dir_all(&case.path)?;
            }
        }
    }
    cases.iter().for_each(report);
    Ok(())
}

fn prepare(directory: &Path, arguments: &Arguments) -> Result<Vec<Case>> {
    let case = |name: String, file: &str, filled, judged| Case {
        name,
        path: directory.join(file),
        filled,
        judged,
        samples: Vec::new(),
    };
    let cases = vec![
        case("a store yet to be made".to_owned(), "new", false, false),
        case("an empty store".to_owned(), "empty", false, true),
        case(format!("{} entities", arguments.entities), "large", true, true),
    ];
    stored::fill(&cases[1].path, 0)?;
    stored::fill(&cases[2].path, arguments.entities)?;
    Ok(cases)
}

async fn start(case: &Case, function: &Server) -> Result<Sample> {
    let program = stage::sibling("cloudstate")?;
    let store = format!("sqlite:{}", case.path.display());
    let request: Bytes = shopping_cart::get_cart_frames([0]).remove(0);
    let start = Instant::now();
    let proxy = stage::proxy(&program, function, &store)?;
    let answer = proxy.first_answer(shopping_cart::GET_CART, &request).await?;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let resident = resident_bytes(proxy.pid())?;
    ensure!(
        (answer.len() > PREFIX) == case.filled,
        "the cart is not as it was stored: {answer:?}"
    );
    Ok(Sample {
        milliseconds,
        resident_mib: resident as f64 / f64::from(1 << 20),
    })
}

fn report(case: &Case) {
    let time = median(&case.samples, |sample| sample.milliseconds);
    let resident = median(&case.samples, |sample| sample.resident_mib);
    let worst = case
        .samples
        .iter()
        .map(|sample| sample.milliseconds)
        .fold(0.0, f64::max);
    println!(
        "{}: first answer after {time:.1} ms (slowest {worst:.1} ms), {resident:.1} MiB resident",
        case.name
    );
    if case.judged {
        verdict("process start to first answer, ms", time, Limit::AtMost(10.0));
        verdict("resident memory then, MiB", resident, Limit::AtMost(16.0));
    }
}
