"""Metadata of commands and replies, and its view as a CloudEvent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cloudstate import entity_pb2

Value = str | bytes
"""What an entry holds."""


class Metadata:
    """An ordered multi-map. Keys are looked up without regard to case, and keep theirs. It never changes."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[tuple[str, Value]] = ()) -> None:
        self._entries = tuple(entries)

    def get(self, key: str) -> str | None:
        """Returns the first text under a key."""
        return next((value for value in self._values(key) if isinstance(value, str)), None)

    def get_bytes(self, key: str) -> bytes | None:
        """Returns the first bytes under a key; text is not converted."""
        return next((value for value in self._values(key) if isinstance(value, bytes)), None)

    def get_all(self, key: str) -> list[Value]:
        """Returns everything under a key, in order."""
        return list(self._values(key))

    def adding(self, key: str, value: Value) -> Metadata:
        """Returns this and one entry more."""
        return Metadata((*self._entries, (key, value)))

    def setting(self, key: str, value: Value) -> Metadata:
        """Returns this with one entry in place of all under its key."""
        return self.without(key).adding(key, value)

    def without(self, key: str) -> Metadata:
        """Returns this without what is under a key."""
        folded = key.lower()
        return Metadata(entry for entry in self._entries if entry[0].lower() != folded)

    @property
    def cloud_event(self) -> CloudEvent | None:
        """The view as a CloudEvent, if the four required attributes are there."""
        return CloudEvent.of(self)

    def _values(self, key: str) -> Iterator[Value]:
        folded = key.lower()
        return (value for name, value in self._entries if name.lower() == folded)

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and any(True for _ in self._values(key))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metadata) and self._entries == other._entries

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        return f"Metadata({list(self._entries)!r})"

    @classmethod
    def from_proto(cls, message: entity_pb2.Metadata) -> Metadata:
        """Reads the protocol's form. An entry without a value is read as empty text."""
        return cls(
            (entry.key, entry.bytes_value if entry.HasField("bytes_value") else entry.string_value)
            for entry in message.entries
        )

    def to_proto(self) -> entity_pb2.Metadata | None:
        """Returns the protocol's form; `None`, which leaves the field out, if there is nothing in it."""
        if not self._entries:
            return None
        return entity_pb2.Metadata(entries=[_entry(key, value) for key, value in self._entries])


def _entry(key: str, value: Value) -> entity_pb2.MetadataEntry:
    if isinstance(value, bytes):
        return entity_pb2.MetadataEntry(key=key, bytes_value=value)
    return entity_pb2.MetadataEntry(key=key, string_value=value)


@dataclass(frozen=True)
class CloudEvent:
    """The attributes of a CloudEvent (1.0), as the HTTP binary binding names them in metadata."""

    id: str
    source: str
    spec_version: str
    type: str
    data_content_type: str | None = None
    data_schema: str | None = None
    subject: str | None = None
    time: str | None = None
    """When it happened, as RFC 3339 text."""

    @classmethod
    def of(cls, metadata: Metadata) -> CloudEvent | None:
        """Reads it from metadata; `None` if a required attribute is missing."""
        event_id, source = metadata.get("ce-id"), metadata.get("ce-source")
        spec_version, event_type = metadata.get("ce-specversion"), metadata.get("ce-type")
        if event_id is None or source is None or spec_version is None or event_type is None:
            return None
        return cls(
            id=event_id,
            source=source,
            spec_version=spec_version,
            type=event_type,
            data_content_type=metadata.get("Content-Type"),
            data_schema=metadata.get("ce-dataschema"),
            subject=metadata.get("ce-subject"),
            time=metadata.get("ce-time"),
        )

    def to_metadata(self) -> Metadata:
        """Writes it as metadata, in the order of the specification."""
        entries = (
            ("ce-id", self.id),
            ("ce-source", self.source),
            ("ce-specversion", self.spec_version),
            ("ce-type", self.type),
            ("Content-Type", self.data_content_type),
            ("ce-dataschema", self.data_schema),
            ("ce-subject", self.subject),
            ("ce-time", self.time),
        )
        return Metadata((key, value) for key, value in entries if value is not None)
