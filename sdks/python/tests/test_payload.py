from __future__ import annotations

from typing import Any

import pytest
from example.stored.events_pb2 import Increased, WasReset
from google.protobuf import any_pb2

from cloudstate.payload import Codec, Float32, Int32, Json, PayloadError, decode, encode


@pytest.mark.parametrize(
    ("value", "name", "data"),
    [
        ("one", "string", b"\x0a\x03one"),
        (b"\x00", "bytes", b"\x0a\x01\x00"),
        (True, "bool", b"\x08\x01"),
        (300, "int64", b"\x08\xac\x02"),
        (-1, "int64", b"\x08" + b"\xff" * 9 + b"\x01"),
        (Int32(-1), "int32", b"\x08" + b"\xff" * 9 + b"\x01"),
        (1.5, "double", b"\x09\x00\x00\x00\x00\x00\x00\xf8\x3f"),
        (Float32(1.5), "float", b"\x0d\x00\x00\xc0\x3f"),
        (-0.0, "double", b"\x09\x00\x00\x00\x00\x00\x00\x00\x80"),
    ],
)
def test_scalars_have_the_encoding_of_the_specification(value: Any, name: str, data: bytes) -> None:
    encoded = encode(value)
    assert (encoded.type_url, encoded.value) == (f"p.cloudstate.io/{name}", data)
    decoded = decode(encoded)
    assert (decoded, type(decoded)) == (value, type(value))


@pytest.mark.parametrize("value", ["", b"", False, 0, Int32(0), 0.0, Float32(0)])
def test_default_values_are_no_bytes_at_all(value: Any) -> None:
    encoded = encode(value)
    assert encoded.value == b""
    assert (decode(encoded), type(decode(encoded))) == (value, type(value))


def test_a_default_value_that_another_language_has_written_is_read() -> None:
    assert decode(any_pb2.Any(type_url="p.cloudstate.io/string", value=b"\x0a\x00")) == ""


def test_other_fields_are_skipped_and_the_last_of_field_one_counts() -> None:
    data = b"\x10\x05" + b"\x1a\x01x" + b"\x21" + bytes(8) + b"\x2d" + bytes(4) + b"\x08\x01" + b"\x08\x02"
    assert decode(any_pb2.Any(type_url="p.cloudstate.io/int64", value=data)) == 2


@pytest.mark.parametrize(
    ("url", "data", "why"),
    [
        ("p.cloudstate.io/int64", b"\x0a\x01x", "field 1 has wire type 2, expected 0"),
        ("p.cloudstate.io/string", b"\x0a\x05x", "longer than what is there"),
        ("p.cloudstate.io/string", b"\x0a\x01\xff", "can't decode byte"),
        ("p.cloudstate.io/int64", b"\x08\xff", "end within a number"),
        ("p.cloudstate.io/int64", b"\x08" + b"\xff" * 11, "longer than ten bytes"),
        ("p.cloudstate.io/int64", b"\x0b", "wire type 3"),
        ("p.cloudstate.io/uint8", b"", "no scalar of this name"),
        ("json.cloudstate.io/Cart", b"\x0a\x01{", "Cart: "),
        ("type.googleapis.com/example.Nobody", b"", "no imported module defines this message"),
        ("type.googleapis.com/example.stored.Increased", b"\x08", "example.stored.Increased"),
        ("", b"", "type nothing"),
    ],
)
def test_what_cannot_be_read_is_refused_by_type_and_reason(url: str, data: bytes, why: str) -> None:
    with pytest.raises(PayloadError, match="cannot read a stored value of type") as raised:
        decode(any_pb2.Any(type_url=url, value=data))
    assert why in str(raised.value)


@pytest.mark.parametrize("value", [1 << 63, Int32(1 << 31), Float32(1e300), "\ud800"])
def test_what_does_not_fit_its_type_is_refused(value: Any) -> None:
    with pytest.raises(PayloadError, match="cannot store"):
        encode(value)


def test_messages_are_read_whatever_the_host_of_the_type_url() -> None:
    encoded = encode(Increased(by=3))
    assert encoded.type_url == "type.googleapis.com/example.stored.Increased"
    for url in (encoded.type_url, "x.example/example.stored.Increased", "example.stored.Increased"):
        assert decode(any_pb2.Any(type_url=url, value=encoded.value)) == Increased(by=3)


def test_json_is_stable() -> None:
    encoded = encode(Json("Cart", {"b": [1, "ä"], "a": None}))
    assert encoded.type_url == "json.cloudstate.io/Cart"
    assert encoded.value[2:].decode() == '{"a":null,"b":[1,"ä"]}'
    assert decode(encoded) == Json("Cart", {"a": None, "b": [1, "ä"]})


@pytest.mark.parametrize("value", [float("nan"), object(), {1: {}, "1": {}}])
def test_json_that_has_no_stable_form_is_refused(value: Any) -> None:
    with pytest.raises(PayloadError, match="of type Cart as JSON"):
        encode(Json("Cart", {"value": value}))


def test_any_passes_as_it_is_and_other_types_are_named() -> None:
    raw = any_pb2.Any(type_url="x/y", value=b"z")
    assert encode(raw) is raw
    with pytest.raises(PayloadError, match="of type complex"):
        encode(1j)


def test_a_codec_takes_the_declared_types_only() -> None:
    codec = Codec.of(Increased | WasReset)
    assert codec is not None
    assert codec.decode(codec.encode(WasReset())) == WasReset()
    with pytest.raises(PayloadError, match=r"declared Increased \| WasReset, not str"):
        codec.encode("text")
    with pytest.raises(PayloadError, match=r"declared Increased \| WasReset, not str"):
        codec.decode(encode("text"))
    raw = Codec.of(any_pb2.Any)
    assert raw is not None
    assert raw.decode(encode("text")) == encode("text")
    assert Codec.of(None) is None
