use cloudstate_protocol::valueentity::{
    ValueEntityAction, ValueEntityDelete, ValueEntityInit, ValueEntityInitState, ValueEntityReply,
    ValueEntityStreamIn, ValueEntityStreamOut, ValueEntityUpdate, value_entity_action,
    value_entity_stream_in::Message as In, value_entity_stream_out::Message as Out,
};
use cloudstate_protocol::{Any, ClientAction, Command, Reply as ProtocolReply, client_action::Action};

use super::*;
use crate::dispatch::Step;
use crate::doc_example::{Count, Increase, Number, Read, counter};
use crate::{Call, Failure, Reply, UserFunction};

struct CounterEntity;

impl counter::ValueEntity for CounterEntity {
    type State = Count;

    fn increase(&self, command: Increase, ctx: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
        let value = ctx.state().map_or(0, |count| count.value) + command.by;
        ctx.update(Count { value });
        assert_eq!(
            ctx.state(),
            Some(&Count { value }),
            "an update is visible at once"
        );
        match command.by {
            0 => ctx.delete(),
            2 => {
                ctx.delete();
                ctx.update(Count { value: value + 100 });
            }
            13 => return Err("unlucky".into()),
            66 => panic!("cannot count to 66"),
            -2 => return Ok(Reply::nothing()),
            _ => {}
        }
        Ok(Count { value }.into())
    }

    fn read(&self, _: Read, ctx: &mut Context<Count>) -> Result<Reply<Count>, Failure> {
        Ok(ctx.state().copied().unwrap_or(Count { value: -1 }).into())
    }
}

fn stream() -> Stream {
    let registration = counter::value("counter", CounterEntity);
    Stream::new(
        UserFunction::new("test", "1")
            .with(registration)
            .declare()
            .unwrap()
            .value,
    )
}

fn init(value: Option<Any>) -> In {
    In::Init(ValueEntityInit {
        service_name: counter::NAME.into(),
        entity_id: "c1".into(),
        state: Some(ValueEntityInitState { value }),
    })
}

fn send(stream: &mut Stream, message: In) -> Step<ValueEntityStreamOut> {
    stream.handle(&ValueEntityStreamIn {
        message: Some(message),
    })
}

fn started(value: Option<i64>) -> Stream {
    let mut stream = stream();
    let value = value.map(|value| Any::pack(&Count { value }));
    assert_eq!(send(&mut stream, init(value)), Step::Silent);
    stream
}

fn command<O>(id: i64, call: &Call<O>) -> Command {
    let payload = Some(call.payload().clone());
    Command {
        entity_id: "c1".into(),
        id,
        name: call.command().into(),
        payload,
        ..Command::default()
    }
}

fn increase(id: i64, by: i64) -> In {
    In::Command(command(
        id,
        &counter::calls::increase(Increase {
            counter: "c1".into(),
            by,
        }),
    ))
}

fn read(id: i64) -> In {
    In::Command(command(id, &counter::calls::read(Read::default())))
}

#[track_caller]
fn reply(step: Step<ValueEntityStreamOut>) -> ValueEntityReply {
    match step {
        Step::Send(ValueEntityStreamOut {
            message: Some(Out::Reply(reply)),
        }) => reply,
        other => panic!("expected a reply, but got {other:?}"),
    }
}

