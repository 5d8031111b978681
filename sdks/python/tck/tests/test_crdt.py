"""The CRDT tests of the TCK's specification, with a proxy of our own: update, state, delta."""

from __future__ import annotations

from typing import Any

import pytest

from cloudstate import CrdtEntity, entity_pb2
from cloudstate import crdt_pb2 as pb
from cloudstate.crdt import Stream
from cloudstate.payload import decode, encode
from cloudstate.testkit import CrdtTest
from cloudstate_tck.crdt import Configured, Model, Two
from cloudstate_tck.proto.cloudstate.tck.model.crdt_cloudstate import CrdtTckModel, CrdtTwo
from cloudstate_tck.proto.cloudstate.tck.model.crdt_pb2 import (
    Delete,
    Effect,
    Fail,
    FlagUpdate,
    Forward,
    GCounterUpdate,
    GSetUpdate,
    LWWRegisterClock,
    LWWRegisterUpdate,
    ORMapEntryUpdate,
    ORMapUpdate,
    ORSetUpdate,
    PNCounterUpdate,
    PNCounterValue,
    Request,
    RequestAction,
    State,
    StreamedRequest,
    Update,
    VoteUpdate,
)


def grow(by: int) -> Update:
    return Update(gcounter=GCounterUpdate(increment=by))


def change(by: int, consistency: Any = "LOCAL") -> Update:
    return Update(pncounter=PNCounterUpdate(change=by), write_consistency=consistency)


def put(*words: str) -> list[Update]:
    return [Update(gset=GSetUpdate(add=word)) for word in words]


def add(*words: str) -> list[Update]:
    return [Update(orset=ORSetUpdate(add=word)) for word in words]


def remove(*words: str) -> list[Update]:
    return [Update(orset=ORSetUpdate(remove=word)) for word in words]


CLEAR = Update(orset=ORSetUpdate(clear=True))


def write(value: str, clock: Any = None, custom: int = 0) -> Update:
    how = LWWRegisterClock(clock_type=clock, custom_clock_value=custom) if clock else None
    return Update(lwwregister=LWWRegisterUpdate(value=value, clock=how))


ENABLE = Update(flag=FlagUpdate())


def map_add(*keys: str) -> list[Update]:
    return [Update(ormap=ORMapUpdate(add=key)) for key in keys]


def map_update(key: str, *updates: Update) -> list[Update]:
    return [Update(ormap=ORMapUpdate(update=ORMapEntryUpdate(key=key, update=update))) for update in updates]


def map_remove(*keys: str) -> list[Update]:
    return [Update(ormap=ORMapUpdate(remove=key)) for key in keys]


MAP_CLEAR = Update(ormap=ORMapUpdate(clear=True))


def vote(yes: bool) -> Update:
    return Update(vote=VoteUpdate(self_vote=yes))


def counted(by: int) -> pb.CrdtDelta:
    return pb.CrdtDelta(gcounter=pb.GCounterDelta(increment=by))


def changed(by: int) -> pb.CrdtDelta:
    return pb.CrdtDelta(pncounter=pb.PNCounterDelta(change=by))


def grown(*words: str) -> pb.CrdtDelta:
    return pb.CrdtDelta(gset=pb.GSetDelta(added=map(encode, words)))


def words(added: str = "", removed: str = "", cleared: bool = False) -> pb.CrdtDelta:
    return pb.CrdtDelta(orset=pb.ORSetDelta(added=map(encode, added), removed=map(encode, removed), cleared=cleared))


def written(value: str, **clock: Any) -> pb.CrdtDelta:
    return pb.CrdtDelta(lwwregister=pb.LWWRegisterDelta(value=encode(value), **clock))


def flagged(on: bool) -> pb.CrdtDelta:
    return pb.CrdtDelta(flag=pb.FlagDelta(value=on))


def votes(self_vote: bool, votes_for: int = 0, voters: int = 0) -> pb.CrdtDelta:
    return pb.CrdtDelta(vote=pb.VoteDelta(self_vote=self_vote, votes_for=votes_for, total_voters=voters))


