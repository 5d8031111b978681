from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Generic, TypeVar

import pytest
from example.example_cloudstate import Counter, CounterEventSourced, OddEventSourced
from example.example_pb2 import GetRequest, IncreaseRequest, Number
from example.stored.events_pb2 import Count, Increased, WasReset
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty

from cloudstate import EventSourced, Failure, Metadata, PayloadError, Reply, Snapshots, entity_pb2
from cloudstate import event_sourced_pb2 as pb
from cloudstate.event_sourced import Context, Stream
from cloudstate.testkit import EventSourcedTest

Event = Increased | WasReset
T = TypeVar("T")


class CounterEntity(CounterEventSourced[Increased | WasReset], Snapshots[Count]):
    """Counts; some numbers make it misbehave."""

    kept: Context[Event] | None = None

    def __init__(self) -> None:
        self.value = 0
        self.id = ""

    def created(self, entity_id: str) -> None:
        self.id = entity_id

    def apply(self, event: Event) -> None:
        match event:
            case Increased():
                if event.by == 66:
                    raise ValueError("sixty-six")
                self.value += event.by
            case WasReset():
                self.value = 0

    def snapshot(self) -> Count | None:
        return Count(value=self.value) if self.value != 1000 else None

    def restore(self, snapshot: Count) -> None:
        self.value = snapshot.value

    async def increase(self, command: IncreaseRequest, ctx: Context[Event]) -> Reply[Count]:
        CounterEntity.kept = ctx
        if command.by == -1:
            raise Failure("a counter only grows")
        await asyncio.sleep(0)
        with contextlib.suppress(ValueError):
            ctx.emit(Increased(by=command.by))
        if command.by == 13:
            raise Failure("unlucky")
        if command.by == 14:
            raise KeyError("bug")
        effect = Counter.get(GetRequest(counter_id="other"))
        reply = Reply(Count(value=self.value), ctx.metadata)
        return reply.with_effect(effect).with_effect(effect, synchronous=True)

    def get(self, command: GetRequest, ctx: Context[Event]) -> Any:
        match command.counter_id:
            case "forward":
                return Reply.forward(Counter.get(GetRequest(counter_id="x")).with_metadata(Metadata([("a", "b")])))
            case "nothing":
                return None
            case "wrong":
                return Empty()
            case "several":
                ctx.emit(Increased(by=1))
                ctx.emit(WasReset())
                ctx.emit(Increased(by=5))
            case "foreign":
                ctx.emit(Number())  # type: ignore[arg-type]
            case "id":
                return Count(value=len(self.id) + ctx.sequence)
        return Count(value=self.value)

    async def reset(self, command: GetRequest, ctx: Context[Event]) -> None:
        ctx.emit(WasReset())


def counter(**options: Any) -> EventSourcedTest:
    return EventSourcedTest(EventSourced("counters", CounterEntity, snapshot_every=3), **options)


def increase(by: int) -> Any:
    return Counter.increase(IncreaseRequest(by=by))


def get(what: str = "") -> Any:
    return Counter.get(GetRequest(counter_id=what))


def test_events_are_applied_at_once_and_stored_with_the_reply() -> None:
    test = counter()
    outcome = test.call(increase(3))
    assert outcome.reply == Count(value=3)
    assert outcome.events == [Increased(by=3)]
    assert [effect.synchronous for effect in outcome.effects] == [False, True]
    assert (outcome.effects[0].service_name, outcome.effects[0].command_name) == ("example.Counter", "Get")
    test.restart()
    assert test.call(get()).reply == Count(value=3)
    assert test.log == [Increased(by=3)]


def test_a_handler_without_reply_answers_with_empty() -> None:
    test = counter(events=[Increased(by=2)])
    assert test.call(Counter.reset(GetRequest())).reply == Empty()
    assert test.call(get()).reply == Count(value=0)


def test_a_snapshot_is_taken_when_one_of_the_events_makes_it_due() -> None:
    test = counter(events=[Increased(by=1)])
    assert test.call(increase(1)).snapshot is None
    outcome = test.call(get("several"))
    assert (outcome.snapshot, len(outcome.events)) == (Count(value=5), 3), "of the state after all"
    test.restart()
    assert test.call(get()).reply == Count(value=5)


def test_a_snapshot_may_be_skipped() -> None:
    test = counter(events=[Increased(by=1), Increased(by=1)])
    assert test.call(increase(998)).snapshot is None


