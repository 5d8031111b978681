"""A whole function behind its port, spoken to as the proxy does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from example.example_cloudstate import Counter, Sums
from example.example_pb2 import IncreaseRequest, Number, Pair
from example.stored.events_pb2 import Count
from google.protobuf import empty_pb2
from test_action import SumsHandlers
from test_crdt import PresenceEntity
from test_event_sourced import CounterEntity
from test_value import CounterEntity as ValueCounter

from cloudstate import (
    Action,
    Call,
    CrdtEntity,
    EventSourced,
    ServeError,
    Server,
    UserFunction,
    Value,
    action_pb2,
    crdt_pb2,
    entity_pb2,
    event_sourced_pb2,
    value_entity_pb2,
)

HERE = Path(__file__).parent


def function() -> UserFunction:
    return UserFunction("test", "1").add(
        EventSourced("counters", CounterEntity),
        CrdtEntity("presence", PresenceEntity),
        Action(SumsHandlers()),
    )


class Proxy:
    """A client of the protocol services."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    async def discover(self, **info: Any) -> entity_pb2.EntitySpec:
        method = self.channel.unary_unary(
            "/cloudstate.EntityDiscovery/discover",
            entity_pb2.ProxyInfo.SerializeToString,
            entity_pb2.EntitySpec.FromString,
        )
        spec: entity_pb2.EntitySpec = await method(entity_pb2.ProxyInfo(protocol_minor_version=2, **info))
        return spec

    def event_sourced(self) -> Any:
        return self.channel.stream_stream(
            "/cloudstate.eventsourced.EventSourced/handle",
            event_sourced_pb2.EventSourcedStreamIn.SerializeToString,
            event_sourced_pb2.EventSourcedStreamOut.FromString,
        )()

    def action(self, shape: str, name: str) -> Any:
        return getattr(self.channel, shape)(
            f"/cloudstate.action.ActionProtocol/{name}",
            action_pb2.ActionCommand.SerializeToString,
            action_pb2.ActionResponse.FromString,
        )


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(function(), "127.0.0.1:0", drain_seconds=5)
    yield server
    await server.stop()


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Proxy(channel)


def init() -> event_sourced_pb2.EventSourcedStreamIn:
    content = event_sourced_pb2.EventSourcedInit(service_name=Counter.NAME, entity_id="e")
    return event_sourced_pb2.EventSourcedStreamIn(init=content)


def increase(command_id: int, by: int) -> event_sourced_pb2.EventSourcedStreamIn:
    payload = Counter.increase(IncreaseRequest(by=by)).payload
    command = entity_pb2.Command(entity_id="e", id=command_id, name="Increase", payload=payload)
    return event_sourced_pb2.EventSourcedStreamIn(command=command)


