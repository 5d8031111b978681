//! The kit behaves like the proxy.

use cloudstate_sdk::action::{self, Commands};
use cloudstate_sdk::crdt::{self, Next, PNCounter, Streamed};
use cloudstate_sdk::doc_example::{
    Change, Count, Counted, Increase, Number, Pair, Read, counter, sums, tally,
};
use cloudstate_sdk::event_sourced::Context;
use cloudstate_sdk::stream::{self, StreamExt};
use cloudstate_sdk::{Call, EventSourced, Failure, Reply, Snapshot, Stream};
use cloudstate_testkit::{ActionTest, CrdtTest, EventSourcedTest, Outcome, ValueTest};

#[derive(Default)]
struct Counter {
    count: i64,
}

impl EventSourced for Counter {
    type Event = Counted;
    type Snapshot = Count;

    fn apply(&mut self, event: Counted) {
        self.count += event.by;
    }
}

impl Snapshot<Counter> for Count {
    fn of(counter: &Counter) -> Option<Self> {
        Some(Count { value: counter.count })
    }

    fn restore(self, counter: &mut Counter) {
        counter.count = self.value;
    }
}

struct CounterEntity;

impl counter::EventSourcedEntity for CounterEntity {
    type State = Counter;

    fn increase(&self, command: Increase, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
        ctx.emit(Counted { by: command.by });
        match command.by {
            13 => Err("unlucky".into()),
            66 => panic!("too much"),
            _ => Ok(Reply::new(Count {
                value: ctx.state().count,
            })
            .with_effect(sums::calls::forget(Number { value: command.by }))),
        }
    }

    fn read(&self, _: Read, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
        let metadata = [("id", ctx.entity_id())].into_iter().collect();
        Ok(Reply::new(Count {
            value: ctx.state().count,
        })
        .with_metadata(metadata))
    }
}

fn entity() -> EventSourcedTest {
    EventSourcedTest::new(counter::event_sourced("counter", CounterEntity).snapshot_every(2))
}

fn increase(by: i64) -> Call<Count> {
    counter::calls::increase(Increase {
        by,
        ..Increase::default()
    })
}

fn read() -> Call<Count> {
    counter::calls::read(Read::default())
}

fn value(outcome: &Outcome<Count>) -> i64 {
    outcome.reply().value
}

#[test]
fn events_effects_and_snapshots_are_seen_and_stored() {
    let mut entity = entity();
    let outcome = entity.call(increase(5));
    assert_eq!(outcome.events::<Counted>(), [Counted { by: 5 }]);
    assert_eq!(outcome.effects()[0].command_name, "Forget");
    assert_eq!(outcome.snapshot::<Count>(), None);
    assert_eq!(
        entity.call(increase(1)).snapshot::<Count>(),
        Some(Count { value: 6 })
    );
    assert_eq!(entity.log::<Counted>(), [Counted { by: 5 }, Counted { by: 1 }]);
}

#[test]
fn what_was_stored_before_is_the_state() {
    let mut replayed = entity().with_events([Counted { by: 1 }, Counted { by: 2 }]);
    assert_eq!(value(&replayed.call(read())), 3);
    let mut restored = entity()
        .with_snapshot(7, &Count { value: 40 })
        .with_events([Counted { by: 2 }]);
    assert_eq!(value(&restored.call(read())), 42);
    let snapshot = restored.call(increase(1)).snapshot::<Count>();
    assert_eq!(snapshot, None, "the ninth event is not due for a snapshot");
}

#[test]
fn a_failure_after_an_event_stores_nothing_and_reloads() {
    let mut entity = entity().with_events([Counted { by: 1 }]);
    let outcome = entity.call(increase(13));
    assert_eq!(outcome.failure(), "unlucky");
    assert!(outcome.restarted() && outcome.events::<Counted>().is_empty());
    assert_eq!(value(&entity.call(read())), 1);
}

#[test]
fn a_panic_is_a_crash_after_which_the_entity_is_reloaded() {
    let mut entity = entity().with_events([Counted { by: 1 }]);
    assert_eq!(
        entity.call(increase(66)).crashed(),
        "Unexpected failure: too much"
    );
    assert_eq!(value(&entity.call(read())), 1);
}

#[test]
fn the_entity_id_can_be_chosen() {
    let outcome = entity().with_id("c7").call(read());
    assert_eq!(outcome.metadata().get("id"), Some("c7"));
}

#[test]
#[should_panic(expected = "expected a failure, but the outcome is")]
fn an_accessor_of_another_outcome_tells_the_actual_one() {
    entity().call(read()).failure();
}

struct ValueCounter;

impl counter::ValueEntity for ValueCounter {
    type State = Count;

    fn increase(
        &self,
        command: Increase,
        ctx: &mut cloudstate_sdk::value::Context<Count>,
    ) -> Result<Reply<Count>, Failure> {
        let value = ctx.state().map_or(0, |count| count.value) + command.by;
        if command.by == 0 {
            ctx.delete()
        } else {
            ctx.update(Count { value })
        }
        if command.by == 13 {
            Err("unlucky".into())
        } else {
            Ok(Count { value }.into())
        }
    }

    fn read(
        &self,
        _: Read,
        ctx: &mut cloudstate_sdk::value::Context<Count>,
    ) -> Result<Reply<Count>, Failure> {
        Ok(ctx.state().copied().unwrap_or_default().into())
    }
}