def mapped(
    added: dict[str, pb.CrdtDelta] | None = None,
    updated: dict[str, pb.CrdtDelta] | None = None,
    removed: tuple[str, ...] = (),
    cleared: bool = False,
) -> pb.CrdtDelta:
    def entries(parts: dict[str, pb.CrdtDelta] | None) -> list[pb.ORMapEntryDelta]:
        return [pb.ORMapEntryDelta(key=encode(key), delta=delta) for key, delta in (parts or {}).items()]

    change = pb.ORMapDelta(
        added=entries(added), updated=entries(updated), removed=map(encode, removed), cleared=cleared
    )
    return pb.CrdtDelta(ormap=change)


def in_order(delta: pb.CrdtDelta) -> pb.CrdtDelta:
    """Sorts what has no order."""
    for elements in (delta.gset.added, delta.orset.added, delta.orset.removed, delta.ormap.removed):
        elements.sort(key=decode)
    for entries in (delta.ormap.added, delta.ormap.updated):
        for entry in entries:
            in_order(entry.delta)
        entries.sort(key=lambda entry: decode(entry.key))
    return delta


def plain(state: State) -> Any:
    kind = state.WhichOneof("value")
    assert kind is not None
    value = getattr(state, kind)
    match kind:
        case "gset" | "orset":
            return "".join(value.elements)
        case "ormap":
            return {entry.key: plain(entry.value) for entry in value.entries}
        case "vote":
            return (value.self_vote, value.votes_for, value.total_voters)
    return value.value


DELETE = object()


class Kit:
    """Plays the proxy for one entity."""

    def __init__(self, entity_id: str, delta: pb.CrdtDelta | None = None) -> None:
        self.stream = Stream({CrdtTckModel.NAME: CrdtEntity("model", Model)})
        self.entity_id = entity_id
        self.init = pb.CrdtInit(service_name=CrdtTckModel.NAME, entity_id=entity_id, delta=delta)
        self.started = False
        self.last = 0

    async def send(self, **message: Any) -> tuple[pb.CrdtStreamOut, ...]:
        if not self.started:
            self.started = True
            assert not (await self.stream.handle(pb.CrdtStreamIn(init=self.init))).out
        return (await self.stream.handle(pb.CrdtStreamIn(**message))).out

    async def deltas(self, *deltas: pb.CrdtDelta) -> None:
        for delta in deltas:
            assert not await self.send(delta=delta)

    async def process(self, *updates: Any) -> tuple[Any, pb.CrdtDelta | None]:
        """Returns the state of the response, and what was changed."""
        actions = [
            RequestAction(delete=Delete()) if update is DELETE else RequestAction(update=update) for update in updates
        ]
        self.last += 1
        payload = CrdtTckModel.process(Request(id=self.entity_id, actions=actions)).payload
        command = entity_pb2.Command(entity_id=self.entity_id, id=self.last, name="Process", payload=payload)
        (out,) = await self.send(command=command)
        message = decode(out.reply.client_action.reply.payload)
        action = out.reply.state_action
        if action.HasField("delete"):
            assert DELETE in updates
            return plain(message.state), None
        return plain(message.state), in_order(action.update) if out.reply.HasField("state_action") else None


@pytest.mark.parametrize(
    ("entity_id", "empty", "created"),
    [
        ("GCounter-1", 0, None),
        ("PNCounter-1", 0, None),
        ("GSet-1", "", None),
        ("ORSet-1", "", None),
        ("LWWRegister-1", "", written("")),
        ("Flag-1", False, None),
        ("ORMap-1", {}, None),
        ("Vote-1", (False, 0, 1), None),
    ],
)
async def test_initial_empty_state_and_delete_from_elsewhere(entity_id: str, empty: Any, created: Any) -> None:
    assert await Kit(entity_id).process() == (empty, created)
    assert await Kit(entity_id).send(delete=pb.CrdtDelete()) == ()


