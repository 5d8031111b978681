"""Event sourced entities: the state is what the events say.

```
  init ─▶ Entity() ─▶ created(id) ─▶ restore(snapshot) ─▶ apply(event) … ─▶ handler(command) ⟲
                                                                               │ emit ─▶ apply
                                                                               ▼
                                                                 reply, events, snapshot
```
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

from google.protobuf import any_pb2

from cloudstate import entity_pb2
from cloudstate import event_sourced_pb2 as pb
from cloudstate.dispatch import BrokenError, Factory, Step, codec, declined, done, read, settle, text
from cloudstate.metadata import CloudEvent, Metadata
from cloudstate.payload import Codec
from cloudstate.reply import Failure
from cloudstate.service import Method, Service

E = TypeVar("E")
P = TypeVar("P")
T = TypeVar("T")

DEFAULT_SNAPSHOT_EVERY = 100
"""How many events lie between snapshots, unless the registration says otherwise."""

_log = logging.getLogger(__name__)


class Entity(ABC, Generic[E]):
    """One event sourced entity in memory, whose events have type `E`: one message type, or a union of them.

    Generated code derives from it, with one method for each command. The attributes of the object are the state. They
    are changed by `apply` only: what a handler changes itself is lost when the entity leaves memory.
    """

    SERVICE: ClassVar[Service]

    def created(self, entity_id: str) -> None:
        """Tells a fresh object which entity it is, before any snapshot or event."""

    @abstractmethod
    def apply(self, event: E) -> None:
        """Changes the state as the event says. The event has happened: there is no way to decline it here."""


class Snapshots(ABC, Generic[P]):
    """What an entity derives from as well if it takes snapshots, stored as a `P`."""

    @abstractmethod
    def snapshot(self) -> P | None:
        """Takes a snapshot. `None` skips this one; the next is due after as many events again."""

    @abstractmethod
    def restore(self, snapshot: P) -> None:
        """Brings a fresh object to where the snapshot was taken."""


class Context(Generic[E]):
    """What a handler works with. It is valid until the handler has answered."""

    def __init__(self, activation: _Activation, metadata: Metadata) -> None:
        self._activation = activation
        self._metadata = metadata
        self._active = True

    @property
    def entity_id(self) -> str:
        """The entity id."""
        return self._activation.entity_id

    @property
    def sequence(self) -> int:
        """Sequence number of the newest event, emitted ones included; 0 before the first."""
        return self._activation.sequence

    @property
    def metadata(self) -> Metadata:
        """The caller's metadata. Empty behind a proxy that sends none to entities."""
        return self._metadata

    @property
    def cloud_event(self) -> CloudEvent | None:
        """The command as a CloudEvent, if it came from an event source."""
        return self._metadata.cloud_event

    def emit(self, event: E) -> None:
        """Says that something has happened.

        The event is applied at once, so that the handler goes on with the new state; it is stored with all others of
        the command, or none is. A failure after an event drops the state, which the proxy then rebuilds from the log.

        Raises:
            PayloadError: if the event is not of a type that the entity has declared.
            RuntimeError: if the handler has answered already.
        """
        if not self._active:
            raise RuntimeError("this context is no longer active: its command has been answered")
        self._activation.emit(event)

    def _end(self) -> None:
        self._active = False


class EventSourced:
    """Registers an event sourced entity.

    Args:
        persistence_id: names the stored data; never change it.
        entity: makes one entity for each activation: the class, or a function that returns an object of it.
        snapshot_every: events between snapshots, for entities with `Snapshots`; 0 takes none.
        passivation_timeout: how long an unused entity stays in memory; `None` leaves that to the proxy.
        command_metadata: whether handlers get the caller's metadata. An addition to protocol 0.2.

    Raises:
        TypeError: if the class is not complete.
        ValueError: if a number is negative.
    """

    ENTITY_TYPE = "cloudstate.eventsourced.EventSourced"

    def __init__(
        self,
        persistence_id: str,
        entity: Callable[[], Entity[Any]],
        *,
        snapshot_every: int = DEFAULT_SNAPSHOT_EVERY,
        passivation_timeout: timedelta | None = None,
        command_metadata: bool = True,
    ) -> None:
        if snapshot_every < 0:
            raise ValueError(f"snapshot_every is {snapshot_every}, but must not be negative; 0 takes no snapshots")
        factory = Factory(entity, Entity)
        self.factory = factory
        self.service = factory.service
        self.persistence_id = persistence_id
        self.passivation_timeout = passivation_timeout
        self.command_metadata = command_metadata
        self.snapshot_every = snapshot_every
        self.events = codec(factory.kind, Entity, "events")
        self.snapshots: Codec | None = None
        if issubclass(factory.kind, Snapshots):
            self.snapshots = codec(factory.kind, Snapshots, "snapshots")


