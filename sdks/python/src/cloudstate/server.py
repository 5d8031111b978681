"""Serves a user function over clear-text HTTP/2.

```
  grpc.aio ─▶ one task a stream ─▶ entity machine │ action ─▶ handlers
```

All tasks share one thread: handlers must not block. Absent: TLS, since the proxy runs beside the function.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from cloudstate import (
    action_pb2,
    crdt,
    crdt_pb2,
    entity_pb2,
    event_sourced,
    event_sourced_pb2,
    value,
    value_entity_pb2,
)
from cloudstate.action import Action, Calls
from cloudstate.crdt import CrdtEntity
from cloudstate.dispatch import Step
from cloudstate.event_sourced import EventSourced
from cloudstate.function import PROTOCOL_VERSION, UserFunction
from cloudstate.value import Value

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
"""How long calls in flight may take when the function is asked to stop, unless told otherwise."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Size of the largest message taken from the proxy, unless told otherwise."""

In = TypeVar("In", bound=Message)
In_contra = TypeVar("In_contra", bound=Message, contravariant=True)
Out = TypeVar("Out", bound=Message)


class ServeError(Exception):
    """A user function cannot be served at its address. The text names the address, and why."""


class _Machine(Protocol[In_contra, Out]):
    async def handle(self, message: In_contra, /) -> Step[Out]: ...


