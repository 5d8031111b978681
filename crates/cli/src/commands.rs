//! One module for each command.

pub(crate) mod call;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dev;
pub(crate) mod inspect;
pub(crate) mod new;
pub(crate) mod proxy;
pub(crate) mod store;

use crate::args::Command;
use crate::exit::Failure;

pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Dev(arguments) => dev::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Call(arguments) => call::run(&arguments),
        Command::Store(arguments) => store::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
