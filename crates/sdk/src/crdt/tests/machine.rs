//! Message by message, as the proxy sends them.

use cloudstate_protocol::crdt::crdt_delta::Delta;
use cloudstate_protocol::crdt::{
    CrdtDelete, CrdtInit, CrdtStreamIn, CrdtStreamOut, CrdtWriteConsistency, FlagDelta, PnCounterDelta,
    crdt_state_action::Action, crdt_stream_in::Message as In, crdt_stream_out::Message as Out,
};
use cloudstate_protocol::{ClientAction, Command, StreamCancelled, client_action};

use crate::crdt::replicated::on_the_wire;
use crate::crdt::{Consistency, Context, Next, PNCounter, Stream, Streamed};
use crate::dispatch::Step;
use crate::doc_example::{Change, Count, Read, tally};
use crate::{Call, Failure, Reply, UserFunction};

struct Tally;

fn count(state: &PNCounter) -> Count {
    Count { value: state.value() }
}

impl tally::CrdtEntity for Tally {
    type State = PNCounter;

    fn add(
        &self,
        command: Change,
        state: &mut PNCounter,
        ctx: &mut Context,
    ) -> Result<Reply<Count>, Failure> {
        state.add(command.by)?;
        match command.by {
            13 => return Err("unlucky".into()),
            66 => panic!("cannot count to 66"),
            7 => ctx.write_consistency(Consistency::Majority),
            -1 => ctx.delete(),
            _ => {}
        }
        assert_eq!(ctx.entity_id(), "e");
        Ok(count(state).into())
    }

    fn watch(
        &self,
        command: Read,
        state: &mut PNCounter,
        ctx: &mut Context,
    ) -> Result<Streamed<PNCounter, Count>, Failure> {
        let others = i64::try_from(ctx.other_streams()).expect("a few");
        Ok(match command.counter.as_str() {
            "once" => Streamed::once(count(state)),
            "decline" => return Err("no".into()),
            "silent" => Streamed::new().on_cancel(|state: &mut PNCounter, ctx| {
                assert!(state.add(100).is_ok());
                ctx.write_consistency(Consistency::All);
            }),
            "others" => Streamed::once(Count { value: others }),
            _ => Streamed::new()
                .first(count(state))
                .on_change(|state: &PNCounter| match state.value() {
                    10 => Next::Silent,
                    20 => Next::last(count(state)),
                    30 => Next::End,
                    40 => Next::Fail("too many".into()),
                    _ => Next::send(count(state)),
                }),
        })
    }
}

/// What the function says, as short lines.
fn lines(step: Step<Vec<CrdtStreamOut>>) -> Vec<String> {
    let (outs, ended) = match step {
        Step::Silent => (Vec::new(), false),
        Step::Send(outs) => (outs, false),
        Step::End(outs) => (outs, true),
    };
    let mut lines: Vec<_> = outs.into_iter().map(|out| line(out.message)).collect();
    lines.extend(ended.then(|| "end".to_owned()));
    lines
}

fn line(message: Option<Out>) -> String {
    match message.expect("a message") {
        Out::Reply(reply) => {
            let streamed = if reply.streamed { ", streamed" } else { "" };
            let action = said(reply.client_action);
            let change = changed(reply.state_action);
            format!("reply {}: {action}{change}{streamed}", reply.command_id)
        }
        Out::StreamedMessage(message) => {
            let end = if message.end_stream { ", last" } else { "" };
            format!(
                "streamed {}: {}{end}",
                message.command_id,
                said(message.client_action)
            )
        }
        Out::StreamCancelledResponse(response) => {
            format!(
                "cancelled {}{}",
                response.command_id,
                changed(response.state_action)
            )
        }
        Out::Failure(failure) => format!("failure {}: {}", failure.command_id, failure.description),
    }
}

fn said(action: Option<ClientAction>) -> String {
    match action.and_then(|action| action.action) {
        Some(client_action::Action::Reply(reply)) => {
            let count: Count = reply.payload.expect("a payload").unpack().expect("a Count");
            count.value.to_string()
        }
        Some(client_action::Action::Failure(failure)) => format!("declined, {}", failure.description),
        Some(client_action::Action::Forward(_)) => "forward".to_owned(),
        None => "nothing".to_owned(),
    }
}

