"""Writes the module of the services of one file: typed calls, and the classes to derive from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
    SourceCodeInfo,
)

from cloudstate.generate.errors import GenerateError
from cloudstate.generate.names import alias, handler_name, import_line

_EMPTY = ".google.protobuf.Empty"
# Numbers of fields in descriptor.proto, which make the paths of comments.
_SERVICE, _METHOD = 6, 2

_HEAD = '''\
# Generated from {file} by cloudstate-generate. Changes are lost when it runs again.
"""The services of `{file}`: for each its calls, and the classes to derive from."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Final, TypeVar

from cloudstate import action, crdt, event_sourced, value
from cloudstate.action import Answers, Commands
from cloudstate.call import Call
from cloudstate.reply import Answer
from cloudstate.service import Service
{imports}

_C = TypeVar("_C", bound=crdt.Crdt)
_E = TypeVar("_E")
_S = TypeVar("_S")
'''


@dataclass(frozen=True)
class _Method:
    proto: MethodDescriptorProto
    handler: str
    input: str
    output: str
    """As a type in Python."""
    comment: str

    @property
    def answer(self) -> str:
        """What a handler answers with: for `Empty`, `None` will do."""
        return f"{self.output} | None" if self.proto.output_type == _EMPTY else self.output


@dataclass(frozen=True)
class _Service:
    proto: ServiceDescriptorProto
    full_name: str
    module: str
    methods: list[_Method]
    comment: str

    @property
    def constant(self) -> str:
        return f"_{handler_name(self.proto.name).strip('_').upper()}"


def services_module(file: FileDescriptorProto, descriptors: FileDescriptorSet, own: set[str]) -> str:
    """Returns the code of the module.

    Raises:
        GenerateError: if two methods would be called the same.
    """
    types = _types(descriptors.file)
    used = {file.name}
    for service in file.service:
        for method in service.method:
            used.update((types[method.input_type][0], types[method.output_type][0]))
    imports = sorted(import_line(name, file.name, own) for name in used)
    parts = [_HEAD.format(file=file.name, imports="\n".join(imports)), _comments(file)]
    for service_proto in file.service:
        parts.extend(_service(_read(service_proto, file, types)))
    return "\n".join(parts)


def _comments(file: FileDescriptorProto) -> str:
    """Returns the constant with the comments of a file."""
    commented = [it for it in file.source_code_info.location if it.leading_comments or it.trailing_comments]
    lines = "".join(
        f"    {SourceCodeInfo(location=[it]).SerializeToString(deterministic=True)!r}\n" for it in commented
    )
    return f'# The comments of the file, for people who look at its services.\n_COMMENTS = (\n    b""\n{lines})\n'


def _types(files: Iterable[FileDescriptorProto]) -> dict[str, tuple[str, str]]:
    """Returns for each message by its full name the file that defines it, and its name there."""
    found: dict[str, tuple[str, str]] = {}

    def visit(file: str, prefix: str, outer: str, message: DescriptorProto) -> None:
        name = f"{outer}.{message.name}" if outer else message.name
        found[f"{prefix}.{name}"] = (file, name)
        for nested in message.nested_type:
            visit(file, prefix, name, nested)

    for file in files:
        for message in file.message_type:
            visit(file.name, f".{file.package}" if file.package else "", "", message)
    return found


def _read(proto: ServiceDescriptorProto, file: FileDescriptorProto, types: dict[str, tuple[str, str]]) -> _Service:
    comments = {tuple(it.path): it.leading_comments.strip() for it in file.source_code_info.location}
    index = list(file.service).index(proto)

    def python(name: str) -> str:
        module, inner = types[name]
        return f"{alias(module)}.{inner}"

    methods = [
        _Method(
            method,
            handler_name(method.name),
            python(method.input_type),
            python(method.output_type),
            comments.get((_SERVICE, index, _METHOD, number), ""),
        )
        for number, method in enumerate(proto.method)
    ]
    names = [method.handler for method in methods]
    for name in names:
        if names.count(name) > 1:
            raise GenerateError(f"{file.name}: two methods of {proto.name} would be called {name} in Python")
    full_name = f"{file.package}.{proto.name}" if file.package else proto.name
    return _Service(proto, full_name, alias(file.name), methods, comments.get((_SERVICE, index), ""))


def _service(service: _Service) -> Iterator[str]:
    handlers = "".join(f'        "{it.proto.name}": "{it.handler}",\n' for it in service.methods)
    yield (
        f"\n{service.constant} = Service(\n"
        f'    {service.module}.DESCRIPTOR.services_by_name["{service.proto.name}"],\n'
        f"    {{\n{handlers}    }},\n    _COMMENTS,\n)\n"
    )
    yield from _calls(service)
    streams_in = any(it.proto.client_streaming for it in service.methods)
    streams_out = any(it.proto.server_streaming for it in service.methods)
    if not streams_in and not streams_out:
        yield from _entity(service, "EventSourced", "event_sourced", "_E", "An event sourced entity")
        yield from _entity(service, "Value", "value", "_S", "A value entity")
    if not streams_in:
        yield from _entity(service, "Crdt", "crdt", "_C", "A CRDT entity")
    yield from _action(service)


def _docstring(text: str, indent: str) -> str:
    lines = [line.strip().replace("\\", "\\\\").replace('"""', "'''") for line in text.splitlines()]
    if len(lines) < 2:
        line = "".join(lines)
        return f'{indent}"""{line}{" " if line.endswith(chr(34)) else ""}"""\n'
    body = "".join(f"{indent}{line}".rstrip() + "\n" for line in lines[1:])
    return f'{indent}"""{lines[0]}\n{body}{indent}"""\n'