async def test_gcounter() -> None:
    kit = Kit("GCounter-1")
    assert await kit.process(grow(42)) == (42, counted(42))
    assert await kit.process(grow(1), grow(2), grow(3)) == (48, counted(6))
    assert await Kit("GCounter-2", counted(42)).process(grow(123)) == (165, counted(123))
    kit = Kit("GCounter-3")
    assert await kit.process(grow(1)) == (1, counted(1))
    await kit.deltas(counted(2), counted(3))
    assert await kit.process() == (6, None)
    assert await kit.process(grow(4)) == (10, counted(4))
    await kit.deltas(counted(5))
    assert await kit.process(grow(6)) == (21, counted(6))
    assert await kit.process(DELETE) == (21, None)


async def test_pncounter() -> None:
    kit = Kit("PNCounter-1")
    assert await kit.process(change(1), change(-2), change(3)) == (2, changed(2))
    assert await kit.process(change(-4), change(5), change(-6)) == (-3, changed(-5))
    kit = Kit("PNCounter-2")
    assert await kit.process() == (0, None)
    await kit.deltas(changed(-42))
    assert await kit.process(change(123)) == (81, changed(123))
    await kit.deltas(changed(5))
    assert await kit.process(change(-6)) == (80, changed(-6))


async def test_gset() -> None:
    kit = Kit("GSet-1")
    assert await kit.process(*put("a", "b")) == ("ab", grown("a", "b"))
    assert await kit.process(*put("b", "c")) == ("abc", grown("c"))
    assert await kit.process(*put("c", "a")) == ("abc", None)
    await kit.deltas(grown("f"))
    assert await kit.process(*put("g", "d", "b")) == ("abcdfg", grown("d", "g"))


async def test_orset() -> None:
    kit = Kit("ORSet-1")
    assert await kit.process(*add("a", "b")) == ("ab", words("ab"))
    assert await kit.process(*add("b", "c")) == ("abc", words("c"))
    assert await kit.process(*add("c", "a")) == ("abc", None)
    assert await kit.process(*remove("b", "d")) == ("ac", words(removed="b"))
    assert await kit.process(*remove("c", "d"), *add("b", "c")) == ("abc", words("b"))
    assert await kit.process(CLEAR) == ("", words(cleared=True))
    assert await kit.process(*add("a"), CLEAR, *add("x")) == ("x", words("x", cleared=True))
    kit = Kit("ORSet-2", words("abc"))
    assert await kit.process(*remove("c"), *add("d")) == ("abd", words("d", "c"))
    kit = Kit("ORSet-3")
    assert await kit.process(*add("a")) == ("a", words("a"))
    await kit.deltas(words("b"), words("cd"), words(removed="bd"))
    assert await kit.process() == ("ac", None)
    assert await kit.process(*add("c", "d", "e")) == ("acde", words("de"))
    await kit.deltas(words("f", "ac"))
    assert await kit.process(*add("g"), *remove("a", "d")) == ("efg", words("g", "d"))
    await kit.deltas(words("xyz", cleared=True))
    assert await kit.process(*add("q", "x"), *remove("z")) == ("qxy", words("q", "z"))
    await kit.deltas(words("rp", "xy"))
    assert await kit.process(*add("s")) == ("pqrs", words("s"))
    await kit.deltas(words("abc"))
    assert await kit.process(CLEAR, *add("a", "b", "c")) == ("abc", words("abc", cleared=True))


async def test_lwwregister() -> None:
    kit = Kit("LWWRegister-1")
    assert await kit.process(write("A", "REVERSE")) == ("A", written("A", clock="REVERSE"))
    custom = written("A", clock="CUSTOM", custom_clock_value=123)
    assert await kit.process(write("A", "CUSTOM", 123)) == ("A", custom)
    increment = written("A", clock="CUSTOM_AUTO_INCREMENT", custom_clock_value=456)
    assert await kit.process(write("A", "CUSTOM_AUTO_INCREMENT", 456)) == ("A", increment)
    assert await Kit("LWWRegister-2", written("one")).process() == ("one", None)
    kit = Kit("LWWRegister-3")
    await kit.deltas(written("one"))
    assert await kit.process() == ("one", None)
    assert await kit.process(write("D")) == ("D", written("D"))
    await kit.deltas(written("D"))
    assert await kit.process(write("E")) == ("E", written("E"))