class Stream:
    """One stream of the protocol service: one activation of one entity. No transport, no clock."""

    def __init__(self, services: Mapping[str, EventSourced]) -> None:
        self._services = services
        self._activation: _Activation | None = None

    async def handle(self, message: pb.EventSourcedStreamIn) -> Step[pb.EventSourcedStreamOut]:
        """Handles the next message of the proxy. After `Step.end` the stream is over."""
        try:
            reply = await self._accept(message)
        except BrokenError as broken:
            self._activation = None
            _log.error("an event sourced entity failed; its activation ends: %s", broken, exc_info=broken.__cause__)
            return Step((pb.EventSourcedStreamOut(failure=broken.failure),), end=True)
        return Step() if reply is None else Step((pb.EventSourcedStreamOut(reply=reply),))

    async def _accept(self, message: pb.EventSourcedStreamIn) -> pb.EventSourcedReply | None:
        kind = message.WhichOneof("message")
        if kind is None:
            raise _protocol(0, "Received empty/unknown message")
        if kind == "init":
            self._init(message.init)
            return None
        if self._activation is None:
            raise _protocol(0, "Expected Init message")
        if kind == "event":
            self._activation.replay(message.event)
            return None
        return await self._activation.run(message.command)

    def _init(self, init: pb.EventSourcedInit) -> None:
        if self._activation is not None:
            raise _protocol(0, "Entity already inited")
        registration = self._services.get(init.service_name)
        if registration is None:
            raise _protocol(0, f"Service not found: {init.service_name}")
        self._activation = _Activation(registration, init)


def _protocol(command_id: int, what: str) -> BrokenError:
    return BrokenError(command_id, f"Protocol error: {what}")


def _unexpected(command_id: int, error: Exception) -> BrokenError:
    return BrokenError(command_id, f"Unexpected failure: {text(error)}")


@dataclass
class _Pending:
    """What the command in hand has emitted so far."""

    events: list[any_pb2.Any]
    snapshot_due: bool = False
    fault: Exception | None = None


class _Activation:
    """An entity in memory."""

    def __init__(self, registration: EventSourced, init: pb.EventSourcedInit) -> None:
        self._registration = registration
        self.entity_id = init.entity_id
        self.sequence = 0
        self._pending = _Pending([])
        # The state holds events that were not stored, so that only a new activation may go on.
        self._ahead_of_log = False
        try:
            self._entity: Entity[Any] = registration.factory.make()
            self._entity.created(init.entity_id)
            if init.HasField("snapshot"):
                self._restore(init.snapshot)
        except Exception as error:
            raise _unexpected(0, error) from error

    def _restore(self, snapshot: pb.EventSourcedSnapshot) -> None:
        if self._registration.snapshots is None or not isinstance(self._entity, Snapshots):
            kind = type(self._entity).__qualname__
            raise TypeError(f"there is a snapshot, but {kind} does not derive from Snapshots")
        self._entity.restore(self._registration.snapshots.decode(snapshot.snapshot))
        self.sequence = snapshot.snapshot_sequence

    def replay(self, event: pb.EventSourcedEvent) -> None:
        if not event.HasField("payload"):
            raise _protocol(0, "No event payload")
        try:
            self._entity.apply(self._registration.events.decode(event.payload))
        except Exception as error:
            raise _unexpected(0, error) from error
        self.sequence = event.sequence

    def emit(self, event: Any) -> None:
        encoded = self._registration.events.encode(event)
        self._pending.events.append(encoded)
        try:
            self._entity.apply(event)
        except Exception as error:
            # The state is now unknown, even if the handler catches this.
            self._pending.fault = error
            raise
        self.sequence += 1
        every = self._registration.snapshot_every
        self._pending.snapshot_due |= every != 0 and self.sequence % every == 0

    async def run(self, command: entity_pb2.Command) -> pb.EventSourcedReply:
        method = self._check(command)
        self._pending = _Pending([])
        context: Context[Any] = Context(self, Metadata.from_proto(command.metadata))
        try:
            handler = getattr(self._entity, method.handler)
            answer = await settle(handler(read(command, method), context))
            if self._pending.fault is not None:
                raise self._pending.fault
            return self._succeed(command.id, answer, method)
        except Failure as failure:
            return self._fail(command.id, failure)
        except Exception as error:
            raise _unexpected(command.id, error) from error
        finally:
            context._end()

    def _check(self, command: entity_pb2.Command) -> Method:
        if command.entity_id != self.entity_id:
            raise _protocol(command.id, "Receiving entity is not the intended recipient of command")
        if self._ahead_of_log:
            raise _protocol(command.id, "Command after a failure that asked for a restart")
        if not command.HasField("payload"):
            raise _protocol(command.id, "No command payload")
        method = self._registration.service.methods.get(command.name)
        if method is None:
            raise _protocol(command.id, f"Unknown command: {command.name}")
        return method

    def _succeed(self, command_id: int, answer: Any, method: Method) -> pb.EventSourcedReply:
        it = done(answer, method)
        if it.action is None:
            raise TypeError(f"No reply or forward returned by command handler! ({method.handler})")
        return pb.EventSourcedReply(
            command_id=command_id,
            client_action=it.action,
            side_effects=it.effects,
            events=self._pending.events,
            snapshot=self._snapshot(),
        )

    def _snapshot(self) -> any_pb2.Any | None:
        codec = self._registration.snapshots
        if not self._pending.snapshot_due or codec is None or not isinstance(self._entity, Snapshots):
            return None
        snapshot = self._entity.snapshot()
        return None if snapshot is None else codec.encode(snapshot)

    def _fail(self, command_id: int, failure: Failure) -> pb.EventSourcedReply:
        self._ahead_of_log = bool(self._pending.events)
        action = declined(command_id, failure, restart=self._ahead_of_log)
        return pb.EventSourcedReply(command_id=command_id, client_action=action)
