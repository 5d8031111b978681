"""Calls of one action."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar

from cloudstate import action_pb2 as pb
from cloudstate import entity_pb2
from cloudstate.action import Action, Calls
from cloudstate.call import Call
from cloudstate.function import UserFunction
from cloudstate.testkit.outcome import Outcome, only

O = TypeVar("O")  # noqa: E741 - the output of a method, as everywhere


class ActionTest:
    """An action under test.

    Args:
        registration: the action, as the function registers it.

    Raises:
        DeclarationError: if the registration cannot be served.
    """

    def __init__(self, registration: Action) -> None:
        self._calls = Calls(UserFunction("test", "0").add(registration).declare().action)

    def call(self, call: Call[O]) -> Outcome[O]:
        """Calls a method with one message and returns the one outcome."""
        return asyncio.run(self.call_async(call))

    async def call_async(self, call: Call[O]) -> Outcome[O]:
        """Calls a method from within an event loop; otherwise like `call`."""
        return _outcome(await self._calls.unary(_command(call)))

    def call_streamed_out(self, call: Call[O]) -> list[Outcome[O]]:
        """Calls a method with one message and returns all that it streams."""
        return asyncio.run(self.call_streamed_out_async(call))

    async def call_streamed_out_async(self, call: Call[O]) -> list[Outcome[O]]:
        """Calls a method from within an event loop; otherwise like `call_streamed_out`."""
        return [_outcome(response) async for response in self._calls.streamed_out(_command(call))]

    def call_streamed_in(self, calls: Iterable[Call[O]]) -> Outcome[O]:
        """Streams messages to a method and returns the one outcome.

        Service, method and metadata are those of the first call, whose message is sent as well.
        """
        return only(asyncio.run(self._streamed_in(calls)))

    async def call_streamed_in_async(self, calls: Iterable[Call[O]]) -> Outcome[O]:
        """Streams messages from within an event loop; otherwise like `call_streamed_in`."""
        return only(await self._streamed_in(calls))

    def call_streamed(self, calls: Iterable[Call[O]]) -> list[Outcome[O]]:
        """Streams messages to a method and returns all that it streams; otherwise like `call_streamed_in`."""
        return asyncio.run(self.call_streamed_async(calls))

    async def call_streamed_async(self, calls: Iterable[Call[O]]) -> list[Outcome[O]]:
        """Streams messages from within an event loop; otherwise like `call_streamed`."""
        return [_outcome(response) async for response in self._calls.streamed(_stream(calls))]

    async def _streamed_in(self, calls: Iterable[Call[O]]) -> list[Outcome[O]]:
        return [_outcome(await self._calls.streamed_in(_stream(calls)))]


def _command(call: Call[Any]) -> pb.ActionCommand:
    command = _opening(call)
    command.payload.CopyFrom(call.payload)
    return command


def _opening(call: Call[Any]) -> pb.ActionCommand:
    return pb.ActionCommand(service_name=call.service, name=call.command, metadata=call.metadata.to_proto())


async def _stream(calls: Iterable[Call[Any]]) -> AsyncIterator[pb.ActionCommand]:
    for number, call in enumerate(calls):
        if number == 0:
            yield _opening(call)
        yield pb.ActionCommand(payload=call.payload)


def _outcome(response: pb.ActionResponse) -> Outcome[Any]:
    action = None
    match response.WhichOneof("response"):
        case "reply":
            action = entity_pb2.ClientAction(reply=response.reply)
        case "forward":
            action = entity_pb2.ClientAction(forward=response.forward)
        case "failure":
            action = entity_pb2.ClientAction(failure=response.failure)
    return Outcome(action, response.side_effects)