async def test_discovery_answers_and_reports_are_logged(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    spec = await proxy.discover(proxy_name="p", supported_entity_types=["cloudstate.crdt.Crdt"])
    assert len(spec.entities) == 3
    assert "the proxy does not support cloudstate.eventsourced.EventSourced of example.Counter" in caplog.text
    report = proxy.channel.unary_unary(
        "/cloudstate.EntityDiscovery/reportError",
        entity_pb2.UserFunctionError.SerializeToString,
        empty_pb2.Empty.FromString,
    )
    await report(entity_pb2.UserFunctionError(message="it is wrong"))
    assert "the proxy reports: it is wrong" in caplog.text


async def test_an_entity_lives_as_long_as_its_stream(proxy: Proxy) -> None:
    stream = proxy.event_sourced()
    await stream.write(init())
    for command_id, total in ((1, 2), (2, 4)):
        await stream.write(increase(command_id, 2))
        reply = (await stream.read()).reply
        assert (reply.command_id, Count.FromString(reply.client_action.reply.payload.value).value) == (
            command_id,
            total,
        )
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() == grpc.StatusCode.OK


async def test_a_broken_entity_ends_its_stream_and_no_other(proxy: Proxy) -> None:
    good, bad = proxy.event_sourced(), proxy.event_sourced()
    for stream in (good, bad):
        await stream.write(init())
    await bad.write(increase(1, 14))
    assert (await bad.read()).failure.command_id == 1
    assert await bad.read() is grpc.aio.EOF
    await good.write(increase(1, 3))
    assert (await good.read()).reply.command_id == 1


async def test_value_and_crdt_entities_are_served_too() -> None:
    server = Server(
        UserFunction("t", "1").add(Value("v", ValueCounter), CrdtEntity("c", PresenceEntity)), "127.0.0.1:0"
    )
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        value: Any = channel.stream_stream(
            "/cloudstate.valueentity.ValueEntity/handle",
            value_entity_pb2.ValueEntityStreamIn.SerializeToString,
            value_entity_pb2.ValueEntityStreamOut.FromString,
        )()
        await value.write(value_entity_pb2.ValueEntityStreamIn())
        assert "empty/unknown" in (await value.read()).failure.description
        crdt: Any = channel.stream_stream(
            "/cloudstate.crdt.Crdt/handle",
            crdt_pb2.CrdtStreamIn.SerializeToString,
            crdt_pb2.CrdtStreamOut.FromString,
        )()
        content = crdt_pb2.CrdtInit(service_name="example.Presence", entity_id="e")
        await crdt.write(crdt_pb2.CrdtStreamIn(init=content))
        await crdt.write(crdt_pb2.CrdtStreamIn(stream_cancelled=entity_pb2.StreamCancelled(entity_id="e", id=1)))
        assert (await crdt.read()).stream_cancelled_response.command_id == 1
    await server.stop()


def command(call: Call[Any], *, payload: bool = True) -> action_pb2.ActionCommand:
    content = call.payload if payload else None
    return action_pb2.ActionCommand(service_name=call.service, name=call.command, payload=content)


async def test_actions_are_called_in_all_shapes(proxy: Proxy) -> None:
    response = await proxy.action("unary_unary", "handleUnary")(command(Sums.add(Pair(left=1, right=2))))
    assert Count.FromString(response.reply.payload.value).value == 3

    async def numbers() -> AsyncIterator[action_pb2.ActionCommand]:
        yield command(Sums.total(Number()), payload=False)
        for value in (1, 2, 3):
            yield action_pb2.ActionCommand(payload=Sums.total(Number(value=value)).payload)

    response = await proxy.action("stream_unary", "handleStreamedIn")(numbers())
    assert Count.FromString(response.reply.payload.value).value == 6
    out = proxy.action("unary_stream", "handleStreamedOut")(command(Sums.upto(Number(value=3))))
    assert [Count.FromString(it.reply.payload.value).value async for it in out] == [1, 2, 3]
    both = proxy.action("stream_stream", "handleStreamed")()
    await both.write(command(Sums.running(Number()), payload=False))
    for value, total in ((2, 2), (3, 5)):
        await both.write(action_pb2.ActionCommand(payload=Sums.running(Number(value=value)).payload))
        assert Count.FromString((await both.read()).reply.payload.value).value == total
    await both.done_writing()
    assert await both.read() is grpc.aio.EOF


async def test_a_caller_that_leaves_takes_its_handler_with_it() -> None:
    handlers = SumsHandlers()
    server = Server(UserFunction("t", "1").add(Action(handlers)), "127.0.0.1:0")
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = Proxy(channel).action("unary_stream", "handleStreamedOut")(command(Sums.upto(Number(value=1 << 60))))
        await call.read()
        call.cancel()
        await asyncio.wait_for(handlers.closed.wait(), 30)
    await server.stop()


async def test_stopping_lets_idle_entities_go_at_once(server: Server, proxy: Proxy) -> None:
    stream = proxy.event_sourced()
    await stream.write(init())
    await stream.write(increase(1, 1))
    await stream.read()
    await asyncio.wait_for(server.stop(), 4)
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() == grpc.StatusCode.OK


async def test_a_port_in_use_is_an_error(server: Server, proxy: Proxy) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServeError, match=f"cannot listen on {address}"):
            await Server(function(), address).start()


async def test_a_socket_is_served(tmp_path: Path) -> None:
    path = tmp_path / "function.sock"
    server = Server.from_environment(function(), {"SOCKET": str(path), "PORT": "ignored"})
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        assert (await Proxy(channel).discover()).service_info.service_name == "test"
    await server.stop()


@pytest.mark.parametrize("port", ["http", "-1", "65536", "٣"])
def test_a_wrong_port_is_named(port: str) -> None:
    with pytest.raises(ServeError, match=f"PORT is '{port}'"):
        Server.from_environment(function(), {"PORT": port})


def test_a_function_serves_until_sigterm() -> None:
    code = "import logging; logging.basicConfig(level='INFO')\nfrom test_server import function\nfunction().run()\n"
    environment = os.environ | {"PORT": "0", "PYTHONPATH": str(HERE)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True, cwd=HERE
    )
    assert process.stderr is not None
    assert any("serving the user function test on 127.0.0.1:" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    with process:
        rest = process.stderr.read()
        assert process.wait(60) == 0, rest
