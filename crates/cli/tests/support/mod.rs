//! Runs the binary as a user does.

use std::process::{Command, Output};

/// The command with these arguments, without any setting from the environment of the test.
pub(crate) fn cloudstate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudstate"));
    command.args(arguments).env_clear();
    command
}

/// What a finished command wrote and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs it to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    command.output().expect("the binary can be started").into()
}
