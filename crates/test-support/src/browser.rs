//! A browser without a window.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// What keeps it from asking others than the page: it has nothing to update, to sync or to report.
pub(crate) const FLAGS: [&str; 9] = [
    "--headless",
    // It cannot be started by root otherwise. It sees no page but those of the test.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
];
/// Without somebody to talk to, it would end when the page is loaded.
const STAY: &str = "--remote-debugging-port=0";

/// A running Chromium with a profile of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    _processes: Group,
    _profile: TempDir,
}

/// A process that leads a group of its own. Dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Group(pub(crate) Child);

impl Browser {
    /// Opens a page. What happens on it, it must tell the test's server itself. `None` means that the test is left out.
    ///
    /// # Panics
    /// As [`leave_out`](crate::leave_out), or if the browser cannot be started.
    pub fn open(test: &str, url: &str) -> Option<Self> {
        let program = crate::program(test, "chromium")?;
        let profile = tempfile::tempdir().unwrap_or_else(|error| panic!("no place for a profile: {error}"));
        let child = Command::new(&program)
            .args(FLAGS)
            .arg(STAY)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its many processes are ended together.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        Some(Browser {
            _processes: Group(child),
            _profile: profile,
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // An error means that it has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}
