from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from example.example_cloudstate import Sums, SumsAction
from example.example_pb2 import Number, Pair
from example.stored.events_pb2 import Count
from google.protobuf.empty_pb2 import Empty

from cloudstate import Action, Commands, Failure, Metadata, Reply, action_pb2
from cloudstate.action import Calls, Context
from cloudstate.testkit import ActionTest

FORGET = Sums.forget(Number(value=1))


class SumsHandlers(SumsAction):
    """Adds up; negative numbers make it misbehave."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def add(self, command: Pair, ctx: Context) -> Reply[Count]:
        match command.left:
            case -1:
                raise Failure("not today").with_effect(FORGET).with_effect(FORGET, synchronous=True)
            case -2:
                raise KeyError("bug")
            case -3:
                return Reply.forward(Sums.add(Pair(left=1)))
            case -4:
                return Reply[Count].nothing().with_effect(FORGET)
            case -5:
                return None  # type: ignore[return-value]
        return Reply(Count(value=command.left + command.right), ctx.metadata).with_effect(FORGET)

    async def total(self, commands: Commands[Number], ctx: Context) -> Count:
        total = 0
        async for number in commands:
            total += number.value
            if number.value == 0:
                break
        return Count(value=total)

    async def upto(self, command: Number, ctx: Context) -> AsyncIterator[Count | Failure]:
        try:
            for value in range(1, command.value + 1):
                if value == 13:
                    yield Failure("unlucky")
                elif value == 66:
                    raise Failure("enough").with_effect(FORGET)
                elif value == 99:
                    raise KeyError("bug")
                else:
                    yield Count(value=value)
        finally:
            self.closed.set()

    async def running(self, commands: Commands[Number], ctx: Context) -> AsyncIterator[Reply[Count]]:
        total = 0
        async for number in commands:
            total += number.value
            reply: Reply[Count] = Reply.nothing() if number.value == 0 else Reply(Count(value=total))
            yield reply.with_metadata(commands.metadata)

    def forget(self, command: Number, ctx: Context) -> None: ...


def sums() -> ActionTest:
    return ActionTest(Action(SumsHandlers()))


def add(left: int) -> Any:
    return Sums.add(Pair(left=left, right=5))


def numbers(method: Any, *values: int) -> list[Any]:
    return [method(Number(value=value)) for value in values]


def test_a_unary_call_has_one_response_with_metadata_and_effects() -> None:
    outcome = sums().call(add(2).with_metadata(Metadata([("Tag", "blue")])))
    assert (outcome.reply, outcome.metadata.get("tag"), len(outcome.effects)) == (Count(value=7), "blue", 1)
    assert sums().call(FORGET).reply == Empty()


def test_a_failing_action_keeps_its_effects() -> None:
    outcome = sums().call(add(-1))
    assert (outcome.failure, [effect.synchronous for effect in outcome.effects]) == ("not today", [False, True])


def test_forwards_and_answers_with_nothing() -> None:
    assert sums().call(add(-3)).forward.service_name == "example.Sums"
    outcome = sums().call(add(-4))
    assert (outcome.is_nothing, len(outcome.effects)) == (True, 1)


@pytest.mark.parametrize("left", [-2, -5])
def test_a_bug_becomes_a_failure_without_details(left: int, caplog: pytest.LogCaptureFixture) -> None:
    assert sums().call(add(left)).failure == "Error handling command Add of service example.Sums"
    assert "example.Sums.Add" in caplog.text


def test_streamed_input_comes_after_a_message_without_payload() -> None:
    assert sums().call_streamed_in(numbers(Sums.total, 1, 2, 3)).reply == Count(value=6)


def test_streamed_output_goes_on_after_a_failure_that_is_yielded_and_ends_with_one_that_is_raised() -> None:
    outcomes = sums().call_streamed_out(Sums.upto(Number(value=70)))
    assert (len(outcomes), outcomes[12].failure, outcomes[13].reply) == (66, "unlucky", Count(value=14))
    assert (outcomes[65].failure, len(outcomes[65].effects)) == ("enough", 1)


def test_both_ways_are_interleaved() -> None:
    outcomes = sums().call_streamed(numbers(Sums.running, 1, 0, 2))
    assert [outcome.is_nothing for outcome in outcomes] == [False, True, False]
    assert outcomes[2].reply == Count(value=3)


async def input_of(
    *commands: action_pb2.ActionCommand, endless: bool = False
) -> AsyncIterator[action_pb2.ActionCommand]:
    for command in commands:
        yield command
    if endless:
        await asyncio.Event().wait()


def opening(name: str, service: str = "example.Sums") -> action_pb2.ActionCommand:
    return action_pb2.ActionCommand(service_name=service, name=name)


def number(value: int) -> action_pb2.ActionCommand:
    command = action_pb2.ActionCommand(metadata=Metadata([("n", str(value))]).to_proto())
    command.payload.value = Number(value=value).SerializeToString()
    return command


def calls() -> Calls:
    return Calls({"example.Sums": Action(SumsHandlers())})


async def test_a_handler_may_answer_before_the_input_ends() -> None:
    response = await calls().streamed_in(input_of(opening("Total"), number(4), number(0), endless=True))
    assert Count.FromString(response.reply.payload.value) == Count(value=4)


async def test_no_messages_at_all_are_an_input() -> None:
    response = await calls().streamed_in(input_of(opening("Total")))
    assert response.reply.payload.type_url == "type.googleapis.com/example.stored.Count"


async def test_messages_have_metadata_of_their_own() -> None:
    responses = [it async for it in calls().streamed(input_of(opening("Running"), number(3)))]
    assert Metadata.from_proto(responses[0].reply.metadata).get("n") == "3"


async def test_an_empty_stream_is_a_violation() -> None:
    text = (
        "Cloudstate protocol failure: expected command message with service name and command name, but got empty stream"
    )
    assert (await calls().streamed_in(input_of())).failure.description == text
    assert [it.failure.description async for it in calls().streamed(input_of())] == [text]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (opening("Add", "no.Such"), "Unknown service: no.Such"),
        (opening("Fly"), "Unknown command: Fly of service example.Sums"),
        (opening("Add"), "Protocol error: No command payload"),
        (opening("Total"), "Protocol error: example.Sums.Total is not called in its shape"),
    ],
)
async def test_calls_that_cannot_be_answered_are_refused(command: action_pb2.ActionCommand, text: str) -> None:
    assert (await calls().unary(command)).failure.description == text


async def test_malformed_messages_are_refused_wherever_they_come() -> None:
    broken = opening("Add")
    broken.payload.value = b"\xff"
    assert "malformed command message" in (await calls().unary(broken)).failure.description
    broken = action_pb2.ActionCommand()
    broken.payload.value = b"\xff"
    responses = [it async for it in calls().streamed(input_of(opening("Running"), number(1), broken))]
    assert len(responses) == 2
    assert "malformed command message" in responses[1].failure.description


async def test_a_stream_that_nobody_reads_any_more_is_closed() -> None:
    handlers = SumsHandlers()
    command = opening("Upto")
    command.payload.value = Number(value=5).SerializeToString()
    responses = Calls({"example.Sums": Action(handlers)}).streamed_out(command)
    await anext(responses)
    assert not handlers.closed.is_set()
    await responses.aclose()
    assert handlers.closed.is_set()


async def test_a_bug_in_a_stream_ends_it_without_details() -> None:
    outcomes = await sums().call_streamed_out_async(Sums.upto(Number(value=65)))
    assert len(outcomes) == 65

    class Broken(SumsHandlers):
        async def upto(self, command: Number, ctx: Context) -> AsyncIterator[Count | Failure]:
            yield Count()
            raise KeyError("bug")

    outcomes = await ActionTest(Action(Broken())).call_streamed_out_async(Sums.upto(Number()))
    assert outcomes[1].failure == "Error handling command Upto of service example.Sums"
