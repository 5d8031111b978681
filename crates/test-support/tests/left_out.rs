//! The three outcomes, each in a process of its own with its own environment.

#![expect(clippy::expect_used, reason = "in a test, a failure is a panic")]

use std::process::{Command, Output};

use cloudstate_test_support::program;

/// Not a test of its own: what the others run.
#[test]
#[ignore = "started by the other tests"]
fn wants_something() {
    let name = std::env::var("WANTED").expect("set by the caller");
    if program("wants_something", &name).is_some() {
        println!("it runs");
    }
}

fn run(wanted: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().expect("a program"))
        .args(["--ignored", "--exact", "--nocapture", "wants_something"])
        .env_remove("CLOUDSTATE_TEST_LEFT_OUT")
        .env_remove("CLOUDSTATE_TEST_SERVERS")
        .env("WANTED", wanted)
        .envs(variables.iter().copied())
        .output()
        .expect("it can be started")
}

#[test]
fn what_is_there_lets_the_test_run() {
    let output = run("sh", &[("CLOUDSTATE_TEST_SERVERS", "all")]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("it runs"));
}

#[test]
fn what_is_missing_is_named_in_the_file() {
    let file = std::env::temp_dir().join(format!("left-out-{}", std::process::id()));
    let path = file.to_str().expect("a plain path");
    for _ in 0..2 {
        let output = run("no-such-program", &[("CLOUDSTATE_TEST_LEFT_OUT", path)]);
        assert!(output.status.success());
        assert!(!String::from_utf8_lossy(&output.stdout).contains("it runs"));
    }
    let lines = std::fs::read_to_string(&file).expect("it was written");
    std::fs::remove_file(&file).expect("it is ours");
    assert_eq!(lines, "wants_something: wants no-such-program\n".repeat(2));
}

#[test]
fn what_is_missing_fails_where_all_is_demanded() {
    let output = run("no-such-program", &[("CLOUDSTATE_TEST_SERVERS", "all")]);
    assert!(!output.status.success());
}
