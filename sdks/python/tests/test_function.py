from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from example.example_cloudstate import CounterValue
from example.stored.events_pb2 import Count
from google.protobuf import descriptor_pb2, descriptor_pool
from test_action import SumsHandlers
from test_crdt import PresenceEntity
from test_value import CounterEntity

from cloudstate import Action, CrdtEntity, DeclarationError, UserFunction, Value


class Other(CounterValue[Count]):
    increase: Any = None
    get: Any = None
    reset: Any = None


def test_a_declaration_says_what_is_served_and_brings_all_descriptors() -> None:
    function = UserFunction("shop", "1.2").add(
        Value("counters", CounterEntity, passivation_timeout=timedelta(seconds=1.5)),
        CrdtEntity("presence", PresenceEntity, command_metadata=False),
        Action(SumsHandlers()),
    )
    spec = function.declare().spec
    info = spec.service_info
    assert (info.service_name, info.service_version, info.support_library_name) == ("shop", "1.2", "cloudstate")
    assert (info.protocol_major_version, info.protocol_minor_version) == (0, 2)
    assert [(it.entity_type, it.service_name, it.persistence_id, it.command_metadata) for it in spec.entities] == [
        ("cloudstate.valueentity.ValueEntity", "example.Counter", "counters", True),
        ("cloudstate.crdt.Crdt", "example.Presence", "presence", False),
        ("cloudstate.action.ActionProtocol", "example.Sums", "Sums", False),
    ]
    assert spec.entities[0].passivation_strategy.timeout.timeout == 1500
    assert not spec.entities[1].HasField("passivation_strategy")
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(spec.proto).file
    names = [file.name for file in files]
    assert len(names) == len(set(names))
    for file in files:
        pool.Add(file)
    comments = {it.leading_comments for file in files for it in file.source_code_info.location}
    assert " Counts.\n" in comments
    assert pool.FindServiceByName("example.Counter").methods_by_name["Increase"].input_type.name == "IncreaseRequest"


@pytest.mark.parametrize(
    ("registrations", "text"),
    [
        ([], "serves nothing"),
        ([Value("a", CounterEntity), Value("b", Other)], "the service example.Counter is added twice"),
        ([Value("", CounterEntity)], "the persistence id of example.Counter is empty"),
        (
            [Value("a", CounterEntity), CrdtEntity("a", PresenceEntity)],
            "the persistence id 'a' is used by example.Counter and by example.Presence",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(registrations: list[Any], text: str) -> None:
    with pytest.raises(DeclarationError, match=text):
        UserFunction("shop", "1").add(*registrations).declare()
