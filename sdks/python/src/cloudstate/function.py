"""A user function: what it serves, and what it tells the proxy about that."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

from cloudstate import entity_pb2
from cloudstate.action import Action
from cloudstate.crdt import CrdtEntity
from cloudstate.event_sourced import EventSourced
from cloudstate.service import Service
from cloudstate.value import Value

PROTOCOL_VERSION = (0, 2)
"""Major and minor version of the protocol."""

Registration = EventSourced | Value | CrdtEntity | Action
"""Anything that a user function serves."""


class DeclarationError(Exception):
    """A user function cannot be served as it is. The text names the service and what to do."""


@dataclass(frozen=True)
class Declaration:
    """A checked user function: what discovery answers, and the services by kind and full name."""

    spec: entity_pb2.EntitySpec
    event_sourced: dict[str, EventSourced] = field(default_factory=dict)
    value: dict[str, Value] = field(default_factory=dict)
    crdt: dict[str, CrdtEntity] = field(default_factory=dict)
    action: dict[str, Action] = field(default_factory=dict)


class UserFunction:
    """A user function: the entities and actions of one process. Name and version are for people who look at the proxy.

    ```
    UserFunction("shop", "1.0").add(EventSourced("carts", CartEntity)).run()
    ```
    """

    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self.version = version
        self._registrations: list[Registration] = []

    def add(self, *registrations: Registration) -> UserFunction:
        """Adds entities and actions, and returns the function."""
        self._registrations.extend(registrations)
        return self

    def declare(self) -> Declaration:
        """Checks what was added and arranges it for serving.

        Raises:
            DeclarationError: if it cannot be served.
        """
        self._check()
        declaration = Declaration(self._spec())
        for it in self._registrations:
            match it:
                case EventSourced():
                    declaration.event_sourced[it.service.name] = it
                case Value():
                    declaration.value[it.service.name] = it
                case CrdtEntity():
                    declaration.crdt[it.service.name] = it
                case Action():
                    declaration.action[it.service.name] = it
        return declaration

    def run(self) -> None:
        """Serves on the Unix socket `SOCKET` if that is set, else on `HOST` (127.0.0.1) and `PORT` (8080).

        Port 0 picks a free one. Ends at SIGTERM or SIGINT, when the calls in flight are finished.

        Raises:
            DeclarationError: if what was added cannot be served.
            ServeError: if the address cannot be listened on.
        """
        from cloudstate.server import Server

        asyncio.run(Server.from_environment(self).serve_until_signal())

    def _check(self) -> None:
        if not self._registrations:
            raise DeclarationError("the user function serves nothing: add at least one entity or action")
        services: set[str] = set()
        ids: dict[str, str] = {}
        for it in self._registrations:
            name = it.service.name
            if name in services:
                raise DeclarationError(f"the service {name} is added twice: each service has one implementation")
            services.add(name)
            if isinstance(it, Action):
                continue
            if not it.persistence_id:
                raise DeclarationError(f"the persistence id of {name} is empty: give it a name that never changes")
            first = ids.setdefault(it.persistence_id, name)
            if first != name:
                raise DeclarationError(
                    f"the persistence id {it.persistence_id!r} is used by {first} and by {name}: give each its own"
                )

    def _spec(self) -> entity_pb2.EntitySpec:
        major, minor = PROTOCOL_VERSION
        return entity_pb2.EntitySpec(
            proto=descriptor_set([it.service for it in self._registrations]).SerializeToString(),
            entities=[_entity(it) for it in self._registrations],
            service_info=entity_pb2.ServiceInfo(
                service_name=self.name,
                service_version=self.version,
                service_runtime=f"{platform.python_implementation()} {platform.python_version()}",
                support_library_name="cloudstate",
                support_library_version=version("cloudstate"),
                protocol_major_version=major,
                protocol_minor_version=minor,
            ),
        )


def _entity(it: Registration) -> entity_pb2.Entity:
    if isinstance(it, Action):
        return entity_pb2.Entity(
            entity_type=it.ENTITY_TYPE, service_name=it.service.name, persistence_id=it.service.simple_name
        )
    return entity_pb2.Entity(
        entity_type=it.ENTITY_TYPE,
        service_name=it.service.name,
        persistence_id=it.persistence_id,
        passivation_strategy=_passivation(it.passivation_timeout),
        command_metadata=it.command_metadata,
    )


def _passivation(timeout: timedelta | None) -> entity_pb2.EntityPassivationStrategy | None:
    if timeout is None:
        return None
    milliseconds = timeout // timedelta(milliseconds=1)
    strategy = entity_pb2.TimeoutPassivationStrategy(timeout=milliseconds)
    return entity_pb2.EntityPassivationStrategy(timeout=strategy)


def descriptor_set(services: list[Service]) -> descriptor_pb2.FileDescriptorSet:
    """Returns the files of services and everything that they import, each once and after what it imports."""
    found: dict[str, FileDescriptor] = {}

    def visit(file: FileDescriptor) -> None:
        if file.name not in found:
            for dependency in file.dependencies:
                visit(dependency)
            found[file.name] = file

    for service in services:
        visit(service.file)
    protos = {name: descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb) for name, file in found.items()}
    for service in services:
        protos[service.file.name].source_code_info.ParseFromString(service.comments)
    return descriptor_pb2.FileDescriptorSet(file=protos.values())
