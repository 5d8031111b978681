//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{call, completions, config, dev, inspect, new, proxy, store};
use crate::exit;

/// Keeps the state of stateless functions: a Cloudstate proxy and its tools.
#[derive(Debug, Parser)]
#[command(name = "cloudstate", version, after_help = exit::HELP, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Proxy(proxy::Arguments),
    Dev(dev::Arguments),
    New(new::Arguments),
    Call(call::Arguments),
    Inspect(inspect::Arguments),
    Store(store::Arguments),
    Config(config::Arguments),
    Completions(completions::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