def _calls(service: _Service) -> Iterator[str]:
    text = "Calls of this service's methods: to forward to, for side effects, and for tests."
    yield f"\nclass {service.proto.name}:"
    yield _docstring(f"{service.comment}\n\n{text}" if service.comment else text, "    ")
    yield f'    NAME: Final = "{service.full_name}"\n    """The full name of the service."""\n'
    for it in service.methods:
        yield (
            f"    @staticmethod\n    def {it.handler}(command: {it.input}) -> Call[{it.output}]:\n"
            + _docstring(it.comment or f"A call of {it.proto.name}.", "        ")
            + f'        return Call.of({service.constant}, "{it.proto.name}", command)\n'
        )


def _class(service: _Service, suffix: str, base: str, what: str) -> str:
    return (
        f"\nclass {service.proto.name}{suffix}({base}):\n"
        + _docstring(f"{what} for the service {service.full_name}.", "    ")
        + f"\n    SERVICE: ClassVar[Service] = {service.constant}\n"
    )


def _entity(service: _Service, suffix: str, module: str, variable: str, what: str) -> Iterator[str]:
    yield _class(service, suffix, f"{module}.Entity[{variable}]", what)
    for it in service.methods:
        context = f"{module}.Context[{variable}]"
        if it.proto.server_streaming:
            context = f"{module}.StreamedContext[{variable}, {it.output}]"
        yield _handler(it, f"command: {it.input}, ctx: {context}", f"Answer[{it.answer}]")


def _action(service: _Service) -> Iterator[str]:
    yield _class(service, "Action", "action.Handlers", "An action")
    for it in service.methods:
        argument = f"commands: Commands[{it.input}]" if it.proto.client_streaming else f"command: {it.input}"
        answer = "Answers" if it.proto.server_streaming else "Answer"
        yield _handler(it, f"{argument}, ctx: action.Context", f"{answer}[{it.answer}]")


def _handler(method: _Method, arguments: str, answer: str) -> str:
    return f"    @abstractmethod\n    def {method.handler}(self, {arguments}) -> {answer}:\n" + _docstring(
        method.comment or f"Handles {method.proto.name}.", "        "
    )
