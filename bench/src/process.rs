//! CPU time and memory of processes, as the kernel counts them, and child processes that end with their owner.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

/// Clock ticks a second in `/proc`; the kernel fixes it at 100 for user space on all common architectures.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of a process so far, all threads included. In steps of 10 ms.
///
/// # Errors
/// There is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = read(pid, "stat")?;
    // The second field is the name in parentheses, which may hold spaces.
    let (_, fields) = stat.rsplit_once(')').context("no name in /proc/<pid>/stat")?;
    let mut ticks = 0;
    // utime and stime are fields 14 and 15; the first after the name is field 3.
    for field in fields.split_ascii_whitespace().skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(Duration::from_millis(ticks * (1000 / TICKS_PER_SECOND)))
}

/// Resident memory of a process, in bytes.
///
/// # Errors
/// There is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = read(pid, "status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kib = line.trim().trim_end_matches("kB").trim().parse::<u64>()?;
    Ok(kib * 1024)
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

/// A child process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stderr: BufReader<ChildStderr>,
    name: String,
}

impl Process {
    /// Starts a command. Its stderr is read by [`wait_for_line`](Self::wait_for_line).
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Process> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stderr = BufReader::new(child.stderr.take().context("no stderr")?);
        Ok(Process { child, stderr, name })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads stderr up to a line that contains `text`, and returns that line.
    ///
    /// # Errors
    /// The process ended before; what it wrote is in the error.
    pub fn wait_for_line(&mut self, text: &str) -> Result<String> {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            if self.stderr.read_line(&mut seen)? == 0 {
                anyhow::bail!("{} ended without saying {text:?}:\n{seen}", self.name);
            }
            if seen[start..].contains(text) {
                return Ok(seen[start..].trim_end().to_owned());
            }
        }
    }

    /// Reads stderr to its end in a thread of its own, so that the process never waits for a reader.
    pub fn drain(mut self) -> Running {
        let mut stderr = self.stderr.into_inner();
        std::thread::spawn(move || {
            let mut sink = [0; 4096];
            while matches!(stderr.read(&mut sink), Ok(1..)) {}
        });
        self.name.shrink_to_fit();
        Running { child: self.child }
    }
}

/// A child process that runs; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

impl Running {
    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