fn changed(action: Option<cloudstate_protocol::crdt::CrdtStateAction>) -> String {
    let Some(action) = action else {
        return String::new();
    };
    let at = match CrdtWriteConsistency::try_from(action.write_consistency) {
        Ok(CrdtWriteConsistency::Local) => String::new(),
        other => format!(" at {:?}", other.expect("a consistency")),
    };
    match action.action.expect("an action") {
        Action::Delete(_) => format!(" [delete{at}]"),
        Action::Update(delta) => match delta.delta {
            Some(Delta::Pncounter(counter)) => format!(" [{:+}{at}]", counter.change),
            other => panic!("{other:?}"),
        },
    }
}

struct Entity(Stream, i64);

impl Entity {
    fn new(change: Option<i64>) -> Entity {
        let registration = tally::crdt("tally", Tally);
        let declaration = UserFunction::new("test", "1")
            .with(registration)
            .declare()
            .unwrap();
        let mut entity = Entity(Stream::new(declaration.crdt), 0);
        let init = In::Init(CrdtInit {
            service_name: tally::NAME.to_owned(),
            entity_id: "e".to_owned(),
            delta: change.map(counted),
        });
        assert!(entity.tell(init).is_empty());
        entity
    }

    fn tell(&mut self, message: In) -> Vec<String> {
        let message = Some(message);
        lines(self.0.handle(CrdtStreamIn { message }))
    }

    fn call<O>(&mut self, call: &Call<O>, streamed: bool) -> Vec<String> {
        self.1 += 1;
        self.tell(In::Command(Command {
            entity_id: "e".to_owned(),
            id: self.1,
            name: call.command().to_owned(),
            payload: Some(call.payload().clone()),
            streamed,
            metadata: None,
        }))
    }

    fn add(&mut self, by: i64) -> Vec<String> {
        let counter = "e".to_owned();
        self.call(&tally::calls::add(Change { counter, by }), false)
    }

    fn watch(&mut self, how: &str) -> Vec<String> {
        let counter = how.to_owned();
        self.call(&tally::calls::watch(Read { counter }), true)
    }

    fn cancel(&mut self, id: i64) -> Vec<String> {
        let entity_id = "e".to_owned();
        self.tell(In::StreamCancelled(StreamCancelled { entity_id, id }))
    }

    fn delta(&mut self, change: i64) -> Vec<String> {
        self.tell(In::Delta(counted(change)))
    }
}

fn counted(change: i64) -> cloudstate_protocol::crdt::CrdtDelta {
    on_the_wire(Delta::Pncounter(PnCounterDelta { change }))
}

#[test]
fn commands_change_the_state_and_only_changes_are_told() {
    let mut entity = Entity::new(None);
    assert_eq!(entity.add(0), ["reply 1: 0"], "nothing exists elsewhere yet");
    assert_eq!(entity.add(3), ["reply 2: 3 [+3]"]);
    assert_eq!(entity.add(7), ["reply 3: 10 [+7 at Majority]"]);
    assert!(entity.delta(5).is_empty());
    assert_eq!(entity.add(1), ["reply 4: 16 [+1]"]);
    assert_eq!(Entity::new(Some(41)).add(1), ["reply 1: 42 [+1]"]);
    let mut late = Entity::new(None);
    assert!(late.delta(41).is_empty(), "the first delta is the whole state");
    assert_eq!(late.add(1), ["reply 1: 42 [+1]"]);
}

#[test]
fn a_failure_undoes_the_change() {
    let mut entity = Entity::new(Some(1));
    assert_eq!(entity.add(13), ["reply 1: declined, unlucky"]);
    assert_eq!(entity.add(1), ["reply 2: 2 [+1]"]);
    assert_eq!(entity.watch("decline"), ["reply 3: declined, no"]);
    let text = "reply 4: declined, the counter would leave its range of 64 bits";
    assert_eq!(entity.add(i64::MAX), [text]);
}

