"""CRDT entities: commands, streams, what others do, and that every message is answered."""

from __future__ import annotations

from typing import Any

import pytest
from example.example_cloudstate import Counter, CounterCrdt, Presence, PresenceCrdt
from example.example_pb2 import GetRequest, IncreaseRequest, Status, User
from example.stored.events_pb2 import Count
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty

from cloudstate import CrdtEntity, Failure, Metadata, Reply, entity_pb2
from cloudstate import crdt_pb2 as pb
from cloudstate.crdt import (
    CancelContext,
    ChangeContext,
    Context,
    Crdt,
    LWWRegister,
    PNCounter,
    Stream,
    StreamedContext,
    Vote,
    WriteConsistency,
)
from cloudstate.testkit import CrdtTest

FORGET = Presence.forget(User(name="x"))


class CounterEntity(CounterCrdt[PNCounter]):
    """Counts; some numbers make it misbehave."""

    kept: Context[PNCounter] | None = None

    def create(self, entity_id: str) -> PNCounter:
        return PNCounter()

    async def increase(self, command: IncreaseRequest, ctx: Context[PNCounter]) -> Reply[Count]:
        ctx.state.increment(command.by)
        if command.by == 13:
            raise Failure("unlucky").with_effect(FORGET)
        if command.by == 14:
            raise KeyError("bug")
        if command.by == 100:
            ctx.write_consistency = WriteConsistency.MAJORITY
        return Reply(Count(value=ctx.state.value), ctx.metadata).with_effect(FORGET)

    def get(self, command: GetRequest, ctx: Context[PNCounter]) -> Any:
        CounterEntity.kept = ctx
        if command.counter_id == "exists":
            return Count(value=int(ctx.exists))
        if command.counter_id == "nothing":
            return Reply.nothing()
        return Count(value=ctx.state.value)

    async def reset(self, command: GetRequest, ctx: Context[PNCounter]) -> None:
        if command.counter_id == "change":
            ctx.state.increment(1)
        ctx.delete()


class PresenceEntity(PresenceCrdt[Vote]):
    """Who is connected to any node. Counts the connections to this one in an attribute."""

    def __init__(self) -> None:
        self.connections = 0

    def create(self, entity_id: str) -> Vote:
        return Vote()

    def connect(self, command: User, ctx: StreamedContext[Vote, Empty]) -> Reply[Empty]:
        if not ctx.streamed:
            raise Failure("connect by a stream")
        self.connections += 1
        ctx.state.vote(True)
        ctx.on_cancel(self.disconnected)
        return Reply.nothing()

    async def disconnected(self, ctx: CancelContext[Vote]) -> None:
        self.connections -= 1
        if self.connections == 0:
            ctx.state.vote(False)
            ctx.effect(FORGET, synchronous=True)

    def monitor(self, command: User, ctx: StreamedContext[Vote, Status]) -> Status:
        online = ctx.state.at_least_one

        async def changed(it: ChangeContext[Vote]) -> Reply[Status] | None:
            nonlocal online
            match command.name:
                case "end" if it.state.votes_for > 1:
                    it.end_stream()
                case "fail":
                    raise Failure("no more")
                case "bug":
                    raise KeyError("bug")
                case "scribble":
                    it.state.vote(not it.state.self_vote)
            if it.state.at_least_one == online:
                return None
            online = it.state.at_least_one
            return Reply(Status(online=online)).with_effect(FORGET)

        if command.name != "once":
            ctx.on_change(changed)
        return Status(online=online)

    def forget(self, command: User, ctx: Context[Vote]) -> None:
        ctx.state.vote(False)


def counter(**options: Any) -> CrdtTest:
    return CrdtTest(CrdtEntity("counters", CounterEntity), **options)


def presence() -> CrdtTest:
    return CrdtTest(CrdtEntity("presence", PresenceEntity))


def increase(by: int) -> Any:
    return Counter.increase(IncreaseRequest(by=by))


def get(what: str = "") -> Any:
    return Counter.get(GetRequest(counter_id=what))


def monitor(what: str = "") -> Any:
    return Presence.monitor(User(name=what))


CONNECT = Presence.connect(User())


