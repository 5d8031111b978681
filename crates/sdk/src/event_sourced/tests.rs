use std::sync::Arc;

use cloudstate_protocol::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot, EventSourcedStreamIn,
    EventSourcedStreamOut, event_sourced_stream_in::Message as In, event_sourced_stream_out::Message as Out,
};
use cloudstate_protocol::{
    Any, ClientAction, Command, Metadata, Reply as ProtocolReply, client_action::Action,
};

use super::*;
use crate::dispatch::Step;
use crate::doc_example::{Count, Counted, Increase, Number, Read, counter, sums};
use crate::{Call, Failure, Reply, UserFunction};

#[derive(Default)]
struct Counter {
    id: String,
    count: i64,
}

impl EventSourced for Counter {
    type Event = Counted;
    type Snapshot = Count;

    fn created(&mut self, entity_id: &str) {
        self.id = entity_id.to_owned();
    }

    fn apply(&mut self, event: Counted) {
        assert!(event.by != 13, "thirteen is unlucky");
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

    /// Emits one event a unit, so that one command can cross the point of a snapshot.
    fn increase(&self, command: Increase, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
        assert_eq!(ctx.state().id, ctx.entity_id());
        let before = ctx.state().count;
        for by in 1..=command.by {
            ctx.emit(Counted { by: 1 });
            assert_eq!(ctx.state().count, before + by, "an event is applied at once");
        }
        match command.by {
            66 => panic!("cannot count to {}", command.by),
            13 => Err(Failure::new("thirteen, after all").with_effect(effect())),
            -1 => Err("only upwards".into()),
            -2 => Ok(Reply::nothing()),
            -3 => Ok(Reply::forward(counter::calls::read(Read::default()))),
            -4 => Ok(Reply::new(Count { value: 0 })
                .with_effect(effect())
                .with_synchronous_effect(effect())),
            _ => Ok(Count {
                value: ctx.state().count,
            }
            .into()),
        }
    }

    fn read(&self, _: Read, ctx: &mut Context<Counter>) -> Result<Reply<Count>, Failure> {
        let metadata = [("seen", ctx.metadata().get("x").unwrap_or("nothing"))]
            .into_iter()
            .collect();
        Ok(Reply::new(Count {
            value: ctx.state().count,
        })
        .with_metadata(metadata))
    }
}

fn effect() -> Call<()> {
    sums::calls::forget(Number { value: 7 })
}

fn stream(snapshot_every: u64) -> Stream {
    let registration = counter::event_sourced("counter", CounterEntity).snapshot_every(snapshot_every);
    Stream::new(
        UserFunction::new("test", "1")
            .with(registration)
            .declare()
            .unwrap()
            .event_sourced,
    )
}

fn init(snapshot: Option<EventSourcedSnapshot>) -> In {
    In::Init(EventSourcedInit {
        service_name: counter::NAME.into(),
        entity_id: "c1".into(),
        snapshot,
    })
}

fn event(sequence: i64, by: i64) -> In {
    In::Event(EventSourcedEvent {
        sequence,
        payload: Some(Any::pack(&Counted { by })),
    })
}

fn command<O>(id: i64, call: &Call<O>) -> In {
    In::Command(Command {
        entity_id: "c1".into(),
        id,
        name: call.command().into(),
        payload: Some(call.payload().clone()),
        ..Command::default()
    })
}

fn increase(by: i64) -> Call<Count> {
    counter::calls::increase(Increase {
        counter: "c1".into(),
        by,
    })
}

fn send(stream: &mut Stream, message: In) -> Step<EventSourcedStreamOut> {
    stream.handle(&EventSourcedStreamIn {
        message: Some(message),
    })
}

fn started(snapshot_every: u64) -> Stream {
    let mut stream = stream(snapshot_every);
    assert_eq!(send(&mut stream, init(None)), Step::Silent);
    stream
}

#[track_caller]
fn reply(step: Step<EventSourcedStreamOut>) -> EventSourcedReply {
    match step {
        Step::Send(EventSourcedStreamOut {
            message: Some(Out::Reply(reply)),
        }) => reply,
        other => panic!("expected a reply, but got {other:?}"),
    }
}

/// The id and text of the failure that ended the stream.
#[track_caller]
fn end(step: Step<EventSourcedStreamOut>) -> (i64, String) {
    match step {
        Step::End(EventSourcedStreamOut {
            message: Some(Out::Failure(failure)),
        }) => {
            assert!(!failure.restart, "only a failing reply asks for a restart");
            (failure.command_id, failure.description)
        }
        other => panic!("expected the end, but got {other:?}"),
    }
}

fn ended(step: Step<EventSourcedStreamOut>, id: i64, text: &str) {
    assert_eq!(end(step), (id, text.to_owned()));
}

fn count(value: i64) -> Option<ClientAction> {
    let payload = Some(Any::pack(&Count { value }));
    Some(ClientAction {
        action: Some(Action::Reply(ProtocolReply {
            payload,
            metadata: None,
        })),
    })
}

fn failure(id: i64, description: &str, restart: bool) -> Option<ClientAction> {
    let failure = cloudstate_protocol::Failure {
        command_id: id,
        description: description.into(),
        restart,
    };
    Some(ClientAction {
        action: Some(Action::Failure(failure)),
    })
}

#[test]
fn a_command_is_answered_with_its_events() {
    let mut stream = started(0);
    let events = vec![Any::pack(&Counted { by: 1 }); 2];
    let expected = EventSourcedReply {
        command_id: 1,
        client_action: count(2),
        events,
        ..Default::default()
    };
    assert_eq!(reply(send(&mut stream, command(1, &increase(2)))), expected);
    let expected = EventSourcedReply {
        command_id: 2,
        client_action: count(2),
        ..Default::default()
    };
    assert_eq!(
        reply(send(&mut stream, command(2, &increase(0)))),
        expected,
        "events are sent once"
    );
}

#[test]
fn state_is_what_snapshot_and_events_say() {
    let mut stream = stream(0);
    let snapshot = EventSourcedSnapshot {
        snapshot_sequence: 7,
        snapshot: Some(Any::pack(&Count { value: 40 })),
    };
    assert_eq!(send(&mut stream, init(Some(snapshot))), Step::Silent);
    assert_eq!(send(&mut stream, event(8, 1)), Step::Silent);
    assert_eq!(send(&mut stream, event(9, 1)), Step::Silent);
    assert_eq!(
        reply(send(&mut stream, command(1, &increase(0)))).client_action,
        count(42)
    );
}

#[test]
fn a_snapshot_is_taken_when_an_emitted_sequence_is_a_multiple() {
    // (events before, emitted, snapshot of)
    for (before, emitted, expected) in [
        (0, 4, None),
        (0, 5, Some(5)),
        (3, 4, Some(7)),
        (4, 0, None),
        (5, 4, None),
        (5, 11, Some(16)),
    ] {
        let mut stream = started(5);
        (1..=before).for_each(|sequence| assert_eq!(send(&mut stream, event(sequence, 1)), Step::Silent));
        let snapshot = reply(send(&mut stream, command(1, &increase(emitted)))).snapshot;
        let expected = expected.map(|value| Any::pack(&Count { value }));
        assert_eq!(snapshot, expected, "{emitted} events after {before}");
    }
}

#[test]
fn a_due_snapshot_is_taken_once() {
    let mut stream = started(5);
    assert!(
        reply(send(&mut stream, command(1, &increase(5))))
            .snapshot
            .is_some()
    );
    assert!(
        reply(send(&mut stream, command(2, &increase(1))))
            .snapshot
            .is_none()
    );
}

#[test]
fn snapshots_are_taken_every_hundred_events_unless_told_otherwise() {
    let registration = counter::event_sourced("counter", CounterEntity);
    let mut stream = Stream::new(
        UserFunction::new("test", "1")
            .with(registration)
            .declare()
            .unwrap()
            .event_sourced,
    );
    assert_eq!(send(&mut stream, init(None)), Step::Silent);
    assert!(
        reply(send(&mut stream, command(1, &increase(99))))
            .snapshot
            .is_none()
    );
    assert!(
        reply(send(&mut stream, command(2, &increase(1))))
            .snapshot
            .is_some()
    );
}

#[test]
fn declining_without_events_leaves_everything_as_it_was() {
    let mut stream = started(1);
    let expected = EventSourcedReply {
        command_id: 1,
        client_action: failure(1, "only upwards", false),
        ..Default::default()
    };
    assert_eq!(reply(send(&mut stream, command(1, &increase(-1)))), expected);
    assert_eq!(
        reply(send(&mut stream, command(2, &increase(1)))).client_action,
        count(1)
    );
}

#[test]
fn declining_after_events_asks_for_a_restart_and_sends_nothing_else() {
    let mut stream = started(1);
    let action = failure(1, "thirteen, after all", true);
    let expected = EventSourcedReply {
        command_id: 1,
        client_action: action,
        ..Default::default()
    };
    assert_eq!(reply(send(&mut stream, command(1, &increase(13)))), expected);
    let text = "Protocol error: Command after a failure that asked for a restart";
    ended(send(&mut stream, command(2, &increase(1))), 2, text);
}

#[test]
fn forwards_and_effects_are_passed_on_in_order() {
    let mut stream = started(0);
    let forwarded = reply(send(&mut stream, command(1, &increase(-3))))
        .client_action
        .unwrap();
    let Some(Action::Forward(forward)) = forwarded.action else {
        panic!("expected a forward")
    };
    assert_eq!(
        (forward.service_name.as_str(), forward.command_name.as_str()),
        (counter::NAME, "Read")
    );
    assert_eq!(forward.payload, Some(Any::pack(&Read::default())));
    let effects = reply(send(&mut stream, command(2, &increase(-4)))).side_effects;
    let synchronous: Vec<_> = effects.iter().map(|effect| effect.synchronous).collect();
    assert_eq!(synchronous, [false, true]);
    assert_eq!(
        (effects[0].service_name.as_str(), effects[0].command_name.as_str()),
        (sums::NAME, "Forget")
    );
    assert_eq!(effects[0].payload, Some(Any::pack(&Number { value: 7 })));
}

#[test]
fn metadata_comes_in_and_goes_out() {
    let mut stream = started(0);
    let In::Command(mut read) = command(1, &counter::calls::read(Read::default())) else {
        unreachable!()
    };
    read.metadata = Some([("X", "y")].into_iter().collect());
    let action = reply(send(&mut stream, In::Command(read)))
        .client_action
        .unwrap()
        .action;
    let Some(Action::Reply(answer)) = action else {
        panic!("expected a reply")
    };
    assert_eq!(
        answer.metadata,
        Some([("seen", "y")].into_iter().collect::<Metadata>())
    );
    let again = reply(send(
        &mut stream,
        command(2, &counter::calls::read(Read::default())),
    ));
    let Some(Action::Reply(answer)) = again.client_action.unwrap().action else {
        panic!("expected a reply")
    };
    assert_eq!(
        answer.metadata.unwrap().get("seen"),
        Some("nothing"),
        "metadata is that of the command alone"
    );
}

#[test]
fn a_panic_ends_the_stream_with_the_command_id() {
    let mut stream = started(0);
    ended(
        send(&mut stream, command(9, &increase(66))),
        9,
        "Unexpected failure: cannot count to 66",
    );
    ended(
        send(&mut stream, command(10, &increase(1))),
        0,
        "Protocol error: Expected Init message",
    );
}

#[test]
fn a_panic_while_replaying_ends_the_stream_without_a_command_id() {
    ended(
        send(&mut started(0), event(1, 13)),
        0,
        "Unexpected failure: thirteen is unlucky",
    );
}

#[test]
fn one_entity_breaking_leaves_others_alone() {
    let registration = counter::event_sourced("counter", CounterEntity);
    let services = UserFunction::new("test", "1")
        .with(registration)
        .declare()
        .unwrap()
        .event_sourced;
    let (mut broken, mut well) = (Stream::new(Arc::clone(&services)), Stream::new(services));
    assert_eq!(send(&mut broken, init(None)), Step::Silent);
    assert_eq!(send(&mut well, init(None)), Step::Silent);
    end(send(&mut broken, command(1, &increase(66))));
    assert_eq!(
        reply(send(&mut well, command(1, &increase(3)))).client_action,
        count(3)
    );
}

#[test]
fn no_answer_at_all_is_a_failure_of_the_function() {
    let text = "Unexpected failure: No reply or forward returned by command handler!";
    ended(send(&mut started(0), command(4, &increase(-2))), 4, text);
}

#[test]
fn protocol_errors_have_the_texts_of_the_protocol() {
    let empty = stream(0).handle(&EventSourcedStreamIn { message: None });
    ended(empty, 0, "Protocol error: Received empty/unknown message");
    ended(
        send(&mut stream(0), event(1, 1)),
        0,
        "Protocol error: Expected Init message",
    );
    ended(
        send(&mut stream(0), command(1, &increase(1))),
        0,
        "Protocol error: Expected Init message",
    );
    ended(
        send(&mut started(0), init(None)),
        0,
        "Protocol error: Entity already inited",
    );
    let unknown = In::Init(EventSourcedInit {
        service_name: "x.Y".into(),
        ..Default::default()
    });
    ended(
        send(&mut stream(0), unknown),
        0,
        "Protocol error: Service not found: x.Y",
    );
}

#[test]
fn wrong_commands_are_refused_with_their_id() {
    let good = || match command(5, &increase(1)) {
        In::Command(command) => command,
        _ => unreachable!(),
    };
    let cases = [
        (
            Command {
                payload: None,
                ..good()
            },
            "Protocol error: No command payload",
        ),
        (
            Command {
                entity_id: "c2".into(),
                ..good()
            },
            "Protocol error: Receiving entity is not the intended recipient of command",
        ),
        (
            Command {
                name: "Decrease".into(),
                ..good()
            },
            "Protocol error: Unknown command: Decrease",
        ),
    ];
    for (wrong, text) in cases {
        ended(send(&mut started(0), In::Command(wrong)), 5, text);
    }
    let garbage = Some(Any {
        value: vec![0xff].into(),
        ..Default::default()
    });
    let (id, text) = end(send(
        &mut started(0),
        In::Command(Command {
            payload: garbage,
            ..good()
        }),
    ));
    assert_eq!(id, 5);
    assert!(
        text.starts_with("Unexpected failure: malformed message of command Increase: "),
        "{text}"
    );
}

#[test]
fn a_command_is_decoded_by_its_method_whatever_the_type_url() {
    let In::Command(mut increase) = command(1, &increase(2)) else {
        unreachable!()
    };
    increase.payload.as_mut().unwrap().type_url = "x.example/other".into();
    assert_eq!(
        reply(send(&mut started(0), In::Command(increase))).client_action,
        count(2)
    );
}

#[test]
fn events_and_snapshots_of_other_types_end_the_stream() {
    let stranger = Some(Any::pack(&Number { value: 1 }));
    let foreign = In::Event(EventSourcedEvent {
        sequence: 1,
        payload: stranger.clone(),
    });
    let (id, text) = end(send(&mut started(0), foreign));
    assert_eq!(id, 0);
    assert!(
        text.starts_with("Unexpected failure: cannot read a persisted value: expected type"),
        "{text}"
    );
    let snapshot = EventSourcedSnapshot {
        snapshot_sequence: 1,
        snapshot: stranger,
    };
    let (_, text) = end(send(&mut stream(0), init(Some(snapshot))));
    assert!(text.contains("cloudstate_sdk_example.Number"), "{text}");
}
