"""The actions of the TCK."""

from collections.abc import AsyncIterator, Iterable

from cloudstate import Call, Commands, Failure, Reply
from cloudstate.action import Context

from .proto.cloudstate.tck.model.action_cloudstate import ActionTckModelAction, ActionTwo, ActionTwoAction
from .proto.cloudstate.tck.model.action_pb2 import OtherRequest, ProcessGroup, Request, Response


def process(groups: Iterable[ProcessGroup]) -> Reply[Response] | Failure:
    """Returns what comes of groups of steps, taken together."""
    effects: list[tuple[Call[Response], bool]] = []
    result: Reply[Response] | Failure = Reply.nothing()
    for step in (step for group in groups for step in group.steps):
        match step.WhichOneof("step"):
            case "reply":
                result = Reply(Response(message=step.reply.message))
            case "forward":
                result = Reply.forward(ActionTwo.call(OtherRequest(id=step.forward.id)))
            case "fail":
                result = Failure(step.fail.message)
            case "effect":
                call = ActionTwo.call(OtherRequest(id=step.effect.id))
                effects.append((call, step.effect.synchronous))
    for call, synchronous in effects:
        result = result.with_effect(call, synchronous=synchronous)
    return result


def one(result: Reply[Response] | Failure) -> Reply[Response]:
    """Returns the one answer of a call; raises it if it is a failure."""
    if isinstance(result, Failure):
        raise result
    return result


class Model(ActionTckModelAction):
    """Does what it is told."""

    async def process_unary(self, command: Request, ctx: Context) -> Reply[Response]:
        return one(process(command.groups))

    async def process_streamed_in(self, commands: Commands[Request], ctx: Context) -> Reply[Response]:
        return one(process([group async for command in commands for group in command.groups]))

    async def process_streamed_out(self, command: Request, ctx: Context) -> AsyncIterator[Reply[Response] | Failure]:
        for group in command.groups:
            yield process([group])

    async def process_streamed(
        self, commands: Commands[Request], ctx: Context
    ) -> AsyncIterator[Reply[Response] | Failure]:
        async for command in commands:
            for group in command.groups:
                yield process([group])


class Two(ActionTwoAction):
    """What forwards and side effects lead to."""

    async def call(self, command: OtherRequest, ctx: Context) -> Response:
        return Response()
