from cloudstate import CloudEvent, Metadata, entity_pb2


def test_keys_are_looked_up_without_regard_to_case_and_keep_theirs() -> None:
    metadata = Metadata([("Tag", "one"), ("tag", b"\x01"), ("TAG", "two"), ("other", "x")])
    assert (metadata.get("tAg"), metadata.get_bytes("tag")) == ("one", b"\x01")
    assert metadata.get_all("tag") == ["one", b"\x01", "two"]
    assert "tag" in metadata
    assert "none" not in metadata
    assert list(metadata.setting("tag", "three")) == [("other", "x"), ("tag", "three")]
    assert len(metadata.without("TAG")) == 1
    assert len(metadata) == 4, "it never changes"


def test_it_survives_the_protocol() -> None:
    metadata = Metadata([("text", "one"), ("data", b"\x00\xff"), ("text", "")])
    message = metadata.to_proto()
    assert message is not None
    assert Metadata.from_proto(message) == metadata
    assert Metadata().to_proto() is None
    assert list(Metadata.from_proto(entity_pb2.Metadata(entries=[entity_pb2.MetadataEntry(key="k")]))) == [("k", "")]


def test_a_cloud_event_needs_its_four_attributes() -> None:
    event = CloudEvent("1", "carts", "1.0", "t", data_content_type="text/plain", subject="ann")
    metadata = event.to_metadata()
    assert [key for key, _ in metadata] == [
        "ce-id",
        "ce-source",
        "ce-specversion",
        "ce-type",
        "Content-Type",
        "ce-subject",
    ]
    assert metadata.cloud_event == event
    for key in ("ce-id", "ce-source", "ce-specversion", "ce-type"):
        assert metadata.without(key).cloud_event is None, key
