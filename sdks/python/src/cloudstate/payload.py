"""Values that are persisted or replicated: events, snapshots, values, elements of CRDTs.

```
  message             type.googleapis.com/<full name>   its bytes
  str, bytes, bool…   p.cloudstate.io/<scalar>          field 1; nothing at all for the default value
  Json                json.cloudstate.io/<name>         field 1: JSON with sorted keys
```

Equal values have equal bytes, in every language: sets and maps are compared by them.
"""

from __future__ import annotations

import json
import struct
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

MESSAGE_PREFIX = "type.googleapis.com/"
"""Begins the type URL of a protobuf message."""
PRIMITIVE_PREFIX = "p.cloudstate.io/"
"""Begins the type URL of a scalar."""
JSON_PREFIX = "json.cloudstate.io/"
"""Begins the type URL of JSON."""


class PayloadError(Exception):
    """A value cannot be encoded or decoded. The text says which type, and why."""


class Int32(int):
    """An `int` that is stored as `int32`; a plain one is stored as `int64`."""


class Float32(float):
    """A `float` that is stored as `float`, in single precision; a plain one is stored as `double`."""


@dataclass(frozen=True)
class Json:
    """A value that is stored as JSON, with sorted keys and no white space."""

    type_name: str
    """Its name in the type URL. Never change it once there is something stored."""
    value: Any
    """What `json.dumps` takes."""


