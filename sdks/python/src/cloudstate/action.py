"""Actions: calls without state, of all four shapes.

```
  handleUnary         one message   ─▶ handler ─▶ one response
  handleStreamedIn    messages      ─▶ handler ─▶ one response
  handleStreamedOut   one message   ─▶ handler ─▶ responses
  handleStreamed      messages      ─▶ handler ─▶ responses
```

The first message of a call with streamed input names the method and carries no payload.
"""

from __future__ import annotations

import logging
from abc import ABC
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from cloudstate import action_pb2 as pb
from cloudstate import entity_pb2
from cloudstate.dispatch import Factory, done, settle
from cloudstate.metadata import CloudEvent, Metadata
from cloudstate.reply import Failure, Reply
from cloudstate.service import Method, Service

M_co = TypeVar("M_co", bound=Message, covariant=True)
T = TypeVar("T")

Answers: TypeAlias = AsyncIterable[T | Reply[T] | Failure]
"""What a handler that streams returns, usually as an `async def` with `yield`.

A `Failure` that is yielded is one response, and the handler goes on; one that is raised is the last.
"""

_log = logging.getLogger(__name__)


class Handlers(ABC):
    """The methods of one service. Generated code derives from it. One object serves all calls, side by side."""

    SERVICE: ClassVar[Service]


class Context:
    """What an action knows about a call beside its messages."""

    def __init__(self, service: str, command: str, metadata: Metadata) -> None:
        self.service = service
        """Full name of the service."""
        self.command = command
        """Simple name of the method."""
        self.metadata = metadata
        """The caller's metadata."""

    @property
    def cloud_event(self) -> CloudEvent | None:
        """The call as a CloudEvent, if it came from an event source."""
        return self.metadata.cloud_event


class Commands(Generic[M_co]):
    """The messages that a caller streams, in order; iterate over it with `async for`.

    It ends when the caller has sent all. When the caller goes away, the handler is cancelled where it waits.
    """

    def __init__(self, first: pb.ActionCommand, rest: AsyncIterator[pb.ActionCommand], method: Method) -> None:
        self._first: pb.ActionCommand | None = first if first.HasField("payload") else None
        self._rest = rest
        self._method = method
        self.metadata = Metadata()
        """What came with the last message.

        Gateways send metadata with the call (`Context.metadata`) rather than with each message; event sources do the
        reverse.
        """

    def __aiter__(self) -> AsyncIterator[M_co]:
        return self

    async def __anext__(self) -> M_co:
        command, self._first = self._first, None
        if command is None:
            command = await self._rest.__anext__()
        self.metadata = Metadata.from_proto(command.metadata)
        message: M_co = _read(command, self._method)
        return message


class Action:
    """Registers an action.

    Args:
        handlers: an object of a class that derives from the generated one.

    Raises:
        TypeError: if the class is not complete.
    """

    ENTITY_TYPE = "cloudstate.action.ActionProtocol"

    def __init__(self, handlers: Handlers) -> None:
        self.service = Factory(lambda: handlers, Handlers).service
        self.handlers = handlers


class _ProtocolError(Exception):
    """The proxy broke the protocol. The text is for the client."""


