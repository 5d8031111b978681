"""One user: who is connected to this node, and what all nodes say."""

from google.protobuf.empty_pb2 import Empty

from cloudstate import Failure, Reply
from cloudstate.crdt import CancelContext, ChangeContext, StreamedContext, Vote

from .proto.presence_cloudstate import PresenceCrdt
from .proto.presence_pb2 import OnlineStatus, User


class PresenceEntity(PresenceCrdt[Vote]):
    """The connections are counted for this node only; the vote is replicated."""

    def __init__(self) -> None:
        self.connections = 0

    def create(self, entity_id: str) -> Vote:
        return Vote()

    async def connect(self, command: User, ctx: StreamedContext[Vote, Empty]) -> Reply[Empty]:
        if not ctx.streamed:
            raise Failure("a connection lasts as long as its stream, and this call has none")
        self.connections += 1
        ctx.state.vote(True)
        ctx.on_cancel(self.disconnected)
        return Reply.nothing()

    async def disconnected(self, ctx: CancelContext[Vote]) -> None:
        self.connections -= 1
        if self.connections == 0:
            ctx.state.vote(False)

    async def monitor(self, command: User, ctx: StreamedContext[Vote, OnlineStatus]) -> OnlineStatus:
        told = ctx.state.at_least_one

        def changed(change: ChangeContext[Vote]) -> OnlineStatus | None:
            nonlocal told
            online = change.state.at_least_one
            if online == told:
                return None
            told = online
            return OnlineStatus(online=online)

        ctx.on_change(changed)
        return OnlineStatus(online=told)
