//! `kill -9` of the proxy, many times, at random moments: nothing that was acknowledged is lost, nothing is there twice.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use cloudstate_sdk::doc_example::{Count, Counted, Increase, Read, counter};
use cloudstate_sdk::event_sourced::Context;
use cloudstate_sdk::{EventSourced, Failure, NoSnapshot, Reply, UserFunction};
use cloudstate_test_support::PostgresServer;
use http::uri::PathAndQuery;
use prost::Message;
use rustix::process::Signal;
use support::{Running, serve, start_proxy};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;

const ROUNDS: usize = 12;
const COUNTERS: usize = 16;
const WRITERS_OF_EACH: usize = 4;
/// A proxy is killed after so many replies at most.
const MOST_REPLIES: u64 = 1_500;

#[derive(Default)]
struct Counter(i64);

impl EventSourced for Counter {
    type Event = Counted;
    type Snapshot = NoSnapshot;

    fn apply(&mut self, event: Counted) {
        self.0 += event.by;
    }
}

struct CounterEntity;

impl counter::EventSourcedEntity for CounterEntity {
    type State = Counter;

    fn increase(&self, command: Increase, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
        ctx.emit(Counted { by: command.by });
        Ok(Count { value: ctx.state().0 }.into())
    }

    fn read(&self, _: Read, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
        Ok(Count { value: ctx.state().0 }.into())
    }
}

async fn call<Q: Message + 'static>(
    channel: &Channel,
    method: &'static str,
    request: Q,
) -> Result<i64, tonic::Status> {
    let mut client = Grpc::new(channel.clone());
    client
        .ready()
        .await
        .map_err(|error| tonic::Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(method);
    let codec = ProstCodec::<Q, Count>::default();
    let reply = client.unary(tonic::Request::new(request), path, codec).await?;
    Ok(reply.into_inner().value)
}

async fn increase(channel: &Channel, counter: usize) -> Result<i64, tonic::Status> {
    let counter = counter.to_string();
    let request = Increase { counter, by: 1 };
    call(channel, "/cloudstate_sdk_example.Counter/Increase", request).await
}

async fn read(channel: &Channel, counter: usize) -> Result<i64, tonic::Status> {
    let counter = counter.to_string();
    call(channel, "/cloudstate_sdk_example.Counter/Read", Read { counter }).await
}

/// What clients know of one counter.
#[derive(Default)]
struct Known {
    /// The counts that were acknowledged, each to one increase.
    acknowledged: Vec<i64>,
    /// Increases without an answer: each happened once or not at all.
    unknown: i64,
}

/// One writer's news.
enum News {
    Acknowledged { counter: usize, value: i64 },
    Unknown { counter: usize },
}

/// Increases until the proxy is gone.
async fn write(channel: Channel, counter: usize, news: mpsc::Sender<News>) {
    loop {
        let outcome = increase(&channel, counter).await;
        let gone = outcome.is_err();
        let told = match outcome {
            Ok(value) => News::Acknowledged { counter, value },
            Err(_) => News::Unknown { counter },
        };
        if news.send(told).await.is_err() || gone {
            return;
        }
    }
}

/// Writes from many sides, kills the proxy after so many replies, and gives what the writers heard.
async fn write_and_kill(mut proxy: Running, channel: &Channel, replies: u64) -> HashMap<usize, Known> {
    let (sender, mut news) = mpsc::channel(1024);
    let mut writers = JoinSet::new();
    for writer in 0..COUNTERS * WRITERS_OF_EACH {
        writers.spawn(write(channel.clone(), writer % COUNTERS, sender.clone()));
    }
    drop(sender);
    let mut heard: HashMap<usize, Known> = HashMap::new();
    let mut count = 0;
    while let Some(news) = news.recv().await {
        match news {
            News::Acknowledged { counter, value } => {
                heard.entry(counter).or_default().acknowledged.push(value);
                count += 1;
                if count == replies {
                    proxy.end(Signal::KILL);
                }
            }
            News::Unknown { counter } => heard.entry(counter).or_default().unknown += 1,
        }
    }
    assert!(count >= replies, "the writers ended before the proxy was killed");
    heard
}

/// Compares what is stored with what the writers heard, and gives what is stored.
async fn check(channel: &Channel, before: &[i64], heard: &HashMap<usize, Known>) -> Vec<i64> {
    let mut stored = Vec::new();
    for (counter, before) in before.iter().enumerate() {
        let now = read(channel, counter).await.expect("it is served");
        let none = Known::default();
        let Known {
            acknowledged,
            unknown,
        } = heard.get(&counter).unwrap_or(&none);
        let mut sorted = acknowledged.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), acknowledged.len(), "a count was acknowledged twice");
        if let Some(highest) = sorted.last() {
            assert!(
                now >= *highest,
                "counter {counter} lost an acknowledged increase: {now} < {highest}"
            );
            assert!(
                sorted[0] > *before,
                "counter {counter} went back to {} from {before}",
                sorted[0]
            );
        }
        let grown = now - before;
        let least = i64::try_from(acknowledged.len()).expect("not that many");
        assert!(
            (least..=least + unknown).contains(&grown),
            "counter {counter} grew by {grown} over {least} acknowledged and {unknown} unknown increases"
        );
        stored.push(now);
    }
    stored
}

#[tokio::test]
async fn acknowledged_commands_survive_every_kill_exactly_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    survive(&format!("sqlite:{}", directory.path().display())).await;
}

#[tokio::test]
async fn acknowledged_commands_survive_every_kill_exactly_once_in_postgresql() {
    let Some(server) = PostgresServer::start("a killed proxy on PostgreSQL", &[]) else {
        return;
    };
    survive(&server.fresh_url()).await;
}

async fn survive(store: &str) {
    let counters = UserFunction::new("counters", "1").with(counter::event_sourced("counter", CounterEntity));
    let function = serve(counters);
    let (mut stored, mut heard) = (vec![0; COUNTERS], HashMap::new());
    for round in 0..=ROUNDS {
        let (proxy, address) = start_proxy(&function, store, &[]);
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
        let channel = endpoint.connect().await.expect("it listens");
        stored = check(&channel, &stored, &heard).await;
        if round == ROUNDS {
            break;
        }
        // Fresh hasher keys are random enough.
        let replies = 1 + RandomState::new().hash_one(round) % MOST_REPLIES;
        println!("round {round}: killed after {replies} replies");
        heard = write_and_kill(proxy, &channel, replies).await;
    }
    assert!(stored.iter().sum::<i64>() >= i64::try_from(ROUNDS).expect("a small number"));
}
