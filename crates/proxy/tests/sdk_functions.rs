//! Functions as users write them, on the SDK, behind the proxy.

use cloudstate_proxy::Event;
use cloudstate_sdk::crdt::{self, Consistency, Next, PNCounter, Streamed};
use cloudstate_sdk::doc_example::{Change, Count, Counted, Increase, Read, counter, tally};
use cloudstate_sdk::event_sourced::Context;
use cloudstate_sdk::{EventSourced, Failure, NoSnapshot, Reply, UserFunction};
use prost::Message;

use crate::harness::sdk::SdkFunction;
use crate::harness::{Answer, Proxy, Watch, run};

const INCREASE: &str = "/cloudstate_sdk_example.Counter/Increase";
const READ: &str = "/cloudstate_sdk_example.Counter/Read";

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
        match command.by {
            13 => panic!("an unlucky number"),
            ..=0 => Err("a counter only grows".into()),
            _ => Ok(Count { value: ctx.state().0 }.into()),
        }
    }

    fn read(&self, _: Read, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
        Ok(Count { value: ctx.state().0 }.into())
    }
}

fn increase(by: i64) -> Increase {
    Increase {
        counter: "a".to_owned(),
        by,
    }
}

fn value(answer: &Answer) -> i64 {
    assert_eq!(answer.status(), (0, String::new()));
    Count::decode(answer.body.slice(5..)).expect("a Count").value
}

#[test]
fn an_entity_on_the_sdk_keeps_its_state_and_its_failures_store_nothing() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", directory.path().display());
        let function = SdkFunction::start(
            UserFunction::new("counters", "1").with(counter::event_sourced("counter", CounterEntity)),
        );
        let read = Read {
            counter: "a".to_owned(),
        };
        for round in 0..2 {
            let proxy = Proxy::start(function.port, &[("store.url", &store)]);
            let client = proxy.client().await;
            assert_eq!(value(&client.call(INCREASE, &increase(2)).await), 2 + 2 * round);
            let declined = client.call(INCREASE, &increase(-1)).await;
            assert_eq!(declined.status(), (2, "a counter only grows".to_owned()));
            let panicked = client.call(INCREASE, &increase(13)).await;
            assert_eq!(panicked.status(), (2, "Unexpected entity failure".to_owned()));
            assert_eq!(value(&client.call(READ, &read).await), 2 + 2 * round);
            let bound = proxy.http().await.send("GET", "/counters/a", "").await;
            assert_eq!(bound.status(), 200, "{}", bound.body());
            assert!(bound.body().contains("value"), "{}", bound.body());
            proxy.stop().await;
        }
    });
}

#[test]
fn a_function_on_a_unix_socket_is_served_and_found_again() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("function.sock");
        let counters =
            || UserFunction::new("counters", "1").with(counter::event_sourced("counter", CounterEntity));
        let function = SdkFunction::start_at(socket.clone(), counters());
        let proxy = Proxy::start(
            function.port,
            &[("function.socket", &socket.display().to_string())],
        );
        let client = proxy.client().await;
        assert_eq!(value(&client.call(INCREASE, &increase(2)).await), 2);
        let before = proxy.events();
        drop(function);
        proxy
            .event_after(before, |event| {
                matches!(event, Event::FunctionLost(_)).then_some(())
            })
            .await
            .expect("the proxy notices");
        let _function = SdkFunction::start_at(socket, counters());
        proxy
            .event_after(before, |event| matches!(event, Event::FunctionBack).then_some(()))
            .await
            .expect("the proxy finds it");
        assert_eq!(value(&client.call(INCREASE, &increase(3)).await), 5);
        proxy.stop().await;
    });
}

const ADD: &str = "/cloudstate_sdk_example.Tally/Add";
const WATCH: &str = "/cloudstate_sdk_example.Tally/Watch";

struct Tally;

impl tally::CrdtEntity for Tally {
    type State = PNCounter;

    fn add(
        &self,
        command: Change,
        state: &mut PNCounter,
        ctx: &mut crdt::Context,
    ) -> Result<Reply<Count>, Failure> {
        let value = state.add(command.by)?;
        match command.by {
            13 => return Err("an unlucky number".into()),
            66 => panic!("an unluckier number"),
            0 => ctx.delete(),
            _ => ctx.write_consistency(Consistency::Majority),
        }
        Ok(Count { value }.into())
    }

    fn watch(
        &self,
        _: Read,
        state: &mut PNCounter,
        _: &mut crdt::Context,
    ) -> Result<Streamed<PNCounter, Count>, Failure> {
        let count = |state: &PNCounter| Count { value: state.value() };
        let stream = Streamed::new().first(count(state));
        Ok(stream
            .on_change(move |state: &PNCounter| Next::send(count(state)))
            .on_cancel(|state: &mut PNCounter, _| assert!(state.add(100).is_ok())))
    }
}

#[test]
fn a_crdt_entity_on_the_sdk_streams_its_changes_and_outlives_its_failures() {
    run(async {
        let function = SdkFunction::start(UserFunction::new("test", "1").with(tally::crdt("tally", Tally)));
        let proxy = Proxy::start(function.port, &[("entity.passivation-timeout", "20ms")]);
        let client = proxy.client().await;
        let change = |by| Change {
            counter: "a".to_owned(),
            by,
        };
        let read = Read {
            counter: "a".to_owned(),
        };
        let mut first = Watch::<Count>::begin(&client, WATCH, &read).await;
        assert_eq!(first.message().await, Ok(Count { value: 0 }));
        let mut second = Watch::<Count>::begin(&client, WATCH, &read).await;
        assert_eq!(second.message().await, Ok(Count { value: 0 }));
        assert_eq!(value(&client.call(ADD, &change(3)).await), 3);
        let declined = client.call(ADD, &change(13)).await;
        assert_eq!(declined.status(), (2, "an unlucky number".to_owned()));
        first.leave();
        for expected in [3, 103] {
            assert_eq!(second.message().await, Ok(Count { value: expected }));
        }
        let broken = client.call(ADD, &change(66)).await;
        assert_eq!(broken.status(), (13, "Entity terminating".to_owned()));
        assert!(second.message().await.is_err());

        // Nobody calls: it leaves the function's memory, and comes back with its state.
        let idle = |scrape: &crate::harness::scrape::Scrape| {
            scrape.value("cloudstate_crdt_active_entities", &[("entity_name", "tally")]) == 0.0
        };
        proxy.scrape_until(idle).await;
        assert_eq!(value(&client.call(ADD, &change(1)).await), 104);
        assert_eq!(value(&client.call(ADD, &change(0)).await), 104);
        let deleted = client.call(ADD, &change(1)).await;
        assert_eq!(deleted.status(), (2, "Entity deleted".to_owned()));
    });
}
