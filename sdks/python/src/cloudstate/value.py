"""Value entities: the last value is stored as a whole.

```
  init(value?) ─▶ Entity() ─▶ created(id) ─▶ handler(command) ⟲ ── update │ delete ──▶ stored before the reply
```
"""

from __future__ import annotations

import logging
from abc import ABC
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar, cast

from google.protobuf import any_pb2

from cloudstate import entity_pb2
from cloudstate import value_entity_pb2 as pb
from cloudstate.dispatch import BrokenError, Factory, Step, codec, declined, done, read, settle, text
from cloudstate.metadata import CloudEvent, Metadata
from cloudstate.payload import Codec
from cloudstate.reply import Failure
from cloudstate.service import Method, Service

S = TypeVar("S")

_log = logging.getLogger(__name__)


class Entity(ABC, Generic[S]):
    """One value entity in memory, whose value has type `S`. Generated code derives from it, with a method a command.

    Attributes of the object are not stored; the value is, by `Context.update`.
    """

    SERVICE: ClassVar[Service]

    def created(self, entity_id: str) -> None:
        """Tells a fresh object which entity it is."""


class Context(Generic[S]):
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
    def state(self) -> S | None:
        """The value, with this command's change; `None` if it was never set or is deleted.

        It is a copy of what is stored, the same object all through a command: change it as you like, then hand it to
        `update`.
        """
        return cast("S | None", self._activation.state())

    @property
    def metadata(self) -> Metadata:
        """The caller's metadata. Empty behind a proxy that sends none to entities."""
        return self._metadata

    @property
    def cloud_event(self) -> CloudEvent | None:
        """The command as a CloudEvent, if it came from an event source."""
        return self._metadata.cloud_event

    def update(self, value: S) -> None:
        """Replaces the value. The last update or delete of a command counts; a failure undoes it.

        Raises:
            PayloadError: if the value is not of the type that the entity has declared.
            RuntimeError: if the handler has answered already.
        """
        self._check()
        self._activation.update(value)

    def delete(self) -> None:
        """Deletes the value. The last update or delete of a command counts; a failure undoes it.

        Raises:
            RuntimeError: if the handler has answered already.
        """
        self._check()
        self._activation.delete()

    def _check(self) -> None:
        if not self._active:
            raise RuntimeError("this context is no longer active: its command has been answered")

    def _end(self) -> None:
        self._active = False


class Value:
    """Registers a value entity.

    Args:
        persistence_id: names the stored data; never change it.
        entity: makes one entity for each activation: the class, or a function that returns an object of it.
        passivation_timeout: how long an unused entity stays in memory; `None` leaves that to the proxy.
        command_metadata: whether handlers get the caller's metadata. An addition to protocol 0.2.

    Raises:
        TypeError: if the class is not complete.
    """

    ENTITY_TYPE = "cloudstate.valueentity.ValueEntity"

    def __init__(
        self,
        persistence_id: str,
        entity: Callable[[], Entity[Any]],
        *,
        passivation_timeout: timedelta | None = None,
        command_metadata: bool = True,
    ) -> None:
        self.factory = Factory(entity, Entity)
        self.service = self.factory.service
        self.persistence_id = persistence_id
        self.passivation_timeout = passivation_timeout
        self.command_metadata = command_metadata
        self.values: Codec = codec(self.factory.kind, Entity, "value")


