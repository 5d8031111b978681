//! `cloudstate new`: what it makes, and that it builds.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{cloudstate, ended};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("this repository")
}

#[test]
fn a_new_project_builds() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let sdk_path = checkout();
    let arguments = [
        "new",
        "--lang",
        "rust",
        "my-counter",
        "--sdk-path",
        sdk_path.to_str().expect("UTF-8"),
    ];
    let made = ended(cloudstate(&arguments).current_dir(&directory));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(
        made.stdout.contains("cloudstate dev my-counter"),
        "{}",
        made.stdout
    );

    let project = directory.path().join("my-counter");
    // The versions of this repository's build, which are on this machine already.
    std::fs::copy(sdk_path.join("Cargo.lock"), project.join("Cargo.lock")).expect("it can be copied");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet"])
        .current_dir(&project)
        .env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("new"),
        )
        .env("RUSTFLAGS", "-D warnings")
        .output()
        .expect("cargo runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
}

#[test]
fn an_existing_directory_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(directory.path().join("taken")).expect("it can be made");
    let sdk_path = checkout();
    let arguments = [
        "new",
        "--lang",
        "rust",
        "taken",
        "--sdk-path",
        sdk_path.to_str().expect("UTF-8"),
    ];
    let refused = ended(cloudstate(&arguments).current_dir(&directory));
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.stderr,
        "error: `taken` exists already; choose another name\n"
    );
}

#[test]
fn a_path_without_the_sdk_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let refused =
        ended(cloudstate(&["new", "--lang", "rust", "x", "--sdk-path", "."]).current_dir(&directory));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("it has no crates/sdk"),
        "{}",
        refused.stderr
    );
}
