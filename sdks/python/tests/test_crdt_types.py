"""The replicated types: what changes, what delta it gives, and that it can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cloudstate import PayloadError
from cloudstate import crdt_pb2 as pb
from cloudstate.crdt import Clock, Crdt, Flag, GCounter, GSet, LWWRegister, ORMap, ORSet, PNCounter, Vote
from cloudstate.crdt.collections import from_delta
from cloudstate.payload import decode, encode


def show(delta: pb.CrdtDelta | None) -> Any:
    """Writes a delta with decoded elements, so that tests can be read."""
    if delta is None:
        return None
    match delta.WhichOneof("delta"):
        case "gcounter":
            return delta.gcounter.increment
        case "pncounter":
            return delta.pncounter.change
        case "gset":
            return [decode(it) for it in delta.gset.added]
        case "orset":
            it = delta.orset
            return (it.cleared, [decode(x) for x in it.removed], [decode(x) for x in it.added])
        case "lwwregister":
            register = delta.lwwregister
            return (decode(register.value), Clock(register.clock).name, register.custom_clock_value)
        case "flag":
            return delta.flag.value
        case "vote":
            return (delta.vote.self_vote, delta.vote.votes_for, delta.vote.total_voters)
        case "ormap":
            change = delta.ormap
            entries = [[(decode(x.key), show(x.delta)) for x in part] for part in (change.updated, change.added)]
            return (change.cleared, [decode(x) for x in change.removed], *entries)


def sent(crdt: Crdt) -> Any:
    """What a command has changed; settles it, as the reply does."""
    delta = crdt._delta()
    crdt._settle()
    assert crdt._delta() is None, "everything was sent"
    return show(delta)


def test_counters_send_the_sum_of_changes() -> None:
    counter = GCounter()
    assert (counter.increment(42), sent(counter)) == (42, 42)
    assert [counter.increment(it) for it in (1, 2, 3)] == [43, 45, 48]
    assert (sent(counter), sent(counter)) == (6, None)
    both = PNCounter()
    both.increment(2)
    both.decrement(2)
    assert sent(both) is None, "net zero is no change"
    assert (both.decrement(5), sent(both)) == (-5, -5)


def test_counters_refuse_what_the_wire_does_not_hold() -> None:
    with pytest.raises(ValueError, match="only grows; it was told to grow by -1"):
        GCounter().increment(-1)
    for counter, by in ((GCounter(), 1 << 63), (PNCounter(), 1 << 63), (PNCounter(), -(1 << 63) - 1)):
        with pytest.raises(ValueError, match="in one command"):
            counter.increment(by)
        assert counter.value == 0


def test_a_grow_only_set_sends_new_elements_only() -> None:
    words: GSet[str] = GSet()
    for word in ("a", "b", "a"):
        words.add(word)
    assert sent(words) == ["a", "b"]
    words.add("b")
    assert sent(words) is None
    assert (list(words), len(words), "a" in words, "c" in words) == (["a", "b"], 2, True, False)


def set_of(*words: str) -> ORSet[str]:
    words_set: ORSet[str] = ORSet()
    for word in words:
        words_set.add(word)
    words_set._settle()
    return words_set


@pytest.mark.parametrize(
    ("before", "steps", "after", "delta"),
    [
        ("", "+a+b", "ab", (False, [], ["a", "b"])),
        ("ab", "+b+c", "abc", (False, [], ["c"])),
        ("abc", "-b-d", "ac", (False, ["b"], [])),
        ("ac", "-c-d+b+c", "abc", (False, [], ["b"])),
        ("abc", "*", "", (True, [], [])),
        ("", "+a*+x", "x", (True, [], ["x"])),
        ("abc", "*+a+b+c", "abc", (True, [], ["a", "b", "c"])),
        ("a", "-a", "", (True, [], [])),
        ("a", "-a+a", "a", (True, [], ["a"])),
        ("", "+a-a", "", (True, [], [])),
        ("a", "+b-b", "a", None),
        ("ab", "-a+a", "ab", None),
        ("", "*", "", None),
        ("ab", "-a*+b-b", "", (True, [], [])),
    ],
)
def test_an_observed_remove_set_sends_a_normalised_delta(before: str, steps: str, after: str, delta: Any) -> None:
    words = set_of(*before)

    def change() -> None:
        for step, word in zip(steps.replace("*", "*_")[::2], steps.replace("*", "*_")[1::2], strict=True):
            match step:
                case "+":
                    words.add(word)
                case "-":
                    words.remove(word)
                case _:
                    words.clear()

    change()
    assert sorted(words) == sorted(after)
    assert show(words._delta()) == delta
    words._roll_back()
    assert sorted(words) == sorted(before), "it can be undone"
    change()
    replica = set_of(*before)
    if (sent_delta := words._delta()) is not None:
        replica._apply(sent_delta)
    assert sorted(replica) == sorted(after), "it means the same elsewhere"


def test_a_register_is_a_change_when_it_is_new() -> None:
    register = LWWRegister("")
    assert sent(register) == ("", "DEFAULT", 0)
    register.set("one")
    assert sent(register) == ("one", "DEFAULT", 0)
    register.set("one")
    assert sent(register) is None
    register.set("one", Clock.REVERSE)
    assert sent(register) == ("one", "REVERSE", 0)
    register.set("one", Clock.CUSTOM_AUTO_INCREMENT, 456)
    assert sent(register) == ("one", "CUSTOM_AUTO_INCREMENT", 456)
    register.set("two", Clock.CUSTOM, 123)
    register.set("three")
    register._roll_back()
    assert register.value == "one"


def test_flags_and_votes() -> None:
    flag = Flag()
    flag.enable()
    flag.enable()
    assert (sent(flag), flag.enabled) == (True, True)
    flag.enable()
    assert sent(flag) is None
    vote = Vote()
    vote.vote(True)
    assert (vote.votes_for, vote.at_least_one, vote.majority, vote.unanimous) == (1, True, True, True)
    assert sent(vote) == (True, 0, 0)
    vote.vote(False)
    vote.vote(True)
    assert sent(vote) is None, "two changes of mind are none"
    vote._apply(pb.CrdtDelta(vote=pb.VoteDelta(self_vote=True, votes_for=2, total_voters=4)))
    assert (vote.voters, vote.majority, vote.at_least_one) == (4, False, True)


Map = ORMap[str, Any]


def test_a_map_sends_new_changed_and_removed_entries() -> None:
    entries: Map = ORMap()
    entries.get_or_create("n", PNCounter)
    entries.get_or_create("s", ORSet)
    assert sent(entries) == (False, [], [], [("n", 0), ("s", (False, [], []))])
    entries.get_or_create("s", ORSet)
    entries.get_or_create("r", lambda: LWWRegister("")).set("zero", Clock.REVERSE)
    assert sent(entries) == (False, [], [], [("r", ("zero", "REVERSE", 0))])
    entries["n"].increment(42)
    entries["r"].set("one")
    assert sent(entries) == (False, [], [("n", 42), ("r", ("one", "DEFAULT", 0))], [])
    entries["n"].increment(1)
    entries.remove("n")
    assert sent(entries) == (False, ["n"], [], [])
    entries.remove("r")
    entries.get_or_create("r", Flag).enable()
    assert sent(entries) == (False, ["r"], [], [("r", True)])
    entries.get_or_create("new", GCounter)
    entries.remove("new")
    assert sent(entries) is None
    entries.get_or_create("new", GCounter)
    entries.clear()
    entries.get_or_create("g", GCounter).increment(123)
    assert sent(entries) == (True, [], [], [("g", 123)])


def test_maps_nest() -> None:
    outer: ORMap[str, ORMap[str, PNCounter]] = ORMap()
    outer.get_or_create("m", ORMap[str, PNCounter]).get_or_create("n", PNCounter).increment(3)
    assert sent(outer) == (False, [], [], [("m", (False, [], [], [("n", 3)]))])
    outer["m"]["n"].increment(4)
    assert sent(outer) == (False, [], [("m", (False, [], [("n", 4)], []))], [])
    assert outer["m"]["n"].value == 7


def test_what_is_done_to_a_removed_entry_is_none_of_the_map() -> None:
    entries: Map = ORMap()
    counter = entries.get_or_create("n", PNCounter)
    entries._settle()
    entries.remove("n")
    counter.increment(5)
    assert sent(entries) == (False, ["n"], [], [])
    again = entries.get_or_create("n", PNCounter)
    entries._settle()
    entries._apply(pb.CrdtDelta(ormap=pb.ORMapDelta(removed=[encode("n")])))
    again.increment(5)
    assert sent(entries) is None


def test_an_entry_of_another_type_is_refused() -> None:
    entries: Map = ORMap()
    entries.get_or_create("n", PNCounter)
    with pytest.raises(TypeError, match="the entry 'n' is a PNCounter, not a GCounter"):
        entries.get_or_create("n", GCounter)


def test_a_map_takes_what_others_did() -> None:
    entries: Map = ORMap()
    entries.get_or_create("a", PNCounter).increment(1)
    entries.get_or_create("b", PNCounter).increment(2)
    entries._settle()
    five = pb.CrdtDelta(pncounter=pb.PNCounterDelta(change=5))
    updated = [pb.ORMapEntryDelta(key=encode(key), delta=five) for key in ("a", "gone")]
    added = [pb.ORMapEntryDelta(key=encode("b"), delta=five)]
    removed = [encode("c")]
    entries._apply(pb.CrdtDelta(ormap=pb.ORMapDelta(updated=updated, added=added, removed=removed)))
    assert {key: entry.value for key, entry in entries.items()} == {"a": 6, "b": 5}, "added replaces"
    assert sent(entries) is None
    entries["b"].increment(1)
    assert sent(entries) == (False, [], [("b", 1)], [])


def some_map() -> Map:
    entries: Map = ORMap()
    entries.get_or_create("n", PNCounter).increment(1)
    entries.get_or_create("s", ORSet[str]).add("x")
    entries.get_or_create("m", ORMap[str, Flag]).get_or_create("f", Flag)
    entries._settle()
    return entries


def change_some(entries: Map) -> None:
    entries["n"].increment(5)
    entries["s"].clear()
    entries["m"]["f"].enable()
    entries.get_or_create("new", GSet[int]).add(1)


def remove_some(entries: Map) -> None:
    change_some(entries)
    entries.remove("s")
    entries.get_or_create("s", ORSet[str]).add("y")
    entries.remove("m")


def clear_all(entries: Map) -> None:
    remove_some(entries)
    entries.clear()
    entries.get_or_create("n", PNCounter).increment(9)
    entries.clear()


@pytest.mark.parametrize("change", [change_some, remove_some, clear_all])
def test_all_changes_of_a_map_can_be_undone_and_mean_the_same_elsewhere(change: Callable[[Map], None]) -> None:
    entries = some_map()
    before = show(entries._full())
    change(entries)
    assert show(entries._full()) != before
    entries._roll_back()
    assert (show(entries._full()), entries._delta()) == (before, None)
    entries["n"].increment(2)
    assert sent(entries) == (False, [], [("n", 2)], []), "it still hears of its entries"
    entries["n"].decrement(2)
    entries._settle()
    change(entries)
    delta = entries._delta()
    assert delta is not None
    replica = some_map()
    replica._apply(delta)
    assert sorted(replica) == sorted(entries)


@pytest.mark.parametrize(
    "make",
    [GCounter, PNCounter, GSet, ORSet, Flag, ORMap, Vote, lambda: LWWRegister("x"), some_map, lambda: set_of("a")],
)
def test_the_whole_is_a_delta_from_nothing_and_others_do_not_fit(make: Callable[[], Crdt]) -> None:
    crdt = make()
    copy = from_delta(crdt._full())
    assert (type(copy), show(copy._full())) == (type(crdt), show(crdt._full()))
    assert copy._delta() is None
    wrong = pb.CrdtDelta(gcounter=pb.GCounterDelta()) if not isinstance(crdt, GCounter) else pb.CrdtDelta()
    with pytest.raises(TypeError, match=f"does not fit {type(crdt).__name__}"):
        crdt._apply(wrong)
    assert type(crdt).__name__ in repr(crdt)


def test_a_delta_of_no_type_is_refused() -> None:
    with pytest.raises(ValueError, match="no type"):
        from_delta(pb.CrdtDelta())


def test_elements_are_compared_by_their_encoded_form() -> None:
    mixed: ORSet[Any] = ORSet()
    for value in (1, 1.0, True, "1"):
        mixed.add(value)
    assert len(mixed) == 4
    mixed.remove(1.0)
    assert sorted(map(repr, mixed)) == ["'1'", "1", "True"]
    with pytest.raises(PayloadError, match="complex"):
        mixed.add(1j)