class Calls:
    """Answers the calls of the protocol service. No transport, no clock."""

    def __init__(self, services: Mapping[str, Action]) -> None:
        self._services = services

    async def unary(self, command: pb.ActionCommand) -> pb.ActionResponse:
        """Answers a call with one message and one response."""
        return await self._one(command, None)

    async def streamed_in(self, commands: AsyncIterator[pb.ActionCommand]) -> pb.ActionResponse:
        """Answers a call with many messages and one response."""
        first = await anext(commands, None)
        return _empty_stream() if first is None else await self._one(first, commands)

    async def streamed_out(self, command: pb.ActionCommand) -> AsyncGenerator[pb.ActionResponse, None]:
        """Answers a call with one message and many responses."""
        async with aclosing(self._many(command, None)) as responses:
            async for response in responses:
                yield response

    async def streamed(self, commands: AsyncIterator[pb.ActionCommand]) -> AsyncGenerator[pb.ActionResponse, None]:
        """Answers a call with many messages and many responses."""
        first = await anext(commands, None)
        if first is None:
            yield _empty_stream()
            return
        async with aclosing(self._many(first, commands)) as responses:
            async for response in responses:
                yield response

    async def _one(self, first: pb.ActionCommand, rest: AsyncIterator[pb.ActionCommand] | None) -> pb.ActionResponse:
        try:
            method, answer = self._start(first, rest, server_streaming=False)
            return _response(await settle(answer), method)
        except Exception as error:
            return _failed(error, first)

    async def _many(
        self, first: pb.ActionCommand, rest: AsyncIterator[pb.ActionCommand] | None
    ) -> AsyncGenerator[pb.ActionResponse, None]:
        try:
            method, answers = self._start(first, rest, server_streaming=True)
            try:
                async for answer in answers:
                    yield _response(answer, method)
            finally:
                # A generator that is left is not ended by itself, and its `finally` would run who knows when.
                if hasattr(answers, "aclose"):
                    await answers.aclose()
        except Exception as error:
            yield _failed(error, first)

    def _start(
        self, first: pb.ActionCommand, rest: AsyncIterator[pb.ActionCommand] | None, *, server_streaming: bool
    ) -> tuple[Method, Any]:
        registration = self._services.get(first.service_name)
        if registration is None:
            raise _ProtocolError(f"Unknown service: {first.service_name}")
        method = registration.service.methods.get(first.name)
        if method is None:
            raise _ProtocolError(f"Unknown command: {first.name} of service {first.service_name}")
        shape = (method.client_streaming, method.server_streaming)
        if shape != (rest is not None, server_streaming):
            raise _ProtocolError(f"Protocol error: {first.service_name}.{first.name} is not called in its shape")
        context = Context(first.service_name, first.name, Metadata.from_proto(first.metadata))
        handler = getattr(registration.handlers, method.handler)
        if rest is None:
            return method, handler(_read(first, method), context)
        return method, handler(Commands(first, rest, method), context)


def _read(command: pb.ActionCommand, method: Method) -> Any:
    if not command.HasField("payload"):
        raise _ProtocolError("Protocol error: No command payload")
    try:
        return method.input_type.FromString(command.payload.value)
    except DecodeError as error:
        raise _ProtocolError(f"Protocol error: malformed command message: {error}") from error


def _response(answer: Any, method: Method) -> pb.ActionResponse:
    if isinstance(answer, Failure):
        return _declined(answer)
    it = done(answer, method)
    response = pb.ActionResponse(side_effects=it.effects)
    if it.action is None:
        # A handler that forgets to return looks like this.
        if answer is None:
            raise TypeError(f"{method.handler} answered with None; for no answer at all return Reply.nothing()")
    elif it.action.HasField("forward"):
        response.forward.CopyFrom(it.action.forward)
    else:
        response.reply.CopyFrom(it.action.reply)
    return response


def _declined(failure: Failure) -> pb.ActionResponse:
    content = entity_pb2.Failure(description=failure.description)
    return pb.ActionResponse(failure=content, side_effects=failure.effects)


def _failed(error: Exception, call: pb.ActionCommand) -> pb.ActionResponse:
    if isinstance(error, Failure):
        return _declined(error)
    if isinstance(error, _ProtocolError):
        _log.error("a call of an action was refused: %s", error)
        return _declined(Failure(str(error)))
    _log.error("an action failed: %s.%s", call.service_name, call.name, exc_info=error)
    return _declined(Failure(f"Error handling command {call.name} of service {call.service_name}"))


def _empty_stream() -> pb.ActionResponse:
    return _declined(
        Failure(
            "Cloudstate protocol failure: expected command message with service name and command name, "
            "but got empty stream"
        )
    )