async def test_flag() -> None:
    kit = Kit("Flag-1")
    await kit.deltas(flagged(False))
    assert await kit.process() == (False, None)
    assert await kit.process(ENABLE) == (True, flagged(True))
    await kit.deltas(flagged(True), flagged(False))
    assert await kit.process(ENABLE) == (True, None)
    assert await Kit("Flag-2", flagged(True)).process() == (True, None)


async def test_vote() -> None:
    kit = Kit("Vote-1")
    assert await kit.process(vote(True)) == ((True, 1, 1), votes(True))
    assert await kit.process(vote(True)) == ((True, 1, 1), None)
    assert await kit.process(vote(False)) == ((False, 0, 1), votes(False))
    kit = Kit("Vote-2", votes(True, 2, 3))
    assert await kit.process(vote(False)) == ((False, 1, 3), votes(False))
    kit = Kit("Vote-3")
    assert await kit.process() == ((False, 0, 1), None)
    await kit.deltas(votes(False, 2, 4))
    assert await kit.process(vote(True)) == ((True, 3, 4), votes(True))
    await kit.deltas(votes(True, 5, 7), votes(True, 4, 6))
    assert await kit.process(vote(False)) == ((False, 3, 6), votes(False))


async def test_ormap_state_changes() -> None:
    kit = Kit("ORMap-1")
    both = mapped({"ORSet-1": words(), "PNCounter-1": changed(0)})
    assert await kit.process(*map_add("PNCounter-1", "ORSet-1")) == ({"ORSet-1": "", "PNCounter-1": 0}, in_order(both))
    state, delta = await kit.process(*map_add("ORSet-1"), *map_update("LWWRegister-1", write("zero")))
    assert (state["LWWRegister-1"], delta) == ("zero", mapped({"LWWRegister-1": written("zero")}))
    _, delta = await kit.process(*map_update("PNCounter-1", change(42)), *map_update("LWWRegister-1", write("one")))
    assert delta == mapped(updated={"LWWRegister-1": written("one"), "PNCounter-1": changed(42)})
    _, delta = await kit.process(*map_update("ORSet-1", *add("a", "b", "c")))
    assert delta == mapped(updated={"ORSet-1": words("abc")})
    _, delta = await kit.process(*map_remove("ORSet-1"))
    assert delta == mapped(removed=("ORSet-1",))
    _, delta = await kit.process(*map_remove("LWWRegister-1"), *map_update("Flag-1", ENABLE))
    assert delta == mapped({"Flag-1": flagged(True)}, removed=("LWWRegister-1",))
    assert await kit.process(MAP_CLEAR) == ({}, mapped(cleared=True))
    updates = (*map_add("PNCounter-2"), MAP_CLEAR, *map_update("GCounter-1", grow(123)))
    assert await kit.process(*updates) == ({"GCounter-1": 123}, mapped({"GCounter-1": counted(123)}, cleared=True))


