//! Functions as users write them, on the SDK, behind the proxy.

use cloudstate_proxy::Event;
use cloudstate_sdk::doc_example::{Count, Counted, Increase, Read, counter};
use cloudstate_sdk::event_sourced::Context;
use cloudstate_sdk::{EventSourced, Failure, NoSnapshot, Reply, UserFunction};
use prost::Message;

use crate::harness::sdk::SdkFunction;
use crate::harness::{Answer, Proxy, run};

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
