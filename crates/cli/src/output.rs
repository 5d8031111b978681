//! Standard output, which its reader may close at any time: `cloudstate inspect … | head`.

use std::io::{self, Write};

use crate::exit::{Exit, Failure};

/// Writes a result.
///
/// # Errors
/// Nothing more can be written. When the reader has had enough, the failure says nothing: he knows.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::silent(Exit::Failure),
        _ => Failure::new(Exit::Failure, format!("cannot write to standard output: {error}")),
    })
}
