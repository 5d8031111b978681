from __future__ import annotations

from typing import Any

import pytest
from example.example_cloudstate import Counter, CounterValue
from example.example_pb2 import GetRequest, IncreaseRequest
from example.stored.events_pb2 import Count, Increased
from google.protobuf import any_pb2
from google.protobuf.empty_pb2 import Empty

from cloudstate import Failure, Reply, Value, entity_pb2
from cloudstate import value_entity_pb2 as pb
from cloudstate.testkit import ValueTest
from cloudstate.value import Context, Stream


class CounterEntity(CounterValue[Count]):
    """Counts; some numbers make it misbehave."""

    kept: Context[Count] | None = None

    async def increase(self, command: IncreaseRequest, ctx: Context[Count]) -> Reply[Count]:
        count = ctx.state or Count()
        count.value += command.by
        if command.by == 0:
            ctx.delete()
            return Reply(Count(value=-1))
        ctx.update(Count(value=999))
        ctx.update(count)
        assert ctx.state is count
        if command.by == 13:
            raise Failure("unlucky")
        if command.by == 14:
            raise KeyError("bug")
        return Reply(count).with_effect(Counter.get(GetRequest()))

    def get(self, command: GetRequest, ctx: Context[Count]) -> Any:
        CounterEntity.kept = ctx
        match command.counter_id:
            case "forward":
                ctx.update(Count(value=5))
                return Reply.forward(Counter.get(GetRequest()))
            case "nothing":
                return Reply.nothing()
            case "scribble":
                assert ctx.state is not None
                ctx.state.value = 77
            case "foreign":
                ctx.update(Increased())  # type: ignore[arg-type]
        return ctx.state or Count()

    def reset(self, command: GetRequest, ctx: Context[Count]) -> None:
        ctx.update(Count(value=1))
        ctx.delete()
        assert ctx.state is None


def counter(**options: Any) -> ValueTest:
    return ValueTest(Value("counters", CounterEntity), **options)


def increase(by: int) -> Any:
    return Counter.increase(IncreaseRequest(by=by))


def get(what: str = "") -> Any:
    return Counter.get(GetRequest(counter_id=what))


def test_the_last_change_of_a_command_is_stored() -> None:
    test = counter()
    outcome = test.call(increase(3))
    assert (outcome.reply, outcome.updated, len(outcome.effects)) == (Count(value=3), Count(value=3), 1)
    assert test.call(increase(4)).reply == Count(value=7)
    test.restart()
    assert (test.call(get()).reply, test.value) == (Count(value=7), Count(value=7))


def test_a_deleted_value_is_gone() -> None:
    test = counter(value=Count(value=2))
    outcome = test.call(Counter.reset(GetRequest()))
    assert (outcome.reply, outcome.deleted, outcome.updated) == (Empty(), True, None)
    assert (test.value, test.call(get()).reply) == (None, Count())


def test_a_command_that_only_reads_changes_nothing() -> None:
    outcome = counter(value=Count(value=2)).call(get())
    assert (outcome.reply, outcome.updated, outcome.deleted) == (Count(value=2), None, False)


def test_what_is_done_to_the_object_without_storing_it_is_forgotten() -> None:
    test = counter(value=Count(value=2))
    assert test.call(get("scribble")).reply == Count(value=77)
    assert test.call(get()).reply == Count(value=2)


def test_a_failure_undoes_the_change() -> None:
    test = counter(value=Count(value=2))
    outcome = test.call(increase(13))
    assert (outcome.failure, outcome.updated, outcome.effects, outcome.restarted) == ("unlucky", None, [], False)
    assert (test.value, test.call(get()).reply) == (Count(value=2), Count(value=2))


def test_a_forward_keeps_the_change() -> None:
    outcome = counter().call(get("forward"))
    assert (outcome.forward.command_name, outcome.updated) == ("Get", Count(value=5))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (increase(14), "Value entity unexpected failure: KeyError: 'bug'"),
        (get("nothing"), "No reply or forward returned by command handler! (get)"),
        (get("foreign"), "this entity has declared Count, not Increased"),
    ],
)
def test_bugs_end_the_activation_and_store_nothing(call: Any, text: str) -> None:
    test = counter(value=Count(value=2))
    assert text in test.call(call).crashed
    assert test.call(get()).reply == Count(value=2)


def test_a_stored_value_of_another_type_ends_the_activation() -> None:
    assert "this entity has declared Count, not Increased" in counter(value=Increased()).call(get()).crashed


def test_a_context_ends_with_its_command() -> None:
    counter().call(get())
    assert CounterEntity.kept is not None
    with pytest.raises(RuntimeError, match="no longer active"):
        CounterEntity.kept.update(Count())
    with pytest.raises(RuntimeError, match="no longer active"):
        CounterEntity.kept.delete()


def init(service: str = "example.Counter") -> pb.ValueEntityStreamIn:
    state = pb.ValueEntityInitState()
    return pb.ValueEntityStreamIn(init=pb.ValueEntityInit(service_name=service, entity_id="e", state=state))


def command(**fields: Any) -> pb.ValueEntityStreamIn:
    payload = any_pb2.Any(value=GetRequest().SerializeToString())
    given: dict[str, Any] = {"entity_id": "e", "id": 5, "name": "Get", "payload": payload}
    return pb.ValueEntityStreamIn(command=entity_pb2.Command(**given | fields))


@pytest.mark.parametrize(
    ("messages", "command_id", "text"),
    [
        ([pb.ValueEntityStreamIn()], 0, "Protocol error: Value entity received empty/unknown message"),
        ([command()], 0, "Protocol error: Expected init message for Value entity"),
        ([init("no.Such")], 0, "Protocol error: Service not found: no.Such"),
        ([init(), init()], 0, "Protocol error: Value entity already inited"),
        (
            [init(), command(entity_id="f")],
            5,
            "Protocol error: Receiving Value entity is not the intended recipient of command",
        ),
        ([init(), command(payload=None)], 5, "Protocol error: No command payload for Value entity"),
        ([init(), command(name="Fly")], 5, "Protocol error: Unknown command: Fly"),
    ],
)
async def test_violations_of_the_protocol_end_the_stream(messages: Any, command_id: int, text: str) -> None:
    stream = Stream({"example.Counter": Value("counters", CounterEntity)})
    steps = [await stream.handle(message) for message in messages]
    assert steps[-1].end
    failure = steps[-1].out[0].failure
    assert (failure.command_id, failure.description) == (command_id, text)