def test_loading_begins_at_the_snapshot() -> None:
    test = counter(snapshot=(5, Count(value=7)))
    assert test.call(get()).reply == Count(value=7)
    assert test.call(increase(1)).snapshot == Count(value=8), "the sequence goes on from five"
    assert counter(entity_id="four", events=[Increased(by=1)]).call(get("id")).reply == Count(value=5)


def test_a_failure_declines_and_stores_nothing() -> None:
    test = counter()
    outcome = test.call(increase(-1))
    assert (outcome.failure, outcome.restarted, outcome.effects) == ("a counter only grows", False, [])
    assert test.log == []


def test_a_failure_after_an_event_restarts_the_entity() -> None:
    test = counter(events=[Increased(by=2)])
    outcome = test.call(increase(13))
    assert (outcome.failure, outcome.restarted, outcome.events) == ("unlucky", True, [])
    assert test.call(get()).reply == Count(value=2)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (increase(14), "Unexpected failure: KeyError: 'bug'"),
        (increase(66), "Unexpected failure: ValueError: sixty-six"),
        (get("nothing"), "No reply or forward returned by command handler! (get)"),
        (get("wrong"), "get answered with Empty, but Get replies with example.stored.Count"),
        (get("foreign"), "this entity has declared Increased | WasReset, not Number"),
    ],
)
def test_bugs_end_the_activation_and_store_nothing(call: Any, text: str) -> None:
    test = counter()
    assert text in test.call(call).crashed
    assert test.log == []
    assert test.call(increase(1)).reply == Count(value=1), "the next command loads it afresh"


def test_forwards_carry_payload_and_metadata() -> None:
    forward = counter().call(get("forward")).forward
    assert (forward.service_name, forward.command_name) == ("example.Counter", "Get")
    assert GetRequest.FromString(forward.payload.value) == GetRequest(counter_id="x")
    assert Metadata.from_proto(forward.metadata).get("A") == "b"


def test_metadata_of_the_command_is_there_and_that_of_the_reply_arrives() -> None:
    outcome = counter().call(increase(1).with_metadata(Metadata([("Tag", "blue")])))
    assert outcome.metadata.get("tag") == "blue"


def test_a_context_ends_with_its_command() -> None:
    counter().call(increase(1))
    assert CounterEntity.kept is not None
    with pytest.raises(RuntimeError, match="no longer active"):
        CounterEntity.kept.emit(WasReset())


def test_snapshots_and_events_of_other_types_end_the_activation() -> None:
    crashed = counter(events=[Count()]).call(get()).crashed
    assert "Unexpected failure: PayloadError: this entity has declared Increased | WasReset, not Count" in crashed
    assert "not WasReset" in counter(snapshot=(1, WasReset())).call(get()).crashed
    assert "no imported module" in counter(events=[any_pb2.Any(type_url="x/y.Z")]).call(get()).crashed


class Plain(CounterEventSourced[Increased]):
    def apply(self, event: Increased) -> None: ...

    def increase(self, command: IncreaseRequest, ctx: Context[Increased]) -> Count:
        ctx.emit(Increased())
        return Count()

    def get(self, command: GetRequest, ctx: Context[Increased]) -> Count:
        return Count()

    def reset(self, command: GetRequest, ctx: Context[Increased]) -> None: ...


def test_an_entity_without_snapshots_takes_none_and_refuses_stored_ones() -> None:
    test = EventSourcedTest(EventSourced("plain", Plain, snapshot_every=1))
    assert test.call(increase(1)).snapshot is None
    refused = EventSourcedTest(EventSourced("plain", Plain), snapshot=(1, Count())).call(get()).crashed
    assert "there is a snapshot, but Plain does not derive from Snapshots" in refused


def test_the_types_are_found_through_classes_between() -> None:
    class Between(Plain):
        pass

    assert EventSourced("plain", Between).events.kinds == (Increased,)
    assert EventSourced("plain", lambda: Between()).events.kinds == (Increased,)

    class Shared(CounterEventSourced[T]):
        def apply(self, event: T) -> None: ...

        def increase(self, command: IncreaseRequest, ctx: Context[T]) -> Count:
            return Count()

        def get(self, command: GetRequest, ctx: Context[T]) -> Count:
            return Count()

        def reset(self, command: GetRequest, ctx: Context[T]) -> None: ...

    class Mixin(Generic[T]):
        pass

    class Leaf(Shared[Increased | WasReset]):
        pass

    class Below(Leaf):
        pass

    class OtherMixin(Mixin[str]):
        pass

    class Beside(OtherMixin, Below):
        pass

    for kind in (Leaf, Below, Beside):
        assert EventSourced("leaf", kind).events.kinds == (Increased, WasReset)


