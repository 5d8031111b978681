//! The `cloudstate` command.

use std::process::ExitCode;

/// A command allocates and frees tasks and buffers of a few KiB on one thread, some of them on the next. The system's
/// allocator gives such pieces back to the kernel and asks for them again thousands of times a second; a quarter of a
/// command's CPU went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cloudstate_cli::run(std::env::args_os())
}