# Wire types of protobuf.
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise PayloadError("the bytes end within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7
    raise PayloadError("a number is longer than ten bytes")


def _fields(data: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """Splits a message into number, wire type and content of its fields."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _read_varint(data, at)
            yield number, wire, value
            continue
        if wire == _LENGTH:
            size, at = _read_varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise PayloadError(f"field {number} has wire type {wire}, which is not in use")
        if size > len(data) - at:
            raise PayloadError(f"field {number} is longer than what is there")
        yield number, wire, data[at : at + size]
        at += size


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


@dataclass(frozen=True)
class _Scalar:
    wire: int
    encode: Callable[[Any], bytes]
    decode: Callable[[Any], Any]
    default: Any


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _integer(bits: int) -> Callable[[int], bytes]:
    def encode(value: int) -> bytes:
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise OverflowError(f"it does not fit into {bits} bits")
        return _varint(value & (1 << 64) - 1)

    return encode


_SCALARS: dict[str, _Scalar] = {
    "string": _Scalar(_LENGTH, lambda it: _sized(it.encode()), lambda it: it.decode(), ""),
    "bytes": _Scalar(_LENGTH, _sized, bytes, b""),
    "int32": _Scalar(_VARINT, _integer(32), lambda it: Int32(_signed(it, 32)), Int32(0)),
    "int64": _Scalar(_VARINT, _integer(64), lambda it: _signed(it, 64), 0),
    "bool": _Scalar(_VARINT, lambda it: _varint(int(it)), bool, False),
    "float": _Scalar(
        _FIXED32, lambda it: struct.pack("<f", it), lambda it: Float32(struct.unpack("<f", it)[0]), Float32(0)
    ),
    "double": _Scalar(_FIXED64, lambda it: struct.pack("<d", it), lambda it: struct.unpack("<d", it)[0], 0.0),
}

# The order matters: the first that fits is taken, and `bool` is an `int`.
_NAMES: tuple[tuple[type, str], ...] = (
    (str, "string"),
    (bytes, "bytes"),
    (bool, "bool"),
    (Int32, "int32"),
    (int, "int64"),
    (Float32, "float"),
    (float, "double"),
)


def _encode_scalar(name: str, value: Any) -> any_pb2.Any:
    scalar = _SCALARS[name]
    try:
        encoded = scalar.encode(value)
    except (OverflowError, ValueError) as error:
        raise PayloadError(f"cannot store {value!r} as {name}: {error}") from error
    # Compared as bytes, since -0.0 equals 0.0 and is not the default.
    if encoded == scalar.encode(scalar.default):
        encoded = b""
    else:
        encoded = _varint(1 << 3 | scalar.wire) + encoded
    return any_pb2.Any(type_url=PRIMITIVE_PREFIX + name, value=encoded)


def _decode_field_one(data: bytes, scalar: _Scalar) -> Any:
    value = scalar.default
    for number, wire, content in _fields(data):
        if number != 1:
            continue
        if wire != scalar.wire:
            raise PayloadError(f"field 1 has wire type {wire}, expected {scalar.wire}")
        value = scalar.decode(content)
    return value


def encode(value: Any) -> any_pb2.Any:
    """Encodes a message, a scalar or `Json`; an `Any` passes as it is.

    Raises:
        PayloadError: for a value of another type, or one that does not fit into its type.
    """
    if isinstance(value, any_pb2.Any):
        return value
    if isinstance(value, Message):
        encoded = value.SerializeToString(deterministic=True)
        return any_pb2.Any(type_url=MESSAGE_PREFIX + value.DESCRIPTOR.full_name, value=encoded)
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return _encode_scalar(name, value)
    if isinstance(value, Json):
        return _encode_json(value)
    raise PayloadError(
        f"cannot store a value of type {type(value).__qualname__}: expected a protobuf message, str, bytes, bool, "
        "int, float or Json"
    )


def _encode_json(payload: Json) -> any_pb2.Any:
    try:
        text = json.dumps(payload.value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PayloadError(f"cannot store a value of type {payload.type_name} as JSON: {error}") from error
    encoded = _varint(1 << 3 | _LENGTH) + _sized(text.encode())
    return any_pb2.Any(type_url=JSON_PREFIX + payload.type_name, value=encoded)


def decode(payload: any_pb2.Any) -> Any:
    """Decodes by the type URL; the module that defines a message must have been imported.

    Raises:
        PayloadError: if the type is unknown, or the bytes are malformed.
    """
    url, data = payload.type_url, payload.value
    try:
        if url.startswith(PRIMITIVE_PREFIX):
            return _decode_scalar(url.removeprefix(PRIMITIVE_PREFIX), data)
        if url.startswith(JSON_PREFIX):
            text = _decode_field_one(data, _SCALARS["bytes"])
            return Json(url.removeprefix(JSON_PREFIX), json.loads(text))
        return _message_type(url).FromString(data)
    except (PayloadError, DecodeError, ValueError) as error:
        raise PayloadError(f"cannot read a stored value of type {url or 'nothing'}: {error}") from error


def _decode_scalar(name: str, data: bytes) -> Any:
    scalar = _SCALARS.get(name)
    if scalar is None:
        raise PayloadError(f"there is no scalar of this name, only {', '.join(_SCALARS)}")
    return _decode_field_one(data, scalar)


def _message_type(url: str) -> type[Message]:
    # The host does not matter, and may be missing.
    name = url.rpartition("/")[2]
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
    except KeyError:
        raise PayloadError("no imported module defines this message") from None
    return message_factory.GetMessageClass(descriptor)


class Codec:
    """Encodes and decodes values of the types that an entity has declared, and refuses others."""

    def __init__(self, kinds: tuple[type, ...]) -> None:
        self.kinds = kinds

    @classmethod
    def of(cls, expression: Any) -> Codec | None:
        """Returns the codec for a type or a union of types; `None` if the expression is neither."""
        if get_origin(expression) in (Union, types.UnionType):
            parts = get_args(expression)
        else:
            parts = (expression,)
        if not parts or not all(isinstance(part, type) for part in parts):
            return None
        return cls(parts)

    def encode(self, value: Any) -> any_pb2.Any:
        """Encodes a value of a declared type.

        Raises:
            PayloadError: if it is of another type.
        """
        self._check(value)
        return encode(value)

    def decode(self, payload: any_pb2.Any) -> Any:
        """Decodes a value of a declared type.

        Raises:
            PayloadError: if it is of another type, or malformed.
        """
        if any_pb2.Any in self.kinds:
            return payload
        value = decode(payload)
        self._check(value)
        return value

    def _check(self, value: Any) -> None:
        if not isinstance(value, self.kinds):
            declared = " | ".join(kind.__qualname__ for kind in self.kinds)
            actual = type(value).__qualname__
            raise PayloadError(f"this entity has declared {declared}, not {actual}")
