//! A PostgreSQL server of a test's own, by `test-servers/postgres`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::leave_out;

/// The script's exit status if there is no PostgreSQL.
const NOT_INSTALLED: i32 = 3;

/// A running server, with an empty database `cloudstate` and a user of that name. It ends with the value, or with the test
/// program, however that ends.
pub struct PostgresServer {
    directory: PathBuf,
    environment: Vec<(&'static str, String)>,
    script: Child,
    schemas: AtomicUsize,
}

impl PostgresServer {
    /// Starts a server. `environment` is what `test-servers/postgres` reads. `None` means that the test is left out.
    ///
    /// # Panics
    /// As [`leave_out`], or if the server does not start.
    pub fn start(test: &str, environment: &[(&'static str, String)]) -> Option<PostgresServer> {
        let directory = tempfile::Builder::new().prefix("cloudstate-postgres-").tempdir();
        // The script removes it, even if this program is killed.
        let directory = directory.map(tempfile::TempDir::keep);
        let directory = directory.unwrap_or_else(|error| panic!("no directory for a server: {error}"));
        let mut script = script("run", &directory, environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("test-servers/postgres: {error}"));
        let mut line = String::new();
        if let Some(output) = script.stdout.take() {
            let _ = BufReader::new(output).read_line(&mut line);
        }
        if line.trim() != "ready" {
            drop(script.stdin.take());
            let status = script.wait().ok().and_then(|status| status.code());
            let _ = std::fs::remove_dir_all(&directory);
            assert!(status == Some(NOT_INSTALLED), "{test}: the server did not start");
            leave_out(test, "PostgreSQL's server", "there is no initdb");
            return None;
        }
        Some(PostgresServer {
            directory,
            environment: environment.to_vec(),
            script,
            schemas: AtomicUsize::new(0),
        })
    }

    /// The server that all tests of this program share.
    ///
    /// # Panics
    /// As [`PostgresServer::start`].
    pub fn shared(test: &str) -> Option<&'static PostgresServer> {
        static SHARED: OnceLock<Option<PostgresServer>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| PostgresServer::start(test, &[]));
        if shared.is_none() {
            leave_out(test, "PostgreSQL's server", "there is no initdb");
        }
        shared.as_ref()
    }

    /// A store that nobody has used: its URL, over the Unix socket.
    pub fn fresh_url(&self) -> String {
        let number = self.schemas.fetch_add(1, Relaxed);
        let host = self.directory.display().to_string().replace('/', "%2F");
        format!("postgres://cloudstate@{host}/cloudstate?schema=test{number}")
    }

    /// Where its socket and its certificates are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The socket itself.
    pub fn socket(&self) -> PathBuf {
        self.directory.join(".s.PGSQL.5432")
    }

    /// Runs SQL as the administrator, on the database `cloudstate`, and answers what `psql` prints.
    ///
    /// # Panics
    /// If it fails.
    pub fn sql(&self, sql: &str) -> String {
        let output = Command::new("psql")
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-h",
            ])
            .arg(&self.directory)
            .args(["-d", "cloudstate", "-c", sql])
            .output()
            .unwrap_or_else(|error| panic!("psql: {error}"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Kills all its processes.
    pub fn kill(&self) {
        self.run("kill9");
    }

    /// Stops it in order; connections are cut.
    pub fn stop(&self) {
        self.run("stop");
    }

    /// Starts it after a kill or a stop, and waits until it answers.
    pub fn start_again(&self) {
        self.run("start");
    }

    fn run(&self, command: &str) {
        let status = script(command, &self.directory, &self.environment).status();
        let done = status.as_ref().is_ok_and(std::process::ExitStatus::success);
        assert!(done, "test-servers/postgres {command}: {status:?}");
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

fn script(command: &str, directory: &Path, environment: &[(&'static str, String)]) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-servers/postgres");
    let mut script = Command::new(path);
    script
        .arg(command)
        .arg(directory)
        .envs(environment.iter().map(|(name, value)| (name, value)));
    script
}
