"""One event sourced entity and its event log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf import any_pb2

from cloudstate import entity_pb2
from cloudstate import event_sourced_pb2 as pb
from cloudstate.call import Call
from cloudstate.event_sourced import EventSourced, Stream
from cloudstate.function import UserFunction
from cloudstate.payload import decode, encode
from cloudstate.testkit.outcome import ENTITY_ID, Outcome

O = TypeVar("O")  # noqa: E741 - the output of a method, as everywhere


class EventSourcedTest:
    """An event sourced entity under test, with what the proxy would have stored.

    Args:
        registration: the entity, as the function registers it.
        entity_id: its id.
        events: what was stored before the test.
        snapshot: a snapshot that was stored before the test, and its sequence: how many events it stands for.

    Raises:
        DeclarationError: if the registration cannot be served.
    """

    def __init__(
        self,
        registration: EventSourced,
        *,
        entity_id: str = ENTITY_ID,
        events: Iterable[Any] = (),
        snapshot: tuple[int, Any] | None = None,
    ) -> None:
        declaration = UserFunction("test", "0").add(registration).declare()
        self._services = declaration.event_sourced
        self._service = registration.service.name
        self._entity_id = entity_id
        self._events: list[any_pb2.Any] = [encode(event) for event in events]
        self._snapshot: pb.EventSourcedSnapshot | None = None
        if snapshot is not None:
            sequence, value = snapshot
            self._events.extend(any_pb2.Any() for _ in range(sequence - len(self._events)))
            self._snapshot = pb.EventSourcedSnapshot(snapshot_sequence=sequence, snapshot=encode(value))
        self._stream: Stream | None = None
        self._last_command = 0

    def call(self, call: Call[O]) -> Outcome[O]:
        """Sends a command, loading the entity first if it is not in memory, and stores what comes out."""
        return asyncio.run(self.call_async(call))

    async def call_async(self, call: Call[O]) -> Outcome[O]:
        """Sends a command from within an event loop; otherwise like `call`."""
        if self._stream is None:
            self._stream = Stream(self._services)
            for message in self._loading():
                loaded = await self._stream.handle(message)
                if loaded.end:
                    return self._broken(loaded.out[0])
        step = await self._stream.handle(pb.EventSourcedStreamIn(command=self._command(call)))
        out = step.out[0]
        return self._broken(out) if step.end else self._store(out.reply)

    def restart(self) -> None:
        """Takes the entity out of memory, as passivation or a crash does. The next command loads it from its events."""
        self._stream = None
        self._last_command = 0

    @property
    def log(self) -> list[Any]:
        """All events stored so far, in order."""
        return [decode(event) for event in self._events]

    def _loading(self) -> Iterable[pb.EventSourcedStreamIn]:
        init = pb.EventSourcedInit(service_name=self._service, entity_id=self._entity_id, snapshot=self._snapshot)
        yield pb.EventSourcedStreamIn(init=init)
        covered = 0 if self._snapshot is None else self._snapshot.snapshot_sequence
        for sequence, event in enumerate(self._events, 1):
            if sequence > covered:
                yield pb.EventSourcedStreamIn(event=pb.EventSourcedEvent(sequence=sequence, payload=event))

    def _command(self, call: Call[Any]) -> entity_pb2.Command:
        self._last_command += 1
        return entity_pb2.Command(
            entity_id=self._entity_id,
            id=self._last_command,
            name=call.command,
            payload=call.payload,
            metadata=call.metadata.to_proto(),
        )

    def _broken(self, out: pb.EventSourcedStreamOut) -> Outcome[Any]:
        self.restart()
        return Outcome(crash=out.failure.description, restarted=True)

    def _store(self, reply: pb.EventSourcedReply) -> Outcome[Any]:
        """Does what the proxy does with a reply."""
        if reply.client_action.failure.restart:
            self.restart()
            return Outcome(reply.client_action, reply.side_effects, restarted=True)
        self._events.extend(reply.events)
        snapshot = reply.snapshot if reply.HasField("snapshot") else None
        if snapshot is not None:
            sequence = len(self._events)
            self._snapshot = pb.EventSourcedSnapshot(snapshot_sequence=sequence, snapshot=snapshot)
        return Outcome(
            reply.client_action, reply.side_effects, stored_events=list(reply.events), stored_snapshot=snapshot
        )