#[test]
fn streams_hear_of_other_commands_and_of_other_nodes_behind_the_reply() {
    let mut entity = Entity::new(None);
    assert_eq!(entity.watch("a"), ["reply 1: 0, streamed"]);
    assert_eq!(entity.add(1), ["reply 2: 1 [+1]", "streamed 1: 1"]);
    assert_eq!(entity.watch("b"), ["reply 3: 1, streamed"]);
    assert_eq!(entity.delta(1), ["streamed 1: 2", "streamed 3: 2"]);
    assert_eq!(entity.add(0), ["reply 4: 2"], "nothing changed");
    assert!(entity.delta(8).is_empty(), "they are silent at ten");
    assert_eq!(entity.delta(10), ["streamed 1: 20, last", "streamed 3: 20, last"]);
    assert!(entity.delta(1).is_empty(), "they have ended");
    assert_eq!(entity.watch("once"), ["reply 5: 21"]);
}

#[test]
fn streams_end_without_a_message_or_with_a_failure() {
    let mut entity = Entity::new(Some(29));
    entity.watch("a");
    assert_eq!(entity.delta(1), ["streamed 1: nothing, last"]);
    entity.watch("b");
    assert_eq!(entity.delta(10), ["streamed 2: declined, too many, last"]);
    assert!(entity.delta(1).is_empty());
}

#[test]
fn every_cancellation_is_answered_and_may_change_the_state() {
    let mut entity = Entity::new(None);
    assert_eq!(entity.watch("silent"), ["reply 1: nothing, streamed"]);
    entity.watch("a");
    assert_eq!(entity.watch("others"), ["reply 3: 2"]);
    assert_eq!(entity.cancel(1), ["cancelled 1 [+100 at All]", "streamed 2: 100"]);
    assert_eq!(entity.watch("others"), ["reply 4: 1"]);
    assert_eq!(entity.cancel(2), ["cancelled 2"]);
    assert_eq!(
        entity.cancel(2),
        ["cancelled 2"],
        "also one that is not open any more"
    );
}

#[test]
fn a_deletion_comes_with_its_reply_and_without_changes() {
    let mut entity = Entity::new(Some(5));
    assert_eq!(entity.add(-1), ["reply 1: 4 [delete]"]);
    assert_eq!(entity.add(1), ["reply 2: 1"], "what is deleted stays so");
    let mut entity = Entity::new(None);
    assert!(entity.tell(In::Delete(CrdtDelete {})).is_empty());
    assert!(entity.delta(1).is_empty());
}

#[test]
fn panics_and_broken_protocol_end_the_activation() {
    for (message, expected) in [
        (
            None,
            "failure 0: Protocol error: CRDT entity received empty/unknown message",
        ),
        (
            Some(In::Init(CrdtInit::default())),
            "failure 0: Protocol error: CRDT entity already inited",
        ),
        (
            Some(In::Command(Command::default())),
            "failure 0: Protocol error: Receiving CRDT entity is not the intended recipient of command",
        ),
        (
            Some(In::Delta(on_the_wire(Delta::Flag(FlagDelta { value: true })))),
            "failure 0: CRDT entity unexpected failure: the entity is not a PNCounter, which the function takes it for, \
             but has a delta of Flag",
        ),
    ] {
        let said = lines(Entity::new(None).0.handle(CrdtStreamIn { message }));
        assert_eq!(said, [expected, "end"]);
    }
    let panicked = Entity::new(None).add(66);
    assert_eq!(
        panicked,
        [
            "failure 0: CRDT entity unexpected failure: cannot count to 66",
            "end"
        ]
    );
    let unknown = Entity::new(None).call(&Call::<()>::new(tally::NAME, "Fly", "t", &Read::default()), false);
    assert_eq!(
        unknown,
        ["failure 0: Protocol error: Unknown command: Fly", "end"]
    );
    let mut other = Entity::new(None);
    let declaration = UserFunction::new("test", "1")
        .with(tally::crdt("tally", Tally))
        .declare()
        .unwrap();
    other.0 = Stream::new(declaration.crdt);
    let init = CrdtInit {
        service_name: "other.Service".to_owned(),
        ..CrdtInit::default()
    };
    let said = other.tell(In::Init(init));
    assert_eq!(
        said,
        [
            "failure 0: Protocol error: Service not found: other.Service",
            "end"
        ]
    );
}
