"""Counters, flags, votes and registers."""

from __future__ import annotations

import enum
from typing import Any, Generic, TypeVar

from cloudstate import crdt_pb2 as pb
from cloudstate.crdt.base import Crdt, Element, mismatch

T = TypeVar("T")

_LIMIT = 1 << 63


class GCounter(Crdt):
    """A number that only grows."""

    def __init__(self) -> None:
        super().__init__()
        self._value = 0
        self._change = 0

    @property
    def value(self) -> int:
        """The sum of all increments, everywhere."""
        return self._value

    def increment(self, by: int = 1) -> int:
        """Adds, and returns the new value.

        Raises:
            ValueError: if the number is negative, or the command adds more than 2⁶³ - 1.
        """
        if by < 0:
            raise ValueError(f"a GCounter only grows; it was told to grow by {by}")
        if self._change + by >= _LIMIT:
            raise ValueError("a GCounter cannot grow by more than 2^63 - 1 in one command")
        self._change += by
        self._value += by
        self._touch()
        return self._value

    def _delta(self) -> pb.CrdtDelta | None:
        return pb.CrdtDelta(gcounter=pb.GCounterDelta(increment=self._change)) if self._change else None

    def _full(self) -> pb.CrdtDelta:
        return pb.CrdtDelta(gcounter=pb.GCounterDelta(increment=self._value))

    def _settle(self) -> None:
        self._change = 0

    def _roll_back(self) -> None:
        self._value -= self._change
        self._change = 0

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("gcounter"):
            raise mismatch(self, delta)
        self._value += delta.gcounter.increment

    def __repr__(self) -> str:
        return f"GCounter({self._value})"


class PNCounter(Crdt):
    """A number."""

    def __init__(self) -> None:
        super().__init__()
        self._value = 0
        self._change = 0

    @property
    def value(self) -> int:
        """The sum of all changes, everywhere."""
        return self._value

    def increment(self, by: int = 1) -> int:
        """Adds, and returns the new value. The number may be negative.

        Raises:
            ValueError: if the command changes more than 64 bits hold.
        """
        if not -_LIMIT <= self._change + by < _LIMIT:
            raise ValueError("a PNCounter cannot change by more than 64 bits hold in one command")
        self._change += by
        self._value += by
        self._touch()
        return self._value

    def decrement(self, by: int = 1) -> int:
        """Subtracts, and returns the new value.

        Raises:
            ValueError: if the command changes more than 64 bits hold.
        """
        return self.increment(-by)

    def _delta(self) -> pb.CrdtDelta | None:
        return pb.CrdtDelta(pncounter=pb.PNCounterDelta(change=self._change)) if self._change else None

    def _full(self) -> pb.CrdtDelta:
        return pb.CrdtDelta(pncounter=pb.PNCounterDelta(change=self._value))

    def _settle(self) -> None:
        self._change = 0

    def _roll_back(self) -> None:
        self._value -= self._change
        self._change = 0

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("pncounter"):
            raise mismatch(self, delta)
        self._value += delta.pncounter.change

    def __repr__(self) -> str:
        return f"PNCounter({self._value})"


class Flag(Crdt):
    """Off or on. On is final."""

    def __init__(self) -> None:
        super().__init__()
        self._value = False
        self._changed = False

    @property
    def enabled(self) -> bool:
        """Whether somebody has switched it on, anywhere."""
        return self._value

    def enable(self) -> None:
        """Switches it on."""
        if not self._value:
            self._value = self._changed = True
            self._touch()

    def _delta(self) -> pb.CrdtDelta | None:
        return self._full() if self._changed else None

    def _full(self) -> pb.CrdtDelta:
        return pb.CrdtDelta(flag=pb.FlagDelta(value=self._value))

    def _settle(self) -> None:
        self._changed = False

    def _roll_back(self) -> None:
        if self._changed:
            self._value = self._changed = False

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("flag"):
            raise mismatch(self, delta)
        self._value = self._value or delta.flag.value

    def __repr__(self) -> str:
        return f"Flag({self._value})"


