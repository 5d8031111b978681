//! `cloudstate completions`: what a shell needs to complete our command line.

use std::io;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::exit::Failure;

/// Print the completion script of a shell
///
/// For bash: `cloudstate completions bash > ~/.local/share/bash-completion/completions/cloudstate`
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut command = crate::args::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "cloudstate", &mut io::stdout());
    Ok(())
}