def votes(votes_for: int) -> pb.CrdtDelta:
    return pb.CrdtDelta(vote=pb.VoteDelta(self_vote=False, votes_for=votes_for, total_voters=3))


def test_changes_are_replicated_with_the_reply() -> None:
    test = counter()
    outcome = test.call(increase(3).with_metadata(Metadata([("a", "b")])))
    assert (outcome.reply, len(outcome.effects), outcome.metadata.get("A")) == (Count(value=3), 1, "b")
    assert test.last_change is not None
    assert test.last_change.update.pncounter.change == 3
    test.change_elsewhere(PNCounter, lambda it: it.increment(10))
    assert test.call(get()).reply == Count(value=13)
    assert test.last_change is None, "reading changes nothing"
    test.restart()
    assert test.call(increase(1)).reply == Count(value=14)
    assert repr(test.state) == "PNCounter(14)"


def test_an_entity_that_was_only_read_does_not_exist() -> None:
    test = counter()
    assert test.call(get("exists")).reply == Count(value=0)
    test.call(get())
    assert (test.last_change, test.state) == (None, None)
    test.change_elsewhere(PNCounter, lambda it: it.increment(4))
    assert test.call(increase(1)).reply == Count(value=5)


def test_the_consistency_goes_with_the_change() -> None:
    test = counter()
    seen = []
    for by in (1, 100):
        test.call(increase(by))
        seen.append(test.consistency)
    assert seen == [WriteConsistency.LOCAL, WriteConsistency.MAJORITY]


def test_a_failure_undoes_the_change() -> None:
    test = counter()
    test.call(increase(2))
    outcome = test.call(increase(13))
    assert (outcome.failure, outcome.effects, test.last_change) == ("unlucky", [], None)
    assert test.call(get()).reply == Count(value=2)


def test_a_bug_fails_its_command_without_details_and_the_entity_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    test = counter()
    test.call(increase(2))
    assert test.call(increase(14)).crashed == "Error handling command Increase of service example.Counter"
    assert "KeyError" in caplog.text
    assert test.call(get()).reply == Count(value=2)


def test_nothing_is_no_answer_to_a_command_that_is_not_streamed() -> None:
    assert "Error handling command Get" in counter().call(get("nothing")).crashed


def test_deleting_answers_and_beats_changes() -> None:
    test = counter(state=None)
    assert "Error handling command Reset" in test.call(Counter.reset(GetRequest())).crashed, "there is nothing"
    test.call(increase(2))
    outcome = test.call(Counter.reset(GetRequest(counter_id="change")))
    assert (outcome.reply, outcome.deleted, test.state) == (Empty(), True, None)


def test_a_context_ends_with_its_command() -> None:
    counter().call(get())
    assert CounterEntity.kept is not None
    with pytest.raises(RuntimeError, match="no longer active"):
        _ = CounterEntity.kept.state
    with pytest.raises(RuntimeError, match="no longer active"):
        CounterEntity.kept.delete()


def test_a_state_of_another_type_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    test = counter(state=Vote())
    assert "Error handling command Get" in test.call(get()).crashed
    assert "is a Vote, but the entity declares a PNCounter" in caplog.text


def test_who_monitors_hears_of_changes_here_and_elsewhere() -> None:
    test = presence()
    stream = test.listen(monitor())
    assert (stream.outcome.reply, stream.is_open) == (Status(online=False), True)
    first, second = test.listen(CONNECT), test.listen(CONNECT)
    assert (first.outcome.is_nothing, first.is_open) == (True, True)
    received = stream.received()
    assert [it.reply for it in received] == [Status(online=True)]
    assert len(received[0].effects) == 1
    test.cancel(first)
    assert (test.last_change, stream.received()) == (None, []), "there is still one"
    test.cancel(second)
    assert [it.reply for it in stream.received()] == [Status(online=False)]
    test.receive(votes(2))
    assert [it.reply for it in stream.received()] == [Status(online=True)]
    test.cancel(stream)
    test.receive(votes(0))
    assert stream.received() == []