def test_registrations_that_cannot_work_are_refused_with_the_reason() -> None:
    class Untyped(CounterEventSourced):  # type: ignore[type-arg]
        apply = increase = get = reset = Plain.increase  # type: ignore[assignment]

    class Unfinished(CounterEventSourced[Increased]):
        def apply(self, event: Increased) -> None: ...

    with pytest.raises(TypeError, match="Untyped does not say the type of its events"):
        EventSourced("x", Untyped)
    with pytest.raises(TypeError, match="Unfinished has no get, increase, reset"):
        EventSourced("x", Unfinished)
    with pytest.raises(TypeError, match="int is no Entity"):
        EventSourced("x", int)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="snapshot_every is -1"):
        EventSourced("x", Plain, snapshot_every=-1)


def test_names_that_are_taken_get_an_underscore() -> None:
    assert {"import_", "apply_"} <= set(dir(OddEventSourced))


async def stream(*messages: pb.EventSourcedStreamIn) -> list[pb.EventSourcedStreamOut]:
    it = Stream({"example.Counter": EventSourced("counters", CounterEntity)})
    steps = [await it.handle(message) for message in messages]
    assert [step.end for step in steps[:-1]] == [False] * (len(steps) - 1)
    return [out for step in steps for out in step.out]


def init(service: str = "example.Counter") -> pb.EventSourcedStreamIn:
    return pb.EventSourcedStreamIn(init=pb.EventSourcedInit(service_name=service, entity_id="e"))


def command(**fields: Any) -> pb.EventSourcedStreamIn:
    payload = any_pb2.Any(type_url="x.example/other", value=GetRequest().SerializeToString())
    given: dict[str, Any] = {"entity_id": "e", "id": 5, "name": "Get", "payload": payload}
    return pb.EventSourcedStreamIn(command=entity_pb2.Command(**given | fields))


@pytest.mark.parametrize(
    ("messages", "command_id", "text"),
    [
        ([pb.EventSourcedStreamIn()], 0, "Protocol error: Received empty/unknown message"),
        ([command()], 0, "Protocol error: Expected Init message"),
        ([init("no.Such")], 0, "Protocol error: Service not found: no.Such"),
        ([init(), init()], 0, "Protocol error: Entity already inited"),
        ([init(), pb.EventSourcedStreamIn(event=pb.EventSourcedEvent())], 0, "Protocol error: No event payload"),
        (
            [init(), command(entity_id="f")],
            5,
            "Protocol error: Receiving entity is not the intended recipient of command",
        ),
        ([init(), command(payload=None)], 5, "Protocol error: No command payload"),
        ([init(), command(name="Fly")], 5, "Protocol error: Unknown command: Fly"),
    ],
)
async def test_violations_of_the_protocol_end_the_stream(messages: Any, command_id: int, text: str) -> None:
    failure = (await stream(*messages))[-1].failure
    assert (failure.command_id, failure.description) == (command_id, text)


async def test_a_malformed_command_ends_the_stream_and_names_it() -> None:
    failure = (await stream(init(), command(payload=any_pb2.Any(value=b"\xff"))))[-1].failure
    assert "malformed message of command Get" in failure.description


async def test_a_command_is_decoded_by_its_method_whatever_the_type_url() -> None:
    reply = (await stream(init(), command()))[-1].reply
    assert (reply.command_id, reply.client_action.reply.payload.type_url) == (
        5,
        "type.googleapis.com/example.stored.Count",
    )


async def test_no_command_is_taken_after_a_failure_that_asked_for_a_restart() -> None:
    payload = any_pb2.Any(value=IncreaseRequest(by=13).SerializeToString())
    outs = await stream(init(), command(name="Increase", payload=payload), command())
    assert outs[0].reply.client_action.failure.restart
    assert outs[1].failure.description == "Protocol error: Command after a failure that asked for a restart"


def test_emit_refuses_what_cannot_be_stored_before_it_is_applied() -> None:
    assert issubclass(PayloadError, Exception)
    test = counter()
    assert "not Number" in test.call(get("foreign")).crashed
