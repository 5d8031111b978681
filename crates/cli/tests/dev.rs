//! `cloudstate dev`: builds, runs, restarts and ends a function.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rustix::process::Signal;
use support::{Running, cloudstate};
use tempfile::TempDir;

/// A project whose program is a script, copied by its build.
fn project(script: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let own = "[function]\nbuild = \"sh -e build.sh\"\nrun = [\"sh\", \"function\"]\nwatch = [\"source\"]\n";
    write(directory.path(), "cloudstate.toml", own);
    write(
        directory.path(),
        "build.sh",
        "grep -q broken source && { echo 'no good' >&2; exit 7; }; cp source function",
    );
    write(directory.path(), "source", script);
    directory
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).expect("it can be written");
}

fn dev(project: &TempDir) -> Running {
    let path = project.path().to_str().expect("UTF-8");
    let mut command = cloudstate(&["dev", path, "--http.port", "0", "--admin.port", "0"]);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    Running::start(&mut command)
}

#[test]
fn the_function_is_told_where_to_listen() {
    let project = project("echo \"at $HOST:$PORT${SOCKET-}\"; exec sleep 3600");
    let mut dev = dev(&project);
    let line = dev.line_with("function | at ");
    let port = line.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    assert!(
        line.contains("at 127.0.0.1:") && port.is_some_and(|port| port > 0),
        "{line}"
    );
}

#[test]
fn a_socket_is_told_in_place_of_host_and_port() {
    let project = project("echo \"at ${HOST-}${PORT-}$SOCKET\"; exec sleep 3600");
    write(
        project.path(),
        "cloudstate.toml",
        "[function]\nrun = \"sh source\"\nsocket = \"/tmp/f.sock\"\n",
    );
    assert!(
        dev(&project)
            .line_with("function | at ")
            .ends_with("at /tmp/f.sock")
    );
}

#[test]
fn a_failed_build_leaves_the_old_function_running_and_a_good_one_replaces_it() {
    let project = project("echo first; exec sleep 3600");
    let mut dev = dev(&project);
    dev.line_with("function | first");
    write(project.path(), "source", "broken");
    dev.line_with("build | no good");
    dev.line_with("the build failed (exit status: 7); the function that was built before goes on");
    write(project.path(), "source", "echo second; exec sleep 3600");
    dev.line_with("restarting the function");
    dev.line_with("function | second");
}

#[test]
fn a_function_that_fails_to_build_at_first_is_run_once_it_builds() {
    let project = project("broken");
    let mut dev = dev(&project);
    dev.line_with("the build failed (exit status: 7); waiting for a change");
    write(project.path(), "source", "echo repaired; exec sleep 3600");
    dev.line_with("function | repaired");
}

#[test]
fn a_function_that_ends_is_started_again_after_a_growing_wait() {
    let project = project("echo up; exit 3");
    let mut dev = dev(&project);
    dev.line_with("the function ended by itself (exit status: 3); starting it again in 500ms");
    dev.line_with("function | up");
    dev.line_with("starting it again in 1s");
}

/// The function holds one end of a pipe; the end of that comes when every process that held it is gone.
fn ends_with_its_children_at(signal: Signal, code: Option<i32>) {
    let project = project("exec 3>alive; sleep 3600 & echo up; wait");
    let alive = project.path().join("alive");
    let made = std::process::Command::new("mkfifo")
        .arg(&alive)
        .status()
        .expect("mkfifo is there");
    assert!(made.success());
    let mut dev = dev(&project);
    let mut alive = fs::File::open(alive).expect("the function opens the other end");
    dev.line_with("function | up");
    assert_eq!(dev.end(signal), code);
    assert_eq!(alive.read(&mut [0]).expect("a pipe"), 0);
}

#[test]
fn the_end_of_the_command_is_the_end_of_the_function_and_its_children() {
    ends_with_its_children_at(Signal::TERM, Some(0));
}

#[test]
fn the_end_of_the_terminal_is_the_end_of_the_function_and_its_children() {
    ends_with_its_children_at(Signal::HUP, Some(0));
}

#[test]
fn even_a_killed_command_leaves_nothing_behind() {
    ends_with_its_children_at(Signal::KILL, None);
}

/// What the admin port says of the cluster; `None` while it does not listen.
fn members(admin: u16) -> Option<Vec<(String, bool)>> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", admin)).ok()?;
    let request = b"GET /cluster HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    let page: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let member = |member: &serde_json::Value| {
        let name = member["name"].as_str().expect("a name").to_owned();
        (name, member["reachable"] == true)
    };
    Some(
        page["members"]
            .as_array()
            .expect("members")
            .iter()
            .map(member)
            .collect(),
    )
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn several_nodes_are_one_cluster_and_one_may_be_killed() {
    let project = project("exec sleep 3600");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let admin = free.local_addr().expect("an address").port();
    drop(free);
    let path = project.path().to_str().expect("UTF-8");
    let port = admin.to_string();
    let mut command = cloudstate(&[
        "dev",
        path,
        "--nodes",
        "3",
        "--http.port",
        "0",
        "--admin.port",
        &port,
    ]);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let mut dev = Running::start(&mut command);
    let nodes = |reachable: [bool; 3]| -> Vec<(String, bool)> {
        (1..)
            .zip(reachable)
            .map(|(number, is)| (format!("node-{number}"), is))
            .collect()
    };
    let seen = || {
        let mut members = members(admin)?;
        members.sort();
        Some(members)
    };
    wait_for("three nodes see each other", || seen() == Some(nodes([true; 3])));

    let second = child_with(dev.id(), "--node-name=node-2");
    rustix::process::kill_process(second, Signal::KILL).expect("it runs");
    dev.line_with("node-2 has ended (signal: 9");
    wait_for("the others see it go", || {
        seen() == Some(nodes([true, false, true]))
    });
    assert_eq!(dev.end(Signal::TERM), Some(0));
}

/// The child of a process that has this argument.
fn child_with(parent: u32, argument: &str) -> rustix::process::Pid {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).expect("it runs");
    let is_it = |id: &&str| {
        let arguments = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        arguments.split('\0').any(|one| one == argument)
    };
    let id = children.split_whitespace().find(is_it).expect("there is one");
    id.parse()
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a process id")
}
