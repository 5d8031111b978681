//! Really kills a writing process, many times, at random moments.

#![allow(clippy::unwrap_used, reason = "tests fail by a panic")]

use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use cloudstate_store::{Options, Store, block_on};
use cloudstate_store_conformance::workload::{self, Acknowledged};
use cloudstate_store_sqlite::Sqlite;

const DIRECTORY: &str = "CLOUDSTATE_CRASH_TEST_DIRECTORY";
const ROUNDS: u64 = 30;

fn open(directory: &Path) -> Store {
    let options = Options {
        shards: 16,
        ..Options::default()
    };
    block_on(Store::open(Arc::new(Sqlite::open(directory).unwrap()), options)).unwrap()
}

#[test]
#[ignore = "the process that the crash test kills; it never ends by itself"]
fn writer_process() {
    let directory = std::env::var_os(DIRECTORY).unwrap();
    workload::run(&open(Path::new(&directory)));
}

fn spawn(directory: &Path) -> (Child, Receiver<String>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "writer_process"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    (child, lines)
}

/// Collects acknowledgements until the deadline.
fn collect(lines: &Receiver<String>, until: Instant, acknowledged: &mut Acknowledged) {
    loop {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => acknowledged.line(&line),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => panic!("the writer ended by itself"),
        }
    }
}

#[test]
fn every_acknowledged_commit_survives_kill_and_none_is_partial() {
    let directory = tempfile::tempdir().unwrap();
    let random = RandomState::new();
    let mut total = 0;
    for round in 0..ROUNDS {
        let (mut child, lines) = spawn(directory.path());
        let mut acknowledged = Acknowledged::default();
        // Every third one from its start on, which hits the opening too; the others from their first commit on.
        while round % 3 != 0 && acknowledged.count() == 0 {
            acknowledged.line(&lines.recv().unwrap());
        }
        let pause = Duration::from_micros(random.hash_one(round) % 100_000);
        collect(&lines, Instant::now() + pause, &mut acknowledged);
        child.kill().unwrap();
        child.wait().unwrap();
        lines.iter().for_each(|line| acknowledged.line(&line));
        let store = open(directory.path());
        acknowledged.verify(&store);
        block_on(store.close()).unwrap();
        total += acknowledged.count();
    }
    assert!(
        total > 10 * ROUNDS,
        "only {total} commits were acknowledged in {ROUNDS} rounds"
    );
}
