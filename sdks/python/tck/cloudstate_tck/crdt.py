"""The CRDT entities of the TCK."""

from collections.abc import Callable
from typing import Any

from cloudstate import Call, Failure, Reply
from cloudstate.crdt import (
    CancelContext,
    ChangeContext,
    Clock,
    Context,
    Crdt,
    Flag,
    GCounter,
    GSet,
    LWWRegister,
    ORMap,
    ORSet,
    PNCounter,
    StreamedContext,
    Vote,
    WriteConsistency,
)

from .proto.cloudstate.tck.model import crdt_pb2 as pb
from .proto.cloudstate.tck.model.crdt_cloudstate import CrdtConfiguredCrdt, CrdtTckModelCrdt, CrdtTwo, CrdtTwoCrdt
from .proto.cloudstate.tck.model.crdt_pb2 import Request, Response, State, StreamedRequest, Update

TYPES: dict[str, Callable[[], Crdt]] = {
    "GCounter": GCounter,
    "PNCounter": PNCounter,
    "GSet": GSet[str],
    "ORSet": ORSet[str],
    "LWWRegister": lambda: LWWRegister(""),
    "Flag": Flag,
    "ORMap": ORMap[str, Any],
    "Vote": Vote,
}


def create(name: str) -> Crdt:
    """Returns a new CRDT of the type that an entity's id or a key of a map begins with."""
    return TYPES[name.partition("-")[0]]()


def update(crdt: Crdt, change: Update) -> None:
    """Changes a CRDT."""
    match crdt:
        case GCounter():
            crdt.increment(change.gcounter.increment)
        case PNCounter():
            crdt.increment(change.pncounter.change)
        case GSet():
            crdt.add(change.gset.add)
        case ORSet():
            update_set(crdt, change.orset)
        case LWWRegister():
            register = change.lwwregister
            crdt.set(register.value, Clock(register.clock.clock_type), register.clock.custom_clock_value)
        case Flag():
            crdt.enable()
        case ORMap():
            update_map(crdt, change.ormap)
        case Vote():
            crdt.vote(change.vote.self_vote)


def update_set(crdt: ORSet[str], change: pb.ORSetUpdate) -> None:
    match change.WhichOneof("action"):
        case "add":
            crdt.add(change.add)
        case "remove":
            crdt.remove(change.remove)
        case "clear":
            crdt.clear()


def update_map(crdt: ORMap[str, Any], change: pb.ORMapUpdate) -> None:
    match change.WhichOneof("action"):
        case "add":
            crdt.get_or_create(change.add, lambda: create(change.add))
        case "update":
            key = change.update.key
            update(crdt.get_or_create(key, lambda: create(key)), change.update.update)
        case "remove":
            crdt.remove(change.remove)
        case "clear":
            crdt.clear()


def state(crdt: Crdt) -> State:
    """Returns the whole state, with elements and entries in order."""
    match crdt:
        case GCounter():
            return State(gcounter=pb.GCounterValue(value=crdt.value))
        case PNCounter():
            return State(pncounter=pb.PNCounterValue(value=crdt.value))
        case GSet():
            return State(gset=pb.GSetValue(elements=sorted(crdt)))
        case ORSet():
            return State(orset=pb.ORSetValue(elements=sorted(crdt)))
        case LWWRegister():
            return State(lwwregister=pb.LWWRegisterValue(value=crdt.value))
        case Flag():
            return State(flag=pb.FlagValue(value=crdt.enabled))
        case ORMap():
            entries = [pb.ORMapEntryValue(key=key, value=state(crdt[key])) for key in sorted(crdt)]
            return State(ormap=pb.ORMapValue(entries=entries))
        case Vote():
            value = pb.VoteValue(self_vote=crdt.self_vote, votes_for=crdt.votes_for, total_voters=crdt.voters)
            return State(vote=value)
    raise TypeError(f"there is no state of {type(crdt).__name__}")


class Model(CrdtTckModelCrdt[Crdt]):
    """A CRDT of the type that its id begins with."""

    def create(self, entity_id: str) -> Crdt:
        return create(entity_id)

    async def process(self, command: Request, ctx: Context[Crdt]) -> Reply[Response]:
        effects: list[tuple[Call[Response], bool]] = []
        forward: Reply[Response] | None = None
        crdt = ctx.state
        for action in command.actions:
            match action.WhichOneof("action"):
                case "update":
                    update(crdt, action.update)
                    ctx.write_consistency = WriteConsistency(action.update.write_consistency)
                case "delete":
                    ctx.delete()
                case "forward":
                    forward = Reply.forward(CrdtTwo.call(Request(id=action.forward.id)))
                case "effect":
                    call = CrdtTwo.call(Request(id=action.effect.id))
                    effects.append((call, action.effect.synchronous))
                case "fail":
                    raise Failure(action.fail.message)
        reply = forward or Reply(Response(state=state(crdt)))
        for call, synchronous in effects:
            reply = reply.with_effect(call, synchronous=synchronous)
        return reply

    async def process_streamed(self, command: StreamedRequest, ctx: StreamedContext[Crdt, Response]) -> Reply[Response]:
        if command.HasField("initial_update"):
            update(ctx.state, command.initial_update)
            ctx.write_consistency = WriteConsistency(command.initial_update.write_consistency)

        def changed(it: ChangeContext[Crdt]) -> Reply[Response]:
            now = state(it.state)
            if command.HasField("end_state") and now == command.end_state:
                it.end_stream()
            reply = Reply(Response(state=now))
            for effect in command.effects:
                reply = reply.with_effect(CrdtTwo.call(Request(id=effect.id)), synchronous=effect.synchronous)
            return reply

        def cancelled(it: CancelContext[Crdt]) -> None:
            if command.HasField("cancel_update"):
                update(it.state, command.cancel_update)
                it.write_consistency = WriteConsistency(command.cancel_update.write_consistency)

        ctx.on_cancel(cancelled)
        if command.empty:
            return Reply.nothing()
        ctx.on_change(changed)
        return Reply(Response(state=state(ctx.state)))


class Two(CrdtTwoCrdt[GCounter]):
    """What forwards and side effects lead to."""

    def create(self, entity_id: str) -> GCounter:
        return GCounter()

    async def call(self, command: Request, ctx: Context[GCounter]) -> Response:
        # There must be something that can be deleted.
        _ = ctx.state
        if any(action.HasField("delete") for action in command.actions):
            ctx.delete()
        return Response()


class Configured(CrdtConfiguredCrdt[GCounter]):
    """Leaves memory soon."""

    def create(self, entity_id: str) -> GCounter:
        return GCounter()

    async def call(self, command: Request, ctx: Context[GCounter]) -> Response:
        return Response()