class Stream:
    """One stream of the protocol service: one activation of one entity. No transport, no clock."""

    def __init__(self, services: Mapping[str, Value]) -> None:
        self._services = services
        self._activation: _Activation | None = None

    async def handle(self, message: pb.ValueEntityStreamIn) -> Step[pb.ValueEntityStreamOut]:
        """Handles the next message of the proxy. After `Step.end` the stream is over."""
        try:
            reply = await self._accept(message)
        except BrokenError as broken:
            self._activation = None
            _log.error("a value entity failed; its activation ends: %s", broken, exc_info=broken.__cause__)
            return Step((pb.ValueEntityStreamOut(failure=broken.failure),), end=True)
        return Step() if reply is None else Step((pb.ValueEntityStreamOut(reply=reply),))

    async def _accept(self, message: pb.ValueEntityStreamIn) -> pb.ValueEntityReply | None:
        kind = message.WhichOneof("message")
        if kind is None:
            raise _protocol(0, "Value entity received empty/unknown message")
        if kind == "init":
            self._init(message.init)
            return None
        if self._activation is None:
            raise _protocol(0, "Expected init message for Value entity")
        return await self._activation.run(message.command)

    def _init(self, init: pb.ValueEntityInit) -> None:
        if self._activation is not None:
            raise _protocol(0, "Value entity already inited")
        registration = self._services.get(init.service_name)
        if registration is None:
            raise _protocol(0, f"Service not found: {init.service_name}")
        self._activation = _Activation(registration, init)


def _protocol(command_id: int, what: str) -> BrokenError:
    return BrokenError(command_id, f"Protocol error: {what}")


def _unexpected(command_id: int, error: Exception) -> BrokenError:
    return BrokenError(command_id, f"Value entity unexpected failure: {text(error)}")


class _Activation:
    """An entity in memory.

    Between commands its value is kept encoded, so that an object that a handler changed and did not store is forgotten.
    """

    def __init__(self, registration: Value, init: pb.ValueEntityInit) -> None:
        self._registration = registration
        self.entity_id = init.entity_id
        self._stored: any_pb2.Any | None = init.state.value if init.state.HasField("value") else None
        self._change: pb.ValueEntityAction | None = None
        # The decoded value that the command in hand sees.
        self._seen: list[Any] = []
        try:
            self._entity: Entity[Any] = registration.factory.make()
            self._entity.created(init.entity_id)
            # A value that cannot be read is reported now, not at some command.
            self.state()
        except Exception as error:
            raise _unexpected(0, error) from error

    def state(self) -> Any:
        if not self._seen:
            current = self._after(self._change)
            self._seen = [None if current is None else self._registration.values.decode(current)]
        return self._seen[0]

    def _after(self, change: pb.ValueEntityAction | None) -> any_pb2.Any | None:
        if change is None:
            return self._stored
        return change.update.value if change.HasField("update") else None

    def update(self, value: Any) -> None:
        encoded = self._registration.values.encode(value)
        self._change = pb.ValueEntityAction(update=pb.ValueEntityUpdate(value=encoded))
        self._seen = [value]

    def delete(self) -> None:
        self._change = pb.ValueEntityAction(delete=pb.ValueEntityDelete())
        self._seen = [None]

    async def run(self, command: entity_pb2.Command) -> pb.ValueEntityReply:
        method = self._check(command)
        self._change, self._seen = None, []
        context: Context[Any] = Context(self, Metadata.from_proto(command.metadata))
        try:
            handler = getattr(self._entity, method.handler)
            answer = await settle(handler(read(command, method), context))
            return self._succeed(command.id, answer, method)
        except Failure as failure:
            self._change = None
            return pb.ValueEntityReply(command_id=command.id, client_action=declined(command.id, failure))
        except Exception as error:
            raise _unexpected(command.id, error) from error
        finally:
            self._seen = []
            context._end()

    def _check(self, command: entity_pb2.Command) -> Method:
        if command.entity_id != self.entity_id:
            raise _protocol(command.id, "Receiving Value entity is not the intended recipient of command")
        if not command.HasField("payload"):
            raise _protocol(command.id, "No command payload for Value entity")
        method = self._registration.service.methods.get(command.name)
        if method is None:
            raise _protocol(command.id, f"Unknown command: {command.name}")
        return method

    def _succeed(self, command_id: int, answer: Any, method: Method) -> pb.ValueEntityReply:
        it = done(answer, method)
        if it.action is None:
            raise TypeError(f"No reply or forward returned by command handler! ({method.handler})")
        change, self._change = self._change, None
        self._stored = self._after(change)
        return pb.ValueEntityReply(
            command_id=command_id, client_action=it.action, side_effects=it.effects, state_action=change
        )