def test_a_callback_may_end_the_stream_without_a_message() -> None:
    test = presence()
    stream = test.listen(monitor("end"))
    test.receive(votes(1))
    assert stream.is_open
    test.receive(votes(2))
    assert ([it.is_nothing for it in stream.received()], stream.is_open) == ([False, True], False)
    test.receive(votes(0))
    assert stream.received() == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("fail", "no more"),
        ("bug", "Error streaming from example.Presence.Monitor"),
        ("scribble", "Error streaming from example.Presence.Monitor"),
    ],
)
def test_a_callback_that_fails_ends_its_stream_and_no_other(what: str, text: str) -> None:
    test = presence()
    bad, good = test.listen(monitor(what)), test.listen(monitor())
    test.listen(CONNECT)
    assert ([it.failure for it in bad.received()], bad.is_open) == ([text], False)
    assert [it.reply for it in good.received()] == [Status(online=True)]
    assert repr(test.state) == "Vote(True, 1 of 1)"


def test_without_callbacks_the_stream_ends_with_the_reply() -> None:
    stream = presence().listen(monitor("once"))
    assert (stream.outcome.reply, stream.is_open) == (Status(online=False), False)


def test_a_streaming_method_may_be_called_without_a_stream() -> None:
    assert presence().call(monitor()).reply == Status(online=False)
    assert presence().call(CONNECT).failure == "connect by a stream"


class Machine:
    """Speaks the protocol with one stream of the presence entity."""

    def __init__(self, init: bool = True) -> None:
        self.stream = Stream({"example.Presence": CrdtEntity("presence", PresenceEntity)})
        self.init = init

    async def send(self, **message: Any) -> list[pb.CrdtStreamOut]:
        if self.init:
            self.init = False
            await self.send(init=pb.CrdtInit(service_name="example.Presence", entity_id="e"))
        step = await self.stream.handle(pb.CrdtStreamIn(**message))
        return list(step.out)

    async def command(
        self, command_id: int, name: str, user: str = "", streamed: bool = True
    ) -> list[pb.CrdtStreamOut]:
        payload = any_pb2.Any(value=User(name=user).SerializeToString())
        command = entity_pb2.Command(entity_id="e", id=command_id, name=name, payload=payload, streamed=streamed)
        return await self.send(command=command)

    async def cancel(self, command_id: int) -> list[pb.CrdtStreamOut]:
        return await self.send(stream_cancelled=entity_pb2.StreamCancelled(entity_id="e", id=command_id))


def kinds(outs: list[pb.CrdtStreamOut]) -> list[str | None]:
    return [out.WhichOneof("message") for out in outs]


async def test_the_reply_comes_before_what_others_are_told() -> None:
    machine = Machine()
    await machine.command(1, "Monitor")
    await machine.command(2, "Monitor")
    outs = await machine.command(3, "Connect")
    assert kinds(outs) == ["reply", "streamed_message", "streamed_message"]
    assert (outs[0].reply.streamed, outs[0].reply.HasField("client_action")) == (True, False)
    assert outs[0].reply.state_action.update.vote == pb.VoteDelta(self_vote=True)
    assert [out.streamed_message.command_id for out in outs[1:]] == [1, 2]
    outs = await machine.cancel(3)
    assert kinds(outs) == ["stream_cancelled_response", "streamed_message", "streamed_message"]
    response = outs[0].stream_cancelled_response
    assert (response.command_id, response.side_effects[0].synchronous) == (3, True)
    assert response.state_action.HasField("update")


async def test_every_cancellation_is_answered() -> None:
    machine = Machine()
    await machine.command(1, "Monitor")
    await machine.command(2, "Monitor", "once")
    await machine.command(3, "Monitor", "fail")
    await machine.command(4, "Connect")
    cases = {1: "no callback for it", 2: "the stream was declined", 3: "it has ended", 9: "it is unknown"}
    for command_id, why in cases.items():
        for _ in range(2):
            outs = await machine.cancel(command_id)
            assert kinds(outs) == ["stream_cancelled_response"], why
            empty = pb.CrdtStreamCancelledResponse(command_id=command_id)
            assert outs[0].stream_cancelled_response == empty, why