#[track_caller]
fn ended(step: Step<ValueEntityStreamOut>, id: i64, text: &str) {
    match step {
        Step::End(ValueEntityStreamOut {
            message: Some(Out::Failure(failure)),
        }) => {
            assert_eq!(
                (failure.command_id, failure.description.as_str(), failure.restart),
                (id, text, false)
            );
        }
        other => panic!("expected the end, but got {other:?}"),
    }
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

fn update(value: i64) -> Option<ValueEntityAction> {
    let update = ValueEntityUpdate {
        value: Some(Any::pack(&Count { value })),
    };
    Some(ValueEntityAction {
        action: Some(value_entity_action::Action::Update(update)),
    })
}

fn delete() -> Option<ValueEntityAction> {
    Some(ValueEntityAction {
        action: Some(value_entity_action::Action::Delete(ValueEntityDelete {})),
    })
}

#[test]
fn the_stored_value_is_the_state() {
    assert_eq!(
        reply(send(&mut started(Some(41)), read(1))).client_action,
        count(41)
    );
    assert_eq!(reply(send(&mut started(None), read(1))).client_action, count(-1));
    let mut present_but_default = started(Some(0));
    assert_eq!(
        reply(send(&mut present_but_default, read(1))).client_action,
        count(0),
        "not the same as absent"
    );
}

#[test]
fn an_update_is_stored_and_kept() {
    let mut stream = started(Some(40));
    let expected = ValueEntityReply {
        command_id: 1,
        client_action: count(41),
        state_action: update(41),
        ..Default::default()
    };
    assert_eq!(reply(send(&mut stream, increase(1, 1))), expected);
    let expected = ValueEntityReply {
        command_id: 2,
        client_action: count(41),
        ..Default::default()
    };
    assert_eq!(
        reply(send(&mut stream, read(2))),
        expected,
        "reading stores nothing"
    );
}

#[test]
fn the_last_change_of_a_command_counts() {
    let mut stream = started(Some(5));
    assert_eq!(reply(send(&mut stream, increase(1, 0))).state_action, delete());
    assert_eq!(
        reply(send(&mut stream, read(2))).client_action,
        count(-1),
        "deleted"
    );
    assert_eq!(reply(send(&mut stream, increase(3, 2))).state_action, update(102));
}

#[test]
fn a_declined_command_changes_nothing() {
    let mut stream = started(Some(5));
    let failure = cloudstate_protocol::Failure {
        command_id: 1,
        description: "unlucky".into(),
        restart: false,
    };
    let action = Some(ClientAction {
        action: Some(Action::Failure(failure)),
    });
    let expected = ValueEntityReply {
        command_id: 1,
        client_action: action,
        ..Default::default()
    };
    assert_eq!(reply(send(&mut stream, increase(1, 13))), expected);
    assert_eq!(reply(send(&mut stream, read(2))).client_action, count(5));
}

#[test]
fn failures_of_the_function_end_the_stream() {
    let text = "Value entity unexpected failure: cannot count to 66";
    ended(send(&mut started(None), increase(3, 66)), 3, text);
    let text = "Value entity unexpected failure: No reply or forward returned by command handler!";
    ended(send(&mut started(None), increase(4, -2)), 4, text);
    let foreign = init(Some(Any::pack(&Number { value: 1 })));
    let Step::End(_) = send(&mut stream(), foreign) else {
        panic!("a value of another type must end the stream")
    };
}

#[test]
fn protocol_errors_have_the_texts_of_the_protocol() {
    let empty = stream().handle(&ValueEntityStreamIn { message: None });
    ended(
        empty,
        0,
        "Protocol error: Value entity received empty/unknown message",
    );
    ended(
        send(&mut stream(), read(1)),
        0,
        "Protocol error: Expected init message for Value entity",
    );
    ended(
        send(&mut started(None), init(None)),
        0,
        "Protocol error: Value entity already inited",
    );
    let unknown = In::Init(ValueEntityInit {
        service_name: "x.Y".into(),
        ..Default::default()
    });
    ended(
        send(&mut stream(), unknown),
        0,
        "Protocol error: Service not found: x.Y",
    );
    let good = || command(5, &counter::calls::read(Read::default()));
    let nobody = Command {
        payload: None,
        ..good()
    };
    let text = "Protocol error: No command payload for Value entity";
    ended(send(&mut started(None), In::Command(nobody)), 5, text);
    let stranger = Command {
        entity_id: "c2".into(),
        ..good()
    };
    let text = "Protocol error: Receiving Value entity is not the intended recipient of command";
    ended(send(&mut started(None), In::Command(stranger)), 5, text);
    let unknown = Command {
        name: "Decrease".into(),
        ..good()
    };
    ended(
        send(&mut started(None), In::Command(unknown)),
        5,
        "Protocol error: Unknown command: Decrease",
    );
}
