"""The event sourced entities of the TCK."""

from cloudstate import Call, Failure, Reply, Snapshots
from cloudstate.event_sourced import Context

from .proto.cloudstate.tck.model.eventsourced_cloudstate import (
    EventSourcedConfiguredEventSourced,
    EventSourcedTckModelEventSourced,
    EventSourcedTwo,
    EventSourcedTwoEventSourced,
)
from .proto.cloudstate.tck.model.eventsourced_pb2 import Persisted, Request, Response


class Model(EventSourcedTckModelEventSourced[Persisted], Snapshots[Persisted]):
    """Text that each event appends to."""

    def __init__(self) -> None:
        self.text = ""

    def apply(self, event: Persisted) -> None:
        self.text += event.value

    def snapshot(self) -> Persisted:
        return Persisted(value=self.text)

    def restore(self, snapshot: Persisted) -> None:
        self.text = snapshot.value

    async def process(self, command: Request, ctx: Context[Persisted]) -> Reply[Response]:
        effects: list[tuple[Call[Response], bool]] = []
        forward: Reply[Response] | None = None
        for action in command.actions:
            match action.WhichOneof("action"):
                case "emit":
                    ctx.emit(Persisted(value=action.emit.value))
                case "forward":
                    forward = Reply.forward(EventSourcedTwo.call(Request(id=action.forward.id)))
                case "effect":
                    call = EventSourcedTwo.call(Request(id=action.effect.id))
                    effects.append((call, action.effect.synchronous))
                case "fail":
                    raise Failure(action.fail.message)
        reply = forward or Reply(Response(message=self.text))
        for call, synchronous in effects:
            reply = reply.with_effect(call, synchronous=synchronous)
        return reply


class Two(EventSourcedTwoEventSourced[Persisted]):
    """What forwards and side effects lead to."""

    def apply(self, event: Persisted) -> None: ...

    async def call(self, command: Request, ctx: Context[Persisted]) -> Response:
        return Response()


class Configured(EventSourcedConfiguredEventSourced[Persisted]):
    """Leaves memory soon."""

    def apply(self, event: Persisted) -> None: ...

    async def call(self, command: Request, ctx: Context[Persisted]) -> Response:
        return Response()