async def test_a_callback_for_cancellation_that_fails_changes_nothing_and_is_answered(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: PresenceEntity, ctx: CancelContext[Vote]) -> None:
        ctx.state.vote(False)
        raise KeyError("bug")

    monkeypatch.setattr(PresenceEntity, "disconnected", broken)
    machine = Machine()
    await machine.command(1, "Connect")
    outs = await machine.cancel(1)
    assert outs[0].stream_cancelled_response == pb.CrdtStreamCancelledResponse(command_id=1)
    assert "a callback for a client that has left failed" in caplog.text
    reply = (await machine.command(2, "Monitor", "once"))[0].reply
    assert Status.FromString(reply.client_action.reply.payload.value).online


async def test_a_deletion_elsewhere_needs_no_answer() -> None:
    machine = Machine()
    assert await machine.send(delete=pb.CrdtDelete()) == []
    await machine.command(1, "Monitor")
    await machine.send(delta=votes(1))
    assert await machine.send(delete=pb.CrdtDelete()) == []
    assert kinds(await machine.cancel(1)) == ["stream_cancelled_response"]


async def test_an_entity_that_was_deleted_stays_so() -> None:
    machine = Machine()
    await machine.command(1, "Connect")
    await machine.send(delete=pb.CrdtDelete())
    assert await machine.send(delta=votes(1)) == []
    (out,) = await machine.command(2, "Connect")
    assert (out.reply.client_action.failure.description, out.reply.HasField("state_action")) == (
        "Entity deleted",
        False,
    )
    (out,) = await machine.cancel(1)
    assert out.stream_cancelled_response == pb.CrdtStreamCancelledResponse(command_id=1)


async def test_the_first_delta_is_the_whole_state_whatever_was_made_here() -> None:
    machine = Machine()
    await machine.command(1, "Monitor")
    assert kinds(await machine.send(delta=votes(2))) == ["streamed_message"]
    foreign = pb.CrdtDelta(flag=pb.FlagDelta())
    failure = (await machine.send(delta=foreign))[0].failure
    assert failure.description == "CRDT unexpected failure: TypeError: a delta of flag does not fit Vote"


@pytest.mark.parametrize(
    ("init", "message", "text"),
    [
        (True, {}, "Protocol error: CRDT received empty/unknown message"),
        (False, {"delta": votes(1)}, "Protocol error: Expected init message for CRDT"),
        (False, {"init": pb.CrdtInit(service_name="no.Such")}, "Protocol error: Service not found: no.Such"),
        (True, {"init": pb.CrdtInit()}, "Protocol error: CRDT already inited"),
        (True, {"delta": pb.CrdtDelta()}, "CRDT unexpected failure: ValueError: a delta of no type"),
        (
            True,
            {"command": entity_pb2.Command(entity_id="f", id=5)},
            "Protocol error: Receiving CRDT is not the intended recipient of command",
        ),
        (True, {"command": entity_pb2.Command(entity_id="e")}, "Protocol error: No command payload for CRDT"),
        (
            True,
            {"command": entity_pb2.Command(entity_id="e", name="Fly", payload=any_pb2.Any())},
            "Protocol error: Unknown command: Fly",
        ),
    ],
)
async def test_violations_of_the_protocol_end_the_stream(init: bool, message: Any, text: str) -> None:
    outs = await Machine(init).send(**message)
    assert [out.failure.description for out in outs] == [text]


def test_the_type_must_be_declared() -> None:
    class Untyped(CounterCrdt):  # type: ignore[type-arg]
        create = increase = get = reset = CounterEntity.increase  # type: ignore[assignment]

    with pytest.raises(TypeError, match="Untyped does not say which CRDT it is"):
        CrdtEntity("x", Untyped)


def test_any_type_may_be_declared() -> None:
    class Anything(CounterCrdt[Crdt]):
        def create(self, entity_id: str) -> Crdt:
            return LWWRegister("") if entity_id == "register" else PNCounter()

        def increase(self, command: IncreaseRequest, ctx: Context[Crdt]) -> Count:
            return Count(value=int(isinstance(ctx.state, LWWRegister)))

        def get(self, command: GetRequest, ctx: Context[Crdt]) -> Count:
            return Count()

        def reset(self, command: GetRequest, ctx: Context[Crdt]) -> None: ...

    test = CrdtTest(CrdtEntity("any", Anything), entity_id="register")
    assert test.call(increase(1)).reply == Count(value=1)
    assert test.last_change is not None, "a register is a change when it is new"
    test.call(increase(1))
    assert test.last_change is None
