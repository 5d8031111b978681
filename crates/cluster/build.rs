//! Compiles the messages between nodes without a system `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["cloudstate/cluster/peer.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .bytes(".")
        .disable_comments(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