class Vote(Crdt):
    """One yes or no for each node."""

    def __init__(self) -> None:
        super().__init__()
        self._self_vote = False
        self._votes_for = 0
        self._voters = 1
        # What the proxy knows.
        self._known = False

    @property
    def self_vote(self) -> bool:
        """The vote of this node."""
        return self._self_vote

    @property
    def votes_for(self) -> int:
        """How many nodes vote yes."""
        return self._votes_for

    @property
    def voters(self) -> int:
        """How many nodes there are."""
        return self._voters

    @property
    def at_least_one(self) -> bool:
        """Whether some node votes yes."""
        return self._votes_for > 0

    @property
    def majority(self) -> bool:
        """Whether more than half of the nodes vote yes."""
        return self._votes_for > self._voters // 2

    @property
    def unanimous(self) -> bool:
        """Whether all nodes vote yes."""
        return self._votes_for == self._voters

    def vote(self, yes: bool) -> None:
        """Votes for this node."""
        if yes != self._self_vote:
            self._self_vote = yes
            self._votes_for += 1 if yes else -1
            self._touch()

    def _delta(self) -> pb.CrdtDelta | None:
        return self._initial() if self._self_vote != self._known else None

    def _full(self) -> pb.CrdtDelta:
        whole = pb.VoteDelta(self_vote=self._self_vote, votes_for=self._votes_for, total_voters=self._voters)
        return pb.CrdtDelta(vote=whole)

    def _initial(self) -> pb.CrdtDelta:
        return pb.CrdtDelta(vote=pb.VoteDelta(self_vote=self._self_vote))

    def _settle(self) -> None:
        self._known = self._self_vote

    def _roll_back(self) -> None:
        self.vote(self._known)

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("vote"):
            raise mismatch(self, delta)
        self._self_vote = self._known = delta.vote.self_vote
        self._votes_for = delta.vote.votes_for
        self._voters = delta.vote.total_voters

    def __repr__(self) -> str:
        return f"Vote({self._self_vote}, {self._votes_for} of {self._voters})"


class Clock(enum.IntEnum):
    """Where the timestamp of a write comes from. The latest write wins."""

    DEFAULT = 0
    """The wall clock: the last write wins."""
    REVERSE = 1
    """The negated wall clock: the first write wins."""
    CUSTOM = 2
    """A number that you give."""
    CUSTOM_AUTO_INCREMENT = 3
    """A number that you give, but later than the write that it has seen."""


class LWWRegister(Crdt, Generic[T]):
    """One value; of writes at the same time, one wins."""

    def __init__(self, initial: T) -> None:
        super().__init__()
        self._element = Element.of(initial)
        self._before: Element | None = None
        # A new register has a value that nobody else knows.
        self._write: pb.LWWRegisterDelta | None = pb.LWWRegisterDelta(value=self._element.encoded)

    @classmethod
    def _from(cls, delta: pb.LWWRegisterDelta) -> LWWRegister[Any]:
        register: LWWRegister[Any] = cls.__new__(cls)
        Crdt.__init__(register)
        register._element = Element(delta.value)
        register._before = register._write = None
        return register

    @property
    def value(self) -> T:
        """The value."""
        value: T = self._element.value()
        return value

    def set(self, value: T, clock: Clock = Clock.DEFAULT, custom_clock_value: int = 0) -> None:
        """Writes a value. Without a clock of its own, writing what is there already changes nothing.

        Raises:
            PayloadError: if the value's type cannot be stored.
        """
        element = Element.of(value)
        if element == self._element and clock == Clock.DEFAULT:
            return
        if self._before is None:
            self._before = self._element
        self._element = element
        self._write = pb.LWWRegisterDelta(
            value=element.encoded,
            clock=clock.name,
            custom_clock_value=custom_clock_value,
        )
        self._touch()

    def _delta(self) -> pb.CrdtDelta | None:
        return None if self._write is None else pb.CrdtDelta(lwwregister=self._write)

    def _full(self) -> pb.CrdtDelta:
        return pb.CrdtDelta(lwwregister=pb.LWWRegisterDelta(value=self._element.encoded))

    def _initial(self) -> pb.CrdtDelta:
        return self._delta() or self._full()

    def _settle(self) -> None:
        self._before = self._write = None

    def _roll_back(self) -> None:
        if self._before is not None:
            self._element = self._before
        self._settle()

    def _apply(self, delta: pb.CrdtDelta) -> None:
        if not delta.HasField("lwwregister"):
            raise mismatch(self, delta)
        self._element = Element(delta.lwwregister.value)
        self._settle()

    def __repr__(self) -> str:
        return f"LWWRegister({self.value!r})"
