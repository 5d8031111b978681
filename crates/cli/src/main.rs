//! The `cloudstate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    cloudstate_cli::run(std::env::args_os())
}
