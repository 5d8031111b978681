"""Services of `.proto` files, as generated code describes them."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import empty_pb2, message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message


class Method:
    """One method of a service."""

    __slots__ = (
        "client_streaming",
        "handler",
        "input_type",
        "input_url",
        "name",
        "output_type",
        "output_url",
        "server_streaming",
    )

    def __init__(self, descriptor: MethodDescriptor, handler: str) -> None:
        self.name: str = descriptor.name
        self.handler = handler
        self.client_streaming: bool = descriptor.client_streaming
        self.server_streaming: bool = descriptor.server_streaming
        self.input_type: type[Message] = message_factory.GetMessageClass(descriptor.input_type)
        self.output_type: type[Message] = message_factory.GetMessageClass(descriptor.output_type)
        self.input_url = f"type.googleapis.com/{descriptor.input_type.full_name}"
        self.output_url = f"type.googleapis.com/{descriptor.output_type.full_name}"

    @property
    def replies_empty(self) -> bool:
        """Whether the reply is `google.protobuf.Empty`, for which a handler may return `None`."""
        return self.output_type is empty_pb2.Empty


class Service:
    """One service, as generated code describes it.

    Args:
        descriptor: what the `.proto` file says.
        handlers: what each method is called in Python.
        comments: those of the whole file, an encoded `google.protobuf.SourceCodeInfo`, which messages in Python leave
            out. The proxy shows them to people who look at the service.
    """

    def __init__(self, descriptor: ServiceDescriptor, handlers: Mapping[str, str], comments: bytes = b"") -> None:
        self.name: str = descriptor.full_name
        self.file: FileDescriptor = descriptor.file
        self.comments = comments
        self.methods: dict[str, Method] = {
            method.name: Method(method, handlers[method.name]) for method in descriptor.methods
        }

    @property
    def simple_name(self) -> str:
        """The name without the package."""
        return self.name.rpartition(".")[2]
