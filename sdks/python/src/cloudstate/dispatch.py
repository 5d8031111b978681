"""What the kinds of entities have in common: finding a handler, running it, and reading its answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args, get_origin

from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import DecodeError, Message

from cloudstate import entity_pb2
from cloudstate.payload import Codec
from cloudstate.reply import Effects, Failure, Reply
from cloudstate.service import Method, Service

Out = TypeVar("Out")


@dataclass(frozen=True)
class Step(Generic[Out]):
    """What follows from one message of the proxy."""

    out: tuple[Out, ...] = ()
    """What is sent, in order."""
    end: bool = False
    """Whether the stream is over afterwards."""


class BrokenError(Exception):
    """The activation cannot go on. The text is for logs, not for clients."""

    def __init__(self, command_id: int, description: str) -> None:
        super().__init__(description)
        self.failure = entity_pb2.Failure(command_id=command_id, description=description)


def text(error: Exception) -> str:
    """Returns what the log says of an unexpected error; many have no text of their own that makes sense alone."""
    return f"{type(error).__qualname__}: {error}"


@dataclass(frozen=True)
class Done:
    """A handler's answer, in the protocol's terms."""

    action: entity_pb2.ClientAction | None
    """`None` if there is nothing for the client."""
    effects: Effects


async def settle(answer: Any) -> Any:
    """Waits for the answer of an asynchronous handler; takes that of another as it is."""
    return await answer if inspect.isawaitable(answer) else answer


def done(answer: Any, method: Method) -> Done:
    """Reads what a handler answered.

    Raises:
        TypeError: if it is not an answer to this method.
    """
    if answer is None and method.replies_empty:
        answer = empty_pb2.Empty()
    if not isinstance(answer, Reply):
        answer = Reply(answer)
    if answer.forwarded is not None:
        forward = entity_pb2.ClientAction(forward=answer.forwarded.to_forward())
        return Done(forward, answer.effects)
    if answer.message is None:
        return Done(None, answer.effects)
    message = answer.message
    if not isinstance(message, method.output_type):
        expected = method.output_type.DESCRIPTOR.full_name
        raise TypeError(
            f"{method.handler} answered with {type(message).__qualname__}, but {method.name} replies with {expected}"
        )
    payload = any_pb2.Any(type_url=method.output_url, value=message.SerializeToString())
    reply = entity_pb2.Reply(payload=payload, metadata=answer.metadata.to_proto())
    return Done(entity_pb2.ClientAction(reply=reply), answer.effects)


def declined(command_id: int, failure: Failure, *, restart: bool = False) -> entity_pb2.ClientAction:
    """Returns a failure for the client."""
    content = entity_pb2.Failure(command_id=command_id, description=failure.description, restart=restart)
    return entity_pb2.ClientAction(failure=content)


def read(command: entity_pb2.Command, method: Method) -> Message:
    """Decodes a command by its method, whatever its type URL.

    Raises:
        DecodeError: if it is malformed.
    """
    try:
        return method.input_type.FromString(command.payload.value)
    except DecodeError as error:
        raise DecodeError(f"malformed message of command {command.name}: {error}") from error


class Factory(Generic[Out]):
    """Makes one entity for each activation, and knows the service that they implement."""

    def __init__(self, make: Callable[[], Out], base: type) -> None:
        kind = make if isinstance(make, type) else type(make())
        if not issubclass(kind, base):
            raise TypeError(f"{kind.__qualname__} is no {base.__name__}: derive it from the generated class")
        if inspect.isabstract(kind):
            missing = ", ".join(sorted(getattr(kind, "__abstractmethods__", ())))
            raise TypeError(f"{kind.__qualname__} has no {missing}")
        service = getattr(kind, "SERVICE", None)
        if not isinstance(service, Service):
            raise TypeError(f"{kind.__qualname__} names no service: derive it from the generated class")
        self.make = make
        self.kind: type = kind
        self.service: Service = service


def type_argument(kind: type, base: type) -> Any:
    """Returns what a class gives for the type parameter of `base`, through all classes between; `None` if nothing."""
    argument = _argument(kind, base)
    return None if isinstance(argument, TypeVar) else argument


def _argument(kind: type, base: type) -> Any:
    for parent in vars(kind).get("__orig_bases__", kind.__bases__):
        origin = get_origin(parent) or parent
        if not issubclass(origin, base):
            continue
        arguments = get_args(parent)
        if origin is base:
            return arguments[0] if arguments else None
        found = _argument(origin, base)
        if isinstance(found, TypeVar):
            parameters = getattr(origin, "__parameters__", ())
            found = arguments[parameters.index(found)] if arguments else None
        return found
    return None


def codec(kind: type, base: type, what: str) -> Codec:
    """Returns the codec for the type argument of an entity.

    Raises:
        TypeError: if the class does not give it.
    """
    found = Codec.of(type_argument(kind, base))
    if found is None:
        raise TypeError(
            f"{kind.__qualname__} does not say the type of its {what}: "
            f"give it as type argument of the class that it derives from, as in …[{what.capitalize()}]"
        )
    return found