#[test]
fn a_value_is_kept_rolled_back_and_deleted() {
    let mut entity = ValueTest::new(counter::value("counter", ValueCounter)).with_value(&Count { value: 10 });
    assert_eq!(
        entity.call(increase(5)).updated::<Count>(),
        Some(Count { value: 15 })
    );
    assert_eq!(entity.call(increase(13)).failure(), "unlucky");
    entity.restart();
    assert_eq!(value(&entity.call(read())), 15);
    assert!(entity.call(increase(0)).deleted());
    assert_eq!(entity.value::<Count>(), None);
}

struct Sums;

impl sums::Action for Sums {
    async fn add(&self, pair: Pair, ctx: action::Context) -> Result<Reply<Count>, Failure> {
        let bonus = ctx.metadata().get("bonus").map_or(0, str::len);
        let bonus = i64::try_from(bonus).unwrap_or(i64::MAX);
        Ok(Count {
            value: pair.left + pair.right + bonus,
        }
        .into())
    }

    async fn total(
        &self,
        mut numbers: Commands<Number>,
        _: action::Context,
    ) -> Result<Reply<Count>, Failure> {
        let mut total = 0;
        while let Some(number) = numbers.next().await {
            total += number.value;
        }
        Ok(Count { value: total }.into())
    }

    fn upto(
        &self,
        number: Number,
        _: action::Context,
    ) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
        stream::iter(1..=number.value).map(|value| Ok(Count { value }.into()))
    }

    fn running(
        &self,
        numbers: Commands<Number>,
        _: action::Context,
    ) -> impl Stream<Item = Result<Reply<Count>, Failure>> + Send {
        numbers.map(|number| Ok(Count { value: number.value }.into()))
    }

    async fn forget(&self, _: Number, _: action::Context) -> Result<Reply<()>, Failure> {
        Ok(Reply::nothing())
    }
}

#[tokio::test]
async fn actions_are_called_in_all_shapes() {
    let test = ActionTest::new(sums::action(Sums));
    let add =
        sums::calls::add(Pair { left: 1, right: 2 }).with_metadata([("bonus", "xx")].into_iter().collect());
    assert_eq!(value(&test.call(add).await), 5);
    let number = |value| Number { value };
    let total = test
        .call_streamed_in(sums::calls::total(number(1)), [sums::calls::total(number(2))])
        .await;
    assert_eq!(value(&total), 3);
    let upto = test.call_streamed_out(sums::calls::upto(number(3))).await;
    assert_eq!(upto.iter().map(value).collect::<Vec<_>>(), [1, 2, 3]);
    let running = test
        .call_streamed(sums::calls::running(number(4)), [sums::calls::running(number(5))])
        .await;
    assert_eq!(running.iter().map(value).collect::<Vec<_>>(), [4, 5]);
    assert!(test.call(sums::calls::forget(number(1))).await.is_nothing());
}

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
            13 => return Err("unlucky".into()),
            66 => panic!("too much"),
            -100 => ctx.delete(),
            _ => {}
        }
        Ok(Reply::new(Count { value }).with_effect(sums::calls::forget(Number { value })))
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
            .on_change(move |state: &PNCounter| match state.value() {
                50 => Next::Fail("enough".into()),
                _ => Next::send(count(state)),
            })
            .on_cancel(|state: &mut PNCounter, _| assert!(state.add(-1).is_ok())))
    }
}

fn crdt_entity() -> CrdtTest {
    CrdtTest::new(tally::crdt("tally", Tally))
}

fn change(by: i64) -> Call<Count> {
    tally::calls::add(Change {
        by,
        ..Change::default()
    })
}

fn values(counts: &[Count]) -> Vec<i64> {
    counts.iter().map(|count| count.value).collect()
}

#[test]
fn a_crdt_is_replicated_between_two_nodes_unless_they_are_apart() {
    let mut test = crdt_entity();
    let mut here = test.open(tally::calls::watch(Read::default()));
    let mut there = test.open_elsewhere(tally::calls::watch(Read::default()));
    let outcome = test.call(change(3));
    assert_eq!((outcome.reply().value, outcome.effects().len()), (3, 1));
    assert_eq!(
        (values(&here.messages()), values(&there.messages())),
        (vec![0, 3], vec![0, 3])
    );
    test.part();
    assert_eq!(test.call(change(1)).reply().value, 4);
    assert_eq!(test.call_elsewhere(change(2)).reply().value, 5);
    assert_eq!(
        (values(&here.messages()), values(&there.messages())),
        (vec![4], vec![5])
    );
    test.heal();
    assert_eq!(
        (values(&here.messages()), values(&there.messages())),
        (vec![6], vec![6])
    );
    test.cancel(there);
    assert_eq!(
        values(&here.messages()),
        [5],
        "the end of a stream may change the state"
    );
    test.call(change(45));
    assert_eq!(here.failure().as_deref(), Some("enough"));
}

#[test]
fn a_crdt_outlives_its_function_and_failures_change_nothing() {
    let mut test = crdt_entity();
    test.call(change(3));
    assert_eq!(test.call(change(13)).failure(), "unlucky");
    test.restart();
    assert_eq!(test.call(change(1)).reply().value, 4);
    assert!(test.call(change(66)).crashed().contains("too much"));
    assert_eq!(test.call(change(0)).reply().value, 4);
    assert_eq!(test.call(change(-100)).reply().value, -96);
    assert_eq!(test.call_elsewhere(change(1)).failure(), "Entity deleted");
}
