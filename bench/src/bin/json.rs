//! The cost of JSON: a call over HTTP/2 with JSON, divided by the same call by gRPC to the same proxy.
//!
//! Build as `bench/README.md` says, then run `target/release/json`. Every figure is the median of the rounds; the two
//! take turns, so that a slow minute of the machine hits both.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use clap::Parser;
use cloudstate_bench::load::{self, Call, Json, Plan};
use cloudstate_bench::report::{self, Limit, micros, verdict};
use cloudstate_bench::shopping_cart::{self as cart, ADD_ITEM, ADD_ITEM_PATHS, GET_CART, GET_CART_PATHS};
use cloudstate_bench::stage::{self, Server};

#[derive(Parser)]
struct Arguments {
    /// Rounds; each runs every call, by gRPC and as JSON.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds measured for each run.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Calls in flight.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Carts, each called in turn.
    #[arg(long, default_value_t = 64)]
    entities: usize,
    /// Items in each cart of the larger `GetCart`.
    #[arg(long, default_value_t = 20)]
    items: usize,
    /// Store of the proxy.
    #[arg(long, default_value = "memory:")]
    store: String,
}

/// A call in both forms.
struct Subject {
    name: String,
    grpc: (&'static str, Vec<Bytes>),
    json: (&'static str, Vec<Json>),
}

/// What is measured of a form of a call in one round.
#[derive(Debug, Clone, Copy)]
struct Sample {
    throughput: f64,
    p99: f64,
    cpu: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())?;
    runtime.block_on(compare(&arguments))
}

async fn compare(arguments: &Arguments) -> Result<()> {
    let few = 0..arguments.entities;
    let many = arguments.entities..2 * arguments.entities;
    let subjects = [
        Subject {
            name: "AddItem".to_owned(),
            grpc: (ADD_ITEM, cart::add_item_frames(few.clone())),
            json: (ADD_ITEM_PATHS, cart::add_item_calls(few.clone())),
        },
        get_cart("GetCart, 1 item".to_owned(), few),
        get_cart(format!("GetCart, {} items", arguments.items), many.clone()),
    ];
    let mut samples: [(Vec<Sample>, Vec<Sample>); 3] = Default::default();
    for _ in 0..arguments.rounds {
        let function = stage::function(&stage::sibling("shopping-cart")?).await?;
        let proxy = stage::proxy(&stage::sibling("cloudstate")?, &function, &arguments.store)?;
        proxy.answers(ADD_ITEM, &subjects[0].grpc.1[0]).await?;
        fill(&proxy, many.clone(), arguments).await?;
        for (subject, (grpc, json)) in subjects.iter().zip(&mut samples) {
            grpc.push(measure(&proxy, &subject.grpc, arguments).await?);
            json.push(measure(&proxy, &subject.json, arguments).await?);
        }
    }
    let mut verdicts = Vec::new();
    for (subject, (grpc, json)) in subjects.iter().zip(&samples) {
        let (grpc, json) = (median(grpc), median(json));
        println!("{}", subject.name);
        print("gRPC", grpc);
        print("JSON", json);
        verdicts.push((&subject.name, json.cpu / grpc.cpu));
    }
    println!();
    for (name, ratio) in verdicts {
        verdict(
            &format!("{name}: proxy CPU as JSON ÷ by gRPC"),
            ratio,
            Limit::AtMost(1.5),
        );
    }
    Ok(())
}

fn get_cart(name: String, carts: Range<usize>) -> Subject {
    Subject {
        name,
        grpc: (GET_CART, cart::get_cart_frames(carts.clone())),
        json: (GET_CART_PATHS, cart::get_cart_calls(carts)),
    }
}

/// Puts the items into the carts that are to have many.
async fn fill(proxy: &Server, carts: Range<usize>, arguments: &Arguments) -> Result<()> {
    let call = (ADD_ITEM, cart::fill_frames(carts, arguments.items));
    load::each_once(&plan(proxy, &call, arguments), &[]).await?;
    Ok(())
}

async fn measure<R: Call + Clone + 'static>(
    proxy: &Server,
    call: &(&'static str, Vec<R>),
    arguments: &Arguments,
) -> Result<Sample> {
    let mut outcome = load::run(&plan(proxy, call, arguments), &[proxy.pid()]).await?;
    Ok(Sample {
        throughput: outcome.throughput(),
        p99: micros(outcome.latencies.percentile(99.0)),
        cpu: outcome.cpu_micros_per_call(0),
    })
}

fn plan<R: Clone>(
    proxy: &Server,
    (path, requests): &(&'static str, Vec<R>),
    arguments: &Arguments,
) -> Plan<R> {
    Plan {
        address: proxy.address.clone(),
        path: (*path).to_owned(),
        requests: requests.clone(),
        in_flight: arguments.in_flight,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs(arguments.seconds),
    }
}

fn median(samples: &[Sample]) -> Sample {
    let of = |value: fn(&Sample) -> f64| report::median(samples, value);
    Sample {
        throughput: of(|sample| sample.throughput),
        p99: of(|sample| sample.p99),
        cpu: of(|sample| sample.cpu),
    }
}

fn print(name: &str, sample: Sample) {
    println!(
        "  {name}  {:7.0} calls/s, p99 {:6.0} µs, CPU {:5.2} µs",
        sample.throughput, sample.p99, sample.cpu
    );
}
