"""What handlers and callbacks of CRDT entities work with."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from cloudstate import entity_pb2
from cloudstate.call import Call
from cloudstate.crdt.base import Crdt
from cloudstate.metadata import CloudEvent, Metadata
from cloudstate.reply import Answer

C = TypeVar("C", bound=Crdt)
C_co = TypeVar("C_co", bound=Crdt, covariant=True)
O = TypeVar("O")  # noqa: E741 - the output of a method, as everywhere


class WriteConsistency(enum.IntEnum):
    """How many nodes must have a change before the client is answered."""

    LOCAL = 0
    """This one."""
    MAJORITY = 1
    """More than half."""
    ALL = 2
    """All."""


class Holder(Protocol):
    """The activation behind a context."""

    entity_id: str

    @property
    def exists(self) -> bool:
        """Whether there is a state."""

    def current(self) -> Any:
        """Returns the state; creates it if there is none."""


class _Writing(Generic[C]):
    """A part of contexts in which the state may be changed."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._active = True
        self._deleted = False
        self.write_consistency = WriteConsistency.LOCAL
        """How many nodes must have this command's change before the client is answered."""

    @property
    def entity_id(self) -> str:
        """The entity id."""
        return self._holder.entity_id

    @property
    def state(self) -> C:
        """The state; it is created when it is first asked for. Change it by its methods; a failure undoes that.

        Raises:
            TypeError: if the replicated state is of another type than the entity's.
            RuntimeError: if the handler has answered already.
        """
        self._check()
        state: C = self._holder.current()
        return state

    @property
    def exists(self) -> bool:
        """Whether there is a state, without creating it."""
        return self._holder.exists

    def delete(self) -> None:
        """Deletes the entity, for good: the id can never be used again while the cluster lives.

        Raises:
            RuntimeError: if there is no state, or the handler has answered already.
        """
        self._check()
        if not self._holder.exists:
            raise RuntimeError(f"the entity {self.entity_id!r} cannot be deleted: it does not exist")
        self._deleted = True

    def _check(self) -> None:
        if not self._active:
            raise RuntimeError("this context is no longer active: its command has been answered")

    def _end(self) -> None:
        self._active = False


class Context(_Writing[C]):
    """What a handler works with. It is valid until the handler has answered."""

    def __init__(self, holder: Holder, metadata: Metadata, streamed: bool) -> None:
        super().__init__(holder)
        self._metadata = metadata
        self._streamed = streamed
        self._on_change: Callable[[ChangeContext[Any]], Any] | None = None
        self._on_cancel: Callable[[CancelContext[Any]], Awaitable[None] | None] | None = None

    @property
    def metadata(self) -> Metadata:
        """The caller's metadata. Empty behind a proxy that sends none to entities."""
        return self._metadata

    @property
    def cloud_event(self) -> CloudEvent | None:
        """The command as a CloudEvent, if it came from an event source."""
        return self._metadata.cloud_event


class StreamedContext(Context[C], Generic[C, O]):
    """The context of a method that streams its replies, of type `O`.

    The stream stays open after the handler's answer if it has set a callback, until the client leaves or a callback
    ends it.
    """

    @property
    def streamed(self) -> bool:
        """Whether the caller takes a stream. If not, callbacks are not called."""
        return self._streamed

    def on_change(self, callback: Callable[[ChangeContext[C]], Answer[O | None]]) -> None:
        """Has a function called whenever the state has changed, by whomever. What it returns goes to the client.

        `None` or `Reply.nothing()` sends nothing. A `Failure` ends the stream.
        """
        self._check()
        self._on_change = callback

    def on_cancel(self, callback: Callable[[CancelContext[C]], Awaitable[None] | None]) -> None:
        """Has a function called when the client has left. It may change the state."""
        self._check()
        self._on_cancel = callback


class ChangeContext(Generic[C_co]):
    """What a callback for changes works with. It must not change the state."""

    def __init__(self, holder: Holder) -> None:
        self._holder = holder
        self._ended = False

    @property
    def entity_id(self) -> str:
        """The entity id."""
        return self._holder.entity_id

    @property
    def state(self) -> C_co:
        """The state, to read."""
        state: C_co = self._holder.current()
        return state

    def end_stream(self) -> None:
        """Ends the stream, after the message that the callback returns."""
        self._ended = True


class CancelContext(_Writing[C]):
    """What a callback for a client that has left works with."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(holder)
        self._effects: list[entity_pb2.SideEffect] = []

    def effect(self, call: Call[Any], *, synchronous: bool = False) -> None:
        """Adds a side effect."""
        self._check()
        self._effects.append(call.to_effect(synchronous))
