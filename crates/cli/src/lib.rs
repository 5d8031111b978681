//! What the `cloudstate` command does.
//!
//! ```text
//!   arguments ──▶ args (clap) ──▶ commands::<one module each> ──▶ Ok, or Failure { exit code, text }
//!                    │                 │
//!                 settings          grpc: reflection, calls with messages known at run time
//! ```
//!
//! Each command writes its result to standard output and everything else to standard error. Absent: the proxy itself,
//! which `cloudstate-proxy` composes.

mod args;
mod commands;
mod exit;
mod grpc;
mod logging;
mod output;
mod settings;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use exit::{Exit, Failure};

/// Runs the command that the arguments, with the program's name first, ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match args::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody is left to be told when standard output is closed.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match commands::run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_silent() {
                eprintln!("{failure}");
            }
            failure.exit().into()
        }
    }
}
