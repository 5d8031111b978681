//! Child processes: each in a group of its own, with its output prefixed, and never left behind.

use std::io::{self, PipeWriter, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::task::JoinHandle;

/// A command as the user or we wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandLine {
    /// For the shell.
    Shell(String),
    /// Program and arguments.
    Program(Vec<String>),
}

impl CommandLine {
    /// A program with arguments.
    pub(super) fn program(words: &[&str]) -> Self {
        Self::Program(words.iter().map(ToString::to_string).collect())
    }

    /// As the user would type it.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Shell(text) => text.clone(),
            Self::Program(words) => words.join(" "),
        }
    }

    /// A command that runs it in this directory.
    pub(super) fn command(&self, directory: &Path) -> Command {
        let mut command = match self {
            Self::Shell(text) => {
                let mut command = Command::new("sh");
                command.args(["-c", text]);
                command
            }
            Self::Program(words) => {
                // An empty list is refused when read; an empty name fails to start with a clear error.
                let (program, arguments) = words
                    .split_first()
                    .map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
                // A relative path means one below the project, wherever the command itself runs.
                let below = program.contains('/') && Path::new(program).is_relative();
                let mut command = if below {
                    Command::new(directory.join(program))
                } else {
                    Command::new(program)
                };
                command.args(arguments);
                command
            }
        };
        command.current_dir(directory);
        command
    }
}

/// A running child. Dropping it kills its whole group, and so does the end of this process, however it comes.
pub(super) struct Child {
    process: tokio::process::Child,
    group: Option<Pid>,
    guard: Option<Guard>,
    outputs: Vec<JoinHandle<()>>,
}

/// A process that kills a group when this one ends without having said that the group is gone, as by SIGKILL.
struct Guard {
    /// Closed by the system when this process ends.
    alive: PipeWriter,
}

impl Guard {
    fn start(group: Pid) -> io::Result<Self> {
        let (watched, alive) = io::pipe()?;
        let mut command = std::process::Command::new("sh");
        command.args([
            "-c",
            "read -r gone || kill -s KILL -- \"-$0\"",
            &group.as_raw_nonzero().to_string(),
        ]);
        // Own group: what ends this process from the terminal must not end the guard before it.
        command
            .process_group(0)
            .stdin(watched)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Dropping tokio's handle leaves waiting for it to the runtime.
        drop(Command::from(command).spawn()?);
        Ok(Self { alive })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Fails when the guard is gone, which is what is wanted.
        let _ = self.alive.write_all(b"gone\n");
    }
}

/// What is done with a line of output.
pub(super) type Line = Box<dyn FnMut(&str)>;

/// Writes lines to standard error with a prefix.
pub(super) fn prefixed(prefix: &'static str) -> Line {
    Box::new(move |line| eprintln!("{prefix:>8} | {line}"))
}

impl Child {
    /// Starts a command; its lines go where it is told. Needs a tokio `LocalSet` or local runtime.
    pub(super) fn start(mut command: Command, stdout: Line, stderr: Line) -> io::Result<Self> {
        // Own group: signals from the terminal reach us alone, and grandchildren end with the child.
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.kill_on_drop(true).spawn()?;
        let group = process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let outputs = [
            process
                .stdout
                .take()
                .map(|output| tokio::task::spawn_local(forward(output, stdout))),
            process
                .stderr
                .take()
                .map(|output| tokio::task::spawn_local(forward(output, stderr))),
        ];
        // Without a guard, the group is still killed in every end but the hardest.
        let guard = group.and_then(|group| Guard::start(group).ok());
        Ok(Self {
            process,
            group,
            guard,
            outputs: outputs.into_iter().flatten().collect(),
        })
    }

    /// Waits for its end, and for the output written until then. May be dropped and called again.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.wait().await?;
        // What is left of the group would hold the port and the output.
        self.signal(Signal::KILL);
        self.guard = None;
        while let Some(output) = self.outputs.last_mut() {
            // Fails only if the task panicked; its line was not worth more.
            let _ = output.await;
            self.outputs.pop();
        }
        Ok(status)
    }

    /// Asks it to end, and kills it when it does not within this time.
    pub(super) async fn stop(mut self, patience: Duration) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(patience, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            // Its port must be free when its successor starts. Fails only if there is nothing to wait for.
            let _ = self.ended().await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Fails when the group is gone already, which is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.outputs.iter().for_each(JoinHandle::abort);
    }
}

async fn forward(output: impl AsyncRead + Unpin, mut line: Line) {
    let mut lines = BufReader::new(output).split(b'\n');
    while let Ok(Some(bytes)) = lines.next_segment().await {
        line(String::from_utf8_lossy(&bytes).trim_end_matches('\r'));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    fn local<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        tokio::task::LocalSet::new().block_on(&runtime, future)
    }

    fn shell(text: &str, lines: &Rc<RefCell<Vec<String>>>) -> Child {
        let keep = |lines: &Rc<RefCell<Vec<String>>>| -> Line {
            let lines = Rc::clone(lines);
            Box::new(move |line| lines.borrow_mut().push(line.to_owned()))
        };
        let command = CommandLine::Shell(text.to_owned()).command(Path::new("/"));
        Child::start(command, keep(lines), keep(lines)).expect("a shell")
    }

    #[test]
    fn output_is_complete_when_the_end_is_reported() {
        let lines = Rc::default();
        let status = local(async {
            let mut child = shell("echo out; echo err >&2; printf unended; exit 3", &lines);
            child.ended().await.expect("it can be waited for")
        });
        assert_eq!(status.code(), Some(3));
        let mut lines = lines.take();
        lines.sort();
        assert_eq!(lines, ["err", "out", "unended"]);
    }

    #[test]
    fn grandchildren_end_with_the_child() {
        let lines = Rc::default();
        local(async {
            // The grandchild holds the output open; without the group's end this would take an hour.
            let mut child = shell("sleep 3600 & echo started", &lines);
            child.ended().await.expect("it can be waited for");
        });
        assert_eq!(lines.take(), ["started"]);
    }

    #[test]
    fn one_that_ignores_the_request_to_end_is_killed() {
        local(async {
            let ready = Rc::new(tokio::sync::Notify::new());
            let told = Rc::clone(&ready);
            let command = CommandLine::Shell("trap '' TERM; echo ready; while :; do :; done".to_owned());
            let tell: Line = Box::new(move |_| told.notify_one());
            let child =
                Child::start(command.command(Path::new("/")), tell, Box::new(|_| ())).expect("a shell");
            ready.notified().await;
            let group = child.group.expect("it has just started");
            child.stop(Duration::from_millis(50)).await;
            assert!(
                kill_process_group(group, Signal::KILL).is_err(),
                "the group is gone"
            );
        });
    }
}
