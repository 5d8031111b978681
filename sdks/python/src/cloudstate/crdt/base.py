"""What all replicated types have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from google.protobuf import any_pb2

from cloudstate import crdt_pb2 as pb
from cloudstate.payload import decode, encode


class Crdt(ABC):
    """A replicated value, as the function sees it: plain, without clocks and nodes.

    Changes of a command are collected into one delta. The proxy, which has the real CRDT, merges it with what others
    did and sends back a delta for what is different then.
    """

    def __init__(self) -> None:
        self._notify: Callable[[], None] | None = None

    def _touch(self) -> None:
        """Tells the map that holds this, if one does, of a change."""
        if self._notify is not None:
            self._notify()

    @abstractmethod
    def _delta(self) -> pb.CrdtDelta | None:
        """Returns what has changed since the last `_settle`; `None` if nothing has."""

    @abstractmethod
    def _full(self) -> pb.CrdtDelta:
        """Returns the whole value as a delta from nothing."""

    @abstractmethod
    def _settle(self) -> None:
        """Takes the changes for sent."""

    @abstractmethod
    def _roll_back(self) -> None:
        """Undoes the changes since the last `_settle`."""

    @abstractmethod
    def _apply(self, delta: pb.CrdtDelta) -> None:
        """Applies a change from elsewhere. There are no changes of our own at the time."""

    def _initial(self) -> pb.CrdtDelta:
        """Returns what creates this as a new entry of a map."""
        return self._full()


class Element:
    """A value as sets and maps compare it: by type URL and bytes."""

    __slots__ = ("encoded", "key")

    def __init__(self, encoded: any_pb2.Any) -> None:
        self.encoded = encoded
        self.key = (encoded.type_url, encoded.value)

    @classmethod
    def of(cls, value: Any) -> Element:
        """Encodes a value.

        Raises:
            PayloadError: if its type cannot be stored.
        """
        return cls(encode(value))

    def value(self) -> Any:
        """Decodes it."""
        return decode(self.encoded)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Element) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def mismatch(crdt: Crdt, delta: pb.CrdtDelta) -> TypeError:
    """Returns the error for a delta that does not belong to the type."""
    kind = delta.WhichOneof("delta") or "nothing"
    return TypeError(f"a delta of {kind} does not fit {type(crdt).__name__}")