class Server:
    """Serves one user function.

    Args:
        function: what to serve.
        address: `host:port`, where port 0 picks a free one, or `unix:` and the path of a socket.
        drain_seconds: how long calls in flight may take when it stops.
        max_message_bytes: size of the largest message taken from the proxy.

    Raises:
        DeclarationError: if the function cannot be served.
    """

    def __init__(
        self,
        function: UserFunction,
        address: str,
        *,
        drain_seconds: float = DRAIN_SECONDS,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._name = function.name
        self._declaration = function.declare()
        self._address = address
        self._drain_seconds = drain_seconds
        self._max_message_bytes = max_message_bytes
        self._server: grpc.aio.Server | None = None
        # Entity streams that wait for the next message, by their tasks.
        self._idle: set[asyncio.Task[Any]] = set()
        self._draining = False

    @classmethod
    def from_environment(cls, function: UserFunction, environment: Mapping[str, str] = os.environ) -> Server:
        """Returns a server at the address that `SOCKET`, or else `HOST` and `PORT`, say.

        Raises:
            ServeError: if `PORT` is not a port.
        """
        socket = environment.get("SOCKET", "")
        if socket:
            return cls(function, f"unix:{socket}")
        host, port = environment.get("HOST") or "127.0.0.1", environment.get("PORT") or "8080"
        if not (port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
            raise ServeError(f"PORT is {port!r}, but must be a number from 0 to 65535")
        return cls(function, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")

    async def start(self) -> int:
        """Listens, and returns the port; 1 for a socket.

        Raises:
            ServeError: if the address cannot be listened on.
        """
        options = (
            # A port in use is an error, not something to share.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", self._max_message_bytes),
            ("grpc.max_send_message_length", -1),
            # The proxy may look whether the function is alive as often as it likes.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 0),
            ("grpc.http2.max_ping_strikes", 0),
        )
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers(self._handlers())
        try:
            port: int = server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise ServeError(f"cannot listen on {self._address}: is it in use by another process?") from error
        await server.start()
        self._server = server
        shown = self._address if self._address.startswith("unix:") else _with_port(self._address, port)
        _log.info("serving the user function %s on %s", self._name, shown)
        return port

    async def stop(self) -> None:
        """Takes no more calls, finishes those in flight within the drain time, and ends."""
        if self._server is None:
            return
        _log.info("stopping the user function %s", self._name)
        self._draining = True
        stopping = asyncio.ensure_future(self._server.stop(self._drain_seconds))
        for task in list(self._idle):
            task.cancel()
        await stopping
        self._server = None

    async def serve_until_signal(self) -> None:
        """Serves until SIGTERM or SIGINT.

        Raises:
            ServeError: if the address cannot be listened on.
        """
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for each in signals:
            loop.add_signal_handler(each, asked.set)
        try:
            await self.start()
            await asked.wait()
        finally:
            # A second signal ends the process at once.
            for each in signals:
                loop.remove_signal_handler(each)
            await self.stop()

    def _handlers(self) -> list[grpc.GenericRpcHandler]:
        made = [
            grpc.method_handlers_generic_handler(
                "cloudstate.EntityDiscovery",
                {
                    "discover": grpc.unary_unary_rpc_method_handler(
                        self._discover,
                        entity_pb2.ProxyInfo.FromString,
                        entity_pb2.EntitySpec.SerializeToString,
                    ),
                    "reportError": grpc.unary_unary_rpc_method_handler(
                        self._report,
                        entity_pb2.UserFunctionError.FromString,
                        empty_pb2.Empty.SerializeToString,
                    ),
                },
            )
        ]
        made.extend(self._entity_handlers())
        if self._declaration.action:
            made.append(_action_handlers(Calls(self._declaration.action)))
        return made

    def _entity_handlers(self) -> list[grpc.GenericRpcHandler]:
        declared = self._declaration
        made = []
        if declared.event_sourced:
            made.append(
                self._entity(
                    EventSourced.ENTITY_TYPE,
                    lambda: event_sourced.Stream(declared.event_sourced),
                    event_sourced_pb2.EventSourcedStreamIn,
                    event_sourced_pb2.EventSourcedStreamOut,
                )
            )
        if declared.value:
            made.append(
                self._entity(
                    Value.ENTITY_TYPE,
                    lambda: value.Stream(declared.value),
                    value_entity_pb2.ValueEntityStreamIn,
                    value_entity_pb2.ValueEntityStreamOut,
                )
            )
        if declared.crdt:
            made.append(
                self._entity(
                    CrdtEntity.ENTITY_TYPE,
                    lambda: crdt.Stream(declared.crdt),
                    crdt_pb2.CrdtStreamIn,
                    crdt_pb2.CrdtStreamOut,
                )
            )
        return made

    def _entity(
        self,
        service: str,
        machine: Callable[[], _Machine[In, Out]],
        message_in: type[In],
        message_out: type[Out],
    ) -> grpc.GenericRpcHandler:
        """Returns a protocol service, each call of which lasts as long as one entity is in memory."""

        async def handle(_: Any, context: grpc.aio.ServicerContext[In, Out]) -> None:
            entity = machine()
            while (message := await self._next(context)) is not None:
                step = await entity.handle(message)
                for out in step.out:
                    await context.write(out)
                if step.end:
                    return

        method = grpc.stream_stream_rpc_method_handler(handle, message_in.FromString, message_out.SerializeToString)
        return grpc.method_handlers_generic_handler(service, {"handle": method})

    async def _next(self, context: grpc.aio.ServicerContext[In, Out]) -> In | None:
        """Returns the next message; `None` when the proxy lets the entity go, or the function stops."""
        task = asyncio.current_task()
        assert task is not None, "grpc.aio runs handlers in tasks"
        if self._draining:
            return None
        self._idle.add(task)
        try:
            message: Any = await context.read()
        except asyncio.CancelledError:
            if not self._draining:
                raise
            return None
        finally:
            self._idle.discard(task)
        return None if message is grpc.aio.EOF else message

    async def _discover(self, proxy: entity_pb2.ProxyInfo, _: Any) -> entity_pb2.EntitySpec:
        theirs = (proxy.protocol_major_version, proxy.protocol_minor_version)
        _log.info("discovered by %s %s, protocol %d.%d", proxy.proxy_name, proxy.proxy_version, *theirs)
        if theirs != PROTOCOL_VERSION:
            _log.warning("the proxy speaks protocol %d.%d, this function %d.%d", *theirs, *PROTOCOL_VERSION)
        for entity in self._declaration.spec.entities:
            if proxy.supported_entity_types and entity.entity_type not in proxy.supported_entity_types:
                # The proxy is told all the same: it can say better what to do about it.
                _log.error("the proxy does not support %s of %s", entity.entity_type, entity.service_name)
        return self._declaration.spec

    async def _report(self, error: entity_pb2.UserFunctionError, _: Any) -> empty_pb2.Empty:
        _log.error("the proxy reports: %s", error.message)
        return empty_pb2.Empty()


def _with_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"


def _action_handlers(calls: Calls) -> grpc.GenericRpcHandler:
    read = action_pb2.ActionCommand.FromString
    write = action_pb2.ActionResponse.SerializeToString

    async def unary(command: action_pb2.ActionCommand, _: Any) -> action_pb2.ActionResponse:
        return await calls.unary(command)

    async def streamed_in(commands: AsyncIterator[action_pb2.ActionCommand], _: Any) -> action_pb2.ActionResponse:
        return await calls.streamed_in(aiter(commands))

    async def streamed_out(command: action_pb2.ActionCommand, context: Any) -> None:
        async with aclosing(calls.streamed_out(command)) as responses:
            async for response in responses:
                await context.write(response)

    async def streamed(commands: AsyncIterator[action_pb2.ActionCommand], context: Any) -> None:
        async with aclosing(calls.streamed(aiter(commands))) as responses:
            async for response in responses:
                await context.write(response)

    return grpc.method_handlers_generic_handler(
        Action.ENTITY_TYPE,
        {
            "handleUnary": grpc.unary_unary_rpc_method_handler(unary, read, write),
            "handleStreamedIn": grpc.stream_unary_rpc_method_handler(streamed_in, read, write),
            "handleStreamedOut": grpc.unary_stream_rpc_method_handler(streamed_out, read, write),
            "handleStreamed": grpc.stream_stream_rpc_method_handler(streamed, read, write),
        },
    )
