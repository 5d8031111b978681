//! Changes of CRDT entities that reach the other nodes late, or not in time. The other nodes are those of the test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, a failure is a panic"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloudstate_catalog::{Catalog, CatalogOptions};
use cloudstate_crdt::{Limits, NodeId};
use cloudstate_function::{Link, LinkOptions, Target};
use cloudstate_protocol::Metadata;
use cloudstate_replica::{
    Acknowledged, Consistency, FirstUse, Id, Publication, Publish, Replicas, ShortOfConsistency,
};
use cloudstate_runtime::{Call, CallError, Core, Input, Metrics, Options, Replies, Router, Shared};
use cloudstate_sdk::crdt::{Consistency as Wanted, Context, Next, PNCounter, Streamed};
use cloudstate_sdk::doc_example::{Change, Count, Read, tally};
use cloudstate_sdk::{Failure, Listener, Reply, ServerOptions, UserFunction};
use futures_util::StreamExt;
use prost::Message;
use tokio::sync::oneshot;

type Outcome = Result<(), ShortOfConsistency>;

/// Other nodes, which acknowledge when the test says so.
#[derive(Default)]
struct Others(Mutex<Vec<oneshot::Sender<Outcome>>>);

impl Others {
    fn waiting(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The outcome of the change that has waited longest.
    fn say(&self, outcome: Outcome) {
        let first = self.0.lock().unwrap().remove(0);
        first.send(outcome).expect("it is awaited");
    }
}

impl Publish for Others {
    fn publish(&self, _: &Id, _: Publication, consistency: Consistency) -> Acknowledged {
        if consistency == Consistency::Local {
            return Acknowledged::Now;
        }
        let (said, outcome) = oneshot::channel();
        self.0.lock().unwrap().push(said);
        Acknowledged::Later(Box::pin(async { outcome.await.expect("the test says it") }))
    }

    fn first_use(&self, _: &Id) -> Option<FirstUse> {
        None
    }
}

struct Tally;

impl tally::CrdtEntity for Tally {
    type State = PNCounter;

    fn add(
        &self,
        command: Change,
        state: &mut PNCounter,
        ctx: &mut Context,
    ) -> Result<Reply<Count>, Failure> {
        if command.by > 1 {
            ctx.write_consistency(Wanted::Majority);
        }
        let value = state.add(command.by)?;
        Ok(Count { value }.into())
    }

    fn watch(
        &self,
        _: Read,
        state: &mut PNCounter,
        _: &mut Context,
    ) -> Result<Streamed<PNCounter, Count>, Failure> {
        let count = |state: &PNCounter| Count { value: state.value() };
        let stream = Streamed::new().first(count(state));
        Ok(stream.on_change(move |state: &PNCounter| Next::send(count(state))))
    }
}

fn call(catalog: &Catalog, method: &str, request: &impl Message) -> Call {
    Call {
        method: catalog
            .method(tally::NAME, method)
            .expect("it is declared")
            .clone(),
        input: Input::One(request.encode_to_vec().into()),
        metadata: Metadata::default(),
        deadline: None,
        trace: None,
    }
}

fn change(by: i64) -> Change {
    Change {
        counter: "e".to_owned(),
        by,
    }
}

fn value(replies: Result<Replies, CallError>) -> Result<i64, CallError> {
    let Replies::One(reply) = replies? else {
        panic!("one reply")
    };
    Ok(Count::decode(reply.payload.expect("a payload"))
        .expect("a Count")
        .value)
}

async fn add(core: &Core, catalog: &Catalog, by: i64) -> Result<i64, CallError> {
    value(core.call(call(catalog, "Add", &change(by))).await)
}

#[test]
fn a_client_waits_for_the_consistency_and_only_it_hears_of_one_that_is_not_reached() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("a runtime");
    runtime.block_on(async {
        let test = tokio::time::timeout(Duration::from_secs(60), consistency());
        test.await.expect("the test hangs");
    });
}

async fn consistency() {
    let function = UserFunction::new("test", "1").with(tally::crdt("tally", Tally));
    let spec = function.clone().declare().unwrap().spec;
    let (catalog, _) = Catalog::build(&spec, &CatalogOptions::default()).unwrap();
    let catalog = Arc::new(catalog);
    let listener = Listener::tcp("127.0.0.1", 0).unwrap();
    let port = listener.address().rsplit(':').next().unwrap().parse().unwrap();
    tokio::task::spawn_local(async move {
        let never = std::future::pending();
        function.serve(listener, ServerOptions::default(), never).await
    });

    let others = Arc::<Others>::default();
    let replicas = Replicas::new(NodeId::new(1, 1), Limits::default(), others.clone());
    let memory = Arc::new(cloudstate_store_memory::Memory::new());
    let store = cloudstate_store::Store::open(memory, cloudstate_store::Options::default())
        .await
        .unwrap();
    let (shared, inboxes) = Shared::new(Options::default(), store, replicas, Metrics::default(), 1);
    let target = Target::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    };
    let inbox = inboxes.into_iter().next().expect("one core");
    let core = Core::start(
        0,
        shared.clone(),
        inbox,
        Link::new(target, LinkOptions::default()),
    );
    shared.install(&catalog).await;

    assert_eq!(add(&core, &catalog, 1).await, Ok(1));
    let read = Read {
        counter: "e".to_owned(),
    };
    let Ok(Replies::Stream(mut watch)) = core.call(call(&catalog, "Watch", &read)).await else {
        panic!("a stream")
    };
    let mut next = async || {
        let payload = watch
            .next()
            .await
            .expect("it goes on")
            .expect("a message")
            .payload;
        Count::decode(payload.expect("a payload")).expect("a Count").value
    };
    assert_eq!(next().await, 1);

    for (by, outcome, total) in [(10, Ok(()), 11), (20, Err(ShortOfConsistency), 31)] {
        let waiting = tokio::task::spawn_local(core.call(call(&catalog, "Add", &change(by))));
        while others.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        // It is made here, and the function goes on with it, while its client waits.
        assert_eq!(next().await, total);
        assert_eq!(add(&core, &catalog, 0).await, Ok(total));
        assert!(!waiting.is_finished());
        others.say(outcome);
        let answer = value(waiting.await.expect("it does not panic"));
        let text = "Failed to update CRDT at requested write consistency";
        match outcome {
            Ok(()) => assert_eq!(answer, Ok(total)),
            Err(_) => assert_eq!(answer, Err(CallError::EntityFailed(text.to_owned()))),
        }
    }
    // The activation and its streams go on.
    assert_eq!(add(&core, &catalog, 1).await, Ok(32));
    assert_eq!(next().await, 32);
}
