"""One value entity and its stored value."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from google.protobuf import any_pb2

from cloudstate import entity_pb2
from cloudstate import value_entity_pb2 as pb
from cloudstate.call import Call
from cloudstate.function import UserFunction
from cloudstate.payload import decode, encode
from cloudstate.testkit.outcome import ENTITY_ID, Outcome
from cloudstate.value import Stream, Value

O = TypeVar("O")  # noqa: E741 - the output of a method, as everywhere


class ValueTest:
    """A value entity under test, with what the proxy would have stored.

    Args:
        registration: the entity, as the function registers it.
        entity_id: its id.
        value: what was stored before the test.

    Raises:
        DeclarationError: if the registration cannot be served.
    """

    def __init__(self, registration: Value, *, entity_id: str = ENTITY_ID, value: Any = None) -> None:
        self._services = UserFunction("test", "0").add(registration).declare().value
        self._service = registration.service.name
        self._entity_id = entity_id
        self._value: any_pb2.Any | None = None if value is None else encode(value)
        self._stream: Stream | None = None
        self._last_command = 0

    def call(self, call: Call[O]) -> Outcome[O]:
        """Sends a command, loading the entity first if it is not in memory, and stores what comes out."""
        return asyncio.run(self.call_async(call))

    async def call_async(self, call: Call[O]) -> Outcome[O]:
        """Sends a command from within an event loop; otherwise like `call`."""
        if self._stream is None:
            self._stream = Stream(self._services)
            state = pb.ValueEntityInitState(value=self._value)
            init = pb.ValueEntityInit(service_name=self._service, entity_id=self._entity_id, state=state)
            loaded = await self._stream.handle(pb.ValueEntityStreamIn(init=init))
            if loaded.end:
                return self._broken(loaded.out[0])
        self._last_command += 1
        command = entity_pb2.Command(
            entity_id=self._entity_id,
            id=self._last_command,
            name=call.command,
            payload=call.payload,
            metadata=call.metadata.to_proto(),
        )
        step = await self._stream.handle(pb.ValueEntityStreamIn(command=command))
        out = step.out[0]
        return self._broken(out) if step.end else self._store(out.reply)

    def restart(self) -> None:
        """Takes the entity out of memory, as passivation or a crash does. The next command loads its value."""
        self._stream = None
        self._last_command = 0

    @property
    def value(self) -> Any:
        """The stored value; `None` if there is none."""
        return None if self._value is None else decode(self._value)

    def _broken(self, out: pb.ValueEntityStreamOut) -> Outcome[Any]:
        self.restart()
        return Outcome(crash=out.failure.description, restarted=True)

    def _store(self, reply: pb.ValueEntityReply) -> Outcome[Any]:
        """Does what the proxy does with a reply."""
        updated = reply.state_action.update.value if reply.state_action.HasField("update") else None
        deleted = reply.state_action.HasField("delete")
        if updated is not None or deleted:
            self._value = updated
        return Outcome(reply.client_action, reply.side_effects, updated_value=updated, deleted=deleted)
