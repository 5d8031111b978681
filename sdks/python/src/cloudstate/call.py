"""References to commands of services of this function."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from google.protobuf import any_pb2
from google.protobuf.message import Message

from cloudstate import entity_pb2
from cloudstate.metadata import Metadata
from cloudstate.service import Service

O_co = TypeVar("O_co", covariant=True)


@dataclass(frozen=True)
class Call(Generic[O_co]):
    """A command for one of this function's services, whose reply has type `O`.

    The proxy runs it: as a forward (`Reply.forward`) or as a side effect (`Reply.with_effect`). Generated code has a
    constructor for every method, in the class of the service.
    """

    service: str
    """Full name of the service."""
    command: str
    """Simple name of the method."""
    payload: any_pb2.Any
    """The encoded message."""
    metadata: Metadata = field(default_factory=Metadata)
    """What goes with the command."""

    @classmethod
    def of(cls, service: Service, command: str, message: Message) -> Call[O_co]:
        """Returns the command of a known service. Generated code calls it.

        Raises:
            TypeError: if the message is not what the method takes.
        """
        method = service.methods[command]
        if not isinstance(message, method.input_type):
            expected = method.input_type.DESCRIPTOR.full_name
            raise TypeError(f"{service.name}.{command} takes {expected}, not {type(message).__qualname__}")
        encoded = message.SerializeToString(deterministic=True)
        return cls(service.name, command, any_pb2.Any(type_url=method.input_url, value=encoded))

    def with_metadata(self, metadata: Metadata) -> Call[O_co]:
        """Returns this with metadata."""
        return replace(self, metadata=metadata)

    def to_forward(self) -> entity_pb2.Forward:
        """Returns the protocol's form of a forward."""
        return entity_pb2.Forward(
            service_name=self.service,
            command_name=self.command,
            payload=self.payload,
            metadata=self.metadata.to_proto(),
        )

    def to_effect(self, synchronous: bool) -> entity_pb2.SideEffect:
        """Returns the protocol's form of a side effect."""
        return entity_pb2.SideEffect(
            service_name=self.service,
            command_name=self.command,
            payload=self.payload,
            synchronous=synchronous,
            metadata=self.metadata.to_proto(),
        )
