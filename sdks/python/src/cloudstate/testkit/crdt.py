"""One CRDT entity, and what the other nodes do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from cloudstate import crdt_pb2 as pb
from cloudstate import entity_pb2
from cloudstate.call import Call
from cloudstate.crdt import Crdt, CrdtEntity, Stream, WriteConsistency
from cloudstate.crdt.collections import from_delta
from cloudstate.function import UserFunction
from cloudstate.testkit.outcome import ENTITY_ID, Outcome

O = TypeVar("O")  # noqa: E741 - the output of a method, as everywhere
C = TypeVar("C", bound=Crdt)


class StreamTest(Generic[O]):
    """A client that listens to a stream."""

    def __init__(self, command_id: int, outcome: Outcome[O], is_open: bool) -> None:
        self.command_id = command_id
        self.outcome = outcome
        """The outcome of the command that asked for the stream."""
        self.is_open = is_open
        """Whether more may come."""
        self._received: list[Outcome[O]] = []

    def received(self) -> list[Outcome[O]]:
        """Returns what was streamed since this was last asked, without the first outcome."""
        received, self._received = self._received, []
        return received

    def _take(self, message: pb.CrdtStreamedMessage) -> None:
        action = message.client_action if message.HasField("client_action") else None
        self.is_open = not message.end_stream
        self._received.append(Outcome(action, message.side_effects))


class CrdtTest:
    """A CRDT entity under test, on a node of its own, with the replica that the proxy would have.

    Args:
        registration: the entity, as the function registers it.
        entity_id: its id.
        state: what other nodes have made of it before the test.

    Raises:
        DeclarationError: if the registration cannot be served.
    """

    def __init__(self, registration: CrdtEntity, *, entity_id: str = ENTITY_ID, state: Crdt | None = None) -> None:
        self._services = UserFunction("test", "0").add(registration).declare().crdt
        self._service = registration.service.name
        self._entity_id = entity_id
        self._replica = None if state is None else from_delta(state._full())
        self._stream: Stream | None = None
        self._listeners: dict[int, StreamTest[Any]] = {}
        self._last_command = 0
        self.last_change: pb.CrdtStateAction | None = None
        """What the last command, or the last cancelled stream, did to the state; `None` if nothing."""

    @property
    def state(self) -> Crdt | None:
        """What all nodes have, after all that has happened; `None` if the entity does not exist."""
        return None if self._replica is None else from_delta(self._replica._full())

    @property
    def consistency(self) -> WriteConsistency:
        """How many nodes must have the last change before the client is answered."""
        return WriteConsistency(0 if self.last_change is None else self.last_change.write_consistency)

    def call(self, call: Call[O]) -> Outcome[O]:
        """Sends a command, loading the entity first if it is not in memory, and replicates what comes out."""
        return asyncio.run(self.call_async(call))

    async def call_async(self, call: Call[O]) -> Outcome[O]:
        """Sends a command from within an event loop; otherwise like `call`."""
        return (await self._send(call, streamed=False)).outcome

    def listen(self, call: Call[O]) -> StreamTest[O]:
        """Sends a command of a method that streams its replies."""
        return asyncio.run(self.listen_async(call))

    async def listen_async(self, call: Call[O]) -> StreamTest[O]:
        """Sends a command from within an event loop; otherwise like `listen`."""
        return await self._send(call, streamed=True)

    def cancel(self, stream: StreamTest[Any]) -> None:
        """Lets the client of a stream leave."""
        asyncio.run(self.cancel_async(stream))

    async def cancel_async(self, stream: StreamTest[Any]) -> None:
        """Lets the client leave from within an event loop; otherwise like `cancel`."""
        stream.is_open = False
        self._listeners.pop(stream.command_id, None)
        cancelled = entity_pb2.StreamCancelled(entity_id=self._entity_id, id=stream.command_id)
        first, *others = await self._exchange(pb.CrdtStreamIn(stream_cancelled=cancelled))
        assert first.HasField("stream_cancelled_response"), "the answer comes before all else"
        self._replicate(first.stream_cancelled_response)
        self._deliver(others)

    def change_elsewhere(self, kind: type[C], change: Callable[[C], object]) -> None:
        """Changes the entity on another node; `kind` is what it is created as if it does not exist.

        Votes of other nodes cannot be made so; see `receive`.
        """
        asyncio.run(self.change_elsewhere_async(kind, change))

    async def change_elsewhere_async(self, kind: type[C], change: Callable[[C], object]) -> None:
        """Changes the entity from within an event loop; otherwise like `change_elsewhere`."""
        created = self._replica is None
        replica = kind() if self._replica is None else self._replica
        if not isinstance(replica, kind):
            raise TypeError(f"the entity is a {type(replica).__name__}, not a {kind.__name__}")
        change(replica)
        delta = replica._full() if created else replica._delta()
        if delta is None:
            return
        replica._settle()
        self._replica = replica
        await self._inform(delta)

    def receive(self, delta: pb.CrdtDelta) -> None:
        """Lets a change from other nodes arrive, in the protocol's form."""
        asyncio.run(self.receive_async(delta))

    async def receive_async(self, delta: pb.CrdtDelta) -> None:
        """Lets a change arrive from within an event loop; otherwise like `receive`."""
        if self._replica is None:
            self._replica = from_delta(delta)
        else:
            self._replica._apply(delta)
        await self._inform(delta)

    def restart(self) -> None:
        """Takes the entity out of memory, as passivation or a crash does. Streams are gone; replicas are not."""
        self._stream = None
        self._listeners.clear()
        self._last_command = 0

    async def _inform(self, delta: pb.CrdtDelta) -> None:
        """Tells the function of a change elsewhere. An entity that is not in memory learns of it when it is loaded."""
        if self._stream is not None:
            self._deliver(await self._exchange(pb.CrdtStreamIn(delta=delta)))

    async def _send(self, call: Call[O], *, streamed: bool) -> StreamTest[O]:
        self._last_command += 1
        command = entity_pb2.Command(
            entity_id=self._entity_id,
            id=self._last_command,
            name=call.command,
            payload=call.payload,
            streamed=streamed,
            metadata=call.metadata.to_proto(),
        )
        first, *others = await self._exchange(pb.CrdtStreamIn(command=command))
        if first.HasField("failure"):
            return StreamTest(command.id, Outcome(crash=first.failure.description), False)
        reply = first.reply
        self._replicate(reply)
        action = reply.client_action if reply.HasField("client_action") else None
        outcome: Outcome[O] = Outcome(action, reply.side_effects, deleted=reply.state_action.HasField("delete"))
        stream = StreamTest(command.id, outcome, reply.streamed)
        if reply.streamed:
            self._listeners[command.id] = stream
        self._deliver(others)
        return stream

    async def _exchange(self, message: pb.CrdtStreamIn) -> tuple[pb.CrdtStreamOut, ...]:
        if self._stream is None:
            self._stream = Stream(self._services)
            full = None if self._replica is None else self._replica._full()
            init = pb.CrdtInit(service_name=self._service, entity_id=self._entity_id, delta=full)
            loaded = await self._stream.handle(pb.CrdtStreamIn(init=init))
            if loaded.end:
                self.restart()
                return loaded.out
        step = await self._stream.handle(message)
        if step.end:
            self.restart()
        return step.out

    def _replicate(self, answer: pb.CrdtReply | pb.CrdtStreamCancelledResponse) -> None:
        """Does what the proxy does with a state action."""
        self.last_change = answer.state_action if answer.HasField("state_action") else None
        if answer.state_action.HasField("delete"):
            self._replica = None
            # The proxy closes the streams of an entity that is gone.
            for listener in self._listeners.values():
                listener.is_open = False
            self.restart()
        elif answer.state_action.HasField("update"):
            update = answer.state_action.update
            if self._replica is None:
                self._replica = from_delta(_with_totals(update))
            else:
                self._replica._apply(_with_totals(update, self._replica))

    def _deliver(self, messages: tuple[pb.CrdtStreamOut, ...] | list[pb.CrdtStreamOut]) -> None:
        for out in messages:
            if out.HasField("failure"):
                raise AssertionError(f"the entity broke: {out.failure.description}")
            listener = self._listeners[out.streamed_message.command_id]
            listener._take(out.streamed_message)
            if not listener.is_open:
                del self._listeners[listener.command_id]


def _with_totals(update: pb.CrdtDelta, replica: Crdt | None = None) -> pb.CrdtDelta:
    """Adds to a vote what the proxy counts; the function tells its own vote only."""
    if not update.HasField("vote"):
        return update
    before = pb.VoteDelta(total_voters=1) if replica is None else replica._full().vote
    votes_for = before.votes_for + int(update.vote.self_vote) - int(before.self_vote)
    counted = pb.VoteDelta(self_vote=update.vote.self_vote, votes_for=votes_for, total_voters=before.total_voters)
    return pb.CrdtDelta(vote=counted)
