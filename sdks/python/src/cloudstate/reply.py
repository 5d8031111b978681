"""What a handler of commands returns or raises."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeAlias, TypeVar

from cloudstate import entity_pb2
from cloudstate.call import Call
from cloudstate.metadata import Metadata

O_co = TypeVar("O_co", covariant=True)
T = TypeVar("T")

Effects = tuple[entity_pb2.SideEffect, ...]


@dataclass(frozen=True)
class Reply(Generic[O_co]):
    """A successful answer to a command: a message, or a forward to a command that answers in its place.

    The proxy makes the command's state change durable first, then runs the side effects in order, then answers the
    client. A handler without effects and metadata may return the bare message instead.
    """

    message: O_co | None
    metadata: Metadata = field(default_factory=Metadata)
    """Becomes headers for the client. A forward has metadata of its own (`Call.with_metadata`)."""
    effects: Effects = ()
    forwarded: Call[O_co] | None = None

    @classmethod
    def forward(cls, call: Call[O_co]) -> Reply[O_co]:
        """Lets another command answer. It must reply with the same type, which the type checker sees to."""
        return cls(None, forwarded=call)

    @classmethod
    def nothing(cls) -> Reply[O_co]:
        """Answers with no message at all.

        Only actions may, and CRDT entities: for example in a stream, where an input only has side effects. For other
        entities this is an error.
        """
        return cls(None)

    def with_metadata(self, metadata: Metadata) -> Reply[O_co]:
        """Returns this with metadata for the client."""
        return replace(self, metadata=metadata)

    def with_effect(self, call: Call[Any], *, synchronous: bool = False) -> Reply[O_co]:
        """Returns this with a side effect: a command that runs once this one is durable.

        The answer to the client waits for it only if it is synchronous. Its failure does not fail this command.
        """
        return replace(self, effects=(*self.effects, call.to_effect(synchronous)))


class Failure(Exception):  # noqa: N818 - it is an answer to the client, and the protocol's word for it
    """Declines a command when raised. The client gets the text; the state stays as it was before the command.

    For problems that are not the caller's raise anything else: the text then goes to the log, and the entity is loaded
    afresh.
    """

    def __init__(self, description: str, *, effects: Effects = ()) -> None:
        super().__init__(description)
        self.description = description
        self.effects = effects

    def with_effect(self, call: Call[Any], *, synchronous: bool = False) -> Failure:
        """Returns this with a side effect. Only actions keep it: a declined command of an entity has none."""
        return Failure(self.description, effects=(*self.effects, call.to_effect(synchronous)))


Answer: TypeAlias = T | Reply[T] | Awaitable[T | Reply[T]]
"""What a handler may return: the message or a `Reply`, at once or, as an `async def`, later."""
