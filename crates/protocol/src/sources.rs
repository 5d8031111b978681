//! The `.proto` files themselves, for code generators that must not depend on where this crate lies on disk.

/// The serialized `google.protobuf.FileDescriptorSet` of every file in [`SOURCES`] and what they import.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../proto/", $path)))),*]
    };
}

/// Import path and text of every file that the protocol and service authors use.
pub const SOURCES: &[(&str, &str)] = sources![
    "cloudstate/entity.proto",
    "cloudstate/event_sourced.proto",
    "cloudstate/value_entity.proto",
    "cloudstate/crdt.proto",
    "cloudstate/action.proto",
    "cloudstate/entity_key.proto",
    "cloudstate/legacy_entity_key.proto",
    "cloudstate/eventing.proto",
    "google/api/annotations.proto",
    "google/api/http.proto",
    "google/api/httpbody.proto",
];
