"""Sets and maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from cloudstate import crdt_pb2 as pb
from cloudstate.crdt.base import Crdt, Element, mismatch
from cloudstate.crdt.scalars import Flag, GCounter, LWWRegister, PNCounter, Vote

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V", bound=Crdt)
W = TypeVar("W", bound=Crdt)


class GSet(Crdt, Generic[T]):
    """A set that only grows. Elements are compared by their encoded form."""

    def __init__(self) -> None:
        super().__init__()
        self._elements: dict[Element, T] = {}
        self._added: dict[Element, None] = {}

    def add(self, value: T) -> None:
        """Adds an element.

        Raises:
            PayloadError: if its type cannot be stored.
        """
        element = Element.of(value)
        if element not in self._elements:
            self._elements[element] = value
            self._added[element] = None
            self._touch()

    def __contains__(self, value: object) -> bool:
        return Element.of(value) in self._elements

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._elements.values()))

    def __len__(self) -> int:
        return len(self._elements)

    def _delta(self) -> pb.CrdtDelta | None:
        return _gset(self._added) if self._added else None

    def _full(self) -> pb.CrdtDelta:
        return _gset(self._elements)

    def _settle(self) -> None:
        self._added = {}

    def _roll_back(self) -> None:
        for element in self._added:
            del self._elements[element]
        self._added = {}

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("gset"):
            raise mismatch(self, delta)
        for element in map(Element, delta.gset.added):
            self._elements[element] = element.value()

    def __repr__(self) -> str:
        return f"GSet({list(self._elements.values())!r})"


def _gset(elements: Iterable[Element]) -> pb.CrdtDelta:
    return pb.CrdtDelta(gset=pb.GSetDelta(added=[element.encoded for element in elements]))


class ORSet(Crdt, Generic[T]):
    """A set. Of an addition and a removal at the same time, the addition wins."""

    def __init__(self) -> None:
        super().__init__()
        self._elements: dict[Element, T] = {}
        self._added: dict[Element, T] = {}
        self._removed: dict[Element, T] = {}
        # What was there before a `clear`, for undoing it.
        self._cleared: dict[Element, T] | None = None

    def add(self, value: T) -> None:
        """Adds an element.

        Raises:
            PayloadError: if its type cannot be stored.
        """
        element = Element.of(value)
        if element in self._elements:
            return
        self._elements[element] = value
        if element in self._removed:
            del self._removed[element]
        else:
            self._added[element] = value
        self._touch()

    def remove(self, value: T) -> None:
        """Removes an element, if it is there."""
        element = Element.of(value)
        if element not in self._elements:
            return
        if len(self._elements) == 1:
            self.clear()
            return
        removed = self._elements.pop(element)
        if element in self._added:
            del self._added[element]
        else:
            self._removed[element] = removed
        self._touch()

    def clear(self) -> None:
        """Removes all elements."""
        if not self._elements:
            return
        if self._cleared is None:
            self._cleared = self._before()
        self._elements, self._added, self._removed = {}, {}, {}
        self._touch()

    def _before(self) -> dict[Element, T]:
        """Returns the elements as they were before the command."""
        if self._cleared is not None:
            return self._cleared
        kept = {element: value for element, value in self._elements.items() if element not in self._added}
        return kept | self._removed

    def __contains__(self, value: object) -> bool:
        return Element.of(value) in self._elements

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._elements.values()))

    def __len__(self) -> int:
        return len(self._elements)

    def _delta(self) -> pb.CrdtDelta | None:
        if self._cleared is None and not self._added and not self._removed:
            return None
        change = pb.ORSetDelta(
            cleared=self._cleared is not None,
            removed=[element.encoded for element in self._removed],
            added=[element.encoded for element in self._added],
        )
        return pb.CrdtDelta(orset=change)

    def _full(self) -> pb.CrdtDelta:
        return pb.CrdtDelta(orset=pb.ORSetDelta(added=[element.encoded for element in self._elements]))

    def _settle(self) -> None:
        self._added, self._removed, self._cleared = {}, {}, None

    def _roll_back(self) -> None:
        if self._delta() is not None:
            self._elements = self._before()
            self._settle()

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("orset"):
            raise mismatch(self, delta)
        if delta.orset.cleared:
            self._elements = {}
        for element in map(Element, delta.orset.removed):
            self._elements.pop(element, None)
        for element in map(Element, delta.orset.added):
            self._elements[element] = element.value()

    def __repr__(self) -> str:
        return f"ORSet({list(self._elements.values())!r})"


class ORMap(Crdt, Generic[K, V]):
    """Keys with CRDTs. Of a change of an entry and its removal at the same time, the change wins."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[Element, V] = {}
        self._added: dict[Element, None] = {}
        self._changed: dict[Element, None] = {}
        self._removed: dict[Element, V] = {}
        # What was there before a `clear`, for undoing it.
        self._cleared: dict[Element, V] | None = None

    def get(self, key: K) -> V | None:
        """Returns an entry; `None` if there is none."""
        return self._entries.get(Element.of(key))

    def get_or_create(self, key: K, create: Callable[[], W]) -> W:
        """Returns an entry; creates it if there is none.

        Raises:
            PayloadError: if the key's type cannot be stored.
            TypeError: if there is an entry of another type.
        """
        element = Element.of(key)
        new: Any = create()
        found: Any = self._entries.get(element)
        if found is None:
            self._hold(element, new)
            self._added[element] = None
            self._touch()
            found = new
        elif not isinstance(found, type(new)):
            raise TypeError(f"the entry {key!r} is a {type(found).__name__}, not a {type(new).__name__}")
        entry: W = found
        return entry

    def remove(self, key: K) -> None:
        """Removes an entry, if it is there."""
        element = Element.of(key)
        entry = self._drop(element)
        if entry is None:
            return
        self._changed.pop(element, None)
        if element in self._added:
            del self._added[element]
        else:
            self._removed[element] = entry
        self._touch()

    def clear(self) -> None:
        """Removes all entries."""
        if not self._entries:
            return
        if self._cleared is None:
            self._cleared = self._before()
        self._drop_all()
        self._added, self._changed, self._removed = {}, {}, {}
        self._touch()

    def items(self) -> list[tuple[K, V]]:
        """Returns keys and entries."""
        return [(element.value(), entry) for element, entry in self._entries.items()]

    def __getitem__(self, key: K) -> V:
        return self._entries[Element.of(key)]

    def __contains__(self, key: object) -> bool:
        return Element.of(key) in self._entries

    def __iter__(self) -> Iterator[K]:
        return iter([element.value() for element in self._entries])

    def __len__(self) -> int:
        return len(self._entries)

    def _hold(self, element: Element, entry: V) -> None:
        def changed() -> None:
            self._changed[element] = None
            self._touch()

        entry._notify = changed
        self._entries[element] = entry

    def _drop(self, element: Element) -> V | None:
        entry = self._entries.pop(element, None)
        if entry is not None:
            # Somebody may still hold it; what he does to it is none of ours.
            entry._notify = None
        return entry

    def _drop_all(self) -> None:
        for element in list(self._entries):
            self._drop(element)

    def _before(self) -> dict[Element, V]:
        """Returns the entries that were there before the command; their own changes are still in them."""
        if self._cleared is not None:
            return self._cleared
        kept = {element: entry for element, entry in self._entries.items() if element not in self._added}
        return kept | self._removed

    def _updated(self) -> list[pb.ORMapEntryDelta]:
        changes = ((element, self._entries[element]._delta()) for element in self._changed)
        return [
            pb.ORMapEntryDelta(key=element.encoded, delta=delta)
            for element, delta in changes
            if element not in self._added and delta is not None
        ]

    def _delta(self) -> pb.CrdtDelta | None:
        change = pb.ORMapDelta(
            cleared=self._cleared is not None,
            removed=[element.encoded for element in self._removed],
            updated=self._updated(),
            added=[self._entry(element, self._entries[element]._initial()) for element in self._added],
        )
        return pb.CrdtDelta(ormap=change) if change.ByteSize() else None

    def _full(self) -> pb.CrdtDelta:
        added = [self._entry(element, entry._full()) for element, entry in self._entries.items()]
        return pb.CrdtDelta(ormap=pb.ORMapDelta(added=added))

    def _initial(self) -> pb.CrdtDelta:
        added = [self._entry(element, entry._initial()) for element, entry in self._entries.items()]
        return pb.CrdtDelta(ormap=pb.ORMapDelta(added=added))

    @staticmethod
    def _entry(element: Element, delta: pb.CrdtDelta) -> pb.ORMapEntryDelta:
        return pb.ORMapEntryDelta(key=element.encoded, delta=delta)

    def _settle(self) -> None:
        for element in (*self._changed, *self._added):
            self._entries[element]._settle()
        self._added, self._changed, self._removed, self._cleared = {}, {}, {}, None

    def _roll_back(self) -> None:
        if not (self._added or self._changed or self._removed or self._cleared):
            return
        before = self._before()
        self._drop_all()
        for element, entry in before.items():
            entry._roll_back()
            self._hold(element, entry)
        self._added, self._changed, self._removed, self._cleared = {}, {}, {}, None

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("ormap"):
            raise mismatch(self, delta)
        change = delta.ormap
        if change.cleared:
            self._drop_all()
        for element in map(Element, change.removed):
            self._drop(element)
        for updated in change.updated:
            entry = self._entries.get(Element(updated.key))
            # One that is not here any more was removed while the delta was on its way.
            if entry is not None:
                entry._apply(updated.delta)
        for added in change.added:
            created: Any = from_delta(added.delta)
            element = Element(added.key)
            self._drop(element)
            self._hold(element, created)

    def __repr__(self) -> str:
        return f"ORMap({dict(self.items())!r})"


_TYPES: dict[str, Callable[[], Crdt]] = {
    "gcounter": GCounter,
    "pncounter": PNCounter,
    "gset": GSet,
    "orset": ORSet,
    "flag": Flag,
    "ormap": ORMap,
    "vote": Vote,
}


def from_delta(delta: pb.CrdtDelta) -> Crdt:
    """Returns the value that a delta from nothing describes.

    Raises:
        ValueError: if the delta has no type.
    """
    kind = delta.WhichOneof("delta")
    if kind is None:
        raise ValueError("a delta of no type")
    if kind == "lwwregister":
        return LWWRegister._from(delta.lwwregister)
    created = _TYPES[kind]()
    created._apply(delta)
    return created
