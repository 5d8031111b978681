//! What a test does when the machine lacks something that it wants: a toolchain, a server, a kernel facility.
//!
//! ```text
//!   test ──wants──▶ there: it runs
//!              └──▶ missing: a line in the file that CLOUDSTATE_TEST_LEFT_OUT names, and it is left out;
//!                   with CLOUDSTATE_TEST_SERVERS=all it fails
//! ```
//!
//! A browser is one of these things: [`Browser`] opens a page that does the test itself, [`Driver`] is told what to do on it.
//! A database server is another: [`PostgresServer`].
//!
//! Absent: installing what is missing.

mod browser;
mod driver;
mod postgres;

pub use browser::Browser;
pub use driver::Driver;
pub use postgres::PostgresServer;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::{env, fs};

/// Leaves a test out: says so on standard error, and in the file that `CLOUDSTATE_TEST_LEFT_OUT` names, if it names one.
/// `wants` is what a reader has to install.
///
/// # Panics
/// If `CLOUDSTATE_TEST_SERVERS=all` demands that nothing is left out, or the file cannot be written.
pub fn leave_out(test: &str, wants: &str, cause: impl Display) {
    let all = env::var("CLOUDSTATE_TEST_SERVERS").is_ok_and(|servers| servers == "all");
    assert!(!all, "{test} wants {wants}: {cause}");
    let line = format!("{test}: wants {wants}");
    eprintln!("left out: {line} ({cause})");
    let Some(path) = env::var_os("CLOUDSTATE_TEST_LEFT_OUT").filter(|path| !path.is_empty()) else {
        return;
    };
    // Test programs run side by side; a line written at once to a file opened for appending is not torn.
    let file = fs::OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        panic!("cannot write to {}: {error}", path.display());
    }
}

/// The program of this name in `PATH`. `None` means that the test is left out.
///
/// # Panics
/// As [`leave_out`].
pub fn program(test: &str, name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        leave_out(test, name, "it is not in PATH");
    }
    found
}
