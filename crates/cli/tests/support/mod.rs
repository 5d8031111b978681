//! Runs the binary as a user does.

#![allow(dead_code, reason = "each test program uses a part")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use cloudstate_sdk::{Listener, ServerOptions, UserFunction};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything here takes on a busy machine, the build of a project included.
const PATIENCE: Duration = Duration::from_secs(600);

/// The command with these arguments, without any setting from the environment of the test.
pub(crate) fn cloudstate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudstate"));
    command.args(arguments).env_clear();
    command
}

/// Serves a function for as long as the test runs, on the port that it gives.
pub(crate) fn serve(function: UserFunction) -> String {
    let (sender, address) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = Listener::tcp("127.0.0.1", 0).expect("a free port");
            sender.send(listener.address()).expect("it is waited for");
            function
                .serve(listener, ServerOptions::default(), std::future::pending())
                .await
                .expect("it serves");
        });
    });
    let address = address.recv().expect("it listens");
    let (_, port) = address.rsplit_once(':').expect("host:port");
    port.to_owned()
}

/// A proxy in a process of its own, and the host and port where it serves. Flags come on top of those that the test needs.
pub(crate) fn start_proxy(function: &str, store: &str, flags: &[&str]) -> (Running, String) {
    let needed = [
        "proxy",
        "--http.host",
        "127.0.0.1",
        "--admin.port",
        "0",
        "--function.port",
        function,
        "--function.backoff-min",
        "10ms",
        "--store",
        store,
    ];
    let port = if flags.contains(&"--http.port") {
        &[][..]
    } else {
        &["--http.port", "0"]
    };
    let mut running = Running::start(&mut cloudstate(&[&needed, port, flags].concat()));
    let line = running.line_with("serving clients");
    let (_, address) = line.split_once("address=").expect("the line has the address");
    (running, address.trim().to_owned())
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

/// A command that goes on until it is told to end, or dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Lines that were passed over.
    pub(crate) seen: Vec<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let (sender, lines) = channel();
        let outputs: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("it is piped")),
            Box::new(child.stderr.take().expect("it is piped")),
        ];
        for output in outputs {
            let sender = sender.clone();
            std::thread::spawn(move || {
                // The test may have ended.
                BufReader::new(output)
                    .lines()
                    .map_while(Result::ok)
                    .all(|line| sender.send(line).is_ok())
            });
        }
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line of its output, in either stream, with this text; lines before it are passed over.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => self.seen.push(line),
                Err(_) => panic!("no line with {text:?}; seen:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and waits for the exit code.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<i32> {
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a process id");
        kill_process(id, signal).expect("it runs");
        self.child.wait().expect("it can be waited for").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked first, so that it ends its children; it does nothing when it has ended.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.end(Signal::TERM);
        }
    }
}
