//! From `.proto` files to the two generated files.

use std::path::{Path, PathBuf};

use prost_build::Module;
use prost_types::FileDescriptorProto;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::{modules, service::Generator};

/// Why no code was generated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is missing, malformed, or imports something unknown. The text names file, line and column.
    #[error("cannot compile the .proto files: {0:?}")]
    Compile(#[source] protox::Error),
    /// The messages could not be turned into Rust.
    #[error("cannot generate Rust code from the .proto files")]
    Generate(#[source] std::io::Error),
    /// A generated file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Not called from a build script.
    #[error("OUT_DIR is not set: call `compile` from a build script, or use `compile_to`")]
    NoOutDir,
}

/// Compiles `protos`, found below `includes`, into the build script's output directory, and tells Cargo to do so again
/// when one of the files changes. `cloudstate_sdk::include_protos!()` includes the result.
///
/// # Errors
/// See [`Error`]. A build script should return it: the text shows where the `.proto` file is wrong.
pub fn compile(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    let out = std::env::var_os("OUT_DIR").ok_or(Error::NoOutDir)?;
    for path in includes
        .iter()
        .map(AsRef::as_ref)
        .chain(protos.iter().map(AsRef::as_ref))
    {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    compile_to(protos, includes, Path::new(&out))
}

/// Like [`compile`], into a directory of your choice: `cloudstate.rs` and `cloudstate.bin`, which the former embeds by
/// its name, so the two stay together.
///
/// # Errors
/// See [`Error`].
pub fn compile_to(
    protos: &[impl AsRef<Path>],
    includes: &[impl AsRef<Path>],
    out: &Path,
) -> Result<(), Error> {
    let mut compiler = protox::Compiler::with_file_resolver(resolver(includes));
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(protos).map_err(Error::Compile)?;
    write(out.join("cloudstate.bin"), compiler.encode_file_descriptor_set())?;
    let code = generate(compiler.file_descriptor_set().file).map_err(Error::Generate)?;
    write(out.join("cloudstate.rs"), code)
}

fn write(path: PathBuf, contents: impl AsRef<[u8]>) -> Result<(), Error> {
    std::fs::write(&path, contents).map_err(|source| Error::Write { path, source })
}

fn resolver(includes: &[impl AsRef<Path>]) -> ChainFileResolver {
    let mut chain = ChainFileResolver::new();
    for include in includes {
        chain.add(IncludeFileResolver::new(include.as_ref().to_owned()));
    }
    chain.add(BuiltIn);
    chain.add(GoogleFileResolver::new());
    chain
}

/// Finds `cloudstate/*.proto` and `google/api/*.proto` in the protocol crate.
struct BuiltIn;

impl FileResolver for BuiltIn {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = cloudstate_protocol::SOURCES
            .iter()
            .find(|(path, _)| *path == name);
        let (_, text) = source.ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

fn generate(mut files: Vec<FileDescriptorProto>) -> std::io::Result<String> {
    let mut config = prost_build::Config::new();
    config
        .prost_path("::cloudstate_sdk::prost")
        .prost_types_path("::cloudstate_sdk::prost_types")
        .extern_path(".google.protobuf.Any", "::cloudstate_sdk::protocol::Any")
        .enable_type_names()
        .service_generator(Box::new(Generator));
    for file in files.iter_mut().filter(|file| is_built_in(file)) {
        refer_to_sdk(&mut config, file);
        // Services, unlike types, cannot be left out by their path.
        file.service.clear();
    }
    // Built-in files stay in the request, since their types decide what can be derived for others.
    let module = |file: &FileDescriptorProto| Module::from_protobuf_package_name(file.package());
    Ok(modules::nest(config.generate(
        files.into_iter().map(|file| (module(&file), file)).collect(),
    )?))
}

/// Whether the Rust types of a file exist already.
fn is_built_in(file: &FileDescriptorProto) -> bool {
    file.name().starts_with("google/protobuf/")
        || cloudstate_protocol::SOURCES
            .iter()
            .any(|(path, _)| *path == file.name())
}

/// Takes the types of a built-in file from the SDK. Type by type, since other files may use the same packages.
fn refer_to_sdk(config: &mut prost_build::Config, file: &FileDescriptorProto) {
    if file.package() == "google.protobuf" {
        return;
    }
    let below = file
        .package()
        .strip_prefix("cloudstate")
        .unwrap_or(file.package());
    let module = below
        .split('.')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("::");
    let separator = if module.is_empty() { "" } else { "::" };
    let messages = file.message_type.iter().map(|message| message.name());
    for name in messages.chain(file.enum_type.iter().map(|it| it.name())) {
        let path = format!(".{}.{name}", file.package());
        config.extern_path(
            path,
            format!("::cloudstate_sdk::protocol::{module}{separator}{name}"),
        );
    }
}

#[cfg(test)]
mod tests;
