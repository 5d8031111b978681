//! Compiles the service of the examples in this crate's documentation and tests.

fn main() -> Result<(), cloudstate_sdk_build::Error> {
    cloudstate_sdk_build::compile(&["proto/example.proto"], &["proto"])
}
