//! Generates messages and traits from the `.proto` file.

fn main() -> Result<(), cloudstate_sdk_build::Error> {
    cloudstate_sdk_build::compile(&["proto/crdt_examples.proto"], &["proto"])
}