async def test_ormap_local_and_replicated_changes() -> None:
    kit = Kit("ORMap-2")
    assert await kit.process(*map_add("PNCounter-1")) == ({"PNCounter-1": 0}, mapped({"PNCounter-1": changed(0)}))
    await kit.deltas(
        mapped({"ORSet-1": words("x")}),
        mapped({"LWWRegister-1": written("one")}, {"ORSet-1": words("yz")}),
    )
    state, delta = await kit.process(*map_add("ORSet-2"), *map_update("LWWRegister-2", write("two")))
    assert state == {"LWWRegister-1": "one", "LWWRegister-2": "two", "ORSet-1": "xyz", "ORSet-2": "", "PNCounter-1": 0}
    assert delta == mapped({"LWWRegister-2": written("two"), "ORSet-2": words()})
    await kit.deltas(
        mapped({"ORMap-1": mapped({"PNCounter-1": changed(123)})}, removed=("LWWRegister-2",)),
        mapped(
            updated={"ORSet-2": words("abc"), "ORMap-1": mapped({"LWWRegister-1": written("ABC")})},
            removed=("ORSet-1",),
        ),
    )
    state, delta = await kit.process(*map_update("ORMap-1", *map_update("PNCounter-1", change(-456))))
    assert delta == mapped(updated={"ORMap-1": mapped(updated={"PNCounter-1": changed(-456)})})
    assert state["ORMap-1"] == {"LWWRegister-1": "ABC", "PNCounter-1": -333}
    await kit.deltas(mapped({"GSet-1": grown("1", "2")}, cleared=True))
    _, delta = await kit.process(
        *map_remove("PNCounter-1", "LWWRegister-1"), *map_update("GSet-1", *put("2", "4", "6"))
    )
    assert delta == mapped(updated={"GSet-1": grown("4", "6")})
    _, delta = await kit.process(MAP_CLEAR, *map_add("GCounter-1"))
    assert delta == mapped({"GCounter-1": counted(0)}, cleared=True)
    await kit.deltas(mapped({"GCounter-1": counted(42)}, removed=("GSet-1",)))
    updates = map_update("GCounter-1", grow(7))
    assert await kit.process(*updates) == ({"GCounter-1": 49}, mapped(updated={"GCounter-1": counted(7)}))


def model(entity_id: str) -> CrdtTest:
    return CrdtTest(CrdtEntity("model", Model), entity_id=entity_id)


def process(*actions: RequestAction) -> Any:
    return CrdtTckModel.process(Request(actions=actions))


def test_forwards_effects_and_failures() -> None:
    test = model("PNCounter-1")
    effect = RequestAction(effect=Effect(id="X", synchronous=True))
    outcome = test.call(process(RequestAction(update=change(-42)), RequestAction(forward=Forward(id="X")), effect))
    assert (outcome.forward.service_name, outcome.forward.command_name) == (CrdtTwo.NAME, "Call")
    assert ([it.synchronous for it in outcome.effects], test.last_change is not None) == ([True], True)
    outcome = test.call(process(RequestAction(update=change(1)), effect, RequestAction(fail=Fail(message="no"))))
    assert (outcome.failure, outcome.effects, test.last_change) == ("no", [], None)
    assert test.call(process()).reply.state.pncounter.value == -42
    test.call(process(RequestAction(update=change(1, "ALL"))))
    assert test.consistency.name == "ALL"


def test_streams() -> None:
    test = model("PNCounter-1")
    watch = CrdtTckModel.process_streamed
    effects = [Effect(id="e"), Effect(id="s", synchronous=True)]
    plain_stream = test.listen(watch(StreamedRequest(effects=effects)))
    ending = test.listen(watch(StreamedRequest(end_state=State(pncounter=PNCounterValue(value=3)))))
    leaving = test.listen(watch(StreamedRequest(cancel_update=change(-42), empty=True)))
    assert (plain_stream.outcome.effects, leaving.outcome.is_nothing, leaving.is_open) == ([], True, True)
    for by in (1, 2, 3):
        test.call(process(RequestAction(update=change(by))))
    received = plain_stream.received()
    assert [it.reply.state.pncounter.value for it in received] == [1, 3, 6]
    assert [it.synchronous for it in received[0].effects] == [False, True]
    assert ([it.reply.state.pncounter.value for it in ending.received()], ending.is_open) == ([1, 3], False)
    test.cancel(leaving)
    assert leaving.received() == []
    assert [it.reply.state.pncounter.value for it in plain_stream.received()] == [-36]
    started = test.listen(watch(StreamedRequest(initial_update=change(6))))
    assert started.outcome.reply.state.pncounter.value == -30


def test_the_second_service_is_deleted_and_never_changed() -> None:
    test = CrdtTest(CrdtEntity("two", Two), entity_id="LWWRegister-1")
    assert (test.call(CrdtTwo.call(Request())).deleted, test.last_change) == (False, None)
    assert test.call(CrdtTwo.call(Request(actions=[RequestAction(delete=Delete())]))).deleted
    assert CrdtEntity("configured", Configured).service.simple_name == "CrdtConfigured"
