from cloudstate import CrdtEntity, crdt_pb2
from cloudstate.testkit import CrdtTest, StreamTest
from presence.entity import PresenceEntity
from presence.proto.presence_cloudstate import Presence
from presence.proto.presence_pb2 import OnlineStatus, User

CONNECT = Presence.connect(User(name="ann"))
MONITOR = Presence.monitor(User(name="ann"))


def new_user() -> CrdtTest:
    return CrdtTest(CrdtEntity("presence", PresenceEntity))


def told(stream: StreamTest[OnlineStatus]) -> list[bool]:
    return [outcome.reply.online for outcome in stream.received()]


def elsewhere(votes_for: int) -> crdt_pb2.CrdtDelta:
    return crdt_pb2.CrdtDelta(vote=crdt_pb2.VoteDelta(votes_for=votes_for, total_voters=3))


def test_a_user_is_online_from_the_first_connection_to_the_last() -> None:
    user = new_user()
    monitor = user.listen(MONITOR)
    assert not monitor.outcome.reply.online
    connections = [user.listen(CONNECT) for _ in range(2)]
    assert all(it.is_open and it.outcome.is_nothing for it in connections)
    assert told(monitor) == [True]
    user.cancel(connections[0])
    assert told(monitor) == []
    user.cancel(connections[1])
    assert told(monitor) == [False]


def test_connections_to_other_nodes_count() -> None:
    user = new_user()
    monitor = user.listen(MONITOR)
    user.receive(elsewhere(1))
    user.receive(elsewhere(2))
    user.receive(elsewhere(0))
    assert told(monitor) == [True, False]


def test_who_comes_later_is_told_at_once() -> None:
    user = new_user()
    user.listen(CONNECT)
    assert user.listen(MONITOR).outcome.reply.online


def test_a_monitor_that_has_left_is_told_nothing() -> None:
    user = new_user()
    monitor = user.listen(MONITOR)
    user.cancel(monitor)
    user.listen(CONNECT)
    assert told(monitor) == []


def test_a_connection_needs_a_stream() -> None:
    assert "this call has none" in new_user().call(CONNECT).failure
