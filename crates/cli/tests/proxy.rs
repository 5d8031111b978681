//! `cloudstate proxy`: how it starts, what it refuses, how it ends.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use std::net::TcpListener;

use cloudstate_store_sqlite::Sqlite;
use rustix::process::Signal;
use support::{Running, cloudstate, ended};

const FREE_PORTS: [&str; 4] = ["--http.port", "0", "--admin.port", "0"];

fn proxy(arguments: &[&str]) -> std::process::Command {
    cloudstate(&[&["proxy"], arguments].concat())
}

#[test]
fn it_says_which_ports_it_took_and_ends_at_sigterm_with_code_0() {
    let mut running = Running::start(&mut proxy(&[&FREE_PORTS[..], &["--store", "memory:"]].concat()));
    let line = running.line_with("client port taken");
    let port = line
        .rsplit(':')
        .next()
        .and_then(|port| port.trim().parse::<u16>().ok());
    assert!(port.is_some_and(|port| port != 0), "{line}");
    assert_eq!(running.end(Signal::TERM), Some(0));
}

#[test]
fn messages_can_be_json() {
    let json = ["--store", "memory:", "--log.format", "json"];
    let mut running = Running::start(&mut proxy(&[&FREE_PORTS[..], &json].concat()));
    let line = running.line_with("client port taken");
    let message: serde_json::Value = serde_json::from_str(&line).expect("one object a line");
    assert_eq!(message["level"], "INFO", "{message}");
}

#[test]
fn a_missing_directory_of_static_files_ends_it_with_code_2() {
    let arguments = ["--store", "memory:", "--static", "no/such/directory"];
    let refused = ended(&mut proxy(&[&FREE_PORTS[..], &arguments].concat()));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("no/such/directory (from http.static.dir): No such file"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("port taken"), "{}", refused.stderr);
}

#[test]
fn a_taken_port_ends_it_with_code_3() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let arguments = [
        "--http.host",
        "127.0.0.1",
        "--http.port",
        &port,
        "--admin.port",
        "0",
        "--store",
        "memory:",
    ];
    let refused = ended(&mut proxy(&arguments));
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(
        refused.stderr.contains(&port) && refused.stderr.contains("http.port"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_store_that_another_process_writes_ends_it_with_code_4() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let _held = Sqlite::open(directory.path()).expect("it opens");
    let url = format!("sqlite:{}", directory.path().display());
    let refused = ended(&mut proxy(&[&FREE_PORTS[..], &["--store", &url]].concat()));
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains(&format!("locked by process {}", std::process::id())),
        "{}",
        refused.stderr
    );
}

#[test]
fn wrong_settings_end_it_before_a_port_is_taken() {
    let refused = ended(&mut proxy(&["--http.port", "x"]));
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.stderr,
        "error: http.port: expected a port number, found `x` (flag --http.port)\n"
    );
}
