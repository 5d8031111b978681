"""The value entities of the TCK."""

from cloudstate import Call, Failure, Reply
from cloudstate.value import Context

from .proto.cloudstate.tck.model.valueentity_cloudstate import (
    ValueEntityConfiguredValue,
    ValueEntityTckModelValue,
    ValueEntityTwo,
    ValueEntityTwoValue,
)
from .proto.cloudstate.tck.model.valueentity_pb2 import Persisted, Request, Response


class Model(ValueEntityTckModelValue[Persisted]):
    """One text."""

    async def process(self, command: Request, ctx: Context[Persisted]) -> Reply[Response]:
        effects: list[tuple[Call[Response], bool]] = []
        forward: Reply[Response] | None = None
        for action in command.actions:
            match action.WhichOneof("action"):
                case "update":
                    ctx.update(Persisted(value=action.update.value))
                case "delete":
                    ctx.delete()
                case "forward":
                    forward = Reply.forward(ValueEntityTwo.call(Request(id=action.forward.id)))
                case "effect":
                    call = ValueEntityTwo.call(Request(id=action.effect.id))
                    effects.append((call, action.effect.synchronous))
                case "fail":
                    raise Failure(action.fail.message)
        state = ctx.state
        reply = forward or Reply(Response(message="" if state is None else state.value))
        for call, synchronous in effects:
            reply = reply.with_effect(call, synchronous=synchronous)
        return reply


class Two(ValueEntityTwoValue[Persisted]):
    """What forwards and side effects lead to."""

    async def call(self, command: Request, ctx: Context[Persisted]) -> Response:
        return Response()


class Configured(ValueEntityConfiguredValue[Persisted]):
    """Leaves memory soon."""

    async def call(self, command: Request, ctx: Context[Persisted]) -> Response:
        return Response()
