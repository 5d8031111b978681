//! Generates messages and traits from the `.proto` files.

fn main() -> Result<(), cloudstate_sdk_build::Error> {
    cloudstate_sdk_build::compile(
        &[
            "proto/presence.proto",
            "proto/friends.proto",
            "proto/rooms.proto",
            "proto/places.proto",
        ],
        &["proto"],
    )
}
