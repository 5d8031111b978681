"""What became of one command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from google.protobuf import any_pb2
from google.protobuf.message import Message

from cloudstate import entity_pb2
from cloudstate.metadata import Metadata
from cloudstate.payload import decode

O_co = TypeVar("O_co", covariant=True)

ENTITY_ID = "test-entity"
"""The entity id of tests that choose none."""


@dataclass(frozen=True)
class Outcome(Generic[O_co]):
    """The outcome of a command whose reply has type `O`.

    The properties that name one kind of outcome fail the test, with what became of the command, if it is of another.
    """

    action: entity_pb2.ClientAction | None = None
    """What the client is told."""
    effects: Sequence[entity_pb2.SideEffect] = ()
    """The side effects, in order."""
    crash: str | None = None
    """The text in the log of an entity that broke, if it did."""
    restarted: bool = False
    """Whether the entity is loaded afresh for the next command."""
    stored_events: Sequence[any_pb2.Any] = field(default=(), repr=False)
    stored_snapshot: any_pb2.Any | None = field(default=None, repr=False)
    updated_value: any_pb2.Any | None = field(default=None, repr=False)
    deleted: bool = False
    """Whether the state was deleted."""

    @property
    def reply(self) -> O_co:
        """The reply."""
        message: Any = decode(self._reply().payload)
        reply: O_co = message
        return reply

    @property
    def metadata(self) -> Metadata:
        """The metadata of the reply."""
        return Metadata.from_proto(self._reply().metadata)

    @property
    def forward(self) -> entity_pb2.Forward:
        """The forward that answers in place of a reply."""
        if self.action is None or not self.action.HasField("forward"):
            raise self._unlike("a forward")
        return self.action.forward

    @property
    def failure(self) -> str:
        """The text of the failure that the client sees."""
        if self.action is None or not self.action.HasField("failure"):
            raise self._unlike("a failure")
        return self.action.failure.description

    @property
    def crashed(self) -> str:
        """The text in the log of an entity that broke: it raised something unexpected, or violated the protocol."""
        if self.crash is None:
            raise self._unlike("a crash")
        return self.crash

    @property
    def is_nothing(self) -> bool:
        """Whether there is neither reply nor forward nor failure."""
        return self.crash is None and (self.action is None or self.action.WhichOneof("action") is None)

    @property
    def events(self) -> list[Any]:
        """The events that were stored, in order."""
        return [decode(event) for event in self.stored_events]

    @property
    def snapshot(self) -> Any:
        """The snapshot that was stored; `None` if there is none."""
        return None if self.stored_snapshot is None else decode(self.stored_snapshot)

    @property
    def updated(self) -> Any:
        """What a value entity's value was set to; `None` if it was not."""
        return None if self.updated_value is None else decode(self.updated_value)

    def _reply(self) -> entity_pb2.Reply:
        if self.action is None or not self.action.HasField("reply"):
            raise self._unlike("a reply")
        return self.action.reply

    def _unlike(self, expected: str) -> AssertionError:
        if self.crash is not None:
            actual = f"the entity broke: {self.crash}"
        elif self.action is None or self.action.WhichOneof("action") is None:
            actual = "there is none for the client"
        else:
            actual = f"it is {_short(self.action)}"
        return AssertionError(f"expected {expected} as outcome, but {actual}")


def _short(message: Message) -> str:
    return " ".join(str(message).split())


def only(outcomes: list[Outcome[O_co]]) -> Outcome[O_co]:
    """Returns the one outcome of a call that must have one."""
    if len(outcomes) != 1:
        raise AssertionError(f"expected one response, but got {len(outcomes)}")
    return outcomes[0]
