//! How the command ends.

use std::fmt;
use std::process::ExitCode;

/// Why the command ended without success. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Anything without a number of its own.
    Failure = 1,
    /// Wrong arguments or settings.
    Usage = 2,
    /// A port to listen on is taken.
    PortInUse = 3,
    /// The store cannot be opened: locked, foreign, not writable.
    Store = 4,
    /// `call`: the answer was a status other than OK.
    Status = 5,
    /// Nobody answers at the address.
    Unreachable = 6,
}

/// Shown at the end of `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  success; for `proxy` and `dev`, also after SIGTERM or SIGINT
  1  a failure without a code of its own
  2  wrong arguments or settings
  3  a port to listen on is taken
  4  the store cannot be opened: locked by another process, of another format, unreachable, or not writable
  5  `call`: the answer was a status other than OK
  6  `call`, `inspect --function`: nobody answers at the address";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failed command: what to tell the user and how to exit.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    /// A failure with this text, which says what, where, and the fix.
    pub fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self {
            exit,
            text: text.to_string(),
        }
    }

    /// A failure of which nobody needs to be told.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// Whether there is a text to show.
    pub(crate) fn is_silent(&self) -> bool {
        self.text.is_empty()
    }

    /// How to exit.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.text.replace('\n', "\nerror: "))
    }
}

impl std::error::Error for Failure {}
